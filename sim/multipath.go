package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// multipath is the target, after drivers/md/dm-mpath.c of Linux 6.1, in its
// request-based mode.
type multipath struct {
	m       *Map
	queue   bool // MPATHF_QUEUE_IF_NO_PATH
	saved   bool // MPATHF_SAVED_QUEUE_IF_NO_PATH
	retain  bool
	retries int
	delay   int // -1: the default
	handler string
	groups  []*group
	current *group
	next    *group
	inits   int
	queued  []*IO
}

type group struct {
	selector string
	bypassed bool
	paths    []*mpPath
	turn     int
}

type mpPath struct {
	group    *group
	disk     *Disk
	active   bool
	fails    uint32
	weight   int
	inFlight int
}

// path finds a disk among the paths, nil if it is none.
func (mp *multipath) path(d *Disk) *mpPath {
	for _, g := range mp.groups {
		for _, p := range g.paths {
			if p.disk == d {
				return p
			}
		}
	}
	return nil
}

func (mp *multipath) valid() int {
	n := 0
	for _, g := range mp.groups {
		for _, p := range g.paths {
			if p.active {
				n++
			}
		}
	}
	return n
}

// choose is choose_pgpath.
func (mp *multipath) choose() *mpPath {
	if mp.valid() == 0 {
		mp.current = nil
		return nil
	}
	if g := mp.next; g != nil {
		mp.next = nil
		if p := mp.pick(g); p != nil {
			return p
		}
	}
	if mp.current != nil {
		if p := mp.pick(mp.current); p != nil {
			return p
		}
	}
	for _, bypassed := range []bool{false, true} {
		for _, g := range mp.groups {
			if g.bypassed != bypassed {
				continue
			}
			if p := mp.pick(g); p != nil {
				return p
			}
		}
	}
	mp.current = nil
	return nil
}

// pick is choose_path_in_pg: the least busy path, in turns.
func (mp *multipath) pick(g *group) *mpPath {
	var best *mpPath
	for i := range g.paths {
		p := g.paths[(g.turn+i)%len(g.paths)]
		if p.active && (best == nil || p.inFlight < best.inFlight) {
			best = p
		}
	}
	if best == nil {
		return nil
	}
	g.turn++
	if mp.current != g {
		mp.current = g
		if mp.handler != "" {
			mp.inits++
		}
	}
	return best
}

// fail is fail_path, on an edge only.
func (mp *multipath) fail(p *mpPath) {
	if !p.active {
		return
	}
	p.active = false
	p.fails++
	mp.news("PATH_FAILED", p)
}

func (mp *multipath) reinstate(p *mpPath) {
	if p.active {
		return
	}
	p.active = true
	mp.news("PATH_REINSTATED", p)
	if mp.valid() == 1 {
		mp.kick()
	}
}

func (mp *multipath) news(what string, p *mpPath) {
	if mp.m == nil || mp.m.live == nil || mp.m.live.multipaths()[0] != mp {
		return // a table that is not live has no listeners
	}
	mp.m.news(fmt.Sprintf("DM_ACTION=%s DM_PATH=%d:%d DM_NR_VALID_PATHS=%d", what, p.disk.Major, p.disk.Minor, mp.valid()))
}

// kick sends what is queued on its way again.
func (mp *multipath) kick() {
	again := mp.queued
	mp.queued = nil
	for _, io := range again {
		mp.route(io)
	}
}

// message is multipath_message and what target_message does before it.
func (m *Map) message(c *ioctl) uint32 {
	b := c.payload()
	if len(b) < 9 {
		return eINVAL
	}
	argv := strings.Fields(text(b[8:]))
	if len(argv) == 0 || m.live == nil || native.Uint64(b) >= m.live.sectors() {
		return eINVAL
	}
	mps := m.live.multipaths()
	if len(mps) == 0 {
		return eINVAL
	}
	errno := m.tell(mps[0], argv)
	if errno == 0 {
		m.fill(c)
	}
	return errno
}

func (m *Map) tell(mp *multipath, argv []string) uint32 {
	if m.suspended {
		return eBUSY
	}
	switch {
	case len(argv) == 1 && strings.EqualFold(argv[0], "queue_if_no_path"):
		mp.queue = true
		return 0
	case len(argv) == 1 && strings.EqualFold(argv[0], "fail_if_no_path"):
		mp.queue = false
		mp.kick()
		return 0
	case len(argv) != 2:
		return eINVAL
	}
	switch strings.ToLower(argv[0]) {
	case "switch_group", "disable_group", "enable_group":
		n, err := strconv.Atoi(argv[1])
		if err != nil || n < 1 || n > len(mp.groups) {
			return eINVAL
		}
		mp.steer(strings.ToLower(argv[0]), mp.groups[n-1])
		m.news("")
		return 0
	case "fail_path", "reinstate_path":
		for _, g := range mp.groups {
			for _, p := range g.paths {
				if fmt.Sprintf("%d:%d", p.disk.Major, p.disk.Minor) != argv[1] {
					continue
				}
				if argv[0] == "fail_path" {
					mp.fail(p)
				} else {
					mp.reinstate(p)
				}
				return 0
			}
		}
	}
	return eINVAL
}

func (mp *multipath) steer(verb string, g *group) {
	switch verb {
	case "switch_group":
		for _, o := range mp.groups {
			o.bypassed = false
		}
		mp.current, mp.next = nil, g
	case "disable_group", "enable_group":
		g.bypassed = verb == "disable_group"
		mp.current, mp.next = nil, nil
	}
}

// text is multipath_status, words and blanks as the kernel writes them.
func (mp *multipath) text(table bool) string {
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	if table {
		var f []string
		if mp.queue {
			f = append(f, "queue_if_no_path")
		}
		if mp.retries > 0 {
			f = append(f, "pg_init_retries", strconv.Itoa(mp.retries))
		}
		if mp.delay >= 0 {
			f = append(f, "pg_init_delay_msecs", strconv.Itoa(mp.delay))
		}
		if mp.retain {
			f = append(f, "retain_attached_hw_handler")
		}
		put("%d ", len(f))
		for _, s := range f {
			put("%s ", s)
		}
	} else {
		put("2 0 %d ", mp.inits)
	}
	if table && mp.handler != "" {
		put("1 %s ", mp.handler)
	} else {
		put("0 ")
	}
	put("%d %d ", len(mp.groups), mp.shownGroup())
	for _, g := range mp.groups {
		mp.groupText(put, g, table)
	}
	return b.String()
}

// shownGroup is the group that the kernel prints: the next one, else the
// current, else the first.
func (mp *multipath) shownGroup() int {
	n := min(1, len(mp.groups))
	for i, g := range mp.groups {
		if mp.next == g || mp.next == nil && mp.current == g {
			n = i + 1
		}
	}
	return n
}

func (mp *multipath) groupText(put func(string, ...any), g *group, table bool) {
	infoArgs, tableArgs := 0, 1
	switch g.selector {
	case "service-time":
		infoArgs, tableArgs = 2, 2
	case "queue-length":
		infoArgs = 1
	}
	if table {
		put("%s 0 %d %d ", g.selector, len(g.paths), tableArgs)
	} else {
		state := "E"
		if g.bypassed {
			state = "D"
		} else if mp.current == g {
			state = "A"
		}
		put("%s 0 %d %d ", state, len(g.paths), infoArgs)
	}
	for _, p := range g.paths {
		put("%d:%d ", p.disk.Major, p.disk.Minor)
		if table {
			put("1 ")
			if tableArgs == 2 {
				put("%d ", p.weight)
			}
			continue
		}
		state := "F"
		if p.active {
			state = "A"
		}
		put("%s %d ", state, p.fails)
		if infoArgs > 0 {
			put("%d ", p.inFlight*4096/max(1, 3-infoArgs))
		}
		if infoArgs == 2 {
			put("%d ", p.weight)
		}
	}
}
