package policy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// readCases decodes a file of measured cases.
func readCases[T any](t *testing.T, name string) []T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "differential", name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []T }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(file.Cases) == 0 {
		t.Fatalf("%s: no cases", name)
	}
	return file.Cases
}

func TestFormatNameMeasured(t *testing.T) {
	type row struct {
		Prefix string
		ID     int
		Name   *string
	}
	for _, c := range readCases[row](t, "unit-alias-format.json") {
		name, ok := FormatName(c.Prefix, c.ID)
		if ok != (c.Name != nil) || ok && name != *c.Name {
			t.Errorf("FormatName(%q, %d) = %q, %v; want %v", c.Prefix, c.ID, name, ok, c.Name)
		}
	}
}

func TestScanNameMeasured(t *testing.T) {
	type row struct {
		Prefix, Name string
		ID           int
	}
	for _, c := range readCases[row](t, "unit-alias-scan.json") {
		if got := ScanName(c.Name, c.Prefix); got != c.ID {
			t.Errorf("ScanName(%q, %q) = %d, want %d", c.Name, c.Prefix, got, c.ID)
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.IntRange(1, maxNameID).Draw(t, "id")
		name, ok := FormatName("mpath", id)
		if !ok || ScanName(name, "mpath") != id {
			t.Fatalf("%d -> %q, %v -> %d", id, name, ok, ScanName(name, "mpath"))
		}
	})
}

// readBindings is the grammar of the bindings file in small; statefile has the
// real reader, which policy must not import.
func readBindings(text string) Bindings {
	var out Bindings
	for _, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) >= 2 && len(words[1]) < 128 {
			out = append(out, Binding{Alias: words[0], WWID: words[1]})
		}
	}
	return out
}

func TestFriendlyMeasured(t *testing.T) {
	type row struct {
		Name, Bindings, WWID, Prefix string
		DMMaps                       map[string]string `json:"dm_maps"`
		OldAlias                     string            `json:"old_alias"`
		ReadOnly                     bool              `json:"read_only"`
		Alias                        *string
		After                        []string `json:"bindings_after"`
	}
	for _, c := range readCases[row](t, "unit-bindings.json") {
		t.Run(c.Name, func(t *testing.T) {
			var used []UsedName
			for name, wwid := range c.DMMaps {
				used = append(used, UsedName{Name: name, UUID: "mpath-" + wwid})
			}
			have := readBindings(c.Bindings)
			got := Friendly(FriendlyRequest{
				WWID: c.WWID, Prefix: c.Prefix, OldAlias: c.OldAlias,
				Bindings: have, DMNames: used, ReadOnly: c.ReadOnly,
			})
			want := ""
			if c.Alias != nil {
				want = *c.Alias
			}
			if got.Alias != want {
				t.Errorf("alias %q (%s), want %q", got.Alias, got.Reason, want)
			}
			if got.Reason == "" {
				t.Error("no reason")
			}
			if got.Added != nil {
				have = append(have[:len(have):len(have)], *got.Added)
			}
			after := []string{}
			for _, line := range have.Table() {
				after = append(after, line.Alias+" "+line.WWID)
			}
			if diff := cmp.Diff(c.After, after); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReverseLookupMeasured(t *testing.T) {
	type row struct {
		Bindings, Alias string
		WWID            *string
	}
	for _, c := range readCases[row](t, "unit-bindings-reverse.json") {
		wwid, ok := readBindings(c.Bindings).WWIDOf(c.Alias)
		if ok != (c.WWID != nil) || ok && wwid != *c.WWID {
			t.Errorf("WWIDOf(%q) = %q, %v; want %v", c.Alias, wwid, ok, c.WWID)
		}
	}
}

// The decision table of the reference, and what old ids and reserved names add.
func TestFriendlyTable(t *testing.T) {
	table := Bindings{{"mpatha", "W0"}, {"mpathd", "W1"}}
	cases := []struct {
		name  string
		req   FriendlyRequest
		alias string
		added bool
		says  string
	}{
		{"two names used by dm", FriendlyRequest{WWID: "W2", Bindings: table, DMNames: []UsedName{{"mpathb", "x"}, {"mpathc", "y"}}}, "mpathe", true, "lowest free"},
		{"e used as well", FriendlyRequest{WWID: "W2", Bindings: table, DMNames: []UsedName{{"mpathb", ""}, {"mpathc", "mpath-W9"}, {"mpathe", "LVM-1"}}}, "mpathf", true, "lowest free"},
		{"own map is no rival", FriendlyRequest{WWID: "W0", Bindings: table, DMNames: []UsedName{{"mpatha", "mpath-W0"}}}, "mpatha", false, "mpatha W0"},
		{"bound name in use", FriendlyRequest{WWID: "W0", Bindings: table, DMNames: []UsedName{{"mpatha", "mpath-W7"}}}, "", false, "taken by device-mapper device mpatha (mpath-W7)"},
		{"old alias free", FriendlyRequest{WWID: "W2", OldAlias: "mpathz"}, "mpathz", true, "its map has"},
		{"old alias bound elsewhere", FriendlyRequest{WWID: "W2", OldAlias: "mpatha", Bindings: table}, "mpathb", true, "mpatha is bound to W0"},
		{"old alias against the table", FriendlyRequest{WWID: "W0", OldAlias: "mpathz", Bindings: table}, "mpatha", false, "mpatha W0"},
		{"old alias matches", FriendlyRequest{WWID: "W1", OldAlias: "mpathd", Bindings: table}, "mpathd", false, "its map has"},
		{"old alias used by another", FriendlyRequest{WWID: "W2", OldAlias: "mpathz", DMNames: []UsedName{{"mpathz", "mpath-W8"}}}, "mpatha", true, "mpathz is taken"},
		{"read only", FriendlyRequest{WWID: "W2", Bindings: table, ReadOnly: true}, "", false, "no line may be added"},
		{"reserved by the configuration", FriendlyRequest{WWID: "W2", Reserved: []string{"mpatha"}}, "mpathb", true, "lowest free"},
		{"line with an old id", FriendlyRequest{WWID: "W2", IDs: []string{"W2", "Sold"}, Bindings: Bindings{{"mpath1", "Sold"}}}, "mpath1", false, "mpath1 Sold"},
		{"canonical line before old line", FriendlyRequest{WWID: "W2", IDs: []string{"W2", "Sold"}, Bindings: Bindings{{"mpath1", "Sold"}, {"mpathzz", "W2"}}}, "mpathzz", false, "mpathzz W2"},
		{"map under the old UUID", FriendlyRequest{WWID: "W2", IDs: []string{"W2", "Sold"}, Bindings: Bindings{{"mpath1", "Sold"}}, DMNames: []UsedName{{"mpath1", "mpath-Sold"}}}, "mpath1", false, "mpath1 Sold"},
		{"name doubled in the file", FriendlyRequest{WWID: "W3", Bindings: Bindings{{"mpatha", "W0"}, {"mpatha", "W3"}}}, "mpathb", true, "lowest free"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.req.Prefix = "mpath"
			got := Friendly(c.req)
			if got.Alias != c.alias || (got.Added != nil) != c.added || !strings.Contains(got.Reason, c.says) {
				t.Errorf("got %+v, want %q, added %v, %q", got, c.alias, c.added, c.says)
			}
		})
	}
}

// However many LUNs ask, in whatever order, no name is given twice.
func TestFriendlyNeverDoubles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		luns := rapid.SliceOfNDistinct(rapid.StringMatching(`3[0-9a-f]{4}`), 1, 40, rapid.ID).Draw(t, "luns")
		var have Bindings
		given := map[string]string{}
		for _, wwid := range luns {
			got := Friendly(FriendlyRequest{WWID: wwid, Prefix: "mpath", Bindings: have})
			if other, twice := given[got.Alias]; twice || got.Added == nil {
				t.Fatalf("%s given to %s and %s", got.Alias, other, wwid)
			}
			given[got.Alias] = wwid
			have = append(have, *got.Added)
		}
	})
}
