package storm

import (
	"fmt"
	"path"

	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/sim"
)

// maxNewLUNs bounds how many LUNs come while a storm blows.
const maxNewLUNs = 8

// provoke makes it likely that an action of a kind is soon in flight: a gust that
// waits for one would mostly wait in vain.
func (s *Storm) provoke(action string, g Gust) {
	switch action {
	case "CreateMap", "SaveNames", "SaveWWIDs", "Trigger":
		s.newLUN()
	case "SetOwner":
		for _, m := range s.w.Devices() {
			m.Node.Mode = 0o600 ^ (g.Y & 0o7)
			m.Announce()
		}
	case "MarkFailed":
		s.w.FailDM = 900
		s.newLUN()
		s.w.After(2*second, func() { s.w.FailDM = 0 })
	case "LoadMap", "LimitPaths", "SetKnobs":
		s.joinPath(g)
	case "SuspendMap":
		s.suspendByCommand(g)
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
		s.breakLoad(g)
	case "ForgetLoad":
		s.killInLoad(g)
	case "Message":
		s.message(g)
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
	most := maxNewLUNs
	if s.dense {
		most *= 4
	}
	if s.newLUNs++; s.newLUNs > most {
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

// joinPath lets a path come. On a small host, where a LUN soon has as many as it may
// have, one of them makes room.
func (s *Storm) joinPath(g Gust) {
	p := s.lun(g.Y)
	if s.dense && s.paths(p) >= p.most {
		for _, d := range s.w.Disks() {
			if s.meant[d] == p.lun {
				s.tell("%s is deleted, for a new one", d.Name)
				s.remove(d)
				break
			}
		}
	}
	s.addPath(g)
}

// suspendByCommand is an operator who has the daemon suspend a map, and resume it.
func (s *Storm) suspendByCommand(g Gust) {
	ms := s.w.Devices()
	if s.away || len(ms) == 0 {
		return
	}
	m := ms[int(g.Z)%len(ms)]
	if m.Suspended() || s.foreign[m] {
		return
	}
	s.foreign[m] = true
	s.tell("operator: suspend %s", m.Name())
	s.asked = append(s.asked, s.d.Ask(mpath.Command{Kind: mpath.CommandSuspendMap, Map: m.Name()}))
	s.w.After(mpath.Span(2+g.Y%10)*second, m.Resume) // or the calm does: the command may be carried out late
}

// inLoad lets a path join and runs until its load is about to exchange the tables,
// which the daemon has written down by then.
func (s *Storm) inLoad(g Gust) bool {
	if s.away {
		return false
	}
	s.joinPath(g)
	_, err := s.d.RunUntil(3*second, s.exchanging)
	s.took(err)
	return s.fail == nil && s.exchanging()
}

func (s *Storm) exchanging() bool {
	list, err := s.w.Files.List(path.Join(path.Dir(engine.DefaultFiles().Deadlines), "loading"))
	return err == nil && len(list) > 0
}

// breakLoad has a load's resume fail: the map stays suspended.
func (s *Storm) breakLoad(g Gust) {
	if !s.inLoad(g) {
		return
	}
	s.w.FailResumes = 2 // with the new table, and with the old one again
	_, err := s.d.RunUntil(second, func() bool { return s.d.InFlight("LoadMap") == 0 })
	s.took(err)
	s.w.FailResumes = 0
}

// killInLoad kills the daemon about when a load exchanges the tables, and starts
// another.
func (s *Storm) killInLoad(g Gust) {
	if !s.inLoad(g) {
		return
	}
	s.took(s.d.Run(mpath.Span(g.Z%4) * mpath.Millisecond / 10))
	s.tell("kill -9 in a load, and start")
	s.d.Kill()
	s.d.Start(s.config(s.which))
}
