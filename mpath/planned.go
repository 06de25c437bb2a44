package mpath

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
)

// PlanVersion is the version of Plan's form.
const PlanVersion = 1

// Plan is what a configuration would do to the maps, before anything is touched:
// what it was made from, and what would be done. It is what `plan` prints and keeps
// in a file, and what `apply` does, exactly, or refuses. Equal configurations on
// equal worlds make equal plans, but for Made.
type Plan struct {
	Version int        `json:"version"`
	Made    string     `json:"made"` // when, by the wall clock; RFC 3339
	Config  PlanConfig `json:"config"`
	World   PlanWorld  `json:"world"`
	// Maps are those that something is done to, or that somebody should do
	// something to; the others stay as they are.
	Maps     []MapPlan `json:"maps"`
	Warnings []string  `json:"warnings"`
}

// PlanConfig says which configuration it is.
type PlanConfig struct {
	Place string   `json:"place"` // what it was read from instead of the system's files; "" from those
	Files []string `json:"files"` // that were read
	Sum   string   `json:"sha256"`
}

// PlanWorld is what a plan was made from.
type PlanWorld struct {
	Maps  []PlanHave `json:"maps"`  // by WWID
	Paths []PlanPath `json:"paths"` // by device number
}

// PlanHave is a map as the kernel has it.
type PlanHave struct {
	WWID      string        `json:"wwid"`
	Name      string        `json:"name"`
	Dev       string        `json:"dev"`
	Size      table.Sectors `json:"sectors"`
	Table     string        `json:"table"` // the group that is used counts for nothing: it is 1
	ReadOnly  bool          `json:"read_only,omitempty"`
	Suspended bool          `json:"suspended,omitempty"`
	Busy      string        `json:"busy,omitempty"` // what was being done to it
}

// PlanPath is a block device, a path or not.
type PlanPath struct {
	ID    PathID `json:"id"`
	Name  string `json:"name"`
	WWID  string `json:"wwid"`            // by what the device says of itself
	Map   string `json:"map,omitempty"`   // WWID of its map, "" it is a path of none
	State string `json:"state,omitempty"` // up or down by its checker; "" of no path
}

// PlanKind is what is done to a map.
type PlanKind string

// What is done to maps.
const (
	PlanCreate   PlanKind = "create"
	PlanReload   PlanKind = "reload" // a new table
	PlanRename   PlanKind = "rename"
	PlanRemove   PlanKind = "remove"
	PlanResize   PlanKind = "resize"
	PlanQueueing PlanKind = "queueing" // by message
	PlanOwner    PlanKind = "owner"    // of its node
	// What no daemon does, and somebody should.
	PlanRecreate  PlanKind = "recreate"  // the difference takes a new map
	PlanInitramfs PlanKind = "initramfs" // it is to be rebuilt
)

// PlanStep is one thing that is done to a map, or that somebody should do.
type PlanStep struct {
	Kind   PlanKind `json:"kind"`
	Reason string   `json:"reason"`
}

// MapPlan is what is done to one map.
type MapPlan struct {
	WWID  string     `json:"wwid"`
	Name  string     `json:"name"`         // now; of a map that is made: its name
	To    string     `json:"to,omitempty"` // its name after a rename
	Steps []PlanStep `json:"steps"`        // in their order; none: it stays as it is
	// Needs are what no daemon does.
	Needs []PlanStep `json:"needs"`
	// Before and After are the tables, "" where there is none.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Diff says in words what is another in the table.
	Diff     []string        `json:"diff"`
	Settings []SettingChange `json:"settings"`
	Join     []string        `json:"join"`  // paths that come into the table
	Leave    []string        `json:"leave"` // paths that leave it
	Warnings []string        `json:"warnings"`
	// AsGrouped: priorities are asked anew, and the groups are made of what they
	// are then.
	AsGrouped bool `json:"as_grouped,omitempty"`
}

// SettingChange is one setting that the configuration changes.
type SettingChange struct {
	Keyword    string `json:"keyword"`
	Before     string `json:"before"`
	BeforeFrom string `json:"before_from"`
	After      string `json:"after"`
	AfterFrom  string `json:"after_from"`
}

// Empty says whether a plan does nothing.
func (p Plan) Empty() bool {
	return !slices.ContainsFunc(p.Maps, func(m MapPlan) bool { return len(m.Steps) > 0 })
}

// Summary counts what there is to do, for a line of the log.
func (p Plan) Summary() string {
	changed, made := 0, 0
	for _, m := range p.Maps {
		if len(m.Steps) > 0 {
			changed++
		}
		if m.Has(PlanCreate) {
			made++
		}
	}
	return fmt.Sprintf("%d of %d maps change", changed, len(p.World.Maps)+made)
}

// Has says whether a kind is among a map's steps.
func (m MapPlan) Has(k PlanKind) bool {
	return slices.ContainsFunc(m.Steps, func(s PlanStep) bool { return s.Kind == k })
}

// Kinds gives the words of what is done, in order; "nothing" for nothing.
func (m MapPlan) Kinds() string {
	var out []string
	for _, s := range m.Steps {
		if !slices.Contains(out, string(s.Kind)) {
			out = append(out, string(s.Kind))
		}
	}
	for _, s := range m.Needs {
		out = append(out, "needs "+string(s.Kind))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

// Sum names the content of a configuration: its settings and where they stand.
func (e Configured) Sum() string {
	e.Reconfigure = false
	var b bytes.Buffer
	if err := encodePlain(&b, e); err != nil {
		return "unknown: " + err.Error() // plain data always encodes
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:])
}

// world is what a plan is made from, as it is now.
func (mc *Machine) world() PlanWorld {
	w := PlanWorld{Maps: []PlanHave{}, Paths: []PlanPath{}}
	for _, m := range mc.maps {
		if m.known {
			w.Maps = append(w.Maps, PlanHave{
				WWID: m.wwid, Name: m.have.Name, Dev: m.have.Dev.String(), Size: m.have.Size, Table: settledTable(m.have.Table),
				ReadOnly: m.have.ReadOnly, Suspended: m.have.Suspended, Busy: m.askWhat,
			})
		}
	}
	for _, p := range mc.paths {
		pp := PlanPath{ID: p.id, Name: p.seen.Name, WWID: p.seen.Identity.WWID, Map: p.wwid}
		if p.stranger != "" {
			pp.WWID = p.stranger
		}
		if p.wwid != "" {
			pp.State = "down"
			if p.up() {
				pp.State = "up"
			}
		}
		w.Paths = append(w.Paths, pp)
	}
	return w
}

// settledTable is a table's text without what the kernel changes by itself.
func settledTable(t table.Table) string {
	t.First = min(1, len(t.Groups))
	return t.String()
}

// maxMoved bounds how much is told of a world that moved.
const maxMoved = 50

// Moved says in what a world differs from the one that a plan was made from.
func (w PlanWorld) Moved(now PlanWorld) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	merge(w.Maps, now.Maps, func(a, b PlanHave) int { return strings.Compare(a.WWID, b.WWID) }, func(was, is *PlanHave) {
		switch {
		case is == nil:
			say("map %s (%s) is gone", was.Name, was.WWID)
		case was == nil:
			say("map %s (%s) came", is.Name, is.WWID)
		default:
			movedMap(*was, *is, say)
		}
	})
	merge(w.Paths, now.Paths, func(a, b PlanPath) int { return a.ID.compare(b.ID) }, func(was, is *PlanPath) {
		switch {
		case is == nil:
			say("device %s (%s) left", was.Name, was.ID.Dev)
		case was == nil:
			say("device %s (%s, %s) came", is.Name, is.ID.Dev, is.WWID)
		case was.WWID != is.WWID:
			say("device %s (%s) was %s and is %s", is.Name, is.ID.Dev, was.WWID, is.WWID)
		case was.Map != is.Map:
			say("device %s (%s) was a path of %q and is one of %q", is.Name, is.ID.Dev, was.Map, is.Map)
		case was.State != is.State:
			say("path %s (%s) was %s and is %s", is.Name, is.ID.Dev, was.State, is.State)
		case was.Name != is.Name:
			say("device %s (%s) is called %s", was.Name, was.ID.Dev, is.Name)
		}
	})
	if len(out) > maxMoved {
		more := len(out) - maxMoved
		out = append(out[:maxMoved], fmt.Sprintf("and %d more", more))
	}
	return out
}

// PlansDiffer says why a plan is not the one that is made now, "" it is the same: the
// configuration has changed, the world has moved, or somebody has changed the plan.
func PlansDiffer(was, now Plan) string {
	if was.Config.Sum != now.Config.Sum {
		return "the configuration has changed since the plan was made; plan again"
	}
	if moved := was.World.Moved(now.World); len(moved) > 0 {
		return "the world has moved since the plan was made: " + strings.Join(moved, "; ") + "; plan again"
	}
	var a, b bytes.Buffer
	if encodePlain(&a, inOrder(was.Maps)) != nil || encodePlain(&b, inOrder(now.Maps)) != nil || a.String() != b.String() {
		return "what would be done now is something else than the plan says; plan again"
	}
	return ""
}

// inOrder has the steps of each map in one order: a rename may come before a load or
// after it, as a load waits for what its paths are asked at that moment.
func inOrder(maps []MapPlan) []MapPlan {
	maps = slices.Clone(maps)
	for i := range maps {
		maps[i].Steps = slices.Clone(maps[i].Steps)
		slices.SortStableFunc(maps[i].Steps, func(a, b PlanStep) int { return cmp.Compare(a.Kind, b.Kind) })
	}
	return maps
}

func movedMap(was, is PlanHave, say func(string, ...any)) {
	if was.Name != is.Name {
		say("map %s is called %s", was.Name, is.Name)
	}
	if was.Dev != is.Dev {
		say("map %s was %s and is %s", is.Name, was.Dev, is.Dev)
	}
	if was.Size != is.Size {
		say("map %s had %d sectors and has %d", is.Name, was.Size, is.Size)
	}
	if was.Table != is.Table {
		say("map %s has another table: %q, it was %q", is.Name, is.Table, was.Table)
	}
	if was.ReadOnly != is.ReadOnly {
		say("map %s: read-only was %v and is %v", is.Name, was.ReadOnly, is.ReadOnly)
	}
	if was.Suspended != is.Suspended {
		say("map %s: suspended was %v and is %v", is.Name, was.Suspended, is.Suspended)
	}
	if is.Busy != "" {
		say("map %s is busy: %s", is.Name, is.Busy)
	}
}

// merge walks two sorted lists; what is in one alone comes with nil for the other.
func merge[T any](was, is []T, compare func(a, b T) int, each func(was, is *T)) {
	for len(was) > 0 || len(is) > 0 {
		order := 0
		switch {
		case len(was) == 0:
			order = 1
		case len(is) == 0:
			order = -1
		default:
			order = compare(was[0], is[0])
		}
		var a, b *T
		if order <= 0 {
			a, was = &was[0], was[1:]
		}
		if order >= 0 {
			b, is = &is[0], is[1:]
		}
		each(a, b)
	}
}

// settingChanges compares two lists of the same keywords. A setting that only comes
// from elsewhere is none.
func settingChanges(was, is policy.Settings) []SettingChange {
	var out []SettingChange
	after := is.Texts()
	for i, b := range was.Texts() {
		if a := after[i]; a.Value != b.Value {
			out = append(out, SettingChange{Keyword: b.Keyword, Before: b.Value, BeforeFrom: b.Origin.String(), After: a.Value, AfterFrom: a.Origin.String()})
		}
	}
	return out
}
