package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pathkeeper/configs"
	"pathkeeper/policy"
	"pathkeeper/rules/handmade"
)

// loadNative reads a text as pathkeeper.yaml.
func loadNative(t *testing.T, text string) policy.Config {
	t.Helper()
	cfg, messages, err := configs.Parse([]configs.File{{Path: "pathkeeper.yaml", Data: []byte(text)}})
	if err != nil || len(messages) != 0 {
		t.Fatalf("%v, %v in\n%s", err, messages, text)
	}
	return cfg
}

// What import-udev prints is a pathkeeper.yaml that says just that.
func TestImportUdevIsReadAgain(t *testing.T) {
	files, err := filepath.Glob("../../rules/handmade/testdata/*.rules")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	lookUp := func(name string) (string, string, bool) { return "3600" + name, "a \"file\"\n", name == "ocr1" }
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := handmade.Translate([]handmade.File{{Path: name, Data: data}}, lookUp)
		cfg := loadNative(t, r.YAML())
		if diff := cmp.Diff(r.Disks, cfg.Disks, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(policy.Disk{}, "Origin")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(cfg.Multipaths) != len(r.Maps) {
			t.Errorf("%s: %d entries of maps, want %d", name, len(cfg.Multipaths), len(r.Maps))
		}
		for _, m := range cfg.Multipaths {
			i := slices.IndexFunc(r.Maps, func(want handmade.Map) bool { return want.WWID == m.WWID })
			owner, _ := m.Layer.Lookup("uid")
			group, _ := m.Layer.Lookup("gid")
			if i < 0 || owner.Value != r.Maps[i].Owner || group.Value != r.Maps[i].Group {
				t.Errorf("%s: %+v, want one of %+v", name, m, r.Maps)
			}
		}
	}
}

// The entry that docs/names.md shows is one.
func TestNamesPageEntry(t *testing.T) {
	page, err := os.ReadFile("../../docs/names.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "\n    names:\n      - wwid")
	block, _, _ := strings.Cut(after, "\n\n")
	cfg := loadNative(t, strings.ReplaceAll("    names:\n      - wwid"+block+"\n", "\n    ", "\n")[4:])
	want := []policy.Disk{{WWID: "360014055b41362bc82b7f3d56edc5a30", Name: "oracleasm/ocr1", Owner: "oracle", Group: "dba", Mode: 0o660}}
	if diff := cmp.Diff(want, cfg.Disks, cmpopts.IgnoreFields(policy.Disk{}, "Origin")); diff != "" {
		t.Error(diff)
	}
}
