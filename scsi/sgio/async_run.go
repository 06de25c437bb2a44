package sgio

import (
	"time"

	"golang.org/x/sys/unix"
)

// work submits what is queued for one host, and ends when nothing is.
func (a *Async) work(h *host) {
	for {
		a.mu.Lock()
		if len(h.queue) == 0 {
			h.working = false
			a.mu.Unlock()
			return
		}
		d := h.queue[0]
		h.queue = h.queue[1:]
		d.state = submitting
		serial := d.serial
		a.mu.Unlock()

		watchdog := time.AfterFunc(a.limit, func() { a.stall(h, d, serial) })
		errno := a.hand(d)
		watchdog.Stop()

		a.mu.Lock()
		h.stalled = false
		list := a.handed(d, errno)
		a.mu.Unlock()
		a.deliver(list)
	}
}

// hand gives d's command to the kernel; it may sleep. Without the lock: the
// state submitting keeps everybody else away from the descriptor.
func (a *Async) hand(d *device) unix.Errno {
	if d.fd < 0 {
		// O_NONBLOCK: neither open nor write wait for the host's error recovery.
		fd, errno := a.kern.open(d.path, unix.O_RDWR|unix.O_NONBLOCK)
		if errno != 0 {
			return errno
		}
		_ = a.kern.reserve(fd, reserveSize) // costs memory, not correctness
		a.mu.Lock()
		a.next++
		d.fd, d.id = fd, a.next
		a.open[d.id] = d
		a.mu.Unlock()
		if errno := a.poll.add(fd, d.id); errno != 0 {
			return errno
		}
	}
	return a.kern.submit(d.fd, &d.ex.head)
}

// handed looks at what came of hand.
func (a *Async) handed(d *device, errno unix.Errno) (list []Completion) {
	switch {
	case d.early != nil:
		list = a.answer(d, *d.early)
		a.finish(d)
	case errno != 0:
		list = a.answer(d, failed(errno))
		a.drop(d) // a fresh descriptor next time: this one may be of a device that left
	case d.unwanted && !d.late:
		list = a.answer(d, failed(unix.ENODEV))
	default:
		d.state = flying
	}
	if d.unwanted {
		d.unwanted = false
		a.drop(d)
	}
	return list
}

// stall is the watchdog of one submission: whoever waits behind it, and itself,
// is told; the sleeping command keeps its device busy until it is answered.
func (a *Async) stall(h *host, d *device, serial uint64) {
	a.mu.Lock()
	if a.closed || d.serial != serial || d.state != submitting {
		a.mu.Unlock()
		return
	}
	list := a.answer(d, failed(unix.ETIMEDOUT))
	h.stalled, d.late = true, true
	for _, q := range h.queue {
		list = append(list, a.answer(q, failed(unix.ETIMEDOUT))...)
		a.finish(q)
	}
	h.queue = nil
	a.mu.Unlock()
	a.deliver(list)
}

// collectAll waits for answers of all devices until the poller is closed.
func (a *Async) collectAll() {
	defer close(a.ended)
	for {
		ready, err := a.poll.wait()
		if err != nil {
			return
		}
		for _, r := range ready {
			a.mu.Lock()
			list := a.collect(r)
			a.mu.Unlock()
			a.deliver(list)
		}
	}
}

// collect reads one answer. read(2) does not wait here: the descriptor is
// non-blocking.
func (a *Async) collect(r readiness) (list []Completion) {
	d := a.open[r.id]
	if d == nil {
		return nil // dropped meanwhile
	}
	if (d.state != submitting && d.state != flying) || d.early != nil {
		return a.hungUp(d) // nothing is outstanding: only a hang-up can have woken us
	}
	switch errno := a.kern.collect(d.fd, &d.ex.head); {
	case errno == unix.EAGAIN && !r.hangup, errno == unix.EINTR:
		return nil
	case errno != 0:
		return a.hungUp(d)
	}
	response := d.ex.response()
	if d.state == submitting { // the worker tells, when he is back from write(2)
		d.early = &response
		return nil
	}
	list = a.answer(d, response)
	a.finish(d)
	return list
}

// hungUp ends a descriptor whose device left (sg_poll's EPOLLHUP, ENODEV).
func (a *Async) hungUp(d *device) (list []Completion) {
	if d.state == submitting {
		d.unwanted = true
		delete(a.open, d.id)
		a.poll.remove(d.fd) // level-triggered: it would wake us for ever
		return nil
	}
	if d.state == flying {
		list = a.answer(d, failed(unix.ENODEV))
	}
	a.drop(d)
	if a.devices[d.name] == d { // the next command, if there is one, opens it anew
		delete(a.devices, d.name)
	}
	return list
}
