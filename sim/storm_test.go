package sim

import (
	"flag"
	"fmt"
	"slices"
	"testing"

	"pathkeeper/mpath"
)

var (
	stormSeed  = flag.Uint64("storm.seed", 0, "run the storm of this seed alone, and tell it")
	stormSeeds = flag.Int("storm.seeds", 40, "how many storms")
)

// storm is one random story: faults of every kind for some minutes, then peace,
// and everything must be as it should.
type storm struct {
	*rig
	luns    []*LUN
	broken  map[*Disk]mpath.Instant // since when the way to it is cut off
	meant   map[*Disk]*LUN
	moved   map[*Disk]bool // led to another LUN at some time
	away    bool
	other   bool // the other configuration
	spare   uint32
	verbose bool
}

const stormConf = plain + "overrides {\n no_path_retry queue\n}\n"

func newStorm(t *testing.T, seed uint64) *storm {
	s := &storm{rig: newRig(t, seed, stormConf), broken: map[*Disk]mpath.Instant{}, meant: map[*Disk]*LUN{}, moved: map[*Disk]bool{}, spare: 10}
	for i := range 3 {
		l, ds := s.alua(fmt.Sprintf("lun%d", i))
		s.luns = append(s.luns, l)
		for _, d := range ds {
			s.meant[d] = l
		}
	}
	s.verbose = *stormSeed != 0
	s.start(15 * second)
	for _, l := range s.luns {
		m := s.mapOf(l)
		if m == nil {
			s.fail("no map of %s", l.Name)
		}
		s.write(m, l, 100*mpath.Millisecond)
	}
	return s
}

func (s *storm) mapOf(l *LUN) *Map {
	for _, m := range s.w.maps {
		if m.uuid == "mpath-"+l.WWID() {
			return m
		}
	}
	return nil
}

func (s *storm) tell(format string, args ...any) {
	if s.verbose {
		s.Logf("%9.3f **** %s", float64(s.w.now)/1e9, fmt.Sprintf(format, args...))
	}
}

// chance picks a number below n.
func (s *storm) chance(n int) int { return s.w.rand.IntN(n) }

// blow does one random thing.
func (s *storm) blow() {
	if len(s.w.disks) == 0 {
		s.addPath()
		return
	}
	d := s.w.disks[s.chance(len(s.w.disks))]
	l := s.luns[s.chance(len(s.luns))]
	switch n := s.chance(100); {
	case n < 14:
		s.tell("%s no connection", d.Name)
		s.cut(d, NoConnect)
	case n < 18:
		s.tell("%s hangs", d.Name)
		s.cut(d, Hung)
	case n < 36:
		s.heal(d)
	case n < 41:
		s.tell("%s offline", d.Name)
		d.SetState("offline")
	case n < 46:
		s.tell("%s running", d.Name)
		d.SetState("running")
	case n < 50:
		tpg := 1 + s.chance(2)
		s.tell("%s: controller %d cut off", l.Name, tpg)
		for _, d := range s.w.disks {
			if d.lun == l && d.TPG == tpg {
				s.cut(d, NoConnect)
			}
		}
	case n < 56:
		a, b := Optimized, NonOptimized
		if s.chance(2) == 0 {
			a, b = b, a
		}
		if s.chance(3) == 0 {
			b = []Access{Standby, Unavailable, Transitioning}[s.chance(3)]
		}
		s.tell("%s: access %d %d", l.Name, a, b)
		l.SetAccess(1, a)
		l.SetAccess(2, b)
		for _, d := range s.w.disks {
			if d.lun == l && s.chance(2) == 0 {
				d.Attention(0x2a, 0x06)
			}
		}
	case n < 61:
		s.tell("%s deleted", d.Name)
		d.Delete()
	case n < 67:
		s.addPath()
	case n < 73:
		s.remap(d)
	case n < 75:
		s.tell("unit attention of %s", d.Name)
		d.Attention(0x29, 0x00)
	case n < 80:
		s.kill()
	case n < 84:
		if !s.away {
			s.away = true
			s.tell("SIGSTOP")
			s.d.Stop()
			s.w.after(s.w.between(0, 90*second), func() {
				s.away = false
				s.tell("SIGCONT")
				s.d.Continue()
			})
		}
	case n < 86:
		s.d.LoseUevents = s.chance(600)
		s.d.DoubleUevents = s.chance(600)
		s.tell("%d‰ of uevents lost", s.d.LoseUevents)
	case n < 88:
		s.tell("overrun")
		s.d.Overrun()
	case n < 92:
		s.w.FailDM = s.chance(300)
		s.tell("%d‰ of dm calls fail", s.w.FailDM)
	case n < 95:
		s.w.FailDM = 0
	case n < 97 && !s.away:
		s.other = !s.other
		s.tell("reconfigure")
		conf := stormConf
		if s.other {
			conf += "defaults {\n path_selector \"queue-length 0\"\n failback 10\n}\n"
		}
		s.cfg = parse(s, conf)
		s.d.Reconfigure(s.cfg)
	case n < 99:
		s.w.uevent(d.event("change", ""))
	default:
		for _, m := range s.w.maps {
			s.w.uevent(m.event("change", "", 0))
		}
	}
}

func (s *storm) cut(d *Disk, f Fault) {
	d.Break(f)
	s.broken[d] = s.w.now
}

func (s *storm) heal(d *Disk) {
	s.tell("%s healed", d.Name)
	d.Break(Healthy)
	delete(s.broken, d)
}

func (s *storm) addPath() {
	l := s.luns[s.chance(len(s.luns))]
	if s.count(l) < 8 {
		s.add(l)
	}
}

func (s *storm) add(l *LUN) {
	s.spare++
	d := s.w.AddPath(l, s.spare, 1+s.chance(2))
	s.tell("%s is a new path of %s", d.Name, l.Name)
	s.meant[d] = l
}

func (s *storm) count(l *LUN) int {
	n := 0
	for _, d := range s.w.disks {
		if s.meant[d] == l {
			n++
		}
	}
	return n
}

// remap exchanges the LUN behind a path that has been cut off for some time and
// is failed by the kernel: nobody can know of it, everybody must find out.
func (s *storm) remap(d *Disk) {
	since, cut := s.broken[d]
	if !cut || s.w.now.Since(since) < 2*second {
		return
	}
	for _, m := range s.w.maps {
		if mps := m.live.multipaths(); len(mps) > 0 {
			if p := mps[0].path(d); p != nil && p.active {
				return
			}
		}
	}
	l := s.luns[s.chance(len(s.luns))]
	s.tell("%s leads to %s now, was %s", d.Name, l.Name, d.lun.Name)
	if d.lun != l {
		s.moved[d] = true
	}
	d.Remap(l, s.chance(2) == 0)
}

func (s *storm) kill() {
	if s.away {
		return
	}
	s.away = true
	s.tell("kill -9")
	s.d.Kill()
	s.w.after(s.w.between(0, 40*second), func() {
		s.away = false
		s.tell("start")
		s.d.Start(s.cfg)
	})
}

// calm ends every fault and waits until everything must be well again.
func (s *storm) calm() {
	s.tell("calm")
	s.run(100 * second)
	s.w.FailDM, s.d.LoseUevents, s.d.DoubleUevents = 0, 0, 0
	for _, d := range slices.Clone(s.w.disks) {
		if s.moved[d] { // as the daemon's message says: delete it and scan again
			s.tell("%s put right", d.Name)
			d.Delete()
			s.add(s.meant[d])
			continue
		}
		d.Break(Healthy)
		d.SetState("running")
	}
	for _, l := range s.luns {
		l.SetAccess(1, Optimized)
		l.SetAccess(2, NonOptimized)
		if s.count(l) == 0 {
			s.add(l)
		}
	}
	s.run(11 * mpath.Minute)
}

// wantWell is the liveness of the design: every reachable path is active, the
// best group is current, nothing is queued, suspended, lost or led astray.
func (s *storm) wantWell() {
	s.Helper()
	s.wantSound()
	for i, l := range s.luns {
		m := s.mapOf(l)
		if m == nil {
			s.fail("no map of %s", l.Name)
		}
		if m.suspended || m.Queued() > 0 || !contains(m.Table(), "queue_if_no_path") {
			s.fail("%s: suspended %v, %d queued, table %s", m.name, m.suspended, m.Queued(), m.Table())
		}
		mp := m.live.multipaths()[0]
		best := 0
		for _, d := range s.w.disks {
			if s.meant[d] != l {
				continue
			}
			p := mp.path(d)
			if p == nil || !p.active {
				s.fail("%s: %s is not active in %s: %+v", m.name, d.Name, groups(m), s.pathView(d.Name).Message)
			}
			if d.access() == Optimized {
				best++
			}
		}
		for _, p := range mp.groups[mp.shownGroup()-1].paths {
			if best > 0 && p.disk.access() != Optimized {
				s.fail("%s: the current group is not the best: %s", m.name, groups(m))
			}
		}
		for _, g := range mp.groups {
			for _, p := range g.paths {
				if p.disk.gone || s.meant[p.disk] != l {
					s.fail("%s: %s does not belong here: %s", m.name, p.disk.Name, groups(m))
				}
			}
		}
		if a := s.apps[i]; s.w.now.Since(a.lastGood) > 2*second {
			s.fail("%s: nothing written for %d s", m.name, s.w.now.Since(a.lastGood).Seconds())
		}
	}
}

func runStorm(t *testing.T, seed uint64) uint64 {
	s := newStorm(t, seed)
	if s.verbose {
		s.d.Log = t.Output()
	}
	end := s.w.now.After(5 * mpath.Minute)
	for s.w.now < end {
		s.run(s.w.between(0, 6*second))
		s.blow()
	}
	s.calm()
	s.wantWell()
	return s.d.Hash()
}

func TestStorm(t *testing.T) {
	if *stormSeed != 0 {
		runStorm(t, *stormSeed)
		return
	}
	for i := range *stormSeeds {
		seed := uint64(i + 1)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runStorm(t, seed) })
	}
}

func TestEqualSeedsEqualStories(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		if a, b := runStorm(t, seed), runStorm(t, seed); a != b {
			t.Errorf("seed %d: %x and %x", seed, a, b)
		}
	}
}
