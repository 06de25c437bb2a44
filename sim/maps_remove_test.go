package sim

import (
	"strings"
	"testing"

	"pathkeeper/mpath"
)

// noPaths is a rig whose map has lost all its devices.
func noPaths(t *testing.T, seed uint64, settings string, used bool) (*rig, *LUN, *Map, *app) {
	t.Helper()
	r := newRig(t, seed, strings.Replace(plain, "no_path_retry 12", settings, 1))
	l, ds := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	var a *app
	if used {
		a = r.write(m, l, 100*mpath.Millisecond)
	}
	r.run(10 * second)
	for _, d := range ds {
		d.Delete()
	}
	r.run(20 * second)
	return r, l, m, a
}

func TestFlushOnLastDel(t *testing.T) {
	for _, tt := range []struct {
		name, settings string
		used           bool
		there          bool // after a while
		queues         bool
	}{
		{"unused, nobody uses it", "no_path_retry queue", false, false, false},
		{"unused, used and queueing", "no_path_retry queue\ndeferred_remove yes", true, true, true},
		{"unused, used and not queueing", "no_path_retry fail", true, true, false},
		{"never and queueing", "no_path_retry queue\nflush_on_last_del never", false, true, true},
		{"never and not queueing", "no_path_retry fail\nflush_on_last_del never", false, false, false},
		{"always, nobody uses it", "no_path_retry queue\nflush_on_last_del always", false, false, false},
		{"always, used", "no_path_retry queue\nflush_on_last_del always", true, true, false},
		{"the old word no", "no_path_retry queue\nflush_on_last_del no", false, false, false},
		{"the old word yes", "no_path_retry queue\nflush_on_last_del yes", true, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, l, m, a := noPaths(t, 120, tt.settings, tt.used)
			if got := r.w.Map("mpatha") != nil; got != tt.there {
				r.fail("the map is there: %v, want %v", got, tt.there)
			}
			if !tt.there {
				return
			}
			if got := m.live.multipaths()[0].queue; got != tt.queues {
				r.fail("queues: %v, want %v", got, tt.queues)
			}
			if failed := a != nil && len(a.errors) > 0; failed != (tt.used && !tt.queues) {
				r.fail("I/O failed: %v", failed)
			}
			if !tt.used {
				return
			}
			// A path is back: the map works again, and queues as configured.
			queues := strings.Contains(tt.settings, "queue")
			back := r.w.AddPath(l, 2, 1)
			r.run(20 * second)
			r.wantGroups("mpatha", "["+back.Name+"]")
			if got := m.live.multipaths()[0].queue; got != queues {
				r.fail("with a path again, queues: %v", got)
			}
			good := a.lastGood
			r.run(second)
			if a.lastGood == good {
				r.fail("no I/O goes through")
			}
		})
	}
}

// no_path_retry counts for a map whose devices have all left, too: who waits for it
// has its error in time.
func TestRetryEndsWithoutDevices(t *testing.T) {
	r, _, m, a := noPaths(t, 121, "no_path_retry 12", true)
	if len(a.errors) > 0 || !m.live.multipaths()[0].queue {
		r.fail("queueing ended too early")
	}
	r.run(mpath.Minute)
	if len(a.errors) == 0 {
		r.fail("queueing never ends")
	}
}

// The user lets go of a map whose last path left: it goes.
func TestRemovedAtLastClose(t *testing.T) {
	for _, settings := range []string{"no_path_retry fail", "no_path_retry queue\nflush_on_last_del always\ndeferred_remove yes"} {
		r := newRig(t, 122, strings.Replace(plain, "no_path_retry 12", settings, 1))
		_, ds := r.alua("one")
		r.start(10 * second)
		m := r.mapNamed("mpatha")
		m.Open()
		for _, d := range ds {
			d.Delete()
		}
		r.run(mpath.Minute)
		r.mapNamed("mpatha")
		if want := strings.Contains(settings, "deferred"); m.deferred != want || r.mapView("mpatha").Truth.Deferred != want {
			r.fail("deferred: %v, want %v", m.deferred, want)
		}
		m.Close()
		r.run(20 * second)
		if len(r.w.Maps()) > 0 {
			r.fail("%v", r.w.Maps())
		}
		r.alua("two") // and nothing of it is left behind
		r.run(20 * second)
		r.mapNamed("mpathb")
	}
}

// A path is back before the last close: the removal is called off, by this process
// and by the next.
func TestDeferredRemovalIsCalledOff(t *testing.T) {
	for _, restart := range []bool{false, true} {
		r := newRig(t, 123, strings.Replace(plain, "no_path_retry 12", "no_path_retry fail\ndeferred_remove yes", 1))
		l, ds := r.alua("one")
		r.start(10 * second)
		m := r.mapNamed("mpatha")
		m.Open()
		for _, d := range ds {
			d.Delete()
		}
		r.run(mpath.Minute)
		if !m.deferred {
			r.fail("no deferred removal")
		}
		if restart {
			r.d.Kill()
			r.start(20 * second)
		}
		back := r.w.AddPath(l, 2, 1)
		r.run(20 * second)
		if m.deferred {
			r.fail("restart %v: not called off", restart)
		}
		m.Close()
		r.run(20 * second)
		r.wantGroups("mpatha", "["+back.Name+"]")
	}
}
