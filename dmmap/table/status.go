package table

import (
	"fmt"
	"strconv"
	"strings"
)

// Status is the state of one multipath target, the text that DM_TABLE_STATUS
// returns without DM_STATUS_TABLE_FLAG.
type Status struct {
	FeatureArgs []string // "2" words today: I/O is being queued (0 or 1), path group initialisations so far
	HandlerArgs []string // none today
	Next        int      // the group to be used next, else the current one, else 1; 0 if there are no groups
	Groups      []GroupStatus
}

// GroupStatus is the state of one priority group.
type GroupStatus struct {
	State   GroupState
	SelArgs []string
	Paths   []PathStatus
}

// PathStatus is the state of one path.
type PathStatus struct {
	Dev       DevNum
	State     PathState
	FailCount uint32   // failures since the table was loaded, not cleared by a reinstate
	SelArgs   []string // service-time: bytes in flight, relative throughput; queue-length: I/Os in flight; round-robin: none
}

// GroupState is the kernel's letter for a group.
type GroupState byte

const (
	GroupUnknown  GroupState = 0   // a letter that this version does not know
	GroupActive   GroupState = 'A' // I/O goes here
	GroupEnabled  GroupState = 'E' // can be used
	GroupDisabled GroupState = 'D' // bypassed: used only if nothing else works
)

// String is "active", "enabled", "disabled" or "unknown".
func (s GroupState) String() string {
	switch s {
	case GroupActive:
		return "active"
	case GroupEnabled:
		return "enabled"
	case GroupDisabled:
		return "disabled"
	}
	return "unknown"
}

// PathState is the kernel's letter for a path.
type PathState byte

const (
	PathUnknown PathState = 0   // a letter that this version does not know
	PathActive  PathState = 'A' // used
	PathFailed  PathState = 'F' // failed by an I/O error or a fail_path message; only reinstate_path brings it back
)

// String is "active", "failed" or "unknown".
func (s PathState) String() string {
	switch s {
	case PathActive:
		return "active"
	case PathFailed:
		return "failed"
	}
	return "unknown"
}

// ParseStatus reads a multipath status. It is tolerant where kernels differ
// (argument counts are read, unknown letters become Unknown, words behind the last
// group are ignored) and strict on structure: every count is checked against the
// words that are there.
func ParseStatus(text string) (Status, error) {
	w := newWords("status", text)
	var s Status
	s.FeatureArgs = w.group("feature status")
	s.HandlerArgs = w.group("handler status")
	n := w.number("number of groups", MaxCount)
	s.Next = w.number("next group", MaxCount)
	for i := 0; i < n && w.err == nil; i++ {
		s.Groups = append(s.Groups, parseGroupStatus(w))
	}
	if w.err != nil {
		return Status{}, w.err
	}
	return s, nil
}

func parseGroupStatus(w *words) GroupStatus {
	var g GroupStatus
	switch c := w.word("group state"); c {
	case "A", "E", "D":
		g.State = GroupState(c[0])
	}
	g.SelArgs = w.group("selector status")
	paths := w.count("number of paths", 3)
	args := w.number("number of status words per path", MaxCount)
	for i := 0; i < paths && w.err == nil; i++ {
		p := PathStatus{Dev: w.dev()}
		switch c := w.word("path state"); c {
		case "A", "F":
			p.State = PathState(c[0])
		}
		p.FailCount = w.counter("fail count")
		p.SelArgs = w.args("path's status words", args)
		g.Paths = append(g.Paths, p)
	}
	return g
}

// String is the kernel's text, without its trailing space; unknown letters are '?'.
func (s Status) String() string {
	b := appendGroup(nil, s.FeatureArgs)
	b = appendGroup(b, s.HandlerArgs)
	b = append(b, strconv.Itoa(len(s.Groups)), strconv.Itoa(s.Next))
	for _, g := range s.Groups {
		b = append(b, letter(byte(g.State)))
		b = appendGroup(b, g.SelArgs)
		args := 0
		if len(g.Paths) > 0 {
			args = len(g.Paths[0].SelArgs)
		}
		b = append(b, strconv.Itoa(len(g.Paths)), strconv.Itoa(args))
		for _, p := range g.Paths {
			b = append(b, p.Dev.String(), letter(byte(p.State)), strconv.FormatUint(uint64(p.FailCount), 10))
			b = append(b, p.SelArgs...)
		}
	}
	return strings.Join(b, " ")
}

func letter(c byte) string {
	if c == 0 {
		return "?"
	}
	return string(rune(c))
}

// QueueIO reports the kernel's MPATHF_QUEUE_IO: all I/O is held back until the
// current group's initialisation by its hardware handler is done. It is not set
// for I/O that waits because no path works.
func (s Status) QueueIO() bool {
	return len(s.FeatureArgs) > 0 && s.FeatureArgs[0] != "0"
}

// Active is the index of the active group, -1 if none is.
func (s Status) Active() int {
	for i, g := range s.Groups {
		if g.State == GroupActive {
			return i
		}
	}
	return -1
}

// AllFailed says whether I/O has no path to go to. A letter that nobody knows counts as
// one.
func (s Status) AllFailed() bool {
	for _, g := range s.Groups {
		for _, p := range g.Paths {
			if p.State != PathFailed {
				return false
			}
		}
	}
	return true
}

// Path finds a path's state; false if the status does not have it.
func (s Status) Path(dev DevNum) (PathStatus, bool) {
	for _, g := range s.Groups {
		for _, p := range g.Paths {
			if p.Dev == dev {
				return p, true
			}
		}
	}
	return PathStatus{}, false
}

// Match says where a table and a status do not describe the same target: number of
// groups, number of paths, devices in order. They come from two ioctls, and another
// process may have loaded a table in between: on an error read both again.
func Match(t Table, s Status) error {
	if len(t.Groups) != len(s.Groups) {
		return fmt.Errorf("table has %d groups, status %d: read both again", len(t.Groups), len(s.Groups))
	}
	for i, g := range t.Groups {
		h := s.Groups[i]
		if len(g.Paths) != len(h.Paths) {
			return fmt.Errorf("group %d has %d paths in the table, %d in the status: read both again", i+1, len(g.Paths), len(h.Paths))
		}
		for j, p := range g.Paths {
			if p.Dev != h.Paths[j].Dev {
				return fmt.Errorf("group %d path %d is %s in the table, %s in the status: read both again", i+1, j+1, p.Dev, h.Paths[j].Dev)
			}
		}
	}
	return nil
}
