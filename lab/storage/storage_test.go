package storage

import (
	"slices"
	"strings"
	"testing"

	"pathkeeper/lab/wire"
)

func text(steps []wire.Step) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(strings.ReplaceAll(s.String(), Target, "T") + "\n")
	}
	return b.String()
}

func TestAddAndRemove(t *testing.T) {
	a := NewArray()
	l, steps, err := a.Add(LUN{Name: "mysql1", Bytes: 64 << 20, Ports: []string{"A1", "B1"}, Serial: "11112222-3333-4444-5555-666677778888"})
	if err != nil {
		t.Fatal(err)
	}
	if l.WWID() != "360014051111222233334444555566667" {
		t.Errorf("WWID %s", l.WWID())
	}
	made := text(steps)
	// The link is made with the cable out, and the group is set before it is in.
	order := []string{
		"mkdir T/loopback/naa.5001405004131001/tpgt_1\n",
		`echo "offline" > T/loopback/naa.5001405004131001/tpgt_1/transport_status`,
		"ln -s T/core/fileio_0/mysql1 T/loopback/naa.5001405004131001/tpgt_1/lun/lun_0/port\n",
		`echo "A" > T/loopback/naa.5001405004131001/tpgt_1/lun/lun_0/alua_tg_pt_gp`,
		`echo "online" > T/loopback/naa.5001405004131001/tpgt_1/transport_status`,
	}
	at := 0
	for _, want := range order {
		i := strings.Index(made[at:], want)
		if i < 0 {
			t.Fatalf("no %q behind byte %d of:\n%s", want, at, made)
		}
		at += i
	}
	down, err := a.Remove("mysql1")
	if err != nil {
		t.Fatal(err)
	}
	gone := text(down)
	for _, s := range steps {
		if s.Mkdir != "" && s.Mkdir != Store && !strings.Contains(gone, "rm "+strings.ReplaceAll(s.Mkdir, Target, "T")+"\n") {
			t.Errorf("%s is never removed", s.Mkdir)
		}
	}
	if len(a.Names()) != 0 {
		t.Errorf("left: %v", a.Names())
	}
}

func TestRemapFollowsTheModel(t *testing.T) {
	a := NewArray()
	for _, n := range []string{"one", "two"} {
		if _, _, err := a.Add(LUN{Name: n, Bytes: 1 << 20, Ports: []string{"A1"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Link("one", "A1", "two"); err == nil {
		t.Error("two LUNs in one place")
	}
	if _, err := a.Unlink("one", "A1"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Link("one", "A1", "two"); err != nil {
		t.Fatal(err)
	}
	// Removing the stranger's LUN also unlinks it where it took another's place.
	down, err := a.Remove("two")
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, s := range down {
		if strings.HasSuffix(s.Remove, "/port") {
			links++
		}
	}
	if links != 2 {
		t.Errorf("%d links removed, want 2:\n%s", links, text(down))
	}
}

func TestBadPorts(t *testing.T) {
	for _, ports := range [][]string{{"A"}, {"1"}, {"A1", "A1"}} {
		if _, _, err := NewArray().Add(LUN{Name: "x", Bytes: 1, Ports: ports}); err == nil {
			t.Errorf("%v was taken", ports)
		}
	}
	if g := []string{Group("A1"), Group("ctl12")}; !slices.Equal(g, []string{"A", "ctl"}) {
		t.Error(g)
	}
}

func TestFCPortsAreShared(t *testing.T) {
	a := NewArray()
	var made string
	for _, n := range []string{"one", "two"} {
		_, steps, err := a.Add(LUN{Name: n, Bytes: 1 << 20, Ports: []string{"A1"}, Via: FC})
		if err != nil {
			t.Fatal(err)
		}
		made = text(steps)
	}
	for _, want := range []string{
		"mkdir T/fc/20:00:02:00:00:41:31:02/tpgt_1/acls/20:00:02:00:00:41:31:01/lun_2\n",
		"ln -s T/core/fileio_0/two T/fc/20:00:02:00:00:41:31:02/tpgt_1/lun/lun_2/port\n",
	} {
		if !strings.Contains(made, want) {
			t.Errorf("no %q in:\n%s", want, made)
		}
	}
	if steps, err := a.Cut("A1", true); err != nil || len(steps) != 0 || !a.OnFC("A1") || a.OnFC("B1") {
		t.Errorf("cut an FC port: %v, %v", steps, err)
	}
	// The first to go leaves the port to the other.
	down, err := a.Remove("one")
	if err != nil || strings.Contains(text(down), "rmdir T/fc/20:00:02:00:00:41:31:02/tpgt_1\n") {
		t.Errorf("%v:\n%s", err, text(down))
	}
	if down, err = a.Remove("two"); err != nil {
		t.Fatal(err)
	}
	gone := text(down)
	at := 0
	const w = "/20:00:02:00:00:41:31:02"
	for _, want := range []string{w + "/tpgt_1/acls/20:00:02:00:00:41:31:01/lun_2/lun", w + "/tpgt_1/lun/lun_2/port", w + "/tpgt_1/acls/20:00:02:00:00:41:31:01", w + "/tpgt_1", w} {
		full := "rm T/fc" + want + "\n"
		i := strings.Index(gone[at:], full)
		if i < 0 {
			t.Fatalf("no %q behind byte %d of:\n%s", full, at, gone)
		}
		at += i + len(full)
	}
	if _, _, err := a.Add(LUN{Name: "long", Bytes: 1, Ports: []string{"ctl1"}, Via: FC}); err == nil {
		t.Error("a port's name that no WWPN holds was taken")
	}
}
