package mpath

import (
	"slices"
	"strconv"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
)

// group is one path group of a layout.
type group struct {
	paths []*path
}

// layout groups paths by the map's policy, best group first.
func (mc *Machine) layout(m *mmap, ps []*path) []group {
	in := make([]policy.GroupPath, len(ps))
	apart := mc.marginalGroups()
	for i, p := range ps {
		in[i] = p.groupFacts()
		in[i].Marginal = apart && p.marginal
	}
	groups, _ := policy.Group(m.settings.Grouping.V, apart, in)
	out := make([]group, len(groups))
	for i, g := range groups {
		for _, j := range g.Paths {
			out[i].paths = append(out[i].paths, ps[j])
		}
	}
	return out
}

func (p *path) priority() int {
	if !p.prioKnown {
		return -1
	}
	return p.prio.Priority
}

// tableOf writes a layout as a table.
func (mc *Machine) tableOf(m *mmap, lay []group) table.Table {
	t := table.Table{Features: countedWords(m.settings.Features.V), Handler: countedWords(m.settings.Handler.V), First: mc.firstGroup(m, lay)}
	if m.noHandler {
		t.Handler = nil
	}
	if on, decided := m.wantQueue(); decided {
		t = t.WithQueue(on)
	} else if m.known {
		t = t.WithQueue(m.have.Table.QueueIfNoPath())
	}
	sel := strings.Fields(m.settings.Selector.V)
	if len(sel) == 0 {
		sel = []string{"service-time", "0"}
	}
	for _, g := range lay {
		tg := table.Group{Selector: sel[0]}
		if len(sel) > 2 {
			tg.SelArgs = slices.Clone(sel[2:])
		}
		for _, p := range g.paths {
			minio := m.settings.MinIO.V
			if m.settings.RRWeight.V == "priorities" && p.priority() > 0 {
				minio *= p.priority()
			}
			tg.Paths = append(tg.Paths, table.Path{Dev: p.id.Dev, Args: []string{strconv.Itoa(minio)}})
		}
		t.Groups = append(t.Groups, tg)
	}
	return t
}

// countedWords gives the words of a "2 pg_init_retries 50" without the count.
func countedWords(s string) []string {
	f := strings.Fields(s)
	if len(f) < 2 {
		return nil
	}
	return f[1:]
}

// difference is one way in which a map is not as it is wanted.
type difference struct {
	Kind string // "paths", "stranger", or the word of a table.Field
	Text string
}

type differences []difference

func (d differences) kinds() []string {
	var out []string
	for _, x := range d {
		if x.Kind != "paths" && x.Kind != "stranger" {
			out = addSorted(out, x.Kind)
		}
	}
	return out
}

// differences compares Want with Have. Queueing and the current group are not
// among them: messages set those.
func (mc *Machine) differences(m *mmap, ps []*path) differences {
	var d differences
	devs := m.have.Table.Devs()
	readOnly := mc.fitMode(m, ps)
	m.stillRO = m.stillRO && !readOnly
	for _, p := range ps {
		if !p.inTable && !p.dropped && p.refused == "" && p.up() && p.proven() {
			d = append(d, difference{"paths", "path " + p.seen.Name + " (" + p.id.Dev.String() + ") joins"})
		}
	}
	for _, dev := range devs {
		switch p := mc.pathByDev(dev); {
		case mc.departed(m, dev):
			d = append(d, difference{"paths", "path " + dev.String() + " left"})
		case p != nil && p.wwid == m.wwid && p.stranger != "":
			d = append(d, difference{"stranger", "path " + p.seen.Name + " (" + dev.String() + ") leads to another LUN, " + p.stranger})
		}
	}
	for _, p := range ps {
		if p.inTable && p.dropped {
			d = append(d, difference{"paths", "path " + p.seen.Name + " (" + p.id.Dev.String() + ") was removed by an operator"})
		}
		if p.inTable && p.refused == writeProtected {
			d = append(d, difference{"read-only", "path " + p.seen.Name + " (" + p.id.Dev.String() + ") is write-protected, others are not"})
		}
	}
	// The rest is compared on the paths that are both here and there, so that
	// a path that comes or goes is not reported as something else as well.
	var both []*path
	for _, p := range ps {
		if p.inTable && p.up() {
			both = append(both, p)
		}
	}
	if len(both) == 0 {
		return d
	}
	if readOnly != m.have.ReadOnly && !(m.stillRO && m.have.ReadOnly) {
		text := "the map is read-only, its paths are not"
		if readOnly {
			text = "all its paths are write-protected, the map is not"
		}
		d = append(d, difference{"read-only", text})
	}
	lay := mc.layout(m, both)
	want := mc.tableOf(m, lay).WithQueue(false)
	have := only(m.have.Table, both).WithQueue(false)
	for _, x := range table.Diff(want, have) {
		if x.Field == table.FieldFirst || x.Field == table.FieldQueueMode {
			continue // the kernel's current group; and what no load can change
		}
		d = append(d, difference{x.Field.String(), x.String()})
	}
	return d
}

// only gives a table reduced to some paths; groups left empty go.
func only(t table.Table, ps []*path) table.Table {
	out := table.Table{Features: t.Features, Handler: t.Handler, First: 1}
	for _, g := range t.Groups {
		ng := table.Group{Selector: g.Selector, SelArgs: g.SelArgs}
		for _, p := range g.Paths {
			if slices.ContainsFunc(ps, func(q *path) bool { return q.id.Dev == p.Dev }) {
				ng.Paths = append(ng.Paths, p)
			}
		}
		if len(ng.Paths) > 0 {
			out.Groups = append(out.Groups, ng)
		}
	}
	return out
}
