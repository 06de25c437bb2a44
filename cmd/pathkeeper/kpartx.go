package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/partition"
	"pathkeeper/show"
)

const kpartxUsage = `kpartx (pathkeeper): maps for the partitions of a disk, a map or a file
Usage:
  kpartx [-a|-d|-u|-l] [-r] [-p DELIMITER] [-f] [-g] [-t TYPE] [-s|-n] [-v] DEVICE
	-a make the partitions' maps
	-d remove them; none is removed while one of them is in use
	-u as -a, and remove those whose partition is gone
	-l list what -a would make (default)
	-r read-only maps
	-p what stands between the name and the number ("p" after a digit, else nothing)
	-g a GPT counts though sector 0 does not say that there is one
	-f make maps also where the map has the feature no_partitions
	-t only tables of that type: gpt or dos
	-s return when udev has made the nodes (default)
	-n do not wait for udev
	-v say what is done
`

// kpartxAction is what a call of kpartx shall do.
type kpartxAction byte

const (
	kpartxList   kpartxAction = 'l'
	kpartxAdd    kpartxAction = 'a'
	kpartxUpdate kpartxAction = 'u'
	kpartxDelete kpartxAction = 'd'
)

// kpartxOptions are what a command line of kpartx says.
type kpartxOptions struct {
	do           kpartxAction
	readOnly     bool
	force        bool
	noSync       bool
	verbose      bool
	delimiter    string
	hasDelimiter bool
	scan         partition.Options
	device       string
}

// parseKpartx reads kpartx's command line as getopt does: options may be joined, may
// follow the device, and end at "--". A second name is ignored, as there.
func parseKpartx(args []string) (o kpartxOptions, err error) {
	o.do = kpartxList
	var names []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			names = append(names, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			names = append(names, arg)
			continue
		}
		if arg[1] == '-' {
			return o, fmt.Errorf("there is no option %s", arg)
		}
		for j := 1; j < len(arg); j++ {
			c := arg[j]
			if c != 'p' && c != 't' {
				if err := o.flag(c); err != nil {
					return o, err
				}
				continue
			}
			value := arg[j+1:]
			if value == "" {
				if i++; i >= len(args) {
					return o, fmt.Errorf("option -%c wants a value", c)
				}
				value = args[i]
			}
			if c == 'p' {
				o.delimiter, o.hasDelimiter = value, true
			} else if o.scan.Only, err = tableType(value); err != nil {
				return o, err
			}
			break
		}
	}
	if len(names) != 1 && len(names) != 2 {
		return o, fmt.Errorf("one device is wanted, %d are named", len(names))
	}
	o.device = names[0]
	return o, nil
}

// flag takes an option that has no value.
func (o *kpartxOptions) flag(c byte) error {
	switch c {
	case 'l', 'a', 'u', 'd':
		o.do = kpartxAction(c)
	case 'r':
		o.readOnly = true
	case 'f':
		o.force = true
	case 'g':
		o.scan.ForceGPT = true
	case 's', 'n':
		o.noSync = c == 'n'
	case 'v':
		o.verbose = true
	default:
		return fmt.Errorf("there is no option -%c", c)
	}
	return nil
}

// unreadTypes are kinds of tables that kpartx reads and Pathkeeper does not.
const unreadTypes = " bsd solaris unixware dasd mac sun ps3 "

func tableType(name string) (partition.Scheme, error) {
	for _, s := range []partition.Scheme{partition.SchemeGPT, partition.SchemeDOS} {
		if name == s.String() {
			return s, nil
		}
	}
	if strings.Contains(unreadTypes, " "+name+" ") {
		return 0, fmt.Errorf("tables of type %s are not read; gpt and dos are", name)
	}
	return 0, fmt.Errorf("-t %q is no type of table: gpt or dos", name)
}

// kpartxMain answers as kpartx does: the exit code is 0, or how many partitions could
// not be seen to, 1 for everything else.
func kpartxMain(args []string, std streams) int {
	if len(args) == 1 && (args[0] == "-h" || args[0] == "--help") {
		io.WriteString(std.out, kpartxUsage)
		return exitDone
	}
	o, err := parseKpartx(args)
	if err != nil {
		fmt.Fprintf(std.err, "kpartx: %s\n", show.Safe(err.Error()))
		io.WriteString(std.out, kpartxUsage)
		return exitError
	}
	k, err := openKpartx(o, std)
	if err != nil {
		fmt.Fprintf(std.err, "kpartx: %s\n", show.Safe(err.Error()))
		return exitError
	}
	defer k.close()
	failed, err := k.run()
	if err != nil {
		fmt.Fprintf(std.err, "kpartx: %s\n", show.Safe(err.Error()))
		failed = max(failed, 1)
	}
	return min(failed, 255)
}

// run does what the options say. failed counts the partitions that could not be seen
// to; each was told of.
func (k *kpartx) run() (failed int, err error) {
	loop, done, err := k.resolve()
	if err != nil || done {
		return 0, err
	}
	return k.work(loop)
}

// work does it, once it is known what the device is.
func (k *kpartx) work(loop loopDevice) (failed int, err error) {
	if k.o.do == kpartxDelete {
		failed, err = k.remove()
		if err == nil && failed == 0 && loop.name != "" {
			err = k.detach(loop)
		}
		return failed, err
	}
	if k.parent.noPartitions && !k.o.force {
		return 0, nil
	}
	found, err := k.host.readTable(k.device, k.o.scan)
	if err == nil && found.Table.Bad != "" {
		err = fmt.Errorf("reading the partition table of %s: %s", k.device, found.Table.Bad)
	}
	if err == nil {
		for _, n := range found.Table.Notes {
			fmt.Fprintf(k.std.err, "kpartx: %s: %s\n", k.device, show.Safe(n))
		}
		k.parent.Size, k.parent.ReadOnly = found.Size, found.ReadOnly
		if k.o.do == kpartxList {
			k.list(found.Table)
		} else {
			failed, err = k.update(found.Table)
		}
	}
	if k.o.do == kpartxList && loop.made {
		if e := k.detach(loop); err == nil {
			err = e
		}
	}
	return failed, err
}

// list prints what would be made: partitions of the disk first, then logical ones,
// which are shown on the map that their extended partition would get if it were the
// first map of the host. That is how kpartx prints them; its maps, and ours, lie on
// the disk itself.
func (k *kpartx) list(t partition.Table) {
	at := map[int]int{}
	line := func(p partition.Partition, dev string, start table.Sectors) {
		at[p.Number] = len(at)
		name, err := partition.Name(k.parent.Name, k.delimiter(), p.Number)
		if err != nil {
			fmt.Fprintf(k.std.err, "kpartx: partition %d: %s\n", p.Number, show.Safe(err.Error()))
			return
		}
		fmt.Fprintf(k.std.out, "%s : 0 %d %s %d\n", name.Kernel(), p.Size, dev, start)
	}
	for _, p := range t.Partitions {
		if p.Container == 0 {
			line(p, k.device, p.Start)
		}
	}
	for _, p := range t.Partitions {
		if p.Container != 0 {
			i := slices.IndexFunc(t.Partitions, func(q partition.Partition) bool { return q.Number == p.Container })
			line(p, fmt.Sprintf("/dev/dm-%d", at[p.Container]), p.Start-t.Partitions[i].Start)
		}
	}
}

// delimiter is what stands between name and number.
func (k *kpartx) delimiter() string {
	if k.o.hasDelimiter {
		return k.o.delimiter
	}
	return partition.DefaultDelimiter(k.parent.Name.Kernel())
}
