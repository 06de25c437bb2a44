package names

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

func at(line int) policy.Origin { return policy.Origin{File: "multipath.conf", Line: line, Column: 3} }

func identity(wwid string, others ...string) scsi.Identity {
	id := scsi.Identity{WWID: wwid, Vendor: "ACME", Model: "Disk", IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: wwid}}, PortGroup: -1, RelPort: -1}
	for _, o := range others {
		id.IDs = append(id.IDs, scsi.ID{Kind: scsi.IDScsiID, Value: o})
	}
	return id
}

// host is a node with a map by each way of naming, a single disk, and names of
// LUNs that are not there.
func host(t *testing.T) Host {
	cfg := policy.Config{
		// As the built-in table has for one vendor: nobody else's names are off.
		Devices:  []policy.Device{{Vendor: "NETAPP", Product: "LUN", Layer: policy.Layer{{Keyword: "user_friendly_names", Value: "no"}}}},
		Defaults: policy.Layer{{Keyword: "user_friendly_names", Value: "yes"}},
		Multipaths: []policy.Multipath{
			{WWID: "3600a", Layer: policy.Layer{{Keyword: "alias", Value: "ocr1", Origin: at(3)}, {Keyword: "uid", Value: "grid"}, {Keyword: "gid", Value: "asmadmin"}, {Keyword: "mode", Value: "0660"}}, Origin: at(2)},
			{WWID: "3600gone", Layer: policy.Layer{{Keyword: "alias", Value: "voting1", Origin: at(8)}}, Origin: at(7)},
		},
		Disks: []policy.Disk{
			{WWID: "3600d", Name: "asm/d1", Owner: "oracle", Mode: 0o660, Origin: policy.Origin{File: "p.yaml", Line: 4, Column: 5}},
			{WWID: "3600dgone", Name: "asm/d2", Mode: -1, Origin: policy.Origin{File: "p.yaml", Line: 8, Column: 5}},
		},
	}
	b := mpath.Basis{
		Config: cfg,
		State:  policy.State{Bindings: policy.Bindings{{Alias: "mpatha", WWID: "3600b"}, {Alias: "mpathc", WWID: "Sold"}, {Alias: "mpathd", WWID: "3600nolun"}, {Alias: "mpatha", WWID: "3600late"}, {Alias: "voting1", WWID: "3600other"}}},
		Names:  []policy.UsedName{{Name: "vg-root", UUID: "LVM-x"}, {Name: "ocr1", UUID: "mpath-3600a"}},
	}
	rules, _ := policy.Compile(cfg)
	s := mpath.Snapshot{}
	path := func(name string, id scsi.Identity, inMap bool) {
		v := mpath.PathView{Name: name, Seen: mpath.PathSeen{Identity: id, Facts: policy.Facts{Devnode: name, DevType: "disk", Size: 2048}}}
		if inMap {
			v.WWID = id.WWID
		}
		v.Decision = rules.Decide(id, v.Seen.Facts, b.State)
		s.Paths = append(s.Paths, v)
	}
	mp := func(wwid, name string, id scsi.Identity) {
		d := rules.Decide(id, policy.Facts{DevType: "disk"}, b.State)
		s.Maps = append(s.Maps, mpath.MapView{WWID: wwid, Name: name, Settings: d.Settings, Known: true, Truth: mpath.Truth{Size: 2048}})
	}
	path("sda", identity("3600a"), true)
	path("sdb", identity("3600b"), true)
	path("sdc", identity("1canon", "Sold"), true)
	path("sdd", identity("3600d"), false)
	path("sde", identity("3600e"), true)
	path("sdf", scsi.Identity{Problem: "no answer"}, false)
	mp("3600a", "ocr1", identity("3600a"))
	mp("3600b", "mpatha", identity("3600b"))
	mp("1canon", "mpathc", identity("1canon", "Sold"))
	mp("3600e", "3600e", identity("3600e"))
	mp("3600k", "kept", identity("3600k"))
	_ = t
	return Collect("node1", s, b)
}

const exported = `pathkeeper-names 1 9
# kind wwid      name    owner  group    mode bytes   from     there other-ids
map    1canon    mpathc  -      -        -    1048576 bindings yes   Sold
map    3600a     ocr1    grid   asmadmin 0660 1048576 config   yes
map    3600b     mpatha  -      -        -    1048576 bindings yes
disk   3600d     asm/d1  oracle -        0660 1048576 config   yes
disk   3600dgone asm/d2  -      -        -    -       config   no
map    3600e     -       -      -        -    1048576 wwid     yes
map    3600gone  voting1 -      -        -    -       config   no
map    3600k     kept    -      -        -    1048576 kept     yes
map    3600nolun mpathd  -      -        -    -       bindings no
`

func TestExport(t *testing.T) {
	text := host(t).List.String()
	_, body, _ := strings.Cut(text, "the like are %HH. there: whether this node had the LUN.\n")
	if diff := cmp.Diff(exported, body); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(text, "# Names of the maps and disks of node1,") {
		t.Errorf("%.80q", text)
	}
	back, problems := Parse([]byte(text))
	if len(problems) != 0 || len(Compare(host(t).List, back)) != 0 {
		t.Errorf("%v, %v", problems, Compare(host(t).List, back))
	}
}

func TestCompare(t *testing.T) {
	change := strings.NewReplacer(
		"3600a     ocr1    grid   asmadmin 0660 1048576", "3600a ocr9 oracle asmadmin 0640 2097152",
		"1canon    mpathc  -      -        -    1048576 bindings yes   Sold", "Sold mpathc - - - - bindings no",
		"3600b     mpatha", "3600z mpatha",
		"disk   3600dgone asm/d2  -      -        -    -       config   no\n", "disk 3600new asm/d3 - dba - - config yes\n",
	)
	two, problems := Parse([]byte(change.Replace(exported)))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, d := range Compare(host(t).List, two) {
		got = append(got, d.Text("here", "in node2.txt"))
	}
	want := []string{
		"map 1canon (mpathc): present here, named, but no such LUN in node2.txt",
		"map 3600a (ocr1): name ocr1 here, ocr9 in node2.txt",
		"map 3600a (ocr1): owner grid here, oracle in node2.txt",
		"map 3600a (ocr1): mode 0660 here, 0640 in node2.txt",
		"map 3600a (ocr1): size 1048576 here, 2097152 in node2.txt",
		"map 3600b (mpatha): not in node2.txt (here: present)",
		"disk 3600dgone (asm/d2): not in node2.txt (here: named, but no such LUN)",
		"disk 3600new (asm/d3): not here (in node2.txt: present)",
		"map 3600z (mpatha): not here (in node2.txt: present)",
		"map name mpatha: stands for 3600b here, for 3600z in node2.txt",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func list(t *testing.T, lines string) List {
	t.Helper()
	l, problems := Parse([]byte(magic + "\n" + lines))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	return l
}

func take(t *testing.T, lines string) Taking {
	h := host(t)
	return h.Take(list(t, lines), h.basis.State.Bindings, func(alias string) string { return "bindings " + alias })
}

// What the same node exported wants nothing.
func TestTakeOwnListIsNothing(t *testing.T) {
	h := host(t)
	got := h.Take(h.List, h.basis.State.Bindings, func(a string) string { return a })
	// "kept" is a name that no file of the host gives: it is proposed as an alias.
	if len(got.Clashes)+len(got.Notes)+len(got.Lines)+len(got.Disks) != 0 || len(got.Maps) != 1 || got.Maps[0].Name != "kept" {
		t.Errorf("%+v", got)
	}
}

func TestTake(t *testing.T) {
	got := take(t, `map 3600n1 mpathx - - - - bindings yes
map 3600n2 data1 oracle dba 0660 - config yes
map 3600e mpathe - - - - bindings yes
map Sold mpathc grid - - - bindings no
map 3600gone voting1 - - 0640 - config yes
map 3600a ocr1 - asmadmin 0660 - config yes
map 3600n3 - - - - - wwid yes
disk 3600dnew asm/d9 oracle dba 0660 - config yes
disk 3600d asm/d1 oracle - 0660 - config yes
disk 3600dgone asm/d2 grid - - - config no
`)
	if len(got.Clashes) != 0 {
		t.Fatal(got.Clashes)
	}
	if diff := cmp.Diff([]policy.Binding{{Alias: "mpathe", WWID: "3600e"}, {Alias: "mpathx", WWID: "3600n1"}}, got.Lines); diff != "" {
		t.Error(diff)
	}
	var notes []string
	for _, n := range got.Notes {
		notes = append(notes, n.String())
	}
	if diff := cmp.Diff([]string{
		"line 7: map 3600a (ocr1): owner grid is set here and not there: it stays",
		"line 11: disk 3600dgone (asm/d2): the entry at p.yaml:8:5 says otherwise: change it there, of two entries the first counts",
	}, notes); diff != "" {
		t.Error(diff)
	}
	conf := "# Proposed by `pathkeeper names import n%201`.\nmultipaths {\n" +
		"\tmultipath {\n\t\twwid \"3600gone\"\n\t\tmode \"0640\"\n\t}\n" +
		"\tmultipath {\n\t\twwid \"3600n2\"\n\t\talias \"data1\"\n\t\tuid \"oracle\"\n\t\tgid \"dba\"\n\t\tmode \"0660\"\n\t}\n" +
		"\tmultipath {\n\t\twwid \"Sold\"\n\t\tuid \"grid\"\n\t}\n}\n"
	if diff := cmp.Diff(conf, got.Conf("n 1")); diff != "" {
		t.Error(diff)
	}
	yaml := `multipaths:
  - wwid: "3600gone"
    mode: "0640"
  - wwid: "3600n2"
    alias: "data1"
    owner: "oracle"
    group: "dba"
    mode: "0660"
  - wwid: "Sold"
    owner: "grid"
names:
  - wwid: "3600dnew"
    name: "asm/d9"
    owner: "oracle"
    group: "dba"
    mode: "0660"
`
	if _, body, _ := strings.Cut(got.YAML("n"), "\n"); body != yaml {
		t.Error(cmp.Diff(yaml, body))
	}
}

func TestTakeClashes(t *testing.T) {
	for line, says := range map[string]string{
		"map 3600a data1 - - - - config yes":      "map 3600a (data1): here it is called ocr1 by multipath.conf:3:3",
		"map 3600a - - - - - wwid yes":            "here it is called ocr1",
		"map 3600b mpathz - - - - bindings yes":   "here it is called mpatha by bindings mpatha",
		"map 3600b - - - - - wwid yes":            "here it is called mpatha",
		"map Sold mpathz - - - - bindings no":     "here it is called mpathc",
		"map 3600n1 ocr1 - - - - config yes":      "the name is taken here: by the configuration for 3600a",
		"map 3600n1 mpathd - - - - bindings yes":  "the name is taken here: by bindings mpathd for 3600nolun",
		"map 3600n1 vg-root - - - - bindings yes": "the name is taken here: by the device-mapper device vg-root (LVM-x)",
		"disk 3600n1 asm/d1 - - - - config yes":   "the name is taken here: by p.yaml:4:5 for 3600d",
		"disk 3600d asm/other - - - - config yes": "here it is called asm/d1 by p.yaml:4:5",
	} {
		got := take(t, line+"\n")
		if len(got.Clashes) != 1 || got.Clashes[0].Line != 2 || !strings.Contains(got.Clashes[0].Text, says) {
			t.Errorf("%s: %v, want %q", line, got.Clashes, says)
		}
		if !got.Empty() {
			t.Errorf("%s: a line that clashes gives %+v", line, got)
		}
	}
}

// No hostile value gets in, and none gets out unescaped.
func TestHostile(t *testing.T) {
	good := "map 3600a ocr1 grid dba 0660 1024 config yes"
	if _, problems := Parse([]byte(magic + "\n" + good + "\n")); len(problems) != 0 {
		t.Fatal(problems)
	}
	long := strings.Repeat("x", 128)
	for _, bad := range []string{
		"map 3600a a%0ab - - - - config yes", "map 3600a a%22 - - - - config yes", "map 3600a %1b[2J - - - - config yes", "map 3600a a/b - - - - config yes", "map 3600a .. - - - - config yes",
		"map 3600a control - - - - config yes", "map 3600a a%20b - - - - config yes", "map 3600a a%23b - - - - config yes", "map 3600a a{b - - - - config yes", "map 3600a a$b - - - - config yes", "map 3600a " + long + " - - - - config yes",
		"map " + long + " a - - - - config yes", "map 36%0a a - - - - config yes", "map 36\"0 a - - - - config yes", "map - a - - - - config yes", "map 36%ff a - - - - config yes", "map 36%zz a - - - - config yes", "map 36% a - - - - config yes",
		"map 3600a a ro%20ot - - - config yes", "map 3600a a root;id - - - config yes", "map 3600a a - - 4755 - config yes", "map 3600a a - - rw - config yes", "map 3600a a - - - big config yes", "map 3600a a - - - - somewhere yes", "map 3600a a - - - - config maybe",
		"disk 3600a ../x - - - - config yes", "disk 3600a sda - - - - config yes", "disk 3600a /dev/x - - - - config yes", "disk 3600a mapper/x - - - - config yes",
		"car 3600a a - - - - config yes", "map 3600a a - - -", "map 3600a a - - - - config yes bad%0aid", "map 3600a a - - - - config yes" + strings.Repeat(" id", 17),
		good + "\n" + good, good + "\nmap 3600b ocr1 - - - - config yes", good + "\nmap 3600b x - - - - config yes 3600a",
	} {
		if _, problems := Parse([]byte(magic + "\n" + bad + "\n")); len(problems) == 0 {
			t.Errorf("taken: %s", bad)
		}
	}
	for _, bad := range []string{"", "# only a comment\n", "pathkeeper-names 2\n" + good, good, "\x00\x01", "{\"json\": 1}"} {
		if _, problems := Parse([]byte(bad)); len(problems) != 1 {
			t.Errorf("%q: %v", bad, problems)
		}
	}
	l := List{Host: "a\nmap evil", Entries: []Entry{{Kind: KindMap, WWID: "a b\x1b#", Name: "-", Owner: "%", From: FromConfig, IDs: []string{"\n"}}}}
	if text := l.String(); strings.ContainsAny(text, "\x1b") || strings.Count(text, "\n") != 7 || !strings.Contains(text, "map    a%20b%1b%23 %2d") {
		t.Errorf("%s", text)
	}
}

// What is printed is read again as it was.
func TestListRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l List
		used := map[string]bool{}
		for i := range rapid.IntRange(0, 8).Draw(t, "n") {
			e := Entry{
				Kind: rapid.SampledFrom([]string{KindMap, KindDisk}).Draw(t, "kind"), WWID: fmt.Sprintf("3600%d", i),
				Name: rapid.StringMatching(`(-|[a-c]{0,3})`).Draw(t, "name"), Owner: rapid.SampledFrom([]string{"", "grid", "54321"}).Draw(t, "owner"),
				Mode: rapid.SampledFrom([]string{"", "0660", "0000"}).Draw(t, "mode"), SizeBytes: rapid.Uint64().Draw(t, "size"),
				From: rapid.SampledFrom([]string{FromConfig, FromBindings, FromWWID, FromKept}).Draw(t, "from"), Present: rapid.Bool().Draw(t, "there"),
			}
			if used[e.Kind+e.Name] {
				e.Name = ""
			}
			used[e.Kind+e.Name] = true
			l.Entries = append(l.Entries, e)
		}
		l.sort()
		back, problems := Parse([]byte(l.String()))
		for i := range back.Entries {
			back.Entries[i].Line = 0
		}
		if len(problems) != 0 || !cmp.Equal(l.Entries, back.Entries) {
			t.Fatalf("%v: %s", problems, cmp.Diff(l.Entries, back.Entries))
		}
		if back.String() != (List{Entries: back.Entries}).String() {
			t.Fatal("another text")
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(exported))
	f.Add([]byte(magic + "\nmap a%20 b - - - 1 config yes x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, problems := Parse(data)
		if len(problems) > maxProblems {
			t.Fatalf("%d problems", len(problems))
		}
		if len(problems) > 0 {
			return
		}
		back, problems := Parse([]byte(l.String()))
		if len(problems) != 0 || len(Compare(l, back)) != 0 {
			t.Fatalf("%v, %v", problems, Compare(l, back))
		}
	})
}

func TestAListThatWasCutOffIsRefused(t *testing.T) {
	l, problems := Parse([]byte(exported))
	if len(problems) > 0 || len(l.Entries) < 2 {
		t.Fatal(problems)
	}
	text := l.String()
	if back, problems := Parse([]byte(text)); len(problems) > 0 || len(back.Entries) != len(l.Entries) {
		t.Fatalf("whole: %v", problems)
	}
	for cut := len(text) - 1; cut > strings.Index(text, magic)+len(magic)+3; cut-- {
		if _, problems := Parse([]byte(text[:cut])); len(problems) == 0 {
			t.Fatalf("cut at %d of %d: taken for whole:\n%s", cut, len(text), text[:cut])
		}
	}
}
