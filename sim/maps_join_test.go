package sim

import (
	"testing"

	"pathkeeper/mpath"
)

// until runs the world in small steps until a condition holds.
func (r *rig) until(what string, holds func() bool) {
	r.Helper()
	for end := r.w.now.After(mpath.Minute); !holds(); {
		if r.w.now > end || !r.w.step(end) || r.d.Err != nil {
			r.fail("it does not happen: %s (%v)", what, r.d.Err)
		}
	}
}

// A LUN is exchanged between the check of a path and the load that it joins: the
// load is given up, the path is a stranger, and not one write goes astray.
func TestExchangedBeforeTheLoad(t *testing.T) {
	for seed := range uint64(20) {
		r := newRig(t, 140+seed, plain)
		l, _ := r.alua("one")
		evil := r.w.AddLUN(LUN{Name: "evil"})
		r.start(10 * second)
		r.write(r.mapNamed("mpatha"), l, 5*mpath.Millisecond)
		d := r.w.AddPath(l, 4, 1)
		loads := r.d.Counts["LoadMap"]
		r.until("a load", func() bool { return r.d.Counts["LoadMap"] > loads })
		d.Remap(evil, false)
		r.run(mpath.Minute)
		r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
		if v := r.pathView("sde"); v.Stranger != evil.WWID() {
			r.fail("sde is not taken for a stranger: %q", v.Stranger)
		}
		d.Remap(l, false)
		r.run(2 * mpath.Minute)
		r.wantGroups("mpatha", "[sda sdb sde] | sdc sdd")
		r.wantSound()
	}
}

// The same while the map is made.
func TestExchangedBeforeTheCreation(t *testing.T) {
	r := newRig(t, 160, plain)
	_, ds := r.alua("one")
	evil := r.w.AddLUN(LUN{Name: "evil"})
	r.d.Start(r.cfg)
	r.until("a creation", func() bool { return r.d.Counts["CreateMap"] > 0 })
	ds[2].Remap(evil, false)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb] | sdd")
	if r.d.Counts["CreateMap"] > 2 {
		r.fail("%d creations", r.d.Counts["CreateMap"])
	}
}

// A path that falls silent in just that moment holds nothing up for long: the load
// goes on without it.
func TestSilentBeforeTheLoad(t *testing.T) {
	r := newRig(t, 161, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	a, b := r.w.AddPath(l, 4, 1), r.w.AddPath(l, 5, 1)
	_ = a
	loads := r.d.Counts["LoadMap"]
	r.until("a load", func() bool { return r.d.Counts["LoadMap"] > loads })
	b.Break(Hung)
	ds[3].Delete()
	r.run(2 * mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb sde] | sdc")
	r.wantSound()
}
