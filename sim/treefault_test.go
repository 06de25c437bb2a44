package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// Faults of sysfs, as package sysfs meets them.
func TestSysfsFaults(t *testing.T) {
	garbage := "not a number\n"
	for _, tc := range []struct {
		what string
		f    SysfsFault
		want error // of ReadDisk
	}{
		{"gone", SysfsFault{Path: "sda/size", Errno: eNODEV}, sysfs.ErrGone},
		{"EIO", SysfsFault{Path: "*/vpd_pg83", Errno: eIO}, errSysfs},
		{"no such attribute", SysfsFault{Path: "*/vpd_pg83", Errno: eNOENT}, nil},
		{"garbage", SysfsFault{Path: "sda/size", Garbage: &garbage}, errAny},
		{"of another disk", SysfsFault{Path: "sdb/size", Errno: eIO}, nil},
		{"of another call", SysfsFault{Path: "sda/size", Op: "write", Errno: eIO}, nil},
		{"after its time", SysfsFault{Path: "sda/size", After: 1, Errno: eIO}, nil},
		{"of dev, the second time", SysfsFault{Path: "sda/dev", After: 1, Errno: eNODEV}, sysfs.ErrGone},
	} {
		w, _, _ := lone(t, LUN{Name: "one"})
		f := w.BreakSysfs(tc.f)
		d, err := sysfs.ReadDisk(Tree{w}, "sda")
		switch {
		case tc.want == nil && err != nil, tc.want != nil && err == nil, tc.want != nil && tc.want != errAny && !errors.Is(err, tc.want):
			t.Errorf("%s: %v, want %v", tc.what, err, tc.want)
		case tc.what == "no such attribute" && d.SCSI.VPD83 != nil:
			t.Errorf("%s: %+v", tc.what, d.SCSI)
		}
		w.MendSysfs(f)
		if _, err := sysfs.ReadDisk(Tree{w}, "sda"); err != nil {
			t.Errorf("%s: mended: %v", tc.what, err)
		}
	}
}

var errAny = errors.New("any error")

// Wherever in the walk the device leaves, or another takes its name, no half of
// it is read.
func TestLeavesInMidWalk(t *testing.T) {
	whole := false
	for after := 0; after < 200 && !whole; after++ {
		for _, replaced := range []bool{false, true} {
			w, l, d := lone(t, LUN{Name: "one"})
			w.BreakSysfs(SysfsFault{Path: "*", After: after, Times: 1, Then: func() {
				d.Delete()
				if replaced {
					w.AddPath(l, 3, 1)
				}
			}})
			got, err := sysfs.ReadDisk(Tree{w}, "sda")
			switch {
			case d.Gone() && err == nil && got.Diskseq != w.diskseq:
				t.Fatalf("after %d calls, replaced %v: half a disk %+v", after, replaced, got)
			case err != nil && !errors.Is(err, sysfs.ErrGone) && !errors.Is(err, sysfs.ErrAbsent):
				t.Fatalf("after %d calls: %v", after, err)
			}
			whole = !d.Gone()
		}
	}
	if !whole {
		t.Error("the walk has no end")
	}
}

// A daemon whose scan fails, whose reading of a disk hangs, or meets EIO, comes
// to the right maps when sysfs is well again.
func TestDaemonOnBrokenSysfs(t *testing.T) {
	garbage := strings.Repeat("x", 5000)
	for _, f := range []SysfsFault{
		{Path: "block", Op: "list", Errno: eIO},
		{Path: "block", Op: "list", Hang: true},
		{Path: "sdb/size", Errno: eIO},
		{Path: "sdb/size", Hang: true},
		{Path: "*/device/state", Errno: eIO},
		{Path: "*/vpd_pg83", Garbage: &garbage},
		{Path: "sd*/dev", Errno: eNODEV},
		{Path: "sdc/diskseq", Garbage: new(string)},
	} {
		for _, late := range []bool{false, true} {
			what := fmt.Sprintf("%+v, late %v", f, late)
			r := newRig(t, 91, plain)
			l, _ := r.alua("one")
			var fault *SysfsFault
			if !late {
				fault = r.w.BreakSysfs(f)
			}
			r.start(20 * second)
			if late {
				fault = r.w.BreakSysfs(f)
				r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
				r.w.AddPath(l, 4, 1)
				r.run(mpath.Minute)
			}
			r.w.MendSysfs(fault)
			for _, d := range r.w.Disks() {
				d.Announce()
			}
			r.run(10 * mpath.Minute)
			want := 4
			if late {
				want = 5
			}
			if m := r.w.Map("mpatha"); m == nil || m.live.multipaths()[0].valid() != want {
				r.fail("%s: maps %v, want %d paths", what, r.w.Maps(), want)
			}
			r.wantSound()
		}
	}
}

// The kernel's events in their order and form, and what udevd makes of them.
func TestUeventsOfADisk(t *testing.T) {
	w := New(1)
	l := w.AddLUN(LUN{Name: "one"})
	var kernel, udevd []string
	w.Listen(func(e Uevent) {
		ev := parseDatagram(t, e.Datagram())
		if ev.FromUdev || ev.SysName() != e.Name || ev.Seqnum != e.Seqnum {
			t.Errorf("%+v is read as %+v", e, ev)
		}
		kernel = append(kernel, ev.Action+" "+ev.Subsystem+" "+ev.SysName())
	})
	w.Udev.Listen(func(dg uevent.Datagram) {
		ev := parseDatagram(t, dg)
		if !ev.FromUdev {
			t.Errorf("%+v is not udevd's", ev)
		}
		udevd = append(udevd, ev.Action+" "+ev.Subsystem+" "+ev.SysName()+" "+ev.Props.Value("ID_SERIAL"))
	})
	d := w.AddPath(l, 2, 1)
	d.Parts = []Part{{1, 2048, 4096}, {2, 8192, 4096}}
	w.Run(second)
	d.Delete()
	w.Run(second)
	if got, want := strings.Join(kernel, ", "), "add scsi 2:0:1:0, add block sda, remove block sda1, remove block sda2, remove block sda, remove scsi 2:0:1:0"; got != want {
		t.Errorf("kernel: %s\nwant    %s", got, want)
	}
	wwid := l.WWID()
	if got, want := strings.Join(udevd, ", "), "add scsi 2:0:1:0 , add block sda "+wwid+", remove block sda1 , remove block sda2 , remove block sda "+wwid+", remove scsi 2:0:1:0 "; got != want {
		t.Errorf("udevd: %s\nwant   %s", got, want)
	}
	if w.Files.udevRecord("/run/udev/data/b8:0") != "" {
		t.Error("the record of a disk that left stays")
	}
}

// udevd that misses events, is stopped, or is slow with one device.
func TestUdevdsFaults(t *testing.T) {
	w := New(1)
	l := w.AddLUN(LUN{Name: "one"})
	var heard []string
	w.Udev.Listen(func(dg uevent.Datagram) {
		if ev := parseDatagram(t, dg); ev.Subsystem == "block" {
			heard = append(heard, ev.SysName())
		}
	})
	w.Udev.Lose = 1000
	w.AddPath(l, 2, 1)
	w.Run(second)
	w.Udev.Lose = 0
	w.Udev.Stop()
	w.AddPath(l, 3, 1)
	w.Run(second)
	if len(heard) > 0 {
		t.Errorf("heard %q", heard)
	}
	w.Udev.Continue()
	w.Run(second)
	if !slices.Equal(heard, []string{"sdb"}) {
		t.Errorf("heard %q after the stop", heard)
	}
	// Of two devices the later event may come first: one of them does not answer.
	heard = nil
	w.Disk("sda").Break(Hung)
	w.Disk("sda").Announce()
	w.Disk("sdb").Announce()
	w.Disk("sda").Announce()
	w.Run(2 * mpath.Minute)
	if !slices.Equal(heard, []string{"sdb", "sda", "sda"}) {
		t.Errorf("heard %q", heard)
	}
	if s := w.Files.udevRecord("/run/udev/data/b8:0"); s == "" || contains(s, "ID_SERIAL") {
		t.Errorf("record of a disk that does not answer: %q", s)
	}
}

func parseDatagram(t *testing.T, dg uevent.Datagram) uevent.Event {
	t.Helper()
	if err := dg.Check(); err != nil {
		t.Error(err)
	}
	ev, err := uevent.Parse(dg.Data)
	if err != nil {
		t.Errorf("%q: %v", dg.Data, err)
	}
	return ev
}
