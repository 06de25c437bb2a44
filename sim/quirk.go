package sim

import (
	"slices"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// Quirk makes a disk, or a LUN on all its paths, answer otherwise than it
// should. The zero Quirk matches every command and changes nothing.
type Quirk struct {
	// What it applies to.
	Opcodes []uint8       // nil: every command
	Pages   []uint8       // only INQUIRY for these vital product data pages
	Chance  int           // out of 1000; 0: always
	Times   int           // how often; 0: until it is taken back
	Until   mpath.Instant // 0: for ever

	// What it does, in this order.
	Errno uint32          // the system call fails
	Hang  bool            // no answer before the quirk is taken back
	Slow  mpath.Span      // the answer takes so much longer
	Lost  bool            // no answer before the command's own time-out
	Host  scsi.HostStatus // the host adapter says so
	// Status takes the place of the device's. BUSY and TASK SET FULL the kernel
	// does not hand on: it sends the command again until its time is over
	// (drivers/scsi/scsi_lib.c scsi_complete, scsi_cmd_runtime_exceeced).
	Status scsi.Status
	Sense  []byte // with CHECK CONDITION, as it is: garbage, deferred (71h), none
	Data   []byte // in place of the device's data, if not nil
	Cut    int    // so many bytes of the data are missing at its end

	used int
}

// Lie adds a quirk to the disk. It is a handle to take it back with.
func (d *Disk) Lie(q Quirk) *Quirk {
	d.quirks = append(d.quirks, &q)
	return &q
}

// Honest takes quirks back, all of them if none is named.
func (d *Disk) Honest(qs ...*Quirk) {
	d.quirks = without(d.quirks, qs)
	d.w.thaw()
}

// Lie adds a quirk to every path of the LUN.
func (l *LUN) Lie(q Quirk) *Quirk {
	l.quirks = append(l.quirks, &q)
	return &q
}

// Honest takes the LUN's quirks back, all of them if none is named.
func (l *LUN) Honest(qs ...*Quirk) {
	l.quirks = without(l.quirks, qs)
	l.w.thaw()
}

func without(list, qs []*Quirk) []*Quirk {
	if len(qs) == 0 {
		return nil
	}
	return slices.DeleteFunc(list, func(q *Quirk) bool { return slices.Contains(qs, q) })
}

// Busy has the disk answer BUSY or TASK SET FULL for some time.
func (d *Disk) Busy(s scsi.Status, span mpath.Span) {
	d.Lie(Quirk{Status: s, Until: d.w.now.After(span)})
}

// Conflict has the disk answer RESERVATION CONFLICT to what a reservation of
// another host keeps it from: reads, writes and, as an old RESERVE does, TEST
// UNIT READY (SPC-4 5.9.4 table 67; SPC-2 5.5.1 table 10).
func (d *Disk) Conflict() *Quirk {
	return d.Lie(Quirk{Opcodes: []uint8{opTestUnitReady, opRead10, opRead16, opWrite10, opWrite16}, Status: scsi.StatusReservationConflict})
}

// quirk finds what applies to a command, nil if nothing does.
func (d *Disk) quirk(cdb []byte) *Quirk {
	for _, q := range d.quirks {
		if q.takes(d.w, cdb) {
			return q
		}
	}
	if d.lun == nil {
		return nil
	}
	for _, q := range d.lun.quirks {
		if q.takes(d.w, cdb) {
			return q
		}
	}
	return nil
}

func (q *Quirk) takes(w *World, cdb []byte) bool {
	switch {
	case q.Times > 0 && q.used >= q.Times, q.Until != 0 && w.now >= q.Until:
		return false
	case q.Opcodes != nil && !slices.Contains(q.Opcodes, cdb[0]):
		return false
	case q.Pages != nil && (cdb[0] != opInquiry || cdb[1]&1 == 0 || !slices.Contains(q.Pages, cdb[2])):
		return false
	case q.Chance > 0 && w.rand.IntN(1000) >= q.Chance:
		return false
	}
	if !q.Hang {
		q.used++
	}
	return true
}

// before is what happens to a command before the device sees it. done: the
// response is the answer.
func (q *Quirk) before(w *World, r scsi.Request) (resp scsi.Response, done bool) {
	limit := mpath.Span(r.TimeoutMS) * mpath.Millisecond
	switch {
	case q.Errno != 0:
		return scsi.Response{Errno: q.Errno}, true
	case q.Hang:
		w.took = Forever
		return scsi.Response{}, true
	case q.Lost || q.Slow >= limit && limit > 0:
		w.cost(limit, 0)
		return scsi.Response{Host: scsi.HostTimeOut}, true
	}
	w.cost(q.Slow, 0)
	if q.Host != scsi.HostOK {
		return scsi.Response{Host: q.Host}, true
	}
	switch q.Status {
	case scsi.StatusGood:
		return resp, false
	case scsi.StatusBusy, scsi.StatusTaskSetFull:
		if q.Until != 0 && q.Until.Since(w.now) < limit {
			w.cost(q.Until.Since(w.now), 0)
			return resp, false
		}
		w.cost(limit, 0)
	}
	return scsi.Response{Status: q.Status, Sense: slices.Clone(q.Sense)}, true
}

// after changes what the device said.
func (q *Quirk) after(resp scsi.Response) scsi.Response {
	if q.Data != nil {
		resp.Data = slices.Clone(q.Data)
	}
	resp.Data = resp.Data[:max(0, len(resp.Data)-q.Cut)]
	return resp
}
