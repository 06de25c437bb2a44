package record

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"pathkeeper/mpath"
)

// Told is an edge with its time.
type Told struct {
	At   mpath.Instant `json:"at"`
	Wall time.Time     `json:"time"`
	Edge
}

// History collects the edges of recordings that concern one map or path.
type History struct {
	of    string
	since time.Time

	Told  []Told
	Map   string // the name and WWID that the question was found to mean
	WWID  string
	Paths []string // kernel names of the map's paths, if it is a map
	Path  string   // or the path

	Began time.Time // of what the recordings tell
	Ended time.Time
	Left  int // edges that were left out: more than MostTold, the oldest

	all   []Told // before the question is understood
	names map[string]bool
	last  map[string]Told // by path, or what about the map
}

// MostTold bounds the edges that are kept in memory.
const MostTold = 200_000

// NewHistory asks for the edges of a map or path (name, WWID, /dev/..., 8:16) since
// some time; zero: all.
func NewHistory(of string, since time.Time) *History {
	of = strings.TrimPrefix(strings.TrimPrefix(of, "/dev/mapper/"), "/dev/")
	return &History{of: of, since: since, names: map[string]bool{}, last: map[string]Told{}}
}

// File reads the edges of one recording. Damage is told to problem and left out.
func (h *History) File(name string, in io.Reader, problem func(Problem)) error {
	r := NewReader(name, in, problem)
	for {
		f, err := r.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case f.Mark == MarkHeader:
			h.seen(r.Header.Wall)
		case f.Mark == MarkEvent:
			h.seen(r.Header.WallOf(f.At))
		case f.Mark == MarkEdge:
			var e Edge
			if err := json.Unmarshal([]byte(f.Text), &e); err != nil {
				r.Problem("edge: %v", err)
				continue
			}
			wall := r.Header.WallOf(f.At)
			if f.At == 0 {
				wall = h.Ended // written by whoever made the copy
			}
			h.seen(wall)
			h.add(Told{f.At, wall, e})
		}
	}
}

func (h *History) seen(t time.Time) {
	if t.IsZero() {
		return
	}
	if h.Began.IsZero() || t.Before(h.Began) {
		h.Began = t
	}
	if t.After(h.Ended) {
		h.Ended = t
	}
}

func (h *History) add(t Told) {
	for _, n := range []string{t.Map, t.WWID, t.Path, t.Dev} {
		if n != "" {
			h.names[n] = true
		}
	}
	if len(h.all) >= 2*MostTold {
		h.all = slices.Delete(h.all, 0, MostTold)
		h.Left += MostTold
	}
	h.all = append(h.all, t)
}

// Find understands the question and keeps what answers it, in the order of time;
// false: nothing in the recordings bears that name.
func (h *History) Find() bool {
	slices.SortStableFunc(h.all, func(a, b Told) int { return a.Wall.Compare(b.Wall) })
	wwids, devs := map[string]bool{}, map[string]bool{}
	for i := range h.all { // the newest meaning of a name counts
		t := &h.all[i]
		switch {
		case t.Path != "" && (t.Path == h.of || t.Dev == h.of):
			h.Path, h.Map, h.WWID = t.Path, t.Map, t.WWID
			devs[t.Dev] = true
		case t.Map != "" && t.Map == h.of || t.WWID != "" && t.WWID == h.of:
			h.Map, h.WWID = t.Map, t.WWID
			wwids[t.WWID] = true
		}
	}
	if h.Path == "" && h.WWID == "" && h.Map == "" {
		return false
	}
	if len(wwids) > 0 && !devs[h.of] {
		h.Path = "" // a map's name wins over a path's
	}
	paths := map[string]bool{}
	for _, t := range h.all {
		if h.Path == "" && wwids[t.WWID] && t.Path != "" && t.What != WhatNote {
			if paths[t.Path] = true; t.What == WhatLeft {
				delete(paths, t.Path)
			}
		}
		if !h.concerns(t, wwids) {
			continue
		}
		switch t.What {
		case WhatState, WhatLeft:
			h.last["p"+t.Path] = t
		case WhatGroup, WhatQueue, WhatMap, WhatRemoved:
			h.last["m"+string(t.What)] = t
		}
		if !t.Wall.Before(h.since) {
			h.Told = append(h.Told, t)
		}
	}
	for p := range paths {
		h.Paths = append(h.Paths, p)
	}
	slices.Sort(h.Paths)
	h.all = nil
	return true
}

// concerns says whether an edge belongs to the answer. What is about neither maps nor
// paths (time, the daemon, bugs) belongs to every one.
func (h *History) concerns(t Told, wwids map[string]bool) bool {
	switch {
	case t.Map == "" && t.WWID == "" && t.Path == "":
		return t.What == WhatDaemon || slices.Contains([]string{"time", "bug", "record", "uevents"}, t.Object)
	case h.Path != "":
		return t.Path == h.Path || t.What == WhatNote && t.Map == h.Map && strings.Contains(t.Why, "path "+h.Path+" ")
	}
	return wwids[t.WWID] || t.WWID == "" && t.Map == h.Map
}

// Known lists every name that the recordings tell of, sorted.
func (h *History) Known() []string {
	out := make([]string, 0, len(h.names))
	for n := range h.names {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Now gives the last state of each path that the answer is about, and since when,
// however long ago that is.
func (h *History) Now() []Told {
	out := make([]Told, 0, len(h.last))
	for _, t := range h.last {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Told) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), a.Wall.Compare(b.Wall), cmp.Compare(a.What, b.What))
	})
	return out
}
