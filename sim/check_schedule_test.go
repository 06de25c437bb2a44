package sim

import (
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
)

// wantSpread lets a whole interval pass and counts the checks of each second.
func (r *rig) wantSpread(when string, paths, seconds int) {
	r.Helper()
	total := 0
	for s := range seconds {
		was := r.d.Counts["StartCheck"]
		r.run(second)
		n := r.d.Counts["StartCheck"] - was
		total += n
		if most := (paths+seconds-1)/seconds + 4; n > most {
			r.fail("%s: %d checks in second %d, at most %d", when, n, s, most)
		}
	}
	if total < paths-4 || total > paths+4 {
		r.fail("%s: %d checks of %d paths in %d s", when, total, paths, seconds)
	}
}

// settled is when checks are at max_polling_interval again after all paths were
// asked at once: 5, 10 and 20 seconds.
const settled = 40 * second

// In quiet times each path is checked once in max_polling_interval, and the checks
// are spread over it: after a start, after a reconfiguration, after a standstill
// and after a restart, each of which asks every path at once.
func TestChecksAreSpread(t *testing.T) {
	r := newRig(t, 71, plain)
	const luns = 60
	for range luns {
		l := r.w.AddLUN(LUN{})
		for p := range 4 {
			r.w.AddPath(l, uint32(2+p%2), 1+p/2)
		}
	}
	const paths = 4 * luns
	r.start(settled + 20*second)
	r.wantSpread("after the start", paths, 20)
	r.d.Reconfigure(r.cfg)
	r.run(settled)
	r.wantSpread("after a reconfiguration", paths, 20)
	r.d.Stop()
	r.run(30 * second)
	r.d.Continue()
	r.run(settled)
	r.wantSpread("after a standstill", paths, 20)
	r.d.Kill()
	r.start(settled + 20*second)
	r.wantSpread("after a restart", paths, 20)
}

// The interval doubles while a path stays up, and begins anew at polling_interval
// with each change of its state.
func TestIntervalsAdapt(t *testing.T) {
	r := newRig(t, 72, plain)
	_, disks := r.alua("a")
	r.start(2 * second)
	want := func(s int64) {
		t.Helper()
		if got := r.pathView(disks[1].Name).Interval.Seconds(); got != s {
			r.fail("interval %d s, want %d", got, s)
		}
	}
	want(5)
	r.run(5 * second)
	want(10)
	r.run(10 * second)
	want(20)
	r.run(60 * second)
	want(20)
	disks[1].Break(NoConnect)
	r.run(20 * second)
	want(5)
	was := r.d.Counts["StartCheck"]
	r.run(60 * second)
	if n := r.d.Counts["StartCheck"] - was; n < 12+6 || n > 13+12 { // one path each 5 s, three each 20
		r.fail("%d checks in a minute", n)
	}
	want(5)
	disks[1].Break(Healthy)
	for i := 0; i < 6 && r.pathView(disks[1].Name).State != pathcheck.StateUp; i++ {
		r.run(second)
	}
	want(5)
	r.run(5 * second)
	want(10)
}

// A shorter max_polling_interval counts at once, not when the longer one is over.
func TestReconfigurationShortensIntervals(t *testing.T) {
	r := newRig(t, 73, "defaults {\n find_multipaths greedy\n polling_interval 60\n max_polling_interval 600\n}\n")
	r.alua("a")
	r.start(1000 * second)
	was := r.d.Counts["StartCheck"]
	r.d.Reconfigure(parse(t, plain))
	r.run(6 * second)
	if n := r.d.Counts["StartCheck"] - was; n < 4 {
		r.fail("%d checks of 4 paths 6 s after the change", n)
	}
}

// A standstill of three seconds is told by the shell: answers to what was asked
// before it are not believed.
func TestShortStandstill(t *testing.T) {
	r := newRig(t, 74, plain)
	r.alua("a")
	r.start(60 * second)
	was := r.d.Counts["StartCheck"]
	r.d.Stop()
	r.run(3 * second)
	r.d.Continue()
	r.run(mpath.Second / 2)
	r.wantSaid("stood still for 3 s")
	if n := r.d.Counts["StartCheck"] - was; n < 4 {
		r.fail("%d checks of 4 paths after it", n)
	}
}
