package sim

import (
	"slices"
	"strconv"
	"strings"
)

// dmTable is what one TABLE_LOAD brought.
type dmTable struct {
	targets  []*target
	readOnly bool
}

// target is one line of a table; mp is set for the multipath target.
type target struct {
	start, length uint64
	kind          string
	mp            *multipath
	// Of a linear target.
	disk   *Disk
	offset uint64
}

func (t *dmTable) sectors() uint64 {
	if t == nil || len(t.targets) == 0 {
		return 0
	}
	last := t.targets[len(t.targets)-1]
	return last.start + last.length
}

func (t *dmTable) isReadOnly() bool { return t != nil && t.readOnly }

func (t *dmTable) uses(d *Disk) bool {
	if t == nil {
		return false
	}
	for _, x := range t.targets {
		if x.disk == d && d != nil {
			return true
		}
		if x.mp != nil && x.mp.path(d) != nil {
			return true
		}
	}
	return false
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
	case x.disk != nil && table:
		return utoa(x.disk.Major) + ":" + utoa(x.disk.Minor) + " " + strconv.FormatUint(x.offset, 10)
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
	t := &dmTable{readOnly: c.flags&fReadOnly != 0}
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
		if len(args) != 2 {
			return eINVAL
		}
		d, errno := m.openFor(t, args[0])
		if errno != 0 {
			return errno
		}
		x.disk = d
		x.offset, _ = strconv.ParseUint(args[1], 10, 64)
		if d.Sectors < x.offset+x.length {
			return eINVAL
		}
		return 0
	}
	return eINVAL
}

// openFor is dm_get_device: an exclusive open on behalf of device-mapper, which
// maps share among themselves and with nobody else.
func (m *Map) openFor(t *dmTable, dev string) (*Disk, uint32) {
	for _, d := range m.w.everyDisk() {
		if utoa(d.Major)+":"+utoa(d.Minor) != dev {
			continue
		}
		switch {
		case (m.live.uses(d) || m.inactive.uses(d)) && (t.readOnly || !m.live.isReadOnly()):
			return d, 0 // open already: find_table_device
		case d.gone:
			return nil, eNODEV
		case !d.online():
			return nil, eNXIO
		case m.w.inUse(d):
			return nil, eBUSY
		case !t.readOnly && d.lun != nil && d.lun.ReadOnly:
			return nil, eROFS
		}
		return d, 0
	}
	return nil, eNODEV
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

// constructMultipath is multipath_ctr: every path becomes active.
func (m *Map) constructMultipath(t *dmTable, x *target, a *words) uint32 {
	mp := &multipath{m: m, delay: -1}
	x.mp = mp
	features := a.group(8)
	if a.bad || !mp.parseFeatures(&words{list: features}) {
		return eINVAL
	}
	if handler := a.group(1024); len(handler) > 0 {
		if !slices.Contains(m.w.Handlers, handler[0]) {
			return eINVAL
		}
		mp.handler = handler[0]
	}
	groups, first := a.number(0, 1024), a.number(0, 1024)
	if a.bad || (groups == 0) != (first == 0) {
		return eINVAL
	}
	for len(a.list) > 0 {
		g, errno := m.constructGroup(t, a)
		if errno != 0 {
			return errno
		}
		mp.groups = append(mp.groups, g)
		for _, p := range g.paths {
			if p.disk.Sectors < x.length {
				return eINVAL // device_area_is_invalid
			}
			if mp.handler == "alua" && p.disk.lun != nil && p.disk.lun.TPGS == 0 {
				return eINVAL
			}
		}
	}
	if len(mp.groups) != groups || first > groups {
		return eINVAL
	}
	if first > 0 {
		mp.next = mp.groups[first-1]
	}
	return 0
}

func (mp *multipath) parseFeatures(a *words) bool {
	for len(a.list) > 0 && !a.bad {
		switch a.shift() {
		case "queue_if_no_path":
			mp.queue = true
		case "retain_attached_hw_handler":
			mp.retain = true
		case "pg_init_retries":
			mp.retries = a.number(1, 50)
		case "pg_init_delay_msecs":
			mp.delay = a.number(0, 60000)
		case "queue_mode":
			if m := a.shift(); m != "rq" && m != "mq" {
				return false
			}
		default:
			return false
		}
	}
	return !a.bad
}

func (m *Map) constructGroup(t *dmTable, a *words) (*group, uint32) {
	g := &group{selector: a.shift()}
	if a.bad || !slices.Contains(m.w.Selectors, g.selector) {
		return nil, eINVAL
	}
	a.group(1024)
	n, args := a.number(1, 1024), a.number(0, 1024)
	most := map[string]int{"service-time": 2, "queue-length": 1, "round-robin": 1}[g.selector]
	if a.bad || args > most {
		return nil, eINVAL
	}
	for range n {
		if len(a.list) < 1+args {
			return nil, eINVAL
		}
		d, errno := m.openFor(t, a.shift())
		if errno != 0 {
			return nil, errno
		}
		p := &mpPath{group: g, disk: d, active: true, weight: 1}
		if args > 0 {
			a.number(0, 1<<31-1) // repeat count: the kernel goes on with 1
		}
		if args > 1 {
			p.weight = a.number(0, 100)
		}
		if a.bad {
			return nil, eINVAL
		}
		g.paths = append(g.paths, p)
	}
	return g, 0
}
