package why

import (
	"strings"
	"testing"
	"unicode"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// aHost has a map with a path that works, and a disk that a rule leaves alone.
func aHost() (mpath.Snapshot, mpath.Basis) {
	cfg := policy.Config{
		Devices:   policy.BuiltinDevices(),
		Blacklist: []policy.Rule{{Class: policy.ClassDevnode, Pattern: "^sdb$", Origin: policy.Origin{File: "f", Line: 3, Column: 1}}},
		Multipaths: []policy.Multipath{{
			WWID: "36001405a", Origin: policy.Origin{File: "f", Line: 7, Column: 1},
			Layer: policy.Layer{{Keyword: "alias", Value: "data", Origin: policy.Origin{File: "f", Line: 8, Column: 1}}},
		}},
	}
	rules, _ := policy.Compile(cfg)
	b := mpath.Basis{Config: cfg, State: policy.State{Bindings: policy.Bindings{{Alias: "mpatha", WWID: "36001405c"}}}, WWIDs: []string{"36001405d"}}
	s := mpath.Snapshot{Now: 5e9, Started: true}
	for i, name := range []string{"sda", "sdb"} {
		wwid := []string{"36001405a", "36001405b"}[i]
		id := scsi.Identity{WWID: wwid, IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: wwid}}, Vendor: "NETAPP", Model: "LUN"}
		f := policy.Facts{Devnode: name, DevType: "disk", HasUdev: true}
		p := mpath.PathView{ID: mpath.PathID{Dev: table.DevNum{Major: 8, Minor: uint32(16 * i)}, Diskseq: uint64(i)}, Name: name, Seen: mpath.PathSeen{Identity: id, Facts: f}, Priority: -1}
		p.Decision = rules.Decide(id, f, b.State)
		if p.Decision.Verdict == policy.VerdictAdmit {
			p.WWID, p.Map = wwid, "data"
		}
		s.Paths = append(s.Paths, p)
		b.Devices = append(b.Devices, mpath.DeviceFacts{ID: p.ID, Facts: f})
	}
	s.Maps = []mpath.MapView{{WWID: "36001405a", Name: "data", Settings: s.Paths[0].Decision.Settings, Owner: mpath.NoOwner()}}
	return s, b
}

// FuzzExplain asks for anything: it ends, says nothing that a terminal obeys, and
// what it knows has an answer.
func FuzzExplain(f *testing.F) {
	for _, name := range []string{"sda", "/dev/sdb", "/dev/mapper/data", "sdb1", "8:16", "36001405c", "mpatha", "36001405d", "999999999", "", "S\x1b[2J3456789", "/dev/", "nvme0n1p1"} {
		f.Add(name)
	}
	s, b := aHost()
	f.Fuzz(func(t *testing.T, name string) {
		e, ok := Explain(s, b, name)
		if !ok {
			return
		}
		if e.Answer == "" || e.Verdict == "" || e.Kind == "" {
			t.Errorf("%q: %+v", name, e)
		}
		for _, r := range e.Text() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%q: %q in the text", name, r)
			}
		}
	})
}

// What is said would help is what decides: each change, made again, leads to the
// verdict that was promised; and nothing is promised that does not help.
func TestChangesHelp(t *testing.T) {
	s, b := aHost()
	e, _ := Explain(s, b, "sdb")
	if e.Verdict != "reject" || e.Origin != "f:3:1" || len(e.Changes) != 1 {
		t.Fatalf("%s %s %+v", e.Verdict, e.Origin, e.Changes)
	}
	// Without its rule the disk is still nobody's: strict wants it named.
	want := []string{`remove line 3 of f (devnode "^sdb$")`, `name it: multipaths { multipath { wwid "36001405b" } }`}
	if got := e.Changes[0].Do; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
	e, _ = Explain(s, b, "data")
	if e.Kind != "map" || !strings.Contains(e.Text(), "alias of 36001405a (f:8:1)") {
		t.Errorf("%s", e.Text())
	}
	e, _ = Explain(s, b, "sda")
	if len(e.Changes) != 2 || !strings.HasPrefix(e.Changes[0].Do[0], "remove the multipaths entry at line 7") {
		t.Errorf("%+v", e.Changes)
	}
}
