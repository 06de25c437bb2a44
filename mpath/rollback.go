package mpath

import (
	"fmt"
	"slices"
)

// A new table may be one that the array or the kernel does not take as it was meant:
// a hardware handler that makes paths refuse I/O, a feature that fails their
// activation. If a path that worked before and stands in both tables is lost soon
// after the load, the former table is loaded again, once. A path whose device left,
// is offline, or does not answer any more was lost by something else, which no table
// mends.

// planRollback goes back to the former table of a map whose new one has cost it a
// path.
func (mc *Machine) planRollback(m *mmap, ps []*path) bool {
	p := &m.part
	if p.loadedAt == 0 || mc.now >= p.until || mc.now < m.pauseUntil || !p.former.settingOK {
		return false
	}
	lost := mc.lostSince(p)
	if lost == nil {
		return false
	}
	l := mc.loadOf(m, ps)
	back := only(p.former.table, l.paths)
	if !slices.Contains(back.Devs(), lost.id.Dev) || !anyUp(l.paths) {
		return false // who it is is not known again yet, or is another
	}
	paths := slices.DeleteFunc(slices.Clone(l.paths), func(q *path) bool { return !slices.Contains(back.Devs(), q.id.Dev) })
	if on, decided := m.wantQueue(); decided {
		back = back.WithQueue(on)
	}
	why := fmt.Sprintf("path %s (%s) was lost %d s after the new table took effect, though its device answers: %s",
		lost.seen.Name, lost.id.Dev, mc.now.Since(p.loadedAt).Seconds(), lost.message)
	a := LoadMap{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Size: l.size, Table: back, ReadOnly: l.readOnly,
		NoKpartx: p.former.settings.SkipKpartx.V, Paths: refs(paths), Fail: downOf(paths), Rollback: true, Reason: "rolled back: " + why,
	}
	m.rolled++
	mc.endPart(m, resultRolledBack, why+"; its former table is loaded again")
	mc.ask(m, "load", a)
	return true
}

// lostOtherwise notes that a path does not answer: whatever its map's new table is,
// the path was lost by something else, also if it comes back soon.
func (mc *Machine) lostOtherwise(p *path) {
	m := mc.mapOf(p.wwid)
	if m == nil || !slices.Contains(m.part.kept, p.id) {
		return
	}
	m.part.kept = slices.DeleteFunc(slices.Clone(m.part.kept), func(id PathID) bool { return id == p.id })
}

// lostSince finds a path that worked in the former table, does not in the new one,
// and answers all the same as who it is.
func (mc *Machine) lostSince(p *part) *path {
	for _, id := range p.kept {
		q := mc.path(id)
		if q == nil || !q.inTable || q.usable() || q.held || q.dropped || q.stuck || q.devState != "" && q.devState != "running" {
			continue
		}
		if q.answeredFor > p.loadedAt && q.answeredFor >= q.failedAt && q.proven() {
			return q
		}
	}
	return nil
}
