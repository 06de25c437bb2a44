package show_test

import (
	"testing"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// fixture builds a snapshot.
type fixture struct {
	t *testing.T
	s mpath.Snapshot
}

func newFixture(t *testing.T) *fixture {
	return &fixture{t: t, s: mpath.Snapshot{Now: mpath.Instant(1000 * mpath.Second), Started: true}}
}

func dev(t *testing.T, s string) table.DevNum {
	t.Helper()
	d, err := table.ParseDevNum(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// addMap adds a map as the kernel has it.
func (f *fixture) addMap(name, wwid string, minor uint32, size table.Sectors, tableText, statusText string, prios ...int) *mpath.MapView {
	f.t.Helper()
	tab, err := table.Parse(tableText)
	if err != nil {
		f.t.Fatal(err)
	}
	st, err := table.ParseStatus(statusText)
	if err != nil {
		f.t.Fatal(err)
	}
	m := mpath.MapView{
		WWID: wwid, Name: name, Known: true, Owner: mpath.NoOwner(), ReadAt: f.s.Now,
		Truth: mpath.Truth{
			Name: name, UUID: "mpath-" + wwid, Dev: table.DevNum{Major: 253, Minor: minor}, Size: size, Target: "multipath", Live: true,
			Table: tab, Status: st,
		},
		Queueing: mpath.QueueView{On: tab.QueueIfNoPath()},
	}
	for i, g := range tab.Groups {
		gv := mpath.GroupView{Number: i + 1, Selector: g.Selector, Priority: prios[i], State: st.Groups[i].State, Current: st.Next == i+1}
		for _, p := range g.Paths {
			gv.Paths = append(gv.Paths, mpath.PathID{Dev: p.Dev, Diskseq: uint64(p.Dev.Minor)})
		}
		m.Groups = append(m.Groups, gv)
	}
	f.s.Maps = append(f.s.Maps, m)
	return &f.s.Maps[len(f.s.Maps)-1]
}

// addPath adds a path of the last map.
func (f *fixture) addPath(hctl, name, devnum string, st pathcheck.State, devState, vendor, model string) *mpath.PathView {
	f.t.Helper()
	m := &f.s.Maps[len(f.s.Maps)-1]
	d := dev(f.t, devnum)
	status, in := m.Truth.Status.Path(d)
	id := mpath.PathID{Dev: d, Diskseq: uint64(d.Minor)}
	f.s.Paths = append(f.s.Paths, mpath.PathView{
		ID: id, Name: name, HCTL: hctl, WWID: m.WWID, Map: m.Name,
		Seen: mpath.PathSeen{
			ID: id, Name: name, HCTL: hctl, DevState: devState, Fresh: true,
			Identity: scsi.Identity{WWID: m.WWID, Vendor: vendor, Model: model, IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: m.WWID}}},
			Facts:    policy.Facts{Size: uint64(m.Truth.Size)},
		},
		Decision: policy.Decision{Verdict: policy.VerdictAdmit, Reason: "listed in the wwids file", Origin: policy.Origin{Note: "wwids"}},
		State:    st, DevState: devState, Priority: 50, InTable: in, KernelFailed: in && status.State == table.PathFailed,
		Interval: 20 * mpath.Second, NextCheck: f.s.Now.After(6 * mpath.Second), StateSince: f.s.Now.After(-90 * mpath.Second),
	})
	return &f.s.Paths[len(f.s.Paths)-1]
}

// netapp is the reference's sample: two groups of two paths.
func netapp(t *testing.T) *fixture {
	f := newFixture(t)
	f.addMap("mpatha", "3600a0980000000000000000000000001", 3, 20971520,
		"1 queue_if_no_path 1 alua 2 1 service-time 0 2 2 8:16 1 1 8:48 1 1 service-time 0 2 2 8:32 1 1 65:160 1 1",
		"2 0 0 0 2 1 A 0 2 2 8:16 A 0 0 1 8:48 F 3 0 1 E 0 2 2 8:32 A 0 0 1 65:160 A 0 0 1", 50, 10)
	f.addPath("2:0:0:1", "sdb", "8:16", pathcheck.StateUp, "running", "NETAPP", "LUN C-Mode")
	p := f.addPath("4:0:0:257", "sdd", "8:48", pathcheck.StateDown, "offline", "NETAPP", "LUN C-Mode")
	p.Message = "the device is offline"
	f.addPath("3:0:0:1", "sdc", "8:32", pathcheck.StateUp, "running", "NETAPP", "LUN C-Mode").Priority = 10
	f.addPath("5:0:0:1", "sdaa", "65:160", pathcheck.StateGhost, "running", "NETAPP", "LUN C-Mode").Priority = 10
	return f
}
