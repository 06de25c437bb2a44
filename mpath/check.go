package mpath

import (
	"fmt"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/scsi"
)

// dueCheck starts the check of a path if its time has come and none is in
// flight, and calls an overdue one what it is.
func (mc *Machine) dueCheck(p *path) {
	if !p.checkable() {
		return
	}
	if m := mc.mapOf(p.wwid); m != nil && m.leftAlone {
		p.nextCheck = Never
		return
	}
	if p.checkSeq != 0 {
		if !p.stuck && mc.now >= max(p.checkAsked, mc.gapAt).After(p.stuckAfter()) {
			p.stuck = true
			p.failedAt = mc.now // an answer that comes yet may be as old as the question
			p.hangs++
			mc.due.checks--
			mc.stir(p)
			mc.setState(p, pathcheck.StateTimeout, fmt.Sprintf("no answer for %d s", mc.now.Since(p.checkAsked).Seconds()))
		}
		return
	}
	if mc.now < p.nextCheck {
		return
	}
	s := p.decision.Settings
	mc.checkOpen(p, mc.nextSeq())
	p.checkAsked = mc.now
	if p.hurry {
		p.hurry, p.hurried = false, mc.now
	}
	mc.act(StartCheck{
		Seq: p.checkSeq, Path: p.id, Name: p.seen.Name, SG: p.seen.SG, HostNo: p.seen.HostNo,
		Checker: s.Checker.V, TimeoutMS: p.timeoutMS(),
		Prio: s.Prio.V, PrioArgs: s.PrioArgs.V,
		HCTL: p.seen.HCTL, Serial: p.seen.Identity.Serial, PortGroup: p.seen.Identity.PortGroup, TPGS: p.seen.Identity.TPGS,
		Identify: !p.up() || !p.verified() || p.kernelFailed || p.doubtAt != 0 || mc.now.Since(p.verifiedAt) >= identifyEvery,
		Expect:   p.seen.Identity.WWID,
	})
}

// takeCheck takes the answer of a check.
func (mc *Machine) takeCheck(e CheckDone) {
	p := mc.path(e.Path)
	if p == nil || p.checkSeq != e.Seq {
		return // stale: the path left, or was asked again since
	}
	again := p.again
	mc.checkOpen(p, 0)
	p.stuck, p.again = false, false
	mc.judge(p, e)
	if again { // the news came after it was asked
		mc.hurry(p)
	}
}

// judge takes in what a check found and says when the next one is due.
func (mc *Machine) judge(p *path, e CheckDone) {
	if m := mc.mapOf(p.wwid); m != nil {
		mc.at(m)
	}
	asked := p.checkAsked
	if e.DevState != "" {
		p.devState = e.DevState
	}
	v := e.Verdict
	if up := v.State == pathcheck.StateUp || v.State == pathcheck.StateGhost; asked < mc.gapAt || up && p.failedAt > asked {
		// Older than what is known: asked before a gap, or before the path
		// failed. It says nothing of now.
		p.nextCheck = max(mc.now, p.failedAt.After(flapGuard))
		if asked < mc.gapAt {
			p.nextCheck = mc.now
		}
		return
	}
	if v.Inconclusive || v.State == pathcheck.StatePending || v.State == pathcheck.StateUnknown || v.State == pathcheck.StateWild {
		p.message = v.Message
		p.triedFor = asked
		mc.unlearned(p, v)
		if m := mc.mapOf(p.wwid); m != nil {
			mc.touch(m)
		}
		return
	}
	p.checkedAt, p.patience = mc.now, 0
	p.answeredFor = asked
	if e.Identified && asked >= p.doubtAt {
		p.doubtAt = 0
	}
	if e.Identified && !e.Same {
		mc.foundStranger(p, e.Found)
		mc.regular(p, true)
		return
	}
	if e.Identified && e.Same && p.failedAt <= asked {
		// It was read after the check was asked, so it says nothing of a failure
		// since then.
		p.verifiedAt = mc.now
		if p.stranger != "" {
			mc.note(LevelNotice, p.seen.Name, "answers as "+p.wwid+" again")
			p.stranger = ""
			mc.retune(p, false)
		}
	}
	st, msg := v.State, v.Message
	if (st == pathcheck.StateUp || st == pathcheck.StateGhost) && !p.verified() {
		st, msg = pathcheck.StateDown, "answers, but its identity could not be read again: "+e.Found
	}
	told := p.prioKnown
	if e.PrioAsked {
		p.moving = e.Prio.State == scsi.AccessTransitioning.String()
	}
	if e.PrioAsked && e.Prio.OK {
		if p.prioKnown && p.prio.Priority != e.Prio.Priority {
			mc.note(LevelInfo, p.seen.Name, fmt.Sprintf("priority %d -> %d (%s)", p.prio.Priority, e.Prio.Priority, e.Prio.State))
			mc.prioritiesChanged(p)
			mc.regroupAgain(p.wwid)
		}
		p.prio, p.prioKnown = e.Prio, true
	}
	changed := mc.setState(p, st, msg)
	if m := mc.mapOf(p.wwid); m != nil && changed && p.up() && !told && p.inTable {
		mc.acceptLater(m)
	}
	if !p.up() && !e.Identified {
		p.failedAt = mc.now // whatever was known of its identity is old now
		mc.lostOtherwise(p)
	}
	was := p.interval
	mc.regular(p, changed)
	if m := mc.mapOf(p.wwid); m != nil {
		mc.touch(m)
		// Not everything that the kernel does to a map is an event: look again
		// at the pace of the checks. Those of its other paths are spread over
		// the interval: they need not each look.
		if m.known && m.ask == 0 && mc.now.Since(m.haveAt) >= was/2 {
			mc.readMap(m)
		}
	}
}

// setState notes an edge of a path's state.
func (mc *Machine) setState(p *path, st pathcheck.State, msg string) (changed bool) {
	p.message = msg
	if p.state == st {
		return false
	}
	wasUp := p.up()
	from := p.state
	p.state, p.stateSince = st, mc.now
	m := mc.mapOf(p.wwid)
	label := p.wwid
	if m != nil {
		label = m.label()
		mc.touch(m)
	}
	if m != nil {
		mc.pathEdge(m, p, from)
	}
	if wasUp && !p.up() {
		if m != nil && p.inTable && !p.kernelFailed {
			m.count.Faults++ // what the kernel has failed was counted then
		}
		p.failedAt = mc.now
		mc.note(LevelWarning, label, fmt.Sprintf("path %s (%s) is %s: %s", p.seen.Name, p.id.Dev, st.Shown(), msg))
	} else if p.up() && from != pathcheck.StateUnknown {
		mc.note(LevelNotice, label, fmt.Sprintf("path %s (%s) is %s again", p.seen.Name, p.id.Dev, st.Shown()))
		// What the other paths said while this one was away may be old: a group
		// made of old and new priorities would be activated as a whole.
		mc.prioritiesChanged(p)
		mc.retune(p, true) // a port or session that was lost has come back with times of its own
	}
	return true
}

// prioritiesChanged makes the other paths of the map tell their priorities too:
// an ALUA state rarely moves alone, and a map is not regrouped by half of them.
func (mc *Machine) prioritiesChanged(p *path) {
	m := mc.mapOf(p.wwid)
	if m == nil {
		return
	}
	m.prioAt = mc.now
	for _, q := range mc.pathsOf(m) {
		if q != p && q.up() {
			mc.hurry(q)
		}
	}
}

// regroupAgain ends the patience with an adopted map's groups: they were taken as
// they were for the priorities of then, and those have changed.
func (mc *Machine) regroupAgain(wwid string) {
	m := mc.mapOf(wwid)
	if m == nil || m.settings.Grouping.V != "group_by_prio" {
		return
	}
	for _, f := range []table.Field{table.FieldGroups, table.FieldOrder} {
		m.accepted = dropSorted(m.accepted, f.String())
	}
}

// kernelFailedPath takes the kernel's word that I/O failed on a path. Only a
// check that also finds the right LUN behind it brings it back.
func (mc *Machine) kernelFailedPath(p *path) {
	p.failedAt = mc.now
	mc.stir(p)
	at := mc.now.After(flapGuard)
	if p.reinstated != 0 && mc.now.Since(p.reinstated) < Minute {
		least, _ := p.polling() // it fails again and again: at its own pace
		at = mc.now.After(least)
	}
	if p.up() { // the checker has not seen it yet
		if p.nextCheck > at {
			p.nextCheck = at
		}
	}
}

func idStrings(id scsi.Identity) []string {
	out := make([]string, 0, len(id.IDs))
	for _, i := range id.IDs {
		out = append(out, i.Value)
	}
	if len(out) == 0 && id.WWID != "" {
		out = append(out, id.WWID)
	}
	return out
}
