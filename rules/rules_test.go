package rules

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/partition"
	"pathkeeper/policy"
)

// Keys of udev(7) that the shipped rules use, with the operators each may have.
var (
	matchKeys  = []string{"ACTION", "SUBSYSTEM", "KERNEL", "ATTR", "ENV"}
	assignKeys = []string{"ENV", "SYMLINK", "OPTIONS", "OWNER", "GROUP", "MODE", "GOTO", "LABEL", "IMPORT", "RUN"}
	importArgs = []string{"cmdline", "db", "parent", "program"}
	token      = regexp.MustCompile(`^([A-Z]+)(?:\{([^}]+)\})?(==|!=|\+=|:=|=)"([^"]*)"$`)
)

// The files say what udevd can read: known keys, fitting operators, balanced
// quotes, every GOTO forward to a label that is there once.
func TestRulesAreWellFormed(t *testing.T) {
	for _, file := range Files("") {
		t.Run(file.Name, func(t *testing.T) {
			if !strings.HasSuffix(file.Content, "\n") {
				t.Error("no newline at the end")
			}
			text := strings.ReplaceAll(file.Content, "\\\n", " ")
			labels, jumps := map[string]int{}, map[string]int{}
			for n, line := range strings.Split(text, "\n") {
				line = strings.TrimSpace(line)
				if line == "" || line[0] == '#' {
					continue
				}
				if strings.Count(line, `"`)%2 != 0 {
					t.Errorf("rule %d: quotes: %s", n+1, line)
				}
				for _, part := range splitRule(line) {
					m := token.FindStringSubmatch(part)
					if m == nil {
						t.Errorf("rule %d: cannot read %s", n+1, part)
						continue
					}
					key, arg, op, value := m[1], m[2], m[3], m[4]
					keys := assignKeys
					if op == "==" || op == "!=" {
						keys = matchKeys
					}
					if !slices.Contains(keys, key) {
						t.Errorf("rule %d: %s with %s", n+1, key, op)
					}
					switch key {
					case "IMPORT":
						if !slices.Contains(importArgs, arg) {
							t.Errorf("rule %d: IMPORT{%s}", n+1, arg)
						}
						if arg == "program" && value != DefaultProgram+" udev hook" {
							t.Errorf("rule %d: program %s", n+1, value)
						}
					case "RUN":
						if value != DefaultProgram+" kpartx -un -p "+partition.UdevDelimiter+" /dev/$name" {
							t.Errorf("rule %d: program %s", n+1, value)
						}
					case "ENV", "ATTR":
						if arg == "" {
							t.Errorf("rule %d: %s without a name", n+1, key)
						}
					case "LABEL":
						if labels[value] != 0 {
							t.Errorf("label %s twice", value)
						}
						labels[value] = n + 1
					case "GOTO":
						jumps[value] = max(jumps[value], n+1)
					}
				}
			}
			for label, from := range jumps {
				if labels[label] <= from {
					t.Errorf("GOTO %s at %d, label at %d", label, from, labels[label])
				}
			}
			for label := range labels {
				if jumps[label] == 0 {
					t.Errorf("label %s is not used", label)
				}
			}
		})
	}
}

// splitRule splits at commas outside quotes.
func splitRule(line string) (parts []string) {
	quoted, from := false, 0
	for i, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			parts, from = append(parts, strings.TrimSpace(line[from:i])), i+1
		}
	}
	return append(parts, strings.TrimSpace(line[from:]))
}

// The order among the files of udev and device-mapper is what the numbers are for.
func TestOrderAmongOthers(t *testing.T) {
	names := []string{
		"10-dm.rules", "13-dm-disk.rules", "50-udev-default.rules", "55-dm.rules", "60-persistent-storage.rules",
		"60-persistent-storage-dm.rules", "95-dm-notify.rules", "99-systemd.rules",
	}
	for _, f := range Files("") {
		names = append(names, f.Name)
	}
	sort.Strings(names)
	order := strings.Join(names, " ")
	for _, chain := range [][]string{
		{"10-dm.rules", "11-pathkeeper-dm.rules", "13-dm-disk.rules"},
		{"55-dm.rules", "56-pathkeeper-dm.rules", "60-persistent-storage-dm.rules"},
		{"56-pathkeeper.rules", "60-persistent-storage.rules"},
		{"50-udev-default.rules", "57-pathkeeper-owner.rules"},
		{"56-pathkeeper-dm.rules", "57-pathkeeper-owner.rules"},
		{"60-persistent-storage-dm.rules", "66-pathkeeper-parts.rules", "95-dm-notify.rules"},
		{"13-dm-disk.rules", "66-pathkeeper-parts.rules"},
	} {
		for i := 1; i < len(chain); i++ {
			if strings.Index(order, chain[i-1]) >= strings.Index(order, chain[i]) {
				t.Errorf("%s is not before %s in %s", chain[i-1], chain[i], order)
			}
		}
	}
}

func TestFilesForAnotherProgram(t *testing.T) {
	for _, f := range Files("/opt/pk/bin/pathkeeper") {
		if strings.Contains(f.Content, DefaultProgram+" ") || !strings.Contains(f.Content, `"/opt/pk/bin/pathkeeper udev hook"`) && !strings.Contains(f.Content, `"/opt/pk/bin/pathkeeper kpartx `) {
			t.Errorf("%s: %s", f.Name, f.Content)
		}
	}
}

// What a rule reads by name the hook writes under the same name.
func TestHookWritesWhatRulesRead(t *testing.T) {
	written := map[string]bool{"DM_MULTIPATH_DEVICE_PATH": true}
	for _, facts := range []MapFacts{
		{UUID: "mpath-3600a", UID: "1", GID: "1", Mode: 0o600, WasReady: "1", Reload: true, ValidPaths: Unknown, ActivePaths: 1},
		{UUID: "part1-mpath-3600a", Mode: -1},
	} {
		for _, kv := range MapProperties(facts) {
			written[kv.Key] = true
		}
	}
	named := policy.Decision{Claim: policy.ClaimNo, Single: policy.Single{ID: "3600a", Name: "ocr1", Mode: 0o660}}
	for _, kv := range DiskProperties(named, DiskOwner{UID: "1", GID: "2"}) {
		written[kv.Key] = true
	}
	all := pathRules + mapRules + ownerRules
	for key := range written {
		if !strings.Contains(all, "{"+key+"}") {
			t.Errorf("no rule reads %s", key)
		}
	}
}

func TestPathProperties(t *testing.T) {
	cases := []struct {
		claim policy.Claim
		want  string
	}{
		{policy.ClaimYes, "1"}, {policy.ClaimFinal, "1"}, {policy.ClaimNo, "0"}, {policy.ClaimMaybe, "0"}, {policy.ClaimUnknown, ""},
	}
	for _, c := range cases {
		got := ""
		for _, kv := range PathProperties(policy.Decision{Claim: c.claim, Reason: "r"}) {
			if kv.Key == "DM_MULTIPATH_DEVICE_PATH" {
				got = kv.Value
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.claim, got, c.want)
		}
	}
	d := policy.Decision{Claim: policy.ClaimNo, Reason: "blacklisted by devnode \"^sd\"\nX=1", Origin: policy.Origin{File: "/etc/multipath.conf", Line: 3, Column: 9}}
	want := "DM_MULTIPATH_DEVICE_PATH=\"0\"\nPATHKEEPER_REASON=\"blacklisted by devnode _^sd__X=1 [/etc/multipath.conf:3:9]\"\n"
	if diff := cmp.Diff(want, Format(PathProperties(d))); diff != "" {
		t.Error(diff)
	}
}

func TestDiskProperties(t *testing.T) {
	named := policy.Single{ID: "3600a", Name: "oracleasm/ocr1", Owner: "oracle", Group: "dba", Mode: 0o660, Origin: policy.Origin{File: "pathkeeper.yaml", Line: 3, Column: 5}}
	refused := policy.Single{ID: "3600a", Refused: "it is a path", Mode: -1, Origin: named.Origin}
	ownerOnly := policy.Single{ID: "3600a", Owner: "oracle", Mode: -1}
	for _, c := range []struct {
		name  string
		d     policy.Decision
		owner DiskOwner
		want  string
	}{
		{"named", policy.Decision{Claim: policy.ClaimNo, Single: named}, DiskOwner{UID: "54321", GID: "503"}, "TOLD=1 NAME=oracleasm/ocr1 UID=54321 GID=503 MODE=0660"},
		{"owner unknown", policy.Decision{Claim: policy.ClaimNo, Single: named}, DiskOwner{GID: "503", Odd: "owner oracle is not known"}, "TOLD=1 NAME=oracleasm/ocr1 GID=503 MODE=0660 NAME_REASON=names entry [pathkeeper.yaml:3:5]: owner oracle is not known"},
		{"owner only", policy.Decision{Claim: policy.ClaimNo, Single: ownerOnly}, DiskOwner{UID: "0"}, "TOLD=1 UID=0"},
		{"refused", policy.Decision{Claim: policy.ClaimYes, Single: refused}, DiskOwner{}, "TOLD=1 NAME_REASON=names entry [pathkeeper.yaml:3:5]: gives nothing: it is a path"},
		{"no entry", policy.Decision{Claim: policy.ClaimNo}, DiskOwner{}, "TOLD=1"},
		{"cannot be told", policy.Decision{Claim: policy.ClaimUnknown, Single: named}, DiskOwner{}, ""},
	} {
		var got []string
		for _, kv := range DiskProperties(c.d, c.owner) {
			if kv.Value != "" {
				got = append(got, strings.TrimPrefix(kv.Key, "PATHKEEPER_")+"="+kv.Value)
			}
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestMapReady(t *testing.T) {
	base := MapFacts{UUID: "mpath-3600a", ValidPaths: Unknown, ActivePaths: Unknown, Mode: -1}
	cases := []struct {
		name      string
		change    func(*MapFacts)
		ready     string
		unchanged bool
	}{
		{"new", func(*MapFacts) {}, "1", false},
		{"new without paths", func(f *MapFacts) { f.NoPaths = true }, "0", false},
		{"suspended before its first use", func(f *MapFacts) { f.Suspended = true }, "0", false},
		{"suspended in use", func(f *MapFacts) { f.Suspended = true; f.WasReady = "1" }, "1", false},
		{"reload", func(f *MapFacts) { f.Reload = true; f.WasReady = "1" }, "1", true},
		{"reload that makes it ready", func(f *MapFacts) { f.Reload = true; f.WasReady = "0" }, "1", false},
		{"path failed", func(f *MapFacts) { f.Action = actionFailed; f.ValidPaths = 1; f.WasReady = "1" }, "1", true},
		{"last path failed", func(f *MapFacts) { f.Action = actionFailed; f.ValidPaths = 0; f.WasReady = "1" }, "0", false},
		{"path failed while not ready", func(f *MapFacts) { f.Action = actionFailed; f.ValidPaths = 1; f.WasReady = "0" }, "0", false},
		{"first path back", func(f *MapFacts) { f.Action = actionReinstated; f.ValidPaths = 1; f.WasReady = "0" }, "1", false},
		{"another path back", func(f *MapFacts) { f.Action = actionReinstated; f.ValidPaths = 2; f.WasReady = "1" }, "1", true},
		{"trigger, all failed", func(f *MapFacts) { f.ActivePaths = 0; f.WasReady = "1" }, "0", false},
		{"trigger, some active", func(f *MapFacts) { f.ActivePaths = 2; f.WasReady = "0" }, "1", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := base
			c.change(&f)
			got := map[string]string{}
			for _, kv := range MapProperties(f) {
				got[kv.Key] = kv.Value
			}
			if got["MPATH_DEVICE_READY"] != c.ready || (got["MPATH_UNCHANGED"] == "1") != c.unchanged {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestMapProperties(t *testing.T) {
	owner := MapFacts{UUID: "mpath-3600a0b8", UID: "54321", GID: "503", Mode: 0o660, ValidPaths: Unknown, ActivePaths: Unknown}
	part := owner
	part.UUID = "part2-mpath-1ATA_x"
	cases := []struct {
		facts MapFacts
		want  []KV
	}{
		{owner, []KV{
			{"MPATH_DEVICE_READY", "1"},
			{"DM_TYPE", "scsi"},
			{"DM_SERIAL", "3600a0b8"},
			{"DM_WWN", "0x600a0b8"},
			{"PATHKEEPER_UID", "54321"},
			{"PATHKEEPER_GID", "503"},
			{"PATHKEEPER_MODE", "0660"},
		}},
		{part, []KV{
			{"DM_PART", "2"},
			{"DM_TYPE", "scsi"},
			{"DM_SERIAL", "1ATA_x"},
			{"PATHKEEPER_UID", "54321"},
			{"PATHKEEPER_GID", "503"},
			{"PATHKEEPER_MODE", "0660"},
		}},
		{MapFacts{UUID: "LVM-x"}, nil},
		{MapFacts{UUID: "partx-mpath-3"}, nil},
		{MapFacts{UUID: "mpath-"}, nil},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, MapProperties(c.facts)); diff != "" {
			t.Errorf("%s: %s", c.facts.UUID, diff)
		}
	}
}
