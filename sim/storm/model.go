package storm

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// model answers the core's actions at once, without encoding anything: a kernel for
// storms of many millions of steps. What it answers is right, or one of the ways in
// which a kernel fails; how calls look is the business of sim and its storms.
type model struct {
	r     *rand.Rand
	now   mpath.Instant
	order uint64
	queue answers
	life  int

	luns  int
	disks []*modelDisk // by number
	maps  map[string]*modelMap
	names []string // WWIDs of maps, sorted: never range over the Go map
	seq   uint64   // diskseq
	minor uint32

	bindings  []policy.Binding
	oldIDs    []policy.OldID
	wwids     []string
	failed    []string
	deadlines []mpath.Deadline
	kept      []mpath.Kept
	loading   []string

	// failing is the chance out of 1000 that an action fails, losing that an
	// answer never comes, doubling that one comes twice.
	failing, losing, doubling int
	lost                      []late      // answers that did not come yet
	ends                      []*modelMap // that somebody suspended
}

type modelDisk struct {
	name    string
	id      mpath.PathID
	lun     int
	was     int // the LUN that it was found as
	state   pathcheck.State
	offline bool
	hung    bool
	silent  bool
	prio    int
	tpg     int
	ro      bool
	size    uint64
	// The LUN was exchanged while the path was in use; and the process knows.
	swapped, told bool
}

type modelMap struct {
	truth mpath.Truth
	open  int
	// activated are the paths that became active since that was last looked at.
	activated []table.DevNum
}

type late struct {
	at    mpath.Instant
	order uint64
	life  int
	ev    mpath.Event
}

type answers []late

func (q answers) Len() int { return len(q) }
func (q answers) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q answers) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *answers) Push(x any)   { *q = append(*q, x.(late)) }
func (q *answers) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

func wwidOf(lun int) string { return fmt.Sprintf("3600140500000%04x%016x", lun+1, 0x5100+lun) }

func (k *model) chance(of1000 int) bool { return k.r.IntN(1000) < of1000 }

// later has an event come after some time, or not, or twice.
func (k *model) later(ev mpath.Event, least, most mpath.Span) {
	if k.chance(k.losing) {
		k.lost = append(k.lost, late{life: k.life, ev: ev})
		return
	}
	times := 1
	if k.chance(k.doubling) {
		times = 2
	}
	for range times {
		k.order++
		heap.Push(&k.queue, late{k.now.After(least + mpath.Span(k.r.Int64N(int64(most-least)+1))), k.order, k.life, ev})
	}
}

const (
	soon   = 100 * mpath.Millisecond / 1000
	sooner = 3 * mpath.Millisecond
)

func (k *model) done(seq uint64, e mpath.Errno) {
	d := mpath.ActionDone{Seq: seq, Errno: e}
	if e != mpath.ErrnoNone {
		d.Detail = "the model says " + e.String()
	}
	k.later(d, soon, sooner)
}

func (k *model) someErrno() mpath.Errno {
	return []mpath.Errno{
		mpath.ErrnoBusy, mpath.ErrnoInvalid, mpath.ErrnoGone, mpath.ErrnoNoMem, mpath.ErrnoIO, mpath.ErrnoReadOnly, mpath.ErrnoExists,
		mpath.ErrnoDenied, mpath.ErrnoChanged, mpath.ErrnoTimeout, mpath.ErrnoOther,
	}[k.r.IntN(11)]
}

// take carries out an action of the core.
func (k *model) take(a mpath.Action) {
	switch a := a.(type) {
	case mpath.Scan:
		k.scan(a)
	case mpath.ListMaps:
		k.list(a)
	case mpath.Identify:
		k.identify(a)
	case mpath.ReadMap:
		k.later(k.read(a.Seq, strings.TrimPrefix(a.UUID, "mpath-")), soon, sooner)
	case mpath.StartCheck:
		k.check(a)
	case mpath.CreateMap:
		k.create(a)
	case mpath.LoadMap:
		k.load(a)
	case mpath.ResumeMap:
		k.onMap(a.Seq, a.WWID, func(m *modelMap) mpath.Errno { m.truth.Suspended = false; return 0 })
	case mpath.RemoveMap:
		k.remove(a)
	case mpath.RenameMap:
		k.onMap(a.Seq, a.WWID, func(m *modelMap) mpath.Errno { m.truth.Name = a.To; return 0 })
	case mpath.SuspendMap:
		k.onMap(a.Seq, a.WWID, func(m *modelMap) mpath.Errno {
			m.truth.Suspended = true
			k.ends = append(k.ends, m)
			return 0
		})
	case mpath.ReadSizes:
		k.sizes(a)
	case mpath.FindWWIDs:
		k.listed(a)
	case mpath.ResizeMap:
		k.resize(a)
	case mpath.Message:
		k.onMap(a.Seq, a.WWID, func(m *modelMap) mpath.Errno { return m.message(a.Text) })
	default:
		k.takeFile(a)
	}
}

// listed answers what the wwids file has.
func (k *model) listed(a mpath.FindWWIDs) {
	e := mpath.WWIDsFound{Seq: a.Seq}
	if !k.chance(k.failing) {
		e.WWIDs = slices.DeleteFunc(slices.Clone(a.WWIDs), func(w string) bool { return !slices.Contains(k.wwids, w) })
	}
	k.later(e, soon, sooner)
}

// takeFile carries out what only writes a file or tells udev.
func (k *model) takeFile(a mpath.Action) {
	var seq uint64
	var do func()
	switch a := a.(type) {
	case mpath.SaveNames:
		seq, do = a.Seq, func() { k.bindings, k.oldIDs = a.Bindings, a.OldIDs }
	case mpath.SaveWWIDs:
		seq, do = a.Seq, func() {
			for _, w := range a.WWIDs {
				k.wwids = add(k.wwids, w)
				k.failed = drop(k.failed, w)
			}
		}
	case mpath.MarkFailed:
		seq, do = a.Seq, func() { k.failed = add(k.failed, a.WWID) }
	case mpath.ForgetLoad:
		seq, do = a.Seq, func() { k.loading = drop(k.loading, a.WWID) }
	case mpath.SaveDeadlines:
		seq, do = a.Seq, func() { k.deadlines, k.kept = a.Deadlines, a.Kept }
	case mpath.Trigger:
		seq, do = a.Seq, func() {}
		k.later(mpath.DeviceHint{Name: a.Name, FromUdev: true}, sooner, 40*mpath.Millisecond)
	case mpath.SetOwner:
		seq, do = a.Seq, func() {}
	case mpath.LimitPaths:
		seq, do = a.Seq, func() {}
	case mpath.SetKnobs:
		k.knobs(a)
		return
	default:
		return
	}
	if k.chance(k.failing) {
		k.done(seq, k.someErrno())
		return
	}
	do()
	k.done(seq, mpath.ErrnoNone)
}

// knobs answers that all is as wanted now, or some way in which it is not.
func (k *model) knobs(a mpath.SetKnobs) {
	e := mpath.KnobsSet{Seq: a.Seq, Dir: a.Dir}
	for _, kn := range a.Knobs {
		e.Knobs = append(e.Knobs, mpath.KnobState{Name: kn.Name, Was: "off", Is: kn.Value})
	}
	if k.chance(k.failing) {
		e.Detail = "the model says EINVAL"
		e.Busy, e.Gone = k.chance(300), k.chance(300)
	}
	k.later(e, soon, sooner)
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(slices.Clip(list), s)
}

func drop(list []string, s string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == s })
}

func (k *model) scan(a mpath.Scan) {
	s := mpath.Scanned{Seq: a.Seq}
	if k.chance(k.failing) {
		s.Bad = "reading /sys/block: EIO"
	} else {
		for _, d := range k.disks {
			s.Disks = append(s.Disks, mpath.Disk{Name: d.name, Dev: d.id.Dev, Diskseq: d.id.Diskseq})
		}
	}
	k.later(s, soon, sooner)
}

func (k *model) list(a mpath.ListMaps) {
	l := mpath.MapsListed{Seq: a.Seq}
	if k.chance(k.failing) {
		l.Bad = "DM_LIST_DEVICES: ENOMEM"
	} else {
		for _, w := range k.names {
			t := k.maps[w].truth
			l.Maps = append(l.Maps, mpath.MapRef{Name: t.Name, UUID: t.UUID, Dev: t.Dev, EventNr: t.EventNr})
		}
	}
	k.later(l, soon, sooner)
}

func (k *model) find(name string) *modelDisk {
	for _, d := range k.disks {
		if d.name == name {
			return d
		}
	}
	return nil
}

// taken says whether a device number is in use: a number stays with a device that
// left as long as a map holds it.
func (k *model) taken(dev table.DevNum) bool {
	for _, w := range k.names {
		if slices.Contains(k.maps[w].truth.Table.Devs(), dev) {
			return true
		}
	}
	return slices.ContainsFunc(k.disks, func(d *modelDisk) bool { return d.id.Dev == dev })
}

func (k *model) identify(a mpath.Identify) {
	d := k.find(a.Name)
	if d == nil {
		k.later(mpath.PathUnreadable{Seq: a.Seq, Name: a.Name, Gone: true}, soon, sooner)
		return
	}
	if k.chance(k.failing) {
		k.later(mpath.PathUnreadable{Seq: a.Seq, Name: a.Name, Why: "reading its attributes: EIO"}, soon, sooner)
		return
	}
	who, fresh := d.lun, true
	if d.offline || d.state == pathcheck.StateDown || d.hung {
		who, fresh = d.was, false
	}
	e := mpath.PathSeen{
		Seq: a.Seq, ID: d.id, Name: d.name, SG: "sg" + d.name, HCTL: fmt.Sprintf("%d:0:0:%d", 2+d.tpg, d.lun), HostNo: uint32(2 + d.tpg), Nexus: fmt.Sprintf("rport-%d:0-0", 2+d.tpg), Identity: identity(who, d.tpg), Fresh: fresh,
		Facts:    policy.Facts{Devnode: d.name, DevType: "disk", Protocol: "scsi:fcp", HasUdev: true, Properties: []string{"ID_SERIAL", "ID_WWN"}, Size: d.size, ReadOnly: d.ro},
		DevState: "running", TimeoutS: 30,
	}
	if d.offline {
		e.DevState = "offline"
	}
	if d.silent {
		e.Identity, e.Fresh = scsi.Identity{PortGroup: -1, RelPort: -1, Problem: "INQUIRY: no answer"}, false
	}
	took := sooner
	if d.hung {
		took = 20 * second
	}
	k.later(e, soon, took)
}

func identity(lun, tpg int) scsi.Identity {
	w := wwidOf(lun)
	return scsi.Identity{
		WWID: w, IDs: []scsi.ID{{Value: w, Kind: scsi.IDWWID}}, Vendor: "MODEL", Model: "ARRAY", Serial: fmt.Sprintf("SN%06d", lun),
		TPGS: 1, PortGroup: tpg, RelPort: tpg,
	}
}

func (k *model) check(a mpath.StartCheck) {
	c := mpath.CheckDone{Seq: a.Seq, Path: a.Path, DevState: "running"}
	took := sooner
	d := k.find(a.Name)
	switch {
	case d == nil || d.id != a.Path:
		c.DevState, c.Verdict = "", pathcheck.Verdict{State: pathcheck.StateDown, Message: "no such device"}
	case d.offline:
		c.DevState, c.Verdict = "offline", pathcheck.Verdict{State: pathcheck.StateDown, Message: "the device is offline"}
	case k.chance(k.failing / 2):
		c.Verdict = pathcheck.Verdict{State: pathcheck.StatePending, Message: "TASK SET FULL", Inconclusive: true}
		if k.chance(250) {
			c.Verdict = pathcheck.Verdict{State: pathcheck.StatePending, Message: "the target port changes its state"}
		}
	case d.hung:
		took = 90 * second
		c.Verdict = pathcheck.Verdict{State: pathcheck.StateTimeout, Message: "no answer"}
	case d.state == pathcheck.StateDown:
		c.Verdict = pathcheck.Verdict{State: pathcheck.StateDown, Message: "no connection"}
	default:
		c.Verdict = pathcheck.Verdict{State: d.state, Message: "it answers"}
		if a.Identify || d.swapped {
			c.Identified, c.Found, c.Same = true, wwidOf(d.lun), wwidOf(d.lun) == a.Expect
		}
		c.PrioAsked, c.Prio = a.Prio != "", pathcheck.PrioResult{OK: true, Priority: d.prio, TPG: d.tpg, State: "active/optimized"}
		if d.silent && a.Identify {
			c.Identified, c.Found = false, "INQUIRY: no answer"
		}
	}
	k.later(c, soon, took)
}

func (k *model) read(seq uint64, wwid string) mpath.MapRead {
	r := mpath.MapRead{Seq: seq, UUID: "mpath-" + wwid}
	switch m := k.maps[wwid]; {
	case m == nil:
		r.Errno, r.Detail = mpath.ErrnoGone, "no such map"
	case k.chance(k.failing / 2):
		r.Errno, r.Detail = k.someErrno(), "the model fails"
		if r.Errno == mpath.ErrnoGone {
			r.Errno = mpath.ErrnoNoMem
		}
	default:
		r.Truth = m.truth
	}
	return r
}

// onMap does something to a map and answers with what is true then.
func (k *model) onMap(seq uint64, wwid string, do func(*modelMap) mpath.Errno) {
	m := k.maps[wwid]
	d := mpath.ActionDone{Seq: seq}
	switch {
	case m == nil:
		d.Errno = mpath.ErrnoGone
	case k.chance(k.failing):
		d.Errno = k.someErrno()
	default:
		if d.Errno = do(m); d.Errno == 0 {
			m.truth.EventNr++
		}
	}
	if d.Errno != 0 {
		d.Detail = "the model says " + d.Errno.String()
	}
	if m != nil && !k.chance(k.failing) {
		d.HasTruth, d.Truth = true, m.truth
	}
	k.later(d, soon, sooner)
	k.later(mpath.MapEvent{}, soon, sooner)
}

func (k *model) create(a mpath.CreateMap) {
	if k.chance(k.failing) {
		k.done(a.Seq, k.someErrno())
		return
	}
	if k.maps[a.WWID] != nil {
		k.done(a.Seq, mpath.ErrnoExists)
		return
	}
	if !k.joined(a.Seq, a.Paths) {
		return
	}
	k.minor++
	m := &modelMap{truth: mpath.Truth{Name: a.Name, UUID: "mpath-" + a.WWID, Dev: table.DevNum{Major: 253, Minor: k.minor}, Size: a.Size, Target: "multipath", ReadOnly: a.ReadOnly}}
	k.maps[a.WWID] = m
	i, _ := slices.BinarySearch(k.names, a.WWID)
	k.names = slices.Insert(k.names, i, a.WWID)
	if k.chance(k.failing / 4) {
		k.done(a.Seq, mpath.ErrnoNoMem) // created, and left without a table
		return
	}
	m.setTable(a.Table, a.Fail)
	k.onMap(a.Seq, a.WWID, func(*modelMap) mpath.Errno { return 0 })
	k.later(mpath.NodeSeen{Dev: m.truth.Dev, GID: 6, Mode: 0o660}, sooner, 30*mpath.Millisecond)
}

func (k *model) load(a mpath.LoadMap) {
	if !k.joined(a.Seq, a.Paths) {
		return
	}
	k.loading = add(k.loading, a.WWID)
	m := k.maps[a.WWID]
	if m != nil && k.chance(k.failing/3) { // it ends between suspend and resume
		m.truth.Suspended = true
		k.done(a.Seq, mpath.ErrnoTimeout)
		return
	}
	k.onMap(a.Seq, a.WWID, func(m *modelMap) mpath.Errno {
		if m.wouldRevive(a.Table, a.Fail) {
			return mpath.ErrnoChanged
		}
		m.truth.ReadOnly = a.ReadOnly
		m.truth.Suspended = false
		m.setTable(a.Table, a.Fail)
		return 0
	})
	if m == nil || !m.truth.Suspended { // the word that it was us stays with a map that is suspended still
		k.loading = drop(k.loading, a.WWID)
	}
}

func (k *model) sizes(a mpath.ReadSizes) {
	r := mpath.SizesRead{Seq: a.Seq}
	for _, p := range a.Paths {
		ps := mpath.PathSize{ID: p.ID}
		switch d := k.find(p.Name); {
		case d == nil || d.id != p.ID:
			ps.Bad = "reading its size: no such device"
		case k.chance(k.failing):
			ps.Bad = "reading its size: EIO"
		default:
			ps.Sectors = table.Sectors(d.size)
		}
		r.Sizes = append(r.Sizes, ps)
	}
	k.later(r, soon, sooner)
}

func (k *model) resize(a mpath.ResizeMap) {
	k.onMap(a.Seq, a.WWID, func(m *modelMap) mpath.Errno {
		m.truth.Size = a.Size
		m.truth.ReadOnly = a.ReadOnly
		m.setTable(a.Table, nil)
		return 0
	})
}

func (k *model) remove(a mpath.RemoveMap) {
	m := k.maps[a.WWID]
	switch {
	case m == nil:
		k.done(a.Seq, mpath.ErrnoGone)
	case m.open > 0:
		k.done(a.Seq, mpath.ErrnoBusy)
	case k.chance(k.failing):
		k.done(a.Seq, k.someErrno())
	default:
		k.forget(a.WWID)
		k.done(a.Seq, 0)
		k.later(mpath.MapEvent{}, soon, sooner)
	}
}

func (k *model) forget(wwid string) {
	delete(k.maps, wwid)
	k.names = drop(k.names, wwid)
}

// setTable makes a table live: every path becomes active, whatever it was.
func (m *modelMap) setTable(t table.Table, fail []table.DevNum) {
	was := m.truth.Status
	m.truth.Live, m.truth.Table = true, t
	s := table.Status{Next: 1}
	for i, g := range t.Groups {
		gs := table.GroupStatus{State: table.GroupEnabled}
		if i == 0 {
			gs.State = table.GroupActive
		}
		for _, p := range g.Paths {
			ps := table.PathStatus{Dev: p.Dev, State: table.PathActive}
			if slices.Contains(fail, p.Dev) {
				ps.State = table.PathFailed
			} else if !activeIn(was, p.Dev) {
				m.activated = append(m.activated, p.Dev)
			}
			gs.Paths = append(gs.Paths, ps)
		}
		s.Groups = append(s.Groups, gs)
	}
	m.truth.Status = s
}

func activeIn(s table.Status, dev table.DevNum) bool {
	for _, g := range s.Groups {
		for _, p := range g.Paths {
			if p.Dev == dev {
				return p.State == table.PathActive
			}
		}
	}
	return false
}

// joined reads the identity of the paths that join, as the engine does right before
// a table takes effect; false: the load was given up.
func (k *model) joined(seq uint64, paths []mpath.PathRef) bool {
	var changed []mpath.FoundPath
	for _, p := range paths {
		if p.Expect == "" {
			continue
		}
		switch d := k.find(p.Name); {
		case d == nil || d.id != p.ID || d.offline || d.hung || d.silent || d.state == pathcheck.StateDown:
			changed = append(changed, mpath.FoundPath{ID: p.ID})
		case wwidOf(d.lun) != p.Expect:
			changed = append(changed, mpath.FoundPath{ID: p.ID, Found: wwidOf(d.lun)})
		}
	}
	if len(changed) == 0 {
		return true
	}
	k.later(mpath.ActionDone{Seq: seq, Errno: mpath.ErrnoChanged, Detail: "a path is another one", Changed: changed}, soon, sooner)
	return false
}

// wouldRevive says whether a table would make a path active that the kernel has failed
// since the load was decided. The engine asks the kernel right before the exchange.
func (m *modelMap) wouldRevive(t table.Table, fail []table.DevNum) bool {
	for _, d := range t.Devs() {
		if p, ok := m.truth.Status.Path(d); ok && p.State == table.PathFailed && !slices.Contains(fail, d) {
			return true
		}
	}
	return false
}

// setPath changes a path's state in the kernel: false where the table lacks it.
func (m *modelMap) setPath(dev string, st table.PathState) bool {
	found := false
	s := m.truth.Status
	s.Groups = slices.Clone(s.Groups) // what the core was given stays as it is
	for i := range s.Groups {
		s.Groups[i].Paths = slices.Clone(s.Groups[i].Paths)
		for j := range s.Groups[i].Paths {
			if p := &s.Groups[i].Paths[j]; p.Dev.String() == dev {
				if st == table.PathActive && p.State != st {
					m.activated = append(m.activated, p.Dev)
				}
				p.State, found = st, true
			}
		}
	}
	m.truth.Status = s
	return found
}

func (m *modelMap) message(text string) mpath.Errno {
	verb, arg, _ := strings.Cut(text, " ")
	ok := true
	switch {
	case m.truth.Suspended:
		return mpath.ErrnoBusy
	case verb == "fail_path":
		ok = m.setPath(arg, table.PathFailed)
	case verb == "reinstate_path":
		ok = m.setPath(arg, table.PathActive)
	case verb == "queue_if_no_path", verb == "fail_if_no_path":
		m.truth.Table = m.truth.Table.WithQueue(verb == "queue_if_no_path")
	case verb == "switch_group":
		n := 0
		if _, err := fmt.Sscan(arg, &n); err != nil || n < 1 || n > len(m.truth.Status.Groups) {
			return mpath.ErrnoInvalid
		}
		m.truth.Status.Next = n
	}
	if !ok {
		return mpath.ErrnoInvalid
	}
	return 0
}
