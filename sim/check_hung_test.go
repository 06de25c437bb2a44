package sim

import (
	"fmt"
	"testing"

	"pathkeeper/blockio"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/scsi"
)

// lying stands before the world's SCSI port: some disks never answer, or only
// with a status.
type lying struct {
	scsi.Port
	w      *World
	dead   func(*Disk) bool
	status func(d *Disk, cdb []byte) scsi.Status
	asked  int
}

func (l *lying) Do(device string, r scsi.Request) scsi.Response {
	d := l.w.Disk(device)
	l.asked++
	if d != nil && l.dead != nil && l.dead(d) {
		l.w.took = Forever
		return scsi.Response{}
	}
	if d != nil && l.status != nil {
		if s := l.status(d, r.CDB); s != scsi.StatusGood {
			l.w.cost(mpath.Millisecond, commandCost)
			return scsi.Response{Status: s}
		}
	}
	return l.Port.Do(device, r)
}

func (r *rig) lie() *lying {
	l := &lying{Port: r.d.ports.SCSI, w: r.w}
	r.d.ports.SCSI = l
	return l
}

// deadReads never answers direct reads of some disks.
type deadReads struct {
	blockio.Port
	w    *World
	dead func(*Disk) bool
}

func (p deadReads) ReadAt(device string, off uint64, n uint32) ([]byte, uint32) {
	if d := p.w.Disk(device); d != nil && p.dead(d) {
		p.w.took = Forever
		return nil, 0
	}
	return p.Port.ReadAt(device, off, n)
}

// checked counts the answers of checks by path, from now on.
func (r *rig) checked() map[mpath.PathID]int {
	n := map[mpath.PathID]int{}
	r.d.Watch = func(_ *mpath.Machine, ev mpath.Event) {
		if e, ok := ev.(mpath.CheckDone); ok {
			n[e.Path]++
		}
	}
	return n
}

// A thousand paths whose commands never come back: each holds one open request,
// for ever, and the checks of the others go on as if nothing were.
func TestHungChecksDelayNobody(t *testing.T) {
	for checker, dead := range map[string]int{"tur": 1000, "directio": 250} {
		t.Run(checker, func(t *testing.T) {
			r := newRig(t, 91, plain+"overrides {\n detect_checker no\n path_checker "+checker+"\n}\n")
			r.d.Quick = true
			const luns = 25
			for range luns {
				l := r.w.AddLUN(LUN{})
				for i := range dead / luns {
					r.w.AddPath(l, uint32(10+i), 1)
				}
				for i := range 4 {
					r.w.AddPath(l, uint32(2+i), 1)
				}
			}
			r.start(60 * second)
			isDead := func(d *Disk) bool { return d.Host >= 10 }
			if checker == "tur" {
				r.lie().dead = isDead
			} else {
				r.d.ports.Block = deadReads{Port: r.d.ports.Block, w: r.w, dead: isDead}
			}
			r.run(100 * second)
			if len(r.d.hung) != dead {
				r.fail("%d requests are open", len(r.d.hung))
			}
			started := r.d.Counts["StartCheck"]
			n := r.checked()
			r.run(100 * second)
			if len(r.d.hung) != dead {
				r.fail("%d requests are open 100 s later", len(r.d.hung))
			}
			healthy := 0
			for _, p := range r.d.Snapshot().Paths {
				d := r.w.Disk(p.Name)
				if isDead(d) {
					if p.State != pathcheck.StateTimeout || p.HungSince == 0 || p.Hangs != 1 || n[p.ID] != 0 {
						r.fail("%s is %s since %d, %d hangs, %d answers", p.Name, p.State, p.StateSince, p.Hangs, n[p.ID])
					}
					continue
				}
				healthy++
				if p.State != pathcheck.StateUp || n[p.ID] < 5 || n[p.ID] > 6 {
					r.fail("%s is %s and was checked %d times in 100 s", p.Name, p.State, n[p.ID])
				}
			}
			if n := r.d.Counts["StartCheck"] - started; n > healthy*6 {
				r.fail("%d checks of %d paths that answer", n, healthy)
			}
		})
	}
}

// A command that comes back after all is taken for what it is: old. The path is
// asked again, and is back by the new answer.
func TestLateAnswer(t *testing.T) {
	r := newRig(t, 92, plain)
	_, a := r.alua("a")
	r.start(60 * second)
	dead := true
	r.lie().dead = func(d *Disk) bool { return dead && d == a[0] }
	r.run(60 * second)
	v := r.pathView(a[0].Name)
	if v.State != pathcheck.StateTimeout || !v.CheckOpen || v.HungSince == 0 || !v.KernelFailed {
		r.fail("%s is %s, open %v, hangs since %d", v.Name, v.State, v.CheckOpen, v.HungSince)
	}
	if want := fmt.Sprintf("no answer for %d s", r.d.Snapshot().Now.Since(v.HungSince).Seconds()); v.Message != want {
		r.fail("message %q, want %q", v.Message, want)
	}
	dead = false
	n := r.checked()
	r.d.Unhang()
	r.run(3 * second)
	v = r.pathView(a[0].Name)
	if v.State != pathcheck.StateUp || v.KernelFailed || v.HungSince != 0 || v.Hangs != 1 {
		r.fail("%s is %s, failed in the kernel %v, hangs since %d", v.Name, v.State, v.KernelFailed, v.HungSince)
	}
	if n[v.ID] < 2 || n[v.ID] > 3 { // the old answer, the one that counts, perhaps the next regular one
		r.fail("%d answers", n[v.ID])
	}
}

// A device that is deleted while its check hangs is gone, and the next one of its
// name and number is checked at once. The answer of the old one changes nothing.
func TestDeletedWhileItsCheckHangs(t *testing.T) {
	r := newRig(t, 93, plain)
	l, a := r.alua("a")
	r.start(60 * second)
	seq := a[0].Diskseq
	r.lie().dead = func(d *Disk) bool { return d.Diskseq == seq }
	r.run(60 * second)
	a[0].Delete()
	r.run(10 * second)
	again := r.w.AddPath(l, 2, 1)
	if again.Name != a[0].Name {
		r.fail("the new device is %s", again.Name)
	}
	r.run(2 * second)
	v := r.pathView(again.Name)
	if v.ID.Diskseq != again.Diskseq || v.State != pathcheck.StateUp || !v.InTable || v.Hangs != 0 {
		r.fail("%s is %s, in the table %v", v.ID, v.State, v.InTable)
	}
	r.d.Unhang()
	r.run(second)
	if v := r.pathView(again.Name); v.State != pathcheck.StateUp {
		r.fail("%s is %s: %s", v.ID, v.State, v.Message)
	}
}

// Hosts whose queues are full for minutes, at whatever command, change the state
// of no path, not even after a standstill, when every path has to say again who it
// is; and they are asked less and less.
func TestTaskSetFullStorm(t *testing.T) {
	for _, status := range []scsi.Status{scsi.StatusTaskSetFull, scsi.StatusBusy} {
		for _, only := range []string{"any", "inquiry"} {
			t.Run(fmt.Sprintf("%s/%s", status, only), func(t *testing.T) {
				r := newRig(t, 94, plain)
				var disks []*Disk
				for i := range 20 {
					_, d := r.alua(fmt.Sprint("l", i))
					disks = append(disks, d...)
				}
				r.start(60 * second)
				loads := r.d.Counts["LoadMap"] + r.d.Counts["Message"]
				l := r.lie()
				l.status = func(d *Disk, cdb []byte) scsi.Status {
					if d.Host == 3 && (only == "any" || cdb[0] == 0x12) {
						return status
					}
					return scsi.StatusGood
				}
				n := r.checked()
				const seconds = 120
				r.run(seconds / 2 * second)
				r.d.Stop()
				r.run(10 * second)
				r.d.Continue()
				r.run(seconds / 2 * second)
				for _, p := range r.d.Snapshot().Paths {
					if p.State != pathcheck.StateUp || p.KernelFailed {
						r.fail("%s is %s: %s", p.Name, p.State, p.Message)
					}
					if n[p.ID] > seconds/5+10 {
						r.fail("%s was checked %d times in %d s", p.Name, n[p.ID], seconds)
					}
				}
				if n := r.d.Counts["LoadMap"] + r.d.Counts["Message"] - loads; n != 0 {
					r.fail("%d changes of maps", n)
				}
				l.status = nil
				r.run(60 * second)
				for _, d := range disks {
					if v := r.pathView(d.Name); v.State != pathcheck.StateUp || v.Interval != 20*second {
						r.fail("%s is %s at %d s", v.Name, v.State, v.Interval.Seconds())
					}
				}
			})
		}
	}
}

// A reservation of another host is an answer: the paths stay up.
func TestReservationConflictIsUp(t *testing.T) {
	r := newRig(t, 95, plain)
	_, a := r.alua("a")
	r.start(60 * second)
	r.lie().status = func(_ *Disk, cdb []byte) scsi.Status {
		if cdb[0] == 0x12 {
			return scsi.StatusGood
		}
		return scsi.StatusReservationConflict
	}
	r.run(60 * second)
	for _, d := range a {
		if v := r.pathView(d.Name); v.State != pathcheck.StateUp || v.KernelFailed {
			r.fail("%s is %s: %s", v.Name, v.State, v.Message)
		}
	}
}
