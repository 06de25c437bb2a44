package sim

import (
	"strings"
	"testing"

	"pathkeeper/mpath"
)

func failback(t *testing.T, seed uint64, word string) (*rig, *LUN, []*Disk) {
	t.Helper()
	r := newRig(t, seed, strings.Replace(plain, "failback immediate", "failback "+word, 1))
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	return r, l, ds
}

func breakAll(f Fault, ds ...*Disk) {
	for _, d := range ds {
		d.Break(f)
	}
}

func TestFailbackWords(t *testing.T) {
	for _, tt := range []struct {
		word  string
		after mpath.Span
		back  bool
	}{
		{"immediate", 30 * second, true},
		{"manual", 10 * mpath.Minute, false},
		{"followover", 30 * second, true},
		{"60", 45 * second, false},
		{"60", 100 * second, true},
	} {
		r, _, ds := failback(t, 130, tt.word)
		breakAll(NoConnect, ds[0], ds[1])
		r.run(mpath.Minute)
		r.wantGroups("mpatha", "-sda -sdb | [sdc sdd]")
		breakAll(Healthy, ds[0], ds[1])
		r.run(tt.after)
		want := "sda sdb | [sdc sdd]"
		if tt.back {
			want = "[sda sdb] | sdc sdd"
		}
		r.wantGroups("mpatha", want)
		r.wantSound()
	}
}

// Another node of the cluster has moved the LUN: no path of ours failed, so
// followover leaves it there, whatever comes and goes in between.
func TestFollowoverLeavesTheOtherNodeAlone(t *testing.T) {
	r, l, ds := failback(t, 131, "followover")
	other := func(next int) { // its switch, as this host's kernel shows it
		mp := r.mapNamed("mpatha").live.multipaths()[0]
		mp.steer("switch_group", mp.groups[next-1])
		r.mapNamed("mpatha").news("", "")
	}
	other(2)
	r.run(2 * mpath.Minute)
	r.wantGroups("mpatha", "sda sdb | [sdc sdd]")
	// One of two paths of the best group fails and comes back: its group never
	// failed as a whole.
	ds[0].Break(NoConnect)
	r.run(mpath.Minute)
	ds[0].Break(Healthy)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "sda sdb | [sdc sdd]")
	// A path joins: the table is exchanged, the LUN stays where it is.
	r.w.AddPath(l, 4, 1)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "sda sdb sde | [sdc sdd]")
	// All of them fail and the first comes back: now it is our failover.
	breakAll(NoConnect, ds[0], ds[1], r.w.Disk("sde"))
	r.run(mpath.Minute)
	breakAll(Healthy, ds[1])
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[-sda sdb -sde] | sdc sdd")
	r.wantSound()
}

// With manual failback no load moves the map, whatever it is for.
func TestManualStaysThroughLoads(t *testing.T) {
	r, l, ds := failback(t, 132, "manual")
	breakAll(NoConnect, ds[0], ds[1])
	r.run(mpath.Minute)
	breakAll(Healthy, ds[0], ds[1])
	r.run(mpath.Minute)
	r.w.AddPath(l, 4, 2)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "sda sdb | [sdc sdd sde]")
	r.w.Disk("sdc").Delete()
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "sda sdb | [sdd sde]")
	r.ask(mpath.Command{Kind: mpath.CommandReloadMap, Map: "mpatha"}, mpath.ReplyDone)
	r.wantGroups("mpatha", "sda sdb | [sdd sde]")
	r.ask(mpath.Command{Kind: mpath.CommandSwitchGroup, Map: "mpatha", Arg: "1"}, mpath.ReplyDone)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb] | sdd sde")
	r.wantSound()
}
