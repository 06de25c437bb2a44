package run

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/scenario"
)

// dmMap is one multipath map as the kernel prints it. The lab has a reader of
// its own, so that a mistake in Pathkeeper's cannot hide itself.
type dmMap struct {
	Name, UUID string
	Dev        string // "253:0"
	Suspended  bool
	Sectors    int64
	Features   []string
	Handler    []string
	Selector   string // of the first group
	Groups     []dmGroup
}

type dmGroup struct {
	State byte // 'A' active, 'E' enabled, 'D' disabled
	Paths []dmPath
}

type dmPath struct {
	Dev    string // "8:16"
	Failed bool
}

// words takes counted lists off a table or status line.
type words struct {
	list []string
	err  error
}

func (w *words) next() string {
	if len(w.list) == 0 {
		if w.err == nil {
			w.err = fmt.Errorf("the line ends too early")
		}
		return "0"
	}
	first := w.list[0]
	w.list = w.list[1:]
	return first
}

func (w *words) number() int {
	text := w.next()
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		if w.err == nil {
			w.err = fmt.Errorf("%q is no count", text)
		}
		return 0
	}
	return n
}

func (w *words) take(n int) []string {
	if n > len(w.list) {
		w.next()
		w.list = nil
		return nil
	}
	out := w.list[:n]
	w.list = w.list[n:]
	return out
}

// parseTable reads "start length multipath" and what drivers/md/dm-mpath.c
// prints for STATUSTYPE_TABLE.
func (m *dmMap) parseTable(line string) error {
	w := &words{list: strings.Fields(line)}
	w.next()
	m.Sectors = int64(w.number())
	if kind := w.next(); kind != "multipath" {
		return fmt.Errorf("target %s is not multipath", kind)
	}
	m.Features = w.take(w.number())
	m.Handler = w.take(w.number())
	groups := w.number()
	w.next() // the group to begin with
	m.Groups = nil
	for range groups {
		var g dmGroup
		selector := w.next()
		if m.Selector == "" {
			m.Selector = selector
		}
		w.take(w.number())
		paths, args := w.number(), w.number()
		for range paths {
			g.Paths = append(g.Paths, dmPath{Dev: w.next()})
			w.take(args)
		}
		m.Groups = append(m.Groups, g)
		if w.err != nil {
			break
		}
	}
	if w.err != nil {
		return fmt.Errorf("table %q: %w", line, w.err)
	}
	return nil
}

// parseStatus adds what STATUSTYPE_INFO prints: the state of groups and paths.
// The table must have been parsed.
func (m *dmMap) parseStatus(line string) error {
	w := &words{list: strings.Fields(line)}
	w.take(3)
	w.take(w.number()) // queue_io and pg_init_count
	w.take(w.number()) // the handler's
	groups := w.number()
	w.next()
	if groups != len(m.Groups) {
		return fmt.Errorf("status %q has %d groups, the table %d: it changed between two looks", line, groups, len(m.Groups))
	}
	for i := range m.Groups {
		g := &m.Groups[i]
		g.State = w.next()[0]
		w.take(w.number())
		paths, args := w.number(), w.number()
		if paths != len(g.Paths) {
			return fmt.Errorf("status %q: group %d has %d paths, in the table %d: it changed between two looks", line, i+1, paths, len(g.Paths))
		}
		for j := range g.Paths {
			w.next()
			g.Paths[j].Failed = w.next() == "F"
			w.next() // fail count
			w.take(args)
		}
	}
	if w.err != nil {
		return fmt.Errorf("status %q: %w", line, w.err)
	}
	return nil
}

// queues says whether the map holds I/O back when no path is left.
func (m *dmMap) queues() bool { return slices.Contains(m.Features, "queue_if_no_path") }

// view is a dmMap in a scenario's words: ports for device numbers.
func (m *dmMap) view(labels map[string]string) scenario.MapState {
	v := scenario.MapState{Queue: "off", State: "active", Selector: m.Selector, Handler: strings.Join(m.Handler, " ")}
	v.WWID = strings.TrimPrefix(m.UUID, "mpath-")
	if m.queues() {
		v.Queue = "on"
	}
	if m.Suspended {
		v.State = "suspended"
	}
	var groups []scenario.GroupState
	for _, g := range m.Groups {
		state := scenario.GroupState{Current: g.State == 'A'}
		for _, p := range g.Paths {
			name := labels[p.Dev]
			if name == "" {
				name = p.Dev
			}
			state.Paths = append(state.Paths, name)
			if p.Failed {
				state.Failed = append(state.Failed, name)
			}
		}
		groups = append(groups, state)
	}
	v.SetGroups(groups)
	return v
}
