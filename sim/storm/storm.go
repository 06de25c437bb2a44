// Package storm blows through simulated hosts: of each seed it makes a host of 1 to
// 2,000 paths with a configuration of its own, does to it whatever can happen to a
// host, at random moments and in the middle of actions, and then lets it calm down.
// The laws of the core are checked all the way, those of the world after each gust,
// and in the end everything must be well. Equal seeds make equal storms.
package storm

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"pathkeeper/mpath"
	"pathkeeper/sim"
)

const second = mpath.Second

// Options say which storm it is.
type Options struct {
	Seed  uint64
	Paths int // of the host; 0: as the seed has it
	// Only are the gusts that blow, by their number from 0; nil: all of them.
	Only []int
	// Log gets the gusts and the daemon's notes.
	Log io.Writer
	// Cover, if set, counts what met what.
	Cover *Cover
	// Text keeps the transcript, for the report of a failure and for comparison.
	Text bool
	// Record, if set, gets the recording of the daemon's decisions, by the program
	// of that version.
	Record  io.Writer
	Product string
}

// Result is what came of it.
type Result struct {
	Options
	Steps int    // events that the core was given
	Paths int    // of the host at its start
	Hash  uint64 // equal for equal storms
	Core  bool   // it was one of the core alone
	Gusts []string
	Err   *Failure
}

// Failure is a law that did not hold.
type Failure struct {
	Law    string // its sentence
	Detail string
	Step   int
	At     mpath.Instant
	Recent []string // the last decisions with their reasons
}

func (f *Failure) Error() string {
	return fmt.Sprintf("law broken at step %d, %.3f s: %s: %s", f.Step, float64(f.At)/1e9, f.Law, f.Detail)
}

// Gust is one thing that happens. It is plain data, so that a storm can be told
// again with fewer of them.
type Gust struct {
	Wait    mpath.Span
	Kind    int    // in Kinds
	During  string // wait for an action of this kind to be in flight; "" : do not
	X, Y, Z uint32
}

// Storm is a storm that blows.
type Storm struct {
	Options
	w *sim.World
	d *sim.Daemon

	plans  []*plan
	of     map[*sim.LUN]*plan
	conf   [2]string // two configurations that a reload changes between
	which  int
	gusts  []Gust
	told   []string
	meant  map[*sim.Disk]*sim.LUN
	broken map[*sim.Disk]mpath.Instant // since when the way to it is cut off
	moved  map[*sim.Disk]bool          // led to another LUN at some time
	// swapped are those that were led to another LUN while they were in use, and when
	// the daemon could last not have known.
	swapped map[*sim.Disk]mpath.Instant
	asked   []uint64 // commands
	applies []uint64
	newLUNs int
	dense   bool   // a small host whose gusts all meet an action in flight
	away    bool   // no process, or a stopped one
	spare   uint32 // next host number
	kinds   []kind
	count   int

	suspended map[*sim.Map]mpath.Instant // by whom ever, since when the daemon could have ended it
	foreign   map[*sim.Map]bool          // suspended by the storm
	bugs      int                        // of the daemon's, how many were looked at
	fail      *Failure
}

// Run blows one storm.
func Run(o Options) Result {
	s := newStorm(o)
	s.blowAll()
	r := Result{Options: o, Steps: s.d.Steps(), Paths: s.count, Hash: s.d.Hash(), Gusts: s.told, Err: s.fail}
	return r
}

func newStorm(o Options) *Storm {
	s := &Storm{
		Options: o, w: sim.New(o.Seed), of: map[*sim.LUN]*plan{}, meant: map[*sim.Disk]*sim.LUN{},
		broken: map[*sim.Disk]mpath.Instant{}, moved: map[*sim.Disk]bool{}, spare: 10, kinds: kinds(),
		dense: o.Seed%2 == 0 && o.Paths == 0, swapped: map[*sim.Disk]mpath.Instant{}, suspended: map[*sim.Map]mpath.Instant{}, foreign: map[*sim.Map]bool{},
	}
	s.d = sim.NewDaemon(s.w)
	s.d.Quick = !o.Text
	s.d.Log = o.Log
	if o.Record != nil {
		s.d.RecordTo(o.Record, o.Product, fmt.Sprintf("storm of seed %d", o.Seed))
	}
	if o.Cover != nil {
		s.d.Watch = o.Cover.watch
	}
	// The storm's own chance: what it does must not depend on how long a call
	// took, so that fewer gusts are still the same gusts.
	chance := rand.New(rand.NewPCG(o.Seed, 0x5707))
	s.build(chance)
	s.gusts = s.forecast(chance)
	return s
}

// Gusts is how many gusts the storm has.
func (s *Storm) Gusts() int { return len(s.gusts) }

func (s *Storm) forecast(r *rand.Rand) []Gust {
	total := 0
	for _, k := range s.kinds {
		total += k.weight
	}
	n := 20 + r.IntN(60)
	if s.dense {
		n += 40
	}
	inTurn := slices.Concat(actions[:], rareActions[:])
	out := make([]Gust, n)
	for i := range out {
		g := Gust{Wait: mpath.Span(r.Int64N(int64(6 * second))), X: r.Uint32(), Y: r.Uint32(), Z: r.Uint32()}
		pick := r.IntN(total)
		for k := range s.kinds {
			if pick -= s.kinds[k].weight; pick < 0 {
				g.Kind = k
				break
			}
		}
		if r.IntN(100) < 60 {
			g.During = actions[r.IntN(len(actions))]
			g.Wait /= 4
		}
		if s.dense { // each gust meets each action in turn
			pair := (int(s.Seed/2)*maxDenseGusts + i) % (len(s.kinds) * len(inTurn))
			g.Kind, g.During = pair/len(inTurn), inTurn[pair%len(inTurn)]
		}
		out[i] = g
	}
	return out
}

// maxDenseGusts is how many gusts a dense storm has at most.
const maxDenseGusts = 120

func (s *Storm) blowAll() {
	s.d.Start(s.config(0))
	s.run(20 * second)
	s.startApps()
	for i, g := range s.gusts {
		if s.fail != nil {
			return
		}
		if s.Only != nil && !slices.Contains(s.Only, i) {
			continue
		}
		s.run(g.Wait)
		if g.During != "" && s.fail == nil {
			if s.d.InFlight(g.During) == 0 {
				s.provoke(g.During, g)
			}
			limit := mpath.Span(3 * second)
			switch g.During {
			case "Message", "SaveDeadlines", "ResumeMap":
				limit = 25 * second // it follows from a check, or is asked again later
			}
			_, err := s.d.RunUntil(limit, func() bool { return s.d.InFlight(g.During) > 0 })
			s.took(err)
		}
		if s.fail != nil {
			return
		}
		if s.Cover != nil {
			s.Cover.gust(s.kinds[g.Kind].name, s.d.Flying())
		}
		s.kinds[g.Kind].blow(s, g)
		s.watch()
	}
	if s.fail == nil {
		s.calm()
	}
	if s.fail == nil {
		s.well()
	}
}

// run lets the time pass and looks at the world's laws now and then.
func (s *Storm) run(span mpath.Span) {
	for span > 0 && s.fail == nil {
		part := min(span, 2*second)
		span -= part
		s.took(s.d.Run(part))
		s.watch()
	}
}

func (s *Storm) took(err error) {
	var b *sim.BrokenLaw
	switch {
	case err == nil || s.fail != nil:
	case errors.As(err, &b):
		s.fail = &Failure{Law: b.Law, Detail: b.Detail, Step: b.Step, At: b.At, Recent: b.Recent}
	default:
		s.bad(lawSimulator, "%v", err)
	}
	for ; s.bugs < len(s.d.Bugs); s.bugs++ {
		if b := s.d.Bugs[s.bugs]; b.Text != mpath.TripText {
			s.bad(lawNoPanic, "%s in %s", b.Text, b.Where)
		}
	}
}

// bad notes the first law that did not hold.
func (s *Storm) bad(law, format string, args ...any) {
	if s.fail == nil {
		s.fail = &Failure{Law: law, Detail: fmt.Sprintf(format, args...), Step: s.d.Steps(), At: s.w.Now(), Recent: s.recent()}
	}
}

// recent is what the report of a failure shows: the transcript if it is kept, else
// the last notes.
func (s *Storm) recent() []string {
	if r := s.d.Recent(); len(r) > 0 {
		return r
	}
	var out []string
	for _, n := range s.d.Notes[max(0, len(s.d.Notes)-40):] {
		out = append(out, n.String())
	}
	return out
}

func (s *Storm) tell(format string, args ...any) {
	line := fmt.Sprintf("%9.3f **** %s", float64(s.w.Now())/1e9, fmt.Sprintf(format, args...))
	s.told = append(s.told, line)
	if s.Log != nil {
		fmt.Fprintln(s.Log, line)
	}
}
