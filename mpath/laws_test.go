package mpath

import (
	"testing"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
)

// lawful is a core with a map "w1" of two paths, up and verified, and a stranger
// of another LUN.
func lawful() (*Machine, []*path) {
	mc := New()
	mc.now = 1000
	ps := make([]*path, 3)
	for i := range ps {
		ps[i] = &path{
			id: PathID{Dev: table.DevNum{Major: 8, Minor: uint32(16 * i)}, Diskseq: uint64(i + 1)}, wwid: "w1",
			state: pathcheck.StateUp, verifiedAt: 900,
		}
		mc.addPath(ps[i])
	}
	ps[2].wwid = "w2"
	mc.addMap(&mmap{wwid: "w1", known: true, have: Truth{Name: "one"}})
	mc.addMap(&mmap{wwid: "w2", known: true, have: Truth{Name: "two"}})
	return mc, ps
}

func loadOf(wwid string, ps ...*path) LoadMap {
	a := LoadMap{Seq: 1, WWID: wwid, Name: "one"}
	g := table.Group{Selector: "service-time"}
	for _, p := range ps {
		g.Paths = append(g.Paths, table.Path{Dev: p.id.Dev})
		a.Paths = append(a.Paths, PathRef{ID: p.id})
	}
	a.Table.Groups = []table.Group{g}
	return a
}

// Each law is broken on purpose, once.
func TestLawsFire(t *testing.T) {
	for _, tt := range []struct {
		law   string // "" : nothing is wrong
		plant func(mc *Machine, ps []*path) []Action
	}{
		{"", func(_ *Machine, ps []*path) []Action { return []Action{loadOf("w1", ps[0], ps[1])} }},
		{"", func(_ *Machine, ps []*path) []Action {
			ps[1].state = pathcheck.StateDown
			a := loadOf("w1", ps[0], ps[1])
			a.Fail = []table.DevNum{ps[1].id.Dev}
			return []Action{a}
		}},
		{"a load belongs to a map", func(_ *Machine, ps []*path) []Action { return []Action{loadOf("w9", ps[0])} }},
		{"no empty table", func(_ *Machine, _ []*path) []Action { return []Action{LoadMap{WWID: "w1"}} }},
		{"every path of a load is held", func(_ *Machine, ps []*path) []Action {
			a := loadOf("w1", ps[0], ps[1])
			a.Paths = a.Paths[:1]
			return []Action{a}
		}},
		{"every held path is in the load", func(_ *Machine, ps []*path) []Action {
			a := loadOf("w1", ps[0])
			a.Paths[0] = PathRef{ID: ps[1].id}
			return []Action{a}
		}},
		{"a load contains only known paths", func(mc *Machine, ps []*path) []Action {
			mc.dropPath(ps[0])
			return []Action{loadOf("w1", ps[0])}
		}},
		{"one WWID per map, ever", func(_ *Machine, ps []*path) []Action { return []Action{loadOf("w1", ps[0], ps[2])} }},
		{"one LUN per map, ever", func(_ *Machine, ps []*path) []Action {
			ps[0].seen.Identity.WWID, ps[1].seen.Identity.WWID = "w1", "another that bears w1 too"
			return []Action{loadOf("w1", ps[0], ps[1])}
		}},
		{"no load contains a path whose identity was not verified since it last failed", func(_ *Machine, ps []*path) []Action {
			ps[1].failedAt = 950
			return []Action{loadOf("w1", ps[0], ps[1])}
		}},
		{"no load contains a path whose identity was not verified since it last failed", func(_ *Machine, ps []*path) []Action {
			ps[1].stranger = "w2"
			return []Action{loadOf("w1", ps[0], ps[1])}
		}},
		{"paths that are merely down are failed again right after resume", func(_ *Machine, ps []*path) []Action {
			ps[1].state = pathcheck.StateDown
			return []Action{loadOf("w1", ps[0], ps[1])}
		}},
		{"a map has a name", func(_ *Machine, ps []*path) []Action {
			l := loadOf("w1", ps[0])
			return []Action{CreateMap{WWID: "w1", Table: l.Table, Paths: l.Paths}}
		}},
		{"a name belongs to one LUN", func(_ *Machine, ps []*path) []Action {
			l := loadOf("w1", ps[0])
			return []Action{CreateMap{WWID: "w1", Name: "two", Table: l.Table, Paths: l.Paths}}
		}},
		{"no two checks in flight on a path", func(_ *Machine, ps []*path) []Action {
			return []Action{StartCheck{Seq: 1, Path: ps[0].id}, StartCheck{Seq: 2, Path: ps[0].id}}
		}},
		{"one open question per map", func(_ *Machine, _ []*path) []Action {
			return []Action{Message{Seq: 5, WWID: "w1", Text: "fail_path 8:0"}}
		}},
		{"an open map is never removed unless asked", func(mc *Machine, _ []*path) []Action {
			mc.mapOf("w1").have.Open = 1
			return []Action{RemoveMap{WWID: "w1", Name: "one"}}
		}},
	} {
		t.Run(tt.law, func(t *testing.T) {
			mc, ps := lawful()
			broken := mc.CheckActions(tt.plant(mc, ps))
			if tt.law == "" {
				if len(broken) > 0 {
					t.Errorf("lawful actions: %v", broken)
				}
				return
			}
			for _, b := range broken {
				if b.Law == tt.law {
					return
				}
			}
			t.Errorf("not found; found: %v", broken)
		})
	}
}
