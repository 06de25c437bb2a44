package mpath

import (
	"fmt"
	"slices"

	"pathkeeper/dmmap/table"
)

// Marginal paths: those that work, and of which somebody has said that they are
// flaky. With marginal_pathgroups they stand in groups of their own, which are used
// last; without it the word is noted and shown.

// marginalGroups says whether marginal_pathgroups is on.
func (mc *Machine) marginalGroups() bool {
	if mc.rules == nil {
		return false
	}
	s, _ := mc.rules.Config().Defaults.Lookup("marginal_pathgroups")
	return s.Value == "on"
}

// runMarginal notes what an operator says of a path, or of all paths of a map, and
// has the map grouped anew where that changes anything. Failback has no say in it:
// whoever calls a path flaky wants it out of the way now.
func (mc *Machine) runMarginal(c *command, m *mmap) {
	if c.stage == 0 {
		if m.have.Suspended {
			mc.finish(c, ReplyRefused, suspendedText)
			return
		}
		c.stage = 1
		if !mc.setMarginal(c, m) {
			mc.finish(c, ReplyAlready, "it was so already")
			return
		}
		mc.touch(m)
	}
	switch {
	case m.ask != 0: // its own load, or something else whose turn it is
	case c.answered:
		mc.runReload(c, m)
	case !mc.marginalGroups():
		mc.finish(c, ReplyDone, "noted; marginal_pathgroups is off, so that it changes no path group")
	case !mc.otherGroups(m): // or there is no map yet
		mc.finish(c, ReplyDone, "noted; the path groups stay as they are")
	default:
		mc.runReload(c, m)
	}
}

// setMarginal notes it; false: it was so already.
func (mc *Machine) setMarginal(c *command, m *mmap) (changed bool) {
	want := c.Kind == CommandSetMarginal
	for _, p := range mc.pathsOf(m) {
		if (c.Path == "" || p.id == c.path) && p.marginal != want {
			p.marginal, changed = want, true
			mc.stir(p)
		}
	}
	return changed
}

// otherGroups says whether the map's groups are other ones than its paths want.
func (mc *Machine) otherGroups(m *mmap) bool {
	return slices.ContainsFunc(mc.differences(m, mc.pathsOf(m)), func(d difference) bool {
		return d.Kind == table.FieldGroups.String() || d.Kind == table.FieldOrder.String()
	})
}

// runReassign looks who uses the paths of a map below it: those were to use the map
// instead. Their tables are not rewritten under them; where there is somebody it is
// said who, and what to do.
func (mc *Machine) runReassign(c *command, m *mmap) {
	if c.stage == 0 {
		c.stage = 1
		for _, p := range mc.pathsOf(m) {
			mc.look(p.seen.Name)
		}
		return // the answers are asked for in this step
	}
	for _, p := range mc.pathsOf(m) {
		if mc.looks.byName[p.seen.Name] != nil {
			c.waits = "path " + p.seen.Name + " is looked at"
			return
		}
	}
	for _, p := range mc.pathsOf(m) {
		if use := p.seen.Facts.InUse; use != "" {
			mc.finish(c, ReplyRefused, fmt.Sprintf("path %s is used directly: %s; stop that and start it again on /dev/mapper/%s", p.seen.Name, use, m.have.Name))
			return
		}
	}
	mc.finish(c, ReplyDone, "nobody uses its paths directly")
}
