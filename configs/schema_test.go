package configs

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"pathkeeper/policy"
)

var update = flag.Bool("update-shipped", false, "write packaging/pathkeeper.schema.json and docs/profiles.md")

// shipped compares a file of the tree with what the code makes.
func shipped(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != string(want) {
		t.Errorf("%s is not what the code makes (go test ./configs -update-shipped writes it): %v", path, err)
	}
}

func TestShippedSchema(t *testing.T) {
	shipped(t, "../packaging/pathkeeper.schema.json", Schema())
}

func TestProfilesPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Profiles\n\nA profile is a named set of settings for one use of the storage: `profile: NAME` at the top of pathkeeper.yaml, or in an entry of `multipaths` for one LUN, which then takes what may stand there.\n\n" +
		"It lies under what the same place says itself, so any line of it can be said otherwise. At the top it lies under `defaults`; settings marked *firm* also take the place of what the built-in entry of an array says, " +
		"since that is more significant than `defaults`: 28 of the built-in entries queue for ever. Then the array's entry gets what stands in `defaults`. Device entries of the files keep what they say. `ha` of a profile counts where `ha:` does not say it; it is of the host as a whole, so an entry's profile does not bring it.\n\n" +
		"`pathkeeper config show --origin` names the profile and its line with every such setting. No profile sets an owner or a mode: those belong to single LUNs. This page is made from `policy/profiles.go`.\n")
	for _, p := range policy.Profiles() {
		fmt.Fprintf(&b, "\n## %s\n\nFor %s.\n\n| setting | | why |\n|---|---|---|\n", p.Name, p.Purpose)
		for _, s := range p.Settings {
			firm := ""
			if s.Firm {
				firm = "firm"
			}
			fmt.Fprintf(&b, "| `%s: %s` | %s | %s |\n", s.Keyword, s.Value, firm, s.Why)
		}
		var ha []string
		for _, s := range haLayer(p.HA) {
			ha = append(ha, s.Keyword+": "+s.Value)
		}
		fmt.Fprintf(&b, "\n`ha`: %s\n", strings.Join(ha, ", "))
	}
	shipped(t, "../docs/profiles.md", []byte(b.String()))
}

// allows is as much of a validator as the schema needs.
func allows(schema map[string]any, v any) bool {
	if of, ok := schema["anyOf"].([]any); ok && !slices.ContainsFunc(of, func(s any) bool { return allows(s.(map[string]any), v) }) {
		return false
	}
	if words, ok := schema["enum"].([]any); ok && !slices.ContainsFunc(words, func(w any) bool { return w == v }) {
		return false
	}
	kind := "string"
	switch x := v.(type) {
	case nil:
		kind = "null"
	case bool:
		kind = "boolean"
	case float64:
		kind = "number"
		if x == math.Trunc(x) {
			kind = "integer"
		}
		if low, ok := schema["minimum"].(float64); ok && x < low {
			return false
		}
		if high, ok := schema["maximum"].(float64); ok && x > high {
			return false
		}
	case string:
		if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(x) {
			return false
		}
	case []any:
		kind = "array"
		items, _ := schema["items"].(map[string]any)
		if items != nil && slices.ContainsFunc(x, func(i any) bool { return !allows(items, i) }) {
			return false
		}
	case map[string]any:
		kind = "object"
		properties, _ := schema["properties"].(map[string]any)
		for name, value := range x {
			if s, ok := properties[name].(map[string]any); !ok || !allows(s, value) {
				return false
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := x[name.(string)]; !ok {
				return false
			}
		}
	}
	var kinds []any
	switch t := schema["type"].(type) {
	case nil:
		return true
	case string:
		kinds = []any{t}
	case []any:
		kinds = t
	}
	return slices.Contains(kinds, any(kind)) || kind == "integer" && slices.Contains(kinds, any("number"))
}

func schemaAllows(t *testing.T, text string) bool {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	var loose, doc any
	if err := yaml.Unmarshal([]byte(text), &loose); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(loose)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(plain, &doc); err != nil {
		t.Fatal(err)
	}
	return allows(schema, doc)
}

// What the reader takes the schema takes too; what it refuses for a keyword, a
// missing key or a word, the schema refuses too.
func TestSchemaAndReaderAgree(t *testing.T) {
	files, err := filepath.Glob("samples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !schemaAllows(t, string(text)) {
			t.Errorf("the schema refuses %s", name)
		}
	}
	if !schemaAllows(t, everything) {
		t.Error("the schema refuses what has everything")
	}
	for p, words := range newNativeVocabulary() {
		if p != inDefaults {
			continue
		}
		for name, k := range words {
			value := k.Default
			if value == "" || k.Kind == policy.KindIgnored {
				continue
			}
			text := "defaults:\n  " + name + ": " + yamlText(value) + "\n"
			if !schemaAllows(t, text) {
				t.Errorf("the schema refuses %s", text)
			}
			parseNative(t, text)
		}
	}
	for _, text := range []string{
		"default: {}", "defaults: {polling_intervall: 5}", "defaults: {alias: x}", "defaults: {failback: imediate}", "defaults: {path_checker: turr}", "defaults: {verbosity: 9}",
		"defaults: {getuid_callout: x}", "defaults: {user_friendly_names: maybe}", "defaults: [1]", "devices: {vendor: A}", "devices: [{vendor: A}]", "multipaths: [{alias: x}]",
		"overrides: {protocol: [{type: 'scsi:fc'}]}", "ha: {deadline: 0}", "ha: {queueing: bound}", "profile: oracle_rac", "defaults: {mode: '0999'}", "names: [{name: x}]",
	} {
		refusal(t, text+"\n")
		if schemaAllows(t, text) {
			t.Errorf("the schema takes %s", text)
		}
	}
}
