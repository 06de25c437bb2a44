package policy

import (
	"fmt"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestGroupMeasured(t *testing.T) {
	type path struct {
		Prio         int
		Serial, Node string
		TPG          int
		Marginal     int
		State        string
	}
	type group struct {
		Prio     int
		Marginal bool
		Paths    []int
	}
	type row struct {
		Name, Policy string
		Marginal     bool `json:"marginal_pathgroups"`
		Paths        []path
		Groups       []group
		Best         int
	}
	for _, c := range readCases[row](t, "unit-grouping.json") {
		t.Run(c.Name+"/"+c.Policy, func(t *testing.T) {
			var paths []GroupPath
			for _, p := range c.Paths {
				paths = append(paths, GroupPath{
					Prio: p.Prio, Serial: p.Serial, Node: p.Node, TPG: p.TPG, Marginal: p.Marginal != 0,
					Usable: p.State == "up" || p.State == "ghost",
				})
			}
			groups, best := Group(c.Policy, c.Marginal, paths)
			var got []group
			for _, g := range groups {
				got = append(got, group{Prio: g.Prio, Marginal: g.Marginal, Paths: g.Paths})
			}
			if diff := cmp.Diff(c.Groups, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			if best != c.Best {
				t.Errorf("best %d, want %d", best, c.Best)
			}
		})
	}
}

// The cases of the reference's own list that the measured ones lack.
func TestGroupMore(t *testing.T) {
	of := func(prios, marginal []int) []GroupPath {
		var out []GroupPath
		for i, p := range prios {
			out = append(out, GroupPath{Prio: p, Usable: true, Marginal: marginal != nil && marginal[i] != 0})
		}
		return out
	}
	prios := []int{7, 1, 3, 3, 5, 2, 8, 2}
	flags := []int{0, 1, 1, 0, 0, 0, 1, 1}
	ones := []int{1, 1, 1, 1, 1, 1, 1, 1}
	cases := []struct {
		policy string
		on     bool
		paths  []GroupPath
		want   string
	}{
		{"group_by_prio", false, of(prios, nil), "[[6] [0] [4] [2 3] [5 7] [1]]"},
		{"failover", false, of(prios, nil), "[[6] [0] [4] [2] [3] [5] [7] [1]]"},
		{"failover", true, of(prios, flags), "[[0] [4] [3] [5] [6] [2] [7] [1]]"},
		{"multibus", true, of(ones, []int{1, 0, 1, 0, 1, 1, 0, 0}), "[[1 3 6 7] [0 2 4 5]]"},
		{"multibus", true, of(ones, ones), "[[0 1 2 3 4 5 6 7]]"},
		{"nonsense", false, of([]int{1, 1}, nil), "[[0] [1]]"},
		{"group_by_node_name", false, []GroupPath{{Node: "a"}, {Node: "b"}, {Node: "a"}}, "[[0 2] [1]]"},
	}
	for _, c := range cases {
		groups, _ := Group(c.policy, c.on, c.paths)
		var got [][]int
		for _, g := range groups {
			got = append(got, g.Paths)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", c.policy, got, c.want)
		}
	}
}

// Every path stands in exactly one group, the best group is one, and marginal
// paths have groups of their own where that is on.
func TestGroupKeepsEveryPath(t *testing.T) {
	policies := []string{"failover", "multibus", "group_by_serial", "group_by_prio", "group_by_node_name", "group_by_tpg"}
	path := rapid.Custom(func(t *rapid.T) GroupPath {
		return GroupPath{
			Prio: rapid.IntRange(-1, 3).Draw(t, "prio"), TPG: rapid.IntRange(-1, 2).Draw(t, "tpg"),
			Marginal: rapid.Bool().Draw(t, "marginal"), Usable: rapid.Bool().Draw(t, "usable"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOfN(path, 0, 12).Draw(t, "paths")
		on := rapid.Bool().Draw(t, "on")
		groups, best := Group(rapid.SampledFrom(policies).Draw(t, "policy"), on, paths)
		var all []int
		for _, g := range groups {
			all = append(all, g.Paths...)
			for _, p := range g.Paths {
				if on && paths[p].Marginal != g.Marginal {
					t.Fatalf("mixed group %v", g)
				}
			}
		}
		sort.Ints(all)
		if len(all) != len(paths) || len(all) > 0 && (all[0] != 0 || all[len(all)-1] != len(all)-1) {
			t.Fatalf("paths %v of %d", all, len(paths))
		}
		if best < 1 || len(groups) > 0 && best > len(groups) {
			t.Fatalf("best %d of %d", best, len(groups))
		}
	})
}
