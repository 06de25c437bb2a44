package sim

import "pathkeeper/mpath"

// suspendOrResume is dev_suspend.
func (m *Map) suspendOrResume(c *ioctl) uint32 {
	if c.flags&fSuspend != 0 {
		if !m.suspended {
			m.suspend(c.flags&fNoFlush != 0)
		}
		m.fill(c)
		return 0
	}
	next := m.inactive
	m.inactive = nil
	c.flags &^= fInactive
	if next == nil && !m.suspended {
		m.fill(c)
		return 0
	}
	if next != nil {
		if !m.suspended {
			m.suspend(c.flags&fNoFlush != 0)
		}
		m.live = next
		m.w.sweep()
	}
	if m.live == nil {
		return eINVAL
	}
	m.resume()
	c.flags |= fUevent
	m.w.uevent(m.event("change", "", c.event))
	m.fill(c)
	return 0
}

// suspend stops I/O. The kernel waits here for what is in flight; the call
// takes that long, though its effect is put before the wait: what is in flight
// ends by the table it was sent with either way.
func (m *Map) suspend(noflush bool) {
	m.Suspends++
	m.noflush = noflush
	for _, t := range m.live.multipaths() {
		if !noflush {
			t.saved, t.queue = t.queue, false
			t.kick()
		}
		m.waiting = append(m.waiting, t.queued...)
		t.queued = nil
	}
	m.suspended = true
	if m.inFlight > 0 {
		m.w.cost(mpath.Millisecond, 5*mpath.Millisecond)
	}
}

func (m *Map) resume() {
	m.suspended, m.noflush = false, false
	for _, t := range m.live.multipaths() {
		if t.saved {
			t.queue, t.saved = true, false
		}
	}
	again := m.waiting
	m.waiting = nil
	for _, io := range again {
		m.submit(io)
	}
}

// load is table_load.
func (m *Map) load(c *ioctl) uint32 {
	t, errno := m.parseLoad(c)
	if errno != 0 {
		return errno
	}
	if m.live != nil && m.live.immutable() != t.immutable() {
		return eINVAL // a multipath target cannot be exchanged for another kind
	}
	m.Loads++
	m.inactive = t
	m.w.sweep()
	c.flags |= fInactive
	m.fill(c)
	return 0
}
