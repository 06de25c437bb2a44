package sim

import (
	"strings"
	"testing"

	"pathkeeper/mpath"
)

// A panic in the hands of one map: the map is made anew from what the kernel says,
// no I/O suffers, the others never notice, and the bug is told.
func TestPanicRebuildsTheMap(t *testing.T) {
	r := newRig(t, 1, plain)
	l, disks := r.alua("one")
	r.alua("two")
	r.start(20 * second)
	a := r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	loads := r.mapNamed("mpatha").Loads
	r.d.core.Trip(1)
	disks[0].Break(NoConnect)
	r.run(30 * second)
	if len(r.d.Bugs) != 1 || r.d.Bugs[0].Object != "mpatha" || !strings.Contains(r.d.Bugs[0].Where, "settleMap") {
		r.fail("bugs: %+v", r.d.Bugs)
	}
	r.wantSaid("adopted with 4 paths")
	r.wantGroups("mpatha", "[-sda sdb] | sdc sdd")
	disks[0].Break(Healthy)
	r.run(60 * second)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	if r.mapNamed("mpatha").Loads != loads {
		r.fail("the rebuilt map was loaded anew")
	}
	if len(a.errors) > 0 {
		r.fail("errors: %+v", a.errors)
	}
	r.wantSound()
}

// A map that breaks again and again is left as the kernel has it, until a reload.
func TestMapThatBreaksIsLeftAlone(t *testing.T) {
	r := newRig(t, 1, plain)
	_, disks := r.alua("one")
	r.start(20 * second)
	for range 3 {
		r.d.core.Trip(1)
		disks[0].Break(NoConnect)
		r.run(40 * second)
		disks[0].Break(Healthy)
		r.run(40 * second)
	}
	r.wantSaid("it is left as the kernel has it until a reload")
	n := r.d.Counts["StartCheck"]
	disks[0].Break(NoConnect)
	r.run(60 * second)
	if more := r.d.Counts["StartCheck"] - n; more > 0 {
		r.fail("%d checks of a map that is left alone", more)
	}
	disks[0].Break(Healthy)
	r.d.Reconfigure(r.cfg)
	r.run(60 * second)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	if len(r.d.Bugs) != 3 {
		r.fail("%d bugs", len(r.d.Bugs))
	}
}
