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
	matchKeys  = []string{"ACTION", "SUBSYSTEM", "KERNEL", "ATTR", "ENV", "TEST"}
	assignKeys = []string{"ENV", "SYMLINK", "OPTIONS", "OWNER", "GROUP", "MODE", "GOTO", "LABEL", "IMPORT", "RUN"}
	runs       = []string{DefaultProgram, "/usr/bin/systemd-run", "/usr/bin/systemctl"}
	importArgs = []string{"cmdline", "db", "parent", "program"}
	token      = regexp.MustCompile(`^([A-Z]+)(?:\{([^}]+)\})?(==|!=|\+=|:=|=)"([^"]*)"$`)
)

// The files say what udevd can read: known keys, fitting operators, balanced
// quotes, every GOTO forward to a label that is there once.
func TestRulesAreWellFormed(t *testing.T) {
	for _, file := range append(Files(""), FilesAsMultipathTools("")...) {
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
						kpartx := strings.HasPrefix(value, DefaultProgram+" kpartx ")
						if kpartx && value != DefaultProgram+" kpartx -un -p "+partition.UdevDelimiter+" /dev/$name" {
							t.Errorf("rule %d: program %s", n+1, value)
						}
						if op != "+=" || !slices.ContainsFunc(runs, func(p string) bool { return strings.HasPrefix(value, p+" ") }) {
							t.Errorf("rule %d: RUN%s%s", n+1, op, value)
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
		// Of multipath-tools, upstream's and Debian's.
		"56-multipath.rules", "60-multipath.rules", "11-dm-mpath.rules", "56-dm-mpath.rules", "68-del-part-nodes.rules",
	}
	for _, f := range Files("") {
		names = append(names, f.Name)
	}
	sort.Strings(names)
	order := strings.Join(names, " ")
	for _, chain := range [][]string{
		{"10-dm.rules", "11-pathkeeper-dm.rules", "13-dm-disk.rules"},
		{"55-dm.rules", "56-pathkeeper-dm.rules", "60-persistent-storage-dm.rules"},
		{"56-multipath.rules", "60-multipath.rules", "60-pathkeeper.rules", "60-persistent-storage.rules"},
		{"11-dm-mpath.rules", "11-pathkeeper-dm.rules"},
		{"56-dm-mpath.rules", "56-pathkeeper-dm.rules"},
		{"68-del-part-nodes.rules", "68-pathkeeper-partitions.rules", "99-systemd.rules"},
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
		if strings.Contains(f.Content, DefaultProgram+" ") || !strings.Contains(f.Content, `"/opt/pk/bin/pathkeeper `) {
			t.Errorf("%s: %s", f.Name, f.Content)
		}
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
