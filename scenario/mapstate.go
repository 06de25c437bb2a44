package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MapState is a multipath map in a script's words, as `expect map` compares it:
// ports for device numbers, each list sorted, groups in the kernel's order and
// parted by " | ".
type MapState struct {
	WWID, Groups, Current, Failed, Queue, State, Handler, Selector string
	Paths                                                          int
}

// GroupState is one group of a map: the labels of its paths, and of those that
// the kernel has failed.
type GroupState struct {
	Current       bool
	Paths, Failed []string
}

// SetGroups fills in what the groups say.
func (m *MapState) SetGroups(list []GroupState) {
	var groups, failed, current []string
	m.Paths = 0
	for _, g := range list {
		names := slices.Sorted(slices.Values(g.Paths))
		if g.Current {
			current = append(current, names...)
		}
		failed = append(failed, g.Failed...)
		groups = append(groups, strings.Join(names, " "))
		m.Paths += len(names)
	}
	slices.Sort(failed)
	slices.Sort(current)
	m.Groups, m.Failed, m.Current = strings.Join(groups, " | "), strings.Join(failed, " "), strings.Join(current, " ")
}

func (m MapState) String() string {
	return fmt.Sprintf("wwid=%s groups=%q current=%q failed=%q paths=%d queue=%s state=%s handler=%q selector=%s",
		m.WWID, m.Groups, m.Current, m.Failed, m.Paths, m.Queue, m.State, m.Handler, m.Selector)
}

// Differs compares with the options of an `expect map`, and says what is
// otherwise. Words are compared sorted within a group.
func (m MapState) Differs(want map[string]string) []string {
	have := map[string]string{
		"wwid": m.WWID, "groups": m.Groups, "current": m.Current, "failed": m.Failed, "queue": m.Queue,
		"state": m.State, "handler": m.Handler, "selector": m.Selector, "paths": strconv.Itoa(m.Paths),
	}
	var out []string
	for _, key := range []string{"wwid", "groups", "current", "failed", "paths", "queue", "state", "handler", "selector"} {
		w, asked := want[key]
		if asked && normal(w) != have[key] {
			out = append(out, fmt.Sprintf("%s is %q, not %q", key, have[key], normal(w)))
		}
	}
	return out
}

// normal sorts the words of each group of "B1 A1 | C1".
func normal(text string) string {
	groups := strings.Split(text, "|")
	for i, g := range groups {
		names := strings.Fields(g)
		if len(groups) > 1 || len(names) > 1 {
			slices.Sort(names)
		}
		groups[i] = strings.Join(names, " ")
	}
	return strings.Join(groups, " | ")
}
