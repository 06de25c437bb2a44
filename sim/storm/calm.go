package storm

import (
	"pathkeeper/mpath"
	"pathkeeper/sim"
)

// resumeBound is how long a map may stay suspended that nobody else has suspended,
// while a daemon runs.
const resumeBound = 60 * second

// watch holds the world against the laws of safety.
func (s *Storm) watch() {
	if s.fail != nil {
		return
	}
	s.astray()
	if len(s.w.Strays) > 0 {
		s.bad(lawStray, "%s", s.w.Strays[0])
	}
	if len(s.w.Harms) > 0 {
		s.bad(lawHarm, "%s", s.w.Harms[0])
	}
	now := s.w.Now()
	for _, m := range s.w.Devices() {
		switch { // what has no table waits for a path that works, to get its first one
		case !m.Suspended() || m.Table() == "" || s.foreign[m] || !s.d.Running() || s.d.Hung() > 0 || s.w.FailDM > 0:
			delete(s.suspended, m)
		case s.suspended[m] == 0:
			s.suspended[m] = now
		case now.Since(s.suspended[m]) > resumeBound:
			s.bad(lawResumed, "%s is suspended for %d s", m.Name(), now.Since(s.suspended[m]).Seconds())
		}
	}
	for _, p := range s.plans {
		if p.app == nil {
			continue
		}
		if m := s.w.MapOf(p.lun); m != p.app.m {
			s.bad(lawOpen, "the map of %s", p.lun.Name)
		}
	}
}

// knowBound is how long after a path in use was led elsewhere a running daemon may
// not know: it asks once a minute, at a check, and the longest interval between two
// checks is shorter.
const knowBound = 150 * second

// astray holds the paths that were led elsewhere while in use against the law.
func (s *Storm) astray() {
	now := s.w.Now()
	for _, d := range s.w.Disks() {
		since, ok := s.swapped[d]
		switch {
		case !ok:
		case !s.d.Running() || s.d.Hung() > 0 || s.w.FailDM > 0 || !d.Reachable() || s.inSuspended(d):
			s.swapped[d] = now
		case d.LUN() != s.meant[d] && s.activeAstray(d) && now.Since(since) > knowBound:
			s.bad(lawAstray, "%s is active, meant for %s, leads to %s for %d s", d.Name, s.meant[d].Name, d.LUN().Name, now.Since(since).Seconds())
		}
	}
}

// sound checks that no confirmed write was lost.
func (s *Storm) sound() {
	for _, p := range s.plans {
		if p.app == nil {
			continue
		}
		for block := range uint64(appBlocks) {
			if want := p.app.good[block]; p.lun.Stamp(block) < want {
				s.bad(lawConfirmed, "%s: block %d has stamp %d, %d was confirmed", p.lun.Name, block, p.lun.Stamp(block), want)
			}
		}
	}
}

// calm ends every fault and waits until everything must be well again.
func (s *Storm) calm() {
	s.tell("calm")
	s.run(100 * second)
	s.w.Files.Release()
	s.d.Unhang()
	s.w.FailDM, s.d.LoseUevents, s.d.DoubleUevents = 0, 0, 0
	for _, d := range s.w.Disks() {
		if s.moved[d] { // as the daemon's message says: delete it and scan again
			s.tell("%s put right", d.Name)
			meant := s.of[s.meant[d]]
			s.remove(d)
			s.add(meant, d.TPG)
			continue
		}
		d.Break(sim.Healthy)
		d.SetState("running")
	}
	for _, p := range s.plans {
		p.lun.SetAccess(1, sim.Optimized)
		p.lun.SetAccess(2, sim.NonOptimized)
		if s.paths(p) == 0 {
			s.add(p, 1)
		}
	}
	s.undo()
	s.run(6 * mpath.Minute)
	s.answered()
}

// well is the liveness of the design: every reachable path is active, the best
// group is current where the configuration wants that, nothing is queued,
// suspended, lost or led astray.
func (s *Storm) well() {
	s.sound()
	ways := map[*sim.LUN][]*sim.Disk{}
	for _, d := range s.w.Disks() {
		ways[s.meant[d]] = append(ways[s.meant[d]], d)
	}
	for _, p := range s.plans {
		if s.fail != nil {
			return
		}
		m := s.w.MapOf(p.lun)
		if m == nil {
			s.bad(lawMapInEnd, "none of %s", p.lun.Name)
			return
		}
		s.wellMap(p, m, ways[p.lun])
	}
}

func (s *Storm) wellMap(p *plan, m *sim.Map, ways []*sim.Disk) {
	groups, current := m.Layout()
	if m.Suspended() || current < 0 {
		s.bad(lawSuspended, "%s: suspended %v, table %s", m.Name(), m.Suspended(), m.Table())
		return
	}
	if want := p.retry != retryFail; m.Queueing() != want {
		s.bad(lawQueueing, "%s (no_path_retry %s): %s", m.Name(), p.retryWord(), m.Table())
	}
	active := map[*sim.Disk]bool{}
	for _, g := range groups {
		for _, mem := range g {
			active[mem.Disk] = mem.Active
			if mem.Disk.Gone() || s.meant[mem.Disk] != p.lun {
				s.bad(lawOwn, "%s: %s: %s", m.Name(), mem.Disk.Name, m.Table())
			}
		}
	}
	best := false
	for _, d := range ways {
		if !active[d] {
			s.bad(lawReinstated, "%s: %s is not active: %s; %s", m.Name(), d.Name, m.Table(), m.Status())
		}
		best = best || d.Access() == sim.Optimized
	}
	prioritized := p.grouping == "group_by_prio" || p.grouping == "group_by_tpg" || p.grouping == "failover"
	if best && prioritized && (p.failback == "immediate" || p.failback == "10") {
		for _, mem := range groups[current] {
			if mem.Disk.Access() != sim.Optimized {
				s.bad(lawBest, "%s (failback %s): %s; %s", m.Name(), p.failback, m.Table(), m.Status())
			}
		}
	}
	if a := p.app; a != nil && (m.Queued() > 0 || s.w.Now().Since(a.lastGood) > 5*second) {
		s.bad(lawIO, "%s: %d queued, nothing written for %d s", m.Name(), m.Queued(), s.w.Now().Since(a.lastGood).Seconds())
	}
}
