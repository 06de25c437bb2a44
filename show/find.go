package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

// view is a snapshot with what is looked up again and again.
type view struct {
	s      mpath.Snapshot
	byID   map[mpath.PathID]*mpath.PathView
	byWWID map[string][]*mpath.PathView
	mapOf  map[string]*mpath.MapView // maps that the kernel has, by WWID
	states map[dmPath]table.PathStatus
}

// dmPath is a device as a map's table has it.
type dmPath struct {
	m   *mpath.MapView
	dev table.DevNum
}

func newView(s mpath.Snapshot) *view {
	v := &view{
		s: s, byID: make(map[mpath.PathID]*mpath.PathView, len(s.Paths)), byWWID: make(map[string][]*mpath.PathView, len(s.Maps)),
		mapOf: make(map[string]*mpath.MapView, len(s.Maps)), states: make(map[dmPath]table.PathStatus, len(s.Paths)),
	}
	for i := range s.Maps {
		m := &s.Maps[i]
		if !m.Known {
			continue
		}
		v.mapOf[m.WWID] = m
		for _, g := range m.Truth.Status.Groups {
			for _, p := range g.Paths {
				v.states[dmPath{m, p.Dev}] = p
			}
		}
	}
	for i := range s.Paths {
		p := &s.Paths[i]
		if p.Odd == "" {
			v.byID[p.ID] = p
		}
		if p.WWID != "" {
			v.byWWID[p.WWID] = append(v.byWWID[p.WWID], p)
		}
	}
	return v
}

// maps gives the maps in the order of their dm minor, those that the kernel does
// not have last, by name.
func (v *view) maps() []*mpath.MapView {
	out := make([]*mpath.MapView, len(v.s.Maps))
	for i := range v.s.Maps {
		out[i] = &v.s.Maps[i]
	}
	slices.SortStableFunc(out, func(a, b *mpath.MapView) int {
		if a.Known != b.Known {
			if a.Known {
				return -1
			}
			return 1
		}
		if a.Known {
			return cmp.Or(a.Truth.Dev.Compare(b.Truth.Dev), Natural(a.Name, b.Name))
		}
		return cmp.Or(Natural(a.Name, b.Name), cmp.Compare(a.WWID, b.WWID))
	})
	return out
}

// knownMaps gives the maps that the kernel has, by dm minor: all that multipathd's
// clients know of.
func (v *view) knownMaps() []*mpath.MapView {
	return slices.DeleteFunc(v.maps(), func(m *mpath.MapView) bool { return !m.Known })
}

// findMap gives the map that multipathd's clients mean: dm-N, name or WWID, in this
// order, with /dev/ or /dev/mapper/ before it or without. nil: there is none.
func (v *view) findMap(name string) *mpath.MapView {
	short := strings.TrimPrefix(strings.TrimPrefix(name, "/dev/"), "mapper/")
	for _, is := range []func(m *mpath.MapView) bool{
		func(m *mpath.MapView) bool { return sysName(*m) == short },
		func(m *mpath.MapView) bool { return m.Name == short },
		func(m *mpath.MapView) bool { return m.WWID == short },
	} {
		for i := range v.s.Maps {
			if m := &v.s.Maps[i]; m.Known && is(m) {
				return m
			}
		}
	}
	return nil
}

// dm is what the kernel's status says of a path of a map, zero where it is not in
// its table.
func (v *view) dm(m *mpath.MapView, dev table.DevNum) table.PathStatus {
	return v.states[dmPath{m, dev}]
}

// listedPaths gives the paths that multipathd lists, by name: those of maps, and as
// orphans the disks that could be paths and have no map.
func (v *view) listedPaths() []pathRow {
	var out []pathRow
	for _, p := range v.paths() {
		if p.WWID != "" || orphan(p) {
			out = append(out, pathRow{m: v.mapOf[p.WWID], id: p.ID, p: p})
		}
	}
	return out
}

// orphan says whether a disk that belongs to no map is one that multipathd would
// list: nothing but find_multipaths, or who uses it, keeps it from being a path.
func orphan(p *mpath.PathView) bool {
	return p.Odd == "" && p.WWID == "" && !p.Decision.Skipped && p.Decision.Verdict != policy.VerdictUnknown
}

// paths gives the paths in the order of their names.
func (v *view) paths() []*mpath.PathView {
	out := make([]*mpath.PathView, len(v.s.Paths))
	for i := range v.s.Paths {
		out[i] = &v.s.Paths[i]
	}
	slices.SortStableFunc(out, func(a, b *mpath.PathView) int {
		return cmp.Or(Natural(a.Name, b.Name), cmp.Compare(a.ID.Diskseq, b.ID.Diskseq))
	})
	return out
}

// waiting gives the paths that belong to a map but do not stand in its table.
func (v *view) waiting(m *mpath.MapView) []*mpath.PathView {
	var out []*mpath.PathView
	for _, p := range v.byWWID[m.WWID] {
		if !p.InTable {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b *mpath.PathView) int { return Natural(a.Name, b.Name) })
	return out
}

// vendor gives vendor and model of a map's LUN, by its first path that is known.
func (v *view) vendor(m *mpath.MapView) (vendor, model string) {
	for _, g := range m.Groups {
		for _, id := range g.Paths {
			if p := v.byID[id]; p != nil && p.Seen.Identity.Vendor+p.Seen.Identity.Model != "" {
				return p.Seen.Identity.Vendor, p.Seen.Identity.Model
			}
		}
	}
	for _, p := range v.byWWID[m.WWID] {
		if p.Seen.Identity.Vendor+p.Seen.Identity.Model != "" {
			return p.Seen.Identity.Vendor, p.Seen.Identity.Model
		}
	}
	return "", ""
}

// Select reduces a snapshot to one map and its paths. The map is named by name,
// WWID, dm-N, or one of its paths (sda, 8:16); a leading /dev/ or /dev/mapper/ is
// taken off. false: there is none of that name.
func Select(s mpath.Snapshot, name string) (mpath.Snapshot, bool) {
	wwid, ok := selectWWID(s, name)
	if !ok {
		return mpath.Snapshot{}, false
	}
	out := s
	out.Maps, out.Paths = nil, nil
	for _, m := range s.Maps {
		if m.WWID == wwid {
			out.Maps = append(out.Maps, m)
		}
	}
	for _, p := range s.Paths {
		if p.WWID == wwid {
			out.Paths = append(out.Paths, p)
		}
	}
	return out, true
}

func selectWWID(s mpath.Snapshot, name string) (wwid string, ok bool) {
	short := name
	for _, prefix := range []string{"/dev/mapper/", "/dev/"} {
		if rest, cut := strings.CutPrefix(name, prefix); cut {
			short = strings.ReplaceAll(rest, "/", "!")
			break
		}
	}
	for _, m := range s.Maps {
		if m.Name == short || m.WWID == short || m.Known && sysName(m) == short {
			return m.WWID, true
		}
	}
	dev, err := table.ParseDevNum(short)
	for _, p := range s.Paths {
		if p.WWID != "" && (p.Name == short || err == nil && p.Odd == "" && p.ID.Dev == dev) {
			return p.WWID, true
		}
	}
	for _, m := range s.Maps {
		if err == nil && m.Known && m.Truth.Dev == dev {
			return m.WWID, true
		}
	}
	return "", false
}

// sysName gives a map's kernel name, "dm-3".
func sysName(m mpath.MapView) string { return fmt.Sprintf("dm-%d", m.Truth.Dev.Minor) }

// Why says in one clause what is special about a path: why it is no path, why it
// stands in no table, why it is down. "" is a healthy path.
func Why(p mpath.PathView) string {
	switch {
	case p.Odd != "":
		return p.Odd
	case p.Stranger != "":
		return "another LUN answers here: " + p.Stranger + ", not " + p.WWID
	case p.WWID == "":
		return rejection(p.Decision)
	case p.Held:
		return "failed by an operator: `path reinstate` ends that"
	case p.Refused != "":
		return "not in its map: " + p.Refused
	}
	state := ""
	if !up(p.State) && p.State != pathcheck.StateUnknown && p.Message != "" {
		state = p.Message
	}
	switch {
	case p.InTable && p.KernelFailed && up(p.State):
		return "the kernel has failed it; it comes back when its identity is verified"
	case p.InTable:
		return state
	case p.State == pathcheck.StateUnknown:
		return "not checked yet"
	case !up(p.State):
		return join("not in its map until it works and is verified to be the same LUN", state)
	}
	return "not in its map yet: its identity is to be verified, or a table is to be loaded"
}

func up(s pathcheck.State) bool { return s == pathcheck.StateUp || s == pathcheck.StateGhost }

// rejection says why a device is no path, and by which rule.
func rejection(d policy.Decision) string {
	text := d.Reason
	if text == "" {
		text = "not decided yet"
	}
	if o := d.Origin.String(); o != "" {
		text += " (" + o + ")"
	}
	return text
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}
