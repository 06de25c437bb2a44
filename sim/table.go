package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// dmTable is what one TABLE_LOAD brought.
type dmTable struct {
	m        *Map
	targets  []*target
	readOnly bool
	disks    []*Disk // that it holds, each once
	maps     []*Map  // likewise
}

// target is one line of a table; mp is set for the multipath target.
type target struct {
	start, length uint64
	kind          string
	mp            *multipath
	// Of a linear target.
	under  under
	offset uint64
}

// under is a block device below a table: a disk, a partition of one, a map.
type under struct {
	disk    *Disk
	part    uint32 // 0: the whole disk
	start   uint64 // of the partition
	sectors uint64
	mapped  *Map
}

func (u under) String() string {
	if u.mapped != nil {
		return utoa(dmMajor) + ":" + utoa(u.mapped.minor)
	}
	return utoa(u.disk.Major) + ":" + utoa(u.disk.Minor+u.part)
}

// size is how large the device is now.
func (u under) size() uint64 {
	switch {
	case u.mapped != nil:
		return u.mapped.live.sectors()
	case u.part == 0:
		return u.disk.Sectors
	}
	return u.sectors
}

func (t *dmTable) sectors() uint64 {
	if t == nil || len(t.targets) == 0 {
		return 0
	}
	last := t.targets[len(t.targets)-1]
	return last.start + last.length
}

func (t *dmTable) isReadOnly() bool { return t != nil && t.readOnly }

func (t *dmTable) uses(d *Disk) bool { return t != nil && d != nil && slices.Contains(t.disks, d) }

func (t *dmTable) hold(u under) {
	if u.mapped != nil {
		if !slices.Contains(t.maps, u.mapped) {
			t.maps = append(t.maps, u.mapped)
		}
		return
	}
	if !slices.Contains(t.disks, u.disk) {
		t.disks = append(t.disks, u.disk)
	}
}

// setTables exchanges the tables of a map: what a new one needs is held, what
// none needs any more is let go.
func (m *Map) setTables(live, inactive *dmTable) {
	was := []*dmTable{m.live, m.inactive}
	m.live, m.inactive = live, inactive
	for _, t := range []*dmTable{live, inactive} {
		if t != nil && !slices.Contains(was, t) {
			for _, d := range t.disks {
				d.tables = append(d.tables, t)
			}
			for _, o := range t.maps {
				o.users = append(o.users, t)
			}
		}
	}
	released := false
	for _, t := range was {
		if t == nil || t == live || t == inactive {
			continue
		}
		released = true
		for _, d := range t.disks {
			d.tables = slices.DeleteFunc(d.tables, func(o *dmTable) bool { return o == t })
		}
		for _, o := range t.maps {
			o.users = slices.DeleteFunc(o.users, func(o *dmTable) bool { return o == t })
			o.lastClose()
		}
	}
	if released {
		m.w.sweep()
	}
}

func (t *dmTable) multipaths() []*multipath {
	if t == nil {
		return nil
	}
	var out []*multipath
	for _, x := range t.targets {
		if x.mp != nil {
			out = append(out, x.mp)
		}
	}
	return out
}

// queueMode is the type of the queue that the targets need; it cannot change
// after the first load (dm-table.c dm_table_determine_type).
func (t *dmTable) queueMode() string {
	if len(t.multipaths()) > 0 {
		return "request"
	}
	return "bio"
}

// fits says whether each device is as large as its target needs
// (device_area_is_invalid), by the sizes of now.
func (t *dmTable) fits() bool {
	for _, x := range t.targets {
		if x.kind == "linear" && x.under.size() < x.offset+x.length {
			return false
		}
		if x.mp == nil {
			continue
		}
		for _, g := range x.mp.groups {
			for _, p := range g.paths {
				if p.disk.Sectors < x.length {
					return false
				}
			}
		}
	}
	return true
}

// immutable is the kind of the target that a live table may only be exchanged
// for one of the same kind (DM_TARGET_IMMUTABLE).
func (t *dmTable) immutable() string {
	if len(t.multipaths()) > 0 {
		return "multipath"
	}
	return ""
}

func (x *target) text(table bool) string {
	switch {
	case x.mp != nil:
		return x.mp.text(table)
	case x.kind == "linear" && table:
		return x.under.String() + " " + strconv.FormatUint(x.offset, 10)
	}
	return ""
}

// parseLoad is populate_table: the dm_target_specs behind the header, each next
// counted from the start of its own spec.
func (m *Map) parseLoad(c *ioctl) (*dmTable, uint32) {
	n := native.Uint32(c.buf[20:])
	if n == 0 {
		return nil, eINVAL
	}
	t := &dmTable{m: m, readOnly: c.flags&fReadOnly != 0}
	rest := c.payload()
	var at uint64
	for range n {
		if len(rest) < specSize+1 {
			return nil, eINVAL
		}
		x := &target{start: native.Uint64(rest), length: native.Uint64(rest[8:]), kind: text(rest[24:40])}
		next := native.Uint32(rest[20:])
		params := text(rest[specSize:])
		if specSize+len(params) >= len(rest) || x.start != at || x.length == 0 {
			return nil, eINVAL
		}
		at += x.length
		if errno := m.construct(t, x, strings.Fields(params)); errno != 0 {
			return nil, errno
		}
		t.targets = append(t.targets, x)
		if uint32(len(rest)) < next {
			next = uint32(len(rest))
		}
		rest = rest[next:]
	}
	if len(t.targets) > 1 && t.immutable() != "" {
		return nil, eINVAL // DM_TARGET_SINGLETON
	}
	return t, 0
}

func (m *Map) construct(t *dmTable, x *target, args []string) uint32 {
	switch x.kind {
	case "multipath":
		return m.constructMultipath(t, x, &words{list: args})
	case "linear":
		return m.constructLinear(t, x, args)
	case "error", "zero":
		if len(args) > 0 {
			return eINVAL
		}
		return 0
	}
	return eINVAL
}

func (m *Map) constructLinear(t *dmTable, x *target, args []string) uint32 {
	if len(args) != 2 {
		return eINVAL
	}
	offset, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return eINVAL
	}
	u, errno := m.openFor(t, args[0])
	if errno != 0 {
		return errno
	}
	x.under, x.offset = u, offset
	return 0
}

// openFor is dm_get_device: an exclusive open on behalf of device-mapper, which
// maps share among themselves and with nobody else (dm.c open_table_device). What
// the map's tables have open already is not opened again, whatever became of it
// (find_table_device).
func (m *Map) openFor(t *dmTable, dev string) (under, uint32) {
	var n devt
	if _, err := fmt.Sscanf(dev, "%d:%d", &n.major, &n.minor); err != nil {
		return under{}, eNODEV
	}
	if n.major > 1<<12-1 || n.minor > 1<<20-1 {
		return under{}, eOVERFLOW
	}
	if n.major == dmMajor {
		return m.openMap(t, n.minor)
	}
	d := m.w.index.numbers[n]
	u := under{disk: d}
	if d == nil {
		if u = m.w.partNumbered(n); u.disk == nil {
			return under{}, eNXIO
		}
		d = u.disk
	} else {
		u.sectors = d.Sectors
	}
	switch {
	case t.uses(d), (m.live.uses(d) || m.inactive.uses(d)) && (t.readOnly || !m.live.isReadOnly()):
	case d.gone: // del_gendisk: nothing opens it any more
		return under{}, eNXIO
	case !d.online():
		return under{}, eNXIO
	case m.w.inUse(d):
		return under{}, eBUSY
	case !t.readOnly && d.ReadOnly: // sd_open
		return under{}, eROFS
	}
	t.hold(u)
	return u, 0
}

func (m *Map) openMap(t *dmTable, minor uint32) (under, uint32) {
	o := m.w.index.mapMinors[minor]
	switch {
	case o == nil || !o.registered:
		return under{}, eNXIO
	case o == m:
		return under{}, eINVAL // a table on itself
	case m.w.mountedMap(o):
		return under{}, eBUSY
	}
	u := under{mapped: o, sectors: o.live.sectors()}
	t.hold(u)
	return u, 0
}

// partNumbered finds a partition by its device number.
func (w *World) partNumbered(n devt) under {
	d := w.index.numbers[devt{n.major, n.minor &^ (sdMinors - 1)}]
	if d == nil || d.gone {
		return under{}
	}
	for _, p := range d.Parts {
		if d.Minor+p.Number == n.minor {
			return under{disk: d, part: p.Number, start: p.Start, sectors: p.Sectors}
		}
	}
	return under{}
}

// words are a target's arguments, shifted one by one (dm-table.c, dm_arg_set).
type words struct {
	list []string
	bad  bool
}

func (a *words) shift() string {
	if len(a.list) == 0 {
		a.bad = true
		return ""
	}
	s := a.list[0]
	a.list = a.list[1:]
	return s
}

func (a *words) number(least, most int) int {
	n, err := strconv.Atoi(a.shift())
	if err != nil || n < least || n > most {
		a.bad = true
		return 0
	}
	return n
}

// group reads a count and as many words.
func (a *words) group(most int) []string {
	n := a.number(0, most)
	if n > len(a.list) {
		a.bad = true
	}
	if a.bad {
		return nil
	}
	out := a.list[:n]
	a.list = a.list[n:]
	return out
}
