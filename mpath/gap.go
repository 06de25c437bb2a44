package mpath

import "fmt"

// gapLimit is how late the shell may be before it counts as having stood still:
// SIGSTOP, a paused VM, a starved host.
const gapLimit = 5 * Second

// standstill notes that nobody called when the last wake asked for it. What the
// core believes is as old as the gap is long, and answers to what was asked
// before it are no evidence any more: every path is asked again, and until then
// no path counts as verified. Limits on answers begin anew, since the answers may
// have been waiting for us.
func (mc *Machine) standstill() {
	late := mc.now.Since(mc.promised)
	if mc.promised == 0 || mc.promised == Never || late < gapLimit {
		return
	}
	mc.stoodStill(late)
}

// stoodStill takes the shell's word that nobody was there for a while, which it
// notices sooner than the core can: its loop turns twice a second.
func (mc *Machine) stoodStill(late Span) {
	if mc.gapAt == mc.now {
		return
	}
	mc.gapAt = mc.now
	mc.note(LevelWarning, "time", fmt.Sprintf("stood still for %d s (stopped, paused or starved): every path is checked before anything is decided", late.Seconds()))
	for _, p := range mc.paths {
		if !p.checkable() {
			mc.stir(p) // a check from before it was left alone may still be open
			continue
		}
		p.failedAt = mc.now
		mc.checkNow(p) // which also makes the limit on an open check begin anew
		if p.checkedAt == 0 {
			p.seenAt = mc.now
		}
	}
	for _, m := range mc.maps {
		mc.touch(m)
		if !m.known {
			m.firstPath = mc.now
		} else if mc.started {
			mc.readMap(m)
		}
	}
	if mc.names.ask != 0 {
		mc.names.since = mc.now
	}
}

// unsure says whether paths that were up before a gap have not answered since, or
// are about to say again who they are; what depends on them waits a moment.
func (mc *Machine) unsure(m *mmap, ps []*path) bool {
	for _, p := range ps {
		if p.up() && !p.stuck && p.doubtAt != 0 && mc.now.Since(p.doubtAt) < firstChecks {
			m.holdUntil = p.doubtAt.After(firstChecks)
			return true
		}
	}
	if mc.gapAt == 0 || mc.now.Since(mc.gapAt) >= firstChecks {
		return false
	}
	for _, p := range ps {
		if p.up() && !p.stuck && p.answeredFor < mc.gapAt {
			m.holdUntil = mc.gapAt.After(firstChecks)
			return true
		}
	}
	return false
}
