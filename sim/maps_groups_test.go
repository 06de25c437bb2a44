package sim

import (
	"strings"
	"testing"

	"pathkeeper/mpath"
)

// stretched is a LUN of two arrays that mirror each other: two target port groups
// and one node name each, 8 paths; array B tells another serial.
func stretched(t *testing.T, settings string) (*rig, *LUN) {
	t.Helper()
	r := newRig(t, 400, strings.Replace(plain, "path_grouping_policy group_by_prio", settings, 1))
	l := r.w.AddLUN(LUN{Name: "one"})
	a, b := r.w.AddArray("A"), r.w.AddArray("B")
	for i := range 2 {
		f := r.w.AddFabric([]string{"left", "right"}[i])
		r.w.AddHBA(HBA{Number: uint32(i + 1), Transport: FibreChannel, Fabric: f})
		for tpg := 1; tpg <= 4; tpg++ {
			array := a
			if tpg > 2 {
				array = b
			}
			l.Export(array.AddPort(Port{TPG: tpg, Rel: i*4 + tpg, Fabric: f}), 7)
		}
	}
	for tpg := 2; tpg <= 4; tpg++ {
		l.SetAccess(tpg, NonOptimized)
	}
	r.w.ScanAll()
	for _, d := range l.Disks() {
		if d.TPG > 2 {
			d.Lie(Quirk{Pages: []uint8{0x80}, Data: page(0x80, []byte("ARRAY-B"))})
		}
	}
	r.start(20 * second)
	return r, l
}

// Every grouping policy end to end: the groups, the order, what a change of
// priorities moves, and that nothing at all is loaded while nothing happens.
func TestGroupingPolicies(t *testing.T) {
	for _, tt := range []struct {
		name, settings string
		want           string
		moved          string // after array B's first controller became the optimized one
		loads          int    // at most, for that
	}{
		{
			"failover", "path_grouping_policy failover\ndetect_pgpolicy no",
			"[sda] | sde | sdb | sdc | sdd | sdf | sdg | sdh", "[sdc] | sdg | sda | sdb | sdd | sde | sdf | sdh", 1,
		},
		{
			"multibus", "path_grouping_policy multibus\ndetect_pgpolicy no",
			"[sda sdb sdc sdd sde sdf sdg sdh]", "[sda sdb sdc sdd sde sdf sdg sdh]", 0,
		},
		{
			"group_by_prio", "path_grouping_policy group_by_prio\ndetect_pgpolicy no",
			"[sda sde] | sdb sdc sdd sdf sdg sdh", "[sdc sdg] | sda sdb sdd sde sdf sdh", 1,
		},
		{
			"group_by_tpg", "path_grouping_policy group_by_tpg\ndetect_pgpolicy no",
			"[sda sde] | sdb sdf | sdc sdg | sdd sdh", "[sdc sdg] | sda sde | sdb sdf | sdd sdh", 1,
		},
		{
			"group_by_node_name", "path_grouping_policy group_by_node_name\ndetect_pgpolicy no",
			"[sda sdb sde sdf] | sdc sdd sdg sdh", "[sdc sdd sdg sdh] | sda sdb sde sdf", 1,
		},
		{
			"group_by_serial", "path_grouping_policy group_by_serial\ndetect_pgpolicy no",
			"[sda sdb sde sdf] | sdc sdd sdg sdh", "[sdc sdd sdg sdh] | sda sdb sde sdf", 1,
		},
		{
			"detect_pgpolicy", "path_grouping_policy multibus",
			"[sda sde] | sdb sdc sdd sdf sdg sdh", "[sdc sdg] | sda sdb sdd sde sdf sdh", 1,
		},
		{
			"detect_pgpolicy_use_tpg", "path_grouping_policy multibus\ndetect_pgpolicy_use_tpg yes",
			"[sda sde] | sdb sdf | sdc sdg | sdd sdh", "[sdc sdg] | sda sde | sdb sdf | sdd sdh", 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, l := stretched(t, tt.settings)
			m := r.mapNamed("mpatha")
			r.write(m, l, 100*mpath.Millisecond)
			calm := func(what string) {
				t.Helper()
				loads := m.Loads
				r.run(10 * mpath.Minute)
				if m.Loads != loads {
					r.fail("%d loads while nothing happened, %s", m.Loads-loads, what)
				}
			}
			r.wantGroups("mpatha", tt.want)
			calm("after the start")
			loads := m.Loads
			l.SetAccess(1, NonOptimized)
			l.SetAccess(3, Optimized)
			l.AnnounceAccess()
			r.run(mpath.Minute)
			r.wantGroups("mpatha", tt.moved)
			if n := m.Loads - loads; n > tt.loads {
				r.fail("%d loads for one change of priorities", n)
			}
			calm("after priorities have changed")
			r.d.Kill()
			r.start(10 * second)
			calm("after a restart")
			loads = m.Loads
			r.d.Reconfigure(r.cfg)
			r.run(20 * second)
			if m.Loads != loads {
				r.fail("the same configuration again makes %d loads", m.Loads-loads)
			}
			r.wantGroups("mpatha", tt.moved)
			r.wantSound()
		})
	}
}

// Paths come in any order: the groups are the same.
func TestGroupsDoNotDependOnTheOrderOfArrival(t *testing.T) {
	want := ""
	for seed := range uint64(5) {
		r := newRig(t, 410+seed, plain)
		l := r.w.AddLUN(LUN{Name: "one"})
		l.SetAccess(2, NonOptimized)
		ds := []*Disk{r.w.AddPath(l, 2, 1), r.w.AddPath(l, 3, 1), r.w.AddPath(l, 2, 2), r.w.AddPath(l, 3, 2)}
		breakAll(NoConnect, ds...)
		r.start(10 * second)
		for i := range ds {
			ds[(i*3+int(seed))%4].Break(Healthy)
			r.run(mpath.Span(1+seed) * 3 * second)
		}
		r.run(2 * mpath.Minute)
		got := r.mapNamed("mpatha").Table()
		if want == "" {
			want = got
		}
		if got != want {
			r.fail("table %q, want %q", got, want)
		}
	}
}
