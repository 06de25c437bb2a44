package mpath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

// settleMap brings one map one step nearer to what is wanted. It asks at most
// one question; its answer brings the next step.
func (mc *Machine) settleMap(m *mmap) {
	if !m.pending(mc.now) {
		return
	}
	m.touched = false
	for _, at := range []*Instant{&m.retryAt, &m.holdUntil, &m.pauseUntil} {
		if *at != 0 && mc.now >= *at {
			*at = 0 // it is time, or no matter any more
		}
	}
	ps := mc.pathsOf(m)
	mc.chooseSettings(m, ps)
	if m.nodeDue && m.known && m.settingOK {
		mc.takeNode(m.node)
	}
	if !m.known && len(ps) == 0 {
		if m.ask == 0 && m.read == 0 {
			mc.dropMap(m)
		}
		return
	}
	if len(ps) > 0 {
		m.hadPath = true
	}
	switch {
	case m.known && m.settingOK:
		mc.queueing(m, ps)
	case m.known:
		mc.orphaned(m)
	}
	if m.ask != 0 {
		return
	}
	if mc.stopping {
		mc.planStop(m)
		return
	}
	if !m.known {
		mc.planCreate(m, ps)
		return
	}
	if !m.have.Live {
		mc.planRevive(m, ps)
		return
	}
	if m.have.Suspended {
		if m.ourSuspend && mc.now >= m.pauseUntil {
			mc.ask(m, "resume", ResumeMap{Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Reason: "a load of ours left it suspended"})
		}
		return
	}
	if m.adoptDue && !mc.adoptNow(m) {
		return
	}
	if m.have.Target != "multipath" {
		return
	}
	if m.settingOK {
		mc.chooseName(m)
	}
	_ = mc.planPaths(m, ps) || mc.planRemove(m, ps) || mc.planLoad(m, ps) || mc.planQueue(m) || mc.planSwitch(m, ps) || mc.planRename(m)
}

// adoptNow adopts a map that somebody else made while we run, as soon as its
// members were checked; false: not yet.
func (mc *Machine) adoptNow(m *mmap) bool {
	for _, p := range mc.pathsOf(m) {
		if p.member() && p.checkedAt == 0 && !p.stuck && mc.now.Since(p.seenAt) < firstChecks {
			m.holdUntil = p.seenAt.After(firstChecks)
			return false
		}
	}
	m.holdUntil = 0
	mc.adopt(m)
	return true
}

// pending says whether a map has to be looked at now.
func (m *mmap) pending(now Instant) bool {
	due := func(t Instant) bool { return t != 0 && now >= t }
	return m.touched || due(m.pauseUntil) || due(m.retryAt) || due(m.failbackAt) || due(m.holdUntil) || due(m.queue.at) && !m.queue.expired
}

// ask notes the one open question of a map.
func (mc *Machine) ask(m *mmap, what string, a Action) {
	m.askWhat, m.askAt, m.askNoted = what, mc.now, false
	m.loading = false
	switch a := a.(type) {
	case CreateMap:
		m.ask, m.loading, m.askRO = a.Seq, true, a.ReadOnly
	case LoadMap:
		m.ask, m.loading, m.askRO = a.Seq, true, a.ReadOnly
	case ResumeMap:
		m.ask = a.Seq
	case RemoveMap:
		m.ask = a.Seq
	case RenameMap:
		m.ask = a.Seq
	case Message:
		m.ask = a.Seq
	}
	// A read that is under way may have seen the map before the action.
	if m.read != 0 {
		m.read, m.reread = 0, true
	}
	mc.act(a)
}

// planCreate makes the map when its paths have answered and its name is safe.
func (mc *Machine) planCreate(m *mmap, ps []*path) {
	if m.removed || m.listed || mc.now < m.retryAt {
		return
	}
	m.retryAt = 0
	waiting := false
	for _, p := range ps {
		if p.checkedAt == 0 && !p.stuck {
			waiting = true
		}
	}
	if waiting && mc.now.Since(m.firstPath) < firstChecks {
		m.holdUntil = m.firstPath.After(firstChecks)
		return
	}
	m.holdUntil = 0
	size, ro := mc.sizeOf(m, ps)
	load := mc.loadable(m, ps)
	if !anyUp(load) {
		return
	}
	if !mc.chooseName(m) {
		return // waits for the name to be durable
	}
	lay := mc.layout(m, load)
	t := mc.tableOf(m, lay)
	mc.ask(m, "create", CreateMap{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.name, Size: size, Table: t, ReadOnly: ro,
		NoKpartx: m.settings.SkipKpartx.V, Paths: refs(load), Fail: downOf(load), Owner: m.owner,
		Reason: fmt.Sprintf("%d paths of %s (%s)", len(load), m.wwid, load[0].decision.Reason),
	})
}

// planRevive gives a table to a map that has none: a process ended between
// creating it and loading it. Whoever else is creating it just now has a moment.
func (mc *Machine) planRevive(m *mmap, ps []*path) {
	if !m.settingOK || mc.now < m.retryAt {
		return
	}
	if mc.now.Since(m.listedAt) < firstChecks {
		m.holdUntil = m.listedAt.After(firstChecks)
		if m.readAt == 0 {
			m.readAt = m.holdUntil
		}
		return
	}
	m.holdUntil, m.retryAt = 0, 0
	size, ro := mc.sizeOf(m, ps)
	load := mc.loadable(m, ps)
	if !anyUp(load) {
		return
	}
	mc.ask(m, "load", LoadMap{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Size: size, Table: mc.tableOf(m, mc.layout(m, load)), ReadOnly: ro,
		NoKpartx: m.settings.SkipKpartx.V, Paths: refs(load), Fail: downOf(load), Reason: "the map has no table",
	})
}

// sizeOf gives the size that every path must have, and whether one is
// read-only. A known map's size never changes by itself.
func (mc *Machine) sizeOf(m *mmap, ps []*path) (size table.Sectors, ro bool) {
	size = m.have.Size
	for _, p := range ps {
		if size == 0 && p.up() && p.verified() {
			size = table.Sectors(p.seen.Facts.Size)
		}
	}
	for _, p := range ps {
		p.refused = ""
		has := table.Sectors(p.seen.Facts.Size)
		if p.inTable && has > size {
			has = size // grown under the map: the map stays as large as it is
		}
		if size != 0 && has != size {
			p.refused = fmt.Sprintf("its size is %d sectors, the map's %d", p.seen.Facts.Size, size)
			continue
		}
		ro = ro || p.seen.Facts.ReadOnly
	}
	return size, ro
}

// loadable gives the paths that may stand in a new table: of the right size and
// with an identity that was verified since they last failed. A load makes every
// one of them active, so the others stay out until they are verified.
func (mc *Machine) loadable(m *mmap, ps []*path) []*path {
	var out []*path
	for _, p := range ps {
		if p.refused != "" || !p.verified() || m.unknownID {
			continue
		}
		if p.up() || p.inTable && p.checkedAt != 0 {
			out = append(out, p)
		}
	}
	for _, p := range out {
		if !p.seen.Identity.SameLUN(out[0].seen.Identity) {
			// Somebody else made it so, by an id that two disks bear.
			if why := "its paths are of different LUNs, " + out[0].seen.Identity.WWID + " and " + p.seen.Identity.WWID + ": no table is loaded; take the map down and make it anew"; m.lastError != why {
				m.lastError = why
				mc.note(LevelError, m.label(), why)
			}
			return nil
		}
	}
	return out
}

func anyUp(ps []*path) bool { return slices.ContainsFunc(ps, (*path).up) }

func refs(ps []*path) []PathRef {
	out := make([]PathRef, len(ps))
	for i, p := range ps {
		out[i] = PathRef{ID: p.id, Name: p.seen.Name}
	}
	return out
}

// downOf gives the paths that are merely down, or failed in the kernel for now:
// they are failed again right after the resume that made them active.
func downOf(ps []*path) []table.DevNum {
	var out []table.DevNum
	for _, p := range ps {
		if !p.up() || p.inTable && p.kernelFailed {
			out = append(out, p.id.Dev)
		}
	}
	return out
}

// group is one path group of a layout.
type group struct {
	paths []*path
}

// layout groups paths by the map's policy, best group first.
func (mc *Machine) layout(m *mmap, ps []*path) []group {
	in := make([]policy.GroupPath, len(ps))
	for i, p := range ps {
		in[i] = p.groupFacts()
	}
	groups, _ := policy.Group(m.settings.Grouping.V, false, in)
	out := make([]group, len(groups))
	for i, g := range groups {
		for _, j := range g.Paths {
			out[i].paths = append(out[i].paths, ps[j])
		}
	}
	return out
}

func (p *path) priority() int {
	if !p.prioKnown {
		return -1
	}
	return p.prio.Priority
}

// tableOf writes a layout as a table.
func (mc *Machine) tableOf(m *mmap, lay []group) table.Table {
	t := table.Table{Features: countedWords(m.settings.Features.V), Handler: countedWords(m.settings.Handler.V), First: 1}
	if m.noHandler {
		t.Handler = nil
	}
	if on, decided := m.wantQueue(); decided {
		t = t.WithQueue(on)
	} else if m.known {
		t = t.WithQueue(m.have.Table.QueueIfNoPath())
	}
	sel := strings.Fields(m.settings.Selector.V)
	if len(sel) == 0 {
		sel = []string{"service-time", "0"}
	}
	for _, g := range lay {
		tg := table.Group{Selector: sel[0]}
		if len(sel) > 2 {
			tg.SelArgs = slices.Clone(sel[2:])
		}
		for _, p := range g.paths {
			minio := m.settings.MinIO.V
			if m.settings.RRWeight.V == "priorities" && p.priority() > 0 {
				minio *= p.priority()
			}
			tg.Paths = append(tg.Paths, table.Path{Dev: p.id.Dev, Args: []string{strconv.Itoa(minio)}})
		}
		t.Groups = append(t.Groups, tg)
	}
	return t
}

// countedWords gives the words of a "2 pg_init_retries 50" without the count.
func countedWords(s string) []string {
	f := strings.Fields(s)
	if len(f) < 2 {
		return nil
	}
	return f[1:]
}

// planPaths fails and reinstates paths in the kernel, on edges only: what the
// kernel already has is not sent again.
func (mc *Machine) planPaths(m *mmap, ps []*path) bool {
	if mc.now < m.pauseUntil {
		return false
	}
	m.pauseUntil = 0
	devs := m.have.Table.Devs()
	for _, p := range ps {
		if !p.inTable {
			continue
		}
		switch {
		case !p.up() && p.state != pathcheck.StateUnknown && !p.kernelFailed:
			mc.ask(m, "fail "+p.id.Dev.String(), Message{
				Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name,
				Text: "fail_path " + p.id.Dev.String(), Reason: p.state.Shown() + ": " + p.message,
			})
			return true
		case p.up() && p.kernelFailed && p.verified() && !mc.ghostAlone(p, ps):
			// If its answer shows it failed, that is news: I/O failed on it again.
			p.reinstated, p.kernelFailed = mc.now, false
			mc.ask(m, "reinstate "+p.id.Dev.String(), Message{
				Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name,
				Text: "reinstate_path " + p.id.Dev.String(), Reason: p.state.Shown() + ": " + p.message,
			})
			return true
		}
	}
	for _, d := range devs {
		if mc.departed(m, d) && !m.kernelFailed(d) && m.hadPath {
			mc.ask(m, "fail "+d.String(), Message{
				Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name,
				Text: "fail_path " + d.String(), Reason: "the device left",
			})
			return true
		}
	}
	return false
}

// ghostAlone keeps a standby path of a target with implicit ALUA only failed
// while no other path works: the target would not take I/O on it anyway.
func (mc *Machine) ghostAlone(p *path, ps []*path) bool {
	if p.state != pathcheck.StateGhost || p.seen.Identity.TPGS != 1 {
		return false
	}
	return !slices.ContainsFunc(ps, func(q *path) bool { return q.state == pathcheck.StateUp })
}

// planRemove removes a map that has lost its last path and is not used.
func (mc *Machine) planRemove(m *mmap, ps []*path) bool {
	stays := func(d table.DevNum) bool { return !mc.departed(m, d) } // one that cannot say now who it is
	if len(ps) > 0 || !m.hadPath || m.settings.FlushOnLastDel.V == "never" || slices.ContainsFunc(m.have.Table.Devs(), stays) {
		m.openNoted = false
		return false
	}
	if m.have.Open > 0 {
		if !m.openNoted {
			m.openNoted = true
			mc.note(LevelWarning, m.label(), fmt.Sprintf("its last path left; the map stays because it is open (%d)", m.have.Open))
		}
		// Nothing tells us of its last close: ask again.
		if m.retryAt == 0 || mc.now >= m.retryAt {
			m.retryAt = mc.now.After(5 * Second)
			mc.readMap(m)
		}
		return true
	}
	m.retryAt = 0
	mc.ask(m, "remove", RemoveMap{Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Reason: "its last path left and nobody uses it"})
	return true
}

// planLoad gives the map a new table where one is needed.
func (mc *Machine) planLoad(m *mmap, ps []*path) bool {
	m.regroup = false
	if !m.settingOK || mc.now < m.retryAt {
		return false
	}
	size, ro := mc.sizeOf(m, ps)
	load := mc.loadable(m, ps)
	if !anyUp(load) || mc.unsure(m, ps) {
		return false
	}
	d := mc.differences(m, ps)
	var why []string
	for _, k := range d {
		if slices.Contains(m.accepted, k.Kind) && k.Kind != "paths" && k.Kind != "stranger" {
			continue
		}
		if (k.Kind == table.FieldGroups.String() || k.Kind == table.FieldOrder.String()) && !mc.mayFailBack(m, ps) {
			m.regroup = true
			continue
		}
		why = append(why, k.Text)
	}
	if len(why) == 0 {
		return false
	}
	lay := mc.layout(m, load)
	t := mc.tableOf(m, lay)
	m.retryAt, m.failbackAt, m.regroup = 0, 0, false
	mc.note(LevelNotice, m.label(), "gets a new table: "+strings.Join(why, "; "))
	mc.ask(m, "load", LoadMap{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Size: size, Table: t, ReadOnly: ro,
		NoKpartx: m.settings.SkipKpartx.V, Paths: refs(load), Fail: downOf(load), Reason: strings.Join(why, "; "),
	})
	return true
}

// difference is one way in which a map is not as it is wanted.
type difference struct {
	Kind string // "paths", "stranger", or the word of a table.Field
	Text string
}

type differences []difference

func (d differences) kinds() []string {
	var out []string
	for _, x := range d {
		if x.Kind != "paths" && x.Kind != "stranger" {
			out = addSorted(out, x.Kind)
		}
	}
	return out
}

// differences compares Want with Have. Queueing and the current group are not
// among them: messages set those.
func (mc *Machine) differences(m *mmap, ps []*path) differences {
	var d differences
	devs := m.have.Table.Devs()
	for _, p := range ps {
		if !p.inTable && p.refused == "" && p.up() && p.verified() && !m.unknownID {
			d = append(d, difference{"paths", "path " + p.seen.Name + " (" + p.id.Dev.String() + ") joins"})
		}
	}
	for _, dev := range devs {
		switch p := mc.pathByDev(dev); {
		case mc.departed(m, dev):
			d = append(d, difference{"paths", "path " + dev.String() + " left"})
		case p != nil && p.wwid == m.wwid && p.stranger != "":
			d = append(d, difference{"stranger", "path " + p.seen.Name + " (" + dev.String() + ") leads to another LUN, " + p.stranger})
		}
	}
	// The rest is compared on the paths that are both here and there, so that
	// a path that comes or goes is not reported as something else as well.
	var both []*path
	for _, p := range ps {
		if p.inTable && p.stranger == "" && p.up() {
			both = append(both, p)
		}
	}
	if len(both) == 0 {
		return d
	}
	if m.have.ReadOnly && !m.stillRO && !slices.ContainsFunc(both, func(p *path) bool { return p.seen.Facts.ReadOnly }) {
		d = append(d, difference{"read-only", "the map is read-only, its paths are not"})
	}
	lay := mc.layout(m, both)
	want := mc.tableOf(m, lay).WithQueue(false)
	have := only(m.have.Table, both).WithQueue(false)
	for _, x := range table.Diff(want, have) {
		if x.Field == table.FieldFirst || x.Field == table.FieldQueueMode {
			continue // the kernel's current group; and what no load can change
		}
		d = append(d, difference{x.Field.String(), x.String()})
	}
	return d
}

// only gives a table reduced to some paths; groups left empty go.
func only(t table.Table, ps []*path) table.Table {
	out := table.Table{Features: t.Features, Handler: t.Handler, First: 1}
	for _, g := range t.Groups {
		ng := table.Group{Selector: g.Selector, SelArgs: g.SelArgs}
		for _, p := range g.Paths {
			if slices.ContainsFunc(ps, func(q *path) bool { return q.id.Dev == p.Dev }) {
				ng.Paths = append(ng.Paths, p)
			}
		}
		if len(ng.Paths) > 0 {
			out.Groups = append(out.Groups, ng)
		}
	}
	return out
}

// planQueue puts queueing right by message.
func (mc *Machine) planQueue(m *mmap) bool {
	on, decided := m.wantQueue()
	is := m.have.Table.QueueIfNoPath()
	if m.queue.expired && !m.settingOK {
		on, decided = false, true
	}
	if mc.now < m.pauseUntil || !decided || on == is || (!on && slices.Contains(m.accepted, "queueing")) {
		return false
	}
	text := "fail_if_no_path"
	if on {
		text = "queue_if_no_path"
	}
	reason := "no_path_retry (" + m.settings.NoPathRetry.Origin.String() + ")"
	if m.queue.expired {
		reason += ": the time to wait for a path is over"
	}
	mc.ask(m, "queueing", Message{Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Text: text, Reason: reason})
	return true
}

// planRename renames a map, which only a reconfiguration asks for.
func (mc *Machine) planRename(m *mmap) bool {
	if m.name == "" || m.name == m.have.Name || slices.Contains(m.accepted, "name") || mc.now < m.retryAt {
		return false
	}
	mc.ask(m, "rename", RenameMap{Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, To: m.name, Reason: m.nameWhy})
	return true
}
