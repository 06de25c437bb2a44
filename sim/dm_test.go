package sim

import (
	"errors"
	"fmt"
	"testing"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
)

type call interface{ Encode() (dmmap.Call, error) }

// do carries a call as the engine would and gives the answer and errno.
func do(t *testing.T, w *World, c call) ([]byte, uint32) {
	t.Helper()
	x, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return DM{w}.Ioctl(x.Cmd, x.Buf)
}

func name(s string) dmmap.Ref { return dmmap.ByName(table.MustName(s)) }

// What the kernel answers, and to what.
func TestKernelAnswers(t *testing.T) {
	w := New(1)
	l := w.AddLUN(LUN{Name: "one"})
	a, b := w.AddPath(l, 2, 1), w.AddPath(l, 3, 1)
	small := w.AddPath(w.AddLUN(LUN{Name: "small", Sectors: 8}), 2, 1)
	busy := w.AddPath(w.AddLUN(LUN{Name: "busy"}), 2, 1)
	w.Mount(busy.Name, "/")
	uuid, err := table.MapUUID(l.WWID())
	if err != nil {
		t.Fatal(err)
	}
	load := func(params string) dmmap.Load {
		return dmmap.Load{Map: name("m"), Lines: []table.Line{{Length: table.Sectors(l.Sectors), Target: "multipath", Params: params}}}
	}
	group := func(paths ...*Disk) string {
		s := fmt.Sprintf("1 1 service-time 0 %d 1", len(paths))
		for _, d := range paths {
			s += fmt.Sprintf(" %d:%d 1", d.Major, d.Minor)
		}
		return s
	}
	for _, step := range []struct {
		what string
		call call
		want uint32
	}{
		{"status of none", dmmap.QueryInfo{Map: name("m")}, eNXIO},
		{"create", dmmap.Create{Name: table.MustName("m"), UUID: uuid}, 0},
		{"name taken", dmmap.Create{Name: table.MustName("m")}, eBUSY},
		{"UUID taken", dmmap.Create{Name: table.MustName("n"), UUID: uuid}, eBUSY},
		{"message without table", dmmap.Message{Map: name("m"), Text: dmmap.MessageQueue}, eINVAL},
		{"selector unknown", load("0 0 1 1 io-affinity 0 1 1 8:0 1"), eINVAL},
		{"feature unknown", load("1 fast 0 " + group(a)), eINVAL},
		{"handler unknown", load("0 1 none " + group(a)), eINVAL},
		{"count of groups wrong", load("0 0 2 1 service-time 0 1 1 8:0 1"), eINVAL},
		{"first group 0", load("0 0 1 0 service-time 0 1 1 8:0 1"), eINVAL},
		{"path too small", load("0 0 " + group(small)), 0},
		{"path too small, resume", dmmap.Resume{Map: name("m")}, eINVAL},
		{"path in use", load("0 0 " + group(busy)), eBUSY},
		{"path not there", load("0 0 1 1 service-time 0 1 1 8:240 1"), eNXIO},
		{"load", load("1 queue_if_no_path 1 alua " + group(a, b)), 0},
		{"resume", dmmap.Resume{Map: name("m")}, 0},
		{"another kind of target", dmmap.Load{Map: name("m"), Lines: []table.Line{{Length: 8, Target: "linear", Params: "8:0 0"}}}, eINVAL},
		{"no such device", dmmap.Message{Map: name("m"), Text: "fail_path 8:160"}, eNXIO},
		{"no such path", dmmap.Message{Map: name("m"), Text: fmt.Sprintf("fail_path %d:%d", small.Major, small.Minor)}, eINVAL},
		{"no such group", dmmap.Message{Map: name("m"), Text: dmmap.SwitchGroup(2)}, eINVAL},
		{"no such word", dmmap.Message{Map: name("m"), Text: "hello"}, eINVAL},
		{"fail", dmmap.Message{Map: name("m"), Text: "fail_path 8:16"}, 0},
		{"suspend", dmmap.Suspend{Map: name("m")}, 0},
		{"message while suspended", dmmap.Message{Map: name("m"), Text: "reinstate_path 8:16"}, eBUSY},
		{"resume again", dmmap.Resume{Map: name("m")}, 0},
		{"rename", dmmap.Rename{Map: name("m"), To: table.MustName("k")}, 0},
		{"old name", dmmap.QueryInfo{Map: name("m")}, eNXIO},
	} {
		if _, got := do(t, w, step.call); got != step.want {
			t.Fatalf("%s: errno %d, want %d", step.what, got, step.want)
		}
	}
	m := w.Map("k")
	if got, want := m.Table(), "1 queue_if_no_path 1 alua 1 1 service-time 0 2 2 8:0 1 1 8:16 1 1"; got != want {
		t.Errorf("table  %s\nwant   %s", got, want)
	}
	if got, want := m.Status(), "2 1 0 0 1 1 E 0 2 2 8:0 A 0 0 1 8:16 F 1 0 1"; got != want {
		t.Errorf("status %s\nwant   %s", got, want)
	}
	m.Open()
	if _, errno := do(t, w, dmmap.Remove{Map: name("k")}); errno != eBUSY {
		t.Errorf("removing an open map: errno %d", errno)
	}
	m.Close()
	if _, errno := do(t, w, dmmap.Remove{Map: name("k")}); errno != 0 || w.Map("k") != nil {
		t.Errorf("removing: errno %d", errno)
	}
}

// A suspension without noflush switches queueing off: what waits gets EIO.
func TestFlushFailsWhatIsQueued(t *testing.T) {
	for _, flush := range []bool{false, true} {
		w := New(1)
		l := w.AddLUN(LUN{Name: "one"})
		d := w.AddPath(l, 2, 1)
		m := w.addMap("m", "")
		do(t, w, dmmap.Load{Map: name("m"), Lines: []table.Line{{Length: 8, Target: "multipath", Params: "1 queue_if_no_path 0 1 1 service-time 0 1 1 8:0 1"}}})
		do(t, w, dmmap.Resume{Map: name("m")})
		d.Break(NoConnect)
		io := m.Write(l, 1, 1, nil)
		w.Run(second)
		if io.Ended != 0 || m.Queued() != 1 {
			t.Fatalf("ended %d (%s), %d queued", io.Ended, io.Err, m.Queued())
		}
		do(t, w, dmmap.Suspend{Map: name("m"), Flush: flush})
		do(t, w, dmmap.Resume{Map: name("m")})
		w.Run(second)
		if failed := io.Err != ""; failed != flush {
			t.Errorf("flush %v: %q", flush, io.Err)
		}
		if table := m.Table(); !contains(table, "queue_if_no_path") {
			t.Errorf("after the resume: %s", table)
		}
	}
}

// A load makes every path active again.
func TestLoadMakesPathsActive(t *testing.T) {
	w := New(1)
	w.AddPath(w.AddLUN(LUN{Name: "one"}), 2, 1)
	m := w.addMap("m", "")
	for range 2 {
		do(t, w, dmmap.Load{Map: name("m"), Lines: []table.Line{{Length: 8, Target: "multipath", Params: "0 0 1 1 service-time 0 1 1 8:0 1"}}})
		do(t, w, dmmap.Resume{Map: name("m")})
		if !contains(m.Status(), "8:0 A 0") {
			t.Errorf("status %s", m.Status())
		}
		do(t, w, dmmap.Message{Map: name("m"), Text: "fail_path 8:0"})
		if !contains(m.Status(), "8:0 F 1") {
			t.Errorf("status %s", m.Status())
		}
	}
	if m.eventNr != 2 {
		t.Errorf("event number %d", m.eventNr)
	}
}

// A list that does not fit is said to be cut, and fits when it is grown.
func TestListOfManyMaps(t *testing.T) {
	w := New(1)
	for i := range 400 {
		w.addMap(fmt.Sprintf("map%03d", i), fmt.Sprintf("mpath-36001405%024d", i))
	}
	c, err := dmmap.QueryList{}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for tries := 0; ; tries++ {
		out, errno := DM{w}.Ioctl(c.Cmd, c.Buf)
		list, err := dmmap.DecodeList(out)
		if errors.Is(err, dmmap.ErrBufferFull) && tries < 8 {
			if c, err = c.Grow(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if errno != 0 || err != nil || len(list) != 400 || tries == 0 {
			t.Errorf("errno %d, %v, %d maps after %d tries", errno, err, len(list), tries)
		}
		return
	}
}

// loadInto loads a multipath table of 8 sectors into map m and resumes it.
func loadInto(t *testing.T, w *World, params string) {
	t.Helper()
	if _, errno := do(t, w, dmmap.Load{Map: name("m"), Lines: []table.Line{{Length: 8, Target: "multipath", Params: params}}}); errno != 0 {
		t.Fatalf("load %q: errno %d", params, errno)
	}
	if _, errno := do(t, w, dmmap.Resume{Map: name("m")}); errno != 0 {
		t.Fatalf("resume: errno %d", errno)
	}
}
