package sim

import (
	"fmt"
	"slices"
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
	params  []string // of the handler
	groups  []*group
	usable  int // nr_valid_paths
	current *group
	next    *group
	last    *mpPath // current_pgpath
	queued  []*IO

	queueIO      bool // MPATHF_QUEUE_IO: I/O waits for the handler; set from the load on
	initRequired bool // MPATHF_PG_INIT_REQUIRED
	delayRetry   bool // MPATHF_PG_INIT_DELAY_RETRY
	inProgress   int  // pg_init_in_progress
	inits        int  // pg_init_count
}

type group struct {
	selector string
	bypassed bool
	paths    []*mpPath
	turn     []*mpPath // the active ones, who was used last at the end
}

type mpPath struct {
	group    *group
	disk     *Disk
	active   bool
	fails    uint32
	weight   int
	repeats  int
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

func (mp *multipath) valid() int { return mp.usable }

// choose is choose_pgpath.
func (mp *multipath) choose() *mpPath {
	if mp.usable == 0 {
		mp.queueIO = false
		mp.current, mp.last = nil, nil
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
				mp.delayRetry = mp.delayRetry || bypassed
				return p
			}
		}
	}
	mp.current, mp.last = nil, nil
	return nil
}

// pick is choose_path_in_pg: the least busy path, in turns. A group that was not
// the current one is switched to (__switch_pg).
func (mp *multipath) pick(g *group) *mpPath {
	var best *mpPath
	for _, p := range g.turn {
		if best == nil || p.inFlight < best.inFlight {
			best = p
		}
	}
	if best == nil {
		return nil
	}
	g.last(best)
	if mp.current != g {
		mp.current, mp.last = g, best
		mp.initRequired = mp.handler != ""
		mp.queueIO = mp.handler != ""
		mp.inits = 0
	}
	return best
}

// last puts a path at the end of the turns, as each selector does with the one
// that it gives and with one that comes back; drop takes it out.
func (g *group) last(p *mpPath) {
	g.drop(p)
	g.turn = append(g.turn, p)
}

func (g *group) drop(p *mpPath) {
	g.turn = slices.DeleteFunc(g.turn, func(o *mpPath) bool { return o == p })
}

// fail is fail_path, on an edge only.
func (mp *multipath) fail(p *mpPath) {
	if !p.active {
		return
	}
	p.active = false
	p.fails++
	p.group.drop(p)
	mp.usable--
	if mp.last == p {
		mp.last = nil
	}
	mp.news("PATH_FAILED", p)
}

// reinstate is reinstate_path.
func (mp *multipath) reinstate(p *mpPath) {
	if p.active {
		return
	}
	p.active = true
	mp.usable++
	p.group.last(p)
	mp.news("PATH_REINSTATED", p)
	switch {
	case mp.usable == 1:
		mp.last = nil
		mp.kick()
	case mp.handler != "" && mp.current == p.group:
		mp.inProgress++
		mp.activate(p, 0)
	}
}

func (mp *multipath) news(what string, p *mpPath) {
	if !mp.isLive() {
		return // a table that is not live has no listeners
	}
	mp.m.news(what, fmt.Sprintf("DM_PATH=%d:%d DM_NR_VALID_PATHS=%d", p.disk.Major, p.disk.Minor, mp.usable))
}

func (mp *multipath) isLive() bool {
	live := mp.m.live.multipaths()
	return len(live) > 0 && live[0] == mp
}

// kick sends what is queued on its way again, by the table that is live then.
func (mp *multipath) kick() {
	again := mp.queued
	mp.queued = nil
	for _, io := range again {
		mp.m.submit(io)
	}
}

// message is multipath_message and what target_message does before it.
func (m *Map) message(c *ioctl) uint32 {
	b := c.payload()
	if len(b) < 9 {
		return eINVAL
	}
	words, ok := ended(b[8:])
	argv := strings.Fields(words)
	if !ok || len(argv) == 0 {
		return eINVAL
	}
	if strings.EqualFold(argv[0], "@cancel_deferred_remove") { // message_for_md
		if len(argv) != 1 {
			return eINVAL
		}
		m.deferred = false
		m.fill(c)
		return 0
	}
	if argv[0] == "@stats_list" && len(argv) == 1 { // dm_stats_message: there are none
		m.fill(c)
		return 0
	}
	if m.live == nil || native.Uint64(b) >= m.live.sectors() {
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
		mp.queue, mp.saved = false, false
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
		m.news("", "")
		return 0
	case "fail_path", "reinstate_path":
		return m.tellPath(mp, strings.ToLower(argv[0]), argv[1])
	}
	return eINVAL
}

// tellPath finds the path as dm_get_device would, which opens what the table does
// not hold (ENXIO: there is no such device), and then looks for it in the groups.
func (m *Map) tellPath(mp *multipath, verb, dev string) uint32 {
	u, errno := m.openFor(&dmTable{m: m, readOnly: m.live.readOnly}, dev)
	if errno != 0 {
		return errno
	}
	p := mp.path(u.disk)
	if p == nil || u.mapped != nil || u.part != 0 {
		return eINVAL
	}
	if verb == "fail_path" {
		mp.fail(p)
	} else {
		mp.reinstate(p)
	}
	return 0
}

func (mp *multipath) steer(verb string, g *group) {
	switch verb {
	case "switch_group":
		for _, o := range mp.groups {
			o.bypassed = false
		}
		mp.current, mp.last, mp.next = nil, nil, g
	case "disable_group", "enable_group": // bypass_pg
		g.bypassed = verb == "disable_group"
		mp.current, mp.last = nil, nil
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
		queueIO := 0
		if mp.queueIO {
			queueIO = 1
		}
		put("2 %d %d ", queueIO, mp.inits)
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
			put("%d ", p.repeats)
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
