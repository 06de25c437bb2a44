// Package daemon is the shell around the core: one loop owns the machine;
// workers and receivers carry requests to the kernel and bring one answer each.
// The loop never waits for a device, a file, a client or the log.
package daemon

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/engine"
	"pathkeeper/mpath"
)

// now is CLOCK_BOOTTIME: it goes on while the machine sleeps or a VM is paused.
func now() mpath.Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("clock_gettime(CLOCK_BOOTTIME): " + err.Error()) // cannot fail on Linux
	}
	return mpath.Instant(ts.Nano())
}

// loop owns the core. Everything in it belongs to its one goroutine but for
// inbox, snapshot and the worker pools.
type loop struct {
	core   *mpath.Machine
	engine *engine.Engine
	work   *workers
	log    *journal

	inbox chan message
	tasks map[uint64]task
	next  uint64
	wake  mpath.Instant

	seen mpath.Instant // when the loop last ran
	gaps int           // how often the process stood still

	snapshot atomic.Pointer[mpath.Snapshot]
	dirty    bool

	ended  chan struct{} // closed when run has returned: nobody takes answers any more
	broken int           // laws that did not hold: bugs
	acts   int
}

// task is an operation that waits for an answer.
type task struct {
	next engine.Next
	gaps int // when it was asked
}

// gapLimit is how much longer than its longest wait the loop may be away before
// the process counts as having stood still.
const gapLimit = 2 * mpath.Second

// ran notes that the loop runs, and whether it stood still since the last time. It
// is called before each answer is taken, so that one from before is known as such.
func (l *loop) ran() {
	t := now()
	if l.seen != 0 && t.Since(l.seen) > mpath.Span(longestWait)+gapLimit {
		l.gaps++
	}
	l.seen = t
}

// message is what reaches the loop: an answer to a task, an event, or a
// function to run on the loop.
type message struct {
	task   uint64
	answer engine.Answer
	event  mpath.Event
	run    func()
}

func newLoop(e *engine.Engine, w *workers, log *journal) *loop {
	l := &loop{
		core: mpath.New(), engine: e, work: w, log: log,
		inbox: make(chan message, 1024), tasks: map[uint64]task{}, ended: make(chan struct{}),
	}
	// Never called by the loop itself: a full inbox would stop it for good.
	w.done = func(task uint64, a engine.Answer) {
		select {
		case l.inbox <- message{task: task, answer: a}:
		case <-l.ended:
		}
	}
	return l
}

// send hands an event to the loop from another goroutine.
func (l *loop) send(ctx context.Context, ev mpath.Event) {
	select {
	case l.inbox <- message{event: ev}:
	case <-l.ended:
	case <-ctx.Done():
	}
}

// call runs a function on the loop and waits for it, or for the end of ctx.
func (l *loop) call(ctx context.Context, f func()) error {
	ended := make(chan struct{})
	select {
	case l.inbox <- message{run: func() { f(); close(ended) }}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// batch bounds how many messages are taken before time and watchdog are looked
// at again.
const batch = 256

// longestWait is how long the loop sleeps at most.
const longestWait = 500 * time.Millisecond

// run is the loop, until ctx ends. alive is called at least every half second.
// It runs once.
func (l *loop) run(ctx context.Context, alive func()) {
	defer close(l.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := longestWait
		if l.wake != mpath.Never {
			wait = min(wait, max(0, time.Duration(l.wake-now())))
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case m := <-l.inbox:
			l.take(m)
			for range batch {
				select {
				case m := <-l.inbox:
					l.take(m)
					continue
				default:
				}
				break
			}
		case <-timer.C:
			l.ran()
			if now() >= l.wake {
				l.step(mpath.Wake{})
			}
		}
		l.publish()
		alive()
	}
}

func (l *loop) take(m message) {
	l.ran()
	switch {
	case m.run != nil:
		m.run()
	case m.event != nil:
		l.step(m.event)
	default:
		t, ok := l.tasks[m.task]
		if !ok {
			return
		}
		delete(l.tasks, m.task)
		m.answer.Late = t.gaps != l.gaps
		l.advance(t.next(m.answer))
	}
}

// advance carries an operation to its next request or its event.
func (l *loop) advance(s engine.Step) {
	switch {
	case s.Next != nil:
		l.next++
		l.tasks[l.next] = task{s.Next, l.gaps}
		l.work.start(l.next, s.Ask)
	case s.Event != nil:
		l.step(s.Event)
	}
}

// step feeds the core one event and starts what it asks for.
func (l *loop) step(ev mpath.Event) {
	acts, wake := l.core.Step(now(), ev)
	l.wake = wake
	l.dirty = true
	broken := l.core.CheckActions(acts)
	for _, b := range broken {
		l.broken++
		l.log.note(mpath.Note{Level: mpath.LevelError, Object: "bug", Text: b.Error() + "; the changes of this step are not carried out: please report it"})
	}
	for _, a := range acts {
		if n, ok := a.(mpath.Note); ok {
			l.log.note(n)
			continue
		}
		if seq, ok := changes(a); ok && len(broken) > 0 {
			l.refuse(seq, broken[0])
			continue
		}
		l.acts++
		l.advance(l.engine.Start(a))
	}
}

// changes says whether an action changes a map, and gives its question.
func changes(a mpath.Action) (seq uint64, ok bool) {
	switch a := a.(type) {
	case mpath.CreateMap:
		return a.Seq, true
	case mpath.LoadMap:
		return a.Seq, true
	case mpath.RemoveMap:
		return a.Seq, true
	case mpath.RenameMap:
		return a.Seq, true
	case mpath.ResumeMap:
		return a.Seq, true
	case mpath.Message:
		return a.Seq, true
	}
	return 0, false
}

// refuse answers an action that must not reach the kernel, after this step.
func (l *loop) refuse(seq uint64, b mpath.Broken) {
	l.next++
	l.tasks[l.next] = task{next: func(engine.Answer) engine.Step {
		return engine.Step{Event: mpath.ActionDone{Seq: seq, Errno: mpath.ErrnoOther, Detail: "not done: " + b.Error()}}
	}}
	go l.work.done(l.next, engine.Answer{})
}

// publish gives readers a new snapshot if anything changed.
func (l *loop) publish() {
	if !l.dirty {
		return
	}
	l.dirty = false
	s := l.core.Snapshot()
	l.snapshot.Store(&s)
}

// current is the newest snapshot, for any goroutine.
func (l *loop) current() mpath.Snapshot {
	if s := l.snapshot.Load(); s != nil {
		return *s
	}
	return mpath.Snapshot{}
}
