package mpath

import (
	"fmt"
	"slices"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
)

// A map never changes its size by itself: an operator's command or auto_resize
// does, and only where every path shows the new size and works. The table is
// exchanged with a flush, so a path that is down, or I/O that waits for one, would
// be failed by it.

// resizing is what auto_resize does to a map.
type resizing struct {
	to     table.Sectors // the size that a resize is being planned for, 0: that of the map
	nextAt Instant       // none before
	delay  Span
	noted  string // why it was not resized, as said
}

// judgeSize says whether the paths allow the map another size, and which.
func (mc *Machine) judgeSize(m *mmap, ps []*path) (size table.Sectors, why string) {
	for _, p := range ps {
		if p.dropped || p.stranger != "" {
			continue
		}
		has := table.Sectors(p.seen.Facts.Size)
		if size == 0 {
			size = has
		}
		switch {
		case has == 0:
			return 0, p.seen.Name + " has no size"
		case has != size:
			return 0, fmt.Sprintf("its paths are not of one size: %s has %d sectors, %s %d", ps[0].seen.Name, size, p.seen.Name, has)
		}
	}
	return size, ""
}

func (mc *Machine) readSizes(m *mmap, ps []*path, stale table.Sectors) ReadSizes {
	a := ReadSizes{Seq: mc.nextSeq(), WWID: m.wwid, Paths: refs(ps), Stale: stale}
	for _, p := range ps {
		if p.state == pathcheck.StateGhost {
			a.Standby = append(a.Standby, p.id)
		}
	}
	return a
}

// whyNoResize says what stands in the way of a resize, "" nothing. soon: the next
// checks may end it, since a path works and only its identity is to be read again,
// as after the unit attention that tells of a new capacity.
func (mc *Machine) whyNoResize(m *mmap, ps []*path) (why string, soon bool) {
	if !m.settingOK || !m.have.Live || m.have.Target != "multipath" || m.adoptDue {
		return "it is not managed yet", false
	}
	if m.have.Suspended {
		return suspendedText, false
	}
	for _, p := range ps {
		switch {
		case p.dropped && !p.inTable: // an operator has removed it: it does not hold the others up
		case !p.up():
			return fmt.Sprintf("path %s is not in use (%s): a resize flushes, and I/O that waits for a path would fail; bring it back or remove it first", p.seen.Name, p.whyDown()), false
		case !p.proven() || p.inTable && p.kernelFailed:
			why, soon = "path "+p.seen.Name+" works, but is to be identified and reinstated first", true
		}
	}
	if why != "" {
		return why, soon
	}
	for _, d := range m.have.Table.Devs() {
		if p := mc.pathByDev(d); p == nil || p.wwid != m.wwid || m.kernelFailed(d) {
			return "path " + d.String() + " of its table is not in use: a resize flushes, and I/O that waits for a path would fail", false
		}
	}
	if len(m.have.Table.Devs()) == 0 {
		return "it has no path", false
	}
	return "", false
}

// resizeAction makes the request, or says why there is none.
func (mc *Machine) resizeAction(m *mmap, ps []*path, size table.Sectors, force bool, reason string) (ResizeMap, string) {
	m.resize.to = size
	l := mc.loadOf(m, ps)
	m.resize.to = 0
	for _, d := range m.have.Table.Devs() {
		if !slices.ContainsFunc(l.paths, func(p *path) bool { return p.id.Dev == d }) {
			return ResizeMap{}, "path " + d.String() + " of its table cannot be loaded with that size"
		}
	}
	if !anyUp(l.paths) {
		return ResizeMap{}, "no path of it may be loaded now"
	}
	a := mc.loadMap(m, l, reason)
	return ResizeMap{
		Seq: a.Seq, WWID: a.WWID, Name: a.Name, From: m.have.Size, Size: size, Table: a.Table, ReadOnly: a.ReadOnly,
		NoKpartx: a.NoKpartx, Paths: a.Paths, Force: force, Reason: reason,
	}, ""
}

// runResize carries out an operator's resize: every path is rescanned and asked for
// its size first.
func (mc *Machine) runResize(c *command, m *mmap) {
	ps := mc.pathsOf(m)
	if c.stage < 2 {
		why, soon := mc.whyNoResize(m, ps)
		c.waits = why
		if soon {
			return
		}
		if why != "" {
			mc.finish(c, ReplyRefused, why)
			return
		}
	}
	switch c.stage {
	case 0:
		c.stage = 1
		mc.askFor(c, m, "read sizes", mc.readSizes(m, ps, 0))
	case 1:
		for _, s := range c.sizes.Sizes {
			if s.Bad != "" {
				mc.finish(c, ReplyFailed, s.Bad)
				return
			}
		}
		size, why := mc.judgeSize(m, ps)
		if why != "" {
			mc.finish(c, ReplyRefused, why)
			return
		}
		if size == m.have.Size {
			mc.finish(c, ReplyAlready, fmt.Sprintf("as large as its paths, %d sectors", size))
			return
		}
		a, why := mc.resizeAction(m, ps, size, c.Force, "an operator asked for it")
		if why != "" {
			mc.finish(c, ReplyRefused, why)
			return
		}
		c.stage = 2
		mc.askFor(c, m, "resize", a)
	default:
		mc.outcome(c, fmt.Sprintf("%d sectors now", m.have.Size))
	}
}

// takeSizes takes in what the paths of a map say of their size.
func (mc *Machine) takeSizes(e SizesRead) {
	m := mc.find.asked[e.Seq]
	if m == nil || m.ask != e.Seq {
		return
	}
	for _, c := range mc.commands {
		if c.ask == e.Seq {
			c.ask, c.answered, c.sizes = 0, true, e
		}
	}
	mc.answered(&m.ask)
	m.askWhat = ""
	for _, s := range e.Sizes {
		if p := mc.path(s.ID); p != nil && s.Bad == "" {
			p.seen.Facts.Size = uint64(s.Sectors)
		}
	}
	mc.touch(m)
	if m.reread {
		m.reread = false
		mc.readMap(m)
	}
}

// planResize is auto_resize.
func (mc *Machine) planResize(m *mmap, ps []*path) bool {
	if !slices.ContainsFunc(ps, func(p *path) bool {
		return table.Sectors(p.seen.Facts.Size) != m.have.Size && p.stranger == "" && !p.dropped
	}) {
		m.resize = resizing{}
		return false
	}
	mode := m.settings.AutoResize.V
	if mode == "never" {
		mc.noteResize(m, fmt.Sprintf("a path of it is not of its size, %d sectors any more; auto_resize is never: `resize map` takes it over", m.have.Size))
		return false
	}
	if mc.now < m.resize.nextAt || slices.ContainsFunc(mc.commands, func(c *command) bool { return c.wwid == m.wwid && c.Kind == CommandResizeMap }) {
		return false
	}
	size, why := mc.judgeSize(m, ps)
	switch {
	case why != "":
		mc.noteResize(m, why+": waiting for the others")
		mc.laterResize(m)
		mc.ask(m, "read sizes", mc.readSizes(m, ps, m.have.Size))
		return true
	case size < m.have.Size && mode != "grow_shrink":
		mc.noteResize(m, fmt.Sprintf("its paths have shrunk to %d sectors; auto_resize is %s: the map keeps %d", size, mode, m.have.Size))
		return false
	}
	if why, soon := mc.whyNoResize(m, ps); why != "" {
		if !soon {
			mc.noteResize(m, why)
		}
		mc.laterResize(m)
		return false
	}
	a, why := mc.resizeAction(m, ps, size, false, fmt.Sprintf("every path shows %d sectors, and auto_resize is %s (%s)", size, mode, m.settings.AutoResize.Origin))
	mc.laterResize(m)
	if why != "" {
		mc.noteResize(m, why)
		return false
	}
	mc.note(LevelNotice, m.label(), fmt.Sprintf("is resized from %d to %d sectors: %s", m.have.Size, size, a.Reason))
	mc.ask(m, "resize", a)
	return true
}

func (mc *Machine) laterResize(m *mmap) {
	m.resize.delay = min(max(m.resize.delay*2, retryCreate), retryCreateMax)
	m.resize.nextAt = mc.now.After(m.resize.delay)
}

func (mc *Machine) noteResize(m *mmap, text string) {
	if m.resize.noted != text {
		m.resize.noted = text
		mc.note(LevelWarning, m.label(), text)
	}
}
