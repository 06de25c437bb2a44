package configs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
)

func parseNative(t *testing.T, text string) (policy.Config, []Message) {
	t.Helper()
	c, messages, err := Parse([]File{{Path: "p.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return c, messages
}

func refusal(t *testing.T, text string) string {
	t.Helper()
	_, _, err := Parse([]File{{Path: "p.yaml", Data: []byte(text)}})
	var bad *Error
	if !errors.As(err, &bad) {
		t.Fatalf("%q: got %v, want a refusal", text, err)
	}
	return err.Error()
}

func TestNativeReadsAllSections(t *testing.T) {
	c, messages := parseNative(t, `
defaults:
  polling_interval: 10
  user_friendly_names: on
  find_multipaths: true
  path_selector: round-robin 0
  mode: 0660
  owner: oracle
  expected_paths: 4
blacklist:
  devnode: ['^ram', "^loop"]
  wwid: 3600a
  device:
    - {vendor: ACME, product: BAD}
blacklist_exceptions:
  protocol:
    - scsi:fcp
devices:
  - vendor: ACME
    product: LUN
    no_path_retry: 12
  - vendor: NETAPP
    product: LUN
    disabled: true
overrides:
  failback: immediate
  protocol:
    - type: scsi:fcp
      fast_io_fail_tmo: off
multipaths:
  - wwid: 360a98000324669436c2b45666c567867
    alias: ocr1
    uid: 54321
    group: dba
    mode: 660
names:
  - wwid: SATA_X
    name: oracleasm/ocr1
    owner: 501
    group: dba
    mode: "0660"
ha:
  deadline: 60
  queueing: bounded
`)
	if len(messages) > 0 {
		t.Errorf("said: %v", messages)
	}
	want := map[string]string{
		"polling_interval": "10", "user_friendly_names": "yes", "find_multipaths": "on", "path_selector": "round-robin 0", "mode": "0660", "uid": "oracle", "expected_paths": "4",
	}
	if diff := cmp.Diff(want, layerMap(c.Defaults)); diff != "" {
		t.Errorf("defaults: want -, got +:\n%s", diff)
	}
	if got, _ := c.Defaults.Lookup("path_selector"); got.Origin.String() != "p.yaml:6:3" {
		t.Errorf("origin of path_selector: %s", got.Origin)
	}
	if len(c.Blacklist) != 4 || c.Blacklist[1].Pattern != "^loop" || c.Blacklist[1].Origin.String() != "p.yaml:11:21" || c.Blacklist[3].Product != "BAD" {
		t.Errorf("blacklist: %v", c.Blacklist)
	}
	if len(c.Exceptions) != 1 || c.Exceptions[0].Class != policy.ClassProtocol {
		t.Errorf("exceptions: %v", c.Exceptions)
	}
	last := c.Devices[len(c.Devices)-2:]
	if len(c.Devices) != 138 || last[0].Vendor != "ACME" || !last[1].Disabled || last[1].Vendor != "NETAPP" {
		t.Errorf("%d devices, the last: %v", len(c.Devices), last)
	}
	if len(c.Protocols) != 1 || layerMap(c.Protocols[0].Layer)["fast_io_fail_tmo"] != "off" || layerMap(c.Overrides)["failback"] != "immediate" {
		t.Errorf("overrides: %v %v", c.Overrides, c.Protocols)
	}
	m := c.Multipaths[0]
	if diff := cmp.Diff(map[string]string{"alias": "ocr1", "uid": "54321", "gid": "dba", "mode": "0660"}, layerMap(m.Layer)); m.WWID != "360a98000324669436c2b45666c567867" || diff != "" {
		t.Errorf("multipath %s: want -, got +:\n%s", m.WWID, diff)
	}
	disk := c.Disks[0]
	disk.Origin = policy.Origin{}
	if disk != (policy.Disk{WWID: "SATA_X", Name: "oracleasm/ocr1", Owner: "501", Group: "dba", Mode: 0o660}) {
		t.Errorf("disk: %+v", disk)
	}
	if c.HA.DeadlineSeconds != 60 || c.HA.Queueing != "bounded" || c.HA.Origin.Line == 0 {
		t.Errorf("ha: %+v", c.HA)
	}
}

func TestNativeSaysNothing(t *testing.T) {
	plain, _, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "\ufeff# with a mark\n", "defaults:\nblacklist:\n  wwid:\ndevices: []\nnames:\n", "{}\n", "defaults:\r\n  # carriage returns\r\n"} {
		c, messages := parseNative(t, text)
		c.Files = nil
		if diff := cmp.Diff(plain, c); diff != "" || len(messages) > 0 {
			t.Errorf("%q: %v %s", text, messages, diff)
		}
	}
}

func TestNativeRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown section", "default:\n  verbosity: 2\n", `p.yaml:1:1: there is no keyword "default" in the top level (did you mean defaults?)`},
		{"unknown keyword", "defaults:\n  polling_intervall: 5\n", `p.yaml:2:3: there is no keyword "polling_intervall" in defaults (did you mean polling_interval?)`},
		{"wrong place", "defaults:\n  alias: x\n", `p.yaml:2:3: there is no keyword "alias" in defaults; it belongs to multipath`},
		{"too deep", "defaults:\n  devices:\n    - vendor: A\n", "p.yaml:2:3: there is no keyword \"devices\" in defaults; it belongs to the top level: is the line indented too far?"},
		{"old section", "devnode_blacklist:\n  devnode: x\n", "p.yaml:1:1: devnode_blacklist is the old name of the section (did you mean blacklist?)"},
		{"old keyword", "defaults:\n  selector: round-robin 0\n", "p.yaml:2:3: selector is the old spelling: write `path_selector: 'round-robin 0'`"},
		{"ignored keyword", "defaults:\n  getuid_callout: /sbin/scsi_id\n", "p.yaml:2:3: getuid_callout has no effect: the WWID comes from udev or from the device; leave the line out"},
		{"twice", "defaults:\n  verbosity: 2\n  verbosity: 2\n", "p.yaml:3:3: verbosity stands here a second time: it is in line 2 already"},
		{"section twice", "defaults:\n  verbosity: 2\ndefaults:\n  verbosity: 3\n", "p.yaml:3:1: defaults stands here a second time: it is in line 1 already"},
		{"two spellings", "defaults:\n  uid: 1\n  owner: root\n", "p.yaml:3:3: owner says the same as uid of line 2: leave one out"},
		{"checker twice", "defaults:\n  path_checker: tur\n  checker: tur\n", "p.yaml:3:3: checker says the same as path_checker of line 2: leave one out"},
		{"not a word", "defaults:\n  failback: imediate\n", `p.yaml:2:13: invalid value for failback: "imediate" is not immediate, manual, followover or a number of seconds (did you mean immediate?)`},
		{"unknown checker", "defaults:\n  path_checker: turr\n", `p.yaml:2:17: path_checker "turr" is not known; known are: tur directio rdac emc_clariion hp_sw cciss_tur readsector0 none (did you mean tur?)`},
		{"capped", "defaults:\n  verbosity: 9\n", "p.yaml:2:14: value for verbosity too large: 9; allowed: 0 to 4"},
		{"cut", "defaults:\n  path_grouping_policy: multibusx\n", `p.yaml:2:25: path_grouping_policy "multibusx" is not known; known are: failover multibus group_by_serial group_by_prio group_by_node_name group_by_tpg (did you mean multibus?)`},
		{"old value", "defaults:\n  flush_on_last_del: yes\n", "p.yaml:2:22: flush_on_last_del yes is the old spelling of always (did you mean always?)"},
		{"no yes", "defaults:\n  user_friendly_names: maybe\n", `p.yaml:2:24: invalid value for user_friendly_names: "maybe" is not yes or no`},
		{"unset", "defaults:\n  rr_min_io_rq: 0\n", `p.yaml:2:17: rr_min_io_rq: "0" is no value: leave the line out`},
		{"octal number", "defaults:\n  polling_interval: 010\n", "p.yaml:2:21: polling_interval: 010 begins with 0: write 10"},
		{"hex number", "defaults:\n  polling_interval: 0x10\n", `p.yaml:2:21: invalid value for polling_interval: "0x10" is not a number`},
		{"null", "defaults:\n  prio_args:\n", `p.yaml:2:3: prio_args has no value: leave the line out, or write "" for the empty text`},
		{"list", "defaults:\n  prio: [alua]\n", "p.yaml:2:9: prio has one value, not a list"},
		{"lines", "defaults:\n  prio_args: \"a\\nb\"\n", "p.yaml:2:14: prio_args: a value is one line of text"},
		{"expression", "blacklist:\n  devnode: \"*\"\n", `p.yaml:2:12: devnode: `},
		{"hard expression", "blacklist:\n  wwid: (a*)*(a*)*(a*)*b\\1\n", "p.yaml:2:9: wwid: "},
		{"section as list", "defaults:\n  - verbosity: 2\n", "p.yaml:2:3: defaults is a mapping of keywords to values, such as `alias_prefix: ...`, not a list"},
		{"list as section", "devices:\n  vendor: A\n", "p.yaml:2:3: devices is a list: each entry begins with a dash, `- vendor: ...`"},
		{"incomplete device", "devices:\n  - vendor: A\n", "p.yaml:2:5: a device entry needs vendor and product"},
		{"device twice", "devices:\n  - {vendor: A, product: B}\n  - {vendor: A, product: B}\n", "p.yaml:3:5: an entry for this vendor and product stands already in line 2: put both into one"},
		{"all devices", "blacklist:\n  device: {vendor: ''}\n", "p.yaml:2:11: a device entry without vendor and product would hit every device: write `vendor: \".*\"` if that is meant"},
		{"no wwid", "multipaths:\n  - alias: x\n", "p.yaml:2:5: an entry of multipaths needs a wwid"},
		{"wwid twice", "multipaths:\n  - wwid: a\n  - wwid: a\n", "p.yaml:3:5: an entry for a stands already in line 2: put both into one"},
		{"protocol", "overrides:\n  protocol: [{type: scsi:fc}]\n", `p.yaml:2:21: invalid value for type: "scsi:fc" is not one of`},
		{"protocol twice", "overrides:\n  protocol: [{type: scsi:fcp}, {type: scsi:fcp}]\n", "p.yaml:2:32: an entry for the protocol scsi:fcp stands here already: put both into one"},
		{"disk name", "names:\n  - {wwid: a, name: /dev/x}\n", "p.yaml:2:15: name \"/dev/x\" begins with /dev/"},
		{"disk says nothing", "names:\n  - wwid: a\n", "p.yaml:2:5: this entry of names says nothing: give it a name, an owner, a group or a mode"},
		{"deadline", "ha:\n  deadline: 0\n", `p.yaml:2:13: invalid value for deadline: "0" is not between 1 and 86400`},
		{"queueing", "ha:\n  queueing: bouded\n", `p.yaml:2:13: invalid value for queueing: "bouded" is not one of allowed bounded forbidden (did you mean bounded?)`},
		{"profile", "profile: oracle_rac\n", `p.yaml:1:10: invalid value for profile: "oracle_rac" is not one of ha-pair k8s-csi oracle-rac root-disk (did you mean oracle-rac?)`},
		{"anchor", "defaults: &d\n  verbosity: 2\noverrides: *d\n", "p.yaml:1:11: &d: anchors are not part of this form: leave it out, or quote a value that begins with &"},
		{"alias", "blacklist:\n  devnode: *sd\n", "p.yaml:1:1: no YAML: unknown anchor 'sd' referenced: a value that begins with * needs quotes"},
		{"tag", "defaults:\n  mode: !!int 660\n", "p.yaml:2:9: !!int: tags are not part of this form: leave it out, or quote a value that begins with !"},
		{"merge", "defaults:\n  <<: {verbosity: 2}\n", "p.yaml:2:3: << merges nothing here: write the settings out, or put common ones into defaults or overrides"},
		{"documents", "defaults:\n---\ndefaults:\n", "p.yaml:2:1: a second document begins here: a file has one; leave the --- line out"},
		{"scalar", "multipath\n", "p.yaml:1:1: the top level is a mapping of keywords to values, such as `profile: ...`, not the value \"multipath\""},
		{"tab", "defaults:\n\tverbosity: 2\n", "p.yaml:2:1: no YAML: found character that cannot start any token: a tab does not indent in YAML"},
		{"latin 1", "defaults:\n  prio_args: \xe9\n", "p.yaml:2:14: byte 0xe9 is no text: save the file as UTF-8"},
		{"NUL", "defaults:\n  prio_args: \x00\n", "p.yaml:2:14: byte 0x00 is no text: save the file as UTF-8"},
		{"UTF-16", "\xff\xfed\x00", "p.yaml:1:1: this is UTF-16 text: save it as UTF-8"},
		{"columns in bytes", "multipaths: [{wwid: äöü, alias: a/b}]\n", `p.yaml:1:36: alias "a/b": a slash`},
		{"conf", "defaults {\n\tverbosity 2\n}\n", "p.yaml:1:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := refusal(t, tt.text); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestNativeModes(t *testing.T) {
	for text, want := range map[string]string{
		"0660": "0660", `"0660"`: "0660", "660": "0660", "'660'": "0660", "0o660": "0660", "00660": "0660", "600": "0600", "0": "00", "060": "060", "440": "0440", "777": "0777",
		"432":   "mode: 432 is the number of 0660 in decimal: write 0660",
		"416":   "mode: 416 is the number of 0640 in decimal: write 0640",
		"511":   "mode: 511 is the number of 0777 in decimal: write 0777",
		"0x1b0": "mode: 0x1b0 is no octal mode: write 0660",
		"438":   "mode: 438 has digits that no octal mode has: write 0666",
		"6600":  "mode: 6600 is above 0777: 0660 is meant?",
		"01777": "mode: 01777 is above 0777, the most that a device node has",
		"66":    "mode: 66 has not three octal digits: write 0066 if that is meant",
		"-660":  `mode: "-660" is no octal mode, such as 0660`,
		"rw":    `mode: "rw" is no octal mode, such as 0660`,
		"6.6e2": `mode: "6.6e2" is no octal mode, such as 0660`,
		"yes":   `mode: "yes" is no octal mode, such as 0660`,
		`""`:    `mode: "" is no octal mode, such as 0660`,
		"~":     "mode has no value: leave the line out",
	} {
		c, _, err := Parse([]File{{Path: "p.yaml", Data: []byte("defaults:\n  mode: " + text + "\n")}})
		got, _ := c.Defaults.Lookup("mode")
		if err != nil {
			if _, after, _ := strings.Cut(err.Error(), ": "); strings.HasPrefix(after, want) {
				continue
			}
			t.Errorf("mode %s: got %v, want %s", text, err, want)
		} else if got.Value != want {
			t.Errorf("mode %s: got %s, want %s", text, got.Value, want)
		}
	}
}

func TestNativeOwners(t *testing.T) {
	for text, want := range map[string]string{
		"oracle": "oracle", "501": "501", `"501"`: "501", "0": "0", "_a-b": "_a-b",
		"0501": "owner: 0501 begins with 0: write 501", "0x1f5": `owner: "0x1f5" is neither`, "-1": `owner: "-1" is neither`, "1e3": `owner: "1e3" is neither`,
		"no": `owner: "no" is no name of anybody`, "4294967295": "invalid value for uid",
	} {
		c, _, err := Parse([]File{{Path: "p.yaml", Data: []byte("defaults:\n  owner: " + text + "\n")}})
		got, _ := c.Defaults.Lookup("uid")
		if err != nil {
			if _, after, _ := strings.Cut(err.Error(), ": "); strings.HasPrefix(after, want) {
				continue
			}
			t.Errorf("owner %s: got %v, want %s", text, err, want)
		} else if got.Value != want {
			t.Errorf("owner %s: got %s, want %s", text, got.Value, want)
		}
	}
}

// Native is strict: one mistake in a drop-in and nothing of all files counts.
func TestNativeFilesCountTogether(t *testing.T) {
	main := File{Path: "p.yaml", Data: []byte("profile: ha-pair\nmultipaths:\n  - wwid: a\n    alias: one\n    no_path_retry: 9\n")}
	later := File{Path: "d/10.yaml", DropIn: true, Data: []byte("defaults:\n  verbosity: 3\nmultipaths:\n  - wwid: a\n    alias: two\n    profile: oracle-rac\n")}
	c, messages, err := Parse([]File{main, later})
	if err != nil || len(messages) > 0 {
		t.Fatal(err, messages)
	}
	want := map[string]string{"alias": "two", "no_path_retry": "9", "user_friendly_names": "no"}
	if diff := cmp.Diff(want, layerMap(c.Multipaths[0].Layer)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	broken := File{Path: "d/20.yaml", DropIn: true, Data: []byte("defaults:\n  verbosity: loud\n")}
	if _, _, err := Parse([]File{main, later, broken}); err == nil || !strings.HasPrefix(err.Error(), "d/20.yaml:2:14: ") {
		t.Errorf("got %v", err)
	}
}

func TestNativeFilesOfAPlace(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	verbosity := func() string {
		t.Helper()
		c, _, err := Load(PathsBelow(dir))
		if err != nil {
			return err.Error()
		}
		s, _ := c.Defaults.Lookup("verbosity")
		return s.Value
	}
	write("multipath.conf", "defaults {\n verbosity 1\n}\n")
	write("conf.d/a.yaml", "defaults:\n  verbosity: 4\n")
	if got := verbosity(); got != "1" {
		t.Errorf("without pathkeeper.yaml: %s", got)
	}
	write("pathkeeper.yaml", "defaults:\n  verbosity: 2\n")
	write("conf.d/a.conf", "defaults {\n verbosity 3\n}\n")
	if got := verbosity(); got != "4" {
		t.Errorf("with it: %s", got)
	}
	write("conf.d/b.yml", "defaults:\n  verbosity: x\n")
	if got := verbosity(); !strings.Contains(got, "conf.d/b.yml:2:14: invalid value for verbosity") {
		t.Errorf("with a broken drop-in: %s", got)
	}
	if p := PathsAt("/x/y.yml", ""); p.Native != "" || p.Dir != "/etc/pathkeeper/conf.d" {
		t.Errorf("--config y.yml: %+v", p)
	}
	if p := PathsAt("/x/m.conf", ""); p.Native != "" || p.Dir != "/etc/multipath/conf.d" {
		t.Errorf("--config m.conf: %+v", p)
	}
	if _, _, err := Load(PathsAt(filepath.Join(dir, "none.yaml"), dir)); err == nil {
		t.Error("a YAML file that is named and not there: no error")
	}
}

// A profile lies under what the file says, also over an array's built-in entry.
func TestProfiles(t *testing.T) {
	keywords := map[string]policy.Keyword{}
	for _, k := range policy.Keywords() {
		keywords[k.Name] = k
	}
	for _, p := range policy.Profiles() {
		for _, s := range p.Settings {
			if got := read(keywords[s.Keyword], s.Value); got.value != s.Value || len(got.said) > 0 || len(s.Why) < 40 {
				t.Errorf("%s: %s %q: %v", p.Name, s.Keyword, s.Value, got)
			}
		}
		c, _ := parseNative(t, "profile: "+p.Name+"\n")
		for _, s := range c.Defaults {
			if s.Origin.String() != "p.yaml:1:1 (profile "+p.Name+")" {
				t.Errorf("%s: origin of %s: %s", p.Name, s.Keyword, s.Origin)
			}
		}
		if len(c.Defaults) != len(p.Settings) || c.HA.Queueing != p.HA.Queueing {
			t.Errorf("%s: got %v, %v", p.Name, c.Defaults, c.HA)
		}
	}
	c, _ := parseNative(t, "profile: oracle-rac\ndefaults:\n  user_friendly_names: yes\ndevices:\n  - {vendor: MINE, product: X, no_path_retry: queue}\n  - {vendor: NETAPP, product: LUN, no_path_retry: 7}\nha:\n  deadline: 30\n")
	if got := layerMap(c.Defaults); got["user_friendly_names"] != "yes" || got["no_path_retry"] != "6" {
		t.Errorf("defaults: %v", got)
	}
	if c.HA.DeadlineSeconds != 30 || c.HA.Queueing != "bounded" {
		t.Errorf("ha: %v", c.HA)
	}
	queueing := 0
	for _, d := range c.Devices {
		s, ok := d.Layer.Lookup("no_path_retry")
		switch {
		case d.Vendor == "MINE" && s.Value != "queue", d.Vendor == "NETAPP" && d.Product == "LUN" && s.Value != "7":
			t.Errorf("%s,%s: the file's own value became %s", d.Vendor, d.Product, s.Value)
		case d.BuiltIn && ok && s.Value != "6":
			t.Errorf("%s,%s: no_path_retry %s stays", d.Vendor, d.Product, s.Value)
		case d.BuiltIn && ok:
			queueing++
		}
	}
	if queueing < 100 {
		t.Errorf("%d built-in entries have the profile's no_path_retry, want more", queueing)
	}
	c, _ = parseNative(t, "profile: ha-pair\ndefaults:\n  no_path_retry: 3\n")
	for _, d := range c.Devices {
		if s, ok := d.Layer.Lookup("no_path_retry"); ok && s.Value != "3" {
			t.Errorf("%s,%s: no_path_retry %s, want that of defaults", d.Vendor, d.Product, s.Value)
		}
	}
}

func TestNativeIsBounded(t *testing.T) {
	nest := strings.Repeat("[", 20000)
	for name, text := range map[string]string{
		"deep flow":   "blacklist:\n  wwid: " + nest + "\n",
		"deep blocks": strings.Repeat("- ", 20000) + "x\n",
		"many keys":   "defaults:\n" + strings.Repeat("  verbosity: 2\n", 100000),
		"entries":     "multipaths:\n" + strings.Repeat("  - wwid: a\n", 200000),
		"marks":       "blacklist:\n  wwid: [" + strings.Repeat("a,", 1<<20) + "]\n",
		"large":       "# " + strings.Repeat("x", maxNativeBytes) + "\n",
		"long value":  "defaults:\n  prio: " + strings.Repeat("x", 1<<20) + "\n",
		"bomb":        "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\ndefaults: *c\n",
		"comments":    strings.Repeat("#\n", 250000) + "x: [\n",
	} {
		start := time.Now()
		_, messages, err := Parse([]File{{Path: "p.yaml", Data: []byte(text)}})
		if err == nil || len(err.Error()) > 3000 || len(messages) > maxNativeErrors+2 {
			t.Errorf("%s: got %.200v, %d messages", name, err, len(messages))
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func FuzzNative(f *testing.F) {
	f.Add([]byte("defaults:\n  mode: 0660\n  owner: oracle\nmultipaths:\n  - {wwid: a, alias: b, profile: ha-pair}\n"))
	f.Add([]byte("profile: oracle-rac\nha: {deadline: 5, queueing: bounded}\nnames:\n- wwid: x\n  name: a/b\n"))
	f.Add([]byte("devices:\n- vendor: NETAPP\n  product: LUN\n  disabled: on\nblacklist: {device: [{vendor: a}], wwid: '!x'}\n"))
	f.Add([]byte("a: &a [*a]\n<<: *a\n? [x]\n: !!int 3\n--- |\n %x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, messages, err := Parse([]File{{Path: "p.yaml", Data: data}})
		if err != nil && len(c.Devices) > 0 {
			t.Errorf("a refused file gives a configuration")
		}
		if err == nil {
			for _, m := range messages {
				if m.Level == LevelError {
					t.Errorf("an error, and no refusal: %s", m)
				}
			}
			if text, lost := Convert(c, true); len(lost) > 0 {
				t.Errorf("what is read cannot be written: %v\n%s", lost, text)
			}
		}
	})
}
