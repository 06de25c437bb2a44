package sim

import (
	"testing"

	"pathkeeper/mpath"
)

func TestMapIsCreated(t *testing.T) {
	r := newRig(t, 1, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	m := r.mapNamed("mpatha")
	if m.UUID() != "mpath-"+l.WWID() || m.suspended || m.Loads != 1 {
		r.fail("uuid %s, suspended %v, %d loads", m.UUID(), m.suspended, m.Loads)
	}
	if got, want := r.w.Files.Text("/etc/multipath/bindings"), "mpatha "+l.WWID(); !contains(got, want) {
		r.fail("bindings %q", got)
	}
	if got := r.w.Files.Text("/etc/multipath/wwids"); !contains(got, "/"+l.WWID()+"/") {
		r.fail("wwids %q", got)
	}
	r.run(10 * mpath.Minute)
	if m.Loads != 1 || m.Suspends != 1 || r.d.Counts["Message"] != 0 {
		r.fail("in peace: %d loads, %d suspends, actions %v", m.Loads, m.Suspends, r.d.Counts)
	}
}

func TestOwnerStays(t *testing.T) {
	r := newRig(t, 1, plain)
	l, ds := r.alua("one")
	r.cfg = parse(t, plain+entry(l, "ocr1", "uid 54321\n gid 54322\n mode 0660"))
	r.start(10 * second)
	m := r.mapNamed("ocr1")
	check := func(when string) {
		t.Helper()
		if m.Node.UID != 54321 || m.Node.GID != 54322 || m.Node.Mode != 0o660 {
			r.fail("%s: node is %+v", when, m.Node)
		}
	}
	check("after creation")
	ds[0].Delete()
	r.run(10 * second)
	if m.Loads != 2 {
		r.fail("%d loads", m.Loads)
	}
	check("after a reload")
	r.w.uevent(m.event("change", "", 0))
	r.run(second)
	check("after udevadm trigger")
	r.d.Kill()
	r.w.uevent(m.event("change", "", 0))
	r.run(second)
	r.start(10 * second)
	check("after a restart")
}

func TestALUAFailover(t *testing.T) {
	r := newRig(t, 2, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.write(m, l, 20*mpath.Millisecond)
	r.run(5 * second)

	ds[0].SetState("offline")
	r.run(30 * second)
	r.wantGroups("mpatha", "[-sda sdb] | sdc sdd")
	ds[1].Break(NoConnect)
	r.run(30 * second)
	r.wantGroups("mpatha", "-sda -sdb | [sdc sdd]")
	ds[0].SetState("running")
	ds[1].Break(Healthy)
	r.run(60 * second)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")

	// The array moves the optimized state to the other controller.
	l.SetAccess(1, NonOptimized)
	l.SetAccess(2, Optimized)
	r.run(60 * second)
	if got := groups(m); got != "sda sdb | [sdc sdd]" && got != "[sdc sdd] | sda sdb" {
		r.fail("groups %s", got)
	}
	l.SetAccess(1, Optimized)
	l.SetAccess(2, Standby)
	r.run(60 * second)
	if got := groups(m); got != "[sda sdb] | sdc sdd" && got != "[sda sdb] | -sdc -sdd" {
		r.fail("groups %s", got)
	}
	r.wantSound()
}

func TestFailback(t *testing.T) {
	for _, tt := range []struct {
		name, failback string
		after          mpath.Span
		want           string
	}{
		{"manual", "manual", 10 * mpath.Minute, "sda sdb | [sdc sdd]"},
		{"immediate", "immediate", 30 * second, "[sda sdb] | sdc sdd"},
		{"deferred, not yet", "60", 30 * second, "sda sdb | [sdc sdd]"},
		{"deferred", "60", 90 * second, "[sda sdb] | sdc sdd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, 3, plain+"overrides {\n failback "+tt.failback+"\n}\n")
			l, ds := r.alua("one")
			r.start(10 * second)
			r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
			r.run(5 * second)
			ds[0].Break(NoConnect)
			ds[1].Break(NoConnect)
			r.run(20 * second)
			r.wantGroups("mpatha", "-sda -sdb | [sdc sdd]")
			ds[0].Break(Healthy)
			ds[1].Break(Healthy)
			for range 100 {
				r.run(second)
				if p := r.mapNamed("mpatha").live.multipaths()[0]; p.valid() == 4 {
					break
				}
			}
			r.run(tt.after)
			r.wantGroups("mpatha", tt.want)
			r.wantSound()
		})
	}
}

func TestNoPathRetry(t *testing.T) {
	for _, tt := range []struct {
		value       string
		errorsAfter mpath.Span // I/O errors begin then; 0: never
	}{
		{"fail", mpath.Millisecond},
		{"3", 16 * second},
		{"queue", 0},
	} {
		t.Run(tt.value, func(t *testing.T) {
			r := newRig(t, 4, plain+"overrides {\n no_path_retry "+tt.value+"\n}\n")
			l, ds := r.alua("one")
			r.start(10 * second)
			m := r.mapNamed("mpatha")
			a := r.write(m, l, 50*mpath.Millisecond)
			r.run(5 * second)
			lost := r.w.now
			for _, d := range ds {
				d.Break(NoConnect)
			}
			r.run(3 * mpath.Minute)
			if tt.errorsAfter == 0 {
				r.wantSound()
			} else {
				if len(a.errors) == 0 {
					r.fail("no errors")
				}
				first := a.errors[0].Ended.Since(lost)
				if first < tt.errorsAfter || first > tt.errorsAfter+30*second {
					r.fail("first error after %d s", first.Seconds())
				}
			}
			failed := len(a.errors)
			for _, d := range ds {
				d.Break(Healthy)
			}
			back := r.w.now
			r.run(60 * second)
			r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
			if tt.errorsAfter == 0 && m.Queued() > 0 {
				r.fail("%d still queued", m.Queued())
			}
			if a.lastGood < back {
				r.fail("nothing is written")
			}
			queue := contains(m.Table(), "queue_if_no_path")
			if queue != (tt.value != "fail") {
				r.fail("table %s", m.Table())
			}
			for _, io := range a.errors[failed:] {
				if io.Sent > back.After(30*second) {
					r.fail("errors after the paths are back")
				}
			}
			r.wantNoStrays()
		})
	}
}

func TestStoppedAcrossTheDeadline(t *testing.T) {
	r := newRig(t, 5, plain+"overrides {\n no_path_retry 3\n}\n")
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	r.run(5 * second)
	for _, d := range ds {
		d.Break(NoConnect)
	}
	r.run(8 * second)
	r.d.Stop()
	for _, d := range ds {
		d.Break(Healthy)
	}
	r.run(60 * second)
	r.d.Continue()
	r.run(30 * second)
	r.wantSound()
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
}

func contains(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i:i+len(sub)] == sub {
			return true
		}
	}
	return false
}
