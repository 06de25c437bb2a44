package mpath

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

// Holding says what of the system a map holds: "/", "/boot".
type Holding struct {
	Dev  table.DevNum // of the map
	What string
}

const (
	// foresight is how far a plan looks ahead: long enough for what a new map and a
	// refused message wait for.
	foresight = 5 * Second
	// maxForeseen is how many tables a plan lets one map have: a map that wants
	// ever another one would never come to rest.
	maxForeseen = 3
)

var errTooEarly = errors.New("the first picture of the host is not complete yet; try again in a moment")

// Clone gives a core that knows the same and shares nothing that either changes.
// Between two steps only.
func (mc *Machine) Clone() (*Machine, error) { return mc.Checkpoint().Machine() }

// foreseen is a clone on its way through a configuration, with a kernel in which
// every action succeeds and that then shows what it was asked for.
type foreseen struct {
	mc    *Machine
	now   Instant
	todo  []Event
	maps  map[string]*foreseenMap // by WWID; never walked
	minor uint32
	left  int      // steps that may still be made
	alone []string // maps whose devices the former configuration leaves alone too, by WWID
}

type foreseenMap struct {
	steps []PlanStep
	after string
	loads int
}

// Foresee says what a configuration would do to the maps. It uses the machine up:
// call it on a Clone. holds are the maps that the system itself stands on.
func (mc *Machine) Foresee(c Configured, holds []Holding) (Plan, error) {
	if !mc.started || !mc.configured || !mc.loaded {
		return Plan{}, errTooEarly
	}
	if mc.stopping {
		return Plan{}, errors.New("the daemon is stopping")
	}
	c.Reconfigure = true
	p := Plan{Version: PlanVersion, Config: PlanConfig{Files: c.Config.Files, Sum: c.Sum()}, World: mc.world(), Maps: []MapPlan{}}
	f := &foreseen{mc: mc, now: mc.now, maps: map[string]*foreseenMap{}, left: 1000 + 50*(len(mc.paths)+len(mc.maps))}
	if len(mc.looks.byName) > 0 {
		p.Warnings = append(p.Warnings, "devices are being identified just now: a plan made in a moment may know more")
	}
	f.freeze()
	was := make([]*mmap, len(mc.maps))
	for i, m := range mc.maps {
		o := *m
		was[i] = &o
		if m.unwanted() != nil {
			f.alone = append(f.alone, m.wwid)
		}
	}
	knobs := slices.Clone(mc.tuned)
	for i, t := range knobs {
		o := *t
		knobs[i] = &o
	}
	f.step(c)
	wake := f.answers(mc.nextWake())
	for until := f.now.After(foresight); wake <= until && f.left > 0; {
		f.now = max(f.now, wake)
		wake = f.answers(f.step(Wake{}))
	}
	if f.left <= 0 {
		p.Warnings = append(p.Warnings, "it did not come to rest: there would be more than this")
	}
	merge(was, mc.maps, func(a, b *mmap) int { return strings.Compare(a.wwid, b.wwid) }, func(was, is **mmap) {
		w, i := &mmap{}, &mmap{}
		if was != nil {
			w, i.wwid = *was, (*was).wwid
		}
		if is != nil {
			i = *is
		}
		if mp := f.compare(i, w, holds); mp.WWID != "" {
			p.Maps = append(p.Maps, mp)
		}
	})
	p.Warnings = append(p.Warnings, knobChanges(knobs, mc.tuned)...)
	return p, nil
}

// knobChanges says what would be wanted of objects in sysfs that is not wanted now. It
// is no part of any map: one object may be that of many, and no I/O waits for it.
func knobChanges(was, is []*tuned) []string {
	var out []string
	text := func(t *tuned) string {
		if t == nil {
			return "as the kernel has it"
		}
		var s []string
		for _, k := range t.want {
			s = append(s, k.Name+map[bool]string{true: " at least ", false: " "}[k.Raise]+k.Value)
		}
		return strings.Join(s, ", ")
	}
	merge(was, is, func(a, b *tuned) int { return strings.Compare(a.dir, b.dir) }, func(w, i **tuned) {
		var before, after *tuned
		if w != nil {
			before = *w
		}
		if i != nil {
			after = *i
		}
		switch a, b := text(before), text(after); {
		case a == b:
		case after == nil:
			out = append(out, fmt.Sprintf("in sysfs, %s: %s -> nothing more is written", objectOf(before.dir), a))
		default:
			out = append(out, fmt.Sprintf("in sysfs, %s: %s -> %s (%s)", objectOf(after.dir), a, b, after.why))
		}
	})
	return out
}

// freeze ends everything that is in flight: what will come of it nobody knows.
func (f *foreseen) freeze() {
	mc := f.mc
	mc.commands, mc.batches, mc.trip = nil, nil, 0
	for _, m := range mc.maps {
		if m.ask != 0 {
			mc.answered(&m.ask)
			m.askWhat, m.loading = "", false
		}
		if m.read != 0 {
			mc.answered(&m.read)
		}
		m.reread, m.readAt = false, 0
		mc.stirMap(m)
	}
	mc.names.ask, mc.known.ask, mc.dl.ask = 0, 0, 0
	for _, t := range mc.tuned {
		t.ask = 0
	}
	mc.looks = newLookList()
	for _, p := range mc.paths {
		if p.checkSeq != 0 && !p.stuck {
			f.todo = append(f.todo, f.check(StartCheck{Seq: p.checkSeq, Path: p.id, Expect: p.seen.Identity.WWID, Identify: true}))
		}
	}
	f.answers(f.now)
}

// step lets the clone take one event and answers what it asks for.
func (f *foreseen) step(ev Event) (wake Instant) {
	f.left--
	acts, wake := f.mc.Step(f.now, ev)
	f.mc.breaches = nil
	for _, a := range acts {
		if e := f.answer(a); e != nil {
			f.todo = append(f.todo, e)
		}
	}
	return wake
}

// answers feeds the clone what was answered until nothing is left.
func (f *foreseen) answers(wake Instant) Instant {
	for len(f.todo) > 0 && f.left > 0 {
		e := f.todo[0]
		f.todo = f.todo[1:]
		wake = f.step(e)
	}
	return wake
}

func (f *foreseen) of(wwid string) *foreseenMap {
	m := f.maps[wwid]
	if m == nil {
		m = &foreseenMap{}
		f.maps[wwid] = m
	}
	return m
}

func (f *foreseen) did(wwid string, k PlanKind, reason string) {
	m := f.of(wwid)
	m.steps = append(m.steps, PlanStep{Kind: k, Reason: reason})
}

// answer is what a kernel says that does everything. nil: there is no answer. The
// devices and the list of the maps are as they are known: nobody looks again.
func (f *foreseen) answer(a Action) Event {
	switch a := a.(type) {
	case StartCheck:
		return f.check(a)
	case CreateMap:
		f.did(a.WWID, PlanCreate, a.Reason)
		f.of(a.WWID).after = a.Table.String()
		f.minor++
		t := Truth{Name: a.Name, UUID: "mpath-" + a.WWID, Dev: table.DevNum{Major: 253, Minor: 1<<19 + f.minor}, Size: a.Size, Target: "multipath"}
		return done(a.Seq, t.loaded(a.Table, a.ReadOnly, a.Fail))
	case LoadMap:
		m := f.of(a.WWID)
		if m.loads++; m.loads > maxForeseen {
			return ActionDone{Seq: a.Seq, Errno: ErrnoOther, Detail: "it wants ever another table"}
		}
		f.did(a.WWID, PlanReload, a.Reason)
		m.after = a.Table.String()
		return done(a.Seq, f.truth(a.WWID).loaded(a.Table, a.ReadOnly, a.Fail))
	case ResizeMap:
		f.did(a.WWID, PlanResize, a.Reason)
		f.of(a.WWID).after = a.Table.String()
		t := f.truth(a.WWID)
		t.Size = a.Size
		return done(a.Seq, t.loaded(a.Table, a.ReadOnly, nil))
	case RenameMap:
		f.did(a.WWID, PlanRename, a.Reason)
		t := f.truth(a.WWID)
		t.Name = a.To
		return done(a.Seq, t)
	case RemoveMap:
		f.did(a.WWID, PlanRemove, a.Reason)
		return ActionDone{Seq: a.Seq}
	case ResumeMap:
		t := f.truth(a.WWID)
		t.Suspended = false
		return done(a.Seq, t)
	case Message:
		return done(a.Seq, f.message(a))
	case SetOwner:
		if m := f.mc.find.dev[a.Dev]; m != nil {
			f.did(m.wwid, PlanOwner, "owner and mode "+a.Owner.String()+", "+a.Reason)
		}
		return ActionDone{Seq: a.Seq}
	}
	return f.written(a)
}

// written answers what only writes a file or tells udev.
func (f *foreseen) written(a Action) Event {
	switch a := a.(type) {
	case SaveNames:
		return ActionDone{Seq: a.Seq}
	case SaveWWIDs:
		return ActionDone{Seq: a.Seq}
	case FindWWIDs:
		return WWIDsFound{Seq: a.Seq}
	case SaveDeadlines:
		return ActionDone{Seq: a.Seq}
	case MarkFailed:
		return ActionDone{Seq: a.Seq}
	case ForgetLoad:
		return ActionDone{Seq: a.Seq}
	case Trigger:
		return ActionDone{Seq: a.Seq}
	case LimitPaths:
		return ActionDone{Seq: a.Seq}
	case SetKnobs:
		e := KnobsSet{Seq: a.Seq, Dir: a.Dir}
		for _, k := range a.Knobs {
			e.Knobs = append(e.Knobs, KnobState{Name: k.Name, Was: k.Value, Is: k.Value})
		}
		return e
	}
	return nil
}

func done(seq uint64, t Truth) Event { return ActionDone{Seq: seq, HasTruth: true, Truth: t} }

// truth is what the kernel has of a map now.
func (f *foreseen) truth(wwid string) Truth {
	if m := f.mc.mapOf(wwid); m != nil {
		return m.have
	}
	return Truth{UUID: "mpath-" + wwid}
}

// loaded is a map with another table: every path is active but those that are
// failed again.
func (t Truth) loaded(tab table.Table, readOnly bool, fail []table.DevNum) Truth {
	t.Live, t.Suspended, t.ReadOnly, t.Table = true, false, readOnly, tab
	t.Status = table.Status{Next: tab.First}
	for i, g := range tab.Groups {
		gs := table.GroupStatus{State: table.GroupEnabled}
		if i+1 == tab.First {
			gs.State = table.GroupActive
		}
		for _, p := range g.Paths {
			ps := table.PathStatus{Dev: p.Dev, State: table.PathActive}
			if slices.Contains(fail, p.Dev) {
				ps.State = table.PathFailed
			}
			gs.Paths = append(gs.Paths, ps)
		}
		t.Status.Groups = append(t.Status.Groups, gs)
	}
	return t
}

func (f *foreseen) message(a Message) Truth {
	t := f.truth(a.WWID)
	verb, arg, _ := strings.Cut(a.Text, " ")
	switch verb {
	case "queue_if_no_path", "fail_if_no_path":
		f.did(a.WWID, PlanQueueing, a.Text+": "+a.Reason)
		t.Table = t.Table.WithQueue(verb == "queue_if_no_path")
	case "fail_path", "reinstate_path":
		st := table.PathActive
		if verb == "fail_path" {
			st = table.PathFailed
		}
		t.Status.Groups = slices.Clone(t.Status.Groups)
		for i, g := range t.Status.Groups {
			t.Status.Groups[i].Paths = slices.Clone(g.Paths)
			for j, p := range g.Paths {
				if p.Dev.String() == arg {
					t.Status.Groups[i].Paths[j].State = st
				}
			}
		}
	case "switch_group":
		var n int
		if _, err := fmt.Sscan(arg, &n); err == nil {
			t.Status.Next = n
		}
	case "@cancel_deferred_remove":
		t.Deferred = false
	}
	return t
}

// check answers as the path answered last. One that nobody has asked yet is taken
// for well: the plan says so.
func (f *foreseen) check(a StartCheck) Event {
	p := f.mc.path(a.Path)
	if p == nil || p.stuck {
		return nil
	}
	e := CheckDone{Seq: a.Seq, Path: a.Path, DevState: p.devState, Verdict: pathcheck.Verdict{State: p.state, Message: p.message}}
	if p.checkedAt == 0 {
		e.Verdict = pathcheck.Verdict{State: pathcheck.StateUp, Message: "taken for well"}
	}
	if up := isUp(e.Verdict.State); up || p.verified() {
		e.Identified, e.Same, e.Found = true, p.stranger == "", a.Expect
		if p.stranger != "" {
			e.Found = p.stranger
		}
		if up && a.Prio != "" {
			e.PrioAsked, e.Prio = true, p.prio
			if a.Prio == "const" {
				e.Prio = pathcheck.PrioResult{OK: true, Priority: 1, TPG: -1}
			}
		}
	}
	return e
}

// compare says what became of a map. WWID "": nothing, and nothing to say.
func (f *foreseen) compare(m, was *mmap, holds []Holding) MapPlan {
	out := MapPlan{WWID: m.wwid, Name: m.label()}
	if was.known {
		out.Name = was.have.Name
		out.Before = was.have.Table.String()
	}
	done := f.maps[m.wwid]
	if done != nil {
		out.Steps, out.After = done.steps, done.after
		if done.loads > maxForeseen {
			out.Warnings = append(out.Warnings, "it wants ever another table")
		}
	}
	if was.known && m.known && m.have.Name != was.have.Name {
		out.To = m.have.Name
	}
	if was.settingOK && m.settingOK {
		out.Settings = settingChanges(was.settings, m.settings)
	}
	if out.After != "" {
		if was.known {
			for _, d := range table.Diff(m.have.Table, was.have.Table) {
				if d.Field != table.FieldFirst {
					out.Diff = append(out.Diff, d.String())
				}
			}
		}
		out.Join, out.Leave = f.moves(was.have.Table.Devs(), m.have.Table.Devs())
	}
	f.warn(m, was, &out)
	f.needs(m, was, holds, &out)
	if len(out.Steps) == 0 && len(out.Needs) == 0 {
		return MapPlan{}
	}
	return out
}

// moves names the devices that come into a table and those that leave it.
func (f *foreseen) moves(was, is []table.DevNum) (join, leave []string) {
	name := func(d table.DevNum) string {
		if p := f.mc.pathByDev(d); p != nil {
			return p.seen.Name + " (" + d.String() + ")"
		}
		return d.String()
	}
	for _, d := range is {
		if !slices.Contains(was, d) {
			join = append(join, name(d))
		}
	}
	for _, d := range was {
		if !slices.Contains(is, d) {
			leave = append(leave, name(d))
		}
	}
	return join, leave
}

func (f *foreseen) warn(m, was *mmap, out *MapPlan) {
	for _, s := range out.Settings {
		if (s.Keyword == "prio" && s.After != "const" || s.Keyword == "prio_args") && m.settings.Grouping.V == "group_by_prio" {
			out.AsGrouped = true
		}
	}
	if out.AsGrouped {
		out.Warnings = append(out.Warnings, "priorities are asked anew: its groups will be as they are then")
	}
	if len(out.Steps) == 0 {
		return
	}
	if was.adopted && len(was.accepted) > 0 {
		out.Warnings = append(out.Warnings, "it was adopted and differs ("+strings.Join(was.accepted, ", ")+"): this brings it into line")
	}
	for _, p := range f.mc.pathsOf(m) {
		if p.inTable && p.message == "taken for well" {
			out.Warnings = append(out.Warnings, "path "+p.seen.Name+" was not checked yet: it is taken for well")
		}
	}
	if m.have.Suspended {
		out.Warnings = append(out.Warnings, "it is suspended, not by us")
	}
}

// needs are what no daemon does: differences that take a new map, and the copy of
// the configuration that the boot goes by.
func (f *foreseen) needs(m, was *mmap, holds []Holding, out *MapPlan) {
	if m.known && was.known && m.settingOK {
		want := table.Table{Features: countedWords(m.settings.Features.V)}
		for _, d := range table.Diff(want, table.Table{Features: was.have.Table.Features}) {
			if d.Field == table.FieldQueueMode {
				out.Needs = append(out.Needs, PlanStep{PlanRecreate, fmt.Sprintf(
					"%s (%s): the kernel changes this in no living map; `map remove` and `map add`, when nobody uses it", d, m.settings.Features.Origin)})
			}
		}
	}
	if kb := m.settings.MaxSectorsKB; m.known && was.known && was.settingOK && m.settingOK && kb.V != was.settings.MaxSectorsKB.V && kb.V > 0 {
		out.Needs = append(out.Needs, PlanStep{PlanRecreate, fmt.Sprintf(
			"max_sectors_kb %d (%s): paths in a table keep theirs; `map remove` and `map add`, when nobody uses it", kb.V, kb.Origin)})
	}
	if p := m.unwanted(); p != nil && m.known && was.known && !hasSorted(f.alone, m.wwid) {
		out.Needs = append(out.Needs, PlanStep{PlanRemove, fmt.Sprintf(
			"the configuration leaves its devices alone (%s, %s): the map stays as it is; `map remove %s` when nobody uses it", p.decision.Reason, p.decision.Origin, m.have.Name)})
	}
	if len(out.Steps) == 0 && len(out.Settings) == 0 {
		return
	}
	var what []string
	for _, h := range holds {
		if was.known && h.Dev == was.have.Dev {
			what = append(what, h.What)
		}
	}
	if len(what) > 0 {
		out.Needs = append(out.Needs, PlanStep{PlanInitramfs, "it holds " + strings.Join(what, " and ") +
			", and the initramfs has copies of the configuration and the bindings: `update-initramfs -u` (Debian) or `dracut -f` (others), when this is in force"})
	}
}

// unwanted gives a path of a map whose paths are all left alone by the
// configuration, nil where one of them is not.
func (m *mmap) unwanted() *path {
	if len(m.paths) == 0 || slices.ContainsFunc(m.paths, func(p *path) bool { return p.decision.Verdict != policy.VerdictReject }) {
		return nil
	}
	return m.paths[0]
}
