package mpath

import (
	"math/bits"

	"pathkeeper/pathcheck"
)

const (
	// checkGrain is the step of the times at which checks are due: those of one
	// step cost one wake.
	checkGrain = 100 * Millisecond
	// hurryPace is the least time between two checks of a path that news ask for.
	// However many news come, a path costs one check in that time.
	hurryPace = 1 * Second
)

// golden is 2^64 divided by the golden ratio. The multiples of that ratio are
// the sequence whose points are the most evenly spread, however many there are.
const golden = 0x9e3779b97f4a7c15

// phase is a path's own moment within every interval. It follows from the order
// in which the paths came, so that any number of them is spread evenly and the
// moment of a path stays the same whoever comes or goes.
func (p *path) phase() Span {
	_, most := p.polling()
	at, _ := bits.Mul64(p.serial*golden, uint64(most))
	return Span(at) / checkGrain * checkGrain
}

// slot is the last of a path's own moments within the interval from now on. So
// the checks of a host are spread one interval after they all fell together: at
// a start, after a reconfiguration, after a standstill. How long an answer took
// is not added to the interval.
func (mc *Machine) slot(p *path, interval Span) Instant {
	end := mc.now.After(interval)
	return end - (mc.now-Instant(p.phase()))%Instant(interval)
}

// regular makes the next check due at a path's interval: polling_interval after
// anything has changed, while it is down and while the array moves its LUN,
// doubling to max_polling_interval while it stays up.
func (mc *Machine) regular(p *path, changed bool) {
	least, most := p.polling()
	if changed || !p.up() || p.moving {
		p.interval = least
	} else {
		p.interval = min(p.interval*2, most)
	}
	p.nextCheck = mc.slot(p, p.interval)
}

// unlearned makes the next check due after one from which nothing was learned. A
// device that only needs a moment is asked each second. One that has no room for
// commands is asked less and less, down to polling_interval: whole hosts can be
// in that state for long, and each check takes room too.
func (mc *Machine) unlearned(p *path, v pathcheck.Verdict) {
	least, _ := p.polling()
	switch {
	case v.State == pathcheck.StateWild:
		p.patience = least
	case v.Inconclusive:
		p.patience = min(max(p.patience*2, pendingAgain), max(least, pendingAgain))
	default:
		p.patience = pendingAgain
	}
	p.nextCheck = mc.slot(p, p.patience)
}

// hurry has a path checked as soon as its pace allows, since there are news of it.
func (mc *Machine) hurry(p *path) {
	if p.checkSeq != 0 {
		p.again = true
		return
	}
	at := mc.now
	if p.hurried != 0 {
		at = max(at, p.hurried.After(hurryPace))
	}
	p.hurry = true
	p.nextCheck = min(p.nextCheck, at)
	mc.stir(p)
}

// replan spreads the checks anew after a change of the configuration, which may
// have shortened the intervals.
func (mc *Machine) replan() {
	for _, p := range mc.paths {
		if !p.checkable() || p.checkSeq != 0 || p.nextCheck <= mc.now {
			continue
		}
		p.interval, _ = p.polling()
		p.nextCheck = min(p.nextCheck, mc.slot(p, p.interval))
		mc.stir(p)
	}
}
