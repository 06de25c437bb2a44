package partition

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
)

// Parent is the device that the partitions lie on.
type Parent struct {
	Name     table.Name // the map's, or the node's of a disk that is none
	UUID     table.UUID // the map's, or NodeUUID
	Dev      table.DevNum
	Size     table.Sectors
	ReadOnly bool
}

// Have is a map that the kernel has.
type Have struct {
	Name     table.Name
	UUID     table.UUID
	Dev      table.DevNum
	Open     int
	ReadOnly bool
	Live     bool         // it has a table
	Lines    []table.Line // that table
}

// on gives the piece of a device that a map is, if it is one piece of it and no more.
func (h Have) on(dev table.DevNum) (Partition, bool) {
	if !h.Live || len(h.Lines) != 1 || h.Lines[0].Start != 0 {
		return Partition{}, false
	}
	d, start, err := table.ParseLinear(h.Lines[0])
	return Partition{Start: start, Size: h.Lines[0].Length}, err == nil && d == dev
}

// Verb is what is done about one partition map.
type Verb uint8

// The verbs.
const (
	_      Verb = iota
	Keep        // it is as it should be
	Create      // it is missing
	Reload      // it is elsewhere, or of another size
	Rename      // it has another name
	Remove      // its partition is gone
	Refuse      // nothing is done, and Why says why
)

// String is the verb in small letters.
func (v Verb) String() string {
	return [...]string{"none", "keep", "create", "reload", "rename", "remove", "refuse"}[v]
}

// Step is what is done about one partition map, in the order of the list.
type Step struct {
	Do       Verb
	Number   int
	Name     table.Name // that it has, or gets
	From     table.Name // of Rename: that it had
	UUID     table.UUID
	Line     table.Line // its table, where there is to be one
	ReadOnly bool
	Dev      table.DevNum // of a map that is there
	Why      string
}

// Rules are what a caller demands of the partition maps.
type Rules struct {
	Delimiter string // "" is none; the caller knows the default one
	ReadOnly  bool   // all of them
	Update    bool   // remove those that no partition is there for
}

// Plan says how the maps that are there become those that a table wants. have are the
// maps whose UUID is of a partition of the parent, and those whose name a partition
// should have.
//
// A map that is open is never moved, made smaller or removed: whoever has it open
// would find other data. It may grow, and be renamed. What would share sectors with a
// map that therefore stays is not made. Where the table was not read to its end,
// nothing is removed.
func Plan(p Parent, t Table, have []Have, r Rules) []Step {
	pl := planner{parent: p, table: t, have: have, rules: r}
	if t.Bad != "" || t.Scheme == SchemeNone {
		return nil
	}
	pl.findStaying()
	for _, q := range t.Partitions {
		pl.want(q)
	}
	if r.Update {
		pl.stale()
	}
	return pl.steps
}

type planner struct {
	parent  Parent
	table   Table
	have    []Have
	rules   Rules
	staying []staying
	steps   []Step
}

// staying is an open map that keeps its place though its partition has left it.
type staying struct {
	Partition
	name table.Name
}

// findStaying looks for open maps that the table wants elsewhere, or not at all.
func (pl *planner) findStaying() {
	for _, h := range pl.have {
		n := NumberOf(h.UUID, pl.parent.UUID)
		if n == 0 || h.Open == 0 {
			continue
		}
		is, ok := h.on(pl.parent.Dev)
		if !ok {
			continue
		}
		want, there := pl.wanted(n)
		if !there || !keepsPlace(is, want) {
			is.Number = n
			pl.staying = append(pl.staying, staying{is, h.Name})
		}
	}
}

// keepsPlace says whether what is in use of a piece stays where it is if the piece
// becomes another one.
func keepsPlace(is, want Partition) bool { return is.Start == want.Start && is.Size <= want.Size }

func (pl *planner) wanted(n int) (Partition, bool) {
	i := slices.IndexFunc(pl.table.Partitions, func(q Partition) bool { return q.Number == n })
	if i < 0 {
		return Partition{}, false
	}
	return pl.table.Partitions[i], true
}

// byNumber finds the map of a partition by its UUID; byName one that has its name.
func (pl *planner) byNumber(n int) (Have, bool) {
	i := slices.IndexFunc(pl.have, func(h Have) bool { return NumberOf(h.UUID, pl.parent.UUID) == n })
	if i < 0 {
		return Have{}, false
	}
	return pl.have[i], true
}

func (pl *planner) byName(n table.Name) (Have, bool) {
	i := slices.IndexFunc(pl.have, func(h Have) bool { return h.Name == n })
	if i < 0 {
		return Have{}, false
	}
	return pl.have[i], true
}

// want sees to the map of one partition.
func (pl *planner) want(q Partition) {
	s := Step{Number: q.Number, Line: table.LinearLine(q.Size, pl.parent.Dev, q.Start), ReadOnly: pl.rules.ReadOnly || pl.parent.ReadOnly}
	refuse := func(format string, args ...any) {
		s.Do, s.Why = Refuse, fmt.Sprintf(format, args...)
		pl.steps = append(pl.steps, s)
	}
	var err error
	if s.Name, err = Name(pl.parent.Name, pl.rules.Delimiter, q.Number); err == nil {
		s.UUID, err = UUID(q.Number, pl.parent.UUID)
	}
	if err != nil {
		refuse("%v", err)
		return
	}
	if q.End() > pl.parent.Size {
		refuse("it is from sector %d to %d, the disk has %d", q.Start, q.End(), pl.parent.Size)
		return
	}
	h, there := pl.byNumber(q.Number)
	other, taken := pl.byName(s.Name)
	switch {
	case taken && !there && other.UUID.IsZero() && pl.isOurs(other):
		h, there = other, true // made by a kpartx from before there were UUIDs
	case taken && (!there || other.UUID != h.UUID):
		refuse("%s is already in use, and %s", s.Name, whose(other.UUID))
		return
	}
	if !there {
		if o, in := pl.inTheWay(q); in {
			refuse("it shares sectors with %s, which is open and stays where it was", o)
			return
		}
		s.Do = Create
		pl.steps = append(pl.steps, s)
		return
	}
	pl.adjust(s, q, h)
}

// adjust sees to a partition that has a map.
func (pl *planner) adjust(s Step, q Partition, h Have) {
	s.Dev = h.Dev
	is, ok := h.on(pl.parent.Dev)
	put := func(do Verb, why string) {
		s.Do, s.Why = do, why
		pl.steps = append(pl.steps, s)
	}
	if !ok && h.Live {
		put(Refuse, fmt.Sprintf("%s has its UUID, and another table: %s", h.Name, text(h.Lines)))
		return
	}
	if h.Name != s.Name {
		s.From = h.Name
		put(Rename, "")
		s.From = table.Name{}
	}
	switch {
	case !h.Live:
		put(Reload, "it has no table")
	case is.Start == q.Start && is.Size == q.Size && h.ReadOnly == s.ReadOnly:
		put(Keep, "")
	case h.Open > 0 && !keepsPlace(is, q):
		put(Refuse, fmt.Sprintf("it is open %d times: it stays at sector %d with %d sectors; the table says %d with %d", h.Open, is.Start, is.Size, q.Start, q.Size))
	case h.Open > 0 && is.Size == q.Size:
		put(Keep, "it is open: whether it can be written to stays as it is")
	default:
		if o, in := pl.inTheWay(q); in {
			put(Refuse, "it shares sectors with "+o+", which is open and stays where it was")
			return
		}
		put(Reload, fmt.Sprintf("it was at sector %d with %d sectors", is.Start, is.Size))
	}
}

// stale removes the maps of partitions that are gone, the highest first.
func (pl *planner) stale() {
	var old []Have
	for _, h := range pl.have {
		if n := NumberOf(h.UUID, pl.parent.UUID); n != 0 {
			if _, there := pl.wanted(n); !there {
				old = append(old, h)
			}
		}
	}
	slices.SortFunc(old, func(a, b Have) int { return NumberOf(b.UUID, pl.parent.UUID) - NumberOf(a.UUID, pl.parent.UUID) })
	for _, h := range old {
		s := Step{Do: Remove, Number: NumberOf(h.UUID, pl.parent.UUID), Name: h.Name, UUID: h.UUID, Dev: h.Dev}
		switch {
		case pl.table.Incomplete != "":
			s.Do, s.Why = Refuse, "the table does not have it, and was not read to its end: "+pl.table.Incomplete
		default:
			removable(&s, h, pl.parent)
		}
		pl.steps = append(pl.steps, s)
	}
}

// removable turns a removal into a refusal where the map is open, or is something
// else than a piece of the parent.
func removable(s *Step, h Have, p Parent) {
	switch _, ours := h.on(p.Dev); {
	case h.Live && !ours:
		s.Do, s.Why = Refuse, "its table is no piece of the disk: "+text(h.Lines)
	case h.Open > 0:
		s.Do, s.Why = Refuse, fmt.Sprintf("it is in use: open %d times", h.Open)
	}
}

// PlanRemoval removes all partition maps of a parent, or none if one of them is in
// use: the steps are then the reasons alone.
func PlanRemoval(p Parent, have []Have) []Step {
	var steps, refused []Step
	for _, h := range have {
		n := NumberOf(h.UUID, p.UUID)
		if n == 0 {
			continue
		}
		s := Step{Do: Remove, Number: n, Name: h.Name, UUID: h.UUID, Dev: h.Dev}
		if removable(&s, h, p); s.Do == Refuse {
			refused = append(refused, s)
			continue
		}
		steps = append(steps, s)
	}
	if refused != nil {
		steps = refused
	}
	slices.SortFunc(steps, func(a, b Step) int { return a.Name.Compare(b.Name) })
	return steps
}

// isOurs says whether a map without UUID is a piece of the parent.
func (pl *planner) isOurs(h Have) bool {
	_, ok := h.on(pl.parent.Dev)
	return ok
}

// inTheWay finds an open map that stays where a partition is to be.
func (pl *planner) inTheWay(q Partition) (string, bool) {
	for _, o := range pl.staying {
		if o.Number != q.Number && q.overlaps(o.Partition) {
			return o.name.String(), true
		}
	}
	return "", false
}

// whose says what a map is that has a name that was to be a partition's.
func whose(u table.UUID) string {
	if strings.HasPrefix(u.Kernel(), "part") && strings.Contains(u.Kernel(), "-") {
		return "a partition of a different device"
	}
	return "not a kpartx partition"
}

func text(lines []table.Line) string {
	var out []string
	for _, l := range lines {
		out = append(out, l.String())
	}
	return strings.Join(out, "; ")
}
