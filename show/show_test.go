package show_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/show"
)

func wantText(t *testing.T, want, have string) {
	t.Helper()
	if d := cmp.Diff(strings.SplitAfter(want, "\n"), strings.SplitAfter(have, "\n")); d != "" {
		t.Errorf("want -, have +:\n%s", d)
	}
}

// What multipath-tools 0.14.3 printed for the same map.
const netappSample = `mpatha (3600a0980000000000000000000000001) dm-3 NETAPP,LUN C-Mode
size=10G features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| |- 2:0:0:1   sdb  8:16   active ready  running
| ` + "`" + `- 4:0:0:257 sdd  8:48   failed faulty offline
` + "`" + `-+- policy='service-time 0' prio=10 status=enabled
  |- 3:0:0:1   sdc  8:32   active ready  running
  ` + "`" + `- 5:0:0:1   sdaa 65:160 active ghost  running
`

func TestTopologySample(t *testing.T) {
	f := netapp(t)
	wantText(t, netappSample, show.Topology(f.s, show.TopologyOptions{}))
	// The native form adds nothing where there is nothing to add.
	wantText(t, netappSample, show.Topology(f.s, show.TopologyOptions{Native: true}))
}

func TestTopologyUnchecked(t *testing.T) {
	want := strings.NewReplacer("prio=50", "prio=0", "prio=10", "prio=0", "ready ", "undef ", "ghost ", "undef ").Replace(netappSample)
	wantText(t, want, show.Topology(netapp(t).s, show.TopologyOptions{Unchecked: true}))
}

// The layout of the reference's manual: plain widths, a failed path.
func TestTopologyTwoGroups(t *testing.T) {
	f := newFixture(t)
	f.addMap("ocr1", "ocr1", 12, 10485760,
		"0 0 2 1 service-time 0 2 1 8:16 1 8:32 1 service-time 0 2 1 8:48 1 8:64 1",
		"2 0 0 0 2 1 A 0 2 0 8:16 A 0 8:32 A 0 E 0 2 0 8:48 A 0 8:64 F 1", 50, 10)
	for i, h := range []string{"2:0:0:1", "3:0:0:1", "4:0:0:1", "5:0:0:1"} {
		st, ds := pathcheck.StateUp, "running"
		if i == 3 {
			st, ds = pathcheck.StateDown, "transport-offline"
		}
		f.addPath(h, "sd"+string(rune('b'+i)), []string{"8:16", "8:32", "8:48", "8:64"}[i], st, ds, "", "")
	}
	wantText(t, `ocr1 dm-12 ##,##
size=5.0G features='0' hwhandler='0' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| |- 2:0:0:1 sdb 8:16 active ready  running
| `+"`"+`- 3:0:0:1 sdc 8:32 active ready  running
`+"`"+`-+- policy='service-time 0' prio=10 status=enabled
  |- 4:0:0:1 sdd 8:48 active ready  running
  `+"`"+`- 5:0:0:1 sde 8:64 failed faulty offline
`, show.Topology(f.s, show.TopologyOptions{}))
}

// One column narrower than the others is padded in the last place too.
func TestTopologyTrailingBlanks(t *testing.T) {
	f := newFixture(t)
	f.addMap("a", "b", 1, 2048, "0 0 1 1 round-robin 0 2 1 8:16 1 8:32 1", "2 0 0 0 1 1 A 0 2 0 8:16 A 0 8:32 A 0", 1)
	f.addPath("1:0:0:0", "sdb", "8:16", pathcheck.StatePending, "", "ATA", "X")
	wantText(t, `a (b) dm-1 ATA,X
size=1.0M features='0' hwhandler='0' wp=rw
`+"`"+`-+- policy='round-robin 0' prio=1 status=active
  |- 1:0:0:0 sdb 8:16 active i/o pending unknown
  `+"`"+`- #:#:#:# -   8:32 active undef       unknown
`, show.Topology(f.s, show.TopologyOptions{}))
}

func TestTopologyOrderAndEmptyMap(t *testing.T) {
	f := newFixture(t)
	f.addMap("z", "z", 11, 10485760, "0 0 0 0", "0 0 0 0")
	f.addMap("y", "y", 2, 83886080, "0 0 0 0", "0 0 0 0").Truth.ReadOnly = true
	f.s.Maps = append(f.s.Maps, mpath.MapView{WWID: "3600", Name: "voting1", Owner: mpath.NoOwner(), LastError: "load voting1: EBUSY"})
	wantText(t, "y dm-2 ##,##\nsize=40G features='0' hwhandler='0' wp=ro\nz dm-11 ##,##\nsize=5.0G features='0' hwhandler='0' wp=rw\n",
		show.Topology(f.s, show.TopologyOptions{}))
	wantText(t, "y dm-2 ##,##\nsize=40G features='0' hwhandler='0' wp=ro\nz dm-11 ##,##\nsize=5.0G features='0' hwhandler='0' wp=rw\n"+
		"voting1 (3600) - ##,##\n  ! not made yet: load voting1: EBUSY\n",
		show.Topology(f.s, show.TopologyOptions{Native: true}))
}

// A path that leads to another LUN by now is in no table: multipath -ll does not
// know it, the native form says what it is.
func stranger(t *testing.T) *fixture {
	f := netapp(t)
	p := f.addPath("6:0:0:1", "sde", "8:64", pathcheck.StateDown, "running", "NETAPP", "LUN C-Mode")
	p.Stranger = "3600a0980000000000000000000000bad"
	p.Priority = -1
	return f
}

func TestStranger(t *testing.T) {
	f := stranger(t)
	wantText(t, netappSample, show.Topology(f.s, show.TopologyOptions{}))
	wantText(t, netappSample+"  ! waiting: 6:0:0:1 sde 8:64 faulty running: another LUN answers here: "+
		"3600a0980000000000000000000000bad, not 3600a0980000000000000000000000001\n",
		show.Topology(f.s, show.TopologyOptions{Native: true}))
	wantText(t, `dev  hctl      dev_t  map    dm     checker device  prio note
sdb  2:0:0:1   8:16   mpatha active ready   running 50
sdc  3:0:0:1   8:32   mpatha active ready   running 10
sdd  4:0:0:257 8:48   mpatha failed faulty  offline 50   the device is offline
sde  6:0:0:1   8:64   mpatha -      faulty  running -    another LUN answers here: 3600a0980000000000000000000000bad, not 3600a0980000000000000000000000001
sdaa 5:0:0:1   65:160 mpatha active ghost   running 10
`, show.Paths(f.s, false))
}

func TestPathsAll(t *testing.T) {
	f := newFixture(t)
	f.s.Paths = []mpath.PathView{
		{
			ID: mpath.PathID{Dev: dev(t, "8:0"), Diskseq: 1}, Name: "sda", HCTL: "0:0:0:0", DevState: "running", Priority: -1,
			Decision: policy.Decision{
				Verdict: policy.VerdictReject, Reason: "blacklisted by devnode",
				Origin: policy.Origin{File: "/etc/multipath.conf", Line: 3, Column: 9},
			},
		},
		{Name: "sdb", Odd: "INQUIRY: 3 bytes, want at least 36", Priority: -1},
	}
	wantText(t, `dev hctl    dev_t map    dm checker device  prio note
sda 0:0:0:0 8:0   (none) -  -       running -    blacklisted by devnode (/etc/multipath.conf:3:9)
sdb -       -     (none) -  -       -       -    INQUIRY: 3 bytes, want at least 36
`, show.Paths(f.s, true))
	if got := show.Paths(f.s, false); got != "" {
		t.Errorf("no path, and yet: %q", got)
	}
}

func TestMaps(t *testing.T) {
	f := stranger(t)
	m := &f.s.Maps[0]
	m.Owner = mpath.Owner{UID: 54321, GID: 54322, Mode: 0o660}
	m.Drift = "found 0:6 0660"
	m.Queueing.Until = f.s.Now.After(12 * mpath.Second)
	m.Accepted = []string{"name"}
	m.Settings.UID = policy.Value[string]{V: "54321"}
	node := []mpath.NodeSeen{{Dev: m.Truth.Dev, UID: 0, GID: 6, Mode: 0o660}}
	wantText(t, `name   sysfs size paths state  queueing owner-wanted     owner    wwid                              note
mpatha dm-3  10G  3/4+1 active 12s      54321:54322,0660 0:6,0660 3600a0980000000000000000000000001 adopted: differs (name), `+"`pathkeeper reload`"+` applies the configuration; owner differs from what is wanted; owner drifted before (found 0:6 0660)
`, show.Maps(f.s, node))
	m.Node = mpath.NodeSeen{Dev: m.Truth.Dev, UID: 54321, GID: 54322, Mode: 0o660}
	if got := show.Maps(f.s, nil); !strings.Contains(got, " 54321:54322,0660 54321:54322,0660 ") || strings.Contains(got, "differs from what is wanted") {
		t.Errorf("the daemon's last look does not count: %s", got)
	}
	m.Owner.UID = -1
	m.Settings.UID = policy.Value[string]{V: "oracle", Origin: policy.Origin{File: "/etc/multipath.conf", Line: 9, Column: 5}}
	if got := show.Maps(f.s, node); !strings.Contains(got, "uid oracle is not known here (/etc/multipath.conf:9:5)") {
		t.Errorf("unresolved user not told: %s", got)
	}
}

func TestMultipathdTables(t *testing.T) {
	f := netapp(t)
	wantText(t, "name   sysfs uuid                             \nmpatha dm-3  3600a0980000000000000000000000001\n", show.MultipathdMaps(f.s))
	wantText(t, `hcil      dev  dev_t  pri dm_st  chk_st dev_st  next_check     
2:0:0:1   sdb  8:16   50  active ready  running XXX....... 6/20
3:0:0:1   sdc  8:32   10  active ready  running XXX....... 6/20
4:0:0:257 sdd  8:48   50  failed faulty offline XXX....... 6/20
5:0:0:1   sdaa 65:160 10  active ghost  running XXX....... 6/20
`, show.MultipathdPaths(f.s))
	if got := show.MultipathdPaths(mpath.Snapshot{}) + show.MultipathdMaps(mpath.Snapshot{}); got != "" {
		t.Errorf("nothing to show, and yet: %q", got)
	}
}

func TestSelect(t *testing.T) {
	f := stranger(t)
	f.addMap("other", "3600b", 4, 2048, "0 0 0 0", "0 0 0 0")
	for _, name := range []string{"mpatha", "/dev/mapper/mpatha", "3600a0980000000000000000000000001", "dm-3", "/dev/dm-3", "sdaa", "/dev/sdaa", "65:160", "8:64", "253:3"} {
		s, ok := show.Select(f.s, name)
		if !ok || len(s.Maps) != 1 || s.Maps[0].Name != "mpatha" || len(s.Paths) != 5 {
			t.Errorf("%s: %v, %d maps, %d paths", name, ok, len(s.Maps), len(s.Paths))
		}
	}
	for _, name := range []string{"", "mpath", "/dev/", "dm-5", "8:1", "sdz"} {
		if _, ok := show.Select(f.s, name); ok {
			t.Errorf("%q names a map", name)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[table.Sectors]string{
		0: "0.0K", 1: "0.5K", 2: "1.0K", 2047: "1024K", 2048: "1.0M", 20 << 20: "10G", 10485760: "5.0G", 83886080: "40G",
		1 << 31: "1.0T", 1 << 41: "1.0P", 1 << 52: "2048P",
	} {
		if have := show.Size(n); have != want {
			t.Errorf("%d sectors: %s, want %s", n, have, want)
		}
	}
}

func TestNatural(t *testing.T) {
	want := []string{"mpatha", "mpathb", "mpathz", "mpathaa", "ocr1", "ocr2", "ocr10", "ocr010", "sda", "sdz", "sdaa", "sdab", "voting1"}
	for i := range want {
		for j := range want {
			if c := show.Natural(want[i], want[j]); (c < 0) != (i < j) || (c == 0) != (i == j) {
				if want[i] != "ocr10" && want[i] != "ocr010" {
					t.Errorf("Natural(%s, %s) = %d", want[i], want[j], c)
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.StringMatching(`(sd|mpath)?[a-c0-2]{0,4}`)
		a, b, c := g.Draw(t, "a"), g.Draw(t, "b"), g.Draw(t, "c")
		if show.Natural(a, b) != -show.Natural(b, a) {
			t.Fatalf("not antisymmetric: %q %q", a, b)
		}
		if show.Natural(a, b) == 0 && a != b {
			t.Fatalf("equal: %q %q", a, b)
		}
		if show.Natural(a, b) < 0 && show.Natural(b, c) < 0 && show.Natural(a, c) >= 0 {
			t.Fatalf("not transitive: %q %q %q", a, b, c)
		}
	})
}

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"ocr1": "ocr1", "a b": "a b", `disk\x20one`: `disk\x20one`, "Ümlaut": "Ümlaut",
		"x\x1b[2Jy": `x\x1b[2Jy`, "a\nb": `a\x0ab`, "\xff": `\xff`, "\u009b": `\u009b`, "a\u202eb": `a\u202eb`, "\U000e0001": `\U000e0001`,
	} {
		if have := show.Safe(in); have != want {
			t.Errorf("%q: %q, want %q", in, have, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, r := range show.Safe(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q stays", r)
			}
		}
	})
}

var snakeCase = regexp.MustCompile(`^[a-z0-9_]+$`)

// checkNames walks a decoded document.
func checkNames(t *testing.T, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if !snakeCase.MatchString(k) {
				t.Errorf("field %q", k)
			}
			checkNames(t, e)
		}
	case []any:
		for _, e := range v {
			checkNames(t, e)
		}
	}
}

func TestDocument(t *testing.T) {
	f := stranger(t)
	f.s.Maps[0].Owner = mpath.Owner{UID: 54321, GID: -1, Mode: 0o660}
	f.s.Paths[0].Name = "sd\x1b\"\u009b\\"
	f.s.Paths = append(f.s.Paths, mpath.PathView{Name: "sdx", Odd: "it says nothing"})
	nodes := []mpath.NodeSeen{{Dev: f.s.Maps[0].Truth.Dev, UID: 0, GID: 6, Mode: 0o660}}
	text := show.NewDocument(f.s, show.SectionAll, nodes).JSON()
	for _, r := range string(text) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%q in the document", r)
		}
	}
	var any any
	if err := json.Unmarshal(text, &any); err != nil {
		t.Fatal(err)
	}
	checkNames(t, any)
	var d show.Document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Pathkeeper != 1 || !d.Complete || len(*d.Maps) != 1 || len(*d.Paths) != 6 {
		t.Fatalf("%s", text)
	}
	m := (*d.Maps)[0]
	if len(*m.Groups) != 2 || len((*m.Groups)[1].Paths) != 2 || len(*m.Waiting) != 1 || m.PathsUsable != 3 || m.PathsTotal != 4 {
		t.Errorf("%+v", m)
	}
	if !m.OwnerDiffers || *m.OwnerFound.UID != 0 || *m.OwnerWanted.UID != 54321 || m.OwnerWanted.GID != nil || *m.OwnerWanted.Mode != "0660" {
		t.Errorf("owner: %+v", m)
	}
	w := (*m.Waiting)[0]
	if *w.Stranger != "3600a0980000000000000000000000bad" || w.DMState != nil || *w.StateAgoS != 90 || *w.NextCheckInS != 6 {
		t.Errorf("%+v", w)
	}
	if back := show.NewDocument(f.s, show.SectionAll, nodes); !cmp.Equal(back, d) {
		t.Errorf("document changes on its way:\n%s", cmp.Diff(back, d))
	}
}

func TestDocumentSections(t *testing.T) {
	f := stranger(t)
	f.s.Paths = append(f.s.Paths, mpath.PathView{Name: "sdx", Odd: "it says nothing"})
	for _, c := range []struct {
		section     show.Section
		maps, paths int
		groups      bool
	}{
		{show.SectionAll, 1, 6, true},
		{show.SectionTopology, 1, -1, true},
		{show.SectionMaps, 1, -1, false},
		{show.SectionPaths, -1, 5, false},
		{show.SectionAllPaths, -1, 6, false},
	} {
		d := show.NewDocument(f.s, c.section, nil)
		maps, paths, groups := -1, -1, false
		if d.Maps != nil {
			maps, groups = len(*d.Maps), (*d.Maps)[0].Groups != nil
		}
		if d.Paths != nil {
			paths = len(*d.Paths)
		}
		if maps != c.maps || paths != c.paths || groups != c.groups {
			t.Errorf("section %d: %d maps (groups %v), %d paths", c.section, maps, groups, paths)
		}
	}
	if got := string(show.NewDocument(mpath.Snapshot{}, show.SectionMaps, nil).JSON()); !strings.Contains(got, `"maps": []`) {
		t.Errorf("an empty list is no list: %s", got)
	}
}

// The command line gets the snapshot itself from the daemon: it must come over
// as it was.
func TestSnapshotTravels(t *testing.T) {
	f := stranger(t)
	text, err := json.Marshal(f.s)
	if err != nil {
		t.Fatal(err)
	}
	var back mpath.Snapshot
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(f.s, back); d != "" {
		t.Error(d)
	}
}
