package policy

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"pathkeeper/scsi"
)

// The index says what a search of the lines says, whatever the lines and however
// they came.
func TestIndexIsTheSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.Custom(func(t *rapid.T) Binding {
			return Binding{rapid.SampledFrom([]string{"mpatha", "mpathb", "mpathc", "mpathaa", "mpathd", "ocr1"}).Draw(t, "alias"), rapid.SampledFrom([]string{"w1", "w2", "w3"}).Draw(t, "wwid")}
		})
		first := Bindings(rapid.SliceOf(line).Draw(t, "lines"))
		index := first.Index()
		index.lowest("mpath")
		all := append(Bindings{}, first...)
		for _, l := range rapid.SliceOf(line).Draw(t, "later") {
			index.Add(l)
			all = append(all, l)
		}
		for _, id := range []string{"w1", "w2", "w3", "w4", ""} {
			a, ok := all.AliasOf(id)
			b, ok2 := index.AliasOf(id)
			if a != b || ok != ok2 {
				t.Fatalf("AliasOf(%s): %q %v, index %q %v", id, a, ok, b, ok2)
			}
		}
		for _, name := range []string{"mpatha", "mpathb", "ocr1", "x", ""} {
			a, ok := all.WWIDOf(name)
			b, ok2 := index.WWIDOf(name)
			if a != b || ok != ok2 {
				t.Fatalf("WWIDOf(%s): %q %v, index %q %v", name, a, ok, b, ok2)
			}
		}
		id := index.lowest("mpath")
		for i := 1; i <= id; i++ {
			name, _ := FormatName("mpath", i)
			if _, bound := all.WWIDOf(name); bound != (i < id) {
				t.Fatalf("lowest %d, but %s: %v", id, name, bound)
			}
		}
	})
}

// manyNames are 100,000 lines, and the identity of the LUN of the last one.
func manyNames() (Bindings, scsi.Identity) {
	const n = 100_000
	lines := make(Bindings, 0, n)
	for i := 1; i <= n; i++ {
		name, _ := FormatName("mpath", i)
		lines = append(lines, Binding{name, fmt.Sprintf("3600a098000000000000000%09d", i)})
	}
	return lines, scsi.Identity{WWID: lines[n-1].WWID}
}

// With the index, deciding about a path and naming a new map take no step for each
// line: they allocate as much with 100,000 lines as with none.
func TestNamesScale(t *testing.T) {
	c, _ := Compile(Config{Defaults: Layer{{Keyword: "user_friendly_names", Value: "yes"}}})
	lines, id := manyNames()
	full, empty := State{Bindings: lines}.With(lines.Index()), State{}.With(Bindings{}.Index())
	count := func(st State) float64 {
		return testing.AllocsPerRun(20, func() {
			d := c.Decide(id, Facts{Devnode: "sda", DevType: "disk"}, st)
			c.Name(NameRequest{Identity: id, Settings: d.Settings, State: st})
		})
	}
	if with, without := count(full), count(empty); with > 3*without+20 {
		t.Errorf("%v allocations with 100,000 lines, %v without", with, without)
	}
	full.index.lowest("mpath") // walks once
	n := c.Name(NameRequest{Identity: scsi.Identity{WWID: "new"}, Settings: c.Decide(id, Facts{}, full).Settings, State: full})
	if want, _ := FormatName("mpath", 100_001); n.Name != want {
		t.Errorf("%+v, want %s", n, want)
	}
}

func BenchmarkDecideWith100000Names(b *testing.B) {
	c, _ := Compile(Config{Defaults: Layer{{Keyword: "user_friendly_names", Value: "yes"}}})
	lines, id := manyNames()
	for name, st := range map[string]State{"indexed": State{Bindings: lines}.With(lines.Index()), "searched": {Bindings: lines}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.Decide(id, Facts{Devnode: "sda", DevType: "disk"}, st)
			}
		})
	}
}
