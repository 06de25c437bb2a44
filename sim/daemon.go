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
	hung    []func() // requests that do not come back

	config  mpath.Configured
	wakeSeq int

	Notes  []Logged
	Counts map[string]int // actions by kind, notes apart
	Err    error          // the first broken law
	steps  int
	hash   uint64
	recent []string
	full   *strings.Builder // the whole transcript, if asked for
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
	d := &Daemon{w: w, ResetNodes: true, Counts: map[string]int{}, hash: 14695981039346656037}
	d.ports = engine.Ports{SCSI: SCSI{w}, DM: DM{w}, Sysfs: Tree{w}, Write: Tree{w}, Files: w.Files, Block: Block{w}, Nodes: Block{w}}
	w.uevents = append(w.uevents, d.udevd)
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
	d.life++
	d.running, d.stopped, d.inbox = true, false, nil
	d.core = mpath.New()
	d.eng = &engine.Engine{Files: engine.DefaultFiles(), BootID: BootID}
	d.config = mpath.Configured{Config: cfg}
	d.trace("start", "")
	kernel := policy.Kernel{Selectors: d.w.Selectors, Handlers: d.w.Handlers}
	d.advance(d.eng.LoadState(kernel, func(text string) { d.note(mpath.Note{Level: mpath.LevelWarning, Object: "state", Text: text}) }))
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
	d.running, d.stopped, d.inbox, d.hung = false, false, nil, nil
	d.w.holds = nil
	d.w.sweep()
	d.trace("killed", "")
}

// Stop is SIGSTOP: time passes, nothing is taken and nothing new is asked.
func (d *Daemon) Stop() {
	d.stopped, d.since = true, d.w.now
	d.trace("stopped", "")
}

// standstill is what the shell takes for one: its loop turns twice a second.
const standstill = 5 * mpath.Second

// Continue is SIGCONT: everything that came meanwhile is taken at once.
func (d *Daemon) Continue() {
	d.stopped = false
	if d.w.now.Since(d.since) > standstill {
		d.gaps++
	}
	d.trace("continued", "")
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

// advance carries an operation to its next request or its event.
func (d *Daemon) advance(s engine.Step) {
	switch {
	case s.Next != nil:
		life, gaps := d.life, d.gaps
		d.w.after(d.w.between(10*mpath.Millisecond/1000, 500*mpath.Millisecond/1000), func() { d.perform(life, gaps, s) })
	case s.Event != nil:
		d.step(s.Event)
	}
}

// perform lets the kernel do a request that was handed to it.
func (d *Daemon) perform(life, gaps int, s engine.Step) {
	if s.Ask.Kind == engine.KindHold && life != d.life {
		return // the process is gone, and what it holds with it
	}
	d.w.took = 0
	answer := d.ports.Perform(s.Ask)
	took := d.w.took
	d.w.took = 0
	if took == Forever {
		d.hung = append(d.hung, func() { d.perform(life, gaps, s) })
		return
	}
	d.w.after(took, func() {
		d.arrive(life, func() {
			answer.Late = gaps != d.gaps
			d.advance(s.Next(answer))
		})
	})
}

// step feeds the core one event, checks the laws, and starts what it asks for.
func (d *Daemon) step(ev mpath.Event) {
	if d.Err != nil {
		return
	}
	d.steps++
	d.trace("<", mpath.EventText(ev))
	acts, wake := d.core.Step(d.w.now, ev)
	for _, a := range acts {
		d.trace(">", mpath.ActionText(a))
	}
	for _, b := range d.core.CheckActions(acts) {
		d.Err = fmt.Errorf("step %d at %.3f s: %w\n%s", d.steps, float64(d.w.now)/1e9, b, strings.Join(d.recent, "\n"))
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
		if n, ok := a.(mpath.Note); ok {
			d.note(n)
			continue
		}
		d.Counts[strings.TrimPrefix(fmt.Sprintf("%T", a), "mpath.")]++
		d.advance(d.eng.Start(a))
	}
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

// udevd processes a uevent: its database, the owner of nodes, then the daemon
// hears of it.
func (d *Daemon) udevd(e Uevent) {
	if d.w.rand.IntN(1000) < d.LoseUevents {
		return
	}
	times := 1
	if d.w.rand.IntN(1000) < d.DoubleUevents {
		times = 2
	}
	for range times {
		d.w.after(d.w.between(2*mpath.Millisecond, 40*mpath.Millisecond), func() { d.processed(e) })
	}
}

func (d *Daemon) processed(e Uevent) {
	record := "/run/udev/" + uevent.RecordName(e.Major, e.Minor)
	dev := table.DevNum{Major: e.Major, Minor: e.Minor}
	life := d.life
	if m := d.w.mapByNode(e.Name); m != nil || strings.HasPrefix(e.Name, "dm-") {
		if m != nil && e.Action != "remove" {
			if d.ResetNodes {
				m.Node.UID, m.Node.GID, m.Node.Mode = 0, 6, 0o660
			}
			d.lookAtNode(life, m)
		}
		d.news(life, mpath.MapEvent{Dev: dev})
		return
	}
	if e.Action == "remove" {
		d.news(life, mpath.DeviceHint{Name: e.Name, Dev: dev, Remove: true, FromUdev: true})
		return
	}
	disk := d.w.Disk(e.Name)
	if disk == nil || disk.Diskseq != e.Diskseq {
		return // it left meanwhile
	}
	if disk.lun != nil {
		put(&d.w.Files.udev, record, fmt.Sprintf("I:1\nE:ID_SERIAL=%s\nE:ID_SERIAL_SHORT=%s\nE:ID_WWN=0x%s\nE:ID_BUS=scsi\n", disk.lun.udevSerial(), disk.lun.Serial, disk.lun.NAA))
	}
	d.news(life, mpath.DeviceHint{Name: e.Name, Dev: dev, FromUdev: true})
}

// udevSerial is what udev's ID_SERIAL says: scsi_id's, or ata_id's.
func (l *LUN) udevSerial() string {
	if l.Vendor == "ATA" {
		return strings.ReplaceAll(strings.TrimSpace(l.Product), " ", "_") + "_" + strings.TrimSpace(l.Serial)
	}
	return l.WWID()
}

func (d *Daemon) lookAtNode(life int, m *Map) {
	n := m.Node
	d.news(life, mpath.NodeSeen{Dev: table.DevNum{Major: n.Major, Minor: n.Minor}, UID: n.UID, GID: n.GID, Mode: n.Mode})
}

func (w *World) mapByNode(name string) *Map {
	for _, m := range w.maps {
		if m.kernelName() == name {
			return m
		}
	}
	return nil
}
