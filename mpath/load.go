package mpath

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
)

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
	l := mc.loadOf(m, ps)
	if !anyUp(l.paths) || !mc.chooseName(m) { // or it waits for the name to be durable
		return
	}
	if mc.limit(m, l.paths) {
		return
	}
	c := mc.loadMap(m, l, "")
	mc.ask(m, "create", CreateMap{
		Seq: c.Seq, WWID: c.WWID, Name: m.name, Size: c.Size, Table: c.Table, ReadOnly: c.ReadOnly,
		NoKpartx: c.NoKpartx, Paths: c.Paths, Fail: c.Fail, Owner: m.owner,
		Reason: fmt.Sprintf("%d paths of %s (%s)", len(l.paths), m.wwid, l.paths[0].decision.Reason),
	})
}

// planRevive gives a table to a map that has none: a process ended between
// creating it and loading it. Whoever else is creating it just now has a moment.
func (mc *Machine) planRevive(m *mmap, ps []*path) {
	if mc.now.Since(m.listedAt) < firstChecks {
		m.holdUntil = m.listedAt.After(firstChecks)
		if m.readAt == 0 {
			m.readAt = m.holdUntil
		}
		return
	}
	m.holdUntil = 0
	m.hadPath = m.hadPath || m.ourSuspend // a former process of ours made it, for paths
	if mc.planRemove(m, ps) {             // its LUN left before it ever had a table
		return
	}
	if !m.settingOK || mc.now < m.retryAt {
		return
	}
	m.retryAt = 0
	if l := mc.loadOf(m, ps); anyUp(l.paths) && !mc.limit(m, l.paths) {
		a := mc.loadMap(m, l, "the map has no table")
		if another := m.part.another(a.Table); another != "" {
			mc.refusePart(m, "the table would be another than planned: "+another)
			return // it gets one in the next step
		}
		mc.ask(m, "load", a)
	}
}

// newLoad is what a load of a map would be made of now.
type newLoad struct {
	paths    []*path
	size     table.Sectors
	readOnly bool
}

func (mc *Machine) loadOf(m *mmap, ps []*path) newLoad {
	l := newLoad{size: mc.fitSize(m, ps)}
	l.readOnly = mc.fitMode(m, ps)
	l.paths = mc.loadable(m, ps)
	return l
}

// loadMap writes it as the action that creations, loads and revivals share.
func (mc *Machine) loadMap(m *mmap, l newLoad, reason string) LoadMap {
	return LoadMap{
		Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Size: l.size, Table: mc.tableOf(m, mc.layout(m, l.paths)), ReadOnly: l.readOnly,
		NoKpartx: m.settings.SkipKpartx.V, Paths: refs(l.paths), Fail: downOf(l.paths), Reason: reason,
	}
}

// fitSize gives the size that every path must have, and refuses the paths that
// have another. A known map's size never changes by itself.
func (mc *Machine) fitSize(m *mmap, ps []*path) table.Sectors {
	size := m.have.Size
	if m.resize.to != 0 {
		size = m.resize.to
	}
	for _, p := range ps {
		if size == 0 && p.up() && p.proven() {
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
		}
		if p.dropped {
			p.refused = removedByOperator
		}
	}
	return size
}

// loadable gives the paths that may stand in a new table: of the right size and
// with an identity that was verified since they last failed. A load makes every
// one of them active, so the others stay out until they are verified. A path whose
// check hangs stays out too: made active again, it would take the map's I/O and hold
// up the activation of its group until its command ends.
func (mc *Machine) loadable(m *mmap, ps []*path) []*path {
	var out []*path
	for _, p := range ps {
		if p.refused != "" || !p.proven() || p.stuck {
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
		if !p.inTable || p.kernelFailed {
			out[i].Expect, out[i].SG, out[i].HostNo = p.seen.Identity.WWID, p.seen.SG, p.seen.HostNo
		}
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

// planLoad gives the map a new table where one is needed.
func (mc *Machine) planLoad(m *mmap, ps []*path) bool {
	m.regroup = false
	if !m.settingOK || mc.now < m.retryAt {
		return false
	}
	if mc.unanswered(m, ps) { // they were asked for this load
		if m.queueOff || m.flushing || m.queue.expired {
			mc.planQueue(m) // I/O that is to fail does not wait for that
		}
		return true
	}
	l := mc.loadOf(m, ps)
	mc.noteProtected(m, ps)
	if !anyUp(l.paths) || mc.unsure(m, ps) || mc.modesUnsure(m, ps) {
		return false
	}
	d := mc.differences(m, ps)
	var why []string
	for _, k := range d {
		if slices.Contains(m.accepted, k.Kind) {
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
	switch wait, may := mc.mayLoad(m, ps, d); {
	case wait:
		return true
	case !may:
		return false
	}
	if mc.limit(m, l.paths) {
		return true
	}
	a := mc.loadMap(m, l, strings.Join(why, "; "))
	if another := m.part.another(a.Table); another != "" {
		return mc.refusePart(m, "the table would be another than planned: "+another)
	}
	if beyond := m.beyondPlan(a.Table); beyond != "" { // seen only now where no path of the table works
		return mc.refusePart(m, "it would get a new table, which the plan does not say: "+beyond)
	}
	mc.noteLoad(m, a)
	m.retryAt, m.failbackAt, m.followAt, m.regroup = 0, 0, 0, false
	mc.note(LevelNotice, m.label(), "gets a new table: "+a.Reason)
	mc.ask(m, "load", a)
	return true
}
