package storm

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"pathkeeper/configs"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/sim"
)

// plan is a LUN with what the configuration says of it: what must become of it
// follows from that.
type plan struct {
	lun      *sim.LUN
	alias    string
	grouping string
	failback string
	retry    int // checks; retryQueue, retryFail
	flush    string
	most     int // paths it may have
	app      *app
	disabled bool // an operator disabled its queueing
}

const (
	retryQueue = -1
	retryFail  = -2
)

// leastPoll is the polling_interval of every storm, seconds.
const leastPoll = 5

// hostSize gives how many paths a host has: mostly few, now and then very many.
func hostSize(r *rand.Rand) int {
	switch n := r.IntN(1000); {
	case n < 500:
		return 1 + r.IntN(12)
	case n < 900:
		return 12 + r.IntN(52)
	case n < 990:
		return 64 + r.IntN(236)
	}
	return 300 + r.IntN(1701)
}

func oneOf(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

func newPlan(r *rand.Rand) *plan {
	return &plan{
		grouping: oneOf(r, "group_by_prio", "group_by_prio", "group_by_prio", "failover", "multibus", "group_by_serial", "group_by_tpg", "group_by_node_name"),
		failback: oneOf(r, "immediate", "immediate", "manual", "10", "followover"),
		flush:    oneOf(r, "never", "unused", "always", "unused"),
		retry:    []int{retryQueue, retryQueue, 12, 4, retryFail}[r.IntN(5)],
	}
}

// build makes the host and its two configurations.
func (s *Storm) build(r *rand.Rand) {
	left := hostSize(r)
	switch {
	case s.Paths > 0:
		left = s.Paths
	case s.dense:
		left = min(left, 2+r.IntN(10))
	}
	big := left > 300
	for n := range uint32(4) { // hosts 2 to 5; those beyond are of no particular transport
		s.w.AddHBA(sim.HBA{Number: 2 + n, Transport: []sim.Transport{sim.FibreChannel, sim.ISCSI, sim.Unspecified}[r.IntN(3)]})
	}
	for left > 0 {
		p := newPlan(r)
		n := min(left, 1+r.IntN(8))
		left -= n
		p.most = n + 2
		p.lun = s.w.AddLUN(sim.LUN{Name: fmt.Sprintf("lun%d", len(s.plans)), TPGS: 1})
		p.lun.SetAccess(1, sim.Optimized)
		p.lun.SetAccess(2, sim.NonOptimized)
		if r.IntN(2) == 0 {
			p.alias = fmt.Sprintf("data%d", len(s.plans))
		}
		s.plans = append(s.plans, p)
		s.of[p.lun] = p
		for i := range n {
			s.meant[s.w.AddPath(p.lun, uint32(2+i/2), 1+i%2)] = p.lun
			s.count++
		}
	}
	for i := range s.conf {
		s.conf[i] = s.defaults(r, big) + entriesOf(s.plans, i, func(i int) string { return s.plans[i].lun.WWID() })
	}
}

// defaults are what two configurations of a host may differ in.
func (s *Storm) defaults(r *rand.Rand, big bool) string {
	most := []int{5, 20, 20, 60}[r.IntN(4)]
	if big {
		most = 60
	}
	lines := []string{
		"find_multipaths " + oneOf(r, "greedy", "off"),
		"user_friendly_names " + oneOf(r, "yes", "no"),
		fmt.Sprintf("polling_interval %d", leastPoll), fmt.Sprintf("max_polling_interval %d", most),
		"checker_timeout " + oneOf(r, "5", "10", "30"),
		"path_checker " + oneOf(r, "tur", "tur", "tur", "readsector0", "directio"),
		"path_selector \"" + oneOf(r, "service-time 0", "round-robin 0", "queue-length 0") + "\"",
		"rr_weight " + oneOf(r, "uniform", "priorities"),
		"queue_without_daemon yes",
		"skip_kpartx " + oneOf(r, "yes", "no"),
		"rr_min_io_rq " + oneOf(r, "1", "8"),
		"flush_on_last_del " + oneOf(r, "unused", "never"),
		"deferred_remove " + oneOf(r, "yes", "no"),
		"fast_io_fail_tmo " + oneOf(r, "5", "off", "30", "700"), "dev_loss_tmo " + oneOf(r, "10", "600", "infinity"),
	}
	if r.IntN(2) == 0 || s.dense {
		lines = append(lines, "max_sectors_kb "+oneOf(r, "128", "1280", "4096", "9999"), "eh_deadline "+oneOf(r, "off", "10"), "max_retries "+oneOf(r, "off", "2"))
	}
	return "defaults {\n " + strings.Join(lines, "\n ") + "\n}\n"
}

// entriesOf are the same in both configurations but for some names, so that a reload
// renames: what a LUN may do to I/O does not change under it.
func entriesOf(plans []*plan, which int, wwid func(i int) string) string {
	var b strings.Builder
	b.WriteString("multipaths {\n")
	for i, p := range plans {
		fmt.Fprintf(&b, " multipath {\n  wwid %s\n  path_grouping_policy %s\n  failback %s\n  no_path_retry %s\n  flush_on_last_del %s\n  prio alua\n",
			wwid(i), p.grouping, p.failback, p.retryWord(), p.flush)
		if p.alias != "" {
			alias := p.alias
			if which == 1 && i%2 == 0 {
				alias += "_new"
			}
			fmt.Fprintf(&b, "  alias %s\n  uid 54\n  gid 7\n  mode 0640\n", alias)
		}
		b.WriteString(" }\n")
	}
	return b.String() + "}\n"
}

func (p *plan) retryWord() string {
	switch p.retry {
	case retryQueue:
		return "queue"
	case retryFail:
		return "fail"
	}
	return fmt.Sprint(p.retry)
}

func (s *Storm) config(which int) policy.Config {
	s.which = which
	cfg, err := parse(s.conf[which])
	if err != nil {
		s.bad(lawOwnConfig, "%v", err)
	}
	return cfg
}

func parse(text string) (policy.Config, error) {
	cfg, _, err := configs.Parse([]configs.File{{Path: "/etc/multipath.conf", Data: []byte(text)}})
	return cfg, err
}

// app writes through a map and remembers what was confirmed, and since when none of
// the LUN's paths could have carried it.
type app struct {
	s        *Storm
	p        *plan
	m        *sim.Map
	next     uint64
	open     int
	good     map[uint64]uint64
	lastGood mpath.Instant
	// lossAt is since when no path of the map was usable, 0: one is. longLoss is
	// when it was last so for as long as no_path_retry asks.
	lossAt   mpath.Instant
	longLoss mpath.Instant
	goneAt   mpath.Instant // when the LUN last had no device at all
}

const (
	appEvery  = 250 * mpath.Millisecond
	appBlocks = 61
	appDepth  = 8
	// maxApps bounds how many LUNs of a host are written to.
	maxApps = 24
)

func (s *Storm) startApps() {
	for i, p := range s.plans {
		if i >= maxApps || s.fail != nil {
			return
		}
		if i%3 == 2 {
			continue // nobody writes here: harsher things may happen to it
		}
		m := s.w.MapOf(p.lun)
		if m == nil {
			s.bad(lawMapMade, "none of %s after 20 s", p.lun.Name)
			return
		}
		m.Open()
		p.app = &app{s: s, p: p, m: m, good: map[uint64]uint64{}, lastGood: s.w.Now()}
		p.app.tick()
	}
}

func (a *app) tick() {
	w := a.s.w
	a.look()
	a.next++
	block, stamp := a.next%appBlocks, a.next
	if a.open < appDepth {
		a.open++
		a.m.Write(a.p.lun, block, stamp, func(io *sim.IO) {
			a.open--
			if io.Err != "" {
				a.failed(io)
				return
			}
			a.lastGood = io.Ended
			a.good[block] = max(a.good[block], stamp)
		})
	}
	w.After(appEvery, a.tick)
}

// look notes whether the map has a path that the kernel would use and that works.
func (a *app) look() {
	now := a.s.w.Now()
	groups, _ := a.m.Layout()
	for _, g := range groups {
		for _, p := range g {
			if p.Active && p.Disk.Reachable() && p.Disk.LUN() == a.p.lun {
				a.lossAt = 0
				return
			}
		}
	}
	if a.lossAt == 0 {
		a.lossAt = now
	}
	if a.s.paths(a.p) == 0 {
		a.goneAt = now
	}
	if a.p.retry >= 0 && now.Since(a.lossAt) >= mpath.Span(a.p.retry*leastPoll)*second {
		a.longLoss = now
	}
}

// afterLoss is how long after a loss that lasted errors may still come: until a
// check has found a path again and queueing is on.
const afterLoss = 90 * second

func (a *app) failed(io *sim.IO) {
	a.look()
	now := a.s.w.Now()
	switch {
	case a.p.retry == retryFail, a.p.disabled:
	case a.p.flush == "always" && a.goneAt != 0 && now.Since(a.goneAt) < afterLoss: // flush_on_last_del asks for it
	case a.p.retry >= 0 && a.longLoss != 0 && now.Since(a.longLoss) < afterLoss:
	default:
		since := mpath.Span(0)
		if a.lossAt != 0 {
			since = now.Since(a.lossAt)
		}
		a.s.bad(lawQueued, "%s (no_path_retry %s): block %d sent at %.3f: %s; without a usable path for %d s",
			a.p.lun.Name, a.p.retryWord(), io.Block, float64(io.Sent)/1e9, io.Err, since.Seconds())
	}
}
