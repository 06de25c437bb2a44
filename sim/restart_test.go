package sim

import (
	"testing"

	"pathkeeper/mpath"
)

func TestKilledUnderIO(t *testing.T) {
	for seed := range uint64(20) {
		r := newRig(t, seed, plain)
		l, _ := r.alua("one")
		r.start(10 * second)
		m := r.mapNamed("mpatha")
		r.write(m, l, 10*mpath.Millisecond)
		r.run(5*second + mpath.Span(seed)*777*mpath.Millisecond)
		loads, suspends := m.Loads, m.Suspends
		r.d.Kill()
		r.run(20 * second)
		r.start(60 * second)
		if m.Loads != loads || m.Suspends != suspends || r.w.Map("mpatha") != m {
			r.fail("%d loads, %d suspends, maps %v", m.Loads-loads, m.Suspends-suspends, r.w.Maps())
		}
		r.wantSaid("adopted with 4 paths")
		r.wantSound()
	}
}

func TestKilledWhileCreating(t *testing.T) {
	for after := range mpath.Span(80) {
		r := newRig(t, uint64(after), plain)
		r.alua("one")
		r.d.Start(r.cfg)
		r.run(10*mpath.Millisecond + after*500*mpath.Millisecond/1000)
		r.d.Kill()
		r.run(second)
		r.start(40 * second)
		r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
		if r.mapNamed("mpatha").suspended {
			r.fail("left suspended")
		}
	}
}

func TestDeadlineOutlivesTheDaemon(t *testing.T) {
	r := newRig(t, 6, plain+"overrides {\n no_path_retry 6\n}\n")
	l, ds := r.alua("one")
	r.start(10 * second)
	a := r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	r.run(5 * second)
	for _, d := range ds {
		d.Break(NoConnect)
	}
	lost := r.w.now
	r.run(15 * second)
	until := r.mapView("mpatha").Queueing.Until
	if until == 0 {
		r.fail("no deadline")
	}
	r.d.Kill()
	r.run(5 * second)
	r.start(3 * second)
	if got := r.mapView("mpatha").Queueing.Until; got != until {
		r.fail("deadline %d, was %d", got, until)
	}
	r.run(2 * mpath.Minute)
	if len(a.errors) == 0 {
		r.fail("no errors")
	}
	if first := a.errors[0].Ended.Since(lost); first < 31*second || first > 50*second {
		r.fail("first error after %d s", first.Seconds())
	}
	// Queueing that the deadline switched off comes back with the paths, also by
	// the next process.
	r.d.Kill()
	for _, d := range ds {
		d.Break(Healthy)
	}
	r.start(60 * second)
	if m := r.mapNamed("mpatha"); !contains(m.Table(), "queue_if_no_path") {
		r.fail("table %s", m.Table())
	}
	r.wantNoStrays()
}

// The deadline passes while nobody is there, and the paths come back meanwhile.
func TestDeadlinePassesWithoutADaemon(t *testing.T) {
	r := newRig(t, 7, plain+"overrides {\n no_path_retry 3\n}\n")
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	r.run(5 * second)
	for _, d := range ds {
		d.Break(NoConnect)
	}
	r.run(10 * second)
	r.d.Kill()
	for _, d := range ds {
		d.Break(Healthy)
	}
	r.run(mpath.Minute)
	r.start(mpath.Minute)
	r.wantSound()
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
}

// Debian's multipathd switches queueing off when it stops.
func TestQueueingOfAFormerDaemonComesBack(t *testing.T) {
	r := newRig(t, 8, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.write(m, l, 50*mpath.Millisecond)
	r.d.Kill()
	if errno := m.tell(m.live.multipaths()[0], []string{"fail_if_no_path"}); errno != 0 {
		t.Fatal(errno)
	}
	loads := m.Loads
	r.start(20 * second)
	if !contains(m.Table(), "queue_if_no_path") || m.Loads != loads {
		r.fail("table %s, %d loads", m.Table(), m.Loads-loads)
	}
}

func TestFinalStop(t *testing.T) {
	for _, tt := range []struct {
		without string
		queues  bool
	}{{"no", false}, {"yes", true}} {
		r := newRig(t, 8, plain+"defaults {\n queue_without_daemon "+tt.without+"\n}\n")
		r.alua("one")
		r.start(10 * second)
		r.d.Terminate(true)
		if m := r.mapNamed("mpatha"); contains(m.Table(), "queue_if_no_path") != tt.queues {
			r.fail("queue_without_daemon %s: %s", tt.without, m.Table())
		}
	}
}

func TestAdoptedMapIsLeftUntilAsked(t *testing.T) {
	r := newRig(t, 9, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.write(m, l, 50*mpath.Millisecond)
	r.d.Kill()
	loads, suspends := m.Loads, m.Suspends
	other := parse(t, plain+"defaults {\n detect_pgpolicy no\n}\n"+entry(l, "db1", "path_grouping_policy multibus\n path_selector \"round-robin 0\"\n no_path_retry fail"))
	r.cfg = other
	r.start(2 * mpath.Minute)
	if m.Loads != loads || m.Suspends != suspends || m.name != "mpatha" || !contains(m.Table(), "queue_if_no_path") {
		r.fail("changed: %d loads, name %s, %s", m.Loads-loads, m.name, m.Table())
	}
	v := r.mapView("mpatha")
	for _, want := range []string{"groups", "selector", "name", "queueing"} {
		found := false
		for _, k := range v.Accepted {
			found = found || k == want
		}
		if !found {
			r.fail("accepted %v, want %s among them", v.Accepted, want)
		}
	}
	r.d.Reconfigure(other)
	r.run(30 * second)
	if m.Loads != loads+1 || m.name != "db1" || contains(m.Table(), "queue_if_no_path") {
		r.fail("not changed: %d loads, name %s, %s", m.Loads-loads, m.name, m.Table())
	}
	r.wantGroups("db1", "[sda sdb sdc sdd]")
	r.wantSound()
}

// The process is stopped while checks are in flight: their answers are there
// when it goes on, and nothing is wrong.
func TestStoppedWithChecksInFlight(t *testing.T) {
	for seed := range uint64(12) {
		r := newRig(t, seed, plain+"overrides {\n no_path_retry fail\n}\n")
		l, _ := r.alua("one")
		r.start(10 * second)
		m := r.mapNamed("mpatha")
		r.write(m, l, 20*mpath.Millisecond)
		r.run(5 * second)
		// Until some checks are in flight.
		for checks := r.d.Counts["StartCheck"]; r.d.Counts["StartCheck"] == checks; {
			r.run(200 * mpath.Millisecond / 1000)
		}
		r.d.Stop()
		r.run(2 * mpath.Minute)
		r.d.Continue()
		r.run(mpath.Minute)
		if n := r.d.Counts["Message"]; n > 0 || m.Loads > 1 {
			r.fail("%d messages, %d loads", n, m.Loads)
		}
		r.wantSaid("stood still")
		r.wantSound()
	}
}

// A path fails and becomes another LUN's while the process is stopped; what it
// asked before must not count as proof.
func TestRemapWhileStoppedWithChecksInFlight(t *testing.T) {
	for seed := range uint64(24) {
		r := newRig(t, seed, plain)
		l, ds := r.alua("one")
		stranger := r.w.AddLUN(LUN{Name: "stranger"})
		r.start(10 * second)
		m := r.mapNamed("mpatha")
		r.write(m, l, 5*mpath.Millisecond)
		ds[0].Break(NoConnect)
		r.run(30 * second)
		ds[0].Break(Healthy)
		// It is being verified, or about to be brought back.
		r.run(4*second + mpath.Span(seed)*50*mpath.Millisecond)
		r.d.Stop()
		ds[0].Break(NoConnect)
		r.run(10 * second)
		ds[0].Remap(stranger, false)
		ds[0].Break(Healthy)
		r.w.AddPath(l, 4, 2)
		r.run(20 * second)
		r.d.Continue()
		r.run(mpath.Minute)
		if stranger.Blocks() > 0 {
			r.fail("%d blocks of the stranger are written", stranger.Blocks())
		}
		r.wantSound()
	}
}

// An adopted map's groups are taken as they are: the restart loads nothing though
// the ALUA states moved meanwhile. When they move again under the daemon's eyes,
// the groups follow.
func TestAdoptedGroupsFollowPriorities(t *testing.T) {
	r := newRig(t, 21, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.write(m, l, 50*mpath.Millisecond)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.d.Kill()
	l.SetAccess(1, NonOptimized)
	l.SetAccess(2, Optimized)
	loads := m.Loads
	r.start(30 * second)
	if m.Loads != loads {
		r.fail("the restart loaded %d tables", m.Loads-loads)
	}
	l.SetAccess(1, Standby)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[sdc sdd] | sda sdb")
	l.SetAccess(1, Optimized)
	l.SetAccess(2, NonOptimized)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.wantSound()
}
