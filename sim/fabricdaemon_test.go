package sim

import (
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// onArray is a rig on the machine of twin with a second array that shows the same
// LUNs, as a pair of mirrored arrays does.
func onArrays(t *testing.T, transport Transport, conf string) (*rig, *LUN, []*HBA) {
	t.Helper()
	r := newRig(t, 31, conf)
	w, l, hosts, _ := twin(t, transport)
	r.w, r.d = w, NewDaemon(w)
	mirror := w.AddArray("mirror")
	for _, h := range hosts {
		l.Export(mirror.AddPort(Port{TPG: 1, Rel: 9, Fabric: h.Fabric}), 7)
	}
	w.ScanAll()
	return r, l, hosts
}

// Grouping by target node: one group for each array, whatever the port.
func TestGroupByNodeName(t *testing.T) {
	for transport, want := range map[Transport]string{
		FibreChannel: "[sda sdb sdd sde] | sdc sdf",
		ISCSI:        "[sda sdb sdd sde] | sdc sdf",
	} {
		r, _, _ := onArrays(t, transport, plain+"overrides {\n path_grouping_policy group_by_node_name\n detect_prio no\n prio const\n}\n")
		r.start(20 * second)
		r.wantGroups("mpatha", want)
		if p := r.pathView("sda"); p.Seen.Node == "" {
			r.fail("node %q", p.Seen.Node)
		}
	}
}

// A fabric is lost for longer than dev_loss_tmo: its disks go, the others carry
// on, and when it is back so are they, under whatever names.
func TestFabricIsLostAndFound(t *testing.T) {
	r, l, hosts := onArrays(t, FibreChannel, plain)
	r.start(20 * second)
	r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
	hosts[1].Fabric.Cut()
	r.run(2 * mpath.Minute)
	if n := len(r.w.Disks()); n != 3 || r.mapNamed("mpatha").live.multipaths()[0].valid() != 3 {
		r.fail("%d disks, %s", n, groups(r.mapNamed("mpatha")))
	}
	hosts[1].Fabric.Mend()
	r.run(mpath.Minute)
	if n := r.mapNamed("mpatha").live.multipaths()[0].valid(); n != 6 {
		r.fail("%d paths: %s", n, groups(r.mapNamed("mpatha")))
	}
	r.wantSound()
}

// A conflict with another host's reservation is an answer: the path is up, the
// write ends with EBADE at once, and nothing fails over.
func TestReservedLUNIsUp(t *testing.T) {
	r := newRig(t, 32, plain)
	l, ds := r.alua("one")
	r.start(20 * second)
	for _, d := range ds {
		d.Conflict()
	}
	io := r.mapNamed("mpatha").Write(l, 1, 1, nil)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	if !contains(io.Err, "EBADE") || r.d.Counts["Message"] > 0 {
		r.fail("write %q, %d messages", io.Err, r.d.Counts["Message"])
	}
}

// TASK SET FULL is a busy target, no broken path.
func TestTaskSetFullIsUp(t *testing.T) {
	r := newRig(t, 33, plain)
	_, ds := r.alua("one")
	r.start(20 * second)
	for _, d := range ds {
		d.Busy(scsi.StatusTaskSetFull, 3*mpath.Minute)
	}
	r.run(2 * mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	if n := r.d.Counts["Message"]; n > 0 {
		r.fail("%d messages", n)
	}
}

// A reload waits in the kernel for a command that hangs on one path, and the map
// with it: nothing is lost, and the daemon does not hang.
func TestReloadWhileIOHangs(t *testing.T) {
	r := newRig(t, 34, plain)
	l, ds := r.alua("one")
	r.start(20 * second)
	a := r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
	r.run(second)
	ds[0].Break(Hung)
	r.run(100 * mpath.Millisecond)
	r.w.AddPath(l, 5, 1) // a new path is a new table
	r.run(10 * second)
	if m := r.mapNamed("mpatha"); m.draining == nil || r.d.Hung() != 1 {
		r.fail("the load does not wait: draining %v, %d requests hang", m.draining, r.d.Hung())
	}
	checks := r.d.Counts["StartCheck"]
	r.run(20 * second)
	if r.d.Counts["StartCheck"] == checks {
		r.fail("the daemon hangs with the load")
	}
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[-sda sdb sde] | sdc sdd")
	ds[0].Break(Healthy)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb sde] | sdc sdd")
	r.wantSound()
	t.Logf("the slowest write took %d s", a.slowest.Seconds())
}

// Killed in the middle of that, the next process finds the old table live and no
// map suspended.
func TestKilledWhileReloadWaits(t *testing.T) {
	r := newRig(t, 35, plain)
	l, ds := r.alua("one")
	r.start(20 * second)
	r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
	r.run(second)
	ds[0].Break(Hung)
	r.run(100 * mpath.Millisecond)
	r.w.AddPath(l, 5, 1)
	r.run(10 * second)
	if r.mapNamed("mpatha").draining == nil {
		r.fail("the load does not wait")
	}
	r.d.Kill()
	if m := r.mapNamed("mpatha"); m.draining != nil || m.Suspended() || m.inactive != nil {
		r.fail("the kernel goes on with the load of a killed process")
	}
	r.run(5 * second)
	r.start(2 * mpath.Minute)
	ds[0].Break(Healthy)
	r.run(2 * mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb sde] | sdc sdd")
	r.wantSound()
}
