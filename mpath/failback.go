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
		if p.up() && !p.stuck && p.answeredFor < m.prioAt && p.triedFor < m.prioAt && p.checkedAt != m.prioAt {
			return false
		}
	}
	switch f := m.settings.Failback.V; f.Mode {
	case policy.FailbackImmediate:
		return true
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
			m.failbackAt = 0
		}
		return false
	}
	cur := mc.groupPriority(m, m.have.Status.Next)
	if cur.enabled > 0 && cur.prio >= prio {
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
	m.failbackAt = 0
	m.switchedAt = mc.now
	mc.note(LevelNotice, m.label(), fmt.Sprintf("fails back to path group %d (priority %d)", best, prio))
	mc.ask(m, "switch to group "+strconv.Itoa(best), Message{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Text: "switch_group " + strconv.Itoa(best),
		Reason: fmt.Sprintf("priority %d, the current group %d has %d (failback %s)", prio, m.have.Status.Next, cur.prio, m.settings.Failback.Origin),
	})
	return true
}

type groupState struct {
	prio    int
	enabled int
}

// groupPriority gives the mean priority of the usable paths of a group of the
// kernel's table, counted from 1, and how many they are.
func (mc *Machine) groupPriority(m *mmap, n int) groupState {
	var s groupState
	if n < 1 || n > len(m.have.Table.Groups) {
		return s
	}
	sum, known := 0, 0
	for _, tp := range m.have.Table.Groups[n-1].Paths {
		p := mc.pathByDev(tp.Dev)
		if p == nil || p.wwid != m.wwid || !p.usable() {
			continue
		}
		s.enabled++
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
	enabled := 0
	for i := range m.have.Table.Groups {
		g := mc.groupPriority(m, i+1)
		if g.enabled > 0 && (best == 0 || g.prio > prio || g.prio == prio && g.enabled > enabled) {
			best, prio, enabled = i+1, g.prio, g.enabled
		}
	}
	return best, prio
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
