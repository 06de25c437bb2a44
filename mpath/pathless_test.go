package mpath

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/dmmap/table"
)

// A map has a path as long as the kernel would use one, in a bypassed group too.
func TestPathless(t *testing.T) {
	group := func(g table.GroupState, states ...table.PathState) table.GroupStatus {
		s := table.GroupStatus{State: g}
		for i, p := range states {
			s.Paths = append(s.Paths, table.PathStatus{Dev: table.DevNum{Major: 8, Minor: uint32(16 * i)}, State: p})
		}
		return s
	}
	queues := table.Table{Features: []string{"queue_if_no_path"}}
	one := func(wwid string, known bool, t Truth) *mmap {
		t.Live, t.Target, t.Name, t.Dev = true, "multipath", wwid, table.DevNum{Major: 253}
		return &mmap{wwid: wwid, known: known, have: t}
	}
	dead := table.Status{Groups: []table.GroupStatus{group(table.GroupEnabled, table.PathFailed, table.PathFailed), group(table.GroupActive, table.PathFailed)}}
	waits := one("waits", true, Truth{Status: dead, Table: queues})
	waits.queue.at = 7
	mc := &Machine{maps: []*mmap{
		one("alive", true, Truth{Table: queues, Status: table.Status{Groups: []table.GroupStatus{
			group(table.GroupEnabled, table.PathFailed), group(table.GroupDisabled, table.PathFailed, table.PathActive),
		}}}),
		one("empty", true, Truth{Table: queues}),
		one("fails", true, Truth{Status: dead}),
		one("gone", false, Truth{Status: dead, Table: queues}),
		one("queues", true, Truth{Status: dead, Table: queues}),
		one("suspended", true, Truth{Status: dead, Table: queues, Suspended: true}),
		one("unknown", true, Truth{Table: queues, Status: table.Status{Groups: []table.GroupStatus{group(table.GroupActive, table.PathUnknown)}}}),
		waits,
	}}
	dev := table.DevNum{Major: 253}
	want := []Pathless{
		{WWID: "empty", Name: "empty", Dev: dev, Queues: true},
		{WWID: "fails", Name: "fails", Dev: dev},
		{WWID: "queues", Name: "queues", Dev: dev, Queues: true},
		{WWID: "waits", Name: "waits", Dev: dev, Queues: true, Bounded: true},
	}
	if diff := cmp.Diff(want, mc.Pathless()); diff != "" {
		t.Error(diff)
	}
}
