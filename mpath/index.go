package mpath

import (
	"slices"

	"pathkeeper/dmmap/table"
)

// index finds paths and maps by what events and decisions speak of. Its Go maps
// are only ever looked up, never walked; each list in them is sorted, and replaced
// instead of changed, so that a loop over one is safe.
type index struct {
	ids     map[string][]*path       // by every id of the LUN
	names   map[string][]*path       // by kernel name
	targets map[string][]*path       // by host, channel and target: "2:0:0"
	knobs   map[string][]*path       // by the directories of knobDirs; changed in place
	dev     map[table.DevNum]*mmap   // known maps by their device number
	holders map[table.DevNum][]*mmap // maps whose kernel table has a device, by WWID
	asked   map[uint64]*mmap         // by the Seq of an open action or read
}

func newIndex() index {
	return index{
		ids: map[string][]*path{}, names: map[string][]*path{}, targets: map[string][]*path{}, knobs: map[string][]*path{},
		dev: map[table.DevNum]*mmap{}, holders: map[table.DevNum][]*mmap{}, asked: map[uint64]*mmap{},
	}
}

// see takes over a path's new identification.
func (x *index) see(p *path, e PathSeen) {
	x.forget(p)
	p.seen = e
	for _, id := range idStrings(e.Identity) {
		x.ids[id] = withPath(x.ids[id], p)
	}
	x.names[e.Name] = withPath(x.names[e.Name], p)
	if t := targetOf(e.HCTL); t != "" {
		x.targets[t] = withPath(x.targets[t], p)
	}
	for _, dir := range knobDirs(e) {
		if i, ok := slices.BinarySearchFunc(x.knobs[dir], p.id, comparePath); !ok {
			x.knobs[dir] = slices.Insert(x.knobs[dir], i, p)
		}
	}
}

// forget takes a path out.
func (x *index) forget(p *path) {
	for _, id := range idStrings(p.seen.Identity) {
		if x.ids[id] = withoutPath(x.ids[id], p); len(x.ids[id]) == 0 {
			delete(x.ids, id)
		}
	}
	if x.names[p.seen.Name] = withoutPath(x.names[p.seen.Name], p); len(x.names[p.seen.Name]) == 0 {
		delete(x.names, p.seen.Name)
	}
	if t := targetOf(p.seen.HCTL); t != "" {
		if x.targets[t] = withoutPath(x.targets[t], p); len(x.targets[t]) == 0 {
			delete(x.targets, t)
		}
	}
	for _, dir := range knobDirs(p.seen) {
		list := x.knobs[dir]
		if i, ok := slices.BinarySearchFunc(list, p.id, comparePath); ok && list[i] == p {
			x.knobs[dir] = slices.Delete(list, i, i+1)
		}
		if len(x.knobs[dir]) == 0 {
			delete(x.knobs, dir)
		}
	}
}

// either gives the paths that bear one of two ids, by path id.
func (x *index) either(a, b string) []*path {
	if a == b || b == "" {
		return x.ids[a]
	}
	out := x.ids[b]
	for _, p := range x.ids[a] {
		out = withPath(out, p)
	}
	return out
}

// hold takes over what the kernel has of a map: the one place that writes known
// and have.
func (mc *Machine) hold(m *mmap, known bool, t Truth) {
	x := &mc.find
	if m.known && x.dev[m.have.Dev] == m {
		delete(x.dev, m.have.Dev)
	}
	for _, d := range m.have.Table.Devs() {
		if x.holders[d] = slices.DeleteFunc(slices.Clone(x.holders[d]), func(o *mmap) bool { return o == m }); len(x.holders[d]) == 0 {
			delete(x.holders, d)
		}
	}
	had := m.have.Table.Devs()
	m.known, m.have = known, t
	mc.stirMap(m)
	if known {
		x.dev[t.Dev] = m
		for _, d := range t.Table.Devs() {
			x.holders[d] = withMap(x.holders[d], m)
		}
	}
	for _, d := range had {
		mc.freed(m, d)
	}
}

// freed looks again at a device that left a table of a map that it is no path of: no
// event tells that nothing holds it any more.
func (mc *Machine) freed(m *mmap, d table.DevNum) {
	p := mc.pathByDev(d)
	if p == nil || p.wwid == m.wwid || len(mc.find.holders[d]) > 0 {
		return
	}
	p.inTable, p.kernelFailed = false, false
	mc.look(p.seen.Name)
}

// answered closes an open question of a map.
func (mc *Machine) answered(seq *uint64) {
	delete(mc.find.asked, *seq)
	*seq = 0
}

// concerned gives the paths of a map and those behind the devices of a table, by id.
func (mc *Machine) concerned(m *mmap, devs []table.DevNum) []*path {
	out := m.paths
	for _, d := range devs {
		if p := mc.pathByDev(d); p != nil && p.wwid != m.wwid {
			out = withPath(out, p)
		}
	}
	return out
}

// rivals gives the paths that bear the device number or the name of another
// appearance of a device, by id.
func (mc *Machine) rivals(id PathID, name string) []*path {
	var out []*path
	for _, q := range mc.find.names[name] {
		if q.id != id {
			out = withPath(out, q)
		}
	}
	i, _ := slices.BinarySearchFunc(mc.paths, PathID{Dev: id.Dev}, comparePath)
	for ; i < len(mc.paths) && mc.paths[i].id.Dev == id.Dev; i++ {
		if mc.paths[i].id != id {
			out = withPath(out, mc.paths[i])
		}
	}
	return out
}

func comparePath(p *path, id PathID) int { return p.id.compare(id) }

// withPath gives a list sorted by id with a path in it; the list given stays as it is.
func withPath(list []*path, p *path) []*path {
	i, ok := slices.BinarySearchFunc(list, p.id, comparePath)
	if ok {
		return list
	}
	out := make([]*path, len(list)+1)
	copy(out, list[:i])
	out[i] = p
	copy(out[i+1:], list[i:])
	return out
}

// withoutPath gives the list without a path; the list given stays as it is.
func withoutPath(list []*path, p *path) []*path {
	i, ok := slices.BinarySearchFunc(list, p.id, comparePath)
	if !ok || list[i] != p {
		return list
	}
	return slices.Delete(slices.Clone(list), i, i+1)
}

func withMap(list []*mmap, m *mmap) []*mmap {
	for i, o := range list {
		if o == m {
			return list
		}
		if o.wwid > m.wwid {
			return slices.Insert(slices.Clone(list), i, m)
		}
	}
	return append(slices.Clip(list), m)
}
