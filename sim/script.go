package sim

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pathkeeper/mpath"
	"pathkeeper/scenario"
)

// ScriptOptions say how scripts are played.
type ScriptOptions struct {
	Seed uint64
	// Tell, if set, gets what `say` says, what is done, and what the daemon notes,
	// with the simulated time.
	Tell io.Writer
	// Verbose tells expectations too. NoEcho tells no command at all, to somebody
	// who has typed it.
	Verbose, NoEcho bool
	// ReadFile reads what from= names; nil: there are no such files.
	ReadFile func(name string) ([]byte, error)
	// Hook is `pathkeeper udev hook`: it gets the event's properties and gives
	// lines KEY=VALUE, or cannot answer. nil: our udev rules are not installed.
	Hook func(s *Session, env []string) ([]string, error)
	// Program runs one of the product's commands against the simulated host, whose
	// name is argv's first word, and gives its exit code.
	Program func(s *Session, argv []string, out, talk io.Writer) int
	// Record, if set, gets the recording of the daemon's decisions, with the version
	// of the program that makes it.
	Record  io.Writer
	Product string
}

// Session is a simulated host that scenario scripts, or somebody who types, work
// on: one command after the other, in simulated time.
type Session struct {
	o     ScriptOptions
	w     *World
	d     *Daemon
	verbs map[string]func(scenario.Command) error

	luns   []*scriptLUN
	disks  []*scriptPath     // `disk`s: paths without a port
	ports  []string          // in the order of their first use: their host's number
	cut    []string          // ports whose cable is out
	labels map[*Disk]string  // what scripts call a disk: port, or name
	marks  map[string]mark   // moments
	apps   []*scriptIO       // running I/O
	probes []*scriptProbe    // pending
	holds  map[string]func() // how to end each
	ioctls []seenIOCTL       // since the beginning
	stamps map[string]uint64 // text -> number in the blocks
	dm     dmFaults
	ready  bool // the daemon has said so
	armed  *armed

	told   int // notes of the daemon
	wrote  int // writes of applications
	strays int // that were expected
	mounts []scriptMount
}

// NewSession makes an empty host.
func NewSession(o ScriptOptions) *Session {
	s := &Session{o: o}
	s.verbs = s.table()
	s.forget()
	return s
}

// forget begins with an empty host.
func (s *Session) forget() {
	fresh := Session{o: s.o, verbs: s.verbs, labels: map[*Disk]string{}, marks: map[string]mark{}, holds: map[string]func(){}, stamps: map[string]uint64{}}
	*s = fresh
	s.w = New(s.o.Seed)
	s.d = NewDaemon(s.w)
	s.d.ports.DM = tracedDM{s, s.d.ports.DM}
	if s.o.Record != nil {
		s.d.RecordTo(s.o.Record, s.o.Product, fmt.Sprintf("sim seed %d", s.o.Seed))
	}
	if s.o.Hook != nil {
		s.d.ResetNodes = false // our rules set owners
		s.w.Udev.Rules = s.rules
	}
}

// table binds the verbs that the simulated side knows; a test holds it against
// scenario.Verbs.
func (s *Session) table() map[string]func(scenario.Command) error {
	return map[string]func(scenario.Command) error{
		"say": s.say, "mark": s.mark, "pass": s.pass,
		"lun": s.lun, "unlun": s.unlun, "alua": s.alua, "path": s.path, "port": s.port,
		"disk": s.disk, "plug": s.plug, "unplug": s.plug,
		"hold": s.hold, "release": s.release, "mount": s.mount, "umount": s.umount, "trigger": s.trigger,
		"fault": s.fault, "attention": s.attention, "uevents": s.uevents, "dm": s.dmVerb, "files": s.filesVerb,
		"config": s.config, "file": s.file, "daemon": s.daemon, "show": s.show, "multipath": s.multipath,
		"io": s.io, "probe": s.probe, "expect stamp": s.expectStamp, "expect untouched": s.expectUntouched, "expect strays": s.expectStrays,
		"expect map": s.expectMap, "expect maps": s.expectMaps, "expect no-map": s.expectNoMap,
		"expect owner": s.expectOwner, "expect daemon": s.expectDaemon, "expect udev": s.expectUdev,
		"expect loads": s.expectCount, "expect suspends": s.expectCount, "expect resumes": s.expectCount,
		"expect messages": s.expectCount, "expect removes": s.expectCount,
		"expect log": s.expectLog, "expect no-log": s.expectLog,
		"run": s.runProgram, "wait": s.wait, "wait-file": s.waitFile, "teardown": s.teardown,
	}
}

// Typed says that from now on somebody types, who sees what was typed.
func (s *Session) Typed() { s.o.NoEcho = true }

// Result is how one script ended.
type Result struct {
	File, Title string
	Err         error
	Seconds     float64 // simulated
	Steps       int     // of the core
	Writes      int     // of applications
	IOCTLs      int     // of device-mapper, by whomever
	Notes       int     // of the daemon
	Hash        uint64  // of everything that the core was told and has asked for
}

// PlayScript plays a script on a new host, from its first line to the check that
// nothing went wrong unseen.
func PlayScript(script *scenario.Script, o ScriptOptions) Result {
	s := NewSession(o)
	s.tell("\n== %s: %s", script.File, script.Title())
	err := s.Play(script)
	seconds := float64(s.w.now.Since(start)) / 1e9
	if err == nil {
		if err = s.end(); err != nil {
			err = fmt.Errorf("%s: at its end: %w", script.File, err)
		}
	}
	return Result{
		File: script.File, Title: script.Title(), Err: err, Seconds: seconds,
		Steps: s.d.steps, Writes: s.wrote, IOCTLs: len(s.ioctls), Notes: len(s.d.Notes), Hash: s.d.Hash(),
	}
}

// start is the time of a new world.
const start = mpath.Instant(100 * mpath.Second)

// Play does a script's commands. The error is a *scenario.Error.
func (s *Session) Play(script *scenario.Script) error {
	for _, c := range script.Commands {
		if err := s.Do(c); err != nil {
			return err
		}
	}
	return nil
}

// Do does one command. The error is a *scenario.Error: where, what was wanted,
// what is, and for how long it was waited.
func (s *Session) Do(c scenario.Command) error {
	do := s.verbs[c.Verb.Name]
	if do == nil {
		return c.Errorf("%s is %s", c.Verb.Name, c.Verb.Side)
	}
	looks := strings.HasPrefix(c.Verb.Name, "expect") || slices.Contains([]string{"say", "show", "multipath", "mark", "wait-file"}, c.Verb.Name)
	if !s.o.NoEcho && (!looks || s.o.Verbose && c.Verb.Name != "say") {
		s.tell("%s %s", s.clock(s.w.now), c.Text)
	}
	err := error(nil)
	if named(c.Verb.Name) {
		c.Args = slices.Clone(c.Args)
		err = s.substitute(c.Args) // maps may be named by @wwid:LUN
	}
	if err == nil {
		err = do(c)
	}
	s.tellNotes()
	if err == nil {
		err = s.sound()
	}
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return c.Errorf("%s: %w; usage: %s %s", c.Text, err, c.Verb.Name, c.Verb.Usage)
	case err != nil:
		return c.Errorf("%s: %w", c.Text, err)
	}
	return nil
}

// named says whether a verb's words name maps and nodes.
func named(verb string) bool {
	return strings.HasPrefix(verb, "expect ") || slices.Contains([]string{"io", "probe", "hold", "mount", "trigger", "wait-file"}, verb)
}

// usageError is a mistake of the script that only the host can see.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// sound says what must never be: a broken law, a write on a stranger's disk.
func (s *Session) sound() error {
	switch {
	case s.d.Err != nil:
		return s.d.Err
	case len(s.w.Strays) > s.strays:
		return fmt.Errorf("%d writes reached another LUN than they were meant for: %s", len(s.w.Strays)-s.strays, s.w.Strays[s.strays])
	}
	return nil
}

// Now is the simulated time since the host's beginning.
func (s *Session) Now() time.Duration { return time.Duration(s.w.now.Since(start)) }

func (s *Session) clock(at mpath.Instant) string {
	return fmt.Sprintf("%9.3f", float64(at.Since(start))/1e9)
}

func (s *Session) tell(format string, args ...any) {
	if s.o.Tell != nil {
		fmt.Fprintf(s.o.Tell, format+"\n", args...)
	}
}

// tellNotes tells what the daemon noted since the last time.
func (s *Session) tellNotes() {
	for _, n := range s.d.Notes[s.told:] {
		if logged(n.Note) {
			s.tell("%s   | %s", s.clock(n.At), logLine(n.Note))
		}
	}
	s.told = len(s.d.Notes)
}

// run lets the time pass.
func (s *Session) run(span mpath.Span) error {
	until := s.w.now.After(span)
	for s.d.Err == nil && s.w.step(until) {
		s.afterStep()
	}
	s.tellNotes()
	return s.d.Err
}

const (
	// soon is how long a state may take to appear where a verb does not say.
	soon = 10 * time.Second
	// lookAgain parts two looks at the kernel's state.
	lookAgain = 50 * mpath.Millisecond
	// settle is what udevd takes at most to handle what the kernel has said.
	settle = 50 * mpath.Millisecond
)

// eventually asks until f holds or the time has passed, all of it simulated; with
// hold it must go on holding for that long. f's error is what the last look saw.
func (s *Session) eventually(within, hold time.Duration, f func() error) error {
	began := s.w.now
	for {
		err := f()
		if err == nil {
			break
		}
		left := mpath.Span(within) - s.w.now.Since(began)
		if left <= 0 {
			return fmt.Errorf("%w; waited %s of simulated time, until second%s", err, within, s.clock(s.w.now))
		}
		if err := s.run(min(left, lookAgain)); err != nil {
			return err
		}
	}
	for until := s.w.now.After(mpath.Span(hold)); s.w.now < until; {
		if err := s.run(min(until.Since(s.w.now), lookAgain)); err != nil {
			return err
		}
		if err := f(); err != nil {
			left := time.Duration(until.Since(s.w.now))
			return fmt.Errorf("%w; it held for %s only, until second%s", err, hold-left, s.clock(s.w.now))
		}
	}
	return nil
}

func (s *Session) say(c scenario.Command) error {
	s.tell("\n%s", strings.Join(c.Args, " "))
	return nil
}

// mark is a moment: how many ioctls and log lines there were.
type mark struct{ ioctls, log int }

func (s *Session) mark(c scenario.Command) error {
	s.marks[strings.Join(c.Args, "")] = mark{ioctls: len(s.ioctls), log: len(s.log())}
	return nil
}

func (s *Session) since(c scenario.Command, optional bool) (mark, error) {
	name, said := c.Options["since"]
	m, ok := s.marks[name]
	if !ok && (said || !optional) {
		return m, usagef("no mark %q was set", name)
	}
	if optional && !said {
		return mark{}, nil
	}
	return m, nil
}

func (s *Session) pass(c scenario.Command) error {
	d, err := time.ParseDuration(c.Args[0])
	if err != nil || d < 0 {
		return usagef("%q is no duration such as 5s or 2m", c.Args[0])
	}
	return s.run(mpath.Span(d))
}

// teardown checks as the end of a script does, and begins with an empty host.
func (s *Session) teardown(scenario.Command) error {
	if err := s.end(); err != nil {
		return err
	}
	o := s.o
	*s = *NewSession(o)
	return nil
}

// end mends everything, so that all I/O ends, and says what did not go well.
func (s *Session) end() error {
	s.w.FailDM, s.d.LoseUevents, s.d.DoubleUevents = 0, 0, 0
	s.dm, s.armed = dmFaults{}, nil
	for _, port := range slices.Clone(s.cut) {
		s.plugIn(port, true)
	}
	for _, p := range s.paths() {
		s.mend(p)
	}
	s.w.Files.Release()
	s.w.Files.ReadOnly = nil
	if s.d.running && s.d.stopped {
		s.d.Continue()
	}
	s.d.Unhang()
	for _, a := range slices.Clone(s.apps) {
		if err := s.stopIO(a, true); err != nil {
			return fmt.Errorf("I/O %s: %w", a.name, err)
		}
	}
	if err := s.run(settle); err != nil {
		return err
	}
	s.d.Kill()
	for _, m := range s.w.maps {
		if m.suspended {
			return fmt.Errorf("map %s is left suspended", m.name)
		}
		for _, t := range m.live.multipaths() {
			t.queue = false
			t.kick()
		}
	}
	if err := s.run(2 * timeoutS * mpath.Second); err != nil {
		return err
	}
	for _, p := range s.probes {
		return fmt.Errorf("probe %s still hangs", p.name)
	}
	return s.sound()
}
