package configs

import (
	"cmp"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pathkeeper/policy"
)

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// thereAndBack turns a configuration into the native form and back. Where nothing
// is told to be lost on the way it means the same, in both forms.
func thereAndBack(t fataler, c policy.Config) (lost []Loss) {
	t.Helper()
	text, lost := Convert(c, true)
	native, messages, err := Parse([]File{{Path: "there.yaml", Data: text}})
	if err != nil {
		t.Fatalf("the native form is refused: %v\n%s", err, text)
	}
	for _, m := range messages {
		if m.Level >= LevelWarning && m.Kind != AliasTwice && m.Kind != QueueFeature {
			t.Fatalf("the native form is not clean: %s\n%s", m, text)
		}
	}
	if len(lost) == 0 {
		if want, got := meaning(c), meaning(native); !reflect.DeepEqual(want, got) {
			t.Fatalf("in the native form it means something else, want -, got +:\n%s\n%s", gocmp.Diff(want, got), text)
		}
	}
	back, alsoLost := Convert(native, false)
	again, _, err := Parse([]File{{Path: "back.conf", Data: back}})
	if err != nil || len(alsoLost) > 0 {
		t.Fatalf("the way back: %v %v\n%s", err, alsoLost, back)
	}
	if want, got := meaning(native), meaning(again); !reflect.DeepEqual(want, got) {
		t.Fatalf("back it means something else, want -, got +:\n%s\n%s", gocmp.Diff(want, got), back)
	}
	return lost
}

func TestConvertThereAndBack(t *testing.T) {
	clean := 0
	rapid.Check(t, func(t *rapid.T) {
		c, _, err := Parse([]File{
			{Path: "main", Data: []byte(randomFile(t, "main"))}, {Path: "a.conf", Data: []byte(randomFile(t, "drop-in")), DropIn: true},
		})
		if err != nil {
			t.Skip(err)
		}
		lost := thereAndBack(t, c)
		if len(lost) == 0 {
			clean++
		}
		for _, l := range lost {
			if l.Origin.File == "" || strings.Contains(l.Text, "means something else") || strings.Contains(l.Text, "is refused") {
				t.Fatalf("lost: %s", l)
			}
		}
	})
	if clean < 10 {
		t.Errorf("%d of the configurations lost nothing", clean)
	}
}

func TestConvertTheCorpus(t *testing.T) {
	dir := cmp.Or(os.Getenv("PATHKEEPER_CORPUS"), "../../shared/corpus/conf")
	files, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(files) == 0 {
		t.Skipf("there are no files in %s", dir)
	}
	whole := 0
	for _, name := range files {
		c, _, err := LoadFiles([]string{name})
		if err != nil {
			continue
		}
		lost := thereAndBack(t, c)
		for _, l := range lost {
			t.Logf("%s: %s", filepath.Base(name), l)
		}
		if len(lost) == 0 {
			whole++
		}
	}
	t.Logf("%d of %d files without loss", whole, len(files))
	if whole < len(files)/2 {
		t.Errorf("%d of %d files can be said without loss", whole, len(files))
	}
}

const everything = `
profile: oracle-rac
ha:
  deadline: 100
defaults:
  polling_interval: 10
  expected_paths: 4
  owner: oracle
blacklist:
  devnode: ["^ram", '!^(sd|nvme)']
  device: [{vendor: ACME, product: ""}]
devices:
  - {vendor: NETAPP, product: LUN, disabled: true}
  - {vendor: ACME, product: 'X''s \d', revision: "1", product_blacklist: Y, no_path_retry: 5}
overrides:
  failback: immediate
  protocol: [{type: scsi:fcp, fast_io_fail_tmo: 7}]
multipaths:
  - {wwid: 360a9, alias: ocr1, mode: 0660, group: dba, profile: ha-pair, expected_paths: 2}
names:
  - {wwid: SATA_X, name: oracleasm/ocr1, owner: oracle, group: dba, mode: 0640}
`

func TestConvertTheNativeForm(t *testing.T) {
	c, _ := parseNative(t, everything)
	text, lost := Convert(c, true)
	again, _ := parseNative(t, string(text))
	if changes := Diff(c, again); len(changes)+len(lost) > 0 || !strings.Contains(string(text), "\nmultipaths:\n  - wwid: '360a9'\n    profile: ha-pair\n    alias: ocr1\n") {
		t.Errorf("to itself: %v %v\n%s", changes, lost, text)
	}
	conf, lost := Convert(c, false)
	var said []string
	for _, l := range lost {
		said = append(said, l.String())
	}
	want := []string{
		"p.yaml:7:3: expected_paths 4: only the native form has this keyword",
		"p.yaml:13:5: the device entry NETAPP,LUN is switched off: in multipath.conf an entry is there or not, and a built-in one always",
		"p.yaml:19:74: expected_paths 2: only the native form has this keyword",
		"p.yaml:21:5: the names entry of SATA_X: multipath.conf has no names for disks that stay single",
		"p.yaml:4:3: ha deadline 100: multipath.conf knows no cluster",
		"p.yaml:4:3: ha queueing bounded: multipath.conf knows no cluster",
	}
	if diff := gocmp.Diff(want, said); diff != "" {
		t.Errorf("lost: want -, got +:\n%s\n%s", diff, conf)
	}
	for _, want := range []string{
		"\t# profile oracle-rac:\n\tno_path_retry 6\n", "\t\t# profile ha-pair:\n\t\tno_path_retry 4\n", "\t# not said here: \"expected_paths 4: only the native form has this keyword\"",
	} {
		if !strings.Contains(string(conf), want) {
			t.Errorf("there is no %q in\n%s", want, conf)
		}
	}
}

// A profile's settings have the same effect in multipath.conf, for every array of
// the table.
func TestConvertAProfile(t *testing.T) {
	c, _ := parseNative(t, "profile: ha-pair\ndevices:\n  - {vendor: NETAPP, product: LUN, no_path_retry: 9}\n")
	conf, _ := Convert(c, false)
	again, _, err := Parse([]File{{Path: "m.conf", Data: conf}})
	if err != nil {
		t.Fatal(err)
	}
	c.HA = policy.HA{}
	if want, got := meaning(c), meaning(again); !reflect.DeepEqual(want, got) {
		t.Errorf("want -, got +:\n%s", gocmp.Diff(want, got))
	}
}

func TestDiffSaysWhatChangesInMeaning(t *testing.T) {
	parseAs := func(name, text string) policy.Config {
		t.Helper()
		c, _, err := Parse([]File{{Path: name, Data: []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old := parseAs("a.conf", `defaults {
	verbosity 2
	polling_interval 10
}
blacklist {
	devnode ^a
	devnode ^b
}
devices {
	device {
		vendor V
		product 1
		no_path_retry 3
	}
	device {
		vendor V
		product 2
	}
}
multipaths {
	multipath {
		wwid 3600a
		alias one
	}
}
`)
	same := parseAs("b.yaml", `multipaths: [{wwid: 3600a, alias: one}]
blacklist: {devnode: [^b, ^a]}
defaults: {polling_interval: 10}
devices: [{vendor: V, product: "1", no_path_retry: 3}, {vendor: V, product: "2"}]
`)
	if got := Diff(old, same); len(got) > 0 {
		t.Errorf("the same in the other form: %v", got)
	}
	fresh := parseAs("c.yaml", `defaults: {verbosity: 3}
blacklist: {devnode: [^b, ^c]}
devices: [{vendor: V, product: "2", no_path_retry: 4}, {vendor: V, product: "1", no_path_retry: fail}]
multipaths: [{wwid: 3600b, alias: one}]
names: [{wwid: x, name: y}]
ha: {queueing: bounded}
`)
	var said []string
	for _, c := range Diff(old, fresh) {
		said = append(said, c.String())
	}
	want := []string{
		"defaults: verbosity: 2 (a.conf:2:2) -> 3 (c.yaml:1:12)",
		"defaults: polling_interval: 10 (a.conf:3:2) -> 5 (built-in default)",
		"defaults: max_polling_interval: 40 (built-in default) -> 20 (built-in default)",
		"blacklist: devnode: ^a (a.conf:6:2) -> not set",
		"blacklist: devnode: not set -> ^c (c.yaml:2:27)",
		"device V,1: no_path_retry: 3 (a.conf:13:3) -> fail (c.yaml:3:82)",
		"device V,2: no_path_retry: not set -> 4 (c.yaml:3:37)",
		"device: order: \"V,1 first\" (a.conf:10:2) -> \"V,2 first\" (c.yaml:3:11)",
		"multipath 3600a: removed, a.conf:22:3",
		"multipath 3600a: alias: one (a.conf:23:3) -> not set",
		"multipath 3600b: added, c.yaml:4:15",
		"multipath 3600b: alias: not set -> one (c.yaml:4:28)",
		"names x: added, c.yaml:5:9",
		"names x: name: not set -> y (c.yaml:5:9)",
		"ha: queueing: not set -> bounded (c.yaml:6:6)",
	}
	if diff := gocmp.Diff(want, said); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// The samples that are shipped are read without a word.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("samples/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatal(len(files), err)
	}
	for _, name := range files {
		c, messages, err := LoadFiles([]string{name})
		if err != nil || len(messages) > 0 {
			t.Errorf("%s: %v %v", name, err, messages)
		}
		if _, problems := policy.Compile(c); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// The example of the documentation is read as it stands.
func TestDocumentedExample(t *testing.T) {
	page, err := os.ReadFile("../docs/yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(page), "```yaml\n")[1:]
	if len(examples) == 0 {
		t.Fatal("docs/yaml.md has no example")
	}
	for _, e := range examples {
		text, _, _ := strings.Cut(e, "```")
		if _, messages, err := Parse([]File{{Path: "e.yaml", Data: []byte(text)}}); err != nil || len(messages) > 0 {
			t.Errorf("%v %v\n%s", err, messages, text)
		}
	}
}
