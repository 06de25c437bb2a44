package sim

import "pathkeeper/mpath"

// draining is a suspension that waits for the I/O in flight.
type draining struct{ noflush bool }

// suspendOrResume is dev_suspend.
func (m *Map) suspendOrResume(c *ioctl) uint32 {
	noflush := c.flags&fNoFlush != 0
	if c.flags&fSuspend != 0 {
		if !m.suspended && !m.suspend(noflush) {
			return eINTR
		}
		m.fill(c)
		return 0
	}
	resized := false
	if m.inactive == nil && !m.suspended {
		c.flags &^= fInactive
		m.fill(c)
		return 0
	}
	if m.inactive != nil {
		if !m.suspended && !m.suspend(noflush) {
			return eINTR
		}
		// dm_swap_table looks at the sizes, and only now. What does not fit is thrown
		// away, and the map stays suspended with the table that it had.
		if !m.inactive.fits() {
			m.setTables(m.live, nil)
			return eINVAL
		}
		size := m.live.sectors()
		m.setTables(m.inactive, nil)
		m.w.dmEvent()
		resized = size != 0 && size != m.live.sectors()
	}
	c.flags &^= fInactive
	if m.live == nil {
		return eINVAL
	}
	m.resume()
	c.flags |= fUevent
	more := ""
	if resized {
		more = "RESIZE=1"
	}
	m.w.uevent(m.event("change", more, c.event))
	m.fill(c)
	return 0
}

// suspend stops I/O. false: the call waits for what is in flight, for as long as
// that takes (dm.c __dm_suspend, dm_wait_for_completion): a command that hangs on
// one path holds up the reload of its map. New I/O waits in the map meanwhile.
//
// Without noflush queueing is switched off and what is queued fails; the setting
// is kept for the resume (dm-mpath.c multipath_presuspend).
func (m *Map) suspend(noflush bool) bool {
	if m.draining == nil {
		m.Suspends++
		for _, t := range m.live.multipaths() {
			if !noflush {
				t.saved, t.queue = t.queue, false
				t.kick()
			}
			m.waiting = append(m.waiting, t.queued...)
			t.queued = nil
		}
		m.draining = &draining{noflush: noflush}
	}
	if m.busy() {
		m.w.took = Forever
		return false
	}
	m.draining = nil
	m.suspended = true
	return true
}

// busy says whether a suspension has to wait: for I/O, or for a handler that is
// being told (multipath_wait_for_pg_init_completion).
func (m *Map) busy() bool {
	n := m.inFlight
	for _, t := range m.live.multipaths() {
		n += t.inProgress
	}
	return n > 0
}

// drained lets a suspension go on that waited.
func (m *Map) drained() {
	if m.draining == nil || m.busy() {
		return
	}
	m.w.after(0, func() {
		if m.byOther && m.draining != nil {
			m.byOther = !m.suspend(true)
		}
		m.w.thaw()
	})
}

// undrain gives a suspension up that waits: its caller was killed. The kernel
// starts the queue again; multipath has no presuspend_undo, so that what a
// suspension without noflush has switched off stays off; a table that was to be
// swapped in is lost (dm-ioctl.c do_resume).
func (m *Map) undrain() {
	if m.draining == nil {
		return
	}
	m.draining, m.byOther = nil, false
	m.setTables(m.live, nil)
	m.again()
}

// interrupt ends the device-mapper calls that wait: the process that made them
// was killed.
func (w *World) interrupt() {
	for _, m := range w.maps {
		if !m.byOther {
			m.undrain()
		}
	}
}

func (m *Map) resume() {
	m.suspended = false
	for _, t := range m.live.multipaths() {
		if t.saved {
			t.queue, t.saved = true, false
		}
	}
	m.again()
}

// again sends what waited on its way.
func (m *Map) again() {
	waiting := m.waiting
	m.waiting = nil
	for _, io := range waiting {
		m.submit(io)
	}
}

// load is table_load. The first one makes the block device: only from then on it
// is in sysfs and sends events (dm.c dm_setup_md_queue: add_disk).
func (m *Map) load(c *ioctl) uint32 {
	t, errno := m.parseLoad(c)
	if errno != 0 {
		return errno
	}
	if m.live != nil && m.live.immutable() != t.immutable() || m.kind != "" && m.kind != t.queueMode() {
		return eINVAL // a multipath target cannot be exchanged for another kind
	}
	m.Loads++
	m.stage(t)
	c.flags |= fInactive
	m.fill(c)
	return 0
}

func (m *Map) stage(t *dmTable) {
	m.kind = t.queueMode()
	m.setTables(m.live, t)
	if !m.registered {
		m.registered = true
		m.w.uevent(m.event("add", "", 0))
	}
}

// Open opens the map, as a file system or database would.
func (m *Map) Open() { m.open++ }

// Close ends Open.
func (m *Map) Close() {
	m.open--
	m.lastClose()
}

// openCount counts openers and the maps above, which open what they hold.
func (m *Map) openCount() int { return m.open + len(owners(m.users)) }

// lastClose removes a map that was to be removed when nobody uses it any more
// (dm_blk_close; the removal is a work of its own).
func (m *Map) lastClose() {
	if m.deferred && m.openCount() == 0 {
		m.w.after(m.w.between(50*mpath.Millisecond/1000, mpath.Millisecond), func() {
			if m.deferred && m.openCount() == 0 && m.w.index.mapMinors[m.minor] == m {
				m.drop(0)
			}
		})
	}
}
