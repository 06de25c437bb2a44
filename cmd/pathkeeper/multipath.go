package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/server"
	"pathkeeper/show"
)

const multipathUsage = `multipath (pathkeeper): make, show and remove multipath maps
  multipath [-d] [-r] [-i] [-q] [-B] [-p POLICY] [-v LEVEL] [DEVICE]
                               make the maps of all devices, or of one, and bring them into line with the configuration
  multipath -l  [DEVICE]       maps as the kernel has them: nothing is asked of a path
  multipath -ll [DEVICE]       maps with the state of their paths
  multipath -f MAP [-R N]      remove a map that nobody uses
  multipath -F [-R N]          remove every map that nobody uses
  multipath -a DEVICE          put a device's WWID into the wwids file
  multipath -w DEVICE          take it out
  multipath -W                 the wwids file holds the WWIDs of the maps that there are, and no other
  multipath -c DEVICE          is it a path of a map? exit 1: no
  multipath -C MAP             has the map a path that works? exit 1: no
  multipath -u, -U             the same of the device of a udev event
  multipath -t                 the configuration in force
  multipath -T                 the same, of device entries only those of devices that are here
DEVICE is a map's name or WWID, /dev/sda, /dev/mapper/NAME, /dev/dm-3 or 8:16.
  -d         say what would be done, and do nothing
  -r         load every table anew, whether it needs it or not
  -i         the wwids file does not decide what a path is
  -q         leave queueing on where no daemon runs
  -B         name new maps by their WWID: the bindings file is only read
  -p POLICY  group paths so, whatever is configured
  -R N       try N times more, a second apart, to remove what is in use
  -e         with -l, -ll: foreign maps too; there are none here
  -v LEVEL   0 nothing, 1 names, 2 maps (default), 3 also paths and what is done
  -h, --version
While a daemon runs, ours or multipathd, it does what changes a map.
`

// multipathTask is what the command line of multipath asks for.
type multipathTask uint8

const (
	taskMake multipathTask = iota
	taskDry
	taskList
	taskListLong
	taskFlush
	taskFlushAll
	taskAddWWID
	taskRemoveWWID
	taskResetWWIDs
	taskValid
	taskUsable
	taskDumpLocal
)

// multipathOptions are what the command line of multipath says.
type multipathOptions struct {
	task      multipathTask
	level     int
	name      string // the device argument
	udev      bool   // -u, -U: the device is that of the udev event
	reload    bool   // -r
	ignore    bool   // -i
	queueing  bool   // -q
	readNames bool   // -B
	alone     bool   // -D: no daemon is asked
	grouping  string // -p
	retries   int    // -R
	retried   bool   // it was given
	talk      []string

	help, version, dump bool
}

// multipathLetters are the options of multipath, as getopt(3) is told them.
const multipathLetters = ":adDcChl::eFfM:v:p:b:BrR:itTquUwW"

// parseMultipath reads multipath's command line. -h and -t are answered where they
// stand: what comes behind does not count.
func parseMultipath(args []string) (o multipathOptions, err error) {
	o.level = 2
	if len(args) == 1 && (args[0] == "--version" || args[0] == "--help") {
		o.version, o.help = args[0] == "--version", args[0] == "--help"
		return o, nil
	}
	given, words, err := getopt(multipathLetters, args)
	for _, g := range given {
		if err := o.take(g); err != nil {
			return o, err
		}
		if o.help || o.dump {
			return o, nil
		}
	}
	if err != nil {
		return o, err
	}
	if len(words) > 0 {
		o.name = words[0] // further ones are ignored, as there
	}
	return o, o.check()
}

// tasksOf are the options that say what is to be done; the last one counts.
func taskOf(letter byte) (multipathTask, bool) {
	t, ok := map[byte]multipathTask{
		'f': taskFlush, 'F': taskFlushAll, 'a': taskAddWWID, 'w': taskRemoveWWID, 'W': taskResetWWIDs,
		'c': taskValid, 'u': taskValid, 'C': taskUsable, 'U': taskUsable, 'T': taskDumpLocal,
	}[letter]
	return t, ok
}

func (o *multipathOptions) take(g givenOption) (err error) {
	if t, ok := taskOf(g.letter); ok {
		o.task = t
		o.udev = g.letter == 'u' || g.letter == 'U'
		return nil
	}
	switch g.letter {
	case 'h':
		o.help = true
	case 't':
		o.dump = true
	case 'd':
		if o.task == taskMake {
			o.task = taskDry
		}
	case 'l':
		o.task = taskList
		if strings.HasPrefix(g.value, "l") {
			o.task, g.value = taskListLong, g.value[1:]
		}
		if g.value != "" {
			o.talk = append(o.talk, fmt.Sprintf("-l takes %q for a value of its own, and so it does not count; write it apart", g.value))
		}
	case 'v':
		if o.level, err = verbosity(g); err != nil {
			return err
		}
	case 'R':
		if o.retries, err = count(g, 3600); err != nil {
			return err
		}
		o.retried = true
	case 'p':
		o.grouping = g.value
		if !isGrouping(g.value) {
			return fmt.Errorf("option -p wants one of %s, not %q", strings.Join(groupings(), ", "), g.value)
		}
	case 'b':
		o.talk = append(o.talk, "-b is ignored: the bindings are always in /etc/multipath/bindings")
	case 'D':
		o.alone = true
	case 'r':
		o.reload = true
	case 'i':
		o.ignore = true
	case 'q':
		o.queueing = true
	case 'B':
		o.readNames = true
	}
	return nil
}

func count(g givenOption, most int) (int, error) {
	n, err := strconv.Atoi(g.value)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("option -%c wants a number from 0 to %d, not %q", g.letter, most, g.value)
	}
	return n, nil
}

// verbosity is the value of -v: what follows a number does not count ("2+", as yast
// writes), and more than there is is all that there is.
func verbosity(g givenOption) (int, error) {
	digits := len(g.value) - len(strings.TrimLeft(g.value, "0123456789"))
	if digits == 0 {
		return 0, fmt.Errorf("option -%c wants a number from 0 to %d, not %q", g.letter, mostVerbose, g.value)
	}
	n, err := strconv.Atoi(g.value[:digits])
	if err != nil || n > mostVerbose {
		n = mostVerbose
	}
	return n, nil
}

// mostVerbose is the highest level that says more than the one below it.
const mostVerbose = 4

// check says what a task lacks.
func (o *multipathOptions) check() error {
	if o.name != "" || o.udev {
		return nil
	}
	switch o.task {
	case taskFlush:
		return fmt.Errorf("-f wants the map that is to be removed; `multipath -l -v1` lists them, -F removes all")
	case taskValid:
		return fmt.Errorf("-c wants the device that is asked about")
	case taskUsable:
		return fmt.Errorf("-C wants the map that is asked about")
	case taskAddWWID:
		return fmt.Errorf("-a wants the device whose WWID is meant")
	case taskRemoveWWID:
		return fmt.Errorf("-w wants the device whose WWID is meant")
	}
	return nil
}

// hostPlaces are those of multipath, which has no flags for them.
func hostPlaces(m machine) *places {
	return &places{on: m, socket: server.SocketPath}
}

// multipathMain is multipath on this host. Exit 0 or 1, as there.
func multipathMain(args []string, std streams) int {
	return multipathOn(thisMachine{}, args, std)
}

func multipathOn(m machine, args []string, std streams) int {
	o, err := parseMultipath(args)
	switch {
	case err != nil:
		fmt.Fprintf(std.err, "multipath: %s; `multipath -h` says what there is\n", show.Safe(err.Error()))
		return exitError
	case o.help:
		// Programs look for the version there, and take anything on standard output
		// for a complaint about the configuration.
		fmt.Fprintf(std.err, "%s\n%s", versionLine("multipath"), multipathUsage)
		return exitDone
	case o.version:
		return printVersion("multipath", std)
	case o.dump:
		if err := dumpHost(hostPlaces(m), std); err != nil {
			return failed(std, "multipath", err)
		}
		return exitDone
	case m.unprivileged():
		fmt.Fprintln(std.err, "multipath: need to be root")
		return exitError
	}
	for _, line := range o.talk {
		fmt.Fprintf(std.err, "multipath: %s\n", show.Safe(line))
	}
	r := &multipathRun{multipathOptions: o, on: m, at: *hostPlaces(m), std: std}
	ok, err := r.do(context.Background())
	if err != nil {
		return failed(std, "multipath", err)
	}
	if !ok {
		return exitError
	}
	return exitDone
}

// multipathRun is one call of multipath.
type multipathRun struct {
	multipathOptions
	on  machine
	at  places
	std streams
}

// do does what is asked for; not ok: the answer is no, or it is said already why not.
func (r *multipathRun) do(ctx context.Context) (ok bool, err error) {
	switch r.task {
	case taskList, taskListLong:
		return r.list(ctx)
	case taskFlush, taskFlushAll:
		return r.flush(ctx)
	case taskAddWWID, taskRemoveWWID, taskResetWWIDs:
		return r.wwids(ctx)
	case taskValid:
		return r.valid()
	case taskUsable:
		return r.usable(ctx)
	case taskDumpLocal:
		return r.dumpLocal(ctx)
	case taskDry:
		return r.dry(ctx)
	}
	return r.make(ctx)
}

// say tells something on standard error, from a verbosity on.
func (r *multipathRun) say(from int, format string, args ...any) {
	if r.level >= from {
		fmt.Fprintf(r.std.err, "multipath: %s\n", show.Safe(fmt.Sprintf(format, args...)))
	}
}

// How long a daemon is waited for whose word is not needed, and then the
// devices themselves.
const (
	askLimit  = 5 * time.Second
	lookLimit = 90 * time.Second
)

// look gets the snapshot of the host, without a word of where it comes from: programs
// read both streams. A daemon that does not answer keeps nobody from looking himself.
func (r *multipathRun) look(ctx context.Context, checks bool) (mpath.Snapshot, error) {
	asking, end := context.WithTimeout(ctx, askLimit)
	defer end()
	if r.on.answers(asking, r.at) {
		if s, err := r.on.snapshot(asking, r.at, checks, func(string) {}); !errors.Is(err, context.DeadlineExceeded) {
			return s, err
		}
	}
	looking, end := context.WithTimeout(ctx, lookLimit)
	defer end()
	return r.on.observed(looking, r.at, checks)
}

// list answers -l and -ll.
func (r *multipathRun) list(ctx context.Context) (ok bool, err error) {
	checks := r.task == taskListLong
	s, err := r.look(ctx, checks)
	if err != nil {
		return false, err
	}
	if r.level >= 3 { // and nothing else: sosreport mixes both streams
		io.WriteString(r.std.out, show.PathsList(s))
	}
	if r.name != "" {
		one, ok := show.Select(s, r.resolved())
		if !ok {
			return r.nameless()
		}
		s = one
	}
	io.WriteString(r.std.out, show.Verbose(s, r.level, show.TopologyOptions{Unchecked: !checks, Bold: terminalOut(r.std.out)}))
	return true, nil
}

// nameless ends a listing of a device that is in no map: nothing is printed. What
// cannot be a device at all is a mistake.
func (r *multipathRun) nameless() (ok bool, err error) {
	if strings.Contains(r.name, "/") && !r.on.exists(r.name) {
		return false, fmt.Errorf("%s is no block device of this host", r.name)
	}
	return true, nil
}

// groupings are what -p takes.
func groupings() []string {
	return []string{"failover", "multibus", "group_by_serial", "group_by_prio", "group_by_node_name", "group_by_tpg"}
}

func isGrouping(s string) bool {
	for _, g := range groupings() {
		if s == g {
			return true
		}
	}
	return false
}

// edit lays what the command line says over the configuration.
func (o *multipathOptions) edit(c *policy.Config) {
	set := func(l policy.Layer, keyword, value string) policy.Layer {
		out := policy.Layer{}
		for _, s := range l {
			if s.Keyword != keyword {
				out = append(out, s)
			}
		}
		if value != "" {
			out = append(out, policy.Setting{Keyword: keyword, Value: value, Origin: policy.Origin{Note: "multipath's command line"}})
		}
		return out
	}
	if o.grouping != "" {
		for i := range c.Multipaths {
			c.Multipaths[i].Layer = set(c.Multipaths[i].Layer, "path_grouping_policy", "")
		}
		c.Overrides = set(set(c.Overrides, "path_grouping_policy", o.grouping), "detect_pgpolicy", "no")
	}
	if o.ignore {
		mode := "smart"
		for _, s := range c.Defaults {
			if s.Keyword == "find_multipaths" && (s.Value == "off" || s.Value == "no" || s.Value == "0" || s.Value == "greedy") {
				mode = "greedy"
			}
		}
		c.Defaults = set(c.Defaults, "find_multipaths", mode)
	}
}
