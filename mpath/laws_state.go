package mpath

import (
	"fmt"
	"slices"
)

// CheckState holds everything that the core knows against the laws, and its indexes
// and deadlines against what they are made from. It walks everything: the simulator
// calls it every so many steps, CheckActions after each.
func (mc *Machine) CheckState() []Broken {
	var out []Broken
	bad := func(law, format string, args ...any) {
		out = append(out, Broken{law, fmt.Sprintf(format, args...)})
	}
	mc.checkPaths(bad)
	mc.checkMaps(bad)
	mc.checkDue(bad)
	return out
}

type report func(law, format string, args ...any)

func (mc *Machine) checkPaths(bad report) {
	for i, p := range mc.paths {
		if i > 0 && mc.paths[i-1].id.compare(p.id) >= 0 {
			bad(lawPathOrder, "%s before %s", mc.paths[i-1].id, p.id)
		}
		if p.left {
			bad(lawForgotten, "%s", p.id)
		}
		if m := mc.mapOf(p.wwid); p.wwid != "" && (m == nil || !slices.Contains(m.paths, p)) {
			bad(lawInItsMap, "%s of %s", p.id, p.wwid)
		}
		if m := mc.mapOf(p.wwid); m != nil && p.inTable != (m.known && slices.Contains(m.have.Table.Devs(), p.id.Dev)) {
			bad(lawInTable, "%s of %s: believed to be in it: %v", p.id, p.wwid, p.inTable)
		}
		if p.stuck && p.checkSeq == 0 {
			bad(lawOverdue, "%s", p.id)
		}
		if p.up() && (p.stuck || p.stranger != "") {
			bad(lawNoUse, "%s", p.id)
		}
		for _, id := range idStrings(p.seen.Identity) {
			if !slices.Contains(mc.find.ids[id], p) {
				bad(lawFoundByID, "%s by %s", p.id, id)
			}
		}
		if t := targetOf(p.seen.HCTL); t != "" && !slices.Contains(mc.find.targets[t], p) {
			bad(lawFoundByTarget, "%s by %s", p.id, t)
		}
		if !slices.Contains(mc.find.names[p.seen.Name], p) {
			bad(lawFoundByName, "%s by %s", p.id, p.seen.Name)
		}
	}
}

func (mc *Machine) checkMaps(bad report) {
	members, held := 0, 0
	for i, m := range mc.maps {
		if i > 0 && mc.maps[i-1].wwid >= m.wwid {
			bad(lawMapOrder, "%s before %s", mc.maps[i-1].wwid, m.wwid)
		}
		members += len(m.paths)
		for _, p := range m.paths {
			if p.wwid != m.wwid || p.left {
				bad(lawOwnPaths, "%s: %s of %q", m.wwid, p.id, p.wwid)
			}
		}
		if m.known && mc.find.dev[m.have.Dev] != m && !mc.sharedDev(m) {
			bad(lawFoundByDev, "%s by %s", m.wwid, m.have.Dev)
		}
		for _, d := range m.have.Table.Devs() {
			if !slices.Contains(mc.find.holders[d], m) {
				bad(lawFoundByMembers, "%s by %s", m.wwid, d)
			}
		}
		if m.ask != 0 && mc.find.asked[m.ask] != m || m.read != 0 && mc.find.asked[m.read] != m {
			bad(lawFoundBySeq, "%s: %d, %d", m.wwid, m.ask, m.read)
		}
		if m.ask != 0 {
			held++
		}
		if m.read != 0 {
			held++
		}
		if !m.known && m.have.Name != "" {
			bad(lawBelief, "%s", m.wwid)
		}
	}
	assigned := 0
	for _, p := range mc.paths {
		if p.wwid != "" {
			assigned++
		}
	}
	if members != assigned {
		bad(lawInOneMap, "%d in maps, %d assigned", members, assigned)
	}
	if held != len(mc.find.asked) {
		bad(lawQuestions, "%d open, %d found by number", held, len(mc.find.asked))
	}
}

// sharedDev says whether another map is known by the same number: one of the two
// has gone, and its removal is about to be read.
func (mc *Machine) sharedDev(m *mmap) bool {
	return slices.ContainsFunc(mc.maps, func(o *mmap) bool { return o != m && o.known && o.have.Dev == m.have.Dev })
}

// checkDue looks for a deadline that the heap does not know: somebody changed it
// without a word.
func (mc *Machine) checkDue(bad report) {
	const law = lawDeadlines
	checks := 0
	for _, p := range mc.paths {
		if p.checkSeq != 0 && !p.stuck {
			checks++
		}
		if want := mc.pathDue(p); want != p.timer.at {
			bad(law, "path %s wants to be called at %d, armed for %d", p.id, want, p.timer.at)
		}
	}
	if checks != mc.due.checks {
		bad(law, "%d checks in flight, %d counted", checks, mc.due.checks)
	}
	for _, m := range mc.maps {
		if m.touched && !m.stirred {
			bad(law, "map %s is touched and in no list", m.wwid)
		}
		if want := mc.mapDue(m); want != m.timer.at && !m.queue.asked {
			bad(law, "map %s wants to be called at %d, armed for %d", m.wwid, want, m.timer.at)
		}
	}
	for i, t := range mc.due.heap {
		if t.pos != i || i > 0 && mc.due.heap[(i-1)/2].at > t.at {
			bad(law, "the heap is out of order at %d", i)
		}
		if t.p != nil && t.p.left || t.m != nil && t.m.left {
			bad(law, "what has left waits for a deadline")
		}
	}
	if len(mc.looks.open) > maxLooks || len(mc.nodes) > maxNodes || len(mc.commands) > maxCommands {
		bad(lawBounded, "%d identifications, %d nodes, %d commands", len(mc.looks.open), len(mc.nodes), len(mc.commands))
	}
	looks := mc.looks.waiting
	for _, l := range looks {
		if mc.looks.byName[l.name] != l {
			bad(lawOneLook, "%s", l.name)
		}
	}
	if n := len(mc.looks.waiting) + len(mc.looks.bySeq); n != len(mc.looks.byName) {
		bad(lawQuestions, "%d devices are asked or wait, %d known by name", n, len(mc.looks.byName))
	}
}
