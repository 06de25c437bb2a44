package main

import (
	"context"
	"io"
	"math"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/show"
)

// dry says what would be done, and does nothing: the plan of the configuration, told
// as what is done is told.
func (r *multipathRun) dry(ctx context.Context) (ok bool, err error) {
	plan, err := r.on.plan(ctx, r.at, "", func(string) {})
	if err != nil {
		return false, err
	}
	s, err := r.look(ctx, true)
	if err != nil {
		return false, err
	}
	r.listPaths(s)
	wanted := ""
	if r.name != "" {
		only, err := r.onlyOf(s)
		if err != nil {
			return false, err
		}
		wanted = only.Maps[0]
	}
	maps := slices.Clone(plan.Plan.Maps)
	slices.SortStableFunc(maps, func(a, b mpath.MapPlan) int { return show.Natural(a.Name, b.Name) })
	for _, m := range maps {
		if wanted != "" && m.WWID != wanted {
			continue
		}
		for _, kind := range []mpath.PlanKind{mpath.PlanCreate, mpath.PlanReload, mpath.PlanResize, mpath.PlanRename} {
			if m.Has(kind) {
				r.planned(s, m, kind)
				break
			}
		}
	}
	return true, nil
}

// listPaths prints the paths from verbosity 3 on, and says why the other disks are none.
func (r *multipathRun) listPaths(s mpath.Snapshot) {
	if r.level < 3 {
		return
	}
	io.WriteString(r.std.out, show.PathsList(s))
	for _, p := range s.Paths {
		if p.WWID == "" {
			r.say(3, "%s: %s", p.Name, show.Why(p))
		}
	}
}

// planned prints a map as it would be.
func (r *multipathRun) planned(s mpath.Snapshot, p mpath.MapPlan, kind mpath.PlanKind) {
	name := p.Name
	if p.To != "" {
		name = p.To
	}
	switch r.level {
	case 0:
		return
	case 1:
		io.WriteString(r.std.out, show.Safe(name)+"\n")
		return
	}
	v := mpath.MapView{WWID: p.WWID}
	for _, m := range s.Maps {
		if m.WWID == p.WWID {
			v = m
		}
	}
	made := !v.Known
	v.Name, v.Known = name, true
	if t, err := table.Parse(p.After); p.After != "" && err == nil {
		v.Truth.Table, v.Truth.Status, v.Groups = t, table.Status{}, nil
	}
	if made {
		v.Truth.Dev = table.DevNum{Major: 254, Minor: math.MaxUint32}
	}
	if len(v.Groups) == 0 {
		v.Groups = groupsOf(s, v.Truth.Table)
	}
	one := s
	one.Maps = []mpath.MapView{v}
	for _, q := range s.Paths {
		if q.WWID == p.WWID && made && v.Truth.Size == 0 {
			one.Maps[0].Truth.Size = table.Sectors(q.Seen.Facts.Size)
		}
	}
	one.Maps[0].LastAction = string(kind)
	text := show.Topology(one, show.TopologyOptions{Actions: true})
	if made { // what the kernel has not got has no number and no mode
		head, rest, _ := strings.Cut(text, "\n")
		second, rest, _ := strings.Cut(rest, "\n")
		text = strings.Replace(head, " dm-4294967295 ", " undef ", 1) + "\n" + strings.TrimSuffix(second, " wp=rw") + " wp=undef\n" + rest
	}
	io.WriteString(r.std.out, text)
}

// groupsOf gives the groups of a table that nobody has loaded yet.
func groupsOf(s mpath.Snapshot, t table.Table) []mpath.GroupView {
	var out []mpath.GroupView
	for i, g := range t.Groups {
		v := mpath.GroupView{Number: i + 1, Selector: g.Selector}
		sum, n := 0, 0
		for _, tp := range g.Paths {
			id := mpath.PathID{Dev: tp.Dev}
			for _, p := range s.Paths {
				if p.ID.Dev == tp.Dev && p.Odd == "" {
					id = p.ID
					if p.State.Usable() && p.Priority >= 0 {
						sum, n = sum+p.Priority, n+1
					}
				}
			}
			v.Paths = append(v.Paths, id)
		}
		if n > 0 {
			v.Priority = sum / n
		}
		out = append(out, v)
	}
	return out
}
