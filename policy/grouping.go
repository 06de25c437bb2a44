package policy

import "sort"

// PrioUndefined is the priority of a path whose prioritizer never answered.
const PrioUndefined = -1

// GroupPath is what the layout of a map depends on, of one path.
type GroupPath struct {
	Prio   int    // PrioUndefined: not known
	Serial string // VPD 0x80
	TPG    int    // target port group, -1 unknown
	Node   string // target node name
	// Marginal: the path is flaky. Set it only where marginal_pathgroups is on:
	// the order of the groups looks at it in any case, as in multipath-tools.
	Marginal bool
	// Usable: the checker says up or ghost. Only such a path counts for its
	// group's priority and size.
	Usable bool
}

// GroupOut is one path group.
type GroupOut struct {
	// Paths are indices into Group's paths, ascending.
	Paths []int
	// Prio is the integer mean of the usable paths' defined priorities; 0 if no
	// path is usable, PrioUndefined if none of the usable ones has a priority.
	Prio int
	// Usable counts the usable paths.
	Usable int
	// Marginal: every path is.
	Marginal bool
}

// Group lays out the path groups of a map, in their final order, and names the
// best one, counted from 1. best is 1 also where no group has a usable path.
// policyName is a value of path_grouping_policy; any other counts as failover.
// With marginalOn normal and marginal paths never share a group.
func Group(policyName string, marginalOn bool, paths []GroupPath) (groups []GroupOut, best int) {
	all := make([]int, len(paths))
	var normal, marginal []int
	for i, p := range paths {
		all[i] = i
		if p.Marginal {
			marginal = append(marginal, i)
		} else {
			normal = append(normal, i)
		}
	}
	split := [][]int{all}
	if marginalOn && len(normal) > 0 && len(marginal) > 0 {
		split = [][]int{normal, marginal}
	}
	for _, part := range split {
		for _, members := range partition(policyName, paths, part) {
			groups = append(groups, weigh(paths, members))
		}
	}
	sort.SliceStable(groups, func(i, j int) bool { return groups[i].before(groups[j]) })
	return groups, bestGroup(groups)
}

// before is the order of the groups in the table.
func (g GroupOut) before(other GroupOut) bool {
	switch {
	case g.Marginal != other.Marginal:
		return other.Marginal
	case g.Prio != other.Prio:
		return g.Prio > other.Prio
	default:
		return g.Usable > other.Usable
	}
}

// bestGroup is the first in the order among the groups that have a usable path.
func bestGroup(sorted []GroupOut) int {
	for i, g := range sorted {
		if g.Usable > 0 {
			return i + 1
		}
	}
	return 1
}

// partition splits the members into groups, each in the order of its first path.
func partition(policyName string, paths []GroupPath, members []int) [][]int {
	same := sameGroup(policyName)
	var groups [][]int
next:
	for _, m := range members {
		for g, group := range groups {
			if same(paths[group[0]], paths[m]) {
				groups[g] = append(group, m)
				continue next
			}
		}
		groups = append(groups, []int{m})
	}
	return groups
}

func sameGroup(policyName string) func(a, b GroupPath) bool {
	switch policyName {
	case "multibus":
		return func(GroupPath, GroupPath) bool { return true }
	case "group_by_serial":
		return func(a, b GroupPath) bool { return a.Serial == b.Serial }
	case "group_by_prio":
		return func(a, b GroupPath) bool { return a.Prio == b.Prio }
	case "group_by_node_name":
		return func(a, b GroupPath) bool { return a.Node == b.Node }
	case "group_by_tpg":
		return func(a, b GroupPath) bool { return a.TPG == b.TPG }
	default:
		return func(GroupPath, GroupPath) bool { return false }
	}
}

func weigh(paths []GroupPath, members []int) GroupOut {
	g := GroupOut{Paths: members, Marginal: true}
	sum, defined := 0, 0
	for _, m := range members {
		p := paths[m]
		g.Marginal = g.Marginal && p.Marginal
		if !p.Usable {
			continue
		}
		g.Usable++
		if p.Prio != PrioUndefined {
			sum += p.Prio
			defined++
		}
	}
	switch {
	case defined > 0:
		g.Prio = sum / defined
	case g.Usable > 0:
		g.Prio = PrioUndefined
	}
	return g
}
