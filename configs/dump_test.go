package configs

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pathkeeper/policy"
)

// meaning is a configuration without what says where it comes from, built-in
// values among the others: equal for two that decide alike.
func meaning(c policy.Config) policy.Config {
	bare := func(l policy.Layer) policy.Layer {
		var out policy.Layer
		for _, s := range l {
			out = append(out, policy.Setting{Keyword: s.Keyword, Value: s.Value})
		}
		slices.SortFunc(out, func(a, b policy.Setting) int { return cmp.Compare(a.Keyword, b.Keyword) })
		return out
	}
	rules := func(list []policy.Rule) (out []policy.Rule) {
		for _, r := range list {
			r.Origin = policy.Origin{}
			out = append(out, r)
		}
		slices.SortStableFunc(out, func(a, b policy.Rule) int { return cmp.Compare(a.Class, b.Class) })
		return out
	}
	m := policy.Config{Defaults: bare(effectiveDefaults(c.Defaults)), Overrides: bare(c.Overrides)}
	black, exceptions := effectiveRules(c)
	m.Blacklist, m.Exceptions = rules(black), rules(exceptions)
	for _, d := range c.Devices {
		d.Layer, d.Origin, d.BuiltIn = bare(d.Layer), policy.Origin{}, false
		m.Devices = append(m.Devices, d)
	}
	for _, p := range c.Protocols {
		m.Protocols = append(m.Protocols, policy.Protocol{Type: p.Type, Layer: bare(p.Layer)})
	}
	for _, e := range c.Multipaths {
		m.Multipaths = append(m.Multipaths, policy.Multipath{WWID: e.WWID, Layer: bare(e.Layer)})
	}
	return m
}

// readsBack holds that a dump is read with the same meaning, and dumped the same.
func readsBack(t interface {
	Helper()
	Fatalf(string, ...any)
}, c policy.Config,
) {
	t.Helper()
	first := Dump(c, nil)
	again, messages, err := Parse([]File{{Path: "dump", Data: first}})
	if err != nil {
		t.Fatalf("the dump is refused: %v\n%s", err, first)
	}
	for _, m := range messages {
		if slices.Contains([]Kind{InvalidKeyword, MissingValue, ExtraData, InvalidValue, Capped, MissingQuote, BadArgumentCount}, m.Kind) {
			t.Fatalf("the dump is not clean: %s\n%s", m, m.Excerpt())
		}
	}
	if want, got := meaning(c), meaning(again); !reflect.DeepEqual(want, got) {
		t.Fatalf("read back it means something else, want -, got +:\n%s", gocmp.Diff(want, got))
	}
	if second := Dump(again, nil); !bytes.Equal(first, second) {
		t.Fatalf("dumped again it is otherwise: -, +:\n%s", gocmp.Diff(strings.Split(string(first), "\n"), strings.Split(string(second), "\n")))
	}
}

func TestDumpReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, _, err := Parse([]File{
			{Path: "main", Data: []byte(randomFile(t, "main"))}, {Path: "a.conf", Data: []byte(randomFile(t, "drop-in")), DropIn: true},
		})
		if err != nil {
			t.Skip(err)
		}
		readsBack(t, c)
	})
}

// randomFile draws sections and entries with every keyword that may stand there,
// right and wrong values.
func randomFile(t *rapid.T, label string) string {
	var b strings.Builder
	words := newVocabulary()
	lines := func(indent string, p place) {
		names := words.words(p)
		for range rapid.IntRange(0, 12).Draw(t, label+" lines") {
			k, ok := words[p][rapid.SampledFrom(names).Draw(t, label+" keyword")]
			if ok {
				fmt.Fprintf(&b, "%s%s \"%s\"\n", indent, k.Name, strings.ReplaceAll(randomValue(t, k), `"`, `""`))
			}
		}
	}
	entries := func(name string, p place, keys ...string) {
		for range rapid.IntRange(0, 3).Draw(t, label+" entries") {
			fmt.Fprintf(&b, "\t%s {\n", name)
			for _, key := range keys {
				fmt.Fprintf(&b, "\t\t%s \"%s\"\n", key, strings.ReplaceAll(randomValue(t, words[p][key]), `"`, `""`))
			}
			lines("\t\t", p)
			b.WriteString("\t}\n")
		}
	}
	for _, s := range []struct {
		name   string
		place  place
		inside func()
	}{
		{"defaults", inDefaults, func() {}},
		{"blacklist", inBlacklist, func() { entries("device", inBlacklistDevice) }},
		{"blacklist_exceptions", inExceptions, func() { entries("device", inBlacklistDevice) }},
		{"devices", inDevices, func() { entries("device", inDevice, "vendor", "product") }},
		{"overrides", inOverrides, func() { entries("protocol", inProtocol, "type") }},
		{"multipaths", inMultipaths, func() { entries("multipath", inMultipath, "wwid") }},
	} {
		if rapid.Bool().Draw(t, label+" "+s.name) {
			b.WriteString(s.name + " {\n")
			if s.place != inDevices && s.place != inMultipaths {
				lines("\t", s.place)
			}
			s.inside()
			b.WriteString("}\n")
		}
	}
	return b.String()
}

func randomValue(t *rapid.T, k policy.Keyword) string {
	switch k.Name {
	case "vendor", "product": // often a built-in one's
		return rapid.SampledFrom([]string{"", "NETAPP", "LUN", "HP", "^DGC", ".*", "A \"b\" c", "*", "IBM"}).Draw(t, k.Name)
	case "features", "hardware_handler":
		return rapid.SampledFrom([]string{"0", "1 queue_if_no_path", "2 queue_mode bio", "1 retain_attached_hw_handler", "3 queue_if_no_path pg_init_retries 50", "1 alua", "2 x"}).Draw(t, k.Name)
	}
	if len(k.Words) > 0 && rapid.IntRange(0, 3).Draw(t, "known word") > 0 {
		word := rapid.SampledFrom(k.Words).Draw(t, k.Name)
		if k.Kind == policy.KindSelector {
			word += " 0"
		}
		return word
	}
	if rapid.IntRange(0, 5).Draw(t, "any text") == 0 {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab{}#!\" \t/%:.0'\u00fc\u2028"))).Draw(t, k.Name)
		return text
	}
	return rapid.SampledFrom([]string{
		"yes", "no", "0", "1", "off", "infinity", "queue", "fail", "max", "immediate", "7", "600", "4294967294", "-3", "0660", "0x12ab", "12ab:aptpl", "file",
		"oracle", "54321", "sd:ID_SERIAL", "sd:ID_SERIAL dasd:ID_UID", "sd:ID SERIAL", "", "360a98", "lun1", "^sd[a-z]", "!^sd", "ID_WWN", "scsi:fcp",
	}).Draw(t, k.Name)
}

// What the reference's own dump loses.
func TestDumpReadsBackWhereTheReferencesDoesNot(t *testing.T) {
	for _, conf := range []string{
		"blacklist {\n\tdevice {\n\t\tvendor ACME\n\t}\n\tdevice {\n\t\tproduct X\n\t}\n}\n",
		"multipaths {\n\tmultipath {\n\t\twwid 1\n\t\tuid 501\n\t\tgid 8\n\t\tmode 060\n\t}\n}\n",
		"defaults {\n\tuid_attrs \"sd:ID_SERIAL dasd:ID_UID\"\n\tuid oracle\n\tmax_fds 0\n}\n",
	} {
		c, _ := parse(t, conf)
		readsBack(t, c)
	}
}

func TestDumpOfSomeDevices(t *testing.T) {
	c, _ := parse(t, "devices {\n\tdevice {\n\t\tvendor ACME\n\t\tproduct X\n\t}\n}\n")
	got := string(Dump(c, func(d policy.Device) bool { return !d.BuiltIn }))
	_, after, _ := strings.Cut(got, "\ndevices {\n")
	if want := "\tdevice {\n\t\tvendor \"ACME\"\n\t\tproduct \"X\"\n\t}\n}\noverrides {\n}\n"; after != want {
		t.Errorf("got\n%s\nwant\n%s", after, want)
	}
}

// What multipath.conf cannot say is said in comments: the dump still reads.
func TestDumpOfTheNativeForm(t *testing.T) {
	c, _, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Defaults = policy.Layer{{Keyword: "expected_paths", Value: "4"}, {Keyword: "uid", Value: "a\nb"}}
	c.Devices = append(c.Devices, policy.Device{Vendor: "A\n", Product: "B", Disabled: true})
	c.Disks = []policy.Disk{{WWID: "36\r0a", Name: "oracleasm/ocr1"}}
	c.HA = policy.HA{DeadlineSeconds: 60, Queueing: "bounded"}
	out := string(Dump(c, nil))
	for _, want := range []string{
		"\t# expected_paths \"4\" (", "\t# uid \"a\\nb\" (", "\t# device \"A\\n\" \"B: switched off\" (", "# the disk \"36\\r0a\" has the link \"oracleasm/ocr1\" (",
		"# what the cluster demands: \"I/O ends in 60 seconds, queueing bounded\" (",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
	again, messages, err := Parse([]File{{Path: "dump", Data: []byte(out)}})
	if err != nil || len(again.Devices) != 137 {
		t.Errorf("got %v, %d devices", err, len(again.Devices))
	}
	for _, m := range messages {
		if m.Kind != NoEffect {
			t.Error(m)
		}
	}
	c.HA = policy.HA{Queueing: "bounded"}
	if out, want := string(Dump(c, nil)), "# what the cluster demands: \"queueing bounded\" ("; !strings.Contains(out, want) {
		t.Errorf("without a deadline: there is no %q in\n%s", want, out)
	}
}

func FuzzDump(f *testing.F) {
	f.Add([]byte("defaults {\n\tuid_attrs \"sd:A b:C\"\n\tprio \"\"\n}\nblacklist {\n\tprotocol x\n\tdevice {\n\t\tvendor \"!x\"\n\t}\n}\n"))
	f.Add([]byte("devices {\n\tdevice {\n\t\tvendor NETAPP\n\t\tproduct LUN\n\t\tfeatures \"1 queue_if_no_path\"\n\t\tproduct_blacklist (a)\n\t}\n}\n"))
	f.Add([]byte("overrides {\n\tprotocol {\n\t\ttype scsi:fcp\n\t\tdev_loss_tmo 0\n\t}\n}\nmultipaths {\n\tmultipath {\n\t\twwid \"\"\"\"\n\t\tmode 7\n\t}\n}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := Parse([]File{{Path: "m", Data: data}})
		if err == nil {
			readsBack(t, c)
		}
	})
}
