package mpath

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
)

// Apply has a configuration put in force exactly as a plan says, or not at all. It is
// answered by one Applied.
type Apply struct {
	Seq    uint64
	Config policy.Config
	Users  []NameID
	Groups []NameID
	Plan   Plan
}

func (e Apply) configured() Configured {
	return Configured{Config: e.Config, Users: e.Users, Groups: e.Groups, Reconfigure: true}
}

// Applied answers an Apply. Not OK: refused before anything was touched, or a map of
// the plan is not as it says; Text says why, and Maps what became of each.
type Applied struct {
	Seq  uint64
	OK   bool
	Text string
	Maps []Outcome
}

// Outcome is what became of one map of a plan.
type Outcome struct {
	WWID   string
	Name   string
	Result string // "done", "refused", "rolled back"
	Text   string
}

// Results of outcomes.
const (
	resultDone       = "done"
	resultRefused    = "refused"
	resultRolledBack = "rolled back"
)

const (
	// partLimit is how long a map's part of an apply may take before its load: the
	// paths must all have answered a check by then, or count as hung.
	partLimit = 90 * Second
	// watchLimit is how long a new table is watched for what it may have broken.
	watchLimit = 30 * Second
)

// part is what an apply, or a reload of the configuration, is doing to one map.
type part struct {
	since Instant // when it began; 0: nothing goes on
	exact bool    // only what the plan says; else what the configuration wants
	plan  MapPlan // what it says, Steps empty: the map stays as it is
	asked Instant // when every path was asked who and how it is, for the load; 0: not yet

	loadedAt Instant // when the new table took effect; 0: there is none yet
	until    Instant // end of the watch over it
	kept     []PathID
	former   former
}

// former is what a map had before.
type former struct {
	settings  policy.Settings
	settingOK bool
	accepted  []string
	table     table.Table
}

// applyState is the one apply that is under way.
type applyState struct {
	seq   uint64 // 0: none
	names []string
	maps  []Outcome // of those that have come to an end
}

// deadline is when a part ends by time alone, 0 never.
func (p *part) deadline() Instant {
	switch {
	case p.since == 0:
		return 0
	case p.until != 0:
		return p.until
	}
	return p.since.After(partLimit)
}

// takeApply puts a configuration in force as a plan says, if the world is what the
// plan was made from.
func (mc *Machine) takeApply(e Apply) {
	refuse := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		mc.note(LevelWarning, "apply", "refused: "+text)
		mc.act(Applied{Seq: e.Seq, Text: "refused, nothing was touched: " + text})
	}
	switch moved := e.Plan.World.Moved(mc.world()); {
	case mc.stopping:
		refuse("the daemon is stopping")
	case !mc.started:
		refuse("%v", errTooEarly)
	case mc.apply.seq != 0:
		refuse("another apply is under way")
	case e.Plan.Version != PlanVersion:
		refuse("the plan is of version %d, this is %d", e.Plan.Version, PlanVersion)
	case e.configured().Sum() != e.Plan.Config.Sum:
		refuse("the configuration has changed since the plan was made; plan again")
	case len(moved) > 0:
		refuse("the world has moved since the plan was made: %s; plan again", strings.Join(moved, "; "))
	default:
		mc.begin(e)
	}
}

func (mc *Machine) begin(e Apply) {
	mc.configure(e.configured(), true)
	mc.apply = applyState{seq: e.Seq}
	for _, p := range e.Plan.Maps {
		if len(p.Steps) == 0 {
			continue
		}
		mc.apply.names = append(mc.apply.names, p.WWID)
		m := mc.mapOf(p.WWID)
		if m == nil {
			mc.came(p.WWID, p.Name, resultRefused, "no path of it is there")
			continue
		}
		m.part.since, m.part.exact, m.part.plan = mc.now, true, p
		mc.touch(m)
	}
	mc.note(LevelNotice, "apply", fmt.Sprintf("a plan of %d maps is applied", len(mc.apply.names)))
}

// beginParts has every map keep in mind what it was before a configuration.
func (mc *Machine) beginParts(exact bool) {
	if mc.apply.seq != 0 {
		for _, m := range mc.maps {
			if m.part.since != 0 {
				mc.endPart(m, resultRefused, "a reload of the configuration came between")
			}
		}
		mc.endApply()
	}
	for _, m := range mc.maps {
		m.part = part{since: mc.now, exact: exact, former: former{settings: m.settings, settingOK: m.settingOK, accepted: m.accepted}}
		m.former, m.rolled = "", 0
		mc.touch(m)
	}
}

// endApply answers an apply when every map of it has come to an end.
func (mc *Machine) endApply() {
	a := &mc.apply
	if a.seq == 0 {
		return
	}
	for _, w := range a.names {
		if slices.ContainsFunc(a.maps, func(o Outcome) bool { return o.WWID == w }) {
			continue
		}
		m := mc.mapOf(w)
		if m != nil && m.part.since != 0 {
			return
		}
		mc.came(w, w, resultRefused, "the map is gone")
	}
	r := Applied{Seq: a.seq, OK: true, Maps: a.maps}
	n := map[string]int{}
	for _, o := range a.maps {
		n[o.Result]++
		r.OK = r.OK && o.Result == resultDone
	}
	r.Text = fmt.Sprintf("%d maps as planned", n[resultDone])
	for _, k := range []string{resultRefused, resultRolledBack} {
		if n[k] > 0 {
			r.Text += fmt.Sprintf(", %d %s", n[k], k)
		}
	}
	mc.apply = applyState{}
	mc.note(LevelNotice, "apply", r.Text)
	mc.act(r)
}

func (mc *Machine) came(wwid, name, result, text string) {
	mc.apply.maps = append(slices.Clip(mc.apply.maps), Outcome{WWID: wwid, Name: name, Result: result, Text: text})
}

// endPart ends what goes on with a map. One whose part was refused, or was rolled
// back, keeps its former settings and its name until the next configuration.
func (mc *Machine) endPart(m *mmap, result, text string) {
	p := m.part
	if p.since == 0 {
		return
	}
	m.part = part{}
	mc.stirMap(m)
	named := p.exact && len(p.plan.Steps) > 0
	if result != resultDone && p.former.settingOK && m.known {
		m.settings, m.former, m.accepted = p.former.settings, result+": "+text, p.former.accepted
		m.owner = mc.ownerOf(m.settings)
		m.name = m.have.Name
		m.retryAt, m.retryDelay = 0, 0
		mc.touch(m)
	}
	if named && mc.apply.seq != 0 {
		mc.came(m.wwid, m.label(), result, text)
	}
	switch {
	case result != resultDone:
		level := LevelWarning
		if result == resultRolledBack {
			level = LevelError
		}
		mc.note(level, m.label(), result+": "+text+"; it keeps what it had until the next reload or apply")
	case named:
		mc.note(LevelNotice, m.label(), "as planned: "+p.plan.Kinds())
	}
}

// refusePart ends a part that is not what the plan says.
func (mc *Machine) refusePart(m *mmap, why string) bool {
	mc.endPart(m, resultRefused, why)
	return false
}

// overduePart ends a part whose time is over.
func (mc *Machine) overduePart(m *mmap) {
	p := &m.part
	if at := p.deadline(); at == 0 || mc.now < at {
		return
	}
	switch why := mc.unfinished(m); {
	case why == "" || !p.exact:
		mc.endPart(m, resultDone, "")
	default:
		mc.refusePart(m, fmt.Sprintf("not done within %d s: %s", mc.now.Since(p.since).Seconds(), why))
	}
}

// settlePart ends a part that has nothing left to do.
func (mc *Machine) settlePart(m *mmap) {
	p := &m.part
	if p.since == 0 || m.ask != 0 || p.until != 0 || p.exact && mc.unfinished(m) != "" {
		return
	}
	mc.endPart(m, resultDone, "")
}

// unfinished says what of a plan is not so yet, "" nothing.
func (mc *Machine) unfinished(m *mmap) string {
	p := &m.part
	why := ""
	if m.lastError != "" {
		why = ": " + m.lastError
	}
	switch {
	case m.ask != 0 && len(p.plan.Steps) > 0:
		return m.askWhat + " is not answered"
	case p.plan.Has(PlanCreate) && !m.known:
		return "it could not be made" + why
	case p.plan.Has(PlanReload) && p.loadedAt == 0:
		if mc.unanswered(m, m.paths) {
			return "its paths have not all answered" + why
		}
		return "its new table was not loaded" + why
	case p.plan.To != "" && m.have.Name != p.plan.To:
		return "it is still called " + m.have.Name + why
	}
	return ""
}

// mayLoad says whether a load is what the plan says, if there is one. ps were asked
// before it who and how they are: wait says that not all have answered.
func (mc *Machine) mayLoad(m *mmap, ps []*path, d differences) (wait, may bool) {
	p := &m.part
	if p.since == 0 {
		return false, true
	}
	if p.exact && !p.plan.Has(PlanReload) {
		if why := d.configured(); why != "" {
			return false, mc.refusePart(m, "it would get a new table, which the plan does not say: "+why)
		}
		return false, true // a path came or left: that is no part of the apply
	}
	if p.loadedAt != 0 {
		return false, true
	}
	if p.asked == 0 {
		p.asked = mc.now
		for _, q := range ps {
			if mc.asks(q) {
				mc.doubt(q)
			}
		}
	}
	return mc.unanswered(m, ps), true
}

// asks says whether a path is asked before a load.
func (mc *Machine) asks(p *path) bool { return (p.inTable || p.up()) && !p.stuck && p.stranger == "" }

// unanswered says whether a path has not answered since it was asked for a load. It
// looks at the paths alone: each answer has the map settled.
func (mc *Machine) unanswered(m *mmap, ps []*path) bool {
	return m.part.asked != 0 && slices.ContainsFunc(ps, func(p *path) bool { return mc.asks(p) && p.answeredFor < m.part.asked })
}

// configured says what the configuration wants otherwise, "" nothing.
func (d differences) configured() string {
	var out []string
	for _, x := range d {
		if x.Kind != "paths" && x.Kind != "stranger" && x.Kind != "read-only" {
			out = append(out, x.Text)
		}
	}
	return strings.Join(out, "; ")
}

// beyondPlan says what a table would change that the plan says nothing of, "" nothing:
// paths may come and leave at any time.
func (m *mmap) beyondPlan(t table.Table) string {
	if m.part.since == 0 || !m.part.exact || m.part.plan.Has(PlanReload) {
		return ""
	}
	for _, d := range table.Diff(only(t, m.paths), only(m.have.Table, m.paths)) {
		if d.Field == table.FieldFeatures || d.Field == table.FieldSelector {
			return d.String()
		}
	}
	return ""
}

// another says in what a table is not the planned one, "" it is, or that was loaded:
// what comes then is no part of the plan.
func (p *part) another(t table.Table) string {
	if !p.exact || !p.plan.Has(PlanReload) || p.loadedAt != 0 {
		return ""
	}
	want, err := table.Parse(p.plan.After)
	if err != nil {
		return "the planned table cannot be read: " + err.Error()
	}
	var out []string
	for _, d := range table.Diff(t, want) {
		switch d.Field {
		case table.FieldFirst, table.FieldQueue:
			continue
		case table.FieldGroups, table.FieldOrder:
			if p.plan.AsGrouped {
				continue
			}
		}
		out = append(out, fmt.Sprintf("%s: now %q, planned %q", d.Field, d.Want, d.Have))
	}
	return strings.Join(out, "; ")
}

// noteLoad notes what a load of a part replaces: what a rollback goes back to.
func (mc *Machine) noteLoad(m *mmap, a LoadMap) {
	p := &m.part
	if p.since == 0 || p.loadedAt != 0 {
		return
	}
	p.former.table, p.kept = m.have.Table, nil
	for _, r := range a.Paths {
		if q := mc.path(r.ID); q != nil && q.usable() {
			p.kept = append(p.kept, r.ID)
		}
	}
}

// partLoaded begins the watch over a new table, or ends the part of a load that failed.
func (mc *Machine) partLoaded(m *mmap, e ActionDone) {
	p := &m.part
	switch {
	case p.since == 0 || p.loadedAt != 0:
	case !p.exact && p.asked == 0: // it was on its way when the part began: no load of this part
	case e.Errno == ErrnoNone:
		if p.loadedAt = mc.now; len(p.kept) > 0 {
			p.until = mc.now.After(watchLimit)
		}
	case p.exact && e.Errno != ErrnoChanged && e.Errno != ErrnoBusy && e.Errno != ErrnoNoMem:
		mc.refusePart(m, e.Detail)
	}
}
