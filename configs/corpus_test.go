package configs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// facts is a dump as a table: "defaults failback" -> "manual", "devices NETAPP,LUN prio"
// -> "ontap", "blacklist wwid 3600a" -> "there".
type facts map[string]string

// factsOf reads a dump. An entry that stands twice counts as written last.
func factsOf(dump []byte) facts {
	out := facts{}
	var stack []string
	var entry []token // keyword and value alternate
	var order []string
	for l := range split(dump) {
		switch t := l.tokens; {
		case len(t) > 1 && t[1].is("{"):
			stack, entry = append(stack, t[0].text), nil
		case t[0].is("}"):
			if len(stack) == 2 {
				out.entry(stack[0], stack[1], entry)
			}
			if len(stack) == 2 && stack[0] == "devices" {
				order = append(order, entryName(entry))
			}
			stack = stack[:len(stack)-1]
		case len(stack) == 2 && len(t) > 1:
			entry = append(entry, t[0], t[1])
		case len(stack) == 1 && len(t) > 1 && strings.HasPrefix(stack[0], "blacklist"):
			out[stack[0]+" "+t[0].text+" "+t[1].text] = "there"
		case len(stack) == 1 && len(t) > 1:
			out[stack[0]+" "+t[0].text] = t[1].text
		}
	}
	out[orderFact] = strings.Join(order, "\n")
	return out
}

// orderFact is the list of device entries, one a line.
const orderFact = "devices in order"

func entryName(words []token) string {
	value := map[string]string{}
	for i := 0; i < len(words); i += 2 {
		value[words[i].text] = words[i+1].text
	}
	return strings.Join([]string{value["vendor"], value["product"], value["revision"]}, ",")
}

func (f facts) entry(section, kind string, words []token) {
	value := map[string]string{}
	for i := 0; i < len(words); i += 2 {
		value[words[i].text] = words[i+1].text
	}
	name := entryName(words)
	keys := []string{"vendor", "product", "revision"}
	switch kind {
	case "multipath":
		name, keys = value["wwid"], []string{"wwid"}
	case "protocol":
		name, keys = "protocol "+value["type"], []string{"type"}
	}
	f[section+" "+name] = "there"
	for k, v := range value {
		if !slices.Contains(keys, k) {
			f[section+" "+name+" "+k] = v
		}
	}
}

// orderOfNew gives the entries of f that neither version has built in, in order.
func (f facts) orderOfNew(ours, theirs facts) string {
	var out []string
	for _, name := range strings.Split(f[orderFact], "\n") {
		if ours["devices "+name] == "" && theirs["devices "+name] == "" {
			out = append(out, name)
		}
	}
	return strings.Join(out, "\n")
}

// told is Debian's side of one file without a word of it: by the checksum of each
// fact's name, the checksum of its value, where it differs from what is built in.
type told map[string]string

func checksum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", sum[:5])
}

const gone = "gone"

// changed gives what differs from the base.
func (f facts) changed(base, ourBase facts) told {
	out := told{}
	for name, value := range f {
		if base[name] != value && name != orderFact {
			out[checksum(name)] = checksum(value)
		}
	}
	if order := f.orderOfNew(ourBase, base); order != "" {
		out[checksum(orderFact)] = checksum(order)
	}
	for name := range base {
		if _, ok := f[name]; !ok {
			out[checksum(name)] = gone
		}
	}
	return out
}

// TestCorpus holds our reading of real files against that of Debian's 0.9.4,
// keyword by keyword, as it was recorded in the lab (conf-corpus.txt). The files are
// not ours: where they are not at hand there is nothing to do.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("PATHKEEPER_CORPUS")
	if dir == "" {
		dir = "../../shared/corpus/conf"
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(paths) == 0 {
		t.Skipf("there are no files in %s", dir)
	}
	nothing, _, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	ourBase := factsOf(asDebian(Dump(nothing, nil)))
	ourBase[orderFact] = ""
	if from := os.Getenv("CORPUS_RECORD"); from != "" {
		recordCorpus(t, from, ourBase)
	}
	golden, theirBase := readCorpus(t), debianBase(t)
	met := map[string]bool{}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".conf")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		theirs, ok := golden[name]
		if !ok {
			t.Errorf("%s is not recorded: make corpus-golden", name)
			continue
		}
		c, _, err := Parse([]File{{Path: path, Data: data}})
		if refused := theirs["refused"] != ""; refused || err != nil {
			if refused != (err != nil) {
				t.Errorf("%s: Debian's refuses it: %v; ours: %v", name, refused, err)
			}
			continue
		}
		ours := factsOf(asDebian(Dump(c, nil)))
		ours[orderFact] = ours.orderOfNew(ourBase, theirBase)
		for _, d := range differences(ours, ourBase, theirs, theirBase) {
			known := knownDifference(name + ": " + d)
			if known.reason == "" {
				t.Errorf("%s: %s", name, d)
			}
			met[known.start] = true
		}
	}
	for _, k := range knownDifferences() {
		if !met[k.start] {
			t.Errorf("not met any more (%s): %s", k.reason, k.start)
		}
	}
}

// differences compares all facts of ours and theirs. One that neither side has
// changed is a matter of the versions' built-in values.
func differences(ours, ourBase facts, theirs told, theirBase facts) []string {
	names := map[string]bool{}
	for _, side := range []facts{ours, ourBase, theirBase} {
		for name := range side {
			names[name] = true
		}
	}
	var out []string
	known := 0
	for _, name := range slices.Sorted(maps.Keys(names)) {
		want, theyChanged := theirs[checksum(name)]
		if theyChanged {
			known++
		}
		if !theyChanged {
			want = gone
			if v, ok := theirBase[name]; ok {
				want = checksum(v)
			}
		}
		got := gone
		value, ok := ours[name]
		if ok {
			got = checksum(value)
		}
		was, isBuiltIn := ourBase[name]
		weChanged := value != was || ok != isBuiltIn
		if got != want && (theyChanged || weChanged) {
			out = append(out, fmt.Sprintf("%s: ours %q, built in %q, Debian's is another (built in %q, changed %v)", name, value, was, theirBase[name], theyChanged))
		}
	}
	if more := len(theirs) - known; more > 0 {
		out = append(out, fmt.Sprintf("%d facts of Debian's are not among ours", more))
	}
	return out
}

// asDebian prints what 0.9.4 calls otherwise, its meaning being the same.
func asDebian(dump []byte) []byte {
	s := strings.ReplaceAll(string(asReference(dump)), "\tflush_on_last_del \"always\"\n", "\tflush_on_last_del \"yes\"\n")
	return []byte(strings.ReplaceAll(s, "\tflush_on_last_del \"unused\"\n", "\tflush_on_last_del \"no\"\n"))
}

// difference is one of those that docs/differences.md explains.
type difference struct{ start, reason string }

func knownDifferences() []difference {
	const old = "old spellings mean what they meant"
	return []difference{
		{"oVirt__vdsm__mpathconf_template_3: defaults flush_on_last_del: ours \"yes\"", "0.9.4 does not know the word always"},
		{"Infinidat__infi.multipathtools__config_sample: defaults gid: ours \"disk\"", "0.9.4 looks a group up among the users, and drops it"},
		{"ejaazkhan012375__post_install__multipath: defaults bindings_file: ours \"\"", "bindings_file is ignored since 0.10"},
		{"ejaazkhan012375__post_install__multipath: devices IBM,2145, prio: ours \"alua\"", old},
		{"megacoder__dmmp__example_multipath: defaults path_selector: ours \"round-robin 0\"", old},
		{"mwilck__multipath-history__multipath.conf.annotated: defaults path_grouping_policy: ours \"multibus\"", old},
		{"mwilck__multipath-history__multipath.conf.annotated: defaults path_selector: ours \"round-robin 0\"", old},
	}
}

func knownDifference(text string) difference {
	for _, k := range knownDifferences() {
		if strings.HasPrefix(text, k.start) {
			return k
		}
	}
	return difference{}
}

func debianBase(t *testing.T) facts {
	t.Helper()
	var base struct {
		Defaults   map[string]any
		Blacklist  [][]any
		Exceptions [][]any `json:"blacklist_exceptions"`
		Devices    []map[string]any
	}
	readJSON(t, "../testdata/differential/conf-base-0.9.4.json", &base)
	f := facts{orderFact: ""}
	for k, v := range plain(base.Defaults) {
		f["defaults "+k] = v
	}
	for section, list := range map[string][][]any{"blacklist": base.Blacklist, "blacklist_exceptions": base.Exceptions} {
		for _, item := range list {
			if d, ok := item[1].(map[string]any); ok {
				f[fmt.Sprintf("%s %s,%s,", section, d["vendor"], d["product"])] = "there"
			} else {
				f[fmt.Sprintf("%s %s %s", section, item[0], item[1])] = "there"
			}
		}
	}
	for _, d := range base.Devices {
		var words []token
		for k, v := range plain(d) {
			words = append(words, token{text: k}, token{text: v})
		}
		f.entry("devices", "device", words)
	}
	return f
}

const corpusFile = "../testdata/corpus/debian-0.9.4.txt"

// readCorpus reads lines "FILE NAME VALUE" of checksums.
func readCorpus(t *testing.T) map[string]told {
	t.Helper()
	b, err := os.ReadFile(corpusFile)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]told{}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		words := strings.Fields(s.Text())
		if out[words[0]] == nil {
			out[words[0]] = told{}
		}
		if len(words) == 3 {
			out[words[0]][words[1]] = words[2]
		}
	}
	return out
}

// recordCorpus writes corpusFile from the dumps that the lab has fetched.
func recordCorpus(t *testing.T, from string, ourBase facts) {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	base := factsOf(read("BASE.dump"))
	base[orderFact] = ""
	if want := debianBase(t); !maps.Equal(base, want) {
		t.Errorf("the dump of nothing is not the measured one: %d and %d facts", len(base), len(want))
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, e := range entries {
		name, kind, _ := strings.Cut(e.Name(), ".dump")
		switch {
		case strings.HasSuffix(e.Name(), ".refused"):
			fmt.Fprintf(&out, "%s refused yes\n", strings.TrimSuffix(e.Name(), ".refused"))
		case kind == "" && name != "BASE" && strings.HasSuffix(e.Name(), ".dump"):
			fmt.Fprintln(&out, name)
			changed := factsOf(read(e.Name())).changed(base, ourBase)
			for _, k := range slices.Sorted(maps.Keys(changed)) {
				fmt.Fprintf(&out, "%s %s %s\n", name, k, changed[k])
			}
		}
	}
	if err := os.WriteFile(corpusFile, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
