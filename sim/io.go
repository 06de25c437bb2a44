package sim

import (
	"fmt"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// IO is one write of an application through a map, or a read.
type IO struct {
	Read  bool // Stamp is what was read, at the end
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
	case m.suspended || m.draining != nil:
		m.waiting = append(m.waiting, io)
	case len(mps) > 0:
		mps[0].route(io)
	case m.live == nil || len(m.live.targets) == 0:
		io.end("EIO: no table")
	default:
		m.remap(io)
	}
}

// remap is linear_map: the write goes on to what is below.
func (m *Map) remap(io *IO) {
	for _, t := range m.live.targets {
		if io.Block < t.start || io.Block >= t.start+t.length {
			continue
		}
		below := *io
		below.Block += t.offset - t.start
		m.inFlight++
		done := func(err string) {
			m.inFlight--
			io.end(err)
			m.drained()
		}
		below.then = func(b *IO) {
			io.Stamp = b.Stamp
			done(b.Err)
		}
		switch dev := t.under; {
		case dev.mapped != nil:
			below.Map = dev.mapped
			dev.mapped.submit(&below)
		default:
			below.Block += dev.start
			dev.disk.submit(&below, func(f fate) {
				io.Stamp = below.Stamp
				done(f.err())
			})
		}
		return
	}
	io.end("EIO: beyond the end")
}

// fate is what became of a write on one path.
type fate struct {
	text string // "" it is on the disk
	// device: the target refused it; another path would not help, and dm hands it
	// to the application as it is (dm-mpath.c, blk_path_error).
	device string // errno name
	wait   mpath.Span
	park   bool
	late   mpath.Span
}

func (f fate) err() string {
	switch {
	case f.device != "":
		return f.device + ": " + f.text
	case f.text != "":
		return "EIO: " + f.text
	}
	return ""
}

// route is multipath_clone_and_map: a path, the queue, or an error. A group whose
// handler has not been told yet is told first, and the write waits.
func (mp *multipath) route(io *IO) {
	p := mp.choose()
	switch {
	case p == nil && mp.queue:
		mp.queued = append(mp.queued, io)
		return
	case p == nil:
		io.end("EIO: no path")
		return
	case mp.queueIO || mp.initRequired:
		mp.queued = append(mp.queued, io)
		if !mp.startInit() {
			mp.queueIO = false
			mp.m.w.after(0, mp.kick)
		}
		return
	}
	p.inFlight++
	mp.m.inFlight++
	p.disk.submit(io, func(f fate) {
		p.inFlight--
		mp.m.inFlight--
		mp.ended(p, io, f)
		mp.m.drained()
	})
}

// ended is multipath_end_io: an error of the path fails it and sends the write
// again, by the table that is live then.
func (mp *multipath) ended(p *mpPath, io *IO, f fate) {
	if f.text == "" || f.device != "" {
		io.end(f.err())
		return
	}
	mp.fail(p)
	if p.disk.gone { // its queue is dying: the write was never sent, and looks for another path
		mp.m.submit(io)
		return
	}
	if mp.valid() == 0 && !mp.pushesBack() {
		io.end(f.err())
		return
	}
	mp.m.submit(io)
}

// pushesBack is must_push_back_rq: I/O that has no path goes back to the queue,
// also while a suspension with noflush waits.
func (mp *multipath) pushesBack() bool {
	return mp.queue || mp.m.suspended || mp.m.draining != nil && mp.m.draining.noflush
}

// submit carries a write over one path. It lands, half-way, in the LUN that is
// behind the path at that moment.
func (d *Disk) submit(io *IO, done func(fate)) {
	d.send(io, d.w.between(50*mpath.Millisecond/1000, mpath.Millisecond), done)
}

func (d *Disk) send(io *IO, way mpath.Span, done func(fate)) {
	d.w.after(way, func() {
		f := d.arrive(io)
		switch {
		case f.park:
			d.parked = append(d.parked, func() { d.send(io, way, done) })
			d.w.waiting = true
		case f.wait > 0: // the kernel sends it again
			d.w.after(f.wait, func() { d.send(io, way, done) })
		default:
			d.w.after(way+f.late, func() { done(f) })
		}
	})
}

// queueRetry is how soon the kernel tries a busy device again
// (drivers/scsi/scsi_lib.c, SCSI_QUEUE_DELAY: 3 ms).
const queueRetry = 3 * mpath.Millisecond

// arrive is what the write meets.
func (d *Disk) arrive(io *IO) fate {
	switch {
	case d.gone || d.State == "offline" || d.State == "transport-offline":
		return fate{text: "the device is offline or gone"}
	case d.waits():
		return fate{park: true}
	case d.fault == NoConnect || d.fault == Disrupted || d.nexus.broken:
		return fate{text: "no connection"}
	case d.fault == Hung:
		return fate{text: "no answer in time", late: timeoutS * mpath.Second}
	case d.FailIO:
		return fate{text: "the write fails"}
	case d.lun == nil:
		return fate{text: "no such logical unit"}
	}
	f := fate{}
	if q := d.quirk([]byte{opWrite10, 0, 0, 0, 0, 0}); q != nil {
		if f = q.write(d.w); f.text != "" || f.park || f.wait > 0 {
			return f
		}
	}
	for len(d.ua) > 0 { // the kernel's disk driver sends the command again
		d.attention()
	}
	if bad := d.notReady(); bad != nil {
		return fate{text: fmt.Sprintf("not ready, sense %02x/%02x", bad.asc, bad.ascq)}
	}
	if io.Read {
		io.Stamp = d.lun.blocks[io.Block]
		return f
	}
	if d.lun != io.Meant {
		d.w.Strays = append(d.w.Strays, Stray{At: d.w.now, Disk: d.Name, Meant: io.Meant.Name, Reached: d.lun.Name, Block: io.Block})
	}
	if bad := d.lun.refusal(io.Block); bad != nil {
		return fate{text: fmt.Sprintf("refused, sense %02x/%02x", bad.asc, bad.ascq), device: "EREMOTEIO"}
	}
	d.lun.blocks[io.Block] = io.Stamp
	return f
}

// write is what a quirk does to a write of the kernel's own.
func (q *Quirk) write(w *World) fate {
	f := fate{late: q.Slow}
	switch {
	case q.Hang:
		return fate{park: true}
	case q.Lost || q.Slow >= timeoutS*mpath.Second:
		return fate{text: "no answer in time", late: timeoutS * mpath.Second}
	case q.Host != scsi.HostOK:
		f.text = q.Host.String()
	}
	switch q.Status {
	case scsi.StatusGood:
	case scsi.StatusBusy, scsi.StatusTaskSetFull:
		return fate{wait: queueRetry}
	case scsi.StatusReservationConflict: // BLK_STS_NEXUS: EBADE
		f.text, f.device = "reservation conflict", "EBADE"
	case scsi.StatusCheckCondition:
		f.text = "check condition"
		if len(q.Sense) > 0 && q.Sense[0]&0x7f == 0x71 { // deferred: the command itself is sent again
			return fate{wait: queueRetry}
		}
		if len(q.Sense) > 2 && q.Sense[0]&0x7e == 0x70 && q.Sense[2]&0xf == 0x3 { // MEDIUM ERROR: BLK_STS_MEDIUM
			f.device = "ENODATA"
		}
	default:
		f.text = q.Status.String()
	}
	return f
}

// thaw lets everything go on that waited for a fault to end, a state to change or
// a quirk to be taken back; what still must wait, waits again.
func (w *World) thaw() {
	if w.waiting {
		w.waiting = false
		for _, d := range w.everyDisk() {
			again := d.parked
			d.parked = nil
			for _, f := range again {
				w.after(0, f)
			}
		}
	}
	for _, f := range w.thawed {
		f()
	}
}
