package configs

import (
	"bytes"
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pathkeeper/policy"
)

// The edits of a table, by what they are called there.
func namedEdits() map[string][]Edit {
	set := func(keyword, value string) Edit { return Edit{EditSet, "defaults", keyword, []string{value}} }
	return map[string][]Edit{
		"find yes":     {set("find_multipaths", "yes")},
		"find smart":   {set("find_multipaths", "smart")},
		"friendly yes": {set("user_friendly_names", "yes")},
		"friendly no":  {set("user_friendly_names", "no")},
		"selector":     {set("path_selector", "queue-length 0")},
		"no retry":     {{EditDelete, "defaults", "no_path_retry", nil}},
		"hide foreign": {{EditHide, "defaults", "enable_foreign", nil}},
		"enable":       {{EditHide, "blacklist", "devnode", []string{".*", "^.*$"}}},
		"disable":      {{EditAdd, "blacklist", "devnode", []string{".*"}}},
		"property":     {{EditAdd, "blacklist_exceptions", "property", []string{"(SCSI_IDENT_|ID_WWN)"}}},
		"no property":  {{EditHide, "blacklist_exceptions", "property", []string{"(SCSI_IDENT_|ID_WWN)"}}},
		"allow": {
			{EditHide, "blacklist", "devnode", []string{".*", "^.*$"}},
			{EditAdd, "blacklist", "wwid", []string{".*"}},
			{EditDelete, "blacklist_exceptions", "wwid", nil},
			{EditAdd, "blacklist_exceptions", "wwid", []string{"360a", "360b"}},
		},
	}
}

func TestApplyEdits(t *testing.T) {
	for _, c := range []struct{ name, edit, have, want string }{
		{"an empty file", "find yes", "", "defaults {\n\tfind_multipaths yes\n}\n"},
		{"no newline at the end", "find yes", "blacklist {\n}", "blacklist {\n}\n\ndefaults {\n\tfind_multipaths yes\n}\n"},
		{"a new line takes its neighbours' indent", "find yes", "defaults {\n    polling_interval 5\n}\n", "defaults {\n    find_multipaths yes\n    polling_interval 5\n}\n"},
		{"the value alone changes", "find yes", "# a\ndefaults { # b\n  find_multipaths   \"no\"   # c\n  # d\n}\n# e", "# a\ndefaults { # b\n  find_multipaths   yes   # c\n  # d\n}\n# e"},
		{"the last of two counts", "find yes", "defaults {\nfind_multipaths no\nfind_multipaths smart\n}\n", "defaults {\nfind_multipaths no\nfind_multipaths yes\n}\n"},
		{"of two sections, too", "friendly yes", "defaults {\nuser_friendly_names no\n}\ndefaults {\nuser_friendly_names 0\n}\n", "defaults {\nuser_friendly_names no\n}\ndefaults {\nuser_friendly_names yes\n}\n"},
		{"another spelling of the same stays", "friendly yes", "defaults {\nuser_friendly_names 1\n}\n", "defaults {\nuser_friendly_names 1\n}\n"},
		{"an invalid value is replaced", "find smart", "defaults {\nfind_multipaths clever\n}\n", "defaults {\nfind_multipaths smart\n}\n"},
		{"a slip gets the right word behind it", "friendly no", "defaults {\nuser_friendly_name yes\n}\n", "defaults {\nuser_friendly_name yes\n\tuser_friendly_names no\n}\n"},
		{"an old spelling, too", "selector", "defaults {\nselector \"round-robin 0\"\n}\n", "defaults {\nselector \"round-robin 0\"\n\tpath_selector \"queue-length 0\"\n}\n"},
		{"only in defaults", "friendly yes", "multipaths {\nmultipath {\nwwid 36a\nuser_friendly_names no\n}\n}\n", "multipaths {\nmultipath {\nwwid 36a\nuser_friendly_names no\n}\n}\n\ndefaults {\n\tuser_friendly_names yes\n}\n"},
		{"carriage returns stay", "friendly yes", "defaults {\r\n\tpolling_interval 5\r\n}\r\n", "defaults {\r\n\tuser_friendly_names yes\r\n\tpolling_interval 5\r\n}\r\n"},
		{"a value between carriage returns", "find yes", "defaults {\r\n\tfind_multipaths \"no\"\r\n}\r\n", "defaults {\r\n\tfind_multipaths yes\r\n}\r\n"},
		{"no blanks around the value", "find yes", "defaults {\nfind_multipaths\"no\"x\n}\n", "defaults {\nfind_multipaths yes x\n}\n"},
		{"a brace for a value", "find yes", "defaults {\nfind_multipaths {o#x\n}\n", "defaults {\nfind_multipaths yes o#x\n}\n"},
		{"a quote that is not closed", "selector", "defaults {\npath_selector \"round-robin 0\n}\n", "defaults {\npath_selector \"queue-length 0\"\n}\n"},
		{"what the section's line has behind its brace counts for nothing", "friendly yes", "defaults { user_friendly_names yes\n}\n", "defaults { user_friendly_names yes\n\tuser_friendly_names yes\n}\n"},
		{"every line of it goes", "no retry", "defaults {\nno_path_retry 5 # a\nfailback manual\ndefault_no_path_retry fail\n}\ndevices {\ndevice {\nvendor A\nproduct B\nno_path_retry 7\n}\n}\n", "defaults {\nfailback manual\n}\ndevices {\ndevice {\nvendor A\nproduct B\nno_path_retry 7\n}\n}\n"},
		{"a comment it becomes", "hide foreign", "defaults {\n\tenable_foreign \"nvme\" # mine\n}\n", "defaults {\n#\tenable_foreign \"nvme\" # mine\n}\n"},
		{"enable hides what blacklists all", "enable", "blacklist {\n\tdevnode \"^sda$\"\n\tdevnode \".*\"\n\tdevnode ^.*$\n}\n", "blacklist {\n\tdevnode \"^sda$\"\n#\tdevnode \".*\"\n#\tdevnode ^.*$\n}\n"},
		{"disable shows it again", "disable", "blacklist {\n\tdevnode \"^sda$\"\n#\tdevnode \".*\"\n}\n", "blacklist {\n\tdevnode \"^sda$\"\n\tdevnode \".*\"\n}\n"},
		{"with what stands behind it", "disable", "blacklist {\n# devnode \".*\" # all\n}\n", "blacklist {\n devnode \".*\" # all\n}\n"},
		{"once", "disable", "blacklist {\n#\tdevnode \".*\"\n#\tdevnode \".*\"\n}\n", "blacklist {\n\tdevnode \".*\"\n#\tdevnode \".*\"\n}\n"},
		{"a comment elsewhere is none", "disable", "# devnode \".*\"\nblacklist {\n# devnode \".*\" hides all\n}\n", "# devnode \".*\"\nblacklist {\n\tdevnode \".*\"\n# devnode \".*\" hides all\n}\n"},
		{"a section's old name", "disable", "devnode_blacklist {\n\twwid 36a\n}\n", "devnode_blacklist {\n\tdevnode \".*\"\n\twwid 36a\n}\n"},
		{"disabled already", "disable", "blacklist {\ndevnode .*\n}\n", "blacklist {\ndevnode .*\n}\n"},
		{"a new section", "property", "defaults {\n}\n", "defaults {\n}\n\nblacklist_exceptions {\n\tproperty \"(SCSI_IDENT_|ID_WWN)\"\n}\n"},
		{"hidden", "no property", "blacklist_exceptions {\n  property \"(SCSI_IDENT_|ID_WWN)\"\n}\n", "blacklist_exceptions {\n#  property \"(SCSI_IDENT_|ID_WWN)\"\n}\n"},
		{
			"allow", "allow",
			"blacklist {\n\tdevnode \"^.*$\"\n\twwid 36z\n}\nblacklist_exceptions {\n\twwid 36old\n\tproperty ID_WWN\n}\n",
			"blacklist {\n\twwid \".*\"\n#\tdevnode \"^.*$\"\n\twwid 36z\n}\nblacklist_exceptions {\n\twwid \"360a\"\n\twwid \"360b\"\n\tproperty ID_WWN\n}\n",
		},
	} {
		out, err := ApplyEdits(File{Path: "m.conf", Data: []byte(c.have)}, namedEdits()[c.edit])
		if err != nil || string(out) != c.want {
			t.Errorf("%s (%s): %v\nhave:\n%s\nwant:\n%s\ngot:\n%s", c.name, c.edit, err, c.have, c.want, out)
		}
	}
}

func TestApplyEditsRefuses(t *testing.T) {
	one := func(do EditDo, section, keyword string, values ...string) []Edit {
		return []Edit{{do, section, keyword, values}}
	}
	for _, c := range []struct {
		have  string
		edits []Edit
		want  string
	}{
		{"blacklist {\nwwid \"(\"\n}\n", namedEdits()["find yes"], "m.conf:2"},
		{"\xff\xfed\x00e\x00\n", namedEdits()["find yes"], "UTF-16"},
		{"blacklist {\n", namedEdits()["find yes"], "section blacklist of line 1 is still open"},
		{"", one(EditSet, "defaults", "polling_intervall", "5"), "did you mean polling_interval?"},
		{"", one(EditSet, "defaults", "find_multipaths", "clever"), "not one of"},
		{"", one(EditSet, "defaults", "getuid_callout", "/bin/x"), "no effect"},
		{"", one(EditSet, "defaults", "alias", "a"), "no keyword alias"},
		{"", one(EditSet, "defaults", "features", "a\nb"), "one line"},
		{"", one(EditSet, "defaults", "path_selector"), "one value"},
		{"", one(EditAdd, "blacklist", "wwid", "("), "wwid"},
		{"", one(EditAdd, "devices", "device", "x"), "section \"devices\""},
		{"", one(EditUnknown, "defaults", "failback"), "nothing"},
	} {
		out, err := ApplyEdits(File{Path: "m.conf", Data: []byte(c.have)}, c.edits)
		if err == nil || out != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %v: %v, want %q\n%s", c.have, c.edits, err, c.want, out)
		}
	}
	if _, err := ApplyEdits(File{Path: "m.yaml"}, namedEdits()["find yes"]); err == nil {
		t.Error("a YAML file is edited")
	}
}

// heldEdits makes edits in a file and holds the result against what is promised.
func heldEdits(t fataler, name string, data []byte, what string, edits []Edit) {
	t.Helper()
	before, said, err := Parse([]File{{Path: name, Data: data}})
	out, failed := ApplyEdits(File{Path: name, Data: data}, edits)
	if err != nil {
		if failed == nil {
			t.Fatalf("%s: %s: a file with an error is edited: %v", name, what, err)
		}
		return
	}
	if failed != nil {
		for _, m := range said {
			if m.Kind == NoText || m.Kind == MissingCloseBrace {
				return // it says so and is not touched
			}
		}
		t.Fatalf("%s: %s: %v\n%s", name, what, failed, data)
	}
	after, _, err := Parse([]File{{Path: name, Data: out}})
	if err != nil {
		t.Fatalf("%s: %s: the result has an error: %v\n%s", name, what, err, out)
	}
	want, got := meaning(unnamed(before, edits)), meaning(unnamed(after, edits))
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%s: %s: something else means something else, want -, got +:\n%s\n%s", name, what, gocmp.Diff(want, got), out)
	}
	for i, e := range edits {
		if i == len(edits)-1 && !e.holds(after) {
			t.Fatalf("%s: %s: it does not hold:\n%s", name, what, out)
		}
	}
	for line := range bytes.Lines(data) {
		if i := bytes.IndexByte(line, '#'); i >= 0 && len(hiddenStatement(line)) == 0 && !bytes.Contains(line, []byte("no_path_retry")) && !bytes.Contains(line, []byte("wwid")) {
			if !bytes.Contains(out, bytes.TrimRight(line[i:], "\r\n")) {
				t.Fatalf("%s: %s: the comment is lost: %q\n%s", name, what, line, out)
			}
		}
	}
	again, err := ApplyEdits(File{Path: name, Data: out}, edits)
	if err != nil || !bytes.Equal(out, again) {
		t.Fatalf("%s: %s: done twice it is another file: %v\n%s\n%s", name, what, err, out, again)
	}
}

// unnamed takes out of a configuration what edits name, without a look at its values.
func unnamed(c policy.Config, edits []Edit) policy.Config {
	for _, e := range edits {
		e.Do, e.Values = EditDelete, nil
		c = without(c, []Edit{e})
	}
	return c
}

// The files of real hosts, and ours, each with a third of the edits.
func TestApplyEditsCorpus(t *testing.T) {
	files, _ := filepath.Glob("../testdata/oracle-rac/*.conf")
	linted, _ := filepath.Glob("../testdata/lint/good/*.conf")
	more, _ := filepath.Glob(filepath.Join(cmp.Or(os.Getenv("PATHKEEPER_CORPUS"), "../../shared/corpus/conf"), "*"))
	files = slices.Concat(files, linted, more)
	if len(files) < 10 {
		t.Fatalf("only %d files", len(files))
	}
	names := slices.Sorted(maps.Keys(namedEdits()))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, what := range names {
			if (n+i)%3 == 0 {
				heldEdits(t, "m.conf", data, filepath.Base(file)+": "+what, namedEdits()[what])
			}
		}
	}
}

func TestApplyEditsRandomFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data, what := []byte(randomFile(t, "main")), rapid.SampledFrom(slices.Sorted(maps.Keys(namedEdits()))).Draw(t, "edit")
		heldEdits(t, "m.conf", data, what, namedEdits()[what])
	})
}

func FuzzApplyEdits(f *testing.F) {
	f.Add([]byte("defaults {\n\tfind_multipaths no # x\n}\nblacklist {\n#\tdevnode \".*\"\n}\n"), byte(0))
	f.Add([]byte("blacklist {\n\tdevnode \".*\"\r\n\twwid\n{\n}\n}\nunknown {\ndefaults {\n}\n"), byte(1))
	f.Add([]byte("defaults {\nuser_friendly_name yes\npath_selector \"a\"\"b\nfeatures \xc3\xa4\x00x\n}\ndevices {\ndevice {\nvendor a\nproduct b\n}\n"), byte(2))
	names := slices.Sorted(maps.Keys(namedEdits()))
	f.Fuzz(func(t *testing.T, data []byte, which byte) {
		if len(data) > 4096 {
			return
		}
		what := names[int(which)%len(names)]
		heldEdits(t, "m.conf", data, what, namedEdits()[what])
	})
}
