package mpath

import (
	"fmt"
	"strconv"

	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

// switchPause is the least time between two switches of a map: a kernel that
// does not stay where it was told is not fought with.
const switchPause = 10 * Second

// mayFailBack says whether the failback policy lets the map move to its best
// group now. Deferred failback waits from the first moment it is wanted.
func (mc *Machine) mayFailBack(m *mmap, ps []*path) bool {
	for _, p := range ps {
		// All priorities decide, not half of them: those that changed just now
		// and those that nobody has asked since.
		if p.up() && p.answeredFor < m.prioAt && p.triedFor < m.prioAt && p.checkedAt != m.prioAt {
			return false
		}
	}
	if m.steered() {
		m.failbackAt = 0 // counted anew when that has ended
		return false
	}
	switch f := m.settings.Failback.V; f.Mode {
	case policy.FailbackImmediate:
		return true
	case policy.FailbackFollowover:
		return m.followAt != 0
	case policy.FailbackDeferred:
		if m.failbackAt == 0 {
			m.failbackAt = mc.now.After(Span(f.Seconds) * Second)
			mc.note(LevelInfo, m.label(), fmt.Sprintf("fails back in %d s", f.Seconds))
		}
		return mc.now >= m.failbackAt
	}
	return false
}

// planSwitch moves the map to its best group by message, where the order of
// the groups is right and only the current one is not.
func (mc *Machine) planSwitch(m *mmap, ps []*path) bool {
	best, prio := mc.bestGroup(m)
	if mc.now < m.pauseUntil {
		return false
	}
	if best == 0 || best == m.have.Status.Next {
		if !m.regroup {
			m.failbackAt, m.followAt = 0, 0
		}
		return false
	}
	cur := mc.groupPriority(m, m.have.Status.Next)
	if cur.enabled > 0 && cur.prio >= prio && (!cur.marginal || mc.groupPriority(m, best).marginal) {
		if !m.regroup {
			m.failbackAt = 0
		}
		return false
	}
	if cur.enabled == 0 {
		m.failbackAt = 0
		return false // the kernel leaves a group without paths by itself
	}
	if !mc.mayFailBack(m, ps) {
		return false
	}
	if m.switchedAt != 0 && mc.now.Since(m.switchedAt) < switchPause {
		m.failbackAt = m.switchedAt.After(switchPause)
		return false
	}
	m.failbackAt, m.followAt = 0, 0
	m.switchedAt = mc.now
	mc.note(LevelNotice, m.label(), fmt.Sprintf("fails back to path group %d (priority %d)", best, prio))
	mc.ask(m, "switch to group "+strconv.Itoa(best), Message{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Text: "switch_group " + strconv.Itoa(best),
		Reason: fmt.Sprintf("priority %d, the current group %d has %d (failback %s)", prio, m.have.Status.Next, cur.prio, m.settings.Failback.Origin),
	})
	return true
}

type groupState struct {
	prio     int
	enabled  int
	marginal bool // each of its usable paths is, where that counts
}

// before says whether a group is to be used rather than another.
func (s groupState) before(o groupState) bool {
	switch {
	case s.enabled == 0 || o.enabled == 0:
		return s.enabled > 0
	case s.marginal != o.marginal:
		return o.marginal
	case s.prio != o.prio:
		return s.prio > o.prio
	}
	return s.enabled > o.enabled
}

// groupPriority gives the mean priority of the usable paths of a group of the
// kernel's table, counted from 1, and how many they are.
func (mc *Machine) groupPriority(m *mmap, n int) groupState {
	var s groupState
	if n < 1 || n > len(m.have.Table.Groups) {
		return s
	}
	sum, known := 0, 0
	s.marginal = mc.marginalGroups()
	for _, tp := range m.have.Table.Groups[n-1].Paths {
		p := mc.pathByDev(tp.Dev)
		if p == nil || p.wwid != m.wwid || !p.usable() {
			continue
		}
		s.enabled++
		s.marginal = s.marginal && p.marginal
		if p.priority() >= 0 {
			sum += p.priority()
			known++
		}
	}
	if known > 0 {
		s.prio = sum / known
	}
	return s
}

// bestGroup gives the number of the best group in the kernel's table, 0 if no
// group is usable.
func (mc *Machine) bestGroup(m *mmap) (best, prio int) {
	var top groupState
	for i := range m.have.Table.Groups {
		if g := mc.groupPriority(m, i+1); g.before(top) {
			best, top = i+1, g
		}
	}
	return best, top.prio
}

// groupFacts is what grouping goes by.
func (p *path) groupFacts() policy.GroupPath {
	return policy.GroupPath{
		Prio: p.priority(), Serial: p.seen.Identity.Serial, TPG: p.tpg(), Node: p.seen.Node,
		Usable: p.state == pathcheck.StateUp || p.state == pathcheck.StateGhost,
	}
}

func (p *path) tpg() int {
	if p.prioKnown && p.prio.TPG >= 0 {
		return p.prio.TPG
	}
	return p.seen.Identity.PortGroup
}

// steered says whether an operator's choice of a group holds: until a path fails or
// comes back, or a priority changes. Failback, even immediate, leaves it alone.
func (m *mmap) steered() bool {
	return m.steeredAt != 0 && m.steeredAt >= m.edgeAt && m.steeredAt >= m.prioAt
}

// pathEdge takes in that a path failed or came back by its checker's word.
//
// followover fails back only to a group whose first path comes back from a failure
// that this host has seen. Where all paths work and the map uses another group, it
// is another node of the cluster that has moved the LUN, and two nodes must not pull
// it to and fro.
func (mc *Machine) pathEdge(m *mmap, p *path, from pathcheck.State) {
	m.edgeAt = mc.now
	if !p.up() {
		if m.followed == p.id {
			m.followAt = 0
		}
		return
	}
	if from == pathcheck.StateUnknown || isUp(from) || m.settings.Failback.V.Mode != policy.FailbackFollowover {
		return
	}
	for _, q := range mc.groupOf(m, p) {
		if q != p && q.state != pathcheck.StateDown && q.state != pathcheck.StateShaky {
			return
		}
	}
	m.followAt, m.followed = mc.now, p.id
}

// groupOf gives the paths of a path's group: by the kernel's table, or for a path
// that stands in none as it would be grouped.
func (mc *Machine) groupOf(m *mmap, p *path) []*path {
	for _, g := range m.have.Table.Groups {
		var out []*path
		in := false
		for _, tp := range g.Paths {
			if q := mc.pathByDev(tp.Dev); q != nil && q.wwid == m.wwid {
				out = append(out, q)
				in = in || q == p
			}
		}
		if in {
			return out
		}
	}
	for _, g := range mc.layout(m, mc.pathsOf(m)) {
		for _, q := range g.paths {
			if q == p {
				return g.paths
			}
		}
	}
	return nil
}

// firstGroup is the group that a new table begins with: the best one where the map
// may fail back now, else the one that its current group has become. A load is no
// excuse to move a LUN.
func (mc *Machine) firstGroup(m *mmap, lay []group) int {
	if m.have.Status.Next < 1 || m.have.Status.Next > len(m.have.Table.Groups) {
		return 1
	}
	switch f := m.settings.Failback.V; {
	case m.steered():
	case f.Mode == policy.FailbackImmediate,
		f.Mode == policy.FailbackDeferred && m.failbackAt != 0 && mc.now >= m.failbackAt,
		f.Mode == policy.FailbackFollowover && m.followAt != 0:
		return 1
	}
	apart := mc.marginalGroups()
	for _, tp := range m.have.Table.Groups[m.have.Status.Next-1].Paths {
		for i, g := range lay {
			for _, p := range g.paths {
				if p.id.Dev == tp.Dev && p.usable() && !(apart && p.marginal) {
					return i + 1
				}
			}
		}
	}
	return 1
}
