package dmioctl

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
)

// These tests need device-mapper and root, and make maps: the lab's guest runs them
// with PATHKEEPER_LAB=1, and then a missing device-mapper is a failure.

func devNum(major, minor uint32) table.DevNum { return table.DevNum{Major: major, Minor: minor} }

func labControl(t *testing.T) *Control {
	t.Helper()
	if os.Getenv("PATHKEEPER_LAB") != "1" {
		t.Skip("makes device-mapper maps: only in the lab's guest, with PATHKEEPER_LAB=1")
	}
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

type request interface{ Encode() (dmmap.Call, error) }

// try makes a call, with larger buffers as long as the decoder asks for them.
func try[T any](c *Control, r request, decode func([]byte) (T, error)) (T, error) {
	var none T
	call, err := r.Encode()
	for err == nil {
		out, errno := c.Ioctl(call.Cmd, call.Buf)
		if err = call.Err(errno); err != nil {
			break
		}
		v, derr := decode(out)
		if !errors.Is(derr, dmmap.ErrBufferFull) {
			return v, derr
		}
		call, err = call.Grow()
	}
	return none, err
}

func must[T any](t *testing.T, c *Control, r request, decode func([]byte) (T, error)) T {
	t.Helper()
	v, err := try(c, r, decode)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func lines(buf []byte) ([]table.Line, error) {
	_, l, err := dmmap.DecodeLines(buf)
	return l, err
}

// labMap makes a live map and removes it when the test ends, whatever its name then.
func labMap(t *testing.T, c *Control, name, wwid string, l ...table.Line) (dmmap.Ref, dmmap.Info) {
	t.Helper()
	n := table.MustName(name)
	uuid, err := table.MapUUID(wwid)
	if err != nil {
		t.Fatal(err)
	}
	info := must(t, c, dmmap.Create{Name: n, UUID: uuid}, dmmap.DecodeInfo)
	ref := dmmap.ByUUID(uuid)
	t.Cleanup(func() {
		// udev's blkid may hold the map open for a moment.
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			_, err := try(c, dmmap.Remove{Map: ref, Udev: dmmap.MapUdev(false, false, false)}, dmmap.DecodeInfo)
			switch {
			case err == nil, errors.Is(err, dmmap.ErrNotFound):
				return
			case errors.Is(err, dmmap.ErrBusy) && time.Now().Before(deadline):
			default:
				t.Error(err)
				return
			}
		}
	})
	if info.Dev.IsZero() || info.LiveTable {
		t.Errorf("created %+v", info)
	}
	loaded := must(t, c, dmmap.Load{Map: ref, Lines: l}, dmmap.DecodeInfo)
	if !loaded.InactiveTable || loaded.LiveTable {
		t.Errorf("loaded %+v", loaded)
	}
	live := must(t, c, dmmap.Resume{Map: ref, Udev: dmmap.MapUdev(false, true, true)}, dmmap.DecodeInfo)
	if !live.LiveTable || live.InactiveTable || live.Suspended || !live.UeventGenerated || live.UUID != uuid || live.Name != n {
		t.Errorf("resumed %+v", live)
	}
	return ref, live
}

func TestLabLife(t *testing.T) {
	c := labControl(t)
	if v := must(t, c, dmmap.QueryVersion{}, dmmap.DecodeVersion); !v.AtLeast(4, 37) {
		t.Fatalf("dm interface %s", v)
	}
	// Sixteen targets, so that their table is worth a look.
	var want []table.Line
	for i := range table.Sectors(16) {
		want = append(want, table.Line{Start: i * 8, Length: 8, Target: "error"})
	}
	ref, live := labMap(t, c, "pk lab 1", "pk-lab 1", want...)

	if d := cmp.Diff(want, must(t, c, dmmap.QueryTable{Map: ref}, lines)); d != "" {
		t.Errorf("table (-want +have)\n%s", d)
	}
	if devs := must(t, c, dmmap.QueryDeps{Map: ref}, dmmap.DecodeDeps); devs != nil {
		t.Errorf("an error target depends on %v", devs)
	}
	if i := must(t, c, dmmap.QueryInfo{Map: dmmap.ByDev(live.Dev)}, dmmap.DecodeInfo); i.UUID != live.UUID {
		t.Errorf("by number: %+v", i)
	}

	// A table that is thrown away, and one that is swapped in.
	must(t, c, dmmap.Load{Map: ref, Lines: want[:1]}, dmmap.DecodeInfo)
	if d := cmp.Diff(want[:1], must(t, c, dmmap.QueryTable{Map: ref, Inactive: true}, lines)); d != "" {
		t.Errorf("inactive table (-want +have)\n%s", d)
	}
	must(t, c, dmmap.Clear{Map: ref}, dmmap.DecodeInfo)
	if i := must(t, c, dmmap.QueryInfo{Map: ref}, dmmap.DecodeInfo); i.InactiveTable || !i.LiveTable {
		t.Errorf("cleared: %+v", i)
	}

	if i := must(t, c, dmmap.Suspend{Map: ref}, dmmap.DecodeInfo); !i.Suspended {
		t.Errorf("suspended: %+v", i)
	}
	if i := must(t, c, dmmap.Resume{Map: ref}, dmmap.DecodeInfo); i.Suspended {
		t.Errorf("resumed: %+v", i)
	}

	_, err := try(c, dmmap.Create{Name: live.Name}, dmmap.DecodeInfo)
	if !errors.Is(err, dmmap.ErrBusy) {
		t.Errorf("created twice: %v", err)
	}
	_, err = try(c, dmmap.QueryInfo{Map: dmmap.ByName(table.MustName("pk-lab-none"))}, dmmap.DecodeInfo)
	if !errors.Is(err, dmmap.ErrNotFound) {
		t.Errorf("no such map: %v", err)
	}
}

func TestLabListAndEvents(t *testing.T) {
	c := labControl(t)
	_, live := labMap(t, c, "pk-lab-2", "pk-lab-2", table.Line{Length: 8, Target: "error"})
	find := func(name string) (dmmap.Entry, bool) {
		for _, e := range must(t, c, dmmap.QueryList{}, dmmap.DecodeList) {
			if e.Name == table.MustName(name) {
				return e, true
			}
		}
		return dmmap.Entry{}, false
	}
	none := func([]byte) (struct{}, error) { return struct{}{}, nil }
	must(t, c, dmmap.ArmPoll{}, none)
	before, ok := find("pk-lab-2")
	if !ok || before.Dev != live.Dev || !before.HasEventNr || before.HasUUID && before.UUID != live.UUID {
		t.Fatalf("listed %+v, %v, want %+v", before, ok, live)
	}

	// A rename is an event of its map.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.WaitEvent(ctx) }()
	to := table.MustName("pk-lab-2b")
	i := must(t, c, dmmap.Rename{Map: dmmap.ByName(live.Name), To: to, Udev: dmmap.MapUdev(true, true, true)}, dmmap.DecodeInfo)
	if !i.UeventGenerated {
		t.Errorf("renamed: %+v", i)
	}
	if err := <-done; err != nil {
		t.Fatalf("no event: %v", err)
	}
	after, ok := find("pk-lab-2b")
	if !ok || after.Dev != before.Dev || after.EventNr <= before.EventNr {
		t.Errorf("before %+v, after %+v, %v", before, after, ok)
	}
	if _, ok := find("pk-lab-2"); ok {
		t.Error("the former name is still listed")
	}
}

// The multipath target itself, without a path: features, message, status.
func TestLabMultipath(t *testing.T) {
	c := labControl(t)
	targets := must(t, c, dmmap.QueryTarget{Target: table.Multipath}, dmmap.DecodeTargets)
	if len(targets) != 1 || targets[0].Name != table.Multipath || targets[0].Version.Major != 1 {
		t.Fatalf("%+v", targets)
	}
	loaded := must(t, c, dmmap.QueryTargets{}, dmmap.DecodeTargets)
	if len(loaded) < 2 {
		t.Errorf("targets loaded: %+v", loaded)
	}
	if _, err := try(c, dmmap.QueryTarget{Target: "pk-no-target"}, dmmap.DecodeTargets); !errors.Is(err, dmmap.ErrInvalid) {
		t.Errorf("a target that does not exist: %v", err)
	}

	want := table.Table{}.WithQueue(true)
	l, err := want.Line(2048)
	if err != nil {
		t.Fatal(err)
	}
	ref, _ := labMap(t, c, "pk-lab-3", "pk-lab-3", l)
	read := func() table.Table {
		have, size, err := table.ParseLines(must(t, c, dmmap.QueryTable{Map: ref}, lines))
		if err != nil || size != 2048 {
			t.Fatalf("%v, %v", size, err)
		}
		return have
	}
	if d := table.Diff(want, read()); d != nil {
		t.Errorf("after load: %v", d)
	}
	st := must(t, c, dmmap.QueryStatus{Map: ref}, lines)
	s, err := table.ParseStatus(st[0].Params)
	if err != nil || table.Match(want, s) != nil {
		t.Errorf("status %q: %v", st, err)
	}
	must(t, c, dmmap.Message{Map: ref, Text: dmmap.MessageFail}, dmmap.DecodeInfo)
	if read().QueueIfNoPath() {
		t.Error("queueing is on after " + dmmap.MessageFail)
	}
	must(t, c, dmmap.Message{Map: ref, Text: dmmap.MessageQueue}, dmmap.DecodeInfo)

	// A reload by one resume keeps queueing: no suspend without noflush in between.
	must(t, c, dmmap.Load{Map: ref, Lines: []table.Line{l}}, dmmap.DecodeInfo)
	must(t, c, dmmap.Resume{Map: ref, Udev: dmmap.MapUdev(true, true, true)}, dmmap.DecodeInfo)
	if !read().QueueIfNoPath() {
		t.Error("queueing is off after a reload")
	}
	must(t, c, dmmap.Suspend{Map: ref}, dmmap.DecodeInfo)
	_, err = try(c, dmmap.Message{Map: ref, Text: dmmap.MessageFail}, dmmap.DecodeInfo)
	if !errors.Is(err, dmmap.ErrBusy) {
		t.Errorf("message to a suspended map: %v", err)
	}
	must(t, c, dmmap.Resume{Map: ref}, dmmap.DecodeInfo)
}

// udev completes our cookie, if udev and dm's rules are there.
func TestLabCookie(t *testing.T) {
	c := labControl(t)
	if _, err := os.Stat("/run/udev/control"); err != nil {
		t.Skip("no udevd is running in this boot: nobody completes a cookie")
	}
	if !ruleInstalled("95-dm-notify.rules") {
		t.Skip("95-dm-notify.rules is not installed (package dmsetup): nobody completes a cookie")
	}
	labMap(t, c, "pk-lab-4", "pk-lab-4", table.Line{Length: 8, Target: "error"})
	cookie, err := CreateCookie()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cookie.Destroy(); err != nil {
			t.Error(err)
		}
	}()
	if err := cookie.Increment(); err != nil {
		t.Fatal(err)
	}
	udev := dmmap.MapUdev(true, true, true)
	udev.Cookie = cookie.Base()
	to := table.MustName("pk-lab-4b")
	i := must(t, c, dmmap.Rename{Map: dmmap.ByName(table.MustName("pk-lab-4")), To: to, Udev: udev}, dmmap.DecodeInfo)
	if !i.UeventGenerated {
		t.Fatalf("renamed: %+v", i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := cookie.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(to.Path()); err != nil {
		t.Errorf("udev is done: %v", err)
	}
}

func ruleInstalled(name string) bool {
	for _, dir := range []string{"/usr/lib/udev/rules.d/", "/lib/udev/rules.d/", "/etc/udev/rules.d/"} {
		if _, err := os.Stat(dir + name); err == nil {
			return true
		}
	}
	return false
}
