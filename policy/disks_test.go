package policy

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pathkeeper/scsi"
)

func TestCheckDiskName(t *testing.T) {
	for _, good := range []string{"ocr1", "oracleasm/ocr1", "asm-disk1", "oracle/data.1", "a/b/c/d", "sdx-old", "sd", "mdata", "nvme", "dm-x", "Disk=1", "x-part", "x-part1/y", strings.Repeat("x", 127)} {
		if why := CheckDiskName(good); why != "" {
			t.Errorf("%s is refused: %s", good, why)
		}
	}
	for bad, says := range map[string]string{
		"": "empty", "/dev/ocr1": `"ocr1"`, "/ocr1": "path", "../sda": "..", "a/../b": "..", "a/./b": "part .", "a//b": "empty part", "a/": "empty part",
		"sda": "kernel name", "sdab1": "kernel name", "vda": "kernel name", "xvdb2": "kernel name", "dm-0": "kernel name", "nvme0n1p1": "kernel name", "loop7": "kernel name", "md127": "kernel name", "raw3": "kernel name",
		"disk/by-id/x": "/dev/disk", "mapper/ocr1": "/dev/mapper", "mapper": "in /dev", "null": "in /dev", "block/8:0": "/dev/block", "disk": "in /dev", "raw/raw1": "/dev/raw",
		"a b": "' '", "a\"b": "'\"'", "a\nb": "'\\n'", "a%k": "'%'", "$env": "'$'", "a\x1b[2J": "'\\x1b'", "\u00e4": "has a", "ocr1-part1": "partition", strings.Repeat("x", 128): "128 bytes",
	} {
		if why := CheckDiskName(bad); !strings.Contains(why, says) {
			t.Errorf("%q: %q, want %q", bad, why, says)
		}
	}
}

func diskAt(line int, wwid, name string) Disk {
	return Disk{WWID: wwid, Name: name, Mode: -1, Origin: Origin{File: "y", Line: line, Column: 3}}
}

// Every entry that gives nothing is told, and only those.
func TestCompileDisks(t *testing.T) {
	ownerOnly := diskAt(10, "w10", "")
	ownerOnly.Owner = "oracle"
	c, problems := Compile(Config{
		Disks: []Disk{
			diskAt(1, "w1", "asm/ocr1"), diskAt(2, "w2", "asm/ocr1"), diskAt(3, "w1", "other"), diskAt(4, "w4", "asm"), diskAt(5, "w5", "asm/ocr1/x"),
			diskAt(6, "w6", "sdc"), diskAt(7, "w7", ""), diskAt(8, "", "x"), diskAt(9, "w9", "asm/ocr2"), ownerOnly, diskAt(11, "w11", "deep/er/one"), diskAt(12, "w12", "deep/er"),
			diskAt(13, "wm", "mine"),
		},
		Multipaths: []Multipath{{WWID: "wm"}},
	})
	want := []string{
		"2 names entry of w2: name asm/ocr1 is already given to w1; the disk goes without",
		"3 names entry of w1: it has one already at y:1:3, which counts",
		"4 names entry of w4: name asm is the directory of asm/ocr1, the name of w1; the disk goes without",
		"5 names entry of w5: name asm/ocr1/x lies below asm/ocr1, which is the name of w1 and no directory; the disk goes without",
		`6 names entry of w6: name "sdc" is a kernel name of a disk or partition; the disk goes without`,
		"7 names entry of w7: it says nothing: neither name nor owner, group or mode; the disk goes without",
		"8 names entry of : no wwid; the disk goes without",
		"12 names entry of w12: name deep/er is the directory of deep/er/one, the name of w11; the disk goes without",
		"13 names entry of wm: the multipaths section has it too; the entry counts only while the disk is no path of a map",
	}
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d %s", p.Origin.Line, p.Text))
		if p.Fatal {
			t.Errorf("%s is fatal", p.Text)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for wwid, name := range map[string]string{"w1": "asm/ocr1", "w2": "", "w9": "asm/ocr2", "w11": "deep/er/one", "wm": ""} {
		d := c.Decide(scsi.Identity{WWID: wwid}, Facts{Devnode: "sda", DevType: "disk"}, State{})
		if d.Single.Name != name {
			t.Errorf("%s: %+v, want %q", wwid, d.Single, name)
		}
	}
}

func TestSingleDecision(t *testing.T) {
	entry := Disk{WWID: "Sold", Name: "asm/ocr1", Owner: "oracle", Group: "dba", Mode: 0o660, Origin: Origin{File: "y", Line: 1, Column: 1}}
	c, _ := Compile(Config{Disks: []Disk{entry}})
	libata := scsi.Identity{WWID: "1ATA_x", IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: "1ATA_x"}, {Kind: scsi.IDOldS, Value: "Sold"}}, Libata: true}
	array := libata
	array.Libata = false
	disk := Facts{Devnode: "sda", DevType: "disk"}
	for _, c2 := range []struct {
		name    string
		id      scsi.Identity
		f       Facts
		st      State
		named   bool
		refused string
		trace   string
	}{
		{"by an old id", libata, disk, State{}, true, "", "names entry Sold, by the id that old scsi_id printed: link /dev/asm/ocr1, owner oracle, group dba, mode 0660"},
		{"an old id that is no disk's behind an array", array, disk, State{}, false, "", ""},
		{"an old id that stands for another LUN", libata, disk, State{OldIDs: OldIDs{{Old: "Sold", Canonical: "other"}}}, false, "", "this id stands for other since its first match"},
		{"an old id of its own", libata, disk, State{OldIDs: OldIDs{{Old: "Sold", Canonical: "1ATA_x"}}}, true, "", ""},
		{"a partition", libata, Facts{Devnode: "sda1", DevType: "partition"}, State{}, false, "no whole disk: partition", "gives nothing"},
		{"a path of a map", libata, Facts{Devnode: "sda", DevType: "disk", MemberOf: "mpath-1ATA_x"}, State{}, false, "taken as a path", "gives nothing"},
		{"listed in wwids", libata, Facts{Devnode: "sda", DevType: "disk", InWWIDs: true}, State{}, false, "taken as a path", "gives nothing"},
		{"mounted", libata, Facts{Devnode: "sda", DevType: "disk", InUse: "mounted on /x"}, State{}, true, "", ""},
		{"not identified", scsi.Identity{Problem: "x"}, disk, State{}, false, "", ""},
	} {
		d := c.Decide(c2.id, c2.f, c2.st)
		if d.Single.Named() != c2.named || !strings.Contains(d.Single.Refused, c2.refused) || c2.refused == "" && d.Single.Refused != "" {
			t.Errorf("%s: %+v", c2.name, d.Single)
		}
		if !d.Single.Named() && d.Single.Name != "" {
			t.Errorf("%s: a name that is not given: %+v", c2.name, d.Single)
		}
		var steps []string
		for _, s := range d.Trace {
			if s.Step == "disk" {
				steps = append(steps, s.Text)
			}
		}
		if text := strings.Join(steps, "\n"); !strings.Contains(text, c2.trace) {
			t.Errorf("%s: trace %q", c2.name, text)
		}
	}
	// With find_multipaths off the daemon takes the disk, though udev is told no.
	off, _ := Compile(Config{Disks: []Disk{entry}, Defaults: Layer{{Keyword: "find_multipaths", Value: "off"}}})
	if d := off.Decide(libata, disk, State{}); d.Single.Named() || d.Claim != ClaimNo {
		t.Errorf("find_multipaths off: %+v", d.Single)
	}
}

// Whatever the entries: a link has one owner, no link lies below another, and
// every name that is given is one that may be.
func TestDiskNamesNeverClash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ab]{1,2}(/[ab]){0,2}`)
		var cfg Config
		for i := range rapid.IntRange(1, 12).Draw(t, "n") {
			cfg.Disks = append(cfg.Disks, diskAt(i, fmt.Sprintf("w%d", i), name.Draw(t, "name")))
		}
		c, problems := Compile(cfg)
		given := map[string]bool{}
		for _, e := range cfg.Disks {
			d := c.Decide(scsi.Identity{WWID: e.WWID}, Facts{DevType: "disk"}, State{})
			if !d.Single.Named() {
				continue
			}
			if given[d.Single.Name] || CheckDiskName(d.Single.Name) != "" {
				t.Fatalf("%s is given twice", d.Single.Name)
			}
			given[d.Single.Name] = true
		}
		for one := range given {
			for two := range given {
				if strings.HasPrefix(two, one+"/") {
					t.Fatalf("%s lies below %s", two, one)
				}
			}
		}
		if len(given)+len(problems) != len(cfg.Disks) {
			t.Fatalf("%d given, %d told, of %d", len(given), len(problems), len(cfg.Disks))
		}
	})
}
