package mpath

import (
	"fmt"
	"strings"

	"pathkeeper/dmmap/table"
)

// takeDone takes the answer of an action.
func (mc *Machine) takeDone(e ActionDone) {
	if e.Seq == mc.dl.ask && e.Seq != 0 {
		mc.dl.ask = 0
		if e.Errno != ErrnoNone {
			mc.note(LevelWarning, "deadlines", "cannot be recorded for a restart: "+e.Detail)
		}
		return
	}
	if e.Seq == mc.key.ask && e.Seq != 0 {
		mc.keySaved(e)
		return
	}
	if e.Seq == mc.known.ask && e.Seq != 0 {
		mc.wwidsSaved(e)
		return
	}
	if e.Seq == mc.names.ask && e.Seq != 0 {
		mc.namesSaved(e)
		return
	}
	if m := mc.find.asked[e.Seq]; m != nil && m.ask == e.Seq {
		mc.mapActionDone(m, e)
		return
	}
	if e.Errno != ErrnoNone {
		mc.note(LevelWarning, "action", e.Detail)
	}
}

func (mc *Machine) mapActionDone(m *mmap, e ActionDone) {
	mc.at(m)
	what, wasLoad, wasKnown := m.askWhat, m.loading, m.known
	mc.commandAnswer(e)
	mc.answered(&m.ask)
	m.askWhat, m.loading = "", false
	mc.touch(m)
	if what == "limit" {
		mc.limited(m, e)
		if m.reread && m.known {
			m.reread = false
			mc.readMap(m)
		}
		return
	}
	reread := m.reread
	m.reread = false
	if wasLoad && e.Errno != ErrnoNone && wasKnown {
		m.ourSuspend = true // if it is suspended now, that was the load
	}
	if e.HasTruth {
		mc.takeTruth(m, e.Truth)
	} else if e.Errno == ErrnoNone && what == "remove" {
		mc.mapRemoved(m)
		return
	} else {
		reread = true
	}
	if e.Errno != ErrnoNone {
		mc.actionFailed(m, what, e)
	} else if wasLoad {
		m.count.Loads++
		m.lastAction = "reload"
		if !wasKnown {
			m.lastAction = "create"
		}
		m.stillRO = !m.askRO && m.have.ReadOnly
		m.accepted, m.adopted, m.adoptDue, m.asFound = nil, false, false, false
		m.lastError, m.retryDelay, m.retryAt, m.handlerFails = "", 0, 0, 0
		if !wasKnown {
			mc.note(LevelNotice, m.label(), fmt.Sprintf("map created: %d paths, %s", len(m.have.Table.Devs()), m.wwid))
			mc.mapCreated(m)
		}
	} else if strings.HasPrefix(what, "switch") {
		m.count.Switches++
		m.lastAction = "switchpg"
	} else if what == "rename" || what == "resize" {
		m.lastAction = what
		if e.Detail != "" {
			mc.note(LevelWarning, m.label(), e.Detail)
		}
	}
	if wasLoad {
		mc.partLoaded(m, e)
	}
	if reread && m.known {
		mc.readMap(m)
	} else if !m.known && reread {
		mc.wantList()
	}
}

// mapCreated makes the LUN known for the next boot and has udev look at the
// paths again, so that they show as members.
func (mc *Machine) mapCreated(m *mmap) {
	mc.failed = dropSorted(mc.failed, m.wwid)
	mc.wwids = addSorted(mc.wwids, m.wwid)
	mc.known.pending = addSorted(mc.known.pending, m.wwid)
	for _, p := range mc.pathsOf(m) {
		mc.act(Trigger{Seq: mc.nextSeq(), Name: p.seen.Name, Verb: "change", Reason: "it is a path of " + m.label() + " now"})
	}
}

// actionFailed notes what the kernel refused and when it is tried again. A
// creation that failed gives the devices back: they are marked, and udev is
// made to look at them.
func (mc *Machine) actionFailed(m *mmap, what string, e ActionDone) {
	if m.lastError != e.Detail {
		mc.note(LevelError, m.label(), what+": "+e.Detail)
	}
	m.lastError = e.Detail
	if what == "remove" && m.removal == removalOperator {
		m.removal = removalNone
		return // its command says it
	}
	if what != "create" && what != "load" && what != "remove" && what != "rename" && what != "resize" {
		m.pauseUntil = mc.now.After(askAgain)
		return
	}
	if e.Errno == ErrnoChanged {
		// Somebody was faster: what is true now is being read, then again.
		m.retryDelay = min(max(m.retryDelay*2, askAgain), retryCreate)
		m.retryAt = mc.now.After(m.retryDelay)
		mc.notAsLoaded(e.Changed)
		for _, p := range mc.pathsOf(m) {
			mc.look(p.seen.Name)
		}
		return
	}
	if h := countedWords(m.settings.Handler.V); len(h) > 0 && !m.noHandler && (what == "create" || what == "load") &&
		(e.Errno == ErrnoGone || e.Errno == ErrnoInvalid) {
		// A device may report target port groups and still be none that the
		// handler takes (scsi_dh_attach): no handler is better than no map.
		if m.handlerFails++; m.handlerFails > 1 {
			m.noHandler = true
			mc.note(LevelWarning, m.label(), "the kernel does not take it with hardware handler "+h[0]+": it is tried without one")
		}
		m.retryAt = mc.now.After(askAgain)
		return
	}
	m.retryDelay = min(max(m.retryDelay*2, retryCreate), m.retryLimit(e.Errno))
	m.retryAt = mc.now.After(m.retryDelay)
	if what == "remove" {
		m.pauseUntil = m.retryAt
	}
	if what == "create" && !m.known {
		if !hasSorted(mc.failed, m.wwid) {
			mc.failed = addSorted(mc.failed, m.wwid)
			mc.act(MarkFailed{Seq: mc.nextSeq(), WWID: m.wwid})
			for _, p := range mc.pathsOf(m) {
				mc.act(Trigger{Seq: mc.nextSeq(), Name: p.seen.Name, Verb: "add", Reason: "no map could be made: the claim is released"})
			}
		}
	}
}

// retryLimit is how long a failed load or creation waits at most. What passes by
// itself is tried again soon, and so is a map whose I/O waits for the new table.
func (m *mmap) retryLimit(e Errno) Span {
	if e == ErrnoNoMem || e == ErrnoBusy {
		return retryCreate
	}
	if m.known && m.have.Live {
		for _, g := range m.have.Status.Groups {
			for _, p := range g.Paths {
				if p.State == table.PathActive {
					return retryCreateMax
				}
			}
		}
		return retryCreate
	}
	return retryCreateMax
}
