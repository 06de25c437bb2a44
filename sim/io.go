package sim

import (
	"fmt"

	"pathkeeper/mpath"
)

// IO is one write of an application through a map.
type IO struct {
	Map   *Map
	Meant *LUN // the LUN that the application believes to write to
	Block uint64
	Stamp uint64
	Sent  mpath.Instant
	Ended mpath.Instant // 0: still under way
	Err   string        // "" it reached the disk
	then  func(*IO)
}

// Write sends a write through a map. then, which may be nil, is called at its end.
func (m *Map) Write(meant *LUN, block, stamp uint64, then func(*IO)) *IO {
	io := &IO{Map: m, Meant: meant, Block: block, Stamp: stamp, Sent: m.w.now, then: then}
	m.submit(io)
	return io
}

func (io *IO) end(err string) {
	io.Ended, io.Err = io.Map.w.now, err
	if io.then != nil {
		io.then(io)
	}
}

// Queued says how many writes wait in the map.
func (m *Map) Queued() int {
	n := len(m.waiting)
	for _, t := range m.live.multipaths() {
		n += len(t.queued)
	}
	return n
}

func (m *Map) submit(io *IO) {
	switch mps := m.live.multipaths(); {
	case m.suspended:
		m.waiting = append(m.waiting, io)
	case len(mps) == 0:
		io.end("EIO: no multipath table")
	default:
		mps[0].route(io)
	}
}

// route is multipath_clone_and_map: a path, the queue, or an error.
func (mp *multipath) route(io *IO) {
	p := mp.choose()
	if p == nil {
		if mp.queue {
			mp.queued = append(mp.queued, io)
			return
		}
		io.end("EIO: no path")
		return
	}
	p.inFlight++
	mp.m.inFlight++
	p.disk.submit(io, func(bad string) {
		p.inFlight--
		mp.m.inFlight--
		mp.ended(p, io, bad)
	})
}

// ended is multipath_end_io: an error of the path fails it and sends the write
// again, by the table that is live then.
func (mp *multipath) ended(p *mpPath, io *IO, bad string) {
	if bad == "" {
		io.end("")
		return
	}
	mp.fail(p)
	live := mp.m.live.multipaths()
	if len(live) == 1 && live[0] == mp && !mp.m.suspended && mp.valid() == 0 && !mp.queue {
		io.end("EIO: " + bad)
		return
	}
	mp.m.submit(io)
}

// submit carries a write over one path. It lands, half-way, in the LUN that is
// behind the path at that moment.
func (d *Disk) submit(io *IO, done func(bad string)) {
	w := d.w
	way := w.between(50*mpath.Millisecond/1000, mpath.Millisecond)
	w.after(way, func() {
		bad := d.arrive(io)
		back := way
		if bad == hungWord {
			back = timeoutS * mpath.Second
		}
		w.after(back, func() { done(bad) })
	})
}

const hungWord = "no answer in time"

// arrive is what the write meets: "" it is on the disk, else what is wrong with
// the path.
func (d *Disk) arrive(io *IO) string {
	switch {
	case !d.online():
		return "the device is offline or gone"
	case d.fault == NoConnect:
		return "no connection"
	case d.fault == Hung:
		return hungWord
	case d.FailIO:
		return "the write fails"
	case d.lun == nil:
		return "no such logical unit"
	}
	for len(d.ua) > 0 { // the kernel's disk driver sends the command again
		d.attention()
	}
	if bad := d.notReady(); bad != nil {
		return fmt.Sprintf("not ready, sense %02x/%02x", bad.asc, bad.ascq)
	}
	if d.lun != io.Meant {
		d.w.Strays = append(d.w.Strays, Stray{At: d.w.now, Disk: d.Name, Meant: io.Meant.Name, Reached: d.lun.Name, Block: io.Block})
	}
	d.lun.blocks[io.Block] = io.Stamp
	return ""
}
