package sim

import (
	"errors"
	"io"
	"time"

	"pathkeeper/mpath"
	"pathkeeper/record"
)

// tape records what the daemon does, in the real daemon's format.
type tape struct {
	to      *record.Writer
	product string
	by      string
	watcher *record.Watcher
	n       uint64 // steps of this process
	err     error
}

// tapeCheckpoint is after how many steps the core's state is recorded too.
const tapeCheckpoint = 200

// simEpoch is what the simulated clock on the wall says at instant zero.
func simEpoch() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// RecordTo records from now on what the core is told and what it asks for, over kills
// and starts, so that `pathkeeper replay` can run it again. by says whose recording it
// is: "sim seed 7". The function that it gives says whether all could be written.
func (d *Daemon) RecordTo(to io.Writer, product, by string) (ended func() error) {
	t := &tape{to: record.NewWriter(to), product: product, by: by}
	d.tape = t
	if d.core != nil {
		t.begin(d)
	}
	return func() error { return t.err }
}

// begin starts a segment: another process, or the start of the recording.
func (t *tape) begin(d *Daemon) {
	t.n, t.watcher = 0, record.NewWatcher()
	t.keep(t.to.Begin(record.Header{
		Product: t.product, By: t.by, PID: d.life, Boot: BootID, At: d.w.now, Wall: simEpoch().Add(time.Duration(d.w.now)),
	}))
	t.keep(t.to.Checkpoint(0, d.w.now, d.core.Checkpoint()))
}

func (t *tape) step(d *Daemon, ev mpath.Event, acts []mpath.Action, wake mpath.Instant) {
	t.n++
	t.keep(t.to.Step(record.Step{N: t.n, At: d.w.now, Event: ev, Acts: acts, Wake: wake}))
	t.watcher.Step(d.w.now, ev, acts)
	for _, e := range t.watcher.Snapshot(d.core.Snapshot()) {
		t.keep(t.to.Edge(t.n, e.At, e.Edge))
	}
	if t.n%tapeCheckpoint == 0 {
		t.keep(t.to.Checkpoint(t.n, d.w.now, d.core.Checkpoint()))
	}
}

func (t *tape) keep(err error) { t.err = errors.Join(t.err, err) }
