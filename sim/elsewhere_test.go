package sim

import "testing"

// While the daemon was away, every path of a map was led to another LUN. The map was
// never this daemon's, and all the same nothing may be written through it.
func TestAdoptedMapThatLeadsElsewhereIsFailed(t *testing.T) {
	r := newRig(t, 1, plain)
	one := r.w.AddLUN(LUN{Name: "one"})
	two := r.w.AddLUN(LUN{Name: "two"})
	d := r.w.AddPath(one, 2, 1)
	r.w.AddPath(two, 3, 1)
	r.start(20 * second)
	r.wantGroups("mpatha", "[sda]")
	r.d.Kill()
	d.Remap(two, false)
	r.start(20 * second)
	r.wantGroups("mpatha", "[-sda]")
	r.wantSaid("path 8:0 leads to another LUN")
	if r.mapNamed("mpatha").Queueing() != true {
		r.fail("its I/O is not queued: %s", r.mapNamed("mpatha").Table())
	}
}
