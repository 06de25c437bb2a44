package configs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
)

func parse(t *testing.T, conf string) (policy.Config, []string) {
	t.Helper()
	c, messages, err := Parse([]File{{Path: "m.conf", Data: []byte(conf)}})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, m := range messages {
		said = append(said, m.String())
	}
	return c, said
}

// A RAC host of the 2010s: every line of its file has its effect or its message.
func TestOracleRAC(t *testing.T) {
	const path = "../testdata/oracle-rac/multipath.conf"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, messages, err := Parse([]File{{Path: "multipath.conf", Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"user_friendly_names": "yes", "polling_interval": "10", "path_selector": "round-robin 0", "path_grouping_policy": "failover",
		"prio": "const", "path_checker": "readsector0", "rr_min_io": "100", "rr_weight": "priorities", "failback": "immediate",
	}
	if diff := cmp.Diff(want, layerMap(c.Defaults)); diff != "" {
		t.Errorf("defaults: want -, got +:\n%s", diff)
	}
	selector, _ := c.Defaults.Lookup("path_selector")
	if got := selector.Origin.String(); got != "multipath.conf:7:9" {
		t.Errorf("origin of path_selector: got %s, want multipath.conf:7:9", got)
	}
	if len(c.Blacklist) != 3 || c.Blacklist[2].Pattern != "^cciss!c[0-9]d[0-9]*" || c.Blacklist[2].Class != policy.ClassDevnode {
		t.Errorf("blacklist: got %v", c.Blacklist)
	}
	names := map[string]string{}
	for _, m := range c.Multipaths {
		alias, _ := m.Layer.Lookup("alias")
		names[alias.Value] = m.WWID
	}
	wantNames := map[string]string{
		"voting1": "SATA_VBOX_HARDDISK_VB0db2f233-269850e0_", "voting2": "SATA_VBOX_HARDDISK_VBa56f2571-0dd27b33_",
		"voting3": "SATA_VBOX_HARDDISK_VBf6b74ff7-871d1de8_", "ocr1": "SATA_VBOX_HARDDISK_VB5a531910-25f4eb9a_",
		"ocr2": "SATA_VBOX_HARDDISK_VB4915e6e3-737b312e_", "ocr3": "SATA_VBOX_HARDDISK_VB512c8f75-37f4a0e9_",
	}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Errorf("aliases: want -, got +:\n%s", diff)
	}
	var old []string
	for _, s := range c.OldKeywords {
		old = append(old, s.Keyword)
	}
	if diff := cmp.Diff([]string{"udev_dir", "selector", "getuid_callout", "prio_callout", "devnode_blacklist"}, old); diff != "" {
		t.Errorf("old keywords: want -, got +:\n%s", diff)
	}
	var said []string
	for _, m := range messages {
		said = append(said, m.String())
	}
	wantSaid := []string{
		"multipath.conf:4:1: section defaults stands here a second time; both count",
		"multipath.conf:5:9: udev_dir has no effect: device nodes are udevd's, in /dev; leave the line out",
		"multipath.conf:7:9: selector is the old spelling: today it is `path_selector \"round-robin 0\"`",
		"multipath.conf:9:9: getuid_callout has no effect: the WWID comes from udev or from the device; leave the line out",
		"multipath.conf:10:9: prio_callout is the old spelling: today it is `prio const`",
		"multipath.conf:12:9: rr_min_io has no effect on kernels since 2.6.31: they use rr_min_io_rq",
		"multipath.conf:16:9: user_friendly_name is taken for `user_friendly_names yes`",
		"multipath.conf:18:1: devnode_blacklist is the old name of the section: today it is `blacklist`",
	}
	if diff := cmp.Diff(wantSaid, said); diff != "" {
		t.Errorf("messages: want -, got +:\n%s", diff)
	}
}

func TestOwnersAndModes(t *testing.T) {
	data, err := os.ReadFile("../testdata/oracle-rac/asm-owner-mode.conf")
	if err != nil {
		t.Fatal(err)
	}
	c, said := parse(t, string(data))
	if len(said) > 0 || len(c.OldKeywords) > 0 {
		t.Errorf("got %v, %v, want silence", said, c.OldKeywords)
	}
	got := map[string]map[string]string{}
	for _, m := range c.Multipaths {
		got[m.WWID] = layerMap(m.Layer)
	}
	want := map[string]map[string]string{
		"SATA_VBOX_HARDDISK_VBf6b74ff7-871d1de8_": {"alias": "asm-disk1", "mode": "0660", "uid": "501", "gid": "503"},
		"SATA_VBOX_HARDDISK_VB0db2f233-269850e0_": {"alias": "asm-disk2", "mode": "0660", "uid": "501", "gid": "503"},
		"SATA_VBOX_HARDDISK_VBa56f2571-0dd27b33_": {"alias": "asm-disk3", "mode": "0660", "uid": "501", "gid": "503"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if got := c.Multipaths[0].Origin.String(); got != "m.conf:10:17" {
		t.Errorf("origin of the first entry's wwid: got %s, want m.conf:10:17", got)
	}
}

func TestMessages(t *testing.T) {
	tests := []struct {
		name, conf string
		want       []string
	}{
		{"a slip of the pen", "defaults {\n\tpolling_intervall 5\n\tfind-multipaths on\n}\n", []string{
			"m.conf:2:2: invalid keyword in the defaults section: polling_intervall (did you mean polling_interval?)",
			"m.conf:3:2: invalid keyword in the defaults section: find-multipaths (did you mean find_multipaths?)",
		}},
		{"a section's name", "blacklst {\n\tdevnode x\n\twwid y\n}\n", []string{
			"m.conf:1:1: invalid keyword at top level: blacklst; all that stands in it has no effect (did you mean blacklist?)",
		}},
		{"a missing brace", "defaults {\n\tverbosity 1\nblacklist {\n\tdevnode x\n}\n", []string{
			"m.conf:3:1: invalid keyword in the defaults section: blacklist",
			"m.conf:3:1: section defaults of line 1 is still open here: is a } missing before this line?",
			"m.conf:4:2: invalid keyword in the defaults section: devnode; it belongs to blacklist, blacklist_exceptions",
		}},
		{"values", "defaults {\n\tfailback imediate\n\tpath_selector \"round-robbin 0\"\n\tpath_checker  turr\n\tno_path_retry queu\n}\n", []string{
			`m.conf:2:11: invalid value for failback: "imediate" is not immediate, manual, followover or a number of seconds; it has no effect (did you mean immediate?)`,
			`m.conf:3:16: path_selector "round-robbin" is not known; known are: round-robin queue-length service-time historical-service-time io-affinity (did you mean round-robin?)`,
			`m.conf:4:16: path_checker "turr" is not known; known are: tur directio rdac emc_clariion hp_sw cciss_tur readsector0 none (did you mean tur?)`,
			`m.conf:5:16: invalid value for no_path_retry: "queu" is not fail, queue or a number; it has no effect (did you mean queue?)`,
		}},
		{"a name for two", "multipaths {\n\tmultipath {\n\t\twwid 1\n\t\talias a\n\t}\n\tmultipath {\n\t\twwid 2\n\t\talias a\n\t}\n}\n", []string{
			"m.conf:8:3: alias a is also that of 1; only the first map that appears gets it",
		}},
		{"no multipath.conf at all", "{ \"defaults\": {} }\n", []string{
			"m.conf:1:1: a lone { has no effect: it belongs on the line of the section's name",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, said := parse(t, tt.conf)
			if diff := cmp.Diff(tt.want, said); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestOldSpellings(t *testing.T) {
	tests := []struct {
		line, keyword, value string
		sections             string
	}{
		{`prio_callout "/sbin/mpath_prio_alua /dev/%n"`, "prio", "alua", "defaults"},
		{`prio_callout "/sbin/mpath_prio_netapp /dev/%n"`, "prio", "ontap", "defaults"},
		{`default_prio_callout "/bin/true"`, "prio", "const", "defaults"},
		{`prio_callout none`, "prio", "const", "defaults"},
		{`prio_callout "/sbin/my_own_prio %n"`, "", "", "defaults"},
		{`default_selector "round-robin 0"`, "path_selector", "round-robin 0", "defaults"},
		{`default_path_grouping_policy multibus`, "path_grouping_policy", "multibus", "defaults"},
		{`default_getuid_callout "/sbin/scsi_id"`, "", "", "defaults"},
		{`selector "queue-length 0"`, "path_selector", "queue-length 0", "overrides"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			c, said := parse(t, tt.sections+" {\n\t"+tt.line+"\n}\n")
			l := c.Defaults
			if tt.sections == "overrides" {
				l = c.Overrides
			}
			var want policy.Layer
			if tt.keyword != "" {
				want = policy.Layer{{Keyword: tt.keyword, Value: tt.value, Origin: policy.Origin{File: "m.conf", Line: 2, Column: 2}}}
			}
			if diff := cmp.Diff(want, l); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if len(said) != 1 || len(c.OldKeywords) != 1 {
				t.Errorf("got messages %q and old keywords %v, want one of each", said, c.OldKeywords)
			}
		})
	}
	// An unknown word that only looks like one stays unknown.
	c, _ := parse(t, "multipaths {\n\tmultipath {\n\t\twwid 1\n\t\tudev_dir_x 1\n\t\tuser_friendly_name yes\n\t}\n}\n")
	if len(c.OldKeywords) != 0 {
		t.Errorf("got old keywords %v", c.OldKeywords)
	}
}

func TestDropInWithAnErrorIsLeftOut(t *testing.T) {
	files := []File{
		{Path: "main", Data: []byte("defaults {\n\tverbosity 1\n}\n")},
		{Path: "a.conf", DropIn: true, Data: []byte("defaults {\n\tverbosity 4\n}\nblacklist {\n\tdevnode \"*\"\n\twwid 1\n}\n")},
		{Path: "b.conf", DropIn: true, Data: []byte("blacklist {\n\twwid 2\n}\n")},
	}
	c, messages, err := Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	if got := layerMap(c.Defaults)["verbosity"]; got != "1" || len(c.Blacklist) != 1 || c.Blacklist[0].Pattern != "2" {
		t.Errorf("got verbosity %s, blacklist %v, want only main and b.conf", got, c.Blacklist)
	}
	if !slices.ContainsFunc(messages, func(m Message) bool { return m.Kind == DropInIgnored && m.Origin.File == "a.conf" }) {
		t.Errorf("got %v, want a word on a.conf", messages)
	}
	files[1].DropIn = false
	_, _, err = Parse(files)
	var bad *Error
	if !errors.As(err, &bad) || bad.Message.Origin.Line != 5 || bad.Message.Origin.Column != 10 {
		t.Errorf("got %v, want an error at 5:10", err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := Paths{Main: filepath.Join(dir, "multipath.conf"), Dir: filepath.Join(dir, "conf.d"), NVMeParam: filepath.Join(dir, "nvme")}
	c, messages, err := Load(p)
	if err != nil || len(messages) > 0 || len(c.Files) > 0 || len(c.Devices) != 137 || c.NVMeNativeMultipath {
		t.Errorf("nothing there: got %v, %v, %d devices", err, messages, len(c.Devices))
	}
	if err := os.Mkdir(p.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write("multipath.conf", "defaults {\n\tverbosity 1\n}\n")
	write("conf.d/b.conf", "defaults {\n\tverbosity 3\n}\n")
	write("conf.d/a.conf", "defaults {\n\tverbosity 0\n}\n")
	write("conf.d/c.conf~", "defaults {\n\tverbosity 4\n}\n")
	write("nvme", "Y\n")
	if err := os.Mkdir(filepath.Join(p.Dir, "d.conf"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, messages, err = Load(p)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := c.Defaults.Lookup("verbosity"); s.Value != "3" || !strings.HasSuffix(s.Origin.String(), "conf.d/b.conf:2:2") || !c.NVMeNativeMultipath {
		t.Errorf("got %v, NVMe %v", s, c.NVMeNativeMultipath)
	}
	if len(messages) != 1 || messages[0].Kind != UnreadableFile || len(c.Files) != 3 {
		t.Errorf("got messages %v, files %v", messages, c.Files)
	}
	p.Main = dir
	if _, _, err := Load(p); err == nil {
		t.Error("a directory as main file: got no error")
	}
}

// Every built-in value must be one that a file could have, in the same form.
func TestBuiltinValuesAreCanonical(t *testing.T) {
	words := newVocabulary()
	for _, d := range policy.BuiltinDevices() {
		for _, s := range d.Layer {
			k, ok := words[inDevice][s.Keyword]
			if !ok {
				t.Errorf("%v: %s is no keyword of a device", s.Origin, s.Keyword)
				continue
			}
			if r := read(k, s.Value); !r.set || r.value != s.Value || len(r.said) > 0 {
				t.Errorf("%v: %s %q: got %+v", s.Origin, s.Keyword, s.Value, r)
			}
		}
	}
	for k, want := range readBase(t) {
		keyword, ok := words[inDefaults][k]
		if !ok {
			t.Errorf("%s is missing", k)
		} else if keyword.Default != want && k != "max_polling_interval" {
			t.Errorf("default of %s: got %q, want %q", k, keyword.Default, want)
		}
	}
	// 0.14.3 installs 76, 48, 41, 4 and 33 keywords, and 4 and 2 of the blacklists
	counts := map[place]int{inDefaults: 76, inDevice: 48, inOverrides: 41, inProtocol: 4, inMultipath: 33, inBlacklist: 4, inBlacklistDevice: 2}
	for p, want := range counts {
		if got := len(words[p]); got != want {
			t.Errorf("keywords of %v: got %d, want %d: %v", p, got, want, words.words(p))
		}
	}
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("../testdata/oracle-rac/*.conf")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("overrides {\nprotocol {\ntype scsi:fcp\ndev_loss_tmo 0\n}}\ndevices {\ndevice {\nvendor A\nproduct \"B\"\"\"\nfeatures \"1 queue_if_no_path\"\nproduct_blacklist (\n}\n}"))
	f.Add([]byte("blacklist_exceptions {\ndevice {\nvendor \"!x\n}\nproperty \"\"\n}\n\xef\xbb\xbf{ } a\rb\x00c"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, messages, err := Parse([]File{{Path: "a", Data: data[:len(data)/2], DropIn: true}, {Path: "m", Data: data}})
		for _, m := range messages {
			if m.Text == "" || m.Kind == "" || m.Level == LevelUnknown || m.Origin.File == "" {
				t.Errorf("unfinished message %#v", m)
			}
		}
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || bad.Message.Origin.Line == 0 {
				t.Fatalf("got %v", err)
			}
			return
		}
		lines := strings.Count(string(data), "\n") + 1
		for _, l := range []policy.Layer{c.Defaults, c.Overrides} {
			seen := map[string]bool{}
			for _, s := range l {
				if seen[s.Keyword] || s.Origin.Line < 1 || s.Origin.Line > lines || s.Origin.Column < 1 {
					t.Errorf("got %+v", s)
				}
				seen[s.Keyword] = true
			}
		}
	})
}
