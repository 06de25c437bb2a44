package mpath

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pathkeeper/configs"
	"pathkeeper/dmmap/table"
)

// A plan that is made between any two steps changes nothing of what the core does
// then, and the same state gives the same plan.
func TestPlansDisturbNothing(t *testing.T) {
	if *update {
		return
	}
	for _, name := range transcripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			playFile(t, name, func(b *bench) {
				if b.mc.rules == nil || !b.mc.started {
					return
				}
				first, second := foreseeTwice(t, b.mc)
				if first != second {
					t.Errorf("two plans of one state differ:\n%s\n%s", first, second)
				}
			})
		})
	}
}

func foreseeTwice(t *testing.T, mc *Machine) (first, second string) {
	t.Helper()
	for _, to := range []*string{&first, &second} {
		clone, err := mc.Clone()
		if err != nil {
			t.Fatal(err)
		}
		p, err := clone.Foresee(Configured{Config: mc.rules.Config(), Users: mc.users, Groups: mc.groups}, nil)
		if err != nil {
			if mc.stopping {
				return "stopping", "stopping"
			}
			t.Fatal(err)
		}
		for _, m := range p.Maps {
			if len(m.Steps) == 0 && len(m.Needs) == 0 {
				t.Errorf("%s: named for nothing", m.Name)
			}
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		*to = string(text)
	}
	return first, second
}

// BenchmarkPlan plans for 2,000 paths in 500 maps that all get a new table. The loop
// of the daemon does the copy; the rest is the work of who asks.
func BenchmarkPlan(b *testing.B) {
	k := newBench()
	var conf []string
	for i := range 500 {
		for p := range 4 {
			if err := k.setDisk([]string{"sd" + string([]byte{byte('a' + p), byte('a' + i/26), byte('a' + i%26)}), fmt.Sprintf("lun=w%03d", i)}); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := k.command([]string{"start"}, &conf); err != nil {
		b.Fatal(err)
	}
	for range 100 { // so many steps count as unrest in a script
		k.dead = false
		k.run(100 * Millisecond)
	}
	cfg, _, err := configs.Parse([]configs.File{{Path: "/etc/multipath.conf", Data: []byte(benchConf + "overrides {\n path_selector \"queue-length 0\"\n}\n")}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			k.mc.Checkpoint()
		}
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			clone, err := k.mc.Clone()
			if err != nil {
				b.Fatal(err)
			}
			p, err := clone.Foresee(Configured{Config: cfg}, nil)
			if err != nil || len(p.Maps) != 500 || len(p.Warnings) > 0 {
				b.Fatal(len(p.Maps), p.Warnings, err)
			}
		}
	})
}

func TestMoved(t *testing.T) {
	id := func(n uint32) PathID {
		p := PathID{Diskseq: uint64(n)}
		p.Dev.Major, p.Dev.Minor = 8, n
		return p
	}
	was := PlanWorld{
		Maps:  []PlanHave{{WWID: "a", Name: "one", Dev: "253:0", Table: "t"}, {WWID: "b", Name: "two"}},
		Paths: []PlanPath{{ID: id(0), Name: "sda", WWID: "a", Map: "a", State: "up"}, {ID: id(16), Name: "sdb", WWID: "b", Map: "b", State: "up"}},
	}
	if m := was.Moved(was); len(m) != 0 {
		t.Errorf("nothing moved: %q", m)
	}
	is := PlanWorld{
		Maps:  []PlanHave{{WWID: "b", Name: "zwei", Dev: "253:1", Size: 8, Table: "u", ReadOnly: true, Suspended: true, Busy: "load"}, {WWID: "c", Name: "three"}},
		Paths: []PlanPath{{ID: id(0), Name: "sda", WWID: "a", Map: "a", State: "down"}, {ID: id(32), Name: "sdc", WWID: "c"}},
	}
	want := []string{
		"map one (a) is gone", "map two is called zwei", "map zwei was  and is 253:1", "map zwei had 0 sectors and has 8",
		`map zwei has another table: "u", it was ""`, "map zwei: read-only was false and is true", "map zwei: suspended was false and is true", "map zwei is busy: load",
		"map three (c) came", "path sda (8:0) was up and is down", "device sdb (8:16) left", "device sdc (8:32, c) came",
	}
	if got := was.Moved(is); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for change, is := range map[string]PlanPath{
		"device sda (8:0) was a and is x":                     {ID: id(0), Name: "sda", WWID: "x", Map: "a", State: "up"},
		`device sda (8:0) was a path of "a" and is one of ""`: {ID: id(0), Name: "sda", WWID: "a", State: "up"},
		"device sda (8:0) is called sdz":                      {ID: id(0), Name: "sdz", WWID: "a", Map: "a", State: "up"},
	} {
		if got := (PlanWorld{Paths: was.Paths[:1]}).Moved(PlanWorld{Paths: []PlanPath{is}}); len(got) != 1 || got[0] != change {
			t.Errorf("got %q, want %q", got, change)
		}
	}
	var many PlanWorld
	for i := range maxMoved + 9 {
		many.Paths = append(many.Paths, PlanPath{ID: id(uint32(i))})
	}
	if got := many.Moved(PlanWorld{}); len(got) != maxMoved+1 || got[maxMoved] != "and 9 more" {
		t.Errorf("%d lines, the last %q", len(got), got[len(got)-1])
	}
}

// plan makes a plan of a configuration, for a later apply, and says what is in it.
func (b *bench) plan(c Configured) error {
	clone, err := b.mc.Clone()
	if err != nil {
		return err
	}
	p, err := clone.Foresee(c, []Holding{{Dev: table.DevNum{Major: 253, Minor: 1}, What: "/"}})
	if err != nil {
		b.say("no plan: %v", err)
		return nil
	}
	b.planned = Apply{Seq: 1 << 41, Config: c.Config, Users: c.Users, Groups: c.Groups, Plan: p}
	for _, m := range p.Maps {
		b.say("plan %s: %s", m.Name, m.Kinds())
		for _, s := range append(m.Steps, m.Needs...) {
			b.say("  %s %s: %s", s.Kind, m.To, s.Reason)
		}
		for _, s := range m.Settings {
			b.say("  %s %q -> %q", s.Keyword, s.Before, s.After)
		}
		if m.After != "" {
			b.say("  table %q -> %q join %v leave %v %q", m.Before, m.After, m.Join, m.Leave, m.Diff)
		}
		if len(m.Warnings) > 0 {
			b.say("  %q", m.Warnings)
		}
	}
	for _, w := range p.Warnings {
		b.say("  %s", w)
	}
	if p.Empty() {
		b.say("plan: nothing")
	}
	return nil
}
