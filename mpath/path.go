package mpath

import (
	"slices"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

// path is one block device that was identified. It is either rejected (wwid
// empty, kept so that `show paths --all` can say why) or a path of map wwid.
type path struct {
	id       PathID
	seen     PathSeen // the last identification
	seenAt   Instant
	decision policy.Decision
	wwid     string // the map it belongs to, "" rejected

	lookAt    Instant // while it is silent
	lookDelay Span

	// What checks found.
	state      pathcheck.State
	stateSince Instant
	message    string
	devState   string
	prio       pathcheck.PrioResult
	prioKnown  bool
	checkedAt  Instant // last answer that learned something
	// answeredFor is when the check that gave that answer was asked: evidence
	// is as old as its question.
	answeredFor Instant
	triedFor    Instant // when the last check was asked that learned nothing
	reinstated  Instant // last time we gave it back to the kernel

	// Identity. A load makes every path of a table active, so a path whose
	// LUN may have been exchanged must not be in it: verifiedAt is when the
	// identity was last found right, failedAt when the path last failed by the
	// kernel's word or a checker's. stranger is the WWID that answered instead.
	verifiedAt Instant
	failedAt   Instant
	stranger   string

	// The schedule. At most one check is in flight.
	checkSeq   uint64
	checkAsked Instant
	again      bool // ask once more when the check in flight has ended
	stuck      bool // the check in flight is overdue; counts as down
	interval   Span
	nextCheck  Instant

	inTable      bool   // the kernel's active table has it
	kernelFailed bool   // and shows it as failed
	refused      string // why it is not in its map although admitted: size, stranger
}

// member says whether the path stands in a kernel table.
func (p *path) member() bool { return p.inTable }

// silent says whether the device could not tell who it is. No event tells when
// one that was offline is running again.
func (p *path) silent() bool {
	return p.wwid == "" && p.seen.Identity.WWID == "" && p.seen.DevState != ""
}

// checkable says whether the path is checked at all.
func (p *path) checkable() bool { return p.wwid != "" }

// up says whether I/O may go through it.
func (p *path) up() bool {
	return p.state == pathcheck.StateUp || p.state == pathcheck.StateGhost
}

// verified says whether the identity was found right since the path last failed.
func (p *path) verified() bool {
	return p.stranger == "" && p.verifiedAt != 0 && p.verifiedAt >= p.failedAt
}

// usable says whether the kernel can send I/O through it now.
func (p *path) usable() bool { return p.inTable && !p.kernelFailed && p.up() }

// stuckAfter is how long a check may stay unanswered.
func (p *path) stuckAfter() Span {
	return Span(p.timeoutMS())*Millisecond*2 + 5*Second
}

func (p *path) timeoutMS() uint32 {
	s := p.decision.Settings.CheckerTimeout.V
	if s <= 0 {
		s = p.seen.TimeoutS
	}
	if s <= 0 {
		s = 30
	}
	return uint32(s) * 1000
}

func (p *path) polling() (least, most Span) {
	least = Span(p.decision.Settings.PollingInterval.V) * Second
	most = Span(p.decision.Settings.MaxPollingInterval.V) * Second
	if least <= 0 {
		least = 5 * Second
	}
	return least, max(least, most)
}

// takeHint notes that a device wants looking at.
func (mc *Machine) takeHint(e DeviceHint) {
	// A removal is looked at too: it may be old news of a device whose name and
	// number serve another one by now.
	mc.look(e.Name)
}

// look asks, once, for the identity of a device.
func (mc *Machine) look(name string) {
	for i := range mc.looks {
		if mc.looks[i].name == name {
			mc.looks[i].again = mc.looks[i].seq != 0
			return
		}
	}
	mc.looks = append(mc.looks, look{name: name, since: mc.now})
}

// maxLooks bounds how many identifications run at once.
const maxLooks = 64

func (mc *Machine) startLooks() {
	open := 0
	for i := range mc.looks {
		if mc.looks[i].seq != 0 && mc.now.Since(mc.looks[i].since) < lookLimit {
			open++ // those that hang must not use up the bound
		}
	}
	for i := range mc.looks {
		if open >= maxLooks {
			return
		}
		if mc.looks[i].seq == 0 {
			mc.looks[i].seq = mc.nextSeq()
			mc.looks[i].since = mc.now
			mc.act(Identify{Seq: mc.looks[i].seq, Name: mc.looks[i].name})
			open++
		}
	}
}

// looking says whether a device is still to say who it is. One that hangs is
// waited for only so long.
func (mc *Machine) looking() bool {
	return slices.ContainsFunc(mc.looks, func(l look) bool { return l.seq == 0 || mc.now.Since(l.since) < lookLimit })
}

// endLook closes the question that an answer belongs to. A stale answer is
// ignored: false.
func (mc *Machine) endLook(seq uint64) bool {
	for i := range mc.looks {
		if mc.looks[i].seq == seq {
			if mc.looks[i].since < mc.gapAt { // asked before a gap: old news
				mc.looks[i] = look{name: mc.looks[i].name, since: mc.now}
				return false
			}
			if mc.looks[i].again {
				mc.looks[i] = look{name: mc.looks[i].name, since: mc.now}
			} else {
				mc.looks = slices.Delete(mc.looks, i, i+1)
			}
			return true
		}
	}
	return false
}

// takeScan compares what sysfs shows with what is known.
func (mc *Machine) takeScan(e Scanned) {
	if e.Seq != mc.scanAsk {
		return
	}
	mc.scanAsk = 0
	if e.Bad != "" {
		mc.note(LevelError, "sysfs", e.Bad+": tried again")
		mc.scanAt = mc.now.After(askAgain)
		return
	}
	mc.scanned = true
	here := map[PathID]bool{}
	names := map[string]bool{}
	mc.present = mc.present[:0:0]
	for _, d := range e.Disks {
		mc.present = append(mc.present, d.Dev)
		id := PathID{Dev: d.Dev, Diskseq: d.Diskseq}
		here[id] = true
		names[d.Name] = true
		if p := mc.path(id); p == nil || p.silent() {
			mc.look(d.Name) // new, or it could not say who it is
		}
	}
	slices.SortFunc(mc.present, table.DevNum.Compare)
	for _, p := range slices.Clone(mc.paths) {
		switch {
		case here[p.id]:
		case p.seenAt >= mc.scanAsked: // it came while the list was made
			mc.look(p.seen.Name)
		default:
			mc.pathGone(p, "no longer in sysfs")
		}
	}
	mc.findGone()
	mc.odd = slices.DeleteFunc(mc.odd, func(o oddDevice) bool { return !names[o.name] })
}

// takeUnreadable ends an identification that came to nothing.
func (mc *Machine) takeUnreadable(e PathUnreadable) {
	if !mc.endLook(e.Seq) {
		return
	}
	mc.odd = slices.DeleteFunc(mc.odd, func(o oddDevice) bool { return o.name == e.Name })
	if e.Gone {
		for _, p := range slices.Clone(mc.paths) {
			if p.seen.Name == e.Name {
				mc.pathGone(p, "vanished")
			}
		}
		return
	}
	mc.odd = append(mc.odd, oddDevice{name: e.Name, why: e.Why, since: mc.now})
}

// takePath takes in what a device says it is: a new path, or news of one.
func (mc *Machine) takePath(e PathSeen) {
	if !mc.endLook(e.Seq) {
		return
	}
	mc.odd = slices.DeleteFunc(mc.odd, func(o oddDevice) bool { return o.name == e.Name })
	for _, q := range slices.Clone(mc.paths) {
		// The device number or the name serves another device now.
		if q.id != e.ID && (q.id.Dev == e.ID.Dev || q.seen.Name == e.Name) {
			mc.pathGone(q, "replaced by another device of the same number or name")
		}
	}
	p := mc.path(e.ID)
	if p == nil {
		p = &path{id: e.ID, seenAt: mc.now, stateSince: mc.now, failedAt: mc.now}
		mc.addPath(p)
		mc.gone = slices.DeleteFunc(slices.Clone(mc.gone), func(d table.DevNum) bool { return d == e.ID.Dev })
	} else if p.wwid != "" && (e.Identity.WWID == "" || !e.Fresh) {
		// A path that does not answer the identification now is not another
		// LUN: its next check decides, and verifies before it counts as up.
		p.seen.Facts = e.Facts
		p.seen.DevState = e.DevState
		mc.checkNow(p)
		return
	} else if p.wwid != "" && !e.Identity.SameLUN(p.seen.Identity) {
		mc.foundStranger(p, e.Identity.WWID)
		return
	}
	p.seen = e
	p.devState = e.DevState
	if e.Fresh && e.Identity.WWID != "" && p.stranger == "" && p.wwid == "" {
		p.verifiedAt = mc.now
	}
	if m := mc.mapHolding(p.id.Dev); m != nil {
		mc.linkMember(m, p)
	}
	mc.decide(p)
	mc.decideOthers(p)
	switch {
	case !p.silent():
		p.lookDelay = 0
	case p.lookDelay == 0:
		p.lookDelay = lookAgain
		p.lookAt = mc.now.After(lookAgain)
	}
}

// decideOthers asks again about devices that were left out, since what is known
// of their LUN has changed with p: how many paths it has, or whose map is whose.
func (mc *Machine) decideOthers(p *path) {
	for _, q := range slices.Clone(mc.paths) {
		if q == p || q.wwid != "" || q.seen.Identity.WWID == "" {
			continue
		}
		_, shared := q.seen.Identity.Has(p.wwid)
		if shared && p.wwid != "" || q.seen.Identity.WWID == p.seen.Identity.WWID {
			mc.decide(q)
		}
	}
}

// decide asks policy what the device is, and puts it where it belongs. A path
// that stands in a kernel table stays with that map whatever policy says, as
// long as it bears the map's WWID: an adopted map is changed by nobody but its
// administrator.
func (mc *Machine) decide(p *path) {
	if !mc.configured || !mc.loaded {
		return
	}
	f := p.seen.Facts
	ids := idStrings(p.seen.Identity)
	// A failed mark keeps udev from claiming; the core itself tries again, at
	// its own pace, and a map that it could make takes the mark away.
	f.InWWIDs, f.Failed, f.MapExists = false, false, false
	for _, id := range ids {
		f.InWWIDs = f.InWWIDs || hasSorted(mc.wwids, id)
		f.MapExists = f.MapExists || mc.haveMap(id)
	}
	f.OtherPaths = mc.otherPaths(p)
	f.TPGS = p.seen.Identity.TPGS != 0 && mc.allTPGS(p)
	was := p.decision
	p.decision = mc.rules.Decide(p.seen.Identity, f, mc.state)
	mc.recordOldIDs(p)

	target := ""
	if p.decision.Verdict == policy.VerdictAdmit {
		target = mc.wwidFor(p)
	}
	if m := mc.mapHolding(p.id.Dev); m != nil && p.stranger == "" {
		if _, ok := p.seen.Identity.Has(m.wwid); ok || m.unknownID {
			target = m.wwid
		}
	}
	if was.Verdict != p.decision.Verdict && target == "" && p.decision.Verdict == policy.VerdictReject {
		mc.note(LevelInfo, p.seen.Name, "left alone: "+p.decision.Reason)
	}
	mc.assign(p, target)
}

// wwidFor is the WWID of the map that a path belongs to: that of a map which
// the kernel already has under any id of the LUN, else the canonical one. An id
// that is not the canonical one may be another LUN's too, so the map's members
// must be of the same LUN; "" where that cannot be told yet.
func (mc *Machine) wwidFor(p *path) string {
	for _, id := range idStrings(p.seen.Identity) {
		m := mc.mapOf(id)
		if m == nil || !m.known {
			continue
		}
		if id == p.seen.Identity.WWID {
			return id
		}
		same, sure := mc.sameLUN(m, p)
		if !sure {
			mc.note(LevelWarning, p.seen.Name, "the map "+m.label()+" bears an old id of it, but no member of that map has said which LUN it is: waiting for that")
			return ""
		}
		if same {
			return id
		}
	}
	return p.seen.Identity.WWID
}

// sameLUN says whether the members of a map are of the LUN of a path by their
// canonical ids, and whether that is known.
func (mc *Machine) sameLUN(m *mmap, p *path) (same, sure bool) {
	devs := m.have.Table.Devs()
	for _, q := range mc.paths {
		if q == p || q.seen.Identity.WWID == "" || q.stranger != "" || q.wwid != m.wwid && !slices.Contains(devs, q.id.Dev) {
			continue
		}
		if !q.seen.Identity.SameLUN(p.seen.Identity) {
			return false, true
		}
		same, sure = true, true
	}
	return same, sure || len(devs) == 0 || slices.Contains(devs, p.id.Dev)
}

func (mc *Machine) haveMap(wwid string) bool {
	m := mc.mapOf(wwid)
	return m != nil && m.known
}

func (mc *Machine) otherPaths(p *path) int {
	n := 0
	for _, q := range mc.paths {
		if q != p && q.seen.Identity.WWID != "" && q.seen.Identity.WWID == p.seen.Identity.WWID {
			n++
		}
	}
	return n
}

// allTPGS says whether no path of the LUN reports "no target port groups".
func (mc *Machine) allTPGS(p *path) bool {
	for _, q := range mc.paths {
		if q.seen.Identity.WWID == p.seen.Identity.WWID && q.seen.Identity.TPGS == 0 {
			return false
		}
	}
	return true
}

// assign puts a path into a map, or out of every one.
func (mc *Machine) assign(p *path, wwid string) {
	if p.wwid == wwid {
		if m := mc.mapOf(wwid); m != nil {
			m.touched = true
		}
		return
	}
	if old := mc.mapOf(p.wwid); old != nil {
		old.touched = true
	}
	p.wwid = wwid
	p.inTable, p.kernelFailed = false, false
	if m := mc.mapOf(wwid); m != nil && m.known && slices.Contains(m.have.Table.Devs(), p.id.Dev) {
		mc.linkMember(m, p)
	}
	if wwid == "" {
		p.state, p.stateSince, p.nextCheck = pathcheck.StateUnknown, mc.now, 0
		return
	}
	m := mc.mapOf(wwid)
	if m == nil {
		m = &mmap{wwid: wwid, owner: NoOwner()}
		mc.addMap(m)
	}
	m.touched = true
	if m.firstPath == 0 {
		m.firstPath = mc.now
	}
	p.interval, _ = p.polling()
	mc.checkNow(p)
}

// checkNow makes the next check due at once.
func (mc *Machine) checkNow(p *path) { p.nextCheck = mc.now }

// pathGone forgets a device. Its map, if the kernel still has the path in its
// table, gets a table without it.
func (mc *Machine) pathGone(p *path, why string) {
	mc.dropPath(p)
	if mc.pathByDev(p.id.Dev) == nil {
		mc.addGone(p.id.Dev)
	}
	if m := mc.mapOf(p.wwid); m != nil {
		m.touched = true
		mc.note(LevelNotice, m.label(), "path "+p.seen.Name+" ("+p.id.Dev.String()+") left: "+why)
	}
}

// foundStranger handles the one event that must never be survived quietly: the
// device answers as another LUN than the one its map is made of.
func (mc *Machine) foundStranger(p *path, found string) {
	if p.stranger != found {
		name := p.seen.Name
		m := mc.mapOf(p.wwid)
		label := p.wwid
		if m != nil {
			label = m.label()
		}
		mc.note(LevelError, label, "path "+name+" ("+p.id.Dev.String()+") now leads to another LUN, "+found+", instead of "+p.wwid+
			": it is failed and stays out of every table; remove the device and rescan the host once the array's mapping is right")
	}
	p.stranger = found
	p.verifiedAt = 0
	p.failedAt = mc.now
	if p.state != pathcheck.StateDown {
		p.stateSince = mc.now
	}
	p.state = pathcheck.StateDown
	p.message = "answers as another LUN: " + found
	if m := mc.mapOf(p.wwid); m != nil {
		m.touched = true
	}
}

// mapHolding finds the map whose kernel table has a device.
func (mc *Machine) mapHolding(d table.DevNum) *mmap {
	for _, m := range mc.maps {
		if m.known && slices.Contains(m.have.Table.Devs(), d) {
			return m
		}
	}
	return nil
}

// linkMember carries what the kernel's table and status say over to a path.
func (mc *Machine) linkMember(m *mmap, p *path) {
	p.inTable = true
	p.kernelFailed = m.kernelFailed(p.id.Dev)
}

// unlinkMembers takes in that the kernel has no table of a map any more.
func (mc *Machine) unlinkMembers(m *mmap) {
	for _, p := range mc.paths {
		if p.wwid == m.wwid {
			p.inTable, p.kernelFailed = false, false
		}
	}
}
