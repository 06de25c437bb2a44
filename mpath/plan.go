package mpath

import (
	"slices"

	"pathkeeper/pathcheck"
)

// settleMap brings one map one step nearer to what is wanted. It asks at most
// one question; its answer brings the next step.
func (mc *Machine) settleMap(m *mmap) {
	if !m.pending(mc.now) {
		return
	}
	m.touched = false
	mc.overduePart(m)
	if m.leftAlone {
		return
	}
	mc.at(m)
	mc.tripped()
	for _, at := range []*Instant{&m.retryAt, &m.holdUntil, &m.pauseUntil, &m.resize.nextAt} {
		if *at != 0 && mc.now >= *at {
			*at = 0 // it is time, or no matter any more
		}
	}
	ps, chosen := mc.pathsOf(m), m.settingOK
	mc.chooseSettings(m, ps)
	if m.settingOK && !chosen && m.asFound {
		mc.chooseName(m)
		mc.acceptLater(m)
	}
	if m.nodeDue && m.known && m.settingOK {
		mc.takeNode(m.node)
	}
	if !m.known && len(ps) == 0 {
		switch wait := m.rebuiltAt.After(firstChecks); {
		case m.ask != 0 || m.read != 0:
		case m.rebuilding(mc.now):
			m.holdUntil = wait // its paths and the kernel's word are on their way, and how often it broke must not be forgotten
		default:
			mc.dropMap(m)
		}
		return
	}
	if len(ps) > 0 {
		m.hadPath = true
	}
	switch {
	case m.known && (m.settingOK || m.recalled):
		mc.queueing(m, ps)
	case m.known:
		mc.orphaned(m)
	}
	if m.ask != 0 {
		return
	}
	if mc.stopping {
		mc.planStop(m)
		return
	}
	if !m.known {
		mc.planCreate(m, ps)
		return
	}
	if !m.have.Live {
		mc.planRevive(m, ps)
		return
	}
	if m.have.Suspended {
		if m.ourSuspend && mc.now >= m.pauseUntil {
			mc.ask(m, "resume", ResumeMap{Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, NoKpartx: m.settings.SkipKpartx.V, Reason: "a load of ours left it suspended"})
		}
		return
	}
	if m.adoptDue && !mc.adoptNow(m) {
		return
	}
	if m.have.Target != "multipath" {
		return
	}
	if m.settingOK {
		mc.chooseName(m)
	}
	acts := mc.planCancel(m, ps) || mc.planRollback(m, ps) || mc.planPaths(m, ps) || mc.planRemove(m, ps) || mc.planLoad(m, ps) || mc.planResize(m, ps) || mc.planQueue(m) || mc.planSwitch(m, ps) || mc.planRename(m)
	if !acts {
		mc.settlePart(m)
	}
}

// adoptNow adopts a map that somebody else made while we run, as soon as its
// members were checked; false: not yet.
func (mc *Machine) adoptNow(m *mmap) bool {
	for _, p := range mc.pathsOf(m) {
		if p.member() && p.checkedAt == 0 && !p.stuck && mc.now.Since(p.seenAt) < firstChecks {
			m.holdUntil = p.seenAt.After(firstChecks)
			return false
		}
	}
	m.holdUntil = 0
	mc.adopt(m)
	return true
}

// pending says whether a map has to be looked at now.
func (m *mmap) pending(now Instant) bool {
	due := func(t Instant) bool { return t != 0 && now >= t }
	return m.touched || due(m.pauseUntil) || due(m.retryAt) || due(m.failbackAt) || due(m.holdUntil) || due(m.resize.nextAt) || due(m.part.deadline()) || due(m.queue.at) && !m.queue.expired
}

// ask notes the one open question of a map.
func (mc *Machine) ask(m *mmap, what string, a Action) {
	if m.ask != 0 {
		law := lawOneQuestion
		if m.loading {
			law = lawOneLoad
		}
		mc.breach(law, "%s: %s is not answered, %s is asked", m.wwid, m.askWhat, what)
	}
	m.askWhat, m.askAt, m.askNoted = what, mc.now, false
	m.loading = false
	switch a := a.(type) {
	case CreateMap:
		m.ask, m.loading, m.askRO = a.Seq, true, a.ReadOnly
	case LoadMap:
		m.ask, m.loading, m.askRO = a.Seq, true, a.ReadOnly
	case ResumeMap:
		m.ask = a.Seq
	case RemoveMap:
		m.ask = a.Seq
	case SuspendMap:
		m.ask = a.Seq
	case ReadSizes:
		m.ask = a.Seq
	case ResizeMap:
		m.ask, m.loading, m.askRO = a.Seq, true, a.ReadOnly
	case RenameMap:
		m.ask = a.Seq
	case Message:
		m.ask = a.Seq
	case LimitPaths:
		m.ask = a.Seq
	}
	mc.find.asked[m.ask] = m
	mc.stirMap(m)
	// A read that is under way may have seen the map before the action.
	if m.read != 0 {
		mc.answered(&m.read)
		m.reread = true
	}
	mc.act(a)
}

// freshProof is how old the proof of a path's identity may be that brings it back in the
// kernel. It is older where the map was busy, suspended or not adopted meanwhile.
const freshProof = 2 * Second

// planPaths fails and reinstates paths in the kernel, on edges only: what the
// kernel already has is not sent again.
func (mc *Machine) planPaths(m *mmap, ps []*path) bool {
	if mc.now < m.pauseUntil {
		return false
	}
	m.pauseUntil = 0
	devs := m.have.Table.Devs()
	for _, p := range ps {
		if !p.inTable {
			continue
		}
		switch {
		case !p.up() && p.state != pathcheck.StateUnknown && !p.kernelFailed && m.kernelFailed(p.id.Dev):
			// It was reinstated, and the answer did not say how it is now: that is being read.
		case !p.up() && p.state != pathcheck.StateUnknown && !p.kernelFailed:
			mc.ask(m, "fail "+p.id.Dev.String(), Message{
				Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name,
				Text: "fail_path " + p.id.Dev.String(), Reason: p.whyDown(),
			})
			return true
		case p.up() && p.kernelFailed && p.proven() && !mc.ghostAlone(p, ps):
			if mc.now.Since(p.verifiedAt) > freshProof {
				// No I/O goes there, so that nothing tells what has become of it since.
				if p.checkSeq == 0 {
					mc.hurry(p)
				}
				continue
			}
			// If its answer shows it failed, that is news: I/O failed on it again.
			p.reinstated, p.kernelFailed = mc.now, false
			mc.ask(m, "reinstate "+p.id.Dev.String(), Message{
				Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name,
				Text: "reinstate_path " + p.id.Dev.String(), Reason: p.state.Shown() + ": " + p.message,
			})
			return true
		}
	}
	for _, d := range devs {
		if astray := mc.leadsElsewhere(m, d); mc.departed(m, d) && !m.kernelFailed(d) && (m.hadPath || astray) {
			reason := "the device left"
			if astray {
				reason = "path " + d.String() + " leads to another LUN, " + mc.pathByDev(d).seen.Identity.WWID
				mc.note(LevelError, m.label(), reason+": it is failed; put the array's mapping right, then delete the device and rescan its host")
			}
			mc.ask(m, "fail "+d.String(), Message{
				Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name,
				Text: "fail_path " + d.String(), Reason: reason,
			})
			return true
		}
	}
	return false
}

// ghostAlone keeps a standby path of a target with implicit ALUA only failed
// while no other path works: the target would not take I/O on it anyway.
func (mc *Machine) ghostAlone(p *path, ps []*path) bool {
	if p.state != pathcheck.StateGhost || p.seen.Identity.TPGS != 1 {
		return false
	}
	return !slices.ContainsFunc(ps, func(q *path) bool { return q.state == pathcheck.StateUp })
}

// planQueue puts queueing right by message.
func (mc *Machine) planQueue(m *mmap) bool {
	on, decided := m.wantQueue()
	is := m.have.Table.QueueIfNoPath()
	if m.queue.expired && !m.settingOK {
		on, decided = false, true
	}
	if mc.now < m.pauseUntil || !decided || on == is || (!on && !m.flushing && slices.Contains(m.accepted, "queueing")) {
		return false
	}
	text := "fail_if_no_path"
	if on {
		text = "queue_if_no_path"
	}
	reason := "no_path_retry (" + m.settings.NoPathRetry.Origin.String() + ")"
	if m.queue.expired {
		reason += ": the time to wait for a path is over"
	}
	switch {
	case m.queueOff:
		reason = "an operator disabled queueing"
	case m.flushing:
		reason = "flush_on_last_del (" + m.settings.FlushOnLastDel.Origin.String() + "): its last path left"
	}
	mc.ask(m, "queueing", Message{Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Text: text, Reason: reason})
	return true
}

// planRename renames a map, which only a reconfiguration asks for.
func (mc *Machine) planRename(m *mmap) bool {
	if m.name == "" || m.name == m.have.Name || slices.Contains(m.accepted, "name") || mc.now < m.retryAt {
		return false
	}
	if m.part.exact && m.name != m.part.plan.To {
		return mc.refusePart(m, "it would be called "+m.name+", which the plan does not say")
	}
	mc.ask(m, "rename", RenameMap{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, To: m.name, NoKpartx: m.settings.SkipKpartx.V, Parts: mc.renamedPartitions(m), Reason: m.nameWhy,
	})
	return true
}
