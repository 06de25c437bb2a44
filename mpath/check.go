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
	if p.checkSeq != 0 {
		if !p.stuck && mc.now >= max(p.checkAsked, mc.gapAt).After(p.stuckAfter()) {
			p.stuck = true
			mc.setState(p, pathcheck.StateTimeout, fmt.Sprintf("no answer for %d s", mc.now.Since(p.checkAsked).Seconds()))
		}
		return
	}
	if mc.now < p.nextCheck {
		return
	}
	s := p.decision.Settings
	p.checkSeq = mc.nextSeq()
	p.checkAsked = mc.now
	mc.act(StartCheck{
		Seq: p.checkSeq, Path: p.id, Name: p.seen.Name, SG: p.seen.SG, HostNo: p.seen.HostNo,
		Checker: s.Checker.V, TimeoutMS: p.timeoutMS(),
		Prio: s.Prio.V, PrioArgs: s.PrioArgs.V,
		PortGroup: p.seen.Identity.PortGroup, TPGS: p.seen.Identity.TPGS,
		Identify: !p.up() || !p.verified() || p.kernelFailed,
		Expect:   p.seen.Identity.WWID,
	})
}

// takeCheck takes the answer of a check.
func (mc *Machine) takeCheck(e CheckDone) {
	p := mc.path(e.Path)
	if p == nil || p.checkSeq != e.Seq {
		return // stale: the path left, or was asked again since
	}
	asked := p.checkAsked
	p.checkSeq, p.stuck = 0, false
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
	if v.Inconclusive || v.State == pathcheck.StatePending || v.State == pathcheck.StateUnknown {
		p.message = v.Message
		p.triedFor = asked
		p.nextCheck = mc.now.After(pendingAgain)
		if m := mc.mapOf(p.wwid); m != nil {
			m.touched = true
		}
		return
	}
	p.checkedAt = mc.now
	p.answeredFor = asked
	if e.Identified && !e.Same {
		mc.foundStranger(p, e.Found)
		p.interval, _ = p.polling()
		p.nextCheck = mc.now.After(p.interval)
		return
	}
	if e.Identified && e.Same && p.failedAt <= asked {
		// It was read after the check was asked, so it says nothing of a failure
		// since then.
		p.verifiedAt = mc.now
		if p.stranger != "" {
			mc.note(LevelNotice, p.seen.Name, "answers as "+p.wwid+" again")
			p.stranger = ""
		}
	}
	st, msg := v.State, v.Message
	if (st == pathcheck.StateUp || st == pathcheck.StateGhost) && !p.verified() {
		st, msg = pathcheck.StateDown, "answers, but its identity could not be read again: "+e.Found
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
	if !p.up() && !e.Identified {
		p.failedAt = mc.now // whatever was known of its identity is old now
	}
	least, most := p.polling()
	switch {
	case changed || !p.up():
		p.interval = least
	default:
		p.interval = min(p.interval*2, most)
	}
	p.nextCheck = mc.now.After(p.interval)
	if p.again {
		p.again, p.nextCheck = false, mc.now
	}
	if m := mc.mapOf(p.wwid); m != nil {
		m.touched = true
		// Not everything that the kernel does to a map is an event: look again
		// at the pace of the checks.
		if m.known && m.ask == 0 && mc.now.Since(m.haveAt) >= least {
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
		m.touched = true
	}
	if wasUp && !p.up() {
		p.failedAt = mc.now
		mc.note(LevelWarning, label, fmt.Sprintf("path %s (%s) is %s: %s", p.seen.Name, p.id.Dev, st.Shown(), msg))
	} else if p.up() && from != pathcheck.StateUnknown {
		mc.note(LevelNotice, label, fmt.Sprintf("path %s (%s) is %s again", p.seen.Name, p.id.Dev, st.Shown()))
		// What the other paths said while this one was away may be old: a group
		// made of old and new priorities would be activated as a whole.
		mc.prioritiesChanged(p)
	}
	return true
}

// prioritiesChanged makes the other paths of the map tell their priorities too:
// an ALUA state rarely moves alone, and a map is not regrouped by half of them.
func (mc *Machine) prioritiesChanged(p *path) {
	if m := mc.mapOf(p.wwid); m != nil {
		m.prioAt = mc.now
	}
	for _, q := range mc.paths {
		switch {
		case q == p || q.wwid != p.wwid || !q.up():
		case q.checkSeq != 0:
			q.again = true
		default:
			mc.checkNow(q)
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
	out := make([]string, 0, len(id.IDs)+1)
	for _, i := range id.IDs {
		out = append(out, i.Value)
	}
	if len(out) == 0 && id.WWID != "" {
		out = append(out, id.WWID)
	}
	return out
}
