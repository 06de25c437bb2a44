package storm

import (
	"fmt"

	"pathkeeper/mpath"
	"pathkeeper/sim"
)

// commands are what an operator may ask for in a storm. None of them loses data by
// itself; what disables queueing is remembered.
var commands = [...]mpath.CommandKind{
	mpath.CommandFailPath, mpath.CommandReinstatePath, mpath.CommandAddPath, mpath.CommandRemovePath, mpath.CommandAddMap,
	mpath.CommandRemoveMap, mpath.CommandRemoveUnused, mpath.CommandResizeMap, mpath.CommandReloadMap, mpath.CommandRenameMap,
	mpath.CommandResetStats, mpath.CommandSwitchGroup, mpath.CommandDisableQueueing, mpath.CommandRestoreQueueing,
	mpath.CommandSuspendMap, mpath.CommandResumeMap,
	mpath.CommandSetMarginal, mpath.CommandUnsetMarginal, mpath.CommandReassign, mpath.CommandSetPRStatus, mpath.CommandSetPRKey,
	mpath.CommandForgetWWID,
}

// command is an operator at work.
func (s *Storm) command(g Gust) {
	if s.away {
		return
	}
	c := mpath.Command{Kind: commands[int(g.X)%len(commands)]}
	if ds := s.w.Disks(); len(ds) > 0 {
		c.Path = ds[int(g.Y)%len(ds)].Name
	}
	var m *sim.Map
	if ms := s.w.Devices(); len(ms) > 0 {
		m = ms[int(g.Z)%len(ms)]
		c.Map = m.Name()
	}
	switch c.Kind {
	case mpath.CommandSetPRKey:
		c.Arg = fmt.Sprintf("0x%x", g.Y)
	case mpath.CommandForgetWWID: // the file still has it: the daemon finds it there again
		if len(s.plans) > 0 {
			c.Arg = s.plans[int(g.Y)%len(s.plans)].lun.WWID()
		}
	case mpath.CommandSwitchGroup:
		c.Arg = fmt.Sprint(1 + g.Y%3)
	case mpath.CommandSuspendMap:
		if m != nil {
			s.foreign[m] = true
		}
	case mpath.CommandDisableQueueing:
		for _, p := range s.plans {
			if m != nil && m.UUID() == "mpath-"+p.lun.WWID() {
				p.disabled = true
			}
		}
	}
	s.tell("operator: %s, map %s, path %s %s", c.Kind, c.Map, c.Path, c.Arg)
	s.asked = append(s.asked, s.d.Ask(c))
}

// answered holds the replies against their law, at the end: a command that a killed
// process had got has none.
func (s *Storm) answered() {
	for _, seq := range s.asked {
		if n := len(s.d.Replies(seq)); n > 1 {
			s.bad(lawOneReply, "command %d has %d", seq, n)
		}
	}
	s.applied()
}

// undo takes back what operators did, by their own means.
func (s *Storm) undo() {
	ask := func(c mpath.Command) {
		r, ok := s.d.Command(c)
		switch {
		case !ok:
			s.bad(lawReply, "%s, map %s, path %s", c.Kind, c.Map, c.Path)
		case r.Text == "":
			s.bad(lawReplyText, "%s, map %s, path %s", c.Kind, c.Map, c.Path)
		}
	}
	for _, m := range s.w.Devices() {
		if m.Suspended() {
			m.Resume()
		}
	}
	s.foreign = map[*sim.Map]bool{}
	ask(mpath.Command{Kind: mpath.CommandRestoreQueueing})
	for i, d := range s.w.Disks() {
		if i >= 64 {
			break // the rest is put right by the reload
		}
		ask(mpath.Command{Kind: mpath.CommandAddPath, Path: d.Name})
		ask(mpath.Command{Kind: mpath.CommandReinstatePath, Path: d.Name})
	}
	s.applyInCalm()
	s.d.Reconfigure(s.config(s.which))
}
