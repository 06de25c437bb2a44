package mpath

import "fmt"

// limit gives the paths of a load that are in no table yet their max_sectors_kb; true:
// it was asked for, and its answer comes before the load. A member of a table is
// never written to: a request that is on its way would be too large for it and fail.
// What the kernel refuses does not stop the load: the map goes by the least of its
// paths by itself.
func (mc *Machine) limit(m *mmap, ps []*path) bool {
	kb := m.settings.MaxSectorsKB.V
	if kb <= 0 {
		return false
	}
	var join []*path
	for _, p := range ps {
		if p.limited != kb && len(mc.find.holders[p.id.Dev]) == 0 { // this map has it, or another one still does
			join = append(join, p)
		}
	}
	if len(join) == 0 {
		return false
	}
	a := LimitPaths{Seq: mc.nextSeq(), WWID: m.wwid, KB: kb, Paths: refs(join), Reason: fmt.Sprintf("max_sectors_kb %d (%s)", kb, m.settings.MaxSectorsKB.Origin)}
	if m.have.Live {
		a.Dev = m.have.Dev
	}
	for _, p := range join {
		p.limited = kb // once: it must not stand in the way of the map
	}
	mc.ask(m, "limit", a)
	return true
}

// limited takes the answer.
func (mc *Machine) limited(m *mmap, e ActionDone) {
	if e.Errno != ErrnoNone {
		mc.note(LevelWarning, m.label(), e.Detail+": the path keeps its own")
	}
}
