package mpath

import "pathkeeper/policy"

// Counters are what is counted of a map since the daemon runs, or since an
// operator reset them: multipathd's `show maps stats`.
type Counters struct {
	Loads    int  // tables loaded
	Switches int  // groups switched to
	Faults   int  // paths that failed, by the kernel's word or a checker's
	Failures int  // how often its last path was lost and it may not queue for ever, and how often its queueing ended
	Waits    int  // how often its last path was lost and its I/O queued for a time
	Waited   Span // how long it did so, all in all
}

// counters gives the counters of this moment.
func (mc *Machine) counters(m *mmap) Counters {
	c := m.count
	if m.countSince != 0 {
		c.Waited += max(mc.now.Since(m.countSince), 0)
	}
	return c
}

// endWait ends a wait for a path that is counted.
func (mc *Machine) endWait(m *mmap) {
	m.count = mc.counters(m)
	m.countSince = 0
}

// expireQueue has queueing switched off: no path came back in time.
func (mc *Machine) expireQueue(m *mmap) {
	mc.endWait(m)
	m.count.Failures++
	m.queue.expired = true
	mc.dl.dirty = true
}

// countLoss counts the loss of the last path of a map that may not queue for ever, as
// multipathd does. unknown: nobody can tell yet whether a path works.
func (mc *Machine) countLoss(m *mmap, lost, unknown bool) {
	if lost && (unknown || mc.unclear(m)) {
		return
	}
	if lost && !m.lost && m.known && m.settings.NoPathRetry.V.Mode != policy.RetryQueue {
		m.count.Failures++
	}
	m.lost = lost
}
