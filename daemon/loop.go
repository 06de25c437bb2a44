// Package daemon is the shell around the core: one loop owns the machine;
// workers and receivers carry requests to the kernel and bring one answer each.
// The loop never waits for a device, a file, a client or the log.
package daemon

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/record"
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
	rules    atomic.Pointer[policy.Compiled] // what is in force
	shown    mpath.Instant                   // when the snapshot was made
	dirty    bool

	ended   chan struct{}                 // closed when run has returned: nobody takes answers any more
	replies map[uint64]chan mpath.Reply   // commands that wait for their reply
	applies map[uint64]chan mpath.Applied // the same of applies
	asked   uint64                        // Seq of the last one
	acts    int

	took     func(mpath.Action) // nil: nobody watches what the core asks for
	bugs     bugs
	recorder *record.Recorder // nil: nothing is recorded
	// unsound: the core cannot be trusted any more; run returns.
	unsound error
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
		away := t.Since(l.seen)
		l.seen = t
		l.step(mpath.StoodStill{Span: away})
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
		inbox: make(chan message, 1024), tasks: map[uint64]task{}, replies: map[uint64]chan mpath.Reply{}, applies: map[uint64]chan mpath.Applied{}, ended: make(chan struct{}),
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
	case <-l.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-ended:
		return nil
	case <-l.ended:
		return errEnded
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
		if now().Since(l.shown) >= showEvery {
			l.publish()
		}
		if l.unsound != nil {
			return
		}
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
	at := now()
	acts, wake := l.core.Step(at, ev)
	l.recorder.Step(l.core, at, ev, acts, wake)
	l.wake = wake
	l.dirty = true
	if r := l.core.Rules(); r != nil && r != l.rules.Load() {
		l.rules.Store(r)
	}
	broken := l.core.CheckActions(acts)
	for _, b := range broken {
		l.bug(b.Error() + "; the changes of this step are not carried out")
	}
	for _, a := range acts {
		if l.took != nil {
			l.took(a)
		}
		if n, ok := a.(mpath.Note); ok {
			l.log.note(n)
			continue
		}
		if r, ok := a.(mpath.Reply); ok {
			l.replied(r)
			continue
		}
		if r, ok := a.(mpath.Applied); ok {
			l.applied(r)
			continue
		}
		if b, ok := a.(mpath.Bug); ok {
			l.caught(b)
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

// caught tells of a panic that the core survived, or did not.
func (l *loop) caught(b mpath.Bug) {
	text := "panic: " + b.Text + " in " + b.Where
	if b.Object == "" {
		text += "; it is not known which map it concerns: the process ends and starts anew, the maps stay as they are"
		l.unsound = errors.New(text)
	} else {
		text += "; " + b.Object + " is rebuilt from the kernel"
	}
	l.bug(text)
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
	case mpath.ResizeMap:
		return a.Seq, true
	case mpath.SuspendMap:
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
	l.shown = now()
	l.recorder.Snapshot(&s)
}

// showEvery bounds the age of the snapshot that a reader gets when the loop is too
// busy to make him a new one. To copy ten thousand paths at each turn of the loop
// would cost more than the turn.
const showEvery = 2 * mpath.Second

// showWait is how long a reader waits for a snapshot of this moment.
const showWait = 250 * time.Millisecond

// current is the state of this moment, for any goroutine but the loop's own; where the
// loop does not answer at once, the state of a moment ago.
func (l *loop) current() mpath.Snapshot {
	ctx, cancel := context.WithTimeout(context.Background(), showWait)
	defer cancel()
	_ = l.call(ctx, l.publish) // a late one is as good as the last one
	return l.last()
}

// fresh is the state of this moment, for the loop's own goroutine.
func (l *loop) fresh() mpath.Snapshot {
	l.publish()
	return l.last()
}

// last is the snapshot that was made last.
func (l *loop) last() mpath.Snapshot {
	if s := l.snapshot.Load(); s != nil {
		return *s
	}
	return mpath.Snapshot{}
}
