package mpath

// Write protection: which of a map's paths can be written, and what the map makes
// of it.

// modeSeen takes in whether a device can be written. Paths of one LUN rarely
// change alone, but they tell it one by one: the others are looked at too.
func (mc *Machine) modeSeen(p *path, readOnly bool) {
	p.lookedAt = mc.now
	m := mc.mapOf(p.wwid)
	if m == nil || p.seen.Facts.ReadOnly == readOnly || m.modeAt != 0 && mc.now.Since(m.modeAt) < firstChecks {
		return
	}
	m.modeAt = mc.now
	for _, q := range mc.pathsOf(m) {
		if q != p {
			mc.look(q.seen.Name)
		}
	}
}

// modesUnsure says whether a path was seen to become read-only or writable just
// now and the others have not said yet what they are: a table waits a moment for
// that, or it would be exchanged once for each of them.
func (mc *Machine) modesUnsure(m *mmap, ps []*path) bool {
	if m.modeAt == 0 || mc.now.Since(m.modeAt) >= firstChecks {
		return false
	}
	for _, p := range ps {
		if p.lookedAt < m.modeAt {
			m.holdUntil = m.modeAt.After(firstChecks)
			return true
		}
	}
	return false
}

// fitMode says whether the map is read-only: where every path that could be
// loaded is. A write-protected path beside writable ones is refused instead: I/O
// that it refuses is failed without a try on another path (the kernel takes DATA
// PROTECT for an error of the target, BLK_STS_TARGET), and a map that is
// read-only for one path's sake is so for all its writers. A map that is
// read-write stays so while one of the paths in its table is not known to be
// write-protected, though that one be down: its writers wait, as no_path_retry
// says, instead of losing their writes.
func (mc *Machine) fitMode(m *mmap, ps []*path) (readOnly bool) {
	protected, writable := false, false
	for _, p := range ps {
		switch {
		case p.refused != "" || !p.verified() && !p.inTable:
		case !p.up() && !(p.inTable && m.known && !m.have.ReadOnly):
		case p.seen.Facts.ReadOnly:
			protected = true
		default:
			writable = writable || p.stranger == ""
		}
	}
	if !protected || !writable {
		return protected
	}
	for _, p := range ps {
		if p.refused == "" && p.seen.Facts.ReadOnly {
			p.refused = writeProtected
		}
	}
	return false
}

// writeProtected is why a path stays out of a map whose other paths can be written.
const writeProtected = "it is write-protected, other paths of the LUN are not: it would fail writes that those can do; it joins when the array lets it write"

// noteProtected tells, once, of paths that are left out for write protection.
func (mc *Machine) noteProtected(m *mmap, ps []*path) {
	for _, p := range ps {
		is := p.refused == writeProtected
		if is && !p.roNoted {
			mc.note(LevelWarning, m.label(), "path "+p.seen.Name+" ("+p.id.Dev.String()+") is left out: "+writeProtected)
		}
		p.roNoted = is
	}
}
