package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"pathkeeper/mpath"
)

// Played is one step that was run again.
type Played struct {
	Step uint64
	At   mpath.Instant
	Wall time.Time
	// Event is nil for what is told between steps: then Gap says what.
	Event mpath.Event
	Acts  []mpath.Action // what comes out now
	Gap   string
}

// Difference is where the recording and the core of this program part.
type Difference struct {
	Step     uint64        `json:"step"`
	At       mpath.Instant `json:"at"`
	Wall     time.Time     `json:"wall"`
	Event    string        `json:"event"`
	Recorded string        `json:"recorded"` // "" : nothing
	Now      string        `json:"now"`      // "" : nothing
	Product  string        `json:"product"`  // that recorded
	Place    string        `json:"place"`    // file, frame, offset
}

// Result sums a replay up.
type Result struct {
	Steps       int         `json:"steps"`
	Compared    int         `json:"compared"`    // of them, with actions that could be compared
	Skipped     int         `json:"skipped"`     // events without a state to run them on
	Checkpoints int         `json:"checkpoints"` // where the state was taken from the recording
	Problems    int         `json:"problems"`
	Difference  *Difference `json:"difference,omitempty"`
}

// Player runs the core over recordings, one file after the other. Memory is that of
// one core and one step.
type Player struct {
	// Show, if set, gets every step. An error from it ends the replay.
	Show func(Played) error
	// Problem gets what could not be read as it should.
	Problem func(Problem)

	Result Result
	Header Header // of the last segment

	core   *mpath.Machine
	at     uint64 // the step that core has done
	broken bool   // something was lost: the next checkpoint counts, not the core
	open   *pending
}

// pending is a step whose actions are still being read.
type pending struct {
	step     uint64
	at       mpath.Instant
	event    mpath.Event
	text     string
	want     int // actions
	wake     mpath.Instant
	recorded []string
	place    Problem
}

// maxActions bounds what one step may have put out: a machine of maxPaths paths asks
// for one check of each, and more.
const maxActions = 1 << 20

// Core is the machine as it is now, nil where there is none.
func (p *Player) Core() *mpath.Machine { return p.core }

// File replays one recording.
func (p *Player) File(name string, in io.Reader) error {
	r := NewReader(name, in, func(x Problem) {
		p.Result.Problems++
		if p.Problem != nil {
			p.Problem(x)
		}
	})
	for {
		f, err := r.Next()
		if err == io.EOF {
			return p.finish(false)
		}
		if err != nil {
			return errors.Join(p.finish(false), err)
		}
		if err := p.frame(r, f); err != nil {
			return err
		}
	}
}

// frame takes the next frame.
func (p *Player) frame(r *Reader, f Frame) error {
	if f.Mark == MarkAction {
		if o := p.open; o != nil && o.step == f.Step && len(o.recorded) < o.want {
			o.recorded = append(o.recorded, f.Text)
			if len(o.recorded) == o.want {
				return p.finish(true)
			}
		}
		return nil // else of an event that was lost
	}
	if f.Mark == MarkEdge || f.Mark == MarkDamage {
		return nil // damage shows in the numbers of the steps
	}
	if err := p.finish(false); err != nil {
		return err
	}
	switch f.Mark {
	case MarkHeader:
		p.header(r.Header)
	case MarkGap:
		p.broken = true
		return p.show(Played{Step: f.Step, At: f.At, Gap: "the recorder missed steps: " + f.Text})
	case MarkCheckpoint:
		return p.checkpoint(r, f)
	case MarkEvent:
		return p.event(r, f)
	}
	return nil
}

func (p *Player) header(h Header) {
	if p.Header.Boot != h.Boot || p.Header.PID != h.PID {
		p.core = nil // another process
	}
	p.Header = h
}

func (p *Player) show(s Played) error {
	if p.Show == nil {
		return nil
	}
	s.Wall = p.Header.WallOf(s.At)
	return p.Show(s)
}

// checkpoint takes over the recorded state where there is none; else both must be
// the same.
func (p *Player) checkpoint(r *Reader, f Frame) error {
	core, remarks, err := unpackCheckpoint(f.Text)
	for _, s := range remarks {
		r.Problem("the state is of another version: %s", s)
	}
	if err != nil {
		r.Problem("%v", err)
		return nil
	}
	if p.core == nil || p.broken || p.at != f.Step {
		if p.core != nil || p.Result.Skipped > 0 {
			if err := p.show(Played{Step: f.Step, At: f.At, Gap: "goes on from the state that was recorded here"}); err != nil {
				return err
			}
		}
		p.core, p.at, p.broken = core, f.Step, false
		p.Result.Checkpoints++
		return nil
	}
	if len(remarks) > 0 || p.Result.Difference != nil {
		return nil
	}
	want, got := stateText(core), stateText(p.core)
	if want == got {
		return nil
	}
	d := Difference{Step: f.Step, At: f.At, Event: "the state after this step", Place: r.place().String()}
	d.Recorded, d.Now = firstDifference(want, got)
	p.differs(d)
	p.core = core // the recording's, for what follows
	return nil
}

func (r *Reader) place() Problem { return Problem{File: r.file, Frame: r.line, Offset: r.offset} }

func stateText(m *mpath.Machine) string {
	var b bytes.Buffer
	if err := m.Checkpoint().Write(&b); err != nil {
		return err.Error()
	}
	return b.String()
}

// firstDifference cuts two texts down to where they part.
func firstDifference(a, b string) (string, string) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	i = max(0, i-80)
	return a[i:min(len(a), i+240)], b[i:min(len(b), i+240)]
}

func (p *Player) differs(d Difference) {
	if p.Result.Difference == nil {
		d.Wall, d.Product = p.Header.WallOf(d.At), p.Header.Product
		p.Result.Difference = &d
	}
}

func (p *Player) event(r *Reader, f Frame) error {
	if p.core == nil || p.broken {
		p.Result.Skipped++
		return nil
	}
	if f.Step != p.at+1 {
		p.broken = true
		p.Result.Skipped++
		r.Problem("steps %d to %d are missing: replay goes on at the next recorded state", p.at+1, f.Step-1)
		return p.show(Played{Step: f.Step, At: f.At, Gap: fmt.Sprintf("steps %d to %d are missing", p.at+1, f.Step-1)})
	}
	acts, wake, text, err := parseEvent(f.Text)
	var ev mpath.Event
	if err == nil {
		ev, err = mpath.ParseEvent(text)
	}
	if err == nil && acts > maxActions {
		err = fmt.Errorf("%d actions in one step", acts)
	}
	if err != nil {
		p.broken = true
		p.Result.Skipped++
		r.Problem("%v: replay goes on at the next recorded state", err)
		return p.show(Played{Step: f.Step, At: f.At, Gap: err.Error()})
	}
	p.open = &pending{step: f.Step, at: f.At, event: ev, text: text, want: acts, wake: wake, place: r.place()}
	if acts == 0 {
		return p.finish(true)
	}
	return nil
}

// finish runs the step that was read; whole says whether all of its actions were.
func (p *Player) finish(whole bool) error {
	o := p.open
	if o == nil {
		return nil
	}
	p.open = nil
	acts, wake, panicked := runStep(p.core, o.at, o.event)
	p.at = o.step
	p.Result.Steps++
	d := Difference{Step: o.step, At: o.at, Event: o.text, Place: o.place.String()}
	switch {
	case panicked != "":
		d.Now = panicked
		p.differs(d)
		p.core = nil
		return p.show(Played{Step: o.step, At: o.at, Gap: panicked})
	case whole:
		p.Result.Compared++
		if rec, now, same := compare(o, acts, wake); !same {
			d.Recorded, d.Now = rec, now
			p.differs(d)
		}
	}
	return p.show(Played{Step: o.step, At: o.at, Event: o.event, Acts: acts})
}

// compare finds the first thing that is not the same.
func compare(o *pending, acts []mpath.Action, wake mpath.Instant) (recorded, now string, same bool) {
	for i := range max(len(acts), len(o.recorded)) {
		rec, is := "", ""
		if i < len(o.recorded) {
			rec = o.recorded[i]
		}
		if i < len(acts) {
			is = mpath.ActionText(acts[i])
		}
		if rec != is && !(i < len(acts) && sameBug(rec, acts[i])) {
			return rec, is, false
		}
	}
	if wake != o.wake {
		return fmt.Sprintf("wakes at %d", o.wake), fmt.Sprintf("wakes at %d", wake), false
	}
	return "", "", true
}

// sameBug says whether the same panic was caught: another build has other frames.
func sameBug(recorded string, now mpath.Action) bool {
	is, ok := now.(mpath.Bug)
	if !ok {
		return false
	}
	a, err := mpath.ParseAction(recorded)
	was, ok := a.(mpath.Bug)
	return err == nil && ok && was.Object == is.Object && was.Text == is.Text
}

// runStep catches what a broken recording, or a bug that was recorded, does to the core.
func runStep(core *mpath.Machine, at mpath.Instant, ev mpath.Event) (acts []mpath.Action, wake mpath.Instant, panicked string) {
	defer func() {
		if x := recover(); x != nil {
			panicked = fmt.Sprintf("the core panics: %v (%s)", x, placeOf(string(debug.Stack())))
		}
	}()
	acts, wake = core.Step(at, ev)
	return acts, wake, ""
}

// placeOf gives the line of the core in a stack.
func placeOf(stack string) string {
	at := "unknown place"
	seen := false
	for line := range strings.Lines(stack) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic(") {
			seen = true
		}
		if i := strings.Index(line, "/mpath/"); seen && i >= 0 && strings.Contains(line, ".go:") {
			at, _, _ = strings.Cut(line[i+1:], " ")
			break
		}
	}
	return at
}
