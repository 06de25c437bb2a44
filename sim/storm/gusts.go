package storm

import (
	"slices"

	"pathkeeper/mpath"
	"pathkeeper/sim"
)

// actions are the kinds of actions in whose middle a gust may blow.
var actions = [...]string{
	"Scan", "ListMaps", "Identify", "ReadMap", "StartCheck", "CreateMap", "LoadMap", "Message", "ResumeMap", "RemoveMap", "RenameMap",
	"SaveNames", "SaveWWIDs", "SaveDeadlines", "Trigger", "SetOwner", "MarkFailed", "ForgetLoad", "LimitPaths", "SetKnobs", "SuspendMap",
}

// rareActions are in flight for a moment only, or seldom follow from what brings them
// about: gusts of a dense storm meet them more often than the others.
var rareActions = [...]string{
	"ForgetLoad", "LimitPaths", "SuspendMap", "ForgetLoad", "LimitPaths", "SuspendMap", "SuspendMap", "ResumeMap", "RenameMap", "Message",
}

// kind is one sort of gust.
type kind struct {
	name   string
	weight int
	blow   func(*Storm, Gust)
}

func kinds() []kind {
	return []kind{
		{"a path loses its connection", 12, func(s *Storm, g Gust) { s.withDisk(g, func(d *sim.Disk) { s.cut(d, sim.NoConnect) }) }},
		{"a path hangs", 5, func(s *Storm, g Gust) { s.withDisk(g, func(d *sim.Disk) { s.cut(d, sim.Hung) }) }},
		{"a path is mended", 16, func(s *Storm, g Gust) { s.withDisk(g, s.heal) }},
		{"a device is set offline", 5, func(s *Storm, g Gust) { s.state(g, "offline") }},
		{"a device is set running", 5, func(s *Storm, g Gust) { s.state(g, "running") }},
		{"a controller is cut off", 5, (*Storm).cutController},
		{"all paths of a LUN are lost", 3, (*Storm).cutLUN},
		{"access states change", 7, (*Storm).access},
		{"a device is deleted", 5, func(s *Storm, g Gust) { s.withDisk(g, func(d *sim.Disk) { s.tell("%s deleted", d.Name); s.remove(d) }) }},
		{"all devices of a LUN are deleted", 1, (*Storm).deleteLUN},
		{"a new path comes", 7, (*Storm).addPath},
		{"a path leads to another LUN", 7, (*Storm).remap},
		{"a unit attention", 3, func(s *Storm, g Gust) {
			s.withDisk(g, func(d *sim.Disk) { s.tell("unit attention of %s", d.Name); d.Attention(0x29, 0x00) })
		}},
		{"the daemon is killed", 8, (*Storm).kill},
		{"the daemon is stopped", 5, (*Storm).pause},
		{"the daemon is restarted", 2, (*Storm).restart},
		{"uevents are lost and doubled", 2, func(s *Storm, g Gust) {
			s.d.LoseUevents, s.d.DoubleUevents = int(g.X%600), int(g.Y%600)
			s.tell("%d‰ of uevents lost", s.d.LoseUevents)
		}},
		{"uevents overrun", 3, func(s *Storm, _ Gust) { s.tell("overrun"); s.d.Overrun() }},
		{"device-mapper calls fail", 4, func(s *Storm, g Gust) { s.w.FailDM = int(g.X % 300); s.tell("%d‰ of dm calls fail", s.w.FailDM) }},
		{"device-mapper calls succeed", 4, func(s *Storm, _ Gust) { s.w.FailDM = 0 }},
		{"the configuration is reloaded", 3, (*Storm).reload},
		{"a device is announced", 2, func(s *Storm, g Gust) { s.withDisk(g, (*sim.Disk).Announce) }},
		{"every map is announced", 1, func(s *Storm, _ Gust) {
			for _, m := range s.w.Devices() {
				m.Announce()
			}
		}},
		{"files hang", 2, func(s *Storm, g Gust) {
			s.tell("files below /etc/multipath hang")
			s.w.Files.Hang("/etc/multipath")
			s.w.After(mpath.Span(g.X%60)*second, func() { s.w.Files.Release(); s.d.Unhang() })
		}},
		{"somebody suspends a map", 2, (*Storm).suspend},
		{"somebody sends a message", 2, (*Storm).message},
		{"an operator's command", 8, (*Storm).command},
		{"the core panics", 1, func(s *Storm, g Gust) { s.tell("the core panics"); s.d.Trip(1 + int(g.X%5)) }},
		{"a path in use leads to another LUN", 2, (*Storm).remapInUse},
		{"a plan is applied", 3, (*Storm).apply},
		{"partition maps come, are used and go", 4, (*Storm).partitions},
	}
}

func (s *Storm) withDisk(g Gust, do func(*sim.Disk)) {
	ds := s.w.Disks()
	if len(ds) == 0 {
		s.addPath(g)
		return
	}
	do(ds[int(g.X)%len(ds)])
}

func (s *Storm) lun(n uint32) *plan { return s.plans[int(n)%len(s.plans)] }

func (s *Storm) cut(d *sim.Disk, f sim.Fault) {
	s.tell("%s: fault %d", d.Name, f)
	d.Break(f)
	if _, already := s.broken[d]; !already {
		s.broken[d] = s.w.Now()
	}
}

func (s *Storm) heal(d *sim.Disk) {
	s.tell("%s mended", d.Name)
	d.Break(sim.Healthy)
	delete(s.broken, d)
}

func (s *Storm) state(g Gust, to string) {
	s.withDisk(g, func(d *sim.Disk) { s.tell("%s %s", d.Name, to); d.SetState(to) })
}

func (s *Storm) cutController(g Gust) {
	p, tpg := s.lun(g.X), 1+int(g.Y%2)
	s.tell("%s: controller %d cut off", p.lun.Name, tpg)
	for _, d := range s.w.Disks() {
		if d.LUN() == p.lun && d.TPG == tpg {
			s.cut(d, sim.NoConnect)
		}
	}
}

func (s *Storm) cutLUN(g Gust) {
	p := s.lun(g.X)
	s.cutPlan(p)
	if g.Y%2 == 0 {
		s.w.After(mpath.Span(g.Z%120)*second, func() {
			for _, d := range s.w.Disks() {
				if d.LUN() == p.lun {
					s.heal(d)
				}
			}
		})
	}
}

func (s *Storm) cutPlan(p *plan) {
	s.tell("%s: all paths lost", p.lun.Name)
	for _, d := range s.w.Disks() {
		if d.LUN() == p.lun {
			s.cut(d, sim.NoConnect)
		}
	}
}

func (s *Storm) access(g Gust) {
	p := s.lun(g.X)
	a, b := sim.Optimized, sim.NonOptimized
	if g.Y%2 == 0 {
		a, b = b, a
	}
	if g.Y/2%3 == 0 {
		b = []sim.Access{sim.Standby, sim.Unavailable, sim.Transitioning}[g.Z%3]
	}
	s.tell("%s: access %d %d", p.lun.Name, a, b)
	p.lun.SetAccess(1, a)
	p.lun.SetAccess(2, b)
	for i, d := range s.w.Disks() {
		if d.LUN() == p.lun && (g.Z>>(i%16))&1 == 0 {
			d.Attention(0x2a, 0x06)
		}
	}
}

func (s *Storm) deleteLUN(g Gust) {
	s.deleteAll(s.lun(g.X))
}

func (s *Storm) deleteAll(p *plan) {
	s.tell("%s: all devices deleted", p.lun.Name)
	for _, d := range s.w.Disks() {
		if s.meant[d] == p.lun {
			s.remove(d)
		}
	}
}

// remove deletes a disk. Where it was the last of a map's, that is noted at once:
// another one may come in the same moment.
func (s *Storm) remove(d *sim.Disk) {
	d.Delete()
	left := s.w.Disks()
	for _, p := range s.plans {
		if p.app == nil || p.lun != s.meant[d] {
			continue
		}
		none := true
		groups, _ := p.app.m.Layout()
		for _, g := range groups {
			for _, member := range g {
				none = none && !slices.Contains(left, member.Disk)
			}
		}
		if none {
			p.app.goneAt = s.w.Now()
		}
	}
}

func (s *Storm) addPath(g Gust) {
	if p := s.lun(g.Y); s.paths(p) < p.most {
		s.add(p, 1+int(g.Z%2))
	}
}

func (s *Storm) add(p *plan, tpg int) {
	s.spare++
	d := s.w.AddPath(p.lun, s.spare, tpg)
	s.tell("%s is a new path of %s", d.Name, p.lun.Name)
	s.meant[d] = p.lun
}

func (s *Storm) paths(p *plan) int {
	n := 0
	for _, d := range s.w.Disks() {
		if s.meant[d] == p.lun {
			n++
		}
	}
	return n
}

// remap exchanges the LUN behind a path that has been cut off for some time and is
// failed by the kernel: nobody can know of it, everybody must find out.
func (s *Storm) remap(g Gust) {
	s.withDisk(g, func(d *sim.Disk) {
		since, cut := s.broken[d]
		if !cut || s.w.Now().Since(since) < 2*second || s.active(d) {
			return
		}
		p := s.lun(g.Y)
		if d.LUN() != p.lun {
			s.moved[d] = true
		}
		s.tell("%s leads to %s now", d.Name, p.lun.Name)
		d.Remap(p.lun, g.Z%2 == 0)
	})
}

// remapInUse exchanges the LUN behind a path that works. What is written in the
// moments before anybody can know is lost to any multipath software; from the next
// check on, nothing may go there.
func (s *Storm) remapInUse(g Gust) {
	s.withDisk(g, func(d *sim.Disk) {
		p := s.lun(g.Y)
		if d.LUN() == p.lun || s.of[s.meant[d]].app != nil || p.app != nil {
			return // only where nobody writes: the blocks would be really lost
		}
		s.moved[d], s.swapped[d] = true, s.w.Now()
		s.tell("%s leads to %s now, while it is in use", d.Name, p.lun.Name)
		d.Remap(p.lun, g.Z%2 == 0)
	})
}

// active says whether a map would send I/O over the disk.
func (s *Storm) active(d *sim.Disk) bool {
	for _, m := range s.w.Devices() {
		groups, _ := m.Layout()
		for _, g := range groups {
			for _, p := range g {
				if p.Disk == d && p.Active {
					return true
				}
			}
		}
	}
	return false
}

// activeAstray says whether the map of another LUN would send I/O over the disk.
func (s *Storm) activeAstray(d *sim.Disk) bool {
	for _, m := range s.w.Devices() {
		groups, _ := m.Layout()
		for _, g := range groups {
			for _, p := range g {
				if p.Disk == d && p.Active && m.UUID() != "mpath-"+d.LUN().WWID() {
					return true
				}
			}
		}
	}
	return false
}

// inSuspended says whether a map that holds the disk is suspended: nothing can be
// failed there, and no I/O goes there either.
func (s *Storm) inSuspended(d *sim.Disk) bool {
	for _, m := range s.w.Devices() {
		if !m.Suspended() {
			continue
		}
		groups, _ := m.Layout()
		for _, g := range groups {
			for _, p := range g {
				if p.Disk == d {
					return true
				}
			}
		}
	}
	return false
}

func (s *Storm) kill(g Gust) {
	if s.away {
		return
	}
	s.away = true
	s.tell("kill -9")
	s.d.Kill()
	s.w.After(mpath.Span(g.X%40)*second+mpath.Span(g.Y%1000)*mpath.Millisecond, s.back)
}

func (s *Storm) back() {
	s.away = false
	s.tell("start")
	s.d.Start(s.config(s.which))
}

func (s *Storm) pause(g Gust) {
	if s.away {
		return
	}
	s.away = true
	s.tell("SIGSTOP")
	s.d.Stop()
	s.w.After(mpath.Span(g.X%90)*second, func() {
		s.away = false
		s.tell("SIGCONT")
		s.d.Continue()
	})
}

func (s *Storm) restart(g Gust) {
	if s.away {
		return
	}
	s.away = true
	s.tell("stop for a restart")
	s.d.Terminate(false)
	s.w.After(mpath.Span(g.X%10)*second, s.back)
}

func (s *Storm) reload(Gust) {
	if s.away {
		return
	}
	s.tell("reload")
	s.d.Reconfigure(s.config(1 - s.which))
}

// suspend is `dmsetup suspend` by somebody, and his resume.
func (s *Storm) suspend(g Gust) {
	ms := s.w.Devices()
	if len(ms) == 0 {
		return
	}
	m := ms[int(g.X)%len(ms)]
	if m.Suspended() || s.foreign[m] {
		return
	}
	s.tell("%s is suspended by somebody", m.Name())
	s.foreign[m] = true
	m.Suspend()
	s.w.After(mpath.Span(g.Y%30)*second, func() { m.Resume(); delete(s.foreign, m) })
}

// message is what an operator does with dmsetup: the daemon must find out.
func (s *Storm) message(g Gust) {
	ms := s.w.Devices()
	if len(ms) == 0 {
		return
	}
	m := ms[int(g.X)%len(ms)]
	groups, _ := m.Layout()
	if len(groups) == 0 {
		return
	}
	of := groups[int(g.Y)%len(groups)]
	p := of[int(g.Z)%len(of)]
	verb := "fail_path"
	if g.Z%2 == 0 && p.Disk.LUN() != nil && "mpath-"+p.Disk.LUN().WWID() == m.UUID() {
		verb = "reinstate_path"
	}
	s.tell("somebody sends %s %s", m.Name(), verb)
	m.Tell(verb, p.Disk)
}
