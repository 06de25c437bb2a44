package storm

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/sim"
)

// CoreOptions say which storm of the core alone it is.
type CoreOptions struct {
	Seed  uint64
	Cover *Cover
	// Nameless leaves out aliases, as storms did before reloads renamed: a seed found
	// then is the same storm.
	Nameless bool
	// Tell gets each event and action with its time.
	Tell func(line string)
}

// coreStorm is the core on a model: no encoding, no ports. It reaches states that
// take a host hours, and what no kernel says: answers to what was never asked.
type coreStorm struct {
	CoreOptions
	mc    *mpath.Machine
	k     *model
	r     *rand.Rand
	confs [2]policy.Config
	which int
	// banned is the WWID that each configuration leaves alone.
	banned [2]string
	steps  int
	wake   mpath.Instant
	hash   uint64
	fail   *Failure
	size   int
	away   bool
	// cutAt is since when a disk is down and failed in the kernel.
	failedAt map[*modelDisk]mpath.Instant
	applied  map[uint64]int // answers to applies
}

// RunCore blows one storm of the core.
func RunCore(o CoreOptions) Result {
	s := &coreStorm{CoreOptions: o, r: rand.New(rand.NewPCG(o.Seed, 0xc04e)), failedAt: map[*modelDisk]mpath.Instant{}, applied: map[uint64]int{}}
	s.k = &model{r: s.r, now: mpath.Instant(100 * second), maps: map[string]*modelMap{}}
	s.build()
	s.start()
	gusts := 30 + s.r.IntN(120)
	for range gusts {
		if s.fail != nil {
			break
		}
		s.run(mpath.Span(s.r.Int64N(int64(8 * second))))
		s.blow()
	}
	s.calm()
	return Result{Options: Options{Seed: o.Seed}, Steps: s.steps, Paths: s.size, Hash: s.hash, Err: s.fail}
}

func (s *coreStorm) build() {
	s.size = 1 + s.r.IntN(40)
	if s.r.IntN(50) == 0 {
		s.size = 40 + s.r.IntN(400)
	}
	s.k.luns = 1 + s.size/4
	for i := range s.size {
		s.add(i % s.k.luns)
	}
	fill := &Storm{}
	for i := range s.k.luns {
		p := newPlan(s.r)
		if !s.Nameless && s.r.IntN(3) == 0 {
			p.alias = fmt.Sprintf("data%d", i)
		}
		fill.plans = append(fill.plans, p)
	}
	for i := range s.confs {
		text := fill.defaults(s.r, s.size > 100) + entriesOf(fill.plans, i, func(i int) string { return wwidOf(i) })
		if s.r.IntN(2) == 0 { // a LUN that is none of ours, or not any more
			s.banned[i] = wwidOf(s.r.IntN(s.k.luns))
			text += "blacklist {\n wwid " + s.banned[i] + "\n}\n"
		}
		cfg, err := parse(text)
		if err != nil {
			s.bad(lawOwnConfig, "%v", err)
		}
		s.confs[i] = cfg
	}
}

func (s *coreStorm) add(lun int) {
	k := s.k
	n := 0
	for k.taken(table.DevNum{Major: 8, Minor: uint32(16 * n)}) {
		n++
	}
	k.seq++
	d := &modelDisk{
		name: "sd" + string([]byte{byte('a' + n/26%26), byte('a' + n%26)}), id: mpath.PathID{Dev: table.DevNum{Major: 8, Minor: uint32(16 * n)}, Diskseq: k.seq},
		lun: lun, was: lun, state: pathcheck.StateUp, prio: 50, tpg: 1 + int(k.seq%2), size: 1 << 21,
	}
	if d.tpg == 2 {
		d.prio = 10
	}
	i := 0
	for i < len(k.disks) && k.disks[i].id.Dev.Minor < d.id.Dev.Minor {
		i++
	}
	k.disks = slices.Insert(k.disks, i, d)
}

// start starts a process: what it finds in the files, then the configuration.
func (s *coreStorm) start() {
	s.k.life++
	s.mc, s.wake = mpath.New(), mpath.Never
	for _, d := range s.k.disks {
		d.told = false // a new process has to find out anew
	}
	s.step(mpath.StateLoaded{
		Bindings: s.k.bindings, OldIDs: s.k.oldIDs, WWIDs: s.k.wwids, Failed: s.k.failed, Deadlines: s.k.deadlines,
		Loading: s.k.loading, Kept: s.k.kept,
	})
	s.step(mpath.Configured{Config: s.confs[s.which]})
}

// stateEvery is after how many steps everything is held against the laws.
const stateEvery = 128

func (s *coreStorm) step(ev mpath.Event) {
	if s.fail != nil {
		return
	}
	s.steps++
	if s.Cover != nil {
		s.Cover.watch(s.mc, ev)
	}
	if s.Tell != nil {
		s.Tell(fmt.Sprintf("%d < %s", s.k.now, mpath.EventText(ev)))
	}
	s.hear(ev)
	acts, wake := s.mc.Step(s.k.now, ev)
	s.wake = wake
	broken := s.mc.CheckActions(acts)
	if s.steps%stateEvery == 0 {
		broken = append(broken, s.mc.CheckState()...)
	}
	for _, a := range acts {
		if s.Tell != nil {
			s.Tell(fmt.Sprintf("%d > %s", s.k.now, mpath.ActionText(a)))
		}
		s.hash = sim.Fold(s.hash, s.k.now, a)
	}
	if len(broken) > 0 {
		s.bad(broken[0].Law, "%s", broken[0].Detail)
		return
	}
	for _, a := range acts {
		if b, ok := a.(mpath.Bug); ok && b.Text != mpath.TripText {
			s.bad(lawNoPanic, "%s in %s", b.Text, b.Where)
		}
		if r, ok := a.(mpath.Applied); ok {
			if s.applied[r.Seq]++; s.applied[r.Seq] > 1 {
				s.bad(lawApplied, "apply %d has %d answers", r.Seq, s.applied[r.Seq])
			}
		}
		s.k.take(a)
	}
	s.strays()
}

func (s *coreStorm) bad(law, format string, args ...any) {
	if s.fail == nil {
		s.fail = &Failure{Law: law, Detail: fmt.Sprintf(format, args...), Step: s.steps, At: s.k.now}
	}
}

// strays looks for a path that became active in the map of another LUN than it leads
// to. One that was exchanged while it was in use is excused until the process has
// been told.
func (s *coreStorm) strays() {
	for _, w := range s.k.names {
		m := s.k.maps[w]
		for _, dev := range m.activated {
			for _, d := range s.k.disks {
				if d.id.Dev == dev && wwidOf(d.lun) != w && d.state != pathcheck.StateDown && (!d.swapped || d.told) {
					s.bad(lawStray, "%s became active in the map of %s and leads to %s", d.name, w, wwidOf(d.lun))
				}
			}
		}
		m.activated = nil
	}
}

// hear notes what an event tells the process of a disk's LUN.
func (s *coreStorm) hear(ev mpath.Event) {
	switch e := ev.(type) {
	case mpath.CheckDone:
		for _, d := range s.k.disks {
			d.told = d.told || d.id == e.Path && e.Identified && e.Found == wwidOf(d.lun)
		}
	case mpath.PathSeen:
		for _, d := range s.k.disks {
			d.told = d.told || d.id == e.ID && e.Fresh && e.Identity.WWID == wwidOf(d.lun)
		}
	}
}

// run lets the time pass.
func (s *coreStorm) run(span mpath.Span) {
	until := s.k.now.After(span)
	for s.fail == nil {
		next := until
		if s.wake < next && !s.away {
			next = s.wake
		}
		if len(s.k.queue) > 0 && s.k.queue[0].at <= next {
			l := heap.Pop(&s.k.queue).(late)
			s.k.now = max(s.k.now, l.at)
			if l.life == s.k.life && !s.away {
				s.step(l.ev)
			}
			continue
		}
		s.k.now = max(s.k.now, next)
		if next == until {
			return
		}
		s.step(mpath.Wake{})
	}
}

func (s *coreStorm) someDisk() *modelDisk {
	if len(s.k.disks) == 0 {
		s.add(s.r.IntN(s.k.luns))
	}
	return s.k.disks[s.r.IntN(len(s.k.disks))]
}

func (s *coreStorm) someMap() *modelMap {
	if len(s.k.names) == 0 {
		return nil
	}
	return s.k.maps[s.k.names[s.r.IntN(len(s.k.names))]]
}

// blow does one random thing.
func (s *coreStorm) blow() {
	if s.away || s.fail != nil {
		return
	}
	k, d := s.k, s.someDisk()
	switch n := s.r.IntN(100); {
	case n < 14:
		s.down(d)
	case n < 28:
		d.state, d.hung, d.offline, d.silent = pathcheck.StateUp, false, false, false
	case n < 31:
		for _, o := range k.disks {
			if o.lun == d.lun && s.r.IntN(3) > 0 {
				o.state = pathcheck.StateGhost
			}
		}
	case n < 35:
		d.hung = true
	case n < 38:
		d.offline = true
	case n < 41:
		d.silent = !d.silent
	case n < 47:
		s.remap(d)
	case n < 51:
		k.disks = slices.DeleteFunc(k.disks, func(o *modelDisk) bool { return o == d })
		k.later(mpath.DeviceHint{Name: d.name, Dev: d.id.Dev, Remove: true, FromUdev: true}, soon, second)
	case n < 57:
		if len(k.disks) < s.size+8 {
			s.add(s.r.IntN(k.luns))
			for _, d := range k.disks {
				k.later(mpath.DeviceHint{Name: d.name, Dev: d.id.Dev, FromUdev: true}, soon, second)
			}
		}
	case n < 61:
		for _, o := range k.disks {
			if o.lun == d.lun {
				o.prio = 60 - o.prio
			}
		}
	case n < 66:
		k.failing = s.r.IntN(300)
	case n < 69:
		k.failing, k.losing, k.doubling = 0, 0, 0
	case n < 71:
		k.doubling = s.r.IntN(300)
	case n < 73:
		k.losing = s.r.IntN(60)
	case n < 78:
		s.foreign()
	case n < 82:
		s.garbage()
	case n < 86:
		k.life++
		s.run(mpath.Span(s.r.Int64N(int64(30 * second))))
		s.start()
	case n < 90: // SIGSTOP
		s.away = true
		s.run(6*second + mpath.Span(s.r.Int64N(int64(60*second))))
		s.away = false
	case n < 93:
		s.which = 1 - s.which
		s.step(mpath.Configured{Config: s.confs[s.which], Reconfigure: true})
	case n < 95:
		s.step(mpath.Overrun{})
	case n < 97:
		d.ro = !d.ro
		k.later(mpath.DeviceHint{Name: d.name, Dev: d.id.Dev, FromUdev: true}, soon, second)
	case n < 98:
		s.lateAnswers()
	default:
		s.step(mpath.Stopping{Final: s.r.IntN(2) == 0})
		k.life++
		s.run(2 * second)
		s.start()
	}
	if s.r.IntN(4) == 0 {
		s.more()
	}
}

// more is what an operator, an array and a busy host do besides.
func (s *coreStorm) more() {
	k, d := s.k, s.someDisk()
	switch s.r.IntN(10) {
	case 9:
		s.plan()
	case 8:
		s.remapInUse(d)
	case 0, 1, 2, 3:
		c := mpath.Command{Seq: uint64(s.steps), Kind: commands[s.r.IntN(len(commands))], Path: d.name, Arg: fmt.Sprint(1 + s.r.IntN(3))}
		if m := s.someMap(); m != nil {
			c.Map = m.truth.Name
		}
		if c.Kind == mpath.CommandForgetWWID {
			c.Arg = wwidOf(d.lun)
			if s.r.IntN(4) > 0 { // else the file still has it
				k.wwids = drop(k.wwids, c.Arg)
			}
		}
		s.step(c)
	case 4:
		k.later(mpath.DeviceHint{Name: d.name, HCTL: fmt.Sprintf("%d:0:0:%d", 2+d.tpg, d.lun), Attention: mpath.Attention(1 + s.r.IntN(5))}, soon, second)
	case 5:
		s.step(mpath.StoodStill{Span: mpath.Span(s.r.Int64N(int64(5 * second)))})
	case 6: // the array grows the LUN, or takes that back
		size := uint64(1<<21 + s.r.IntN(2)<<20)
		for _, o := range k.disks {
			if o.lun == d.lun {
				o.size = size
				k.later(mpath.DeviceHint{Name: o.name, Dev: o.id.Dev, FromUdev: true}, soon, second)
			}
		}
	case 7:
		s.mc.Trip(1 + s.r.IntN(4))
	}
}

// lateAnswers lets come what was held up.
func (s *coreStorm) lateAnswers() {
	k := s.k
	for _, l := range k.lost {
		l.at = k.now
		k.order++
		l.order = k.order
		heap.Push(&k.queue, l)
	}
	k.lost = nil
}

// down takes a path away: its I/O fails, so that the kernel fails it and says so.
func (s *coreStorm) down(d *modelDisk) {
	d.state = pathcheck.StateDown
	for _, w := range s.k.names {
		m := s.k.maps[w]
		if m.setPath(d.id.Dev.String(), table.PathFailed) {
			m.truth.EventNr++
			s.k.later(mpath.MapEvent{Dev: m.truth.Dev}, soon, sooner)
		}
	}
	s.failedAt[d] = s.k.now
}

// remap exchanges the LUN behind a path that is down for some time.
func (s *coreStorm) remap(d *modelDisk) {
	at, down := s.failedAt[d]
	if !down || d.state != pathcheck.StateDown || s.k.now.Since(at) < 2*second || s.active(d) {
		return
	}
	d.lun = s.r.IntN(s.k.luns)
	d.state = []pathcheck.State{pathcheck.StateUp, pathcheck.StateUp, pathcheck.StateGhost}[s.r.IntN(3)]
	delete(s.failedAt, d)
}

// remapInUse exchanges the LUN behind a path that works: from the next check on,
// which meets the unit attention, it is to be failed, and once it was, nothing may go
// there again.
func (s *coreStorm) remapInUse(d *modelDisk) {
	if d.state == pathcheck.StateUp || d.state == pathcheck.StateGhost {
		d.lun, d.swapped, d.told = s.r.IntN(s.k.luns), true, false
	}
}

func (s *coreStorm) active(d *modelDisk) bool {
	return s.activeIn(d, func(string) bool { return true })
}

func (s *coreStorm) activeElsewhere(d *modelDisk) bool {
	return s.activeIn(d, func(wwid string) bool { return wwid != wwidOf(d.lun) })
}

func (s *coreStorm) activeIn(d *modelDisk, of func(wwid string) bool) bool {
	for _, w := range s.k.names {
		if !of(w) {
			continue
		}
		for _, g := range s.k.maps[w].truth.Status.Groups {
			for _, p := range g.Paths {
				if p.Dev == d.id.Dev && p.State == table.PathActive {
					return true
				}
			}
		}
	}
	return false
}

// foreign is what somebody else does to a map.
func (s *coreStorm) foreign() {
	m := s.someMap()
	if m == nil {
		return
	}
	wwid := m.truth.UUID[len("mpath-"):]
	switch s.r.IntN(6) {
	case 0:
		m.truth.Suspended = true
		k := s.k
		k.ends = append(k.ends, m)
	case 1:
		if len(m.truth.Status.Groups) > 0 {
			g := m.truth.Status.Groups[s.r.IntN(len(m.truth.Status.Groups))]
			m.setPath(g.Paths[s.r.IntN(len(g.Paths))].Dev.String(), table.PathFailed)
		}
	case 2:
		m.open = 1 - m.open
	case 3:
		if m.open == 0 {
			s.k.forget(wwid)
		}
	case 4:
		m.message([]string{"queue_if_no_path", "fail_if_no_path"}[s.r.IntN(2)])
	case 5:
		m.truth.Name += "x"
	}
	m.truth.EventNr++
	s.k.later(mpath.MapEvent{Dev: m.truth.Dev}, soon, sooner)
}

// garbage are answers that nobody asked for, and hints at what is not there.
func (s *coreStorm) garbage() {
	seq := s.r.Uint64N(uint64(s.steps)*3 + 10)
	d := s.someDisk()
	switch s.r.IntN(7) {
	case 0:
		s.step(mpath.DeviceHint{Name: "sdnone", Dev: table.DevNum{Major: 8, Minor: 4000}, Remove: s.r.IntN(2) == 0})
	case 1:
		s.step(mpath.CheckDone{Seq: seq + 1<<40, Path: d.id, Verdict: pathcheck.Verdict{State: pathcheck.StateUp}})
	case 2:
		s.step(mpath.ActionDone{Seq: seq + 1<<40})
	case 3:
		s.step(mpath.MapRead{Seq: seq + 1<<40, Errno: mpath.ErrnoGone})
	case 4:
		s.step(mpath.Scanned{Seq: seq + 1<<40})
	case 5:
		s.step(mpath.MapsListed{Seq: seq + 1<<40})
	case 6:
		s.step(mpath.MapEvent{Dev: table.DevNum{Major: 253, Minor: 4000}})
	}
}

// calm ends every fault; then every path must be where it belongs.
func (s *coreStorm) calm() {
	if s.fail != nil {
		return
	}
	k := s.k
	k.failing, k.losing, k.doubling = 0, 0, 0
	for _, m := range k.ends {
		m.truth.Suspended = false
	}
	for _, d := range slices.Clone(k.disks) {
		if d.lun != d.was { // deleted and scanned again, as the message says
			k.disks = slices.DeleteFunc(k.disks, func(o *modelDisk) bool { return o == d })
			s.add(d.lun)
		}
	}
	for _, d := range k.disks {
		d.hung, d.offline, d.silent, d.ro, d.state, d.size = false, false, false, false, pathcheck.StateUp, 1<<21
		if m := k.maps[wwidOf(d.lun)]; m != nil { // or its paths could not join: nobody resizes by himself
			d.size = uint64(m.truth.Size)
		}
	}
	k.life++ // whoever lost an answer starts anew
	s.start()
	s.step(mpath.Configured{Config: s.confs[s.which], Reconfigure: true})
	s.run(400 * second)
	if s.fail != nil {
		return
	}
	for _, d := range k.disks {
		if s.activeElsewhere(d) {
			s.bad(lawAstray, "%s leads to %s", d.name, wwidOf(d.lun))
		}
		if !s.active(d) && wwidOf(d.lun) != s.banned[s.which] {
			s.bad(lawReinstated, "%s of %s", d.name, wwidOf(d.lun))
		}
	}
	for _, w := range k.names {
		// A map of a LUN that is none of ours any more, and never got a table, is nobody's.
		if t := k.maps[w].truth; t.Suspended && (t.Live || w != s.banned[s.which]) {
			s.bad(lawSuspended, "%s", w)
		}
	}
}
