package mpath

import (
	"cmp"
	"fmt"
	"slices"

	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
)

// Times that the core goes by. Those that users can set are in their settings.
const (
	scanEvery      = 5 * Minute  // slow reconciliation of paths and maps
	askAgain       = 1 * Second  // what the kernel would not tell or do is asked for again
	pendingAgain   = 1 * Second  // a check that learned nothing is asked again
	flapGuard      = 1 * Second  // least time between a kernel failure and the check that may undo it
	firstChecks    = 3 * Second  // how long a new map waits for the first answers of its other paths
	lookAgain      = 5 * Second  // who could not say who it is, is asked again, doubling, at most scanEvery
	identifyEvery  = 60 * Second // a path that works is asked so often who it is: an array may exchange its LUN and say nothing
	startLimit     = 30 * Second // how long the first picture is waited for, once disks and maps were listed
	lookLimit      = 15 * Second // a device that has not said by then who it is keeps nobody waiting
	askLimit       = 30 * Second // an answer later than this is reported; the question stays open
	saveLimit      = 5 * Second  // a name not durable by then: the map gets its WWID as its name
	retryCreate    = 10 * Second // a failed load or creation is tried again, doubling, at most:
	retryCreateMax = 5 * Minute
)

// Machine is the core. It has one owner: nothing in it is safe for two.
type Machine struct {
	now      Instant
	promised Instant // when the last Step asked to be called
	gapAt    Instant // end of the last gap in which nobody called; 0: none
	seq      uint64

	configured bool // a configuration has come
	loaded     bool // the state files have come
	scanned    bool // the disks were listed once
	listed     bool // the maps were listed once
	started    bool // first scan and first list of maps are complete: maps may be changed
	stopping   bool
	final      bool // nobody takes over

	rules  *policy.Compiled
	users  []NameID
	groups []NameID

	state    policy.State      // bindings, old ids, kernel
	lines    *policy.NameIndex // of state.Bindings; nil: not made since they changed
	readOnly bool
	unread   bool     // the bindings could not be read at the start: no line is added
	wwids    []string // sorted
	failed   []string // sorted
	recorded []Deadline
	kept     []Kept   // of maps that are not adopted yet
	keys     []PRKey  // the prkeys file, by WWID
	loading  []string // sorted: loads that a former process did not see the end of

	paths []*path  // by id
	maps  []*mmap  // by the WWID of the map's UUID
	find  index    // the same, by what events speak of
	due   dueList  // what moved in this step, and who wants to be called when
	other []MapRef // dm devices that are not ours, by name: their names are taken

	nodes []NodeSeen // of maps that are not known yet

	present []table.DevNum // sorted: the disks of the last scan
	gone    []table.DevNum // sorted: devices of tables that are known to have left

	odd []oddDevice // block devices that could not be identified at all, by name

	arrivals uint64 // paths that ever came

	looks   lookList // devices to identify: at most one open question each
	notices noticeList
	tuned   []*tuned // what is written of sysfs objects, by directory
	untuned []string // those to be looked at, by directory
	odds    []string // sorted: what cannot be as configured, and was said
	names   saveState
	known   knownState
	dl      deadlineState
	key     keyState
	scanAt  Instant
	scanAsk uint64
	listAsk uint64
	// A list that was made before something came does not take it away.
	scanAsked, listAsked Instant
	pictureAt            Instant // since when the disks and the maps are listed
	listAt               Instant // a list that failed is asked for again
	relist               bool    // news came while a list was open

	apply    applyState
	commands []*command // oldest first
	batches  []batch
	forced   bool // queueing outlives the daemon: an operator said so

	acts  []Action // of the step that runs
	hands *mmap    // the map that is being handled
	trip  int      // see Trip
	// breaches are laws that the running step has broken, for CheckActions.
	breaches []Broken
}

type oddDevice struct {
	name  string
	why   string
	since Instant
}

// saveState is the one open write of the names' files.
type saveState struct {
	ask   uint64
	since Instant
	dirty bool // something is not durable yet
	hung  bool // the write did not come back in time: stop waiting for names
}

// deadlineState is the one open write of the deadlines' file.
type deadlineState struct {
	ask   uint64
	dirty bool
}

// New makes a core that knows nothing yet.
func New() *Machine {
	return &Machine{find: newIndex(), looks: newLookList()}
}

// Step takes one event at a time now and gives what is to be done and when to
// call again at the latest (with Wake, if nothing else happens). Time never
// runs backwards: an earlier now counts as the last one.
func (mc *Machine) Step(now Instant, ev Event) (acts []Action, wake Instant) {
	if now > mc.now {
		mc.now = now
	}
	mc.acts = nil
	mc.standstill()
	mc.guard(func() { mc.take(ev) })
	mc.guard(mc.settle)
	acts, mc.acts = mc.acts, nil
	mc.rearm()
	mc.promised = mc.nextWake()
	return acts, mc.promised
}

func (mc *Machine) take(ev Event) {
	switch e := ev.(type) {
	case Wake:
	case Configured:
		mc.takeConfig(e)
	case StateLoaded:
		mc.takeState(e)
	case DeviceHint:
		mc.takeHint(e)
	case StoodStill:
		mc.stoodStill(e.Span)
	case Overrun:
		mc.note(LevelWarning, "uevents", "events were lost: scanning everything again")
		mc.scanAt = mc.now
		mc.wantList()
	case Scanned:
		mc.takeScan(e)
	case PathSeen:
		mc.takePath(e)
	case PathUnreadable:
		mc.takeUnreadable(e)
	case CheckDone:
		mc.takeCheck(e)
	case MapEvent:
		mc.wantList()
		if m := mc.find.dev[e.Dev]; m != nil {
			mc.readMap(m)
		}
	case MapsListed:
		mc.takeList(e)
	case MapRead:
		mc.takeMap(e)
	case NodeSeen:
		mc.takeNode(e)
	case ActionDone:
		mc.takeDone(e)
	case Stopping:
		mc.takeStopping(e)
	case Command:
		mc.takeCommand(e)
	case Apply:
		mc.takeApply(e)
	case SizesRead:
		mc.takeSizes(e)
	case KnobsSet:
		mc.takeKnobs(e)
	case WWIDsFound:
		mc.takeWWIDs(e)
	}
}

// settle does what the new state asks for: looks, checks, plans, writes. It is
// idempotent: a second call in the same state adds nothing.
func (mc *Machine) settle() {
	if !mc.configured || !mc.loaded {
		return
	}
	if mc.scanAt == 0 || mc.now >= mc.scanAt {
		mc.scanAt = mc.now.After(scanEvery)
		for _, w := range mc.known.failed {
			mc.known.pending = addSorted(mc.known.pending, w)
		}
		mc.known.failed = nil
		mc.retryKnobs()
		mc.readOnly = mc.unread // a disk that was full is tried again for the next name
		if mc.scanAsk == 0 {
			mc.scanAsk, mc.scanAsked = mc.nextSeq(), mc.now
			mc.act(Scan{Seq: mc.scanAsk})
		}
		mc.wantList()
	}
	if mc.listAt != 0 && mc.now >= mc.listAt {
		mc.wantList()
	}
	mc.wakeDue()
	for _, m := range mc.due.maps {
		mc.overdue(m)
	}
	mc.settleNotices()
	stirred := mc.stirredPaths()
	for _, p := range stirred {
		if p.silent() && mc.now >= p.lookAt {
			p.lookDelay = min(max(p.lookDelay*2, lookAgain), scanEvery)
			p.lookAt = mc.now.After(p.lookDelay)
			mc.look(p.seen.Name)
		}
	}
	mc.runCommands()
	mc.startLooks()
	mc.noteStarted()
	for _, p := range stirred {
		mc.dueCheck(p)
	}
	if mc.started {
		for _, m := range mc.inOrder() {
			mc.settleMap(m)
		}
	}
	mc.settleKnobs()
	mc.endApply()
	mc.saveNames()
	mc.saveWWIDs()
	mc.findWWIDs()
	mc.saveDeadlines()
}

// overdue reads a map again whose read failed, and says that an answer is late.
func (mc *Machine) overdue(m *mmap) {
	if m.readAt != 0 && mc.now >= m.readAt {
		mc.readMap(m)
	}
	if m.ask != 0 && !m.askNoted && mc.now.Since(max(m.askAt, mc.gapAt)) >= askLimit {
		m.askNoted = true
		mc.note(LevelError, m.label(), fmt.Sprintf("%s: no answer from the kernel for %d s; nothing else can be done to this map until it comes", m.askWhat, mc.now.Since(m.askAt).Seconds()))
	}
}

// inOrder gives the maps that have something to do, in the order of their first
// paths: the first disk of a host gets the first free name.
func (mc *Machine) inOrder() []*mmap {
	var out []*mmap
	for _, m := range mc.due.maps {
		if !m.left && m.pending(mc.now) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b *mmap) int {
		return cmp.Or(a.firstID().compare(b.firstID()), cmp.Compare(a.wwid, b.wwid))
	})
	return out
}

// noteStarted opens the gate for changes when the first picture is complete:
// every disk was looked at and every map that the kernel had was read. One device
// or map that hangs, or a flood of news, keeps all others waiting only so long.
func (mc *Machine) noteStarted() {
	if mc.started || !mc.scanned || !mc.listed {
		return
	}
	if mc.pictureAt == 0 {
		mc.pictureAt = mc.now
	}
	if mc.now.Since(mc.pictureAt) < startLimit && mc.pictureOpen() {
		return
	}
	mc.started = true
	for _, m := range mc.maps {
		mc.adopt(m)
		mc.touch(m)
	}
	// Of several new LUNs the first disk gets the first free name, whoever
	// answers first.
	for _, m := range mc.inOrder() {
		if ps := mc.pathsOf(m); !m.known && len(ps) > 0 {
			mc.chooseSettings(m, ps)
			mc.pickName(m)
		}
	}
}

// pictureOpen says whether something is still on its way that the first picture
// should have.
func (mc *Machine) pictureOpen() bool {
	if mc.scanAsk != 0 || mc.listAsk != 0 || mc.relist || mc.looking() {
		return true
	}
	for _, m := range mc.maps {
		if m.read != 0 || m.listed && !m.known && mc.now.Since(m.listedAt) < firstChecks {
			return true
		}
	}
	// A member of an adopted map is judged by its first check, not before.
	for _, p := range mc.paths {
		if p.member() && p.checkedAt == 0 && mc.now.Since(p.seenAt) < firstChecks {
			return true
		}
	}
	return false
}

func (mc *Machine) nextWake() Instant {
	w := Never
	sooner := func(t Instant) {
		if t != 0 && t < w {
			w = t
		}
	}
	if !mc.configured || !mc.loaded {
		return w
	}
	sooner(mc.scanAt)
	sooner(mc.due.first())
	sooner(mc.listAt)
	sooner(mc.looks.firstLimit(mc.now))
	sooner(mc.notices.due)
	if !mc.started || mc.due.checks > 0 || len(mc.find.asked) > 0 {
		sooner(mc.now.After(Second)) // that a standstill in the middle of it shows
	}
	if mc.started && len(mc.due.maps) > 0 || len(mc.commands) > 0 {
		sooner(mc.now.After(100 * Millisecond)) // touched while others were settled
	}
	if mc.names.ask != 0 && !mc.names.hung {
		sooner(mc.names.since.After(saveLimit))
	}
	if w <= mc.now { // something is due that waits for an answer: look again soon
		w = mc.now.After(100 * Millisecond)
	}
	return w
}

func (mc *Machine) nextSeq() uint64 { mc.seq++; return mc.seq }

func (mc *Machine) act(a Action) { mc.acts = append(mc.acts, a) }

func (mc *Machine) note(l Level, object, text string) {
	mc.act(Note{Level: l, Object: object, Text: text})
}

// path finds a path by its id, nil if it is not known.
func (mc *Machine) path(id PathID) *path {
	i, ok := slices.BinarySearchFunc(mc.paths, id, comparePath)
	if !ok {
		return nil
	}
	return mc.paths[i]
}

func (mc *Machine) addPath(p *path) {
	mc.paths = withPath(mc.paths, p)
	mc.stir(p)
}

func (mc *Machine) dropPath(p *path) {
	mc.retune(p, false)
	mc.find.forget(p)
	mc.due.drop(&p.timer)
	mc.checkOpen(p, 0)
	if m := mc.mapOf(p.wwid); m != nil {
		m.paths = withoutPath(m.paths, p)
	}
	mc.paths = withoutPath(mc.paths, p)
	p.left = true
}

// mapOf finds a map by its WWID, nil if there is none.
func (mc *Machine) mapOf(wwid string) *mmap {
	i, ok := slices.BinarySearchFunc(mc.maps, wwid, func(m *mmap, w string) int { return cmp.Compare(m.wwid, w) })
	if !ok {
		return nil
	}
	return mc.maps[i]
}

func (mc *Machine) addMap(m *mmap) {
	i, _ := slices.BinarySearchFunc(mc.maps, m.wwid, func(m *mmap, w string) int { return cmp.Compare(m.wwid, w) })
	mc.maps = slices.Insert(mc.maps, i, m)
	mc.touch(m)
}

func (mc *Machine) dropMap(m *mmap) {
	mc.hold(m, false, Truth{})
	mc.answered(&m.ask)
	mc.answered(&m.read)
	mc.due.drop(&m.timer)
	m.left = true
	if i, ok := slices.BinarySearchFunc(mc.maps, m.wwid, func(m *mmap, w string) int { return cmp.Compare(m.wwid, w) }); ok {
		mc.maps = slices.Delete(mc.maps, i, i+1)
	}
}

// pathByDev finds the newest path with a device number.
func (mc *Machine) pathByDev(d table.DevNum) *path {
	i, ok := slices.BinarySearchFunc(mc.paths, PathID{Dev: d, Diskseq: ^uint64(0)}, comparePath)
	if ok {
		return mc.paths[i]
	}
	if i > 0 && mc.paths[i-1].id.Dev == d {
		return mc.paths[i-1]
	}
	return nil
}

func addSorted(list []string, s string) []string {
	i, ok := slices.BinarySearch(list, s)
	if ok {
		return list
	}
	return slices.Insert(slices.Clone(list), i, s)
}

func dropSorted(list []string, s string) []string {
	i, ok := slices.BinarySearch(list, s)
	if !ok {
		return list
	}
	return slices.Delete(slices.Clone(list), i, i+1)
}

func hasSorted(list []string, s string) bool {
	_, ok := slices.BinarySearch(list, s)
	return ok
}

// OpenActions counts the actions on maps that are not answered yet.
func (mc *Machine) OpenActions() int {
	n := 0
	for _, m := range mc.maps {
		if m.ask != 0 {
			n++
		}
	}
	return n
}

// Started says whether the first picture is complete.
func (mc *Machine) Started() bool { return mc.started }

// Settled says whether the first picture is complete and what it asked for is
// done: the maps of the host are there.
func (mc *Machine) Settled() bool {
	if !mc.started || mc.names.ask != 0 && !mc.names.hung || mc.OpenActions() > 0 {
		return false
	}
	for _, m := range mc.maps {
		if m.touched || !m.known && m.holdUntil != 0 {
			return false
		}
	}
	return true
}

// Complete says whether everything that is there was looked at, and with checks
// also asked: what an observer waits for.
func (mc *Machine) Complete(checks bool) bool {
	if !mc.configured || !mc.loaded || mc.scanAt == 0 || mc.scanAsk != 0 || mc.listAsk != 0 || mc.relist || mc.looking() {
		return false
	}
	for _, m := range mc.maps {
		if m.read != 0 {
			return false
		}
	}
	for _, p := range mc.paths {
		// One answer that tells nothing is enough for who only looks.
		if checks && p.checkable() && p.checkedAt == 0 && p.triedFor == 0 && !p.stuck {
			return false
		}
	}
	return true
}
