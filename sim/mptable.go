package sim

import (
	"slices"
	"strings"
)

// constructMultipath is multipath_ctr: every path becomes active.
func (m *Map) constructMultipath(t *dmTable, x *target, a *words) uint32 {
	mp := &multipath{m: m, delay: -1, queueIO: true}
	x.mp = mp
	features := a.group(8)
	if a.bad || !mp.parseFeatures(&words{list: features}) {
		return eINVAL
	}
	if handler := a.group(1024); len(handler) > 0 {
		mp.handler, mp.params = handler[0], handler[1:]
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
		mp.usable += len(g.paths)
		for _, p := range g.paths {
			if !mp.attach(p.disk) {
				return eINVAL
			}
		}
	}
	if len(mp.groups) != groups {
		return eINVAL
	}
	if first > 0 && first <= groups { // one that does not exist is no mistake
		mp.next = mp.groups[first-1]
	}
	return 0
}

func (mp *multipath) parseFeatures(a *words) bool {
	for len(a.list) > 0 && !a.bad {
		switch strings.ToLower(a.shift()) {
		case "queue_if_no_path":
			mp.queue = true
		case "retain_attached_hw_handler":
			mp.retain = true
		case "pg_init_retries":
			mp.retries = a.number(1, 50)
		case "pg_init_delay_msecs":
			mp.delay = a.number(0, 60000)
		case "queue_mode":
			if m := strings.ToLower(a.shift()); m != "rq" && m != "mq" {
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
	most := 1
	if g.selector == "service-time" {
		most = 2
	}
	if a.bad || args > most {
		return nil, eINVAL
	}
	for range n {
		if len(a.list) < 1+args {
			return nil, eINVAL
		}
		u, errno := m.openFor(t, a.shift())
		switch {
		case errno != 0:
			return nil, errno
		case u.mapped != nil || u.part != 0:
			return nil, eINVAL // the kernel would take it; the simulated one does not
		}
		p := &mpPath{group: g, disk: u.disk, active: true, weight: 1, repeats: 1}
		if args > 0 {
			p.repeats = min(a.number(0, 1<<32-1), 1) // the kernel goes on with 1, but shows a 0
		}
		if args > 1 {
			p.weight = a.number(0, 100)
		}
		if a.bad {
			return nil, eINVAL
		}
		g.paths = append(g.paths, p)
		g.turn = append(g.turn, p)
	}
	return g, 0
}

// attach is setup_scsi_dh: the handler that is attached to the device stays if the
// table says so, or if it is another one; else the table's is attached.
func (mp *multipath) attach(d *Disk) bool {
	known := slices.Contains(mp.m.w.Handlers, mp.handler)
	if d.handler != "" && d.handler != mp.handler && (mp.retain || known) {
		mp.handler, mp.params = d.handler, nil // scsi_dh_attach: EBUSY, and the kernel goes on with that one
		known = true
	}
	if mp.handler == "" {
		return true
	}
	switch {
	case !known, len(mp.params) > 0: // no parameters are simulated: alua_set_params refuses most
		return false
	case d.handler == mp.handler:
	case mp.handler == "alua" && d.lun != nil && d.lun.TPGS == 0: // alua_initialize: no target port groups
		return false
	default:
		d.handler = mp.handler
	}
	return true
}
