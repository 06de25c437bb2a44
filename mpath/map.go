package mpath

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
)

// mmap is one multipath map: what is wanted of it, what the kernel has, and
// the one question that is open.
type mmap struct {
	wwid    string // of its dm UUID; for a map not made yet, of its paths
	touched bool   // something changed: plan it in this step; set by touch alone
	stirred bool   // it stands in the list of those that moved
	timer   timer
	left    bool    // dropped: nothing is done for it any more
	paths   []*path // by id; never changed in place

	// Have.
	known  bool // the kernel has it; have is its last truth
	have   Truth
	haveAt Instant
	read   uint64 // open ReadMap
	reread bool
	readAt Instant // a read that failed is tried again
	// listed: the kernel lists it, though it may not be read yet.
	listed   bool
	listedAt Instant

	// Want.
	settings  policy.Settings
	settingOK bool
	name      string // wanted name, "" not chosen yet
	nameWhy   string
	nameNew   bool // its line in the bindings is not known to be durable
	owner     Owner
	node      NodeSeen
	nodeDue   bool   // node was seen when nobody could say yet whose it shall be
	drift     string // owner or mode found different, and what was done

	// Ask: at most one action in flight.
	ask      uint64
	askWhat  string
	askAt    Instant
	askNoted bool // that it takes long was said
	loading  bool // the ask is a load or a creation
	askRO    bool // of a read-only table

	// Adoption: differences that a restart must not act on, until somebody asks
	// for it or the map needs a load anyway.
	adopted  bool
	adoptDue bool // somebody else made it: to be adopted when its members are checked
	accepted []string
	// asFound: nobody has asked for a reload since it was adopted. What comes to differ
	// when more of its paths can be compared was so before us.
	asFound bool

	// stillRO: the kernel made it read-only although no path says it is.
	stillRO bool
	modeAt  Instant // when a path of it was first seen to become read-only or writable

	firstPath  Instant
	hadPath    bool    // a path of it was seen since we run
	removed    bool    // somebody removed it: not made again until asked
	holdUntil  Instant // wait for first answers
	retryAt    Instant
	pauseUntil Instant // a message was refused: none before
	retryDelay Span
	// noHandler: the kernel refuses the hardware handler on these devices, as it
	// said handlerFails times.
	noHandler    bool
	handlerFails int
	lastError    string

	queue      queueState
	failbackAt Instant
	regroup    bool    // the groups are not as priorities want them, and failback does not allow it yet
	prioAt     Instant // last change of a path's priority
	switchedAt Instant
	suspNoted  bool
	ourSuspend bool // a load of ours left it suspended; we must resume it
	openNoted  bool

	kept     Kept // as written for the next process
	recalled bool // its settings are what a former process has kept

	removal   removal
	flushing  bool    // its last path left, and flush_on_last_del says not to queue
	queueOff  bool    // an operator disabled queueing
	endsQueue bool    // it was not he but the host's end: it does not outlive the process
	queueWas  bool    // and it did queue then
	steeredAt Instant // an operator switched its group

	registered, reserved PRState // as whoever makes reservations has said
	followAt             Instant // a failed group has its first path back: followover may fail back
	followed             PathID  // that path
	edgeAt               Instant // last change of a path's state
	resize               resizing

	rebuilds  int // panics in this map's hands, and the last of them
	rebuiltAt Instant
	leftAlone bool // it broke too often: nothing is done to it until a reload

	part   part   // of an apply or a reload
	former string // why its settings are the former ones: its part was refused or rolled back; "" they are not
	rolled int    // rollbacks since the last configuration

	count      Counters
	countSince Instant // since when the wait runs that count.Waited does not have yet; 0: none does
	lost       bool    // no path of it works
	lastAction string  // the last change of it that was made: create, reload, switchpg, rename, resize
}

// label is what the map is called in the log.
func (m *mmap) label() string {
	switch {
	case m.have.Name != "":
		return m.have.Name
	case m.name != "":
		return m.name
	}
	return m.wwid
}

func (m *mmap) kernelFailed(d table.DevNum) bool {
	for _, g := range m.have.Status.Groups {
		for _, p := range g.Paths {
			if p.Dev == d {
				return p.State == table.PathFailed
			}
		}
	}
	return false
}

// pathsOf gives the paths of a map in the order of their host, channel, target
// and LUN, then device number: the order in which they are grouped.
func (mc *Machine) pathsOf(m *mmap) []*path {
	return m.paths
}

// firstID is the least id of the map's paths; zero without paths.
func (m *mmap) firstID() PathID {
	if len(m.paths) == 0 {
		return PathID{}
	}
	return m.paths[0].id
}

// wantList asks for the kernel's list of maps, once.
func (mc *Machine) wantList() {
	if mc.listAsk != 0 {
		mc.relist = true
		return
	}
	mc.listAt = 0
	mc.listAsk, mc.listAsked = mc.nextSeq(), mc.now
	mc.act(ListMaps{Seq: mc.listAsk})
}

// takeList compares the kernel's list with what is known and reads what moved.
func (mc *Machine) takeList(e MapsListed) {
	if e.Seq != mc.listAsk {
		return
	}
	mc.listAsk = 0
	if e.Bad != "" {
		mc.note(LevelError, "device-mapper", "its maps cannot be listed: "+e.Bad)
		mc.listAt = mc.now.After(askAgain)
		mc.relist = false
		return
	}
	mc.listed = true
	mc.other = mc.other[:0:0]
	here := map[string]bool{}
	for _, r := range e.Maps {
		wwid, ours := strings.CutPrefix(r.UUID, "mpath-")
		if !ours || wwid == "" {
			mc.other = append(mc.other, r)
			continue
		}
		here[wwid] = true
		m := mc.mapOf(wwid)
		if m == nil {
			m = &mmap{wwid: wwid, owner: NoOwner()}
			mc.addMap(m)
		}
		if !m.listed {
			m.listed, m.listedAt = true, mc.now
		}
		if !m.known || m.have.EventNr != r.EventNr || m.have.Name != r.Name || m.have.Dev != r.Dev {
			mc.readMap(m)
		}
	}
	slices.SortFunc(mc.other, func(a, b MapRef) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range slices.Clone(mc.maps) {
		if m.known && m.haveAt >= mc.listAsked { // read since the list was asked for
			mc.relist = mc.relist || !here[m.wwid]
			continue
		}
		if !here[m.wwid] {
			m.listed = false
			if m.known {
				mc.mapGone(m)
			}
		}
	}
	if mc.relist {
		mc.relist = false
		mc.wantList()
	}
}

// readMap asks for the truth about a map, once.
func (mc *Machine) readMap(m *mmap) {
	m.readAt = 0
	mc.stirMap(m)
	if m.left || m.leftAlone {
		return
	}
	if m.read != 0 {
		m.reread = true
		return
	}
	if m.ask != 0 { // its answer brings the truth
		m.reread = true
		return
	}
	m.read = mc.nextSeq()
	mc.find.asked[m.read] = m
	mc.act(ReadMap{Seq: m.read, UUID: "mpath-" + m.wwid})
}

func (mc *Machine) takeMap(e MapRead) {
	m := mc.find.asked[e.Seq]
	if m == nil || m.read != e.Seq {
		return
	}
	mc.at(m)
	mc.answered(&m.read)
	mc.stirMap(m)
	again := m.reread
	m.reread = false
	switch e.Errno {
	case ErrnoNone:
		mc.takeTruth(m, e.Truth)
	case ErrnoGone:
		mc.mapGone(m)
	default:
		mc.note(LevelWarning, m.label(), "its state cannot be read: "+e.Detail)
		m.readAt = mc.now.After(askAgain)
	}
	if again {
		mc.readMap(m)
	}
}

// takeTruth takes over what the kernel says about a map, and notes the edges.
func (mc *Machine) takeTruth(m *mmap, t Truth) {
	first := !m.known
	mc.hold(m, true, t)
	m.haveAt = mc.now
	mc.nodes = slices.DeleteFunc(mc.nodes, func(n NodeSeen) bool {
		if n.Dev == t.Dev {
			m.node, m.nodeDue = n, true
		}
		return n.Dev == t.Dev
	})
	mc.touch(m)
	m.removed = false
	if first {
		m.adoptDue = true
		m.ourSuspend = m.ourSuspend || hasSorted(mc.loading, m.wwid)
	}
	if !t.Suspended {
		m.ourSuspend = false
		if hasSorted(mc.loading, m.wwid) { // or a later suspension, by somebody else, would count as ours
			mc.loading = dropSorted(mc.loading, m.wwid)
			mc.act(ForgetLoad{Seq: mc.nextSeq(), WWID: m.wwid})
		}
	}
	if t.Target != "multipath" && t.Live {
		mc.note(LevelError, t.Name, "has a multipath UUID but a "+t.Target+" table: left alone")
	}
	devs := t.Table.Devs()
	for _, p := range mc.concerned(m, devs) {
		mc.stir(p)
		if !slices.Contains(devs, p.id.Dev) {
			p.inTable, p.kernelFailed = false, false
			mc.keptNoMore(p)
			continue
		}
		if first && p.wwid != m.wwid {
			// An adopted map's member: policy has had its say without knowing.
			p.inTable = true
			mc.decide(p)
			mc.relink(p)
		}
		if p.wwid != m.wwid {
			continue
		}
		failed := m.kernelFailed(p.id.Dev)
		was := p.inTable && p.kernelFailed
		p.inTable, p.kernelFailed, p.limited = true, failed, 0
		if failed && !was {
			p.failedAt = mc.now // a check that was asked before says nothing of now
			if first {
				mc.hurry(p) // it may have worked again for a long time
			}
		}
		if failed && !was && p.up() && !first {
			m.count.Faults++
			mc.note(LevelWarning, m.label(), fmt.Sprintf("the kernel failed path %s (%s) on an I/O error", p.seen.Name, p.id.Dev))
			mc.kernelFailedPath(p)
		}
	}
	if first { // what was left out may belong to it, or waits for another map of the same LUN
		for _, q := range mc.find.ids[m.wwid] {
			if q.wwid != m.wwid && !q.inTable {
				mc.decide(q)
			}
		}
	}
	mc.missing(m)
	mc.noteSuspended(m)
}

func (mc *Machine) noteSuspended(m *mmap) {
	if !m.have.Suspended || !m.have.Live { // what has no table is no more than not begun
		m.suspNoted = false
		return
	}
	if !m.suspNoted && !m.ourSuspend {
		m.suspNoted = true
		mc.note(LevelWarning, m.label(), "is suspended, not by us: left as it is; `dmsetup resume "+m.have.Name+"` ends it")
	}
}

// mapGone takes in that the kernel has a map no more.
func (mc *Machine) mapGone(m *mmap) {
	if m.known {
		mc.note(LevelNotice, m.label(), "the map was removed")
		if m.have.Deferred && m.removal == removalLastPath {
			m.removal = removalNone
		} else if m.askWhat != "remove" {
			m.removed = true
			m.lastError = "somebody removed the map; a reload of the daemon makes it again"
		}
	}
	mc.hold(m, false, Truth{})
	m.adopted, m.accepted, m.asFound = false, nil, false
	m.listed, m.ourSuspend, m.adoptDue = false, false, false
	mc.endWait(m)
	m.queue = queueState{}
	mc.dl.dirty = true
	mc.touch(m)
	mc.unlinkMembers(m)
	if len(mc.pathsOf(m)) == 0 && m.ask == 0 {
		mc.dropMap(m)
	}
}

// adopt judges a map that was there before us, once its members were looked at:
// it is used as it is, and what the config wants otherwise is remembered.
func (mc *Machine) adopt(m *mmap) {
	if !m.known {
		return
	}
	m.adopted, m.adoptDue, m.asFound = true, false, true
	m.retryDelay, m.lastError = 0, "" // what failed was to make it
	ps := mc.pathsOf(m)
	mc.chooseSettings(m, ps)
	mc.chooseName(m)
	mc.recall(m)
	if m.have.Deferred && len(ps) == 0 {
		m.removal = removalLastPath
	}
	mc.keep(m)
	for _, d := range mc.recorded {
		if d.WWID == m.wwid {
			m.queue.at, m.queue.expired = d.At, d.Expired
			if !d.Expired {
				m.countSince = mc.now
			}
		}
	}
	mc.recorded = slices.DeleteFunc(slices.Clone(mc.recorded), func(d Deadline) bool { return d.WWID == m.wwid }) // it counts once
	if len(ps) > 0 && !hasSorted(mc.wwids, m.wwid) {
		// Known for the next boot, as every map that we make.
		mc.wwids = addSorted(mc.wwids, m.wwid)
		mc.known.pending = addSorted(mc.known.pending, m.wwid)
	}
	m.accepted = nil
	mc.accept(m, ps)
	text := fmt.Sprintf("adopted with %d paths", len(m.have.Table.Devs()))
	if len(m.accepted) > 0 {
		text += "; the configuration wants it otherwise (" + strings.Join(m.accepted, ", ") + "): nothing is changed until a reload is asked for"
	}
	mc.note(LevelNotice, m.label(), text)
	mc.touch(m)
}

// accept leaves as it is what differs in a map that is as it was found.
func (mc *Machine) accept(m *mmap, ps []*path) {
	if !m.asFound || !m.settingOK || len(ps) == 0 {
		return
	}
	for _, k := range mc.differences(m, ps).kinds() {
		m.accepted = addSorted(m.accepted, k)
	}
	if m.name != "" && m.name != m.have.Name {
		m.accepted = addSorted(m.accepted, "name")
	}
	if m.settings.NoPathRetry.V.Mode == policy.RetryFail && m.have.Table.QueueIfNoPath() {
		m.accepted = addSorted(m.accepted, "queueing")
	}
}

// acceptLater does so for what could not be compared when the map was adopted: its
// settings are known only now, or a path of it works for the first time since we run.
func (mc *Machine) acceptLater(m *mmap) {
	was := len(m.accepted)
	if mc.accept(m, mc.pathsOf(m)); len(m.accepted) > was {
		mc.note(LevelNotice, m.label(), "the configuration wants it otherwise ("+strings.Join(m.accepted, ", ")+"): nothing is changed until a reload is asked for")
	}
}

// chooseSettings takes the map's settings from its first admitted path, but where
// they are held.
func (mc *Machine) chooseSettings(m *mmap, ps []*path) {
	if m.former != "" {
		mc.keep(m)
		return
	}
	for _, p := range ps {
		if p.decision.Verdict == policy.VerdictUnknown {
			continue
		}
		m.settings, m.settingOK = p.decision.Settings, true
		mc.keep(m)
		m.owner = mc.ownerOf(m.settings)
		return
	}
}

func (mc *Machine) ownerOf(s policy.Settings) Owner {
	o := NoOwner()
	if n, ok := resolveID(s.UID.V, mc.users); ok {
		o.UID = int64(n)
	}
	if n, ok := resolveID(s.GID.V, mc.groups); ok {
		o.GID = int64(n)
	}
	if s.Mode.V >= 0 {
		o.Mode = int64(s.Mode.V)
	}
	return o
}

// resolveID gives the number of a user or group as configured.
func resolveID(text string, names []NameID) (uint32, bool) {
	if text == "" {
		return 0, false
	}
	var n uint64
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			for _, e := range names {
				if e.Name == text {
					return e.ID, true
				}
			}
			return 0, false
		}
		n = n*10 + uint64(text[i]-'0')
		if n >= 1<<32-1 {
			return 0, false
		}
	}
	return uint32(n), true
}

// maxNodes bounds how many nodes are remembered whose maps are not known yet.
const maxNodes = 4096

// takeNode compares a map's node with what is wanted and puts it right. A node
// that is seen before its map is known or its settings are chosen waits for that.
func (mc *Machine) takeNode(e NodeSeen) {
	if m := mc.find.dev[e.Dev]; m != nil {
		m.node, m.nodeDue = e, !m.settingOK
		want := m.owner
		if !want.Set() || mc.stopping {
			return
		}
		if (want.UID < 0 || uint32(want.UID) == e.UID) && (want.GID < 0 || uint32(want.GID) == e.GID) && (want.Mode < 0 || uint32(want.Mode) == e.Mode) {
			return
		}
		m.drift = fmt.Sprintf("found %d:%d %04o", e.UID, e.GID, e.Mode)
		mc.note(LevelInfo, m.label(), fmt.Sprintf("its node is %d:%d %04o, the configuration wants %s: applied", e.UID, e.GID, e.Mode, want))
		mc.act(SetOwner{Seq: mc.nextSeq(), Dev: e.Dev, Owner: want, Reason: m.drift})
		return
	}
	mc.nodes = slices.DeleteFunc(mc.nodes, func(n NodeSeen) bool { return n.Dev == e.Dev })
	if len(mc.nodes) < maxNodes {
		mc.nodes = append(mc.nodes, e)
	}
}

// String gives "501:503 0660", with "-" for what is left alone.
func (o Owner) String() string {
	part := func(n int64) string {
		if n < 0 {
			return "-"
		}
		return fmt.Sprint(n)
	}
	mode := "-"
	if o.Mode >= 0 {
		mode = fmt.Sprintf("%04o", o.Mode)
	}
	return part(o.UID) + ":" + part(o.GID) + " " + mode
}
