package storm

import (
	"fmt"

	"pathkeeper/mpath"
	"pathkeeper/sim"
)

// maxNewLUNs bounds how many LUNs come while a storm blows.
const maxNewLUNs = 8

// provoke makes it likely that an action of a kind is soon in flight: a gust that
// waits for one would mostly wait in vain.
func (s *Storm) provoke(action string, g Gust) {
	switch action {
	case "CreateMap", "SaveNames", "SaveWWIDs", "Trigger", "SetOwner":
		s.newLUN()
	case "MarkFailed":
		s.w.FailDM = 900
		s.newLUN()
		s.w.After(2*second, func() { s.w.FailDM = 0 })
	case "LoadMap":
		s.addPath(g)
	case "RemoveMap":
		for i := range s.plans {
			p := s.plans[(int(g.Y)+i)%len(s.plans)]
			if p.app == nil && p.flush != "never" && s.paths(p) > 0 {
				s.deleteAll(p)
				return
			}
		}
	case "RenameMap":
		s.reload(g)
	case "ResumeMap":
		s.killInLoad(g)
	case "ForgetLoad", "LoadState":
		if !s.away {
			s.tell("kill -9 and start")
			s.d.Kill()
			s.d.Start(s.config(s.which))
		}
	case "Message":
		s.withDisk(g, func(d *sim.Disk) { s.cut(d, sim.NoConnect) })
	case "SaveDeadlines":
		for i := range s.plans {
			if p := s.plans[(int(g.Y)+i)%len(s.plans)]; p.retry > 0 {
				s.cutPlan(p)
				return
			}
		}
	case "Scan":
		s.d.Overrun()
	case "ListMaps", "ReadMap":
		for _, m := range s.w.Devices() {
			m.Announce()
		}
	case "Identify":
		s.withDisk(g, (*sim.Disk).Announce)
	}
}

// newLUN lets a LUN come of which the configuration says nothing.
func (s *Storm) newLUN() {
	if s.newLUNs++; s.newLUNs > maxNewLUNs {
		return
	}
	p := &plan{grouping: "failover", failback: "manual", retry: retryFail, flush: "unused", most: 4}
	p.lun = s.w.AddLUN(sim.LUN{Name: fmt.Sprintf("new%d", s.newLUNs), TPGS: 1})
	p.lun.SetAccess(1, sim.Optimized)
	p.lun.SetAccess(2, sim.NonOptimized)
	s.plans = append(s.plans, p)
	s.of[p.lun] = p
	s.add(p, 1)
	s.add(p, 2)
}

// killInLoad kills the daemon between a load and its resume, as near as that can be
// met, and starts another.
func (s *Storm) killInLoad(g Gust) {
	if s.away {
		return
	}
	s.addPath(g)
	_, err := s.d.RunUntil(3*second, func() bool { return s.d.InFlight("LoadMap") > 0 })
	s.took(err)
	if s.fail != nil || s.d.InFlight("LoadMap") == 0 {
		return
	}
	s.took(s.d.Run(mpath.Span(g.Z%3000) * mpath.Millisecond / 1000))
	s.tell("kill -9 in a load, and start")
	s.d.Kill()
	s.d.Start(s.config(s.which))
}
