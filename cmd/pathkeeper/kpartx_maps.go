package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/partition"
	"pathkeeper/show"
)

// kpartx is one call of it.
type kpartx struct {
	o      kpartxOptions
	host   kpartxHost
	dm     dmmap.Port // nil: the kernel has no device-mapper
	std    streams
	waits  udevWait
	device string // the block device: what was named, or the loop device of a file
	parent kpartxParent
}

// kpartxParent is the device whose partitions they are.
type kpartxParent struct {
	partition.Parent
	noPartitions bool // the map's own word: none shall be made
}

// kpartxFound is what was read from the device.
type kpartxFound struct {
	Table    partition.Table
	Size     table.Sectors
	ReadOnly bool
}

// udevWait counts the events that udev is to process before kpartx returns.
type udevWait interface {
	// expect is called before a call that sends an event, and gives what the call
	// tells udev; sent says afterwards whether the event came.
	expect() dmmap.Udev
	sent(bool)
	wait() error
}

// call makes one ioctl and decodes its answer.
func call[T any](port dmmap.Port, r interface{ Encode() (dmmap.Call, error) }, decode func([]byte) (T, error)) (T, error) {
	var zero T
	if port == nil {
		return zero, errors.New("the kernel has no device-mapper loaded: run modprobe dm-mod")
	}
	c, err := r.Encode()
	for err == nil {
		out, errno := port.Ioctl(c.Cmd, c.Buf)
		if errno != 0 {
			return zero, c.Err(errno)
		}
		v, err := decode(out)
		if !errors.Is(err, dmmap.ErrBufferFull) {
			return v, err
		}
		if c, err = c.Grow(); err != nil {
			return zero, err
		}
	}
	return zero, err
}

// change makes a call that sends a uevent.
func (k *kpartx) change(r func(dmmap.Udev) interface{ Encode() (dmmap.Call, error) }) error {
	i, err := call(k.dm, r(k.waits.expect()), dmmap.DecodeInfo)
	k.waits.sent(err == nil && i.UeventGenerated)
	return err
}

// identify says what the device is to device-mapper: a map with its name and UUID, or
// a disk that is none.
func (k *kpartx) identify(dev table.DevNum, node string) error {
	k.parent.Dev = dev
	var err error
	if k.dm != nil {
		i, e := call(k.dm, dmmap.QueryInfo{Map: dmmap.ByDev(dev)}, dmmap.DecodeInfo)
		if e == nil {
			k.parent.Name, k.parent.UUID = i.Name, i.UUID
			lines, e := call(k.dm, dmmap.QueryTable{Map: dmmap.ByDev(dev)}, decodeTargets)
			if e != nil {
				return e
			}
			k.parent.noPartitions = forbidsPartitions(lines)
		} else if !errors.Is(e, dmmap.ErrNotFound) {
			return e
		}
	}
	if k.parent.Name.IsZero() {
		k.parent.Name, err = table.KernelName(node)
	}
	if k.parent.UUID.IsZero() {
		k.parent.UUID = partition.NodeUUID(dev)
	}
	return err
}

// forbidsPartitions looks for the feature no_partitions in a map's table.
func forbidsPartitions(lines []table.Line) bool {
	if len(lines) != 1 || lines[0].Target != table.Multipath {
		return false
	}
	t, err := table.Parse(lines[0].Params)
	return err == nil && slices.Contains(t.Features, "no_partitions")
}

func decodeTargets(b []byte) ([]table.Line, error) {
	_, lines, err := dmmap.DecodeLines(b)
	return lines, err
}

// have reads the maps that are partitions of the parent, and those that have a name
// that one of them is to get.
func (k *kpartx) have(t partition.Table) ([]partition.Have, error) {
	list, err := call(k.dm, dmmap.QueryList{}, dmmap.DecodeList)
	if err != nil {
		return nil, err
	}
	named := map[table.Name]bool{}
	for _, p := range t.Partitions {
		if n, err := partition.Name(k.parent.Name, k.delimiter(), p.Number); err == nil {
			named[n] = true
		}
	}
	var out []partition.Have
	for _, e := range list {
		ref := dmmap.ByName(e.Name)
		i, err := call(k.dm, dmmap.QueryInfo{Map: ref}, dmmap.DecodeInfo)
		if errors.Is(err, dmmap.ErrNotFound) {
			continue // gone since it was listed
		}
		if err != nil {
			return nil, err
		}
		if partition.NumberOf(i.UUID, k.parent.UUID) == 0 && !named[i.Name] {
			continue
		}
		lines, err := call(k.dm, dmmap.QueryTable{Map: ref}, decodeTargets)
		if err != nil {
			return nil, err
		}
		out = append(out, partition.Have{
			Name: i.Name, UUID: i.UUID, Dev: i.Dev, Open: int(i.OpenCount), ReadOnly: i.ReadOnly, Live: i.LiveTable, Lines: lines,
		})
	}
	return out, nil
}

// update makes the maps as the table has them.
func (k *kpartx) update(t partition.Table) (failed int, err error) {
	have, err := k.have(t)
	if err != nil {
		return 0, err
	}
	steps := partition.Plan(k.parent.Parent, t, have, partition.Rules{Delimiter: k.delimiter(), ReadOnly: k.o.readOnly, Update: k.o.do == kpartxUpdate})
	return k.do(steps)
}

// remove removes all, or none where one is in use.
func (k *kpartx) remove() (failed int, err error) {
	have, err := k.have(partition.Table{})
	if err != nil {
		return 0, err
	}
	return k.do(partition.PlanRemoval(k.parent.Parent, have))
}

// do takes the steps and waits for udev. A partition that could not be seen to does
// not keep the others from it, but its own further steps.
func (k *kpartx) do(steps []partition.Step) (failed int, err error) {
	bad := map[int]bool{}
	for _, s := range steps {
		if bad[s.Number] {
			continue
		}
		if err := k.step(s); err != nil {
			bad[s.Number] = true
			fmt.Fprintf(k.std.err, "kpartx: %s\n", show.Safe(err.Error()))
		}
	}
	return len(bad), k.waits.wait()
}

func (k *kpartx) step(s partition.Step) error {
	switch s.Do {
	case partition.Refuse:
		if s.Name.IsZero() {
			return fmt.Errorf("partition %d of %s: %s", s.Number, k.parent.Name, s.Why)
		}
		return fmt.Errorf("%s is left as it is: %s", s.Name, s.Why)
	case partition.Rename:
		return k.change(func(u dmmap.Udev) interface{ Encode() (dmmap.Call, error) } {
			return dmmap.Rename{Map: dmmap.ByName(s.From), To: s.Name, Udev: u}
		})
	case partition.Remove:
		if err := k.removeMap(s.Name, s.UUID); err != nil {
			return err
		}
		k.say("del devmap : %s\n", s.Name.Kernel())
		return nil
	case partition.Create:
		if err := k.create(s); err != nil {
			return err
		}
	case partition.Reload:
		if err := k.reload(s); err != nil {
			return err
		}
	}
	i, err := call(k.dm, dmmap.QueryInfo{Map: dmmap.ByName(s.Name)}, dmmap.DecodeInfo)
	if err != nil {
		return err
	}
	if err := k.host.ownNode(s.Name, i.Dev, k.device); err != nil {
		return err
	}
	k.say("add map %s (%s): %s\n", s.Name.Kernel(), i.Dev, s.Line)
	return nil
}

func (k *kpartx) say(format string, args ...any) {
	if k.o.verbose {
		fmt.Fprintf(k.std.out, format, args...)
	}
}

// create makes a map; one that gets no table is taken away again.
func (k *kpartx) create(s partition.Step) error {
	if _, err := call(k.dm, dmmap.Create{Name: s.Name, UUID: s.UUID}, dmmap.DecodeInfo); err != nil {
		return err
	}
	err := k.load(s)
	if err == nil {
		err = k.resume(s)
	}
	if err != nil {
		if e := k.removeMap(s.Name, s.UUID); e != nil {
			err = fmt.Errorf("%w; and the empty map stays: %w", err, e)
		}
	}
	return err
}

// reload gives a map another table. A map that somebody opened since it was looked at
// keeps the one it has, unless it only grows.
func (k *kpartx) reload(s partition.Step) error {
	lines, err := call(k.dm, dmmap.QueryTable{Map: dmmap.ByName(s.Name)}, decodeTargets)
	if err != nil {
		return err
	}
	if err := k.load(s); err != nil {
		return err
	}
	i, err := call(k.dm, dmmap.QueryInfo{Map: dmmap.ByName(s.Name)}, dmmap.DecodeInfo)
	grows := len(lines) == 1 && lines[0].Params == s.Line.Params && lines[0].Length <= s.Line.Length
	switch {
	case err == nil && i.UUID != s.UUID && !i.UUID.IsZero():
		err = fmt.Errorf("%s is another map meanwhile: %s", s.Name, i.UUID)
	case err == nil && i.OpenCount > 0 && i.LiveTable && !grows:
		err = fmt.Errorf("%s is left as it is: somebody opened it meanwhile", s.Name)
	}
	if err == nil {
		return k.resume(s)
	}
	if _, e := call(k.dm, dmmap.Clear{Map: dmmap.ByName(s.Name)}, dmmap.DecodeInfo); e != nil {
		err = fmt.Errorf("%w; and the loaded table stays: %w", err, e)
	}
	return err
}

// load writes the inactive table, read-only where the disk is.
func (k *kpartx) load(s partition.Step) error {
	l := dmmap.Load{Map: dmmap.ByName(s.Name), ReadOnly: s.ReadOnly, Lines: []table.Line{s.Line}}
	_, err := call(k.dm, l, dmmap.DecodeInfo)
	if errors.Is(err, dmmap.ErrReadOnly) && !l.ReadOnly {
		l.ReadOnly = true
		_, err = call(k.dm, l, dmmap.DecodeInfo)
	}
	return err
}

func (k *kpartx) resume(s partition.Step) error {
	return k.change(func(u dmmap.Udev) interface{ Encode() (dmmap.Call, error) } {
		return dmmap.Resume{Map: dmmap.ByName(s.Name), Udev: u}
	})
}

// removeMap removes a map that nobody has open; the kernel sees to that.
func (k *kpartx) removeMap(name table.Name, uuid table.UUID) error {
	ref := dmmap.ByName(name)
	if !uuid.IsZero() {
		ref = dmmap.ByUUID(uuid) // the name may be another map's by now
	}
	err := k.change(func(u dmmap.Udev) interface{ Encode() (dmmap.Call, error) } { return dmmap.Remove{Map: ref, Udev: u} })
	switch {
	case errors.Is(err, dmmap.ErrNotFound):
		return nil // it is gone
	case errors.Is(err, dmmap.ErrBusy):
		return fmt.Errorf("%s is in use. Not removing: %w", name, err)
	}
	if err == nil {
		k.host.dropNode(name)
	}
	return err
}

// nodeName is the last part of a path, which names a disk that is no map.
func nodeName(device string) string { return device[strings.LastIndexByte(device, '/')+1:] }
