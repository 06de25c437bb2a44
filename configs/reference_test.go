package configs

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// effective reads files, the first as the main one, and gives what one disk gets.
func effective(t *testing.T, vendor, product, wwid string, files ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, e := range compiled(t, files...).Effective(policy.Target{
		Identity: scsi.Identity{WWID: wwid, Vendor: vendor, Model: product, IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: wwid}}},
		Facts:    policy.Facts{Devnode: "sda", DevType: "disk", Protocol: "scsi:fcp"},
	}) {
		out[e.Keyword] = e.Value
	}
	return out
}

func compiled(t *testing.T, files ...string) *policy.Compiled {
	t.Helper()
	var list []File
	for i, text := range files {
		list = append(list, File{Path: string(rune('a' + i)), Data: []byte(text), DropIn: i > 0})
	}
	cfg, _, err := Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	c, problems := policy.Compile(cfg)
	for _, p := range problems {
		if p.Fatal {
			t.Fatal(p)
		}
	}
	return c
}

func device(lines ...string) string {
	return "devices {\n\tdevice {\n\t\t" + strings.Join(lines, "\n\t\t") + "\n\t}\n}\n"
}

func multipath(lines ...string) string {
	return "multipaths {\n\tmultipath {\n\t\t" + strings.Join(lines, "\n\t\t") + "\n\t}\n}\n"
}

// How entries of the hardware table and of multipaths come together: the data
// cases of the reference's own tests.
func TestReferenceMerging(t *testing.T) {
	regexFirst := device("vendor \"^.oo\"", "product \"(bar|baz|ba\\.)$\"", "prio emc", "path_checker hp_sw", "detect_prio no", "detect_checker no")
	plainLater := device("vendor foo", "product bar", "prio hds")
	three := []string{
		device("vendor foo", "product ba.", "path_checker directio", "uid_attribute A", "prio emc", "detect_prio no", "detect_checker no"),
		device("vendor foo", "product bar", "uid_attribute B", "prio rdac"),
		device("vendor foo", "product barz", "prio hds"),
	}
	twoOfOneWWID := multipath("wwid 3600a", "failback 5", "no_path_retry 7")
	tests := []struct {
		name            string
		vendor, product string
		wwid            string
		files           []string
		want            map[string]string
	}{
		{"20: expression and plain entry, both fit", "foo", "bar", "1", []string{regexFirst, plainLater}, map[string]string{"prio": "hds", "path_checker": "hp_sw"}},
		{"20: only the expression fits", "foo", "baz", "1", []string{regexFirst, plainLater}, map[string]string{"prio": "emc", "path_checker": "hp_sw"}},
		{"20: an expression is no string", ".oo", "(bar|baz|ba\\.)$", "1", []string{regexFirst, plainLater}, map[string]string{"prio": "const", "path_checker": "tur"}},
		{"21: each value from the last entry that has it", "foo", "barz", "1", three, map[string]string{"prio": "hds", "uid_attribute": "B", "path_checker": "directio"}},
		{"22: without product", "foo", "bar", "1", []string{device("vendor foo", "prio hds")}, map[string]string{"prio": "const"}},
		{"22: without product, in a drop-in", "foo", "bar", "1", []string{"", device("vendor foo", "prio hds")}, map[string]string{"prio": "const"}},
		{
			"22: two equal entries in one file", "foo", "bar", "1",
			[]string{device("vendor foo", "product bar", "prio hds", "no_path_retry 3") + device("vendor foo", "product bar", "prio emc", "detect_prio no")},
			map[string]string{"prio": "emc", "no_path_retry": "3"},
		},
		{"22: an empty one in a second file", "foo", "bar", "1", []string{device("vendor foo", "product bar", "prio hds"), device("vendor foo", "product bar")}, map[string]string{"prio": "hds"}},
		{"23: quotes within the product", "foo", `"bar"`, "1", []string{device("vendor foo", `product """bar"""`, "prio hds")}, map[string]string{"prio": "hds"}},
		{"23: a product without them", "foo", `bar`, "1", []string{device("vendor foo", `product """bar"""`, "prio hds")}, map[string]string{"prio": "const"}},
		{"25: two entries of one LUN", "foo", "bar", "3600a", []string{twoOfOneWWID + multipath("wwid 3600a", "failback 9")}, map[string]string{"failback": "9", "no_path_retry": "7"}},
		{"25: in two files", "foo", "bar", "3600a", []string{twoOfOneWWID, multipath("wwid 3600a", "failback 9")}, map[string]string{"failback": "9", "no_path_retry": "7"}},
		{"26: NVMe", "NVME", "NetApp ONTAP Controller", "1", nil, map[string]string{
			"path_checker": "none", "uid_attribute": "ID_WWN", "path_grouping_policy": "group_by_prio", "no_path_retry": "queue",
		}},
		{"26: other NVMe", "NVME", "Some Drive", "1", nil, map[string]string{"path_checker": "none", "uid_attribute": "ID_WWN", "path_grouping_policy": "group_by_prio", "no_path_retry": ""}},
		{"user entry for all", "NETAPP", "LUN", "1", []string{device("vendor \".*\"", "product \".*\"", "no_path_retry 5")}, map[string]string{"no_path_retry": "5"}},
		{
			"overrides beat devices, multipaths beat overrides", "NETAPP", "LUN", "3600a",
			[]string{"overrides {\n\tno_path_retry 5\n\tfailback 3\n}\n" + multipath("wwid 3600a", "failback 4")},
			map[string]string{"no_path_retry": "5", "failback": "4"},
		},
		{
			"a protocol beats overrides for its three times", "foo", "bar", "1",
			[]string{"overrides {\n\tfast_io_fail_tmo 7\n\tdev_loss_tmo 70\n\tprotocol {\n\t\ttype scsi:fcp\n\t\tfast_io_fail_tmo 8\n\t}\n\tprotocol {\n\t\ttype scsi:iscsi\n\t\tdev_loss_tmo 71\n\t}\n}\n"},
			map[string]string{"fast_io_fail_tmo": "8", "dev_loss_tmo": "70"},
		},
		{"uid_attrs beats every section", "foo", "bar", "1", []string{"defaults {\n\tuid_attrs \"sd:ID_A\"\n}\noverrides {\n\tuid_attribute ID_B\n}\n"}, map[string]string{"uid_attribute": "ID_A"}},
		{"queue_if_no_path among the features", "foo", "bar", "1", []string{"defaults {\n\tfeatures \"1 queue_if_no_path\"\n}\n"}, map[string]string{"no_path_retry": "queue", "features": "0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all, got := effective(t, tt.vendor, tt.product, tt.wwid, tt.files...), map[string]string{}
			for k := range tt.want {
				got[k] = all[k]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

// The blacklist's data cases of the reference's own tests (24 and 28).
func TestReferenceBlacklist(t *testing.T) {
	disk := func(vendor, product, wwid string) scsi.Identity {
		return scsi.Identity{WWID: wwid, Vendor: vendor, Model: product, IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: wwid}}}
	}
	known := policy.Facts{Devnode: "sda", DevType: "disk", Protocol: "scsi:fcp", HasUdev: true, Properties: []string{"ID_WWN", "ID_SERIAL"}, UIDValue: "x", InWWIDs: true}
	unknown := known
	unknown.Properties = []string{"DEVNAME", "ID_SERIAL"}
	withoutUID := unknown
	withoutUID.UIDValue, withoutUID.Properties = "", []string{"DEVNAME"}
	inverted := "blacklist {\n\tdevice {\n\t\tvendor \"!foo\"\n\t\tproduct bar\n\t}\n}\n"
	tests := []struct {
		name  string
		conf  string
		id    scsi.Identity
		facts policy.Facts
		want  string // part of the reason; "" admitted
	}{
		{"a short WWID hits the longer one", "blacklist {\n\twwid 3600a\n}\n", disk("foo", "bar", "3600a1"), known, "wwid"},
		{"and itself", "blacklist {\n\twwid 3600a\n}\n", disk("foo", "bar", "3600a"), known, "wwid"},
		{"the longer does not hit the shorter", "blacklist {\n\twwid 3600a1\n}\n", disk("foo", "bar", "3600a"), known, ""},
		{"a property's exception does not help against devnode", "blacklist {\n\tdevnode \"^sd\"\n}\nblacklist_exceptions {\n\tproperty ID_WWN\n}\n", disk("foo", "bar", "1"), known, "devnode"},
		{"the property is missing", "", disk("foo", "bar", "1"), unknown, "property"},
		{"it is missing, and the WWID's property too", "", disk("foo", "bar", "1"), withoutUID, ""},
		{"an inverted vendor, another one", inverted, disk("baz", "bar", "1"), known, "device"},
		{"an inverted vendor, this one", inverted, disk("foo", "bar", "1"), known, ""},
		{"an exception ends only its class", "blacklist {\n\tdevnode \"^sda\"\n\twwid 1\n}\nblacklist_exceptions {\n\tdevnode \"^sda\"\n}\n", disk("foo", "bar", "1"), known, "wwid"},
		{"and lets through where no other class hits", "blacklist {\n\tdevnode \"^sda\"\n}\nblacklist_exceptions {\n\tdevnode \"^sda\"\n}\n", disk("foo", "bar", "1"), known, ""},
		{"an escaped !", "blacklist {\n\twwid \"\\!1\"\n}\n", disk("foo", "bar", "1"), known, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := compiled(t, tt.conf).Decide(tt.id, tt.facts, policy.State{})
			admitted := d.Verdict == policy.VerdictAdmit
			if admitted != (tt.want == "") || !strings.Contains(d.Reason, tt.want) {
				t.Errorf("got %v (%s), want %q", d.Verdict, d.Reason, tt.want)
			}
		})
	}
}

// The tokenizer's data cases (27), and the rest of what was seen of its lines.
func TestReferenceTokens(t *testing.T) {
	for line, want := range map[string]string{
		`alias "2.5"" SSD"`:         `2.5" SSD`,
		`alias """"`:                `"`,
		`alias """"" is empty"`:     `"" is empty`,
		`alias "!value"`:            `!value`,
		`alias value ! c`:           `value`,
		`alias"word"`:               `word`,
		`alias a#b`:                 `a`,
		`alias "  # ! { } "`:        `  # ! { } `,
		`alias ""`:                  ``,
		"alias\u00a0x":              `x`, // bytes outside ASCII separate
		"alias a\rb":                `a`,
		`alias "open to the end`:    `open to the end`,
		"alias x\r":                 `x`,
		`alias x}`:                  `x`,
		`alias ` + long("y", 20000): long("y", 20000),
	} {
		c, _ := parse(t, multipath("wwid 1", line))
		if len(c.Multipaths) != 1 {
			t.Fatalf("%.40q: got %d entries", line, len(c.Multipaths))
		}
		if s, ok := c.Multipaths[0].Layer.Lookup("alias"); !ok || s.Value != want {
			t.Errorf("%.40q: got %.40q, %v, want %.40q", line, s.Value, ok, want)
		}
	}
}

func long(s string, n int) string { return strings.Repeat(s, n) }

// What was seen of the reference's reader beyond the measured cases.
func TestReferenceSeen(t *testing.T) {
	t.Run("drop-ins in the order of their names", func(t *testing.T) {
		c := compiled(t, "defaults {\n\tverbosity 1\n}\n", "defaults {\n\tverbosity 2\n}\n", "defaults {\n\tverbosity 3\n}\n").Config()
		if s, _ := c.Defaults.Lookup("verbosity"); s.Value != "3" || s.Origin.File != "c" {
			t.Errorf("got %v", s)
		}
	})
	t.Run("a brace on the next line", func(t *testing.T) {
		c, said := parse(t, "defaults\n{\n\tverbosity 1\n}\n")
		if s, _ := c.Defaults.Lookup("verbosity"); s.Value != "1" || len(said) != 2 {
			t.Errorf("got %v, %q", s, said)
		}
	})
	t.Run("text behind a brace, and no end", func(t *testing.T) {
		c, said := parse(t, "defaults { polling_interval 10 }\nverbosity 1\n")
		_, polling := c.Defaults.Lookup("polling_interval")
		if s, _ := c.Defaults.Lookup("verbosity"); s.Value != "1" || polling || len(said) != 2 {
			t.Errorf("got %v, %q", c.Defaults, said)
		}
	})
	t.Run("a brace too much", func(t *testing.T) {
		c, said := parse(t, "}\ndefaults {\n\tverbosity 1\n}\n")
		if s, _ := c.Defaults.Lookup("verbosity"); s.Value != "1" || len(said) != 1 {
			t.Errorf("got %v, %q", s, said)
		}
	})
	t.Run("numbers are capped, words are refused", func(t *testing.T) {
		c, said := parse(t, "defaults {\n\tverbosity 9\n\trr_min_io_rq -1\n\tretrigger_tries 5\n\tretrigger_tries many\n\tuxsock_timeout 1\n}\n")
		got := layerMap(c.Defaults)
		want := map[string]string{"verbosity": "4", "retrigger_tries": "5", "uxsock_timeout": "4000"}
		if diff := cmp.Diff(want, got); diff != "" || len(said) != 5 {
			t.Errorf("want -, got +:\n%s%q", diff, said)
		}
	})
	t.Run("polling_interval that cannot be", func(t *testing.T) {
		for _, value := range []string{"0", "ten", "-5", "4294967295", `""`} {
			c, said := parse(t, "defaults {\n\tpolling_interval "+value+"\n}\n")
			if len(c.Defaults) != 0 || len(said) != 1 {
				t.Errorf("%s: got %v, %q", value, c.Defaults, said)
			}
		}
	})
	t.Run("a greatest interval alone makes the least", func(t *testing.T) {
		least, greatest := pollingIntervals(policy.Layer{{Keyword: "max_polling_interval", Value: "3"}})
		if least != 1 || greatest != 3 {
			t.Errorf("got %d, %d", least, greatest)
		}
		least, greatest = pollingIntervals(policy.Layer{{Keyword: "polling_interval", Value: "30"}, {Keyword: "max_polling_interval", Value: "10"}})
		if least != 10 || greatest != 10 {
			t.Errorf("got %d, %d", least, greatest)
		}
	})
	t.Run("what is ignored never reaches the dump", func(t *testing.T) {
		c, said := parse(t, "defaults {\n\tmultipath_dir /lib\n\tconfig_dir /x\n\tbindings_file b\n\twwids_file w\n\tprkeys_file p\n\tdisable_changed_wwids yes\n\tgetuid_callout g\n\tpg_timeout none\n}\n")
		dump := string(Dump(c, nil))
		for _, word := range []string{"multipath_dir", "config_dir", "bindings_file", "wwids_file", "prkeys_file", "disable_changed_wwids", "getuid_callout", "pg_timeout"} {
			if strings.Contains(dump, word) {
				t.Errorf("%s is in the dump", word)
			}
		}
		if len(said) != 8 {
			t.Errorf("got %q, want a word on each of the eight", said)
		}
	})
	t.Run("the type of a protocol", func(t *testing.T) {
		for _, name := range policy.Protocols() {
			c, said := parse(t, "overrides {\n\tprotocol {\n\t\ttype "+name+"\n\t\teh_deadline 3\n\t}\n}\n")
			if len(c.Protocols) != 1 || c.Protocols[0].Type != name || len(said) != 0 {
				t.Errorf("%s: got %v, %q", name, c.Protocols, said)
			}
		}
	})
	t.Run("native NVMe multipath", func(t *testing.T) {
		if dump := string(Dump(policy.Config{NVMeNativeMultipath: true}, nil)); !strings.Contains(dump, "devnode \"!^(sd[a-z]|dasd[a-z])\"\n") {
			t.Errorf("got\n%s", dump)
		}
	})
	t.Run("a rule stands once over all files", func(t *testing.T) {
		c := compiled(t, "blacklist {\n\twwid 1\n\twwid 1\n}\n", "blacklist {\n\twwid 1\n\twwid 2\n}\n").Config()
		if len(c.Blacklist) != 2 || !slices.ContainsFunc(c.Blacklist, func(r policy.Rule) bool { return r.Pattern == "2" }) {
			t.Errorf("got %v", c.Blacklist)
		}
	})
}
