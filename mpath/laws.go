package mpath

import (
	"fmt"
	"slices"

	"pathkeeper/dmmap/table"
)

// Broken is a law that does not hold: a bug of the core, never of the world.
type Broken struct {
	Law    string
	Detail string
}

// Error makes it an error.
func (b Broken) Error() string { return "law broken: " + b.Law + ": " + b.Detail }

// CheckActions holds the actions of one step against the laws of the design.
// It is called right after Step, by the simulator always and by the daemon too:
// it looks only at what the step touched.
func (mc *Machine) CheckActions(acts []Action) []Broken {
	var out []Broken
	bad := func(law, format string, args ...any) {
		out = append(out, Broken{law, fmt.Sprintf(format, args...)})
	}
	for i, a := range acts {
		switch a := a.(type) {
		case CreateMap:
			mc.checkLoad(bad, a.WWID, a.Table, a.Paths, a.Fail)
			if a.Name == "" {
				bad("a map has a name", "%s", a.WWID)
			}
			for _, m := range mc.maps {
				if m.wwid != a.WWID && m.known && m.have.Name == a.Name {
					bad("a name belongs to one LUN", "%s is %s, asked for %s", a.Name, m.wwid, a.WWID)
				}
			}
		case LoadMap:
			mc.checkLoad(bad, a.WWID, a.Table, a.Paths, a.Fail)
		case StartCheck:
			for _, b := range acts[i+1:] {
				if c, ok := b.(StartCheck); ok && c.Path == a.Path {
					bad("no two checks in flight on a path", "%s", a.Path)
				}
			}
		case Message:
			if m := mc.mapOf(a.WWID); m == nil || m.ask != a.Seq {
				bad("one open question per map", "%s: %s", a.WWID, a.Text)
			}
		case RemoveMap:
			if m := mc.mapOf(a.WWID); m != nil && m.have.Open > 0 {
				bad("an open map is never removed unless asked", "%s is open %d times", a.Name, m.have.Open)
			}
		}
	}
	return out
}

func (mc *Machine) checkLoad(bad func(law, format string, args ...any), wwid string, t table.Table, refs []PathRef, fail []table.DevNum) {
	m := mc.mapOf(wwid)
	if m == nil {
		bad("a load belongs to a map", "%s", wwid)
		return
	}
	devs := t.Devs()
	if len(devs) == 0 {
		bad("no empty table", "%s", wwid)
	}
	if len(devs) != len(refs) {
		bad("every path of a load is held", "%s: %d paths, %d held", wwid, len(devs), len(refs))
	}
	lun := ""
	for _, r := range refs {
		p := mc.path(r.ID)
		if p != nil && lun == "" {
			lun = p.seen.Identity.WWID
		}
		switch {
		case p == nil:
			bad("a load contains only known paths", "%s: %s", wwid, r.ID)
		case p.wwid != wwid:
			bad("one WWID per map, ever", "%s: %s is of %s", wwid, r.ID, p.wwid)
		case lun != "" && p.seen.Identity.WWID != lun: // though both bear the map's id
			bad("one LUN per map, ever", "%s: %s is %s, others are %s", wwid, r.ID, p.seen.Identity.WWID, lun)
		case !p.verified():
			bad("no load contains a path whose identity was not verified since it last failed", "%s: %s", wwid, r.ID)
		case !p.up() && !slices.Contains(fail, r.ID.Dev):
			bad("paths that are merely down are failed again right after resume", "%s: %s", wwid, r.ID)
		}
		if !slices.Contains(devs, r.ID.Dev) {
			bad("every held path is in the load", "%s: %s", wwid, r.ID)
		}
	}
}
