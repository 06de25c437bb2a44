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
	serial   uint64   // counts the paths in the order in which they came
	seen     PathSeen // the last identification
	seenAt   Instant
	decision policy.Decision
	wwid     string // the map it belongs to, "" rejected

	lookedAt  Instant // last answer of an identification
	lookAt    Instant // while it is silent
	lookDelay Span

	// What checks found.
	state      pathcheck.State
	stateSince Instant
	message    string
	devState   string
	prio       pathcheck.PrioResult
	prioKnown  bool
	moving     bool    // its port group was in transition when last asked
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
	// doubtAt is when the device reported something that allows its LUN to be
	// another one now; 0: its identity was read since.
	doubtAt Instant

	// The schedule. At most one check is in flight.
	checkSeq   uint64
	checkAsked Instant
	again      bool // ask once more when the check in flight has ended
	stuck      bool // the check in flight is overdue; counts as down
	hangs      int  // how often one was
	interval   Span
	nextCheck  Instant
	hurry      bool    // the next check was asked for by news
	hurried    Instant // when the last such check was asked
	patience   Span    // between checks from which nothing is learned; 0: the last one told something

	timer   timer
	stirred bool // something changed: see what is due; set by stir alone
	left    bool // dropped: nothing is done for it any more

	inTable      bool   // the kernel's active table has it
	kernelFailed bool   // and shows it as failed
	refused      string // why it is not in its map although admitted: size, write protection, an operator
	roNoted      bool   // that it is left out for write protection was said
	held         bool   // an operator has failed it: kept so until reinstated
	dropped      bool   // an operator has removed it
	marginal     bool   // an operator calls it flaky
	registered   bool   // whoever registered this host with the LUN did so through it, too
	limited      int    // the max_sectors_kb that it was given for the load to come; 0: none
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
func (p *path) up() bool { return isUp(p.state) && !p.held }

// verified says whether the identity was found right since the path last failed.
func (p *path) verified() bool {
	return p.stranger == "" && p.verifiedAt != 0 && p.verifiedAt >= p.failedAt
}

// proven says whether nothing casts doubt on the identity that was found.
func (p *path) proven() bool { return p.verified() && p.doubtAt == 0 }

// usable says whether the kernel can send I/O through it now.
func (p *path) usable() bool { return p.inTable && !p.kernelFailed && p.up() }

// stuckAfter is how long a check may stay unanswered.
func (p *path) stuckAfter() Span { return CheckPatience(p.decision.Settings, p.seen.TimeoutS) }

func (p *path) timeoutMS() uint32 { return checkTimeoutMS(p.decision.Settings, p.seen.TimeoutS) }

// CheckPatience is how long a check of a path with these settings may stay
// unanswered before the path counts as lost. deviceS is the device's own command
// time-out in seconds, 0 unknown.
func CheckPatience(s policy.Settings, deviceS int) Span {
	timeout := Span(checkTimeoutMS(s, deviceS)) * Millisecond
	if s.Checker.V == "directio" {
		// The kernel knows no time-out of ours for a read: ours ends here.
		return timeout + 5*Second
	}
	return timeout*2 + 5*Second
}

func checkTimeoutMS(settings policy.Settings, deviceS int) uint32 {
	s := settings.CheckerTimeout.V
	if s <= 0 {
		s = deviceS
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
	if e.Attention != AttentionNone {
		mc.takeAttention(e)
		return
	}
	if e.Name == "" {
		return
	}
	// A removal is looked at too: it may be old news of a device whose name and
	// number serve another one by now.
	mc.look(e.Name)
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
		for _, p := range mc.find.names[e.Name] {
			mc.pathGone(p, "vanished")
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
	for _, q := range mc.rivals(e.ID, e.Name) {
		// The device number or the name serves another device now.
		mc.pathGone(q, "replaced by another device of the same number or name")
	}
	p := mc.path(e.ID)
	if p == nil {
		mc.arrivals++
		p = &path{id: e.ID, serial: mc.arrivals, seenAt: mc.now, stateSince: mc.now, failedAt: mc.now}
		mc.addPath(p)
		mc.gone = slices.DeleteFunc(slices.Clone(mc.gone), func(d table.DevNum) bool { return d == e.ID.Dev })
	} else if p.wwid != "" && (e.Identity.WWID == "" || !e.Fresh) {
		// A path that does not answer the identification now is not another
		// LUN: its next check decides, and verifies before it counts as up.
		mc.modeSeen(p, e.Facts.ReadOnly)
		e.Facts.RDAC = p.seen.Facts.RDAC // only a fresh look tells
		p.seen.Facts = e.Facts
		p.seen.DevState = e.DevState
		mc.hurry(p)
		if m := mc.mapOf(p.wwid); m != nil {
			mc.touch(m)
		}
		return
	} else if p.wwid != "" && !e.Identity.SameLUN(p.seen.Identity) {
		mc.foundStranger(p, e.Identity.WWID)
		return
	}
	mc.modeSeen(p, e.Facts.ReadOnly)
	moved := p.wwid != "" && (p.seen.Nexus != e.Nexus || p.seen.HCTL != e.HCTL)
	if moved {
		mc.retune(p, false) // it came by another way before
	}
	mc.find.see(p, e)
	if moved {
		mc.retune(p, false)
	}
	mc.stir(p)
	p.devState = e.DevState
	if e.Fresh && e.Identity.WWID != "" && p.stranger == "" && p.wwid == "" {
		p.verifiedAt = mc.now
	}
	if m := mc.mapHolding(p.id.Dev); m != nil && p.wwid == "" {
		mc.linkMember(m, p)
	}
	mc.decide(p)
	mc.decideOthers(p)
	mc.lookUp(p)
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
	for _, q := range mc.find.either(p.wwid, p.seen.Identity.WWID) {
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
	mc.stir(p)
	for _, m := range mc.find.holders[p.id.Dev] {
		mc.touch(m) // it may turn out to be another LUN's: then it is failed there at once
	}
	f := mc.factsOf(p)
	was := p.decision
	p.decision = mc.rules.Decide(p.seen.Identity, f, mc.stateNow())
	mc.recordOldIDs(p)

	target := ""
	if p.decision.Verdict == policy.VerdictAdmit {
		target = mc.wwidFor(p)
	}
	if m := mc.mapHolding(p.id.Dev); m != nil && p.stranger == "" {
		if _, ok := p.seen.Identity.Has(m.wwid); ok {
			target = m.wwid
		}
	}
	if was.Verdict != p.decision.Verdict && target == "" && p.decision.Verdict == policy.VerdictReject {
		mc.note(LevelInfo, p.seen.Name, "left alone: "+p.decision.Reason)
	}
	mc.assign(p, target)
}

// factsOf completes what the device itself shows with what the core knows of its
// LUN.
func (mc *Machine) factsOf(p *path) policy.Facts {
	f := p.seen.Facts
	// A failed mark keeps udev from claiming; the core itself tries again, at
	// its own pace, and a map that it could make takes the mark away.
	f.InWWIDs, f.Failed, f.MapExists = false, false, false
	for _, id := range idStrings(p.seen.Identity) {
		f.InWWIDs = f.InWWIDs || hasSorted(mc.wwids, id)
		f.MapExists = f.MapExists || mc.haveMap(id)
	}
	f.OtherPaths = mc.otherPaths(p)
	f.TPGS = p.seen.Identity.TPGS != 0 && mc.allTPGS(p)
	return f
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
	for _, q := range mc.concerned(m, devs) {
		if q == p || q.seen.Identity.WWID == "" || q.stranger != "" {
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
	for _, q := range mc.find.ids[p.seen.Identity.WWID] {
		if q != p && q.seen.Identity.WWID == p.seen.Identity.WWID {
			n++
		}
	}
	return n
}

// allTPGS says whether no path of the LUN reports "no target port groups".
func (mc *Machine) allTPGS(p *path) bool {
	for _, q := range mc.find.ids[p.seen.Identity.WWID] {
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
			mc.touch(m)
		}
		return
	}
	if old := mc.mapOf(p.wwid); old != nil {
		mc.touch(old)
	}
	if old := mc.mapOf(p.wwid); old != nil {
		old.paths = withoutPath(old.paths, p)
	}
	p.wwid = wwid
	mc.stir(p)
	mc.retune(p, false)
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
	m.paths = withPath(m.paths, p)
	mc.touch(m)
	if p.seenAt == mc.now && mc.started && !m.rebuilding(mc.now) {
		m.removed = false // a path of it arrives: whoever removed the map is done with it
	}
	if m.firstPath == 0 {
		m.firstPath = mc.now
	}
	p.interval, _ = p.polling()
	mc.checkNow(p)
}

// checkNow makes the next check due at once.
func (mc *Machine) checkNow(p *path) {
	p.nextCheck = mc.now
	mc.stir(p)
}

// pathGone forgets a device. Its map, if the kernel still has the path in its
// table, gets a table without it.
func (mc *Machine) pathGone(p *path, why string) {
	mc.dropPath(p)
	if mc.pathByDev(p.id.Dev) == nil {
		mc.addGone(p.id.Dev)
	}
	if m := mc.mapOf(p.wwid); m != nil {
		mc.touch(m)
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
	mc.retune(p, false)
	p.verifiedAt = 0
	p.failedAt = mc.now
	if p.state != pathcheck.StateDown {
		p.stateSince = mc.now
	}
	p.state = pathcheck.StateDown
	p.message = "answers as another LUN: " + found
	if m := mc.mapOf(p.wwid); m != nil {
		mc.touch(m)
	}
}

// mapHolding finds the map whose kernel table has a device.
func (mc *Machine) mapHolding(d table.DevNum) *mmap {
	if ms := mc.find.holders[d]; len(ms) > 0 {
		return ms[0]
	}
	return nil
}

// linkMember carries what the kernel's table and status say over to a path.
func (mc *Machine) linkMember(m *mmap, p *path) {
	p.inTable, p.limited = true, 0
	p.kernelFailed = m.kernelFailed(p.id.Dev)
}

// relink puts right what a path of a map knows of the kernel's table: of its own
// map's. Another map may still hold the device, of the LUN that it led to before.
func (mc *Machine) relink(p *path) {
	m := mc.mapOf(p.wwid)
	if m == nil {
		return // left alone, and in somebody's table all the same
	}
	if m.known && slices.Contains(m.have.Table.Devs(), p.id.Dev) {
		mc.linkMember(m, p)
		return
	}
	p.inTable, p.kernelFailed = false, false
}

// unlinkMembers takes in that the kernel has no table of a map any more.
func (mc *Machine) unlinkMembers(m *mmap) {
	for _, p := range mc.pathsOf(m) {
		p.inTable, p.kernelFailed = false, false
		mc.keptNoMore(p)
	}
}

// keptNoMore lets go of a path that policy leaves alone and that was a path only
// because the kernel's table had it.
func (mc *Machine) keptNoMore(p *path) {
	if p.wwid != "" && p.decision.Verdict == policy.VerdictReject {
		mc.decide(p)
	}
}
