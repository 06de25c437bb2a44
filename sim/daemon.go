package sim

import (
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/uevent"
)

// Daemon is the real core and the real engine on a world: what package daemon
// does with goroutines, done by the world's clock. It can be started, killed and
// stopped like a process; the world goes on without it.
type Daemon struct {
	w *World

	// Faults of the way that news take: chances out of 1000.
	LoseUevents, DoubleUevents int
	// Log, if set, gets each note with its time.
	Log io.Writer
	// ResetNodes: udevd's rules set the owner of a map's node at each event.
	ResetNodes bool

	core  *mpath.Machine
	eng   *engine.Engine
	ports engine.Ports

	life    int  // counts processes: what belongs to an earlier one is dropped
	running bool // there is a process
	stopped bool // SIGSTOP
	since   mpath.Instant
	gaps    int // how often it stood still for long
	inbox   []func()
	hung    []func()       // requests that do not come back
	flight  map[string]int // actions in flight, by kind
	// Watch, if set, sees each event before the core does.
	Watch func(*mpath.Machine, mpath.Event)
	// Quick leaves the transcript out: the hash sums up less, and a broken law is
	// told without the steps before it. Run the seed again without it for those.
	Quick bool

	config  mpath.Configured
	wakeSeq int
	took    func(mpath.Action) // nil: nobody watches what the core asks for

	lastCommand uint64
	replies     map[uint64][]mpath.Reply
	applied     map[uint64][]mpath.Applied

	Notes  []Logged
	Bugs   []mpath.Bug    // panics that the core survived
	Counts map[string]int // actions by kind, notes apart
	Err    error          // the first broken law
	steps  int
	hash   uint64
	recent []string
	full   *strings.Builder // the whole transcript, if asked for
	tape   *tape            // the recording, if asked for
}

// Logged is a note with its time.
type Logged struct {
	At   mpath.Instant
	Note mpath.Note
}

func (l Logged) String() string {
	return fmt.Sprintf("%9.3f %s: %s", float64(l.At)/1e9, l.Note.Object, l.Note.Text)
}

// NewDaemon makes a daemon for a world; Start runs it.
func NewDaemon(w *World) *Daemon {
	d := &Daemon{w: w, ResetNodes: true, Counts: map[string]int{}, replies: map[uint64][]mpath.Reply{}, applied: map[uint64][]mpath.Applied{}, hash: 14695981039346656037}
	d.ports = engine.Ports{SCSI: SCSI{w}, DM: DM{w}, Sysfs: Tree{w}, Write: Tree{w}, Files: w.Files, Block: Block{w}, Nodes: Block{w}}
	w.Udev.Listen(d.hear)
	w.thawed = append(w.thawed, d.Unhang)
	w.dmNews = append(w.dmNews, func() {
		life := d.life
		w.after(w.between(50*mpath.Millisecond/1000, 3*mpath.Millisecond), func() { d.news(life, mpath.MapEvent{}) })
	})
	return d
}

// BootID is the world's.
const BootID = "5eed5eed-0000-4000-8000-000000000001"

// Start starts the process with a configuration: state files, configuration,
// then events.
func (d *Daemon) Start(cfg policy.Config) {
	d.start(cfg, &engine.Engine{Files: engine.DefaultFiles(), BootID: BootID})
}

func (d *Daemon) start(cfg policy.Config, eng *engine.Engine) {
	d.life++
	d.running, d.stopped, d.inbox, d.flight = true, false, nil, map[string]int{}
	d.core = mpath.New()
	d.eng = eng
	d.config = mpath.Configured{Config: cfg}
	d.trace("start", "")
	if d.tape != nil {
		d.tape.begin(d)
	}
	kernel := policy.Kernel{Selectors: d.w.Selectors, Handlers: d.w.Handlers}
	d.advance("LoadState", d.eng.LoadState(kernel, func(text string) { d.note(mpath.Note{Level: mpath.LevelWarning, Object: "state", Text: text}) }))
	d.step(d.config)
	life := d.life
	d.w.after(mpath.Millisecond, func() {
		d.news(life, mpath.MapEvent{})
		for _, m := range d.w.maps {
			d.lookAtNode(life, m)
		}
	})
}

// Reconfigure gives the running process another configuration.
func (d *Daemon) Reconfigure(cfg policy.Config) {
	d.config = mpath.Configured{Config: cfg, Reconfigure: true}
	d.arrive(d.life, func() { d.step(d.config) })
}

// Terminate announces the end, waits for what that asks for, and ends.
func (d *Daemon) Terminate(final bool) {
	d.step(mpath.Stopping{Final: final})
	for i := 0; i < 1000 && d.core.OpenActions() > 0; i++ {
		d.w.Run(10 * mpath.Millisecond)
	}
	d.Kill()
}

// Kill ends the process between two instructions. What it has asked the kernel
// for is done; nobody takes the answer.
func (d *Daemon) Kill() {
	d.life++
	d.running, d.stopped, d.inbox, d.hung, d.flight = false, false, nil, nil, nil
	d.w.holds = nil
	d.w.interrupt()
	d.w.sweep()
	d.trace("killed", "")
}

// Stop is SIGSTOP: time passes, nothing is taken and nothing new is asked.
func (d *Daemon) Stop() {
	d.stopped, d.since = true, d.w.now
	d.trace("stopped", "")
}

// standstill is what the shell takes for one: its loop turns twice a second.
const standstill = 2500 * mpath.Millisecond

// Continue is SIGCONT: everything that came meanwhile is taken at once.
func (d *Daemon) Continue() {
	d.stopped = false
	d.trace("continued", "")
	if away := d.w.now.Since(d.since); away > standstill {
		d.gaps++
		d.step(mpath.StoodStill{Span: away})
	}
	for len(d.inbox) > 0 && !d.stopped {
		f := d.inbox[0]
		d.inbox = d.inbox[1:]
		f()
	}
}

// Overrun tells the process that uevents were lost.
func (d *Daemon) Overrun() { d.news(d.life, mpath.Overrun{}) }

// Unhang lets the requests go on that did not come back.
func (d *Daemon) Unhang() {
	again := d.hung
	d.hung = nil
	for _, f := range again {
		f()
	}
}

// Run lets the time pass; it gives the first law that was broken.
func (d *Daemon) Run(s mpath.Span) error {
	until := d.w.now.After(s)
	for d.w.step(until) && d.Err == nil {
	}
	return d.Err
}

// Snapshot is what the core shows.
func (d *Daemon) Snapshot() mpath.Snapshot { return d.core.Snapshot() }

// Hash sums up everything that the core was told and has asked for so far.
func (d *Daemon) Hash() uint64 { return d.hash }

// Record keeps the whole transcript from now on.
func (d *Daemon) Record() { d.full = &strings.Builder{} }

// Transcript is what was recorded.
func (d *Daemon) Transcript() string { return d.full.String() }

// arrive has the process take something, now or when it is continued.
func (d *Daemon) arrive(life int, f func()) {
	switch {
	case life != d.life || !d.running:
	case d.stopped:
		d.inbox = append(d.inbox, func() { d.arrive(life, f) })
	default:
		f()
	}
}

func (d *Daemon) news(life int, ev mpath.Event) { d.arrive(life, func() { d.step(ev) }) }

// advance carries an operation, of the action of a kind, to its next request or its
// event.
func (d *Daemon) advance(kind string, s engine.Step) {
	if s.Next != nil {
		life, gaps := d.life, d.gaps
		d.w.after(d.w.between(10*mpath.Millisecond/1000, 500*mpath.Millisecond/1000), func() { d.perform(kind, life, gaps, s) })
		return
	}
	if d.flight != nil {
		d.flight[kind]--
	}
	if s.Event != nil {
		d.step(s.Event)
	}
}

// perform lets the kernel do a request that was handed to it.
func (d *Daemon) perform(kind string, life, gaps int, s engine.Step) {
	if s.Ask.Kind == engine.KindHold && life != d.life {
		return // the process is gone, and what it holds with it
	}
	d.w.took = 0
	answer := d.ports.Perform(s.Ask)
	took := d.w.took
	d.w.took = 0
	if took == Forever {
		d.hung = append(d.hung, func() { d.perform(kind, life, gaps, s) })
		return
	}
	d.w.after(took, func() {
		d.arrive(life, func() {
			answer.Late = gaps != d.gaps
			d.advance(kind, s.Next(answer))
		})
	})
}

// stateEvery is after how many steps everything is held against the laws.
const stateEvery = 16

// step feeds the core one event, checks the laws, and starts what it asks for.
func (d *Daemon) step(ev mpath.Event) {
	if d.Err != nil {
		return
	}
	d.steps++
	if d.Watch != nil {
		d.Watch(d.core, ev)
	}
	if !d.Quick {
		d.trace("<", mpath.EventText(ev))
	}
	acts, wake := d.core.Step(d.w.now, ev)
	if d.tape != nil {
		d.tape.step(d, ev, acts, wake)
	}
	for _, a := range acts {
		if d.Quick {
			d.fold(a)
		} else {
			d.trace(">", mpath.ActionText(a))
		}
	}
	broken := d.core.CheckActions(acts)
	if d.steps%stateEvery == 0 {
		broken = append(broken, d.core.CheckState()...)
	}
	if len(broken) > 0 {
		d.Err = &BrokenLaw{Broken: broken[0], Step: d.steps, At: d.w.now, Recent: d.Recent()}
		return
	}
	d.wakeSeq++
	seq, life := d.wakeSeq, d.life
	if wake != mpath.Never {
		d.w.after(wake.Since(d.w.now), func() {
			d.arrive(life, func() {
				if seq == d.wakeSeq {
					d.step(mpath.Wake{})
				}
			})
		})
	}
	for _, a := range acts {
		if d.took != nil {
			d.took(a)
		}
		if n, ok := a.(mpath.Note); ok {
			d.note(n)
			continue
		}
		if r, ok := a.(mpath.Reply); ok {
			d.replied(r)
			continue
		}
		if r, ok := a.(mpath.Applied); ok {
			d.applied[r.Seq] = append(d.applied[r.Seq], r)
			continue
		}
		if b, ok := a.(mpath.Bug); ok {
			d.Bugs = append(d.Bugs, b)
			d.note(mpath.Note{Level: mpath.LevelError, Object: "bug", Text: b.Text + " in " + b.Where})
			continue
		}
		kind := mpath.ActionKind(a)
		d.Counts[kind]++
		d.flight[kind]++
		d.advance(kind, d.eng.Start(a))
	}
}

// BrokenLaw is a bug of the core or the engine: a law does not hold.
type BrokenLaw struct {
	mpath.Broken
	Step   int
	At     mpath.Instant
	Recent []string // the end of the transcript
}

func (b *BrokenLaw) Error() string {
	return fmt.Sprintf("step %d at %.3f s: %s\n%s", b.Step, float64(b.At)/1e9, b.Broken.Error(), strings.Join(b.Recent, "\n"))
}

// fold sums up an action without its text: what it asks for, of whom, in what order.
func (d *Daemon) fold(a mpath.Action) { d.hash = Fold(d.hash, d.w.now, a) }

// Fold adds an action and its time to such a sum.
func Fold(sum uint64, now mpath.Instant, a mpath.Action) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(mpath.ActionKind(a)))
	switch a := a.(type) {
	case mpath.Note:
		_, _ = h.Write([]byte(a.Object + a.Text))
	case mpath.CreateMap:
		_, _ = h.Write([]byte(a.Name + a.Table.String()))
	case mpath.LoadMap:
		_, _ = h.Write([]byte(a.Name + a.Table.String()))
	case mpath.Message:
		_, _ = h.Write([]byte(a.Name + a.Text))
	case mpath.StartCheck:
		_, _ = h.Write([]byte(a.Name))
	case mpath.Identify:
		_, _ = h.Write([]byte(a.Name))
	}
	return (sum*1099511628211 ^ h.Sum64()) + uint64(now)
}

func (d *Daemon) note(n mpath.Note) {
	l := Logged{d.w.now, n}
	d.Notes = append(d.Notes, l)
	if d.Log != nil {
		fmt.Fprintln(d.Log, l)
	}
}

// recentLines is how much of the transcript stands in the report of a broken law.
const recentLines = 60

func (d *Daemon) trace(mark, text string) {
	line := fmt.Sprintf("%d %s %s", d.w.now, mark, text)
	h := fnv.New64a()
	_, _ = h.Write([]byte(line))
	d.hash = d.hash*1099511628211 ^ h.Sum64()
	if d.full != nil {
		d.full.WriteString(line + "\n")
	}
	if len(line) > 400 {
		line = line[:400] + "..."
	}
	d.recent = append(d.recent, line)
	if len(d.recent) > recentLines {
		d.recent = d.recent[1:]
	}
}

// hear takes what udevd multicasts, as far as the socket does not lose it.
func (d *Daemon) hear(dg uevent.Datagram) {
	if d.w.rand.IntN(1000) < d.LoseUevents {
		return
	}
	d.takeUevent(dg)
	if d.w.rand.IntN(1000) < d.DoubleUevents {
		d.w.after(d.w.between(2*mpath.Millisecond, 40*mpath.Millisecond), func() { d.takeUevent(dg) })
	}
}

// takeUevent makes a hint of a datagram, as package daemon does.
func (d *Daemon) takeUevent(dg uevent.Datagram) {
	ev, err := uevent.Parse(dg.Data)
	if err != nil || dg.Check() != nil {
		return
	}
	life, name := d.life, ev.SysName()
	if ev.Subsystem == "scsi" {
		if a := mpath.ParseAttention(ev.Props.Value("SDEV_UA")); ev.DevType == "scsi_device" && ev.Action == "change" && a != mpath.AttentionNone {
			d.news(life, mpath.DeviceHint{HCTL: name, FromUdev: ev.FromUdev, Attention: a})
		}
		return
	}
	dev, err := table.ParseDevNum(ev.Props.Value("MAJOR") + ":" + ev.Props.Value("MINOR"))
	switch {
	case err != nil || ev.Subsystem != "block" || ev.DevType == "partition":
	case strings.HasPrefix(name, "dm-"):
		if m := d.w.mapByNode(name); m != nil && ev.Action != "remove" {
			if d.ResetNodes {
				m.Node.UID, m.Node.GID, m.Node.Mode = 0, 6, 0o660
			}
			d.lookAtNode(life, m)
		}
		d.news(life, mpath.MapEvent{Dev: dev})
	case engine.Candidate(name):
		d.news(life, mpath.DeviceHint{Name: name, Dev: dev, Remove: ev.Action == "remove", FromUdev: ev.FromUdev})
	}
}

func (d *Daemon) lookAtNode(life int, m *Map) {
	n := m.Node
	d.news(life, mpath.NodeSeen{Dev: table.DevNum{Major: n.Major, Minor: n.Minor}, UID: n.UID, GID: n.GID, Mode: n.Mode})
}
