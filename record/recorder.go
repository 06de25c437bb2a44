package record

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"pathkeeper/mpath"
)

// Options say where a recorder writes and what stands in its headers.
type Options struct {
	Dir     string // /run/pathkeeper/recorder: a tmpfs, so that writing never waits for a disk
	Product string
	By      string
	Boot    string
	Now     func() mpath.Instant
	Log     func(string) // must not block
}

// queueItems bounds what waits to be written: beyond it steps are left out and
// counted.
const queueItems = 4096

// stateEvery is the least time between two states that are asked for because steps
// were lost.
const stateEvery = 2 * mpath.Second

// Recorder writes the flight recording. The loop hands over what happened and never
// waits: what is handed over is immutable, and everything else is done elsewhere.
type Recorder struct {
	opt  Options
	in   chan item
	want atomic.Bool // the state, after the next step

	lost   atomic.Uint64 // steps that found the queue full, or no file
	failed atomic.Uint64 // writes that failed
	saving chan struct{} // held by the one copy that is being made
	saves  atomic.Uint64 // copies that were begun
	missed atomic.Uint64 // copies that were not made: the one before was not done

	n uint64 // steps; the loop's

	steps, history ring // the writer's, like all that follows
	watcher        *Watcher
	last           uint64 // step written
	lastState      mpath.Instant
	full           int64 // bytes at which the segment has enough
	asked          bool  // want was set and not answered yet
	broken         bool  // steps are missing since the last one that was written
	retryAt        mpath.Instant
	said           string
}

// item is one thing that is handed to the writer.
type item struct {
	step  Step
	state *mpath.Checkpoint
	snap  *mpath.Snapshot
	run   func()
}

// Stats is what `show daemon` tells.
type Stats struct {
	Lost   uint64 `json:"lost"`   // steps that are not in the recording
	Failed uint64 `json:"failed"` // writes
	Saves  uint64 `json:"saves"`  // copies begun
	Missed uint64 `json:"missed"` // copies not made, because the one before hangs
}

// Start starts the writer. A directory that cannot be made is an error; whoever
// starts goes on without a recorder: a nil Recorder takes everything and does nothing.
func Start(opt Options) (*Recorder, error) {
	if err := openDir(opt.Dir); err != nil {
		return nil, err
	}
	r := &Recorder{
		opt: opt, in: make(chan item, queueItems), saving: make(chan struct{}, 1), watcher: NewWatcher(),
		steps:   ring{dir: opt.Dir, prefix: stepsPrefix, most: Segments, mostBytes: RingBytes},
		history: ring{dir: opt.Dir, prefix: historyPrefix, most: HistorySegments, mostBytes: HistorySegments*HistoryBytes + SegmentMostBytes},
	}
	go r.write()
	return r, nil
}

func (r *Recorder) offer(i item) bool {
	select {
	case r.in <- i:
		return true
	default:
		return false
	}
}

// Begin hands over the core before its first step. From the loop only, as Step.
func (r *Recorder) Begin(at mpath.Instant, core *mpath.Machine) {
	if r != nil {
		r.want.Store(!r.offer(item{step: Step{At: at}, state: core.Checkpoint()}))
	}
}

// Step hands over a step that the core has just made.
func (r *Recorder) Step(core *mpath.Machine, at mpath.Instant, ev mpath.Event, acts []mpath.Action, wake mpath.Instant) {
	if r == nil {
		return
	}
	r.n++
	if !r.offer(item{step: Step{r.n, at, ev, acts, wake}}) {
		r.lost.Add(1)
	}
	if r.want.Load() && len(r.in) < queueItems/2 && r.offer(item{step: Step{N: r.n, At: at}, state: core.Checkpoint()}) {
		r.want.Store(false)
	}
}

// Snapshot hands over what can be shown now, for the history. One that finds the
// queue full is left out: the next one shows the same and more.
func (r *Recorder) Snapshot(s *mpath.Snapshot) {
	if r != nil {
		r.offer(item{snap: s})
	}
}

// Stats can be asked by anyone.
func (r *Recorder) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	return Stats{r.lost.Load(), r.failed.Load(), r.saves.Load(), r.missed.Load()}
}

// Save copies the recording up to now below a directory on disk. It does not wait:
// a disk that hangs keeps one goroutine and later copies, nothing else.
func (r *Recorder) Save(dir, name, why string) {
	if r == nil {
		return
	}
	select {
	case r.saving <- struct{}{}:
	default:
		r.missed.Add(1)
		r.opt.Log("no copy of the recording is made for " + why + ": the one before is not done")
		return
	}
	r.saves.Add(1)
	begin := func() {
		r.sync()
		files, err := openAll(r.opt.Dir)
		go func() {
			defer func() { <-r.saving }()
			path := ""
			if err == nil {
				path, err = Copy(dir, name, why, files)
			}
			if err != nil {
				r.failed.Add(1)
				r.opt.Log("the recording could not be copied to disk: " + err.Error())
				return
			}
			r.opt.Log("the recording is kept in " + path + " (" + why + "): `pathkeeper replay " + path + "` shows it")
		}()
	}
	if !r.offer(item{run: begin}) {
		go func() { r.in <- item{run: begin} }() // the writer is behind
	}
}

// Close writes what was handed over so far and waits for the copy that is being made,
// at most for limit.
func (r *Recorder) Close(limit time.Duration) {
	if r == nil {
		return
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	done := make(chan struct{})
	select {
	case r.in <- item{run: func() { r.sync(); close(done) }}:
	case <-t.C:
		return
	}
	select {
	case <-done:
	case <-t.C:
		return
	}
	select {
	case r.saving <- struct{}{}:
		<-r.saving
	case <-t.C:
	}
}

func (r *Recorder) write() {
	for i := range r.in {
		switch {
		case i.run != nil:
			i.run()
		case i.state != nil:
			r.takeState(i.step, i.state)
		case i.snap != nil:
			r.takeSnapshot(i.snap)
		default:
			r.takeStep(i.step)
		}
		if len(r.in) == 0 {
			r.sync() // a killed process has written all but what still waits
		}
	}
}

func (r *Recorder) sync() {
	r.check(r.steps.sync())
	r.check(r.history.sync())
}

// check counts what cannot be written and says it once.
func (r *Recorder) check(err error) bool {
	if err == nil {
		return true
	}
	r.failed.Add(1)
	if text := err.Error(); text != r.said {
		r.said = text
		r.opt.Log("the recorder cannot write: " + text)
	}
	return false
}

func (r *Recorder) header() Header {
	at := r.opt.Now()
	return Header{Product: r.opt.Product, By: r.opt.By, PID: os.Getpid(), Boot: r.opt.Boot, Wall: time.Now(), At: at}
}

// ask has the loop hand over the state after its next step.
func (r *Recorder) ask(at mpath.Instant) {
	if !r.asked && (r.lastState == 0 || at.Since(r.lastState) >= stateEvery) {
		r.asked = true
		r.want.Store(true)
	}
}

// takeState begins a segment with it: replay can start there.
func (r *Recorder) takeState(s Step, state *mpath.Checkpoint) {
	r.asked, r.lastState = false, s.At
	text, err := packCheckpoint(state)
	if !r.check(err) {
		return
	}
	if !r.check(r.steps.roll(r.header())) || !r.check(r.steps.checkpoint(s.N, s.At, text)) {
		r.giveUp(s.At)
		return
	}
	r.full = min(max(SegmentBytes, 4*int64(len(text))), SegmentBigBytes)
	r.last, r.broken = s.N, false
}

// giveUp stops writing steps for a while: there is no room, or no directory.
func (r *Recorder) giveUp(at mpath.Instant) {
	r.steps.close()
	r.broken = true
	r.retryAt = at.After(30 * mpath.Second)
}

func (r *Recorder) takeStep(s Step) {
	r.watcher.Step(s.At, s.Event, s.Acts)
	if r.steps.out == nil {
		r.lost.Add(1)
		if s.At >= r.retryAt {
			r.ask(s.At)
		}
		return
	}
	if s.N != r.last+1 && !r.broken {
		r.broken = true
		r.check(r.steps.Gap(s.N, s.At, fmt.Sprintf("%d steps came faster than they could be written", s.N-r.last-1)))
	}
	if size := r.steps.Bytes(); r.broken || size >= r.full {
		r.ask(s.At)
		if size >= SegmentMostBytes {
			r.lost.Add(1)
			r.broken = true
			return
		}
	}
	if !r.check(r.steps.Step(s)) {
		r.lost.Add(1)
		r.giveUp(s.At)
		return
	}
	r.last = s.N
}

// takeSnapshot writes the edges between this snapshot and the one before.
func (r *Recorder) takeSnapshot(s *mpath.Snapshot) {
	edges := r.watcher.Snapshot(*s)
	if len(edges) == 0 {
		return
	}
	if r.history.out == nil || r.history.Bytes() >= HistoryBytes {
		first := r.history.n == 0
		if !r.check(r.history.roll(r.header())) {
			r.history.close()
			return
		}
		if first {
			r.check(r.history.Edge(0, s.Now, Edge{What: WhatDaemon, To: "started", Why: fmt.Sprintf("version %s, pid %d", r.opt.Product, os.Getpid())}))
		}
	}
	for _, e := range edges {
		if !r.check(r.history.Edge(r.last, e.At, e.Edge)) {
			r.history.close()
			return
		}
	}
}
