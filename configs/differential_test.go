package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
)

// confCase is one measured case: a configuration and what multipath-tools made
// of it.
type confCase struct {
	Name      string
	Conf      json.RawMessage
	ConfD     map[string]json.RawMessage `json:"conf_d"`
	Bug       string                     `json:"reference_bug"`
	Reference struct {
		Exit     int
		Merged   *merged
		Messages [][]any
		Sum      string `json:"stdout_sha256"`
	} `json:"0.14.3"`
}

// merged is the difference from the built-in configuration.
type merged struct {
	Defaults     map[string]any
	DefaultsGone []string `json:"defaults_gone"`
	Blacklist    [][]any
	Exceptions   [][]any `json:"blacklist_exceptions"`
	Devices      []struct {
		Index  int
		Values map[string]any
	}
	DevicesTotal int `json:"devices_total"`
	Overrides    map[string]any
	Multipaths   []map[string]any
}

// deliberate lists the cases in which this package does otherwise than the
// reference, and why. "messages" means that only they differ. Cases marked as
// splitting long lines differ by nature.
var deliberate = map[string]string{
	"lex-quoted-keyword":                        "messages: one instead of two for a quoted keyword",
	"ovr-protocol-outside":                      "messages: one for an unknown section, not one per line in it",
	"random-21-noisy":                           "messages: one for an unknown section, not one per line in it",
	"struct-unknown-section-nested":             "messages: one for an unknown section, not one per line in it",
	"struct-unknown-section-with-known-section": "messages: one for an unknown section, not one per line in it",
	"struct-multipath-outside-multipaths":       "messages: one for an unknown section, not one per line in it",
	"struct-old-name-multipath-conf":            "the spellings of older guides are used",
	"random-05-noisy":                           "gid -1 is refused; the reference takes 4294967295, which means no group",
	"random-25-noisy":                           "gid -1 is refused; the reference takes 4294967295, which means no group",
	"random-23-noisy":                           "uid 12a is a name; the reference takes 12",
	"random-33-noisy":                           "group names are resolved later, not while parsing",
	"long-blank-run":                            "lines are of any length",
	"long-comment-hides-brace":                  "lines are of any length",
}

func TestMeasuredConfigurations(t *testing.T) {
	paths, err := filepath.Glob("../testdata/differential/conf-*.json")
	if err != nil {
		t.Fatal(err)
	}
	base := readBase(t)
	ran := 0
	used := map[string]bool{}
	for _, p := range paths {
		if strings.Contains(p, "conf-base") {
			continue
		}
		var group struct{ Cases []confCase }
		readJSON(t, p, &group)
		for _, c := range group.Cases {
			ran++
			t.Run(c.Name, func(t *testing.T) {
				reason, listed := deliberate[c.Name]
				used[c.Name] = true
				config, said := c.run(t, base)
				if config == "" {
					c.dump(t)
				}
				switch {
				case listed && config == "" && said == "":
					t.Errorf("agrees with the reference, but is listed as different: %s", reason)
				case !listed && config+said != "", strings.HasPrefix(reason, "messages") && config != "":
					t.Error(config + said)
				}
			})
		}
	}
	if ran < 250 {
		t.Errorf("only %d cases", ran)
	}
	for name := range deliberate {
		if !used[name] {
			t.Errorf("no case %q", name)
		}
	}
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func readBase(t *testing.T) map[string]string {
	t.Helper()
	var base struct{ Defaults map[string]any }
	readJSON(t, "../testdata/differential/conf-base-0.14.3.json", &base)
	return plain(base.Defaults)
}

func text(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	var h struct{ Hex string }
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(h.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c confCase) files(t *testing.T) []File {
	t.Helper()
	files := []File{{Path: "main", Data: text(t, c.Conf)}}
	var names []string
	for name := range c.ConfD {
		if strings.HasSuffix(name, ".conf") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		files = append(files, File{Path: name, Data: text(t, c.ConfD[name]), DropIn: true})
	}
	return files
}

// run compares one case: the configuration, and what is said; "" is agreement.
func (c confCase) run(t *testing.T, base map[string]string) (config, said string) {
	got, messages, err := Parse(c.files(t))
	for _, m := range messages {
		if m.Text == "" || m.Kind == "" || m.Level == LevelUnknown || m.Origin.File == "" {
			t.Errorf("unfinished message %#v", m)
		}
	}
	if c.Reference.Exit != 0 {
		if err == nil {
			return "got no error, the reference refuses the file", ""
		}
		return "", ""
	}
	if err != nil {
		return "got the error " + err.Error(), ""
	}
	if c.Reference.Merged == nil {
		return "", "" // the reference hangs, dies or prints no dump: surviving is all there is to compare
	}
	return cmp.Diff(c.Reference.Merged.view(), viewOf(got, base)), diffMessages(c.Reference.Messages, messages)
}

// dump compares ours with the reference's, byte for byte but for what ours prints
// otherwise so that it can be read back.
func (c confCase) dump(t *testing.T) {
	t.Helper()
	if c.Reference.Merged == nil { // dies, or prints half a device rule
		return
	}
	got, _, err := Parse(c.files(t))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(asReference(Dump(got, nil))); hex.EncodeToString(sum[:]) != c.Reference.Sum {
		t.Error("the dump is not the reference's")
	}
}

// asReference prints a dump's owners in octal, which the reference does and then
// reads as decimal; names as the numbers that it looks up; uid_attrs without
// quotes, which it then reads no further than the first blank; and max_fds 0 not
// at all, which it then reads as max.
func asReference(dump []byte) []byte {
	s := regexp.MustCompile(`(?m)^(\t+[ug]id )"root"$`).ReplaceAllString(string(dump), "${1}0")
	s = regexp.MustCompile(`(?m)^\t+[ug]id [0-9]+$`).ReplaceAllStringFunc(s, func(line string) string {
		keyword, value, _ := strings.Cut(line, " ")
		n, _ := strconv.ParseUint(value, 10, 32)
		return keyword + " 0" + strconv.FormatUint(n, 8)
	})
	s = regexp.MustCompile(`(?m)^\tuid_attrs "(.*)"$`).ReplaceAllString(s, "\tuid_attrs ${1}")
	return []byte(strings.Replace(s, "\n\tmax_fds 0\n", "\n", 1))
}

// view is a configuration as text that both sides can be brought to.
type view struct {
	Defaults, Overrides map[string]string
	Protocols           []map[string]string
	Blacklist           []string
	Exceptions          []string
	Devices             []string // entries that are not as built in, with their index
	DevicesTotal        int
	Multipaths          []map[string]string
}

// plain turns JSON values into text, and owners, which the reference prints in
// octal, into decimal.
func plain(m map[string]any) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		s, ok := v.(string)
		if f, number := v.(float64); number {
			s, ok = strconv.FormatFloat(f, 'f', -1, 64), true
		}
		if !ok {
			continue
		}
		if k == "uid" || k == "gid" {
			if n, err := strconv.ParseUint(s, 8, 32); err == nil {
				s = strconv.FormatUint(n, 10)
			}
		}
		out[k] = s
	}
	return out
}

func (m *merged) view() view {
	v := view{Defaults: plain(m.Defaults), Overrides: plain(m.Overrides), DevicesTotal: m.DevicesTotal}
	for _, gone := range m.DefaultsGone {
		v.Defaults[gone] = "gone"
	}
	if list, ok := m.Overrides["protocol"].([]any); ok {
		for _, p := range list {
			v.Protocols = append(v.Protocols, plain(p.(map[string]any)))
		}
	}
	items := func(list [][]any) (out []string) {
		for _, item := range list {
			if device, ok := item[1].(map[string]any); ok {
				out = append(out, fmt.Sprintf("device %q %q", device["vendor"], device["product"]))
			} else {
				out = append(out, fmt.Sprintf("%s %q", item[0], item[1]))
			}
		}
		return out
	}
	v.Blacklist, v.Exceptions = items(m.Blacklist), items(m.Exceptions)
	for _, d := range m.Devices {
		v.Devices = append(v.Devices, deviceText(d.Index, plain(d.Values)))
	}
	for _, p := range m.Multipaths {
		v.Multipaths = append(v.Multipaths, plain(p))
	}
	return v
}

func deviceText(index int, values map[string]string) string {
	var lines []string
	for k, value := range values {
		lines = append(lines, fmt.Sprintf("%s %q", k, value))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d: %s", index, strings.Join(lines, "; "))
}

func layerMap(l policy.Layer, with ...string) map[string]string {
	m := map[string]string{}
	for _, s := range l {
		m[s.Keyword] = s.Value
		if (s.Keyword == "uid" || s.Keyword == "gid") && s.Value == "root" {
			m[s.Keyword] = "0"
		}
	}
	for i := 0; i+1 < len(with); i += 2 {
		m[with[i]] = with[i+1]
	}
	return m
}

func viewOf(c policy.Config, base map[string]string) view {
	v := view{Defaults: layerMap(c.Defaults), Overrides: layerMap(c.Overrides), DevicesTotal: len(c.Devices)}
	least, greatest := pollingIntervals(c.Defaults)
	v.Defaults["polling_interval"], v.Defaults["max_polling_interval"] = strconv.FormatUint(least, 10), strconv.FormatUint(greatest, 10)
	if v.Defaults["max_fds"] == "0" { // the reference prints nothing then
		v.Defaults["max_fds"] = "gone"
	}
	for k, value := range base {
		if v.Defaults[k] == value {
			delete(v.Defaults, k)
		}
	}
	for _, p := range c.Protocols {
		v.Protocols = append(v.Protocols, layerMap(p.Layer, "type", p.Type))
	}
	bl, ex := policy.BuiltinRules(policy.BuiltinDevices(), false)
	derived, _ := policy.BuiltinRules(c.Devices, false)
	v.Blacklist = rulesText(c.Blacklist, derived, bl)
	v.Exceptions = rulesText(c.Exceptions, nil, ex)
	if len(v.Defaults) == 0 {
		v.Defaults = map[string]string{}
	}
	for i, d := range c.Devices {
		if d.BuiltIn {
			continue
		}
		m := layerMap(d.Layer, "vendor", d.Vendor, "product", d.Product)
		for k, value := range map[string]string{"revision": d.Revision, "product_blacklist": d.ProductBlacklist} {
			if value != "" {
				m[k] = value
			}
		}
		v.Devices = append(v.Devices, deviceText(i, m))
	}
	for _, p := range c.Multipaths {
		v.Multipaths = append(v.Multipaths, layerMap(p.Layer, "wwid", p.WWID))
	}
	return v
}

// rulesText lists rules in a dump's order, those of the base left out.
func rulesText(files, derived, base []policy.Rule) []string {
	texts := func(rules []policy.Rule) (out []string) {
		for class := policy.ClassDevnode; class <= policy.ClassDevice; class++ {
			for _, r := range rules {
				switch {
				case r.Class != class:
				case class == policy.ClassDevice:
					out = append(out, fmt.Sprintf("device %q %q", r.Pattern, r.Product))
				default:
					out = append(out, fmt.Sprintf("%s %q", classNames[class], r.Pattern))
				}
			}
		}
		return out
	}
	known := texts(base)
	var out []string
	for _, s := range texts(append(slices.Clone(files), derived...)) {
		if !slices.Contains(known, s) || strings.HasPrefix(s, "protocol ") {
			known = append(known, s)
			out = append(out, s)
		}
	}
	return out
}

var classNames = map[policy.RuleClass]string{
	policy.ClassDevnode: "devnode", policy.ClassWWID: "wwid", policy.ClassProperty: "property", policy.ClassProtocol: "protocol",
}

// diffMessages compares what both say, in any order. The reference has no line
// for some; ours are left out where it says nothing on principle.
func diffMessages(reference [][]any, ours []Message) string {
	silent := []Kind{UnknownName, BadRegex, HardRegex, NoText, CutLine, SectionOpen, AliasTwice, NoEffect, MatchesAll}
	var want, got []string
	noLine := map[string]bool{}
	for _, m := range reference {
		file, line, kind, word := m[0], m[1], m[2], m[3]
		key := fmt.Sprint(kind, " ", word)
		switch {
		case kind == "invalid-keyword" && word == "}": // always beside an unmatched-close-brace
		case line == nil || file == nil:
			noLine[key] = true
			want = append(want, key)
		case noLine[key]:
		default:
			want = append(want, fmt.Sprintf("%v %v: %s", file, line, key))
		}
	}
	for _, m := range ours {
		key := fmt.Sprint(m.Kind, " ", m.Word)
		switch {
		case slices.Contains(silent, m.Kind):
		case noLine[key]:
			got = append(got, key)
		default:
			got = append(got, fmt.Sprintf("%s %d: %s", m.Origin.File, m.Origin.Line, key))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	return cmp.Diff(slices.Compact(want), slices.Compact(got)) // some are said twice there
}
