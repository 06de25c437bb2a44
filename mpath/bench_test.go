package mpath

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// bench is a core on a table: it answers every action as a script says, and writes
// down what the core asked for and when. It has no chance and no kernel; what a
// kernel does is the business of sim.
type bench struct {
	mc    *Machine
	now   Instant
	wake  Instant
	order int
	later []answer // by time, then order
	out   strings.Builder

	configs map[string]policy.Config // that were read, by what is added to benchConf

	disks []*benchDisk
	maps  []*benchMap // by WWID
	other []MapRef

	refuse  map[string]Errno // actions by their first word, the next one
	always  map[string]bool  // or all of them
	changed []FoundPath      // what the next load finds out
	held    map[string]bool  // answers that do not come: by the first word, or by first two
	kept    []answer
	echo    map[string]Span   // answers that come twice
	dead    bool              // the core did not come to rest
	knobs   map[string]string // what sysfs has, by path; "off", 60 and nothing else where it is not here
	state   StateLoaded
	minor   uint32
	seq     uint64
	broken  []Broken
	planned Apply

	bugs     []Bug // panics that the core survived
	answered int   // applies
	wakes    int   // how often the core was called because it wanted to be
	idle     int   // how often of late it had nothing to do then

	configured Configured // the last one
	once       *benchOnce // nil: a daemon
	then       []Command  // for the next once
}

type answer struct {
	at    Instant
	order int
	words string
	ev    Event
}

type benchDisk struct {
	name          string
	dev           table.DevNum
	diskseq       uint64
	lun, was      string
	verdict       pathcheck.Verdict
	prio, tpg     int
	prioBad       bool
	tpgs          uint8
	size          uint64
	ro, unsure    bool
	devState      string
	serial, node  string
	vendor        string
	hctl          string
	inUse, oldID  string
	protocol, bad string
	nexus         string
	gone, says    bool
	moving        bool
}

type benchMap struct {
	t Truth
}

// latency is what every answer takes.
const latency = 10 * Millisecond

func newBench() *bench {
	return &bench{mc: New(), now: Instant(100 * Second), refuse: map[string]Errno{}, always: map[string]bool{}, configs: map[string]policy.Config{}, held: map[string]bool{}, echo: map[string]Span{}, knobs: map[string]string{}}
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(&b.out, "\t%8.2f %s\n", float64(b.now-Instant(100*Second))/1e9, fmt.Sprintf(format, args...))
}

// step gives the core one event and plans the answers to what it asks for.
func (b *bench) step(ev Event) {
	acts, wake := b.mc.Step(b.now, ev)
	b.wake = wake
	if len(acts) > 0 || ev != (Wake{}) {
		b.idle = 0
	}
	b.broken = append(b.broken, b.mc.CheckActions(acts)...)
	for _, a := range acts {
		switch a := a.(type) {
		case Bug:
			b.bugs = append(b.bugs, a)
		case Applied:
			b.answered++
		}
		words := actionWords(a)
		if words != "" {
			b.say("%s", words)
		}
		if b.once != nil {
			b.once.Took(a)
		}
		if b.heldBack(a) {
			continue
		}
		b.order++
		x := answer{b.now.After(latency), b.order, words, nil}
		first, _, _ := strings.Cut(words, " ")
		second := strings.Join(strings.Fields(words)[:min(2, len(strings.Fields(words)))], " ")
		if b.held[first] || b.held[second] {
			x.ev = b.answerTo(a, first)
			if x.ev != nil {
				b.kept = append(b.kept, x)
			}
			continue
		}
		if x.ev = b.answerTo(a, first); x.ev != nil {
			b.later = append(b.later, x)
			if s := b.echo[first]; s != 0 {
				x.at = x.at.After(s)
				b.later = append(b.later, x)
			}
		}
	}
}

// How many steps between two commands of a script, and at one moment, are too many.
const (
	restless       = 2000
	restlessAtOnce = 200
	restlessIdle   = 20 // and how many calls on end for nothing
)

// run lets the time pass: answers and wakes come when they are due.
func (b *bench) run(s Span) {
	until := b.now.After(s)
	atOnce, last := 0, b.now // steps without any time between them
	for n := 0; !b.dead; n++ {
		if atOnce++; b.now > last {
			atOnce, last = 0, b.now
		}
		if b.dead = n > restless || atOnce > restlessAtOnce; b.dead {
			b.broken = append(b.broken, Broken{Law: "the core comes to rest", Detail: fmt.Sprintf("%d steps, %d of them at once", n, atOnce)})
			return
		}
		slices.SortStableFunc(b.later, func(x, y answer) int {
			if x.at != y.at {
				return int(x.at - y.at)
			}
			return x.order - y.order
		})
		next := b.wake
		if len(b.later) > 0 && b.later[0].at <= next {
			next = b.later[0].at
		}
		if b.once != nil {
			next = min(next, b.once.at)
		}
		if next > until {
			break
		}
		b.now = max(b.now, next)
		if b.once != nil && next == b.once.at && (len(b.later) == 0 || next < b.later[0].at) && next < b.wake {
			b.askOnce()
			continue
		}
		if len(b.later) > 0 && b.later[0].at <= b.now {
			x := b.later[0]
			b.later = b.later[1:]
			b.step(x.ev)
			b.askOnce()
			continue
		}
		b.wakeUp(last)
		b.askOnce()
	}
	b.now = until
}

// wakeUp calls the core because it wanted to be; last is when it was called before.
func (b *bench) wakeUp(last Instant) {
	b.wakes++
	if b.idle++; b.now >= last.After(Second) {
		b.idle = 0 // so often it looks whether the process stood still
	}
	b.step(Wake{})
	if waits := len(b.mc.commands) > 0 || len(b.mc.due.maps) > 0; b.idle > restlessIdle && !waits {
		b.broken = append(b.broken, Broken{Law: "the core sleeps while there is nothing to do", Detail: fmt.Sprintf("%d calls for nothing", b.idle)})
		b.idle = 0
	}
}

func (b *bench) disk(name string) *benchDisk {
	for _, d := range b.disks {
		if d.name == name && !d.gone {
			return d
		}
	}
	return nil
}

func (b *bench) mapOf(wwid string) *benchMap {
	for _, m := range b.maps {
		if m.t.UUID == "mpath-"+wwid {
			return m
		}
	}
	return nil
}

func (b *bench) named(name string) *benchMap {
	for _, m := range b.maps {
		if m.t.Name == name {
			return m
		}
	}
	return nil
}

// answerTo carries an action out, on what the script has set up, and gives its
// answer; nil: it has none.
func (b *bench) answerTo(a Action, first string) Event {
	errno := b.refuse[first]
	if !b.always[first] {
		delete(b.refuse, first)
	}
	switch a := a.(type) {
	case Scan:
		s := Scanned{Seq: a.Seq}
		if errno != 0 {
			s.Bad = "reading /sys/block: " + errno.String()
			return s
		}
		for _, d := range b.disks {
			if !d.gone {
				s.Disks = append(s.Disks, Disk{Name: d.name, Dev: d.dev, Diskseq: d.diskseq})
			}
		}
		return s
	case ListMaps:
		l := MapsListed{Seq: a.Seq, Maps: slices.Clone(b.other)}
		if errno != 0 {
			return MapsListed{Seq: a.Seq, Bad: "listing: " + errno.String()}
		}
		for _, m := range b.maps {
			l.Maps = append(l.Maps, MapRef{Name: m.t.Name, UUID: m.t.UUID, Dev: m.t.Dev, EventNr: m.t.EventNr})
		}
		return l
	case Identify:
		return b.identify(a)
	case ReadMap:
		m := b.mapOf(strings.TrimPrefix(a.UUID, "mpath-"))
		switch {
		case m == nil:
			return MapRead{Seq: a.Seq, UUID: a.UUID, Errno: ErrnoGone, Detail: "no such map"}
		case errno != 0:
			return MapRead{Seq: a.Seq, UUID: a.UUID, Errno: errno, Detail: "reading: " + errno.String()}
		}
		return MapRead{Seq: a.Seq, UUID: a.UUID, Truth: m.t}
	case StartCheck:
		return b.check(a)
	case ReadSizes:
		s := SizesRead{Seq: a.Seq}
		for _, r := range a.Paths {
			z := PathSize{ID: r.ID, Bad: "it is gone"}
			if d := b.disk(r.Name); d != nil {
				z = PathSize{ID: r.ID, Sectors: table.Sectors(d.size), Bad: d.bad}
			}
			s.Sizes = append(s.Sizes, z)
		}
		return s
	case SetKnobs:
		return b.setKnobs(a, errno)
	case FindWWIDs:
		return WWIDsFound{Seq: a.Seq, WWIDs: slices.DeleteFunc(slices.Clone(a.WWIDs), func(w string) bool { return !slices.Contains(b.state.WWIDs, w) })}
	case Note, Reply, Applied:
		return nil
	}
	return b.change(a, errno)
}

// change carries out what changes something.
func (b *bench) change(a Action, errno Errno) Event {
	seq, wwid, do := b.effect(a)
	e := ActionDone{Seq: seq, Errno: errno}
	m := b.mapOf(wwid)
	switch {
	case errno != 0:
	case wwid != "" && m == nil:
		if _, ok := a.(CreateMap); !ok {
			e.Errno = ErrnoGone
			break
		}
		fallthrough
	default:
		e.Errno = do(m)
		m = b.mapOf(wwid)
		if m != nil {
			m.t.EventNr++
		}
	}
	if _, ok := a.(LoadMap); ok && errno == ErrnoChanged {
		e.Changed, b.changed = b.changed, nil
	}
	if e.Errno != 0 {
		e.Detail = "the kernel says " + e.Errno.String()
	}
	if m != nil {
		e.HasTruth, e.Truth = true, m.t
	}
	return e
}

// effect is what an action does to the bench's kernel. wwid is "" where it is about
// no map.
func (b *bench) effect(a Action) (seq uint64, wwid string, do func(*benchMap) Errno) {
	nothing := func(*benchMap) Errno { return 0 }
	switch a := a.(type) {
	case CreateMap:
		return a.Seq, a.WWID, func(m *benchMap) Errno {
			if m != nil {
				return ErrnoExists
			}
			b.minor++
			m = &benchMap{t: Truth{Name: a.Name, UUID: "mpath-" + a.WWID, Dev: table.DevNum{Major: 253, Minor: b.minor}, Size: a.Size, Target: "multipath", ReadOnly: a.ReadOnly}}
			b.maps = append(b.maps, m)
			m.load(a.Table, a.Fail)
			return 0
		}
	case LoadMap:
		return a.Seq, a.WWID, func(m *benchMap) Errno {
			m.t.ReadOnly, m.t.Suspended = a.ReadOnly, false
			m.load(a.Table, a.Fail)
			return 0
		}
	case ResizeMap:
		return a.Seq, a.WWID, func(m *benchMap) Errno {
			m.t.Size = a.Size
			m.load(a.Table, nil)
			return 0
		}
	case ResumeMap:
		return a.Seq, a.WWID, func(m *benchMap) Errno { m.t.Suspended = false; return 0 }
	case SuspendMap:
		return a.Seq, a.WWID, func(m *benchMap) Errno { m.t.Suspended = true; return 0 }
	case RenameMap:
		return a.Seq, a.WWID, func(m *benchMap) Errno { m.t.Name = a.To; return 0 }
	case RemoveMap:
		return a.Seq, a.WWID, func(m *benchMap) Errno {
			if m.t.Open > len(a.Partitions) && !a.Deferred {
				return ErrnoBusy
			}
			if m.t.Open > len(a.Partitions) {
				m.t.Deferred = true
				return 0
			}
			b.other = slices.DeleteFunc(b.other, func(r MapRef) bool { return slices.Contains(a.Partitions, r.UUID) })
			b.maps = slices.DeleteFunc(b.maps, func(o *benchMap) bool { return o == m })
			return 0
		}
	case Message:
		return a.Seq, a.WWID, func(m *benchMap) Errno { return m.message(a.Text) }
	case SaveNames:
		return a.Seq, "", nothing
	case SaveWWIDs:
		return a.Seq, "", nothing
	case MarkFailed:
		return a.Seq, "", nothing
	case ForgetLoad:
		return a.Seq, "", nothing
	case SaveDeadlines:
		return a.Seq, "", nothing
	case SavePRKey:
		return a.Seq, "", nothing
	case Trigger:
		return a.Seq, "", nothing
	case SetOwner:
		return a.Seq, "", nothing
	case LimitPaths:
		return a.Seq, "", nothing
	}
	return 0, "", nothing
}

// setKnobs writes what differs, without a kernel's care for the order.
func (b *bench) setKnobs(a SetKnobs, errno Errno) Event {
	e := KnobsSet{Seq: a.Seq, Dir: a.Dir, Busy: errno == ErrnoBusy, Gone: errno == ErrnoGone}
	if errno != 0 {
		e.Detail = "write " + a.Dir + ": " + errno.String()
	}
	for _, k := range a.Knobs {
		at := a.Dir + "/" + k.Name
		s := KnobState{Name: k.Name, Was: b.knobs[at]}
		if s.Was == "" {
			s.Was = map[string]string{"dev_loss_tmo": "60", "max_retries": "5", "recovery_tmo": "120"}[k.Name]
		}
		if s.Was == "" {
			s.Was = "off"
		}
		was, _ := strconv.Atoi(s.Was)
		want, _ := strconv.Atoi(k.Value)
		s.Is = s.Was
		if errno == 0 && (!k.Raise || want > was) {
			s.Is = k.Value
		}
		b.knobs[at] = s.Is
		e.Knobs = append(e.Knobs, s)
	}
	return e
}

func (b *bench) identify(a Identify) Event {
	d := b.disk(a.Name)
	switch {
	case d == nil:
		return PathUnreadable{Seq: a.Seq, Name: a.Name, Gone: true}
	case d.bad != "":
		return PathUnreadable{Seq: a.Seq, Name: a.Name, Why: d.bad}
	}
	e := PathSeen{
		Seq: a.Seq, ID: PathID{Dev: d.dev, Diskseq: d.diskseq}, Name: d.name, SG: "sg-" + d.name, HCTL: d.hctl, HostNo: 7, Identity: d.identity(d.lun), Fresh: !d.unsure,
		Facts:    policy.Facts{Devnode: d.name, DevType: "disk", Protocol: d.protocol, HasUdev: true, Properties: []string{"ID_SERIAL", "ID_WWN"}, Size: d.size, ReadOnly: d.ro, InUse: d.inUse},
		DevState: d.devState, TimeoutS: 30, Node: d.node, Nexus: d.nexus,
	}
	for _, m := range b.maps {
		if slices.Contains(m.t.Table.Devs(), d.dev) {
			e.Facts.MemberOf = m.t.UUID
		}
	}
	if d.unsure {
		e.Identity = d.identity(d.was)
	}
	return e
}

func (d *benchDisk) identity(lun string) scsi.Identity {
	id := scsi.Identity{WWID: lun, Vendor: cmp.Or(d.vendor, "BENCH"), Model: "ARRAY", Serial: d.serial, TPGS: d.tpgs, PortGroup: -1, RelPort: -1, IDs: []scsi.ID{{Value: lun, Kind: scsi.IDWWID}}}
	if d.oldID != "" {
		id.IDs = append(id.IDs, scsi.ID{Value: d.oldID, Kind: scsi.IDWWID})
	}
	if lun == "" {
		id.Problem, id.IDs = "no answer", nil
	}
	return id
}

func (b *bench) check(a StartCheck) Event {
	d := b.disk(a.Name)
	c := CheckDone{Seq: a.Seq, Path: a.Path, DevState: "running"}
	if d == nil {
		c.Verdict = pathcheck.Verdict{State: pathcheck.StateDown, Message: "no such device"}
		return c
	}
	c.DevState, c.Verdict = d.devState, d.verdict
	if !c.Verdict.State.Usable() && !(d.says && a.Identify) || c.Verdict.Inconclusive {
		return c
	}
	if a.Identify {
		c.Identified, c.Found, c.Same = d.lun != "", d.lun, d.lun == a.Expect
		if d.lun == "" {
			c.Found = "INQUIRY: no answer"
		}
	}
	if a.Prio != "" && c.Verdict.State.Usable() && (c.Same || !c.Identified) {
		c.PrioAsked, c.Prio = true, pathcheck.PrioResult{OK: !d.prioBad, Priority: d.prio, TPG: d.tpg, State: "state"}
	}
	if d.moving && c.PrioAsked {
		c.Prio = pathcheck.PrioResult{TPG: d.tpg, State: scsi.AccessTransitioning.String()}
	}
	return c
}

// load makes a table live: every path is active, but those that are failed at once.
func (m *benchMap) load(t table.Table, fail []table.DevNum) {
	m.t.Live, m.t.Target, m.t.Table = true, "multipath", t
	m.t.Status = table.Status{Next: t.First}
	for _, g := range t.Groups {
		gs := table.GroupStatus{State: table.GroupEnabled}
		for _, p := range g.Paths {
			st := table.PathActive
			if slices.Contains(fail, p.Dev) {
				st = table.PathFailed
			}
			gs.Paths = append(gs.Paths, table.PathStatus{Dev: p.Dev, State: st})
		}
		m.t.Status.Groups = append(m.t.Status.Groups, gs)
	}
	m.move()
}

// move takes the first group that has an active path, where the current one has none.
func (m *benchMap) move() {
	active := func(n int) bool {
		return n >= 1 && n <= len(m.t.Status.Groups) && slices.ContainsFunc(m.t.Status.Groups[n-1].Paths, func(p table.PathStatus) bool { return p.State == table.PathActive })
	}
	if active(m.t.Status.Next) {
		return
	}
	for n := range m.t.Status.Groups {
		if active(n + 1) {
			m.t.Status.Next = n + 1
			return
		}
	}
}

// set changes a path's state, on a copy: the core keeps what it was given.
func (m *benchMap) set(dev string, st table.PathState) bool {
	found := false
	groups := slices.Clone(m.t.Status.Groups)
	for i := range groups {
		groups[i].Paths = slices.Clone(groups[i].Paths)
		for j := range groups[i].Paths {
			if p := &groups[i].Paths[j]; p.Dev.String() == dev {
				p.State, found = st, true
			}
		}
	}
	m.t.Status.Groups = groups
	m.move()
	return found
}

func (m *benchMap) message(text string) Errno {
	verb, arg, _ := strings.Cut(text, " ")
	if m.t.Suspended {
		return ErrnoBusy
	}
	switch verb {
	case "fail_path", "reinstate_path":
		st := table.PathFailed
		if verb == "reinstate_path" {
			st = table.PathActive
		}
		if !m.set(arg, st) {
			return ErrnoInvalid
		}
	case "queue_if_no_path", "fail_if_no_path":
		m.t.Table = m.t.Table.WithQueue(verb == "queue_if_no_path")
	case "switch_group":
		n := 0
		if _, err := fmt.Sscan(arg, &n); err != nil || n < 1 || n > len(m.t.Status.Groups) {
			return ErrnoInvalid
		}
		m.t.Status.Next = n
	}
	return 0
}
