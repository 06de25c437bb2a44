package sim

import (
	"slices"
	"strings"
	"testing"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
)

// try carries a call and gives the errno.
func try(t *testing.T, w *World, c call) uint32 {
	t.Helper()
	_, errno := do(t, w, c)
	return errno
}

// A suspension waits for what is in flight, with noflush too: a command that
// hangs on one path holds up the reload of its map. What comes meanwhile waits.
func TestSuspendWaitsForIO(t *testing.T) {
	w, l, d := lone(t, LUN{Name: "one"})
	b := w.AddPath(l, 3, 1)
	m := mapOf(t, w, "1 queue_if_no_path 0 1 1 service-time 0 1 1 8:0 1")
	woken := 0
	w.thawed = append(w.thawed, func() { woken++ })
	d.Break(Hung)
	first := m.Write(l, 1, 1, nil)
	w.Run(mpath.Millisecond)
	load := dmmap.Load{Map: name("m"), Lines: []table.Line{{Length: 8, Target: "multipath", Params: "1 queue_if_no_path 0 1 1 service-time 0 1 1 8:16 1"}}}
	if errno := try(t, w, load); errno != 0 {
		t.Fatal(errno)
	}
	w.took = 0
	if errno := try(t, w, dmmap.Resume{Map: name("m")}); errno != eINTR || w.took != Forever || m.Suspended() {
		t.Fatalf("the resume came back: errno %d, took %d", errno, w.took)
	}
	w.took, woken = 0, 0
	later := m.Write(l, 2, 2, nil)
	w.Run(20 * second)
	if later.Ended != 0 || !contains(m.Table(), "8:0") || woken > 0 {
		t.Fatalf("while it waits: write %q, table %s, woken %d", later.Err, m.Table(), woken)
	}
	w.Run(20 * second) // the command's time is over, its path fails, the write goes back to the queue
	if woken == 0 {
		t.Fatal("nobody is told that nothing is in flight any more")
	}
	if errno := try(t, w, dmmap.Resume{Map: name("m")}); errno != 0 || !contains(m.Table(), "8:16") {
		t.Fatalf("errno %d, table %s", errno, m.Table())
	}
	w.Run(second)
	if first.Err != "" || later.Err != "" || l.Blocks() != 2 || b.Gone() || m.Suspends != 2 {
		t.Errorf("writes %q and %q, %d blocks, %d suspends", first.Err, later.Err, l.Blocks(), m.Suspends)
	}
}

// Whoever is killed while his resume waits leaves the old table live and the new
// one lost; without noflush what it switched off stays off.
func TestSuspendIsInterrupted(t *testing.T) {
	for _, flush := range []bool{false, true} {
		w, l, d := lone(t, LUN{Name: "one"})
		m := mapOf(t, w, "1 queue_if_no_path 0 1 1 service-time 0 1 1 8:0 1")
		d.Break(Stuck)
		io := m.Write(l, 1, 1, nil)
		w.Run(mpath.Millisecond)
		load := dmmap.Load{Map: name("m"), Lines: []table.Line{{Length: 8, Target: "multipath", Params: "1 queue_if_no_path 0 1 1 queue-length 0 1 1 8:0 1"}}}
		if errno := try(t, w, load); errno != 0 {
			t.Fatal(errno)
		}
		if errno := try(t, w, dmmap.Resume{Map: name("m"), Flush: flush}); errno != eINTR {
			t.Fatalf("errno %d", errno)
		}
		w.interrupt()
		d.Break(Healthy)
		w.Run(second)
		if io.Ended == 0 || io.Err != "" || m.Suspended() || contains(m.Table(), "queue-length") || m.inactive != nil || contains(m.Table(), "queue_if_no_path") == flush {
			t.Errorf("flush %v: write %q, suspended %v, table %s", flush, io.Err, m.Suspended(), m.Table())
		}
	}
}

func TestRenameRules(t *testing.T) {
	w := New(1)
	w.addMap("m", "mpath-1")
	w.addMap("plain", "")
	w.addMap("other", "mpath-2")
	rename := func(from, to string) dmmap.Rename { return dmmap.Rename{Map: name(from), To: table.MustName(to)} }
	for _, tc := range []struct {
		what string
		call call
		want uint32
	}{
		{"to itself", rename("m", "m"), eBUSY},
		{"taken", rename("m", "other"), eBUSY},
		{"taken, of nobody", rename("none", "other"), eBUSY}, // the new name is looked up first
		{"of nobody", rename("none", "new"), eNXIO},
		{"fine", rename("m", "new"), 0},
		{"the old name is free", dmmap.Create{Name: table.MustName("m")}, 0},
	} {
		if got := try(t, w, tc.call); got != tc.want {
			t.Errorf("%s: errno %d, want %d", tc.what, got, tc.want)
		}
	}
	if m := w.Map("new"); m == nil || m.UUID() != "mpath-1" || w.index.mapUUIDs["mpath-1"] != m {
		t.Error("the renamed map is not found")
	}
}

// Resuming a map that has no table at all is EINVAL; clearing, removing and
// asking it is not.
func TestMapWithoutTable(t *testing.T) {
	w := New(1)
	events := listen(w)
	polled := 0
	w.dmNews = append(w.dmNews, func() { polled++ })
	for _, tc := range []struct {
		what string
		call call
		want uint32
	}{
		{"create", dmmap.Create{Name: table.MustName("m")}, 0},
		{"suspend", dmmap.Suspend{Map: name("m")}, 0},
		{"resume", dmmap.Resume{Map: name("m")}, eINVAL},
		{"clear", dmmap.Clear{Map: name("m")}, 0},
		{"status", dmmap.QueryStatus{Map: name("m")}, 0},
		{"message", dmmap.Message{Map: name("m"), Text: dmmap.MessageQueue}, eINVAL},
		{"remove", dmmap.Remove{Map: name("m")}, 0},
		{"again", dmmap.Remove{Map: name("m")}, eNXIO},
	} {
		if got := try(t, w, tc.call); got != tc.want {
			t.Errorf("%s: errno %d, want %d", tc.what, got, tc.want)
		}
	}
	// The block device is made by the first load: before it udevd hears nothing. Who
	// polls hears of the creation and of the removal (ctl_ioctl).
	if len(*events) > 0 || polled != 2 {
		t.Errorf("events %q, %d polls woken", *events, polled)
	}
}

// Which calls send a uevent, and which count as a device-mapper event.
func TestMapEvents(t *testing.T) {
	w, l, _ := lone(t, LUN{Name: "one"})
	w.AddPath(l, 3, 1)
	events := listen(w)
	polled := 0
	w.dmNews = append(w.dmNews, func() { polled++ })
	load := dmmap.Load{Map: name("m"), Lines: []table.Line{{Length: 8, Target: "multipath", Params: "0 0 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1"}}}
	say := func(text string) dmmap.Message { return dmmap.Message{Map: name("m"), Text: text} }
	for _, tc := range []struct {
		what   string
		call   call
		uevent string // that it is, "" for none
		nr     uint32 // event number after
	}{
		{"create", dmmap.Create{Name: table.MustName("m")}, "", 0},
		{"load", load, "add dm-0", 0},
		{"resume", dmmap.Resume{Map: name("m")}, "change dm-0", 0},
		{"load again", load, "", 0},
		{"resume again", dmmap.Resume{Map: name("m")}, "change dm-0", 0},
		{"resume of what runs", dmmap.Resume{Map: name("m")}, "", 0},
		{"fail", say("fail_path 8:0"), "change dm-0 DM_TARGET=multipath DM_ACTION=PATH_FAILED DM_SEQNUM=1 DM_PATH=8:0 DM_NR_VALID_PATHS=1", 1},
		{"fail again", say("fail_path 8:0"), "", 1},
		{"reinstate", say("reinstate_path 8:0"), "change dm-0 DM_TARGET=multipath DM_ACTION=PATH_REINSTATED DM_SEQNUM=2 DM_PATH=8:0 DM_NR_VALID_PATHS=2", 2},
		{"switch", say(dmmap.SwitchGroup(2)), "", 3},
		{"disable", say("disable_group 1"), "", 4},
		{"queue", say(dmmap.MessageQueue), "", 4},
		{"rename", dmmap.Rename{Map: name("m"), To: table.MustName("n")}, "change dm-0", 5},
		{"suspend", dmmap.Suspend{Map: name("n")}, "", 5},
		{"resume the suspended", dmmap.Resume{Map: name("n")}, "change dm-0", 5},
	} {
		*events = nil
		was := polled
		if errno := try(t, w, tc.call); errno != 0 {
			t.Fatalf("%s: errno %d", tc.what, errno)
		}
		m := w.Maps()[0]
		if got := strings.Join(*events, ", "); got != tc.uevent || w.Map(m).EventNr() != tc.nr {
			t.Errorf("%s: events %q, number %d; want %q, %d", tc.what, got, w.Map(m).EventNr(), tc.uevent, tc.nr)
		}
		if woken := polled > was; woken != slices.Contains([]string{"create", "resume", "resume again", "fail", "reinstate", "switch", "disable", "rename"}, tc.what) {
			t.Errorf("%s: poll woken %v", tc.what, woken)
		}
	}
	*events = nil
	if errno := try(t, w, dmmap.Remove{Map: name("n")}); errno != 0 || !slices.Equal(*events, []string{"remove dm-0", "remove dm-0"}) {
		t.Errorf("remove: errno %d, events %q", errno, *events)
	}
}

// Partition maps on a map, LVM on a path: who holds what, and who is refused.
func TestHolders(t *testing.T) {
	w, l, d := lone(t, LUN{Name: "one"})
	other := w.AddPath(l, 3, 1)
	m := mapOf(t, w, "0 0 1 1 service-time 0 1 1 8:0 1")
	m.live.targets[0].length = l.Sectors // as if it had been loaded in full size
	part, err := w.AddLinear("m-part1", "part1-mpath-x", "dm-0", 2048, 4096)
	if err != nil {
		t.Fatal(err)
	}
	tree := Tree{w}
	for path, want := range map[string]string{
		"block/sda/holders": "dm-0", "block/dm-0/holders": "dm-1", "block/dm-1/slaves": "dm-0", "block/dm-0/slaves": "sda", "block/sdb/holders": "",
	} {
		if got, err := tree.ReadDir(path); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if _, err := w.AddLinear("on-itself", "", "dm-9", 0, 8); err == nil {
		t.Error("a map on nothing")
	}
	// What the partition writes lands behind its start.
	io := part.Write(l, 5, 77, nil)
	w.Run(second)
	if io.Err != "" || l.Stamp(2053) != 77 {
		t.Errorf("write %q, stamp %d", io.Err, l.Stamp(2053))
	}
	// The map is open as long as the partition map is there.
	if errno := try(t, w, dmmap.Remove{Map: name("m")}); errno != eBUSY {
		t.Errorf("removing a map with a partition map: errno %d", errno)
	}
	if errno := try(t, w, dmmap.Remove{Map: name("m"), Deferred: true}); errno != 0 || !m.Deferred() || w.Map("m") != m {
		t.Errorf("deferred: errno %d", errno)
	}
	if errno := try(t, w, dmmap.Message{Map: name("m"), Text: "@cancel_deferred_remove"}); errno != 0 || m.Deferred() {
		t.Errorf("cancelled: errno %d, deferred %v", errno, m.Deferred())
	}
	if errno := try(t, w, dmmap.Remove{Map: name("m"), Deferred: true}); errno != 0 || !part.Remove() {
		t.Errorf("deferred again: errno %d", errno)
	}
	w.Run(second)
	if len(w.Maps()) > 0 || len(d.tables) > 0 {
		t.Errorf("after the last close: maps %v", w.Maps())
	}
	// md on a path: nobody else gets it, not even device-mapper.
	other.Hold("md0")
	w.addMap("n", "")
	load := dmmap.Load{Map: name("n"), Lines: []table.Line{{Length: 8, Target: "multipath", Params: "0 0 1 1 service-time 0 1 1 8:16 1"}}}
	if errno := try(t, w, load); errno != eBUSY {
		t.Errorf("a path that md holds: errno %d", errno)
	}
	other.Unhold("md0")
	// Device-mapper shares with itself: LVM on a path does not keep a map from it.
	if _, err := w.AddLinear("vg-lv", "LVM-x", "sdb", 0, 8); err != nil {
		t.Fatal(err)
	}
	if errno := try(t, w, load); errno != 0 {
		t.Errorf("a path that another map holds: errno %d", errno)
	}
	if errno := (Block{w}).ProbeExclusive("sdb"); errno != eBUSY {
		t.Errorf("exclusive open of a held path: errno %d", errno)
	}
}

// pg_init: I/O waits for the handler from the load on; the status tells; a
// controller in transition is waited for, one that does not answer fails its path
// after pg_init_retries.
func TestPgInit(t *testing.T) {
	for _, tc := range []struct {
		what    string
		params  string
		set     func(*LUN, *Disk)
		within  mpath.Span
		status  string // part of it, before the end
		after   string // part of it, after
		slowest mpath.Span
	}{
		{"without a handler", "0 0 2 1 %s", func(*LUN, *Disk) {}, mpath.Millisecond, "2 0 0 0", "8:0 A 0", second},
		{"with one", "0 1 alua 2 1 %s", func(*LUN, *Disk) {}, second, "2 0 1 0", "8:0 A 0", second},
		{"in transition", "0 1 alua 2 1 %s", func(l *LUN, _ *Disk) {
			l.SetAccess(1, Transitioning)
			l.w.After(10*second, func() { l.SetAccess(1, Optimized) })
		}, second, "2 1 1 0", "8:0 A 0", 13 * second},
		{"in transition for ever", "0 1 alua 2 1 %s", func(l *LUN, _ *Disk) { l.SetAccess(1, Transitioning) }, second, "2 1 1 0", "8:0 F 1", 70 * second},
		{"no answer", "2 pg_init_retries 3 1 alua 2 1 %s", func(_ *LUN, d *Disk) { d.Break(NoConnect) }, second, "2 0 1 0", "8:0 F 1", second},
	} {
		w, l, d := lone(t, LUN{Name: "one"})
		w.AddPath(l, 2, 2)
		tc.set(l, d)
		w.addMap("m", "mpath-x")
		loadInto(t, w, strings.Replace(tc.params, "%s", "service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1", 1))
		m := w.Map("m")
		if !strings.HasPrefix(m.Status(), "2 1 0 0") {
			t.Errorf("%s: status after the load: %s", tc.what, m.Status())
		}
		io := m.Write(l, 1, 1, nil)
		w.Run(tc.within)
		if !strings.HasPrefix(m.Status(), tc.status) {
			t.Errorf("%s: status %s, want %s", tc.what, m.Status(), tc.status)
		}
		w.Run(5 * mpath.Minute)
		if took := io.Ended.Since(io.Sent); io.Ended == 0 || io.Err != "" || took > tc.slowest || !contains(m.Status(), tc.after) {
			t.Errorf("%s: %q after %d s, status %s", tc.what, io.Err, took.Seconds(), m.Status())
		}
	}
}

// The handler that is attached stays if the table says so, and the table that is
// read back names it.
func TestRetainedHandler(t *testing.T) {
	w, _, d := lone(t, LUN{Name: "one"})
	if d.handler != "alua" {
		t.Fatalf("handler %q", d.handler)
	}
	m := mapOf(t, w, "1 retain_attached_hw_handler 0 1 1 service-time 0 1 1 8:0 1")
	if !strings.HasPrefix(m.Table(), "1 retain_attached_hw_handler 1 alua ") {
		t.Errorf("table %s", m.Table())
	}
	w, _, d = lone(t, LUN{Name: "one", Vendor: "PLAIN", Product: "DISK"})
	m = mapOf(t, w, "1 retain_attached_hw_handler 0 1 1 service-time 0 1 1 8:0 1")
	if !strings.HasPrefix(m.Table(), "1 retain_attached_hw_handler 0 ") || d.handler != "" {
		t.Errorf("table %s", m.Table())
	}
}
