package mpath

import "slices"

// look is one device that shall be, or is being, identified.
type look struct {
	name  string
	seq   uint64 // 0: not asked yet
	again bool   // news came while it was asked
	since Instant
}

// lookList holds the devices to identify: at most one open question each.
type lookList struct {
	byName  map[string]*look
	bySeq   map[uint64]*look
	waiting []*look // not asked yet, first come first served
	open    []*look // asked, oldest first, within the limit when last seen
}

// maxLooks bounds how many identifications run at once.
const maxLooks = 64

func newLookList() lookList {
	return lookList{byName: map[string]*look{}, bySeq: map[uint64]*look{}}
}

// look asks, once, for the identity of a device.
func (mc *Machine) look(name string) {
	if l := mc.looks.byName[name]; l != nil {
		l.again = l.seq != 0
		return
	}
	mc.lookLater(name)
}

func (mc *Machine) lookLater(name string) {
	l := &look{name: name, since: mc.now}
	mc.looks.byName[name] = l
	mc.looks.waiting = append(mc.looks.waiting, l)
}

// startLooks asks what may be asked now. Those that hang must not use up the bound.
func (mc *Machine) startLooks() {
	ls := &mc.looks
	ls.open = slices.DeleteFunc(ls.open, func(l *look) bool {
		return ls.bySeq[l.seq] != l || mc.now.Since(l.since) >= lookLimit
	})
	for len(ls.waiting) > 0 && len(ls.open) < maxLooks {
		l := ls.waiting[0]
		ls.waiting = ls.waiting[1:]
		l.seq, l.since = mc.nextSeq(), mc.now
		ls.bySeq[l.seq] = l
		ls.open = append(ls.open, l)
		mc.act(Identify{Seq: l.seq, Name: l.name})
	}
}

// looking says whether a device is still to say who it is. One that hangs is
// waited for only so long.
func (mc *Machine) looking() bool {
	ls := &mc.looks
	return len(ls.waiting) > 0 || slices.ContainsFunc(ls.open, func(l *look) bool {
		return ls.bySeq[l.seq] == l && mc.now.Since(l.since) < lookLimit
	})
}

// endLook closes the question that an answer belongs to. A stale answer is
// ignored: false.
func (mc *Machine) endLook(seq uint64) bool {
	ls := &mc.looks
	l := ls.bySeq[seq]
	if l == nil {
		return false
	}
	delete(ls.bySeq, seq)
	delete(ls.byName, l.name)
	old := l.since < mc.gapAt // asked before a gap: old news
	if old || l.again {
		mc.lookLater(l.name)
	}
	return !old
}

// firstLimit is when the oldest open question stops keeping others waiting.
func (ls *lookList) firstLimit(now Instant) Instant {
	for _, l := range ls.open {
		if t := l.since.After(lookLimit); t > now && ls.bySeq[l.seq] == l {
			return t
		}
	}
	return 0
}
