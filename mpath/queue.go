package mpath

import (
	"fmt"

	"pathkeeper/policy"
)

// queueState is what no_path_retry is doing. at is the moment at which queued
// I/O may be failed: set when the last path is lost, cleared when one is back,
// written to /run so that a restart goes on with it. expired: queueing was
// switched off by it, and comes back with the first path.
type queueState struct {
	at      Instant
	expired bool
	asked   bool // the checks that must confirm the loss were asked for
}

// queueing runs the no_path_retry of a map.
func (mc *Machine) queueing(m *mmap, ps []*path) {
	pol := m.settings.NoPathRetry.V
	usable, unknown := false, false
	for _, p := range ps {
		if p.up() && p.verified() && p.refused == "" {
			usable = true
		}
		if (p.checkedAt == 0 || p.answeredFor < mc.gapAt) && !p.stuck && p.refused == "" && mc.now.Since(max(p.seenAt, mc.gapAt)) < p.stuckAfter() {
			unknown = true
		}
	}
	mc.countLoss(m, !usable, unknown)
	if usable || pol.Mode != policy.RetryCount {
		mc.endWait(m)
		if m.queue.at != 0 || m.queue.expired {
			mc.dl.dirty = true
			if usable {
				mc.note(LevelNotice, m.label(), "a path is back")
			}
		}
		m.queue = queueState{}
		return
	}
	if m.queue.expired {
		return
	}
	if m.queue.at == 0 {
		if unknown || mc.unclear(m) {
			return
		}
		least := Span(m.settings.PollingInterval.V) * Second
		if least <= 0 {
			least = 5 * Second
		}
		// One second more than the count of checks, as multipathd counts.
		m.queue = queueState{at: mc.now.After(Span(pol.Checks)*least + Second)}
		m.count.Waits++
		m.countSince = mc.now
		mc.dl.dirty = true
		mc.note(LevelWarning, m.label(), fmt.Sprintf("no usable path: queueing for %d checks, %d s", pol.Checks, m.queue.at.Since(mc.now).Seconds()))
		return
	}
	if mc.now < m.queue.at {
		return
	}
	// The deadline takes something away: it needs evidence gathered after it.
	waiting := false
	for _, p := range ps {
		if p.answeredFor >= m.queue.at || p.refused != "" && !p.inTable {
			continue
		}
		if p.stuck {
			// In flight and long overdue: it cannot be asked again, and
			// nothing came through it since.
			continue
		}
		if p.triedFor >= m.queue.at && mc.now >= m.queue.at.After(p.stuckAfter()) {
			continue // asked again and again since, and nobody can tell
		}
		waiting = true
		if p.checkSeq == 0 && p.triedFor < m.queue.at {
			p.nextCheck = mc.now
			mc.dueCheck(p)
		}
	}
	m.queue.asked = true
	if waiting || mc.unclear(m) {
		return
	}
	mc.expireQueue(m)
	mc.note(LevelError, m.label(), "no path came back in time: queued I/O is failed now, as no_path_retry says ("+m.settings.NoPathRetry.Origin.String()+")")
}

// orphaned goes on with the deadline of a former process where nothing is known of
// the map's settings, since all its paths have left.
func (mc *Machine) orphaned(m *mmap) {
	if m.queue.at == 0 || m.queue.expired || mc.now < m.queue.at {
		return
	}
	m.queue.asked = true
	for _, d := range m.have.Table.Devs() {
		if !mc.departed(m, d) {
			return
		}
	}
	mc.expireQueue(m)
	mc.note(LevelError, m.label(), "no path came back in time: queued I/O is failed now, as the deadline says that was set before the restart")
}

// wantQueue says whether the map shall queue without a path; decided is false
// where the configuration leaves it to the features line.
func (m *mmap) wantQueue() (on, decided bool) {
	if m.queueOff || m.flushing {
		return false, true
	}
	switch m.settings.NoPathRetry.V.Mode {
	case policy.RetryFail:
		return false, true
	case policy.RetryQueue:
		return true, true
	case policy.RetryCount:
		return !m.queue.expired, true
	}
	return m.queueWas, m.queueWas // as it was before an operator disabled it
}

// saveDeadlines writes the running deadlines, when they changed.
func (mc *Machine) saveDeadlines() {
	if !mc.dl.dirty || mc.dl.ask != 0 {
		return
	}
	mc.dl.dirty = false
	var list []Deadline
	var kept []Kept
	for _, m := range mc.maps {
		if m.queue.at != 0 {
			list = append(list, Deadline{WWID: m.wwid, At: m.queue.at, Expired: m.queue.expired})
		}
		if m.known && (m.settingOK || m.recalled) {
			m.kept = m.keptOf()
			kept = append(kept, m.kept)
		}
	}
	mc.dl.ask = mc.nextSeq()
	mc.act(SaveDeadlines{Seq: mc.dl.ask, Deadlines: list, Kept: kept})
}

// takeStopping ends the daemon's work: with Final, queueing is switched off
// where the configuration does not want it without a daemon.
func (mc *Machine) takeStopping(e Stopping) {
	mc.stopping, mc.final = true, e.Final
	for _, m := range mc.maps {
		mc.touch(m)
	}
}

// planStop switches queueing off where nobody takes over. A map whose settings are
// not known, since nobody has looked at its paths yet, is left as it is.
func (mc *Machine) planStop(m *mmap) {
	if !mc.final || !m.known || !m.settingOK && !m.recalled || mc.now < m.pauseUntil ||
		!m.have.Table.QueueIfNoPath() || m.settings.QueueWithoutDaemon.V || mc.forced || m.have.Suspended {
		return
	}
	mc.ask(m, "switch queueing off", Message{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Text: "fail_if_no_path",
		Reason: "the daemon stops for good and queue_without_daemon is off",
	})
}
