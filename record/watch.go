package record

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
)

// Watcher finds the edges: it compares what the core shows with what it showed
// before, and takes the causes from the core's notes and actions.
type Watcher struct {
	paths map[mpath.PathID]*pathMemo
	maps  map[string]*mapMemo
	round uint64 // counts snapshots
	notes []noted
	sent  map[string]string // by map and device: why we failed or reinstated it
	byDev map[table.DevNum]mpath.PathID
	told  []Told // edges found in the kernel's answers since the last snapshot
}

// noted is a note with its time.
type noted struct {
	mpath.Note
	at mpath.Instant
}

type pathMemo struct {
	name, hctl, label, wwid string
	state, kernel           string
	round                   uint64
}

type mapMemo struct {
	label, name string
	known       bool
	group       []mpath.PathID // that I/O goes through
	groupText   string
	queue       string
	suspended   bool
	lastError   string
	switchWhy   string // why we have I/O move: a message or a new table
	readAt      mpath.Instant
	round       uint64
}

// NewWatcher begins with nothing known.
func NewWatcher() *Watcher {
	return &Watcher{paths: map[mpath.PathID]*pathMemo{}, maps: map[string]*mapMemo{}, sent: map[string]string{}, byDev: map[table.DevNum]mpath.PathID{}}
}

// maxNotes bounds the notes between two snapshots: more are edges without a home.
const maxNotes = 1024

// Step takes causes out of what the core asked for, and what the kernel said of a map:
// snapshots are seconds apart, and I/O may have moved away and back between them.
func (w *Watcher) Step(at mpath.Instant, ev mpath.Event, acts []mpath.Action) {
	w.actions(at, acts)
	switch e := ev.(type) {
	case mpath.MapRead:
		if e.Errno == mpath.ErrnoNone {
			w.truth(at, e.Truth)
		}
	case mpath.ActionDone:
		if e.HasTruth {
			w.truth(at, e.Truth)
		}
	}
}

// truth compares what the kernel says of a map with what it said before. Maps and
// paths that are new are left to the next snapshot.
func (w *Watcher) truth(at mpath.Instant, t mpath.Truth) {
	m := w.maps[strings.TrimPrefix(t.UUID, "mpath-")]
	if m == nil || !m.known || len(w.told) >= maxNotes {
		return
	}
	e := Edge{Map: m.label, WWID: strings.TrimPrefix(t.UUID, "mpath-")}
	add := func(e Edge, at mpath.Instant, what What, from, to, why string) {
		e.What, e.From, e.To, e.Why = what, from, to, why
		w.told = append(w.told, Told{At: at, Edge: e})
	}
	for _, g := range t.Status.Groups {
		for _, tp := range g.Paths {
			p := w.paths[w.byDev[tp.Dev]]
			is := "active"
			if tp.State == table.PathFailed {
				is = "failed"
			}
			if p == nil || p.wwid != e.WWID || p.kernel == is || p.kernel == absent {
				continue
			}
			pe := e
			pe.Path, pe.Dev = p.name, tp.Dev.String()
			why, when := w.whyKernel(pe, at)
			add(pe, when, WhatKernel, p.kernel, is, why)
			p.kernel = is
		}
	}
	if n := t.Status.Next; n >= 1 && n <= len(t.Table.Groups) {
		g := mpath.GroupView{Number: n}
		for _, tp := range t.Table.Groups[n-1].Paths {
			id, ok := w.byDev[tp.Dev]
			if !ok {
				id = mpath.PathID{Dev: tp.Dev}
			}
			g.Paths = append(g.Paths, id)
		}
		text := w.groupText(g)
		if m.moved(g.Paths) {
			add(e, at, WhatGroup, m.groupText, text, m.takeSwitchWhy())
		}
		m.group, m.groupText, m.readAt = g.Paths, text, at
	}
	if m.suspended != t.Suspended {
		add(e, at, WhatSuspend, suspendWord(m.suspended), suspendWord(t.Suspended), "")
		m.suspended = t.Suspended
	}
}

// moved says whether I/O goes through none of the paths any more that it went through.
func (m *mapMemo) moved(now []mpath.PathID) bool {
	stays := func(id mpath.PathID) bool { return slices.Contains(m.group, id) }
	return len(m.group) > 0 && len(now) > 0 && !slices.ContainsFunc(now, stays)
}

// takeSwitchWhy gives the cause of a move, once.
func (m *mapMemo) takeSwitchWhy() string {
	why := m.switchWhy
	if why == "" {
		why = "the kernel left a group without a usable path"
	}
	m.switchWhy = ""
	return why
}

// whyKernel gives the cause of a change of a path in the kernel, and its time.
func (w *Watcher) whyKernel(e Edge, at mpath.Instant) (string, mpath.Instant) {
	why := w.sent[e.WWID+" "+e.Dev]
	delete(w.sent, e.WWID+" "+e.Dev)
	if text, when := w.note(at, about(e.Path, e.Dev, "on an I/O error")); text != "" {
		return text, when
	}
	return why, at
}

func suspendWord(suspended bool) string {
	if suspended {
		return "suspended"
	}
	return "running"
}

// absent is the state of a path that the kernel's table has not.
const absent = "not in the table"

func (w *Watcher) actions(at mpath.Instant, acts []mpath.Action) {
	for _, a := range acts {
		switch a := a.(type) {
		case mpath.Note:
			if len(w.notes) < maxNotes {
				w.notes = append(w.notes, noted{a, at})
			}
		case mpath.Message:
			verb, rest, _ := strings.Cut(a.Text, " ")
			switch m := w.maps[a.WWID]; {
			case verb == "fail_path" || verb == "reinstate_path":
				if len(w.sent) >= maxNotes {
					clear(w.sent)
				}
				w.sent[a.WWID+" "+rest] = "told by us: " + a.Reason
			case verb == "switch_group" && m != nil:
				m.switchWhy = "told by us: " + a.Reason
			}
		case mpath.LoadMap:
			if m := w.maps[a.WWID]; m != nil {
				m.switchWhy = "by a new table: " + a.Reason
			}
		}
	}
}

// note takes the first note that fits, since an edge tells it, and gives its text and
// time; the time is the one given where there is none.
func (w *Watcher) note(at mpath.Instant, fits func(mpath.Note) bool) (string, mpath.Instant) {
	i := slices.IndexFunc(w.notes, func(n noted) bool { return fits(n.Note) })
	if i < 0 {
		return "", at
	}
	n := w.notes[i]
	w.notes = slices.Delete(w.notes, i, i+1)
	return n.Text, n.at
}

func about(name, dev string, words ...string) func(mpath.Note) bool {
	start := "path " + name + " (" + dev + ") "
	return func(n mpath.Note) bool {
		i := strings.Index(n.Text, start)
		return i >= 0 && (len(words) == 0 || slices.ContainsFunc(words, func(s string) bool { return strings.Contains(n.Text, s) }))
	}
}

// Snapshot compares a snapshot with the one before. The edges come in the order of
// time: that of the note, the state or the kernel's answer that tells of them, at the
// latest that of the snapshot.
func (w *Watcher) Snapshot(s mpath.Snapshot) []Told {
	var out []Told
	w.round++
	readAt := map[string]mpath.Instant{}
	for i := range s.Maps {
		readAt[s.Maps[i].WWID] = s.Maps[i].ReadAt
	}
	here := 0
	for i := range s.Paths {
		if s.Paths[i].WWID != "" {
			here++
			out = w.path(out, &s.Paths[i], s.Now, readAt[s.Paths[i].WWID])
		}
	}
	if len(w.paths) > here {
		for _, id := range goneIDs(w.paths, w.round) {
			m := w.paths[id]
			why, at := w.note(s.Now, about(m.name, id.Dev.String(), "left"))
			out = append(out, Told{At: at, Edge: Edge{Map: m.label, WWID: m.wwid, Path: m.name, Dev: id.Dev.String(), What: WhatLeft, From: m.state, Why: why}})
			delete(w.paths, id)
			if w.byDev[id.Dev] == id {
				delete(w.byDev, id.Dev)
			}
		}
	}
	for i := range s.Maps {
		out = w.mapEdges(out, &s.Maps[i], s.Now)
	}
	if len(w.maps) > len(s.Maps) {
		for _, wwid := range goneMaps(w.maps, w.round) {
			if m := w.maps[wwid]; m.known {
				out = append(out, w.mapLeft(wwid, m, s.Now))
			}
			delete(w.maps, wwid)
		}
	}
	out = append(append(out, w.told...), w.rest(s)...)
	w.told = nil
	slices.SortStableFunc(out, func(a, b Told) int { return cmp.Compare(a.At, b.At) })
	return out
}

func goneIDs(paths map[mpath.PathID]*pathMemo, round uint64) (gone []mpath.PathID) {
	for id, m := range paths {
		if m.round != round {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, func(a, b mpath.PathID) int {
		return cmp.Or(a.Dev.Compare(b.Dev), cmp.Compare(a.Diskseq, b.Diskseq))
	})
	return gone
}

func goneMaps(maps map[string]*mapMemo, round uint64) (gone []string) {
	for wwid, m := range maps {
		if m.round != round {
			gone = append(gone, wwid)
		}
	}
	slices.Sort(gone)
	return gone
}

// shown is what the kernel's table says of a path.
func shown(p *mpath.PathView) string {
	switch {
	case !p.InTable:
		return absent
	case p.KernelFailed:
		return "failed"
	}
	return "active"
}

func (w *Watcher) path(out []Told, p *mpath.PathView, now, readAt mpath.Instant) []Told {
	memo, known := w.paths[p.ID]
	if !known {
		memo = &pathMemo{}
		w.paths[p.ID], w.byDev[p.ID.Dev] = memo, p.ID
	}
	old := *memo
	is := pathMemo{p.Name, p.HCTL, p.Map, p.WWID, p.State.Shown(), shown(p), w.round}
	*memo = is
	if old.round = is.round; is == old {
		return out
	}
	e := Edge{Map: p.Map, WWID: p.WWID, Path: p.Name, Dev: p.ID.Dev.String()}
	add := func(at mpath.Instant, what What, from, to, why string) {
		e.What, e.From, e.To, e.Why = what, from, to, why
		out = append(out, Told{At: at, Edge: e})
	}
	since := p.StateSince
	if since == 0 || since > now {
		since = now
	}
	switch {
	case !known:
		add(since, WhatSeen, "", p.HCTL, p.Decision.Reason)
	case old.wwid != is.wwid:
		add(now, WhatSeen, old.label, p.HCTL, p.Decision.Reason)
	}
	if old.state != is.state && (known || p.State != pathcheck.StateUnknown) {
		why := p.Message
		if text, _ := w.note(0, about(p.Name, e.Dev, "another LUN")); text != "" {
			why = text
		}
		w.note(0, about(p.Name, e.Dev, " is ")) // the same in words
		add(since, WhatState, old.state, is.state, why)
	}
	if old.kernel != is.kernel && (known || is.kernel != absent) {
		if readAt == 0 || readAt > now {
			readAt = now
		}
		why, at := w.whyKernel(e, readAt)
		add(at, WhatKernel, old.kernel, is.kernel, why)
	}
	return out
}

func queueText(m *mpath.MapView) string {
	switch {
	case m.Queueing.On && m.Queueing.Until != 0:
		return "queued, for a limited time"
	case m.Queueing.On:
		return "queued"
	case m.Queueing.Expired:
		return "failed: the time is over"
	}
	return "failed"
}

func (w *Watcher) mapEdges(out []Told, m *mpath.MapView, now mpath.Instant) []Told {
	memo, seen := w.maps[m.WWID]
	if !seen {
		memo = &mapMemo{}
		w.maps[m.WWID] = memo
	}
	old := *memo
	is := mapMemo{label: m.Name, known: m.Known, lastError: m.LastError, switchWhy: old.switchWhy, readAt: m.ReadAt, round: w.round}
	defer func() { *memo = is }()
	e := Edge{Map: m.Name, WWID: m.WWID}
	add := func(at mpath.Instant, what What, from, to, why string) {
		e.What, e.From, e.To, e.Why = what, from, to, why
		out = append(out, Told{At: at, Edge: e})
	}
	readAt := m.ReadAt
	if readAt == 0 || readAt > now {
		readAt = now
	}
	ours := func(words ...string) func(mpath.Note) bool {
		return func(n mpath.Note) bool {
			return (n.Object == m.Name || n.Object == m.WWID || seen && n.Object == old.label) && slices.ContainsFunc(words, func(s string) bool { return strings.HasPrefix(n.Text, s) })
		}
	}
	if m.LastError != "" && m.LastError != old.lastError {
		_, at := w.note(now, func(n mpath.Note) bool { return n.Object == m.Name && strings.Contains(n.Text, m.LastError) })
		add(at, WhatError, "", "", m.LastError)
	}
	if !m.Known {
		if old.known {
			out = append(out, w.mapLeft(m.WWID, &old, now))
		}
		return out
	}
	is.name, is.suspended, is.queue = m.Truth.Name, m.Truth.Suspended, queueText(m)
	for _, g := range m.Groups {
		switch {
		case !g.Current:
		case m.ReadAt == old.readAt:
			is.group, is.groupText = old.group, old.groupText
		default:
			is.group, is.groupText = g.Paths, w.groupText(g)
		}
	}
	if !old.known {
		why, at := w.note(readAt, ours("map created", "adopted"))
		if why == "" && !seen {
			why = "it was there before"
		}
		add(at, WhatMap, "", is.name, why)
		old.suspended = false
	} else {
		if old.name != is.name {
			add(readAt, WhatName, old.name, is.name, m.NameWhy)
		}
		if old.queue != is.queue {
			why, at := w.note(readAt, ours("no usable path", "no path came back", "a path is back"))
			add(at, WhatQueue, old.queue, is.queue, why)
		}
	}
	if old.known && old.moved(is.group) {
		add(readAt, WhatGroup, old.groupText, is.groupText, is.takeSwitchWhy())
	}
	if old.suspended != is.suspended {
		add(readAt, WhatSuspend, suspendWord(old.suspended), suspendWord(is.suspended), "")
	}
	return out
}

// groupText names a group and its paths.
func (w *Watcher) groupText(g mpath.GroupView) string {
	var names []string
	for _, id := range g.Paths {
		if p := w.paths[id]; p != nil {
			names = append(names, p.name)
		} else {
			names = append(names, id.Dev.String())
		}
	}
	return fmt.Sprintf("%d (%s)", g.Number, strings.Join(names, " "))
}

func (w *Watcher) mapLeft(wwid string, m *mapMemo, now mpath.Instant) Told {
	why, at := w.note(now, func(n mpath.Note) bool {
		return n.Object == m.label && (strings.HasPrefix(n.Text, "map removed") || strings.HasPrefix(n.Text, "the map was removed"))
	})
	return Told{At: at, Edge: Edge{Map: m.label, WWID: wwid, What: WhatRemoved, From: m.name, Why: why}}
}

// rest makes edges of the notes that no other edge told.
func (w *Watcher) rest(s mpath.Snapshot) []Told {
	var out []Told
	for _, n := range w.notes {
		e := Edge{What: WhatNote, Why: n.Text, Level: uint8(n.Level)}
		for _, m := range s.Maps {
			if n.Object == m.Name || n.Object == m.WWID {
				e.Map, e.WWID = m.Name, m.WWID
			}
		}
		for _, p := range s.Paths {
			if n.Object == p.Name {
				e.Path, e.Dev, e.Map, e.WWID = p.Name, p.ID.Dev.String(), p.Map, p.WWID
			}
		}
		if e.Map == "" && e.Path == "" {
			e.Object = n.Object
		}
		out = append(out, Told{At: n.at, Edge: e})
	}
	w.notes = nil
	return out
}
