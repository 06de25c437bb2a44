package sim

import (
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/scsi"
)

// A path whose target says that mappings have changed is in no new table until it
// has said again who it is, however healthy it looks; it carries on in the one that
// is live.
func TestDoubtfulPathIsNotLoaded(t *testing.T) {
	r := newRig(t, 96, plain)
	l, a := r.alua("a")
	r.start(60 * second)
	busy := true
	r.lie().status = func(d *Disk, cdb []byte) scsi.Status {
		if busy && d == a[0] && cdb[0] == 0x12 {
			return scsi.StatusBusy
		}
		return scsi.StatusGood
	}
	r.tell(a[0], mpath.AttentionLUNs)
	r.run(second)
	if v := r.pathView(a[0].Name); !v.Doubt || v.State != pathcheck.StateUp || !v.InTable || v.KernelFailed {
		r.fail("%s is %s, in doubt %v, in the table %v", v.Name, v.State, v.Doubt, v.InTable)
	}
	more := r.w.AddPath(l, 4, 1)
	r.run(10 * second)
	name := r.w.Maps()[0]
	if v := r.pathView(more.Name); !v.InTable {
		r.fail("%s did not join: %s", more.Name, groups(r.mapNamed(name)))
	}
	if v := r.pathView(a[0].Name); v.InTable {
		r.fail("%s was loaded in doubt", a[0].Name)
	}
	busy = false
	r.run(10 * second)
	if v := r.pathView(a[0].Name); v.Doubt || !v.InTable || v.State != pathcheck.StateUp {
		r.fail("%s is %s, in doubt %v, in the table %v", v.Name, v.State, v.Doubt, v.InTable)
	}
}

// A moment of doubt about all paths, as after the reset of an array, costs the map
// no path: a load waits for the answers.
func TestResetOfAnArray(t *testing.T) {
	r := newRig(t, 97, plain)
	l, a := r.alua("a")
	r.start(60 * second)
	app := r.write(r.mapNamed(r.w.Maps()[0]), l, 50*mpath.Millisecond)
	loads := r.d.Counts["LoadMap"]
	for _, d := range a {
		r.tell(d, mpath.AttentionReset)
	}
	r.w.AddPath(l, 4, 1)
	r.run(20 * second)
	if n := r.d.Counts["LoadMap"] - loads; n != 1 {
		r.fail("%d loads for one new path", n)
	}
	for _, d := range a {
		if v := r.pathView(d.Name); !v.InTable || v.Doubt {
			r.fail("%s: in the table %v, in doubt %v", v.Name, v.InTable, v.Doubt)
		}
	}
	if app.lastGood == 0 {
		r.fail("nothing was written")
	}
	r.wantSound()
}

// A checker that cannot work on a device says nothing about the path: its state
// stays, and it is asked at polling_interval.
func TestCheckerThatCannotWork(t *testing.T) {
	r := newRig(t, 98, plain)
	_, a := r.alua("a")
	r.start(60 * second)
	r.d.ports.SCSI = refusing{}
	messages, was := r.d.Counts["Message"], r.d.Counts["StartCheck"]
	r.run(60 * second)
	for _, d := range a {
		if v := r.pathView(d.Name); v.State != pathcheck.StateUp {
			r.fail("%s is %s: %s", v.Name, v.State, v.Message)
		}
	}
	if r.d.Counts["Message"] != messages {
		r.fail("the kernel was told something")
	}
	if n := r.d.Counts["StartCheck"] - was; n > 4*13 {
		r.fail("%d checks in a minute", n)
	}
}

// refusing takes no commands: the daemon lacks the right to send them.
type refusing struct{}

func (refusing) Do(string, scsi.Request) scsi.Response {
	const eperm = 1
	return scsi.Response{Errno: eperm}
}
