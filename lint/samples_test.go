package lint_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pathkeeper/configs"
	"pathkeeper/lint"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// sample is a file of testdata/lint. Its comments say what is to be found:
//
//	no_path_retry 5        # want: queue-contradiction      on this line
//	# want-file: missing-close-brace                        of the file as a whole
//	# silent: ID ..                                         these are not to be found
//	# machine: disk sda vendor=NETAPP product=LUN wwid=3600a... tpgs=1
//	# machine: binding mpatha 3600a... | selectors A,B | handlers A | nouser NAME | nogroup NAME | noprkeys
//	# ha: deadline=30 queueing=forbidden                    what the native form would say
//	# native: KEYWORD VALUE                                 in defaults, of a keyword that only the native form has
//	# disk: wwid=3600a... name=ocr1 mode=0660 owner=grid    the same; places are these lines
type sample struct {
	input  lint.Input
	want   []string // "ID:LINE"
	silent []string
}

func load(t *testing.T, name string) sample {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var s sample
	cfg, messages, _ := configs.Parse([]configs.File{{Path: name, Data: data}})
	s.input = lint.Input{Config: cfg, Messages: messages}
	for i, line := range strings.Split(string(data), "\n") {
		at := policy.Origin{File: name, Line: i + 1, Column: 1}
		for _, comment := range strings.Split(line, "# ")[1:] {
			word, rest, _ := strings.Cut(strings.TrimSpace(comment), ":")
			s.directive(t, word, strings.TrimSpace(rest), at)
		}
	}
	return s
}

func (s *sample) directive(t *testing.T, word, rest string, at policy.Origin) {
	t.Helper()
	cfg := &s.input.Config
	switch word {
	case "want":
		for _, id := range strings.Fields(rest) {
			s.want = append(s.want, fmt.Sprintf("%s:%d", id, at.Line))
		}
	case "want-file":
		for _, id := range strings.Fields(rest) {
			s.want = append(s.want, id+":0")
		}
	case "silent":
		s.silent = append(s.silent, strings.Fields(rest)...)
	case "nvme-native":
		cfg.NVMeNativeMultipath = true
	case "native":
		keyword, value, _ := strings.Cut(rest, " ")
		cfg.Defaults = append(cfg.Defaults, policy.Setting{Keyword: keyword, Value: value, Origin: at})
	case "machine":
		if s.input.Machine == nil {
			s.input.Machine = &lint.Machine{}
		}
		machineLine(t, s.input.Machine, rest)
	case "ha":
		kv := pairs(rest)
		cfg.HA = policy.HA{Queueing: kv["queueing"], Origin: at}
		cfg.HA.DeadlineSeconds, _ = strconv.Atoi(kv["deadline"])
	case "disk":
		kv := pairs(rest)
		d := policy.Disk{WWID: kv["wwid"], Name: kv["name"], Owner: kv["owner"], Mode: -1, Origin: at}
		if n, err := strconv.ParseUint(kv["mode"], 8, 16); err == nil {
			d.Mode = int(n)
		}
		cfg.Disks = append(cfg.Disks, d)
	}
}

// pairs reads "a=b c=d"; a tilde in a value stands for a blank.
func pairs(text string) map[string]string {
	out := map[string]string{}
	for _, w := range strings.Fields(text) {
		k, v, _ := strings.Cut(w, "=")
		out[k] = strings.ReplaceAll(v, "~", " ")
	}
	return out
}

func machineLine(t *testing.T, m *lint.Machine, text string) {
	t.Helper()
	words := strings.Fields(text)
	switch words[0] {
	case "disk":
		kv := pairs(strings.Join(words[2:], " "))
		d := lint.Device{
			Identity: scsi.Identity{WWID: kv["wwid"], Vendor: kv["vendor"], Model: kv["product"]},
			Facts:    policy.Facts{Devnode: words[1], Protocol: kv["protocol"], Properties: strings.Split(kv["properties"], ",")},
		}
		d.Facts.InWWIDs = kv["inwwids"] == "1"
		if kv["tpgs"] == "1" {
			d.Identity.TPGS = 1
		}
		d.Identity.IDs = []scsi.ID{{Kind: scsi.IDWWID, Value: kv["wwid"]}}
		if id := kv["oldid"]; id != "" {
			d.Identity.IDs = append(d.Identity.IDs, scsi.ID{Kind: scsi.IDOldS, Value: id})
		}
		m.Devices = append(m.Devices, d)
	case "binding":
		m.Bindings = append(m.Bindings, policy.Binding{Alias: words[1], WWID: words[2]})
	case "selectors":
		m.Kernel.Selectors = strings.Split(words[1], ",")
	case "handlers":
		m.Kernel.Handlers = strings.Split(words[1], ",")
	case "nouser":
		m.NoUsers = append(m.NoUsers, words[1])
	case "noprkeys":
		m.NoPRKeys = true
	case "nogroup":
		m.NoGroups = append(m.NoGroups, words[1])
	default:
		t.Fatalf("machine: %s", text)
	}
}

func files(t *testing.T, kind string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "testdata", "lint", kind, "*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples in testdata/lint/%s: %v", kind, err)
	}
	return names
}

func found(s sample) []string {
	var got []string
	for _, f := range lint.Check(s.input) {
		got = append(got, fmt.Sprintf("%s:%d", f.ID, f.Origin.Line))
	}
	return got
}

// Every planted mistake is found in its line, and nothing else is.
func TestBroken(t *testing.T) {
	names := files(t, "broken")
	if len(names) < 60 {
		t.Errorf("%d broken samples, at least 60 are wanted", len(names))
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			s := load(t, name)
			want, got := s.want, found(s)
			if len(want) == 0 {
				t.Fatal("nothing is wanted: it is no broken sample")
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				var text []string
				for _, f := range lint.Check(s.input) {
					text = append(text, f.String())
				}
				t.Errorf("want %v\n got %v\n%s", want, got, strings.Join(text, "\n"))
			}
		})
	}
}

// A near miss looks like the mistake and is none.
func TestNear(t *testing.T) {
	for _, name := range files(t, "near") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			s := load(t, name)
			if len(s.silent) == 0 {
				t.Fatal("no `# silent: ID`")
			}
			for _, f := range lint.Check(s.input) {
				if f.Severity == lint.Error && !slices.Contains(s.silent, f.ID) {
					t.Errorf("broken in another way: %s", f)
				}
				if slices.Contains(s.silent, f.ID) {
					t.Errorf("should not be told: %s", f)
				}
			}
		})
	}
}

// What real administrators write, and rightly: not a word.
func TestGood(t *testing.T) {
	names := files(t, "good")
	if len(names) < 10 {
		t.Errorf("%d good samples, at least 10 are wanted", len(names))
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			for _, f := range lint.Check(load(t, name).input) {
				t.Errorf("%s", f)
			}
		})
	}
}

// Every rule about meaning is seen to speak and seen to be silent; every kind of
// the reader's messages that has an explanation speaks at least in its own tests.
func TestEveryRuleHasSamples(t *testing.T) {
	speaks, silent := map[string]bool{}, map[string]bool{}
	for _, name := range files(t, "broken") {
		for _, w := range load(t, name).want {
			id, _, _ := strings.Cut(w, ":")
			speaks[id] = true
		}
	}
	for _, name := range files(t, "near") {
		for _, id := range load(t, name).silent {
			silent[id] = true
			if _, ok := lint.Lookup(id); !ok {
				t.Errorf("%s: there is no rule %s", name, id)
			}
		}
	}
	semantic := 0
	for _, r := range lint.Rules() {
		if r.Parser {
			continue
		}
		semantic++
		if !speaks[r.ID] {
			t.Errorf("%s: no broken sample", r.ID)
		}
		if !silent[r.ID] {
			t.Errorf("%s: no near miss", r.ID)
		}
	}
	if semantic < 40 {
		t.Errorf("%d rules about meaning, at least 40 are wanted", semantic)
	}
}

// Every rule says what it is about, and every id is there once.
func TestRulesExplainThemselves(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range lint.Rules() {
		if seen[r.ID] {
			t.Errorf("%s is there twice", r.ID)
		}
		seen[r.ID] = true
		if strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || r.Severity == lint.SeverityUnknown || r.Summary == "" || len(r.Why) < 20 || r.Fix == "" {
			t.Errorf("%s: incomplete: %+v", r.ID, r)
		}
	}
}

var update = flag.Bool("update", false, "rewrite docs/lint.md")

// docs/lint.md lists every rule as the program explains it.
func TestDocs(t *testing.T) {
	name := filepath.Join("..", "docs", "lint.md")
	if *update {
		if err := os.WriteFile(name, []byte(lint.Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != lint.Markdown() {
		t.Error("docs/lint.md is not what the rules say: run `go test ./lint -update`")
	}
}

// Whatever stands in a file is looked at in bounded time and without a panic, and
// every finding has its rule and a place in the file.
func FuzzCheck(f *testing.F) {
	for _, kind := range []string{"broken", "near", "good"} {
		names, _ := filepath.Glob(filepath.Join("..", "testdata", "lint", kind, "*"))
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, messages, _ := configs.Parse([]configs.File{{Path: "fuzz.conf", Data: data}})
		machine := &lint.Machine{NoPRKeys: true, Devices: []lint.Device{
			{Identity: scsi.Identity{Vendor: "NETAPP", Model: "LUN", WWID: "3600a098038303053453f463045727a01", TPGS: 1}, Facts: policy.Facts{Devnode: "sda"}},
			{Identity: scsi.Identity{Vendor: "NETAPP", Model: "LUN", WWID: "3600a098038303053453f463045727a01", TPGS: 1}, Facts: policy.Facts{Devnode: "sdb"}},
		}}
		for _, x := range lint.Check(lint.Input{Config: cfg, Messages: messages, Machine: machine}) {
			if _, ok := lint.Lookup(x.ID); !ok {
				t.Errorf("no rule %s", x.ID)
			}
			if x.Origin.File != "fuzz.conf" || x.Text == "" {
				t.Errorf("a finding without place or text: %+v", x)
			}
		}
	})
}
