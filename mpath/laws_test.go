package mpath

import (
	"slices"
	"testing"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// lawful is a core with a map "w1" of two paths, up and verified, and a map "w2" of
// one path.
func lawful() (*Machine, []*path) {
	mc := New()
	mc.now, mc.started = 1000, true
	for _, w := range []string{"w1", "w2"} {
		mc.addMap(&mmap{wwid: w})
	}
	ps := make([]*path, 3)
	for i := range ps {
		w := []string{"w1", "w1", "w2"}[i]
		ps[i] = &path{
			id: PathID{Dev: table.DevNum{Major: 8, Minor: uint32(16 * i)}, Diskseq: uint64(i + 1)}, wwid: w,
			state: pathcheck.StateUp, verifiedAt: 900, nextCheck: 5000, inTable: true, decision: policy.Decision{Verdict: policy.VerdictAdmit},
		}
		m := mc.mapOf(w)
		m.paths = withPath(m.paths, ps[i])
		mc.addPath(ps[i])
		mc.find.see(ps[i], PathSeen{Name: "sd" + string(rune('a'+i)), Identity: scsi.Identity{WWID: w}})
	}
	for i, w := range []string{"w1", "w2"} {
		m := mc.mapOf(w)
		mc.hold(m, true, Truth{Name: []string{"one", "two"}[i], Dev: table.DevNum{Major: 253, Minor: uint32(i)}, Live: true, Table: tableOfPaths(m.paths...), Status: statusOfPaths(m.paths...)})
		m.touched = false
	}
	mc.rearm()
	return mc, ps
}

func tableOfPaths(ps ...*path) table.Table {
	g := table.Group{Selector: "service-time"}
	for _, p := range ps {
		g.Paths = append(g.Paths, table.Path{Dev: p.id.Dev})
	}
	return table.Table{Groups: []table.Group{g}}
}

func statusOfPaths(ps ...*path) table.Status {
	var g table.GroupStatus
	for _, p := range ps {
		g.Paths = append(g.Paths, table.PathStatus{Dev: p.id.Dev, State: table.PathActive})
	}
	return table.Status{Groups: []table.GroupStatus{g}}
}

func loadOf(wwid string, ps ...*path) LoadMap {
	a := LoadMap{Seq: 1, WWID: wwid, Name: "one", Table: tableOfPaths(ps...)}
	for _, p := range ps {
		a.Paths = append(a.Paths, PathRef{ID: p.id})
	}
	return a
}

// Each law is broken on purpose, once.
func TestLawsFire(t *testing.T) {
	planted := map[string]bool{}
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
		{"no load contains a path whose identity was not verified since it last failed", func(_ *Machine, ps []*path) []Action {
			ps[1].doubtAt = 950
			return []Action{loadOf("w1", ps[0], ps[1])}
		}},
		{"paths that are merely down are failed again right after resume", func(_ *Machine, ps []*path) []Action {
			ps[1].state = pathcheck.StateDown
			return []Action{loadOf("w1", ps[0], ps[1])}
		}},
		{"only a resize changes a map's size", func(mc *Machine, ps []*path) []Action {
			m := mc.mapOf("w1")
			m.have.Live, m.have.Size = true, 8
			a := loadOf("w1", ps[0])
			a.Size = 16
			return []Action{a}
		}},
		{"paths of different sizes never mix", func(_ *Machine, ps []*path) []Action {
			ps[0].seen.Facts.Size, ps[1].seen.Facts.Size = 16, 8
			a := loadOf("w1", ps[0], ps[1])
			return []Action{ResizeMap{WWID: "w1", Size: 16, Table: a.Table, Paths: a.Paths}}
		}},
		{"no flush while a path is failed", func(mc *Machine, ps []*path) []Action {
			a := loadOf("w1", ps[0])
			m := mc.mapOf("w1")
			m.have.Table = a.Table
			m.have.Status.Groups = []table.GroupStatus{{Paths: []table.PathStatus{{Dev: ps[0].id.Dev, State: table.PathFailed}}}}
			return []Action{ResizeMap{WWID: "w1", Table: a.Table, Paths: a.Paths}}
		}},
		{"an open map is never removed unless asked", func(mc *Machine, _ []*path) []Action {
			mc.mapOf("w1").have.Open = 2
			return []Action{RemoveMap{WWID: "w1", Partitions: []string{"part1-mpath-w1"}}}
		}},
		{"an open map is never removed unless asked", func(mc *Machine, _ []*path) []Action {
			mc.mapOf("w1").have.Open = 1
			return []Action{RemoveMap{WWID: "w1", Deferred: true}}
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
		{lawSize, func(mc *Machine, ps []*path) []Action {
			a := loadOf("w1", ps[0])
			a.Size = 7
			return []Action{a}
		}},
		{lawFlush, func(mc *Machine, ps []*path) []Action {
			mc.mapOf("w1").have.Status.Groups[0].Paths[1].State = table.PathFailed
			l := loadOf("w1", ps[0])
			return []Action{ResizeMap{WWID: "w1", Table: l.Table, Paths: l.Paths}}
		}},
		{lawSizesMix, func(_ *Machine, ps []*path) []Action {
			l := loadOf("w1", ps[0])
			return []Action{ResizeMap{WWID: "w1", Size: 8, Table: l.Table, Paths: l.Paths}}
		}},
		{lawEdges, func(mc *Machine, _ []*path) []Action {
			m := mc.mapOf("w1")
			m.ask = 5
			return []Action{Message{Seq: 5, WWID: "w1", Text: "reinstate_path 8:0"}}
		}},
		{lawEdges, func(mc *Machine, _ []*path) []Action {
			m := mc.mapOf("w1")
			m.ask = 5
			m.have.Status.Groups[0].Paths[0].State = table.PathFailed
			return []Action{Message{Seq: 5, WWID: "w1", Text: "fail_path 8:0"}}
		}},
		{lawQueueOff, func(mc *Machine, _ []*path) []Action {
			m := mc.mapOf("w1")
			m.ask, m.settingOK = 5, true
			m.settings.NoPathRetry.V.Mode = policy.RetryQueue
			return []Action{Message{Seq: 5, WWID: "w1", Text: "fail_if_no_path"}}
		}},
		{lawOneLoad, func(mc *Machine, ps []*path) []Action {
			mc.ask(mc.mapOf("w1"), "load", loadOf("w1", ps[0]))
			mc.ask(mc.mapOf("w1"), "load", loadOf("w1", ps[0]))
			return nil
		}},
		{lawFirstPicture, func(mc *Machine, ps []*path) []Action {
			mc.started = false
			return []Action{loadOf("w1", ps[0])}
		}},
		{lawLeftAlone, func(_ *Machine, ps []*path) []Action {
			ps[2].decision.Verdict = policy.VerdictReject
			ps[2].wwid = "w1"
			return []Action{loadOf("w1", ps[2])}
		}},
		{lawOneCheck, func(mc *Machine, ps []*path) []Action {
			mc.checkOpen(ps[0], 1)
			mc.checkOpen(ps[0], 2)
			return nil
		}},
		{lawPlanned, func(mc *Machine, _ []*path) []Action {
			mc.mapOf("w1").part = part{since: 1, exact: true, plan: MapPlan{To: "uno"}}
			return []Action{RenameMap{WWID: "w1", Name: "one", To: "eins"}}
		}},
		{lawPlanned, func(mc *Machine, ps []*path) []Action {
			mc.mapOf("w1").part = part{since: 1, exact: true}
			a := loadOf("w1", ps[0], ps[1])
			a.Table.Groups[0].Selector = "queue-length"
			return []Action{a}
		}},
		{lawPlanned, func(mc *Machine, ps []*path) []Action {
			a := loadOf("w1", ps[0], ps[1])
			mc.mapOf("w1").part = part{since: 1, exact: true, asked: 1, plan: MapPlan{Steps: []PlanStep{{Kind: PlanReload}}, After: a.Table.String()}}
			ps[0].answeredFor, ps[1].answeredFor = 1, 1
			return []Action{loadOf("w1", ps[0])}
		}},
		{lawAskedFirst, func(mc *Machine, ps []*path) []Action {
			mc.mapOf("w1").part = part{since: 500, asked: 500}
			return []Action{loadOf("w1", ps[0])}
		}},
		{lawAskedFirst, func(mc *Machine, ps []*path) []Action {
			a := loadOf("w1", ps[0])
			mc.mapOf("w1").part = part{since: 500, asked: 500, exact: true, plan: MapPlan{Steps: []PlanStep{{Kind: PlanReload}}, After: a.Table.String()}}
			return []Action{a}
		}},
		{lawOneRollback, func(mc *Machine, ps []*path) []Action {
			mc.mapOf("w1").rolled = 2
			a := loadOf("w1", ps[0])
			a.Rollback = true
			return []Action{a}
		}},
		{lawPathOrder, func(mc *Machine, _ []*path) []Action { slices.Reverse(mc.paths); return nil }},
		{lawForgotten, func(_ *Machine, ps []*path) []Action { ps[0].left = true; return nil }},
		{lawInItsMap, func(mc *Machine, _ []*path) []Action { mc.mapOf("w2").paths = nil; return nil }},
		{lawInOneMap, func(mc *Machine, _ []*path) []Action { mc.mapOf("w2").paths = nil; return nil }},
		{lawInTable, func(_ *Machine, ps []*path) []Action { ps[0].inTable = false; return nil }},
		{lawOverdue, func(_ *Machine, ps []*path) []Action { ps[0].stuck = true; return nil }},
		{lawNoUse, func(_ *Machine, ps []*path) []Action { ps[0].stranger = "w9"; return nil }},
		{lawFoundByID, func(mc *Machine, _ []*path) []Action { delete(mc.find.ids, "w1"); return nil }},
		{lawFoundByName, func(mc *Machine, _ []*path) []Action { delete(mc.find.names, "sda"); return nil }},
		{lawFoundByTarget, func(_ *Machine, ps []*path) []Action { ps[0].seen.HCTL = "2:0:0:1"; return nil }},
		{lawMapOrder, func(mc *Machine, _ []*path) []Action { slices.Reverse(mc.maps); return nil }},
		{lawOwnPaths, func(_ *Machine, ps []*path) []Action { ps[0].wwid = "w2"; return nil }},
		{lawFoundByDev, func(mc *Machine, _ []*path) []Action { delete(mc.find.dev, table.DevNum{Major: 253}); return nil }},
		{lawFoundByMembers, func(mc *Machine, _ []*path) []Action { delete(mc.find.holders, table.DevNum{Major: 8}); return nil }},
		{lawFoundBySeq, func(mc *Machine, _ []*path) []Action { mc.mapOf("w1").ask = 9; return nil }},
		{lawQuestions, func(mc *Machine, _ []*path) []Action { mc.find.asked[9] = mc.mapOf("w1"); return nil }},
		{lawBelief, func(mc *Machine, _ []*path) []Action { mc.mapOf("w1").known = false; return nil }},
		{lawOneLook, func(mc *Machine, _ []*path) []Action {
			mc.look("sdz")
			mc.lookLater("sdz")
			return nil
		}},
		{lawDeadlines, func(_ *Machine, ps []*path) []Action { ps[0].nextCheck = 4000; return nil }},
		{lawBounded, func(mc *Machine, _ []*path) []Action {
			mc.nodes = make([]NodeSeen, maxNodes+1)
			return nil
		}},
		{lawPortTimes, func(*Machine, []*path) []Action {
			return []Action{SetKnobs{Dir: dirPorts + "rport-1:0-0", Knobs: []Knob{{Name: "dev_loss_tmo", Value: "0"}}}}
		}},
		{lawPortTimes, func(*Machine, []*path) []Action {
			return []Action{SetKnobs{Dir: dirPorts + "rport-1:0-0", Knobs: []Knob{{Name: "fast_io_fail_tmo", Value: "5"}, {Name: "dev_loss_tmo", Value: "5"}}}}
		}},
		{"", func(*Machine, []*path) []Action {
			return []Action{SetKnobs{Dir: dirPorts + "rport-1:0-0", Knobs: []Knob{{Name: "fast_io_fail_tmo", Value: "5"}, {Name: "dev_loss_tmo", Value: "6"}}}}
		}},
		{lawLimit, func(_ *Machine, ps []*path) []Action {
			return []Action{LimitPaths{WWID: "w1", KB: 64, Paths: []PathRef{{ID: ps[0].id}}}}
		}},
	} {
		planted[tt.law] = true
		t.Run(tt.law, func(t *testing.T) {
			mc, ps := lawful()
			broken := mc.CheckActions(tt.plant(mc, ps))
			broken = append(broken, mc.CheckState()...)
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
	for _, l := range Laws() {
		if !planted[l] {
			t.Errorf("no test breaks the law %q", l)
		}
	}
}
