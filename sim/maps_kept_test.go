package sim

import (
	"strings"
	"testing"

	"pathkeeper/mpath"
)

// The process ends while a map has no device left. The next one knows how long the
// map may queue, though no path is there to tell whose settings it has.
func TestSettingsOutliveARestart(t *testing.T) {
	for _, tt := range []struct {
		settings string
		queues   bool // 2 minutes later
	}{
		{"no_path_retry 12", false},
		{"no_path_retry queue", true},
	} {
		r := newRig(t, 170, strings.Replace(plain, "no_path_retry 12", tt.settings, 1))
		l, ds := r.alua("one")
		r.start(10 * second)
		a := r.write(r.mapNamed("mpatha"), l, 100*mpath.Millisecond)
		r.run(10 * second)
		r.d.Kill()
		for _, d := range ds { // nobody has seen them leave: there is no deadline yet
			d.Delete()
		}
		r.start(40 * second)
		if len(a.errors) > 0 {
			r.fail("I/O failed before its time")
		}
		r.run(80 * second)
		m := r.mapNamed("mpatha")
		if got := m.live.multipaths()[0].queue; got != tt.queues || got != (len(a.errors) == 0) {
			r.fail("%s: queues %v, %d errors", tt.settings, got, len(a.errors))
		}
		// A final stop knows queue_without_daemon of it.
		r.d.Terminate(true)
		if m.live.multipaths()[0].queue {
			r.fail("%s: queues without a daemon", tt.settings)
		}
	}
}

// An operator's word outlives the process, too.
func TestDisabledQueueingOutlivesARestart(t *testing.T) {
	r := newRig(t, 171, plain)
	r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.ask(mpath.Command{Kind: mpath.CommandDisableQueueing, Map: "mpatha"}, mpath.ReplyDone)
	for range 2 {
		r.d.Kill()
		r.start(mpath.Minute)
		if m.live.multipaths()[0].queue {
			r.fail("queues again")
		}
	}
	r.ask(mpath.Command{Kind: mpath.CommandRestoreQueueing, Map: "mpatha"}, mpath.ReplyDone)
	r.d.Kill()
	r.start(mpath.Minute)
	if !m.live.multipaths()[0].queue {
		r.fail("does not queue")
	}
}

// What never queued does not begin to when an operator takes his word back, also not
// by a process that has come since.
func TestRestoredQueueingIsWhatItWas(t *testing.T) {
	r := newRig(t, 172, strings.Replace(plain, "no_path_retry 12", "", 1))
	r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	if m.Queueing() {
		r.fail("queues without being told to: %s", m.Table())
	}
	r.ask(mpath.Command{Kind: mpath.CommandDisableQueueing, Map: "mpatha"}, mpath.ReplyDone)
	r.d.Kill()
	r.start(mpath.Minute)
	r.d.Command(mpath.Command{Kind: mpath.CommandRestoreQueueing, Map: "mpatha"})
	r.run(mpath.Minute)
	if m.Queueing() {
		r.fail("queues: %s", m.Table())
	}
}
