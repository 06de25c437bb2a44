package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/scsi"
)

// A disk of the RAC host: behind libata, known by three ids.
func racDisk(serial string) scsi.Identity {
	wwid := "1ATA_VBOX_HARDDISK_VB" + serial
	return scsi.Identity{
		WWID: wwid, Vendor: "ATA", Model: "VBOX HARDDISK", Libata: true,
		IDs: []scsi.ID{
			{Kind: scsi.IDWWID, Value: wwid},
			{Kind: scsi.IDScsiID80, Value: "SATA_VBOX_HARDDISK_VB" + serial},
			{Kind: scsi.IDOldS, Value: "SATA_VBOX_HARDDISK_VB" + serial + "_"},
			{Kind: scsi.IDUdevSerial, Value: "VBOX_HARDDISK_VB" + serial},
		},
	}
}

const racLine = "SATA_VBOX_HARDDISK_VB0db2f233-269850e0_"

var racOrigin = Origin{File: "/etc/multipath.conf", Line: 30, Column: 17}

func racConfig() Config {
	return Config{
		Defaults: Layer{
			{"user_friendly_names", "yes", Origin{File: "f", Line: 2}},
			{"path_selector", "round-robin 0", Origin{File: "f", Line: 7}},
			{"path_checker", "readsector0", Origin{File: "f", Line: 11}},
		},
		Multipaths: []Multipath{{
			WWID: racLine, Origin: racOrigin,
			Layer: Layer{{"alias", "voting1", Origin{File: "f", Line: 31}}, {"uid", "501", Origin{}}, {"mode", "0660", Origin{}}},
		}},
		OldKeywords: []Setting{{Keyword: "udev_dir", Value: "/dev"}},
	}
}

func free() Facts {
	return Facts{Devnode: "sdb", DevType: "disk", Protocol: "scsi:ata", HasUdev: true, Properties: []string{"DEVNAME", "ID_SERIAL"}}
}

func compile(t *testing.T, cfg Config) *Compiled {
	t.Helper()
	c, problems := Compile(cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

// One path, strict mode, no ID_WWN property: the multipaths section names it.
func TestDecideNamedInMultipaths(t *testing.T) {
	d := compile(t, racConfig()).Decide(racDisk("0db2f233-269850e0"), free(), State{})
	if d.Verdict != VerdictAdmit || d.Claim != ClaimFinal || d.Origin != racOrigin {
		t.Fatalf("%+v", d)
	}
	want := []OldID{{Old: racLine, Canonical: "1ATA_VBOX_HARDDISK_VB0db2f233-269850e0"}}
	if diff := cmp.Diff(want, d.RecordOldIDs); diff != "" {
		t.Error(diff)
	}
	s := d.Settings
	if s.Alias.V != "voting1" || s.UID.V != "501" || s.Mode.V != 0o660 || s.Checker.V != "readsector0" ||
		s.Selector.V != "round-robin 0" || s.MatchedID != racLine || s.MatchedKind != scsi.IDOldS || s.Prio.V != "const" {
		t.Errorf("%+v", s)
	}
}

func TestDecideClaims(t *testing.T) {
	disk := racDisk("0db2f233-269850e0")
	other := racDisk("ffffffff-00000000")
	bound := State{Bindings: Bindings{{"mpath1", "SATA_VBOX_HARDDISK_VBffffffff-00000000_"}}}
	recorded := State{OldIDs: OldIDs{{Old: racLine, Canonical: "1ATA_STRANGER"}}}
	modern := racConfig()
	modern.OldKeywords = nil
	listed := racConfig()
	listed.Blacklist = []Rule{{Class: ClassDevnode, Pattern: "^sd[a-c]$", Origin: Origin{File: "f", Line: 40}}}
	byOldID := racConfig()
	byOldID.Blacklist = []Rule{{Class: ClassWWID, Pattern: racLine, Origin: Origin{File: "f", Line: 41}}}
	canonical := racConfig()
	canonical.Multipaths[0].WWID = disk.WWID
	notLibata := disk
	notLibata.Libata = false
	with := func(change func(*Facts)) Facts { f := free(); change(&f); return f }
	cases := []struct {
		name    string
		cfg     Config
		id      scsi.Identity
		facts   Facts
		state   State
		verdict Verdict
		claim   Claim
		reason  string
	}{
		{"unnamed", racConfig(), other, free(), State{}, VerdictReject, ClaimNo, "none of its udev properties"},
		{"unnamed, wwn known", racConfig(), other, with(func(f *Facts) { f.Properties = []string{"ID_WWN"} }), State{}, VerdictReject, ClaimNo, "find_multipaths strict"},
		{"bindings, old keywords", racConfig(), other, free(), bound, VerdictAdmit, ClaimFinal, "uses udev_dir from before"},
		{"bindings, modern file", modern, other, with(func(f *Facts) { f.Properties = nil }), bound, VerdictReject, ClaimNo, "find_multipaths strict"},
		{"in use", racConfig(), disk, with(func(f *Facts) { f.InUse = "mounted on /boot (partition sdb1)" }), State{}, VerdictReject, ClaimNo, "in use: mounted on /boot"},
		{"in use by its map", racConfig(), disk, with(func(f *Facts) { f.InUse = "holder dm-3"; f.MemberOf = "mpath-" + racLine }), State{}, VerdictAdmit, ClaimFinal, "running map"},
		{"in another LUN's map", racConfig(), disk, with(func(f *Facts) { f.MemberOf = "mpath-3600" }), State{}, VerdictReject, ClaimFinal, "not its LUN's"},
		{"explicit rule", listed, disk, free(), State{}, VerdictReject, ClaimNo, `blacklisted by devnode "^sd[a-c]$"`},
		{"explicit rule, member", listed, disk, with(func(f *Facts) { f.MemberOf = "mpath-" + disk.WWID }), State{}, VerdictReject, ClaimFinal, "still a path"},
		{"rule with an old id", byOldID, disk, free(), State{}, VerdictReject, ClaimNo, "blacklisted by wwid"},
		{"second claimant", racConfig(), disk, free(), recorded, VerdictReject, ClaimNo, "stands for 1ATA_STRANGER"},
		{"second claimant, canonical entry too", canonical, disk, free(), recorded, VerdictAdmit, ClaimFinal, "named in the multipaths"},
		{"S form elsewhere", modern, notLibata, with(func(f *Facts) { f.Properties = nil }), State{}, VerdictReject, ClaimNo, "find_multipaths strict"},
		{"failed before", racConfig(), disk, with(func(f *Facts) { f.Failed = true }), State{}, VerdictReject, ClaimNo, "could not be made"},
		{"released before", racConfig(), disk, with(func(f *Facts) { f.Released = true }), State{}, VerdictAdmit, ClaimFinal, "named"},
		{"partition", racConfig(), disk, with(func(f *Facts) { f.DevType = "partition" }), State{}, VerdictReject, ClaimNo, "no whole disk"},
		{"hidden", racConfig(), disk, with(func(f *Facts) { f.Hidden = true }), State{}, VerdictReject, ClaimNo, "hidden"},
		{"usb", racConfig(), disk, with(func(f *Facts) { f.USB = true }), State{}, VerdictReject, ClaimNo, "allow_usb_devices"},
		{"no wwid", racConfig(), scsi.Identity{Problem: "no page 0x83"}, free(), State{}, VerdictReject, ClaimNo, "no page 0x83"},
		{"no wwid, member", racConfig(), scsi.Identity{Problem: "no answer"}, with(func(f *Facts) { f.MemberOf = "mpath-x" }), State{}, VerdictUnknown, ClaimUnknown, "no WWID now"},
		{"nobody to map it", racConfig(), disk, with(func(f *Facts) { f.NoDaemon = "masked" }), State{}, VerdictReject, ClaimNo, "masked"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := compile(t, c.cfg).Decide(c.id, c.facts, c.state)
			if d.Verdict != c.verdict || d.Claim != c.claim || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("%s, %s: %q; want %s, %s: %q", d.Verdict, d.Claim, d.Reason, c.verdict, c.claim, c.reason)
			}
			decided := 0
			for _, step := range d.Trace {
				if step.Decided {
					decided++
				}
			}
			if decided != 1 {
				t.Errorf("%d deciding steps in %v", decided, d.Trace)
			}
		})
	}
}

// The order of arrival does not matter: what is recorded stays.
func TestSecondClaimantWhateverTheOrder(t *testing.T) {
	c := compile(t, racConfig())
	a, b := racDisk("0db2f233-269850e0"), racDisk("0db2f233-269850e0")
	b.WWID = "3600"
	b.IDs[0].Value = "3600"
	for _, order := range [][2]scsi.Identity{{a, b}, {b, a}} {
		first := c.Decide(order[0], free(), State{})
		st := State{OldIDs: first.RecordOldIDs}
		again, second := c.Decide(order[0], free(), st), c.Decide(order[1], free(), st)
		if first.Verdict != VerdictAdmit || again.Verdict != VerdictAdmit || len(again.RecordOldIDs) != 0 {
			t.Errorf("first: %+v, again %+v", first, again)
		}
		if second.Verdict != VerdictReject || !strings.Contains(second.Reason, order[0].WWID) || second.Settings.Alias.V != "" {
			t.Errorf("second: %+v", second)
		}
	}
}

func TestMapName(t *testing.T) {
	disk, other := racDisk("0db2f233-269850e0"), racDisk("ffffffff-00000000")
	line := Binding{"mpath1", "SATA_VBOX_HARDDISK_VBffffffff-00000000_"}
	facts := free()
	facts.Properties = nil
	cases := []struct {
		name   string
		id     scsi.Identity
		state  State
		used   []UsedName
		old    string
		want   MapName
		reason string
	}{
		{"alias", disk, State{}, nil, "", MapName{Name: "voting1", Source: NameFromConfig}, "alias of " + racLine},
		{"alias taken", disk, State{}, []UsedName{{"voting1", "LVM-x"}}, "", MapName{Name: disk.WWID, Source: NameFromWWID}, "taken by device-mapper device voting1 (LVM-x)"},
		{"alias taken, has a map", disk, State{}, []UsedName{{"voting1", "LVM-x"}, {"mpatha", "mpath-" + disk.WWID}}, "mpatha", MapName{Name: "mpatha", Source: NameKept}, "keeps its name"},
		{"own map under an old UUID", disk, State{}, []UsedName{{"voting1", "mpath-" + racLine}}, "voting1", MapName{Name: "voting1", Source: NameFromConfig}, "alias of"},
		{"bindings", other, State{Bindings: Bindings{line}}, nil, "", MapName{Name: "mpath1", Source: NameFromBindings, OldID: &OldID{line.WWID, other.WWID}}, "mpath1"},
		{"line of another by record", other, State{Bindings: Bindings{line}, OldIDs: OldIDs{{line.WWID, "W"}}}, nil, "", MapName{Name: "mpatha", Source: NameFromBindings, Added: &Binding{"mpatha", other.WWID}}, "new line"},
		{"line with an alias of the file", other, State{Bindings: Bindings{{"voting1", other.WWID}}}, nil, "", MapName{Name: "mpatha", Source: NameFromBindings, Added: &Binding{"mpatha", other.WWID}}, "new line"},
	}
	c := compile(t, racConfig())
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			d := c.Decide(k.id, facts, k.state)
			got := c.Name(NameRequest{Identity: k.id, Settings: d.Settings, State: k.state, DMNames: k.used, OldAlias: k.old})
			if !strings.Contains(got.Reason, k.reason) {
				t.Errorf("reason %q, want %q", got.Reason, k.reason)
			}
			got.Reason, got.Origin, got.Refused = "", Origin{}, ""
			if diff := cmp.Diff(k.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// One alias for two LUNs: the first keeps it.
func TestAliasGivenTwice(t *testing.T) {
	alias := func(wwid, name string, line int) Multipath {
		return Multipath{WWID: wwid, Layer: Layer{{"alias", name, Origin{File: "f", Line: line}}}}
	}
	c, problems := Compile(Config{Multipaths: []Multipath{alias("W1", "a", 1), alias("W2", "a", 2), alias("W1", "b", 3), alias("W3", "b", 4)}})
	if len(problems) != 1 || problems[0].Origin.Line != 4 || problems[0].Fatal {
		t.Errorf("problems %v", problems)
	}
	for wwid, want := range map[string]string{"W1": "b", "W2": "a", "W3": ""} {
		d := c.Decide(scsi.Identity{WWID: wwid}, free(), State{})
		if d.Settings.Alias.V != want {
			t.Errorf("%s: alias %q, want %q", wwid, d.Settings.Alias.V, want)
		}
	}
}

// One alias, given to one LUN twice: by an old id and by today's.
func TestAliasByTwoIDsOfOneLUN(t *testing.T) {
	alias := func(wwid string, line int) Multipath {
		return Multipath{WWID: wwid, Layer: Layer{{"alias", "ocr1", Origin{File: "f", Line: line}}}}
	}
	c, problems := Compile(Config{Multipaths: []Multipath{alias("Sold", 1), alias("1ATA", 2)}})
	if len(problems) != 1 {
		t.Errorf("problems %v", problems)
	}
	ids := []scsi.ID{{Kind: scsi.IDWWID, Value: "1ATA"}, {Kind: scsi.IDOldS, Value: "Sold"}}
	one := scsi.Identity{WWID: "1ATA", IDs: ids, Libata: true}
	if d := c.Decide(one, free(), State{}); d.Settings.Alias.V != "ocr1" {
		t.Errorf("alias %q", d.Settings.Alias.V)
	}
	// The old id stands for another LUN: the alias is that one's.
	if d := c.Decide(one, free(), State{OldIDs: OldIDs{{Old: "Sold", Canonical: "1OTHER"}}}); d.Settings.Alias.V != "" {
		t.Errorf("alias %q of another LUN", d.Settings.Alias.V)
	}
}

func TestADisabledEntryMatchesNothing(t *testing.T) {
	cfg := Config{Devices: []Device{{
		Vendor: "ACME", Product: "Turbo", Layer: Layer{{Keyword: "path_selector", Value: "queue-length 0"}}, ProductBlacklist: "Turbo",
	}}}
	id := scsi.Identity{WWID: "3600", Vendor: "ACME", Model: "Turbo"}
	for _, off := range []bool{false, true} {
		cfg.Devices[0].Disabled = off
		c, problems := Compile(cfg)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		d := c.Decide(id, Facts{Devnode: "sda", DevType: "disk"}, State{})
		if got := d.Settings.Selector.V == "queue-length 0"; got == off {
			t.Errorf("disabled %v: selector %q", off, d.Settings.Selector.V)
		}
		if got := strings.Contains(d.Reason, "blacklist"); got == off {
			t.Errorf("disabled %v: %s", off, d.Reason)
		}
	}
}

// What no find_multipaths could make a path is told apart from what only waits for it.
func TestSkipped(t *testing.T) {
	c := compile(t, Config{Blacklist: []Rule{{Class: ClassDevnode, Pattern: "^sdz"}}})
	for _, tt := range []struct {
		name string
		with func(f *Facts)
		want bool
	}{
		{"an unknown disk", func(*Facts) {}, false},
		{"a disk in use", func(f *Facts) { f.InUse = "swap" }, false},
		{"a blacklisted one", func(f *Facts) { f.Devnode = "sdz" }, true},
		{"a hidden one", func(f *Facts) { f.Hidden = true }, true},
		{"an USB disk", func(f *Facts) { f.USB = true }, true},
	} {
		f := free()
		f.Properties = append(f.Properties, "ID_WWN")
		tt.with(&f)
		if d := c.Decide(racDisk("V1"), f, State{}); d.Verdict != VerdictReject || d.Skipped != tt.want {
			t.Errorf("%s: %v, skipped %v: %s", tt.name, d.Verdict, d.Skipped, d.Reason)
		}
	}
}
