package mpath

import (
	"fmt"
	"slices"

	"pathkeeper/dmmap/table"
)

// removal says who wants a map away.
type removal uint8

const (
	removalNone removal = iota
	removalLastPath
	removalOperator
)

func (mc *Machine) removeAction(m *mmap, deferred bool, reason string) RemoveMap {
	return RemoveMap{Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Partitions: mc.partitions(m), Deferred: deferred, Reason: reason}
}

// planRemove removes a map that has lost its last path, as flush_on_last_del and
// deferred_remove say. always: queueing is switched off for it, so that who waits
// for the map gets an error and lets go. unused: a map that is used and queues
// stays. never: one that queues stays, used or not. An open map goes only where
// deferred_remove allows it, at its last close.
func (mc *Machine) planRemove(m *mmap, ps []*path) bool {
	stays := func(d table.DevNum) bool { return !mc.departed(m, d) } // one that cannot say now who it is
	if len(ps) > 0 || !m.hadPath || slices.ContainsFunc(m.have.Table.Devs(), stays) {
		m.openNoted, m.flushing = false, false
		return false
	}
	flush, queues, users := m.settings.FlushOnLastDel.V, m.have.Table.QueueIfNoPath(), mc.openedBy(m)
	switch {
	case queues && flush == "always":
		if !m.flushing {
			m.flushing = true
			mc.note(LevelWarning, m.label(), "its last path left: queueing is switched off, as flush_on_last_del always says ("+m.settings.FlushOnLastDel.Origin.String()+")")
		}
		return false // planQueue does it
	case queues && flush == "never":
		return false
	case users > 0 && (queues || !m.settings.DeferredRemove.V):
		mc.awaitClose(m, users)
		return false
	case users > 0 && m.have.Deferred:
		mc.awaitClose(m, users)
		return false
	}
	if mc.now < m.pauseUntil {
		return false
	}
	m.retryAt, m.removal = 0, removalLastPath
	reason := "its last path left and nobody uses it"
	if users > 0 {
		reason = "its last path left, and deferred_remove is on (" + m.settings.DeferredRemove.Origin.String() + ")"
	}
	mc.ask(m, "remove", mc.removeAction(m, users > 0, reason))
	return true
}

// awaitClose has a look at a map that is open now and then: nothing tells of its
// last close.
func (mc *Machine) awaitClose(m *mmap, users int) {
	if !m.openNoted {
		m.openNoted = true
		text := fmt.Sprintf("its last path left; the map stays because it is open (%d)", users)
		if m.have.Deferred {
			text = fmt.Sprintf("its last path left; the kernel removes the map at its last close (open %d times)", users)
		}
		mc.note(LevelWarning, m.label(), text)
	}
	if m.retryAt == 0 {
		m.retryAt = mc.now.After(5 * Second)
		mc.readMap(m)
	}
}

// planCancel calls off a removal at the last close that was asked for because the
// last path had left, once a path is back.
func (mc *Machine) planCancel(m *mmap, ps []*path) bool {
	if !m.have.Deferred || m.removal != removalLastPath || len(ps) == 0 || mc.now < m.pauseUntil {
		return false
	}
	m.retryAt = 0
	mc.ask(m, "cancel removal", Message{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Text: "@cancel_deferred_remove", Reason: "path " + ps[0].seen.Name + " is back",
	})
	return true
}

func (mc *Machine) mapRemoved(m *mmap) {
	why := "map removed: its last path left"
	operator := m.removal == removalOperator
	if operator {
		why = "map removed for an operator"
	}
	mc.note(LevelNotice, m.label(), why)
	mc.hold(m, false, Truth{})
	m.removed, m.removal, m.flushing = operator, removalNone, false
	if operator {
		m.lastError = "an operator removed the map; `add map`, or a reload of the configuration, makes it again"
	} else {
		m.name = ""
	}
	mc.endWait(m)
	m.queue = queueState{}
	m.queueOff, m.queueWas, m.steeredAt = false, false, 0
	mc.dl.dirty = true
	m.adopted, m.accepted, m.asFound = false, nil, false
	mc.unlinkMembers(m)
	if len(mc.pathsOf(m)) == 0 {
		mc.dropMap(m)
	}
}
