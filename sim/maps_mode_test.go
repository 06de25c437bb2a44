package sim

import (
	"testing"

	"pathkeeper/mpath"
)

// protect has the kernel take a path for write-protected, or not any more, as after
// a rescan of a LUN of which one controller refuses writes.
func protect(d *Disk, ro bool) {
	d.ReadOnly = ro
	d.Announce()
}

// One write-protected path does not make the map read-only: it is left out, with the
// reason, until it can be written.
func TestOneReadOnlyPath(t *testing.T) {
	r := newRig(t, 190, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.write(m, l, 50*mpath.Millisecond)
	protect(ds[1], true)
	r.run(10 * second)
	r.wantGroups("mpatha", "[sda] | sdc sdd")
	r.wantSaid("sdb (8:16) is left out: it is write-protected")
	if m.live.readOnly || r.pathView("sdb").Refused == "" {
		r.fail("read-only %v, refused for %q", m.live.readOnly, r.pathView("sdb").Refused)
	}
	loads := m.Loads
	r.run(10 * mpath.Minute)
	if m.Loads != loads {
		r.fail("%d loads in calm", m.Loads-loads)
	}
	protect(ds[1], false)
	r.run(10 * second)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.wantSound()
}

// A map with one such path from the start.
func TestCreatedBesideAReadOnlyPath(t *testing.T) {
	r := newRig(t, 191, plain)
	_, ds := r.alua("one")
	ds[0].ReadOnly = true
	r.start(20 * second)
	r.wantGroups("mpatha", "[sdb] | sdc sdd")
	if r.mapNamed("mpatha").live.readOnly {
		r.fail("the map is read-only")
	}
}

// All paths become write-protected: so does the map; and it becomes writable again
// with them, each by one load.
func TestAllPathsReadOnly(t *testing.T) {
	r := newRig(t, 192, plain)
	_, ds := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	for _, ro := range []bool{true, false} {
		loads := m.Loads
		for _, d := range ds {
			protect(d, ro)
		}
		r.run(20 * second)
		r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
		if m.live.readOnly != ro || m.Loads != loads+1 {
			r.fail("read-only %v after %d loads, want %v after one", m.live.readOnly, m.Loads-loads, ro)
		}
	}
}

// The writable paths are down and one that is write-protected works, as while a
// replica is being promoted: the writers wait instead of losing their writes.
func TestReadOnlyPathIsNoRefuge(t *testing.T) {
	r := newRig(t, 193, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.write(m, l, 50*mpath.Millisecond)
	protect(ds[3], true)
	r.run(10 * second)
	breakAll(NoConnect, ds[:3]...)
	r.run(30 * second)
	if m.live.readOnly {
		r.fail("the map is read-only")
	}
	protect(ds[3], false)
	r.run(10 * second)
	if len(r.apps[0].errors) > 0 || m.Queued() > 0 {
		r.fail("%d errors, %d writes wait", len(r.apps[0].errors), m.Queued())
	}
	r.wantSound()
}
