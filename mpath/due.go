package mpath

import "slices"

// A step costs what it touches, not what there is: ten thousand paths must not be
// walked because one of them was checked. Whoever changes a path or a map says so
// with stir or touch; at the end of the step each of those says when it wants to
// be called next, and a heap keeps the order.

// timer is the place of one path or map in the heap.
type timer struct {
	at  Instant // 0: not in the heap
	pos int
	p   *path
	m   *mmap
}

// dueList knows what moved in this step and who is due next.
type dueList struct {
	heap   []*timer
	paths  []*path // stirred in this step
	maps   []*mmap // stirred or touched in this step, or touched and not settled yet
	checks int     // in flight and not overdue
}

// stir notes that something of a path changed that its deadlines depend on.
func (mc *Machine) stir(p *path) {
	if !p.stirred && !p.left {
		p.stirred = true
		mc.due.paths = append(mc.due.paths, p)
	}
}

// stirMap notes the same of a map.
func (mc *Machine) stirMap(m *mmap) {
	if !m.stirred && !m.left {
		m.stirred = true
		mc.due.maps = append(mc.due.maps, m)
	}
}

// touch has a map planned in this step.
func (mc *Machine) touch(m *mmap) {
	m.touched = true
	mc.stirMap(m)
}

// stirredPaths gives the paths that moved, by id.
func (mc *Machine) stirredPaths() []*path {
	out := slices.DeleteFunc(slices.Clone(mc.due.paths), func(p *path) bool { return p.left })
	slices.SortFunc(out, func(a, b *path) int { return a.id.compare(b.id) })
	return out
}

// wakeDue stirs everything whose time has come.
func (mc *Machine) wakeDue() {
	h := mc.due.heap
	// The entries that are due stand together at the top of the heap.
	for todo := []int{0}; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if i >= len(h) || h[i].at > mc.now {
			continue
		}
		if t := h[i]; t.p != nil {
			mc.stir(t.p)
		} else {
			mc.stirMap(t.m)
		}
		todo = append(todo, 2*i+2, 2*i+1)
	}
}

// rearm asks everything that moved when it wants to be called.
func (mc *Machine) rearm() {
	for _, p := range mc.due.paths {
		p.stirred = false
		if !p.left {
			p.timer.p = p
			mc.due.set(&p.timer, mc.pathDue(p))
		}
	}
	mc.due.paths = mc.due.paths[:0]
	mc.due.maps = slices.DeleteFunc(mc.due.maps, func(m *mmap) bool {
		if m.left {
			return true
		}
		m.timer.m = m
		mc.due.set(&m.timer, mc.mapDue(m))
		m.stirred = m.touched
		return !m.touched
	})
}

// pathDue is when a path wants to be looked at next, 0 never.
func (mc *Machine) pathDue(p *path) Instant {
	at := Never
	if p.silent() {
		at = sooner(at, p.lookAt)
	}
	switch {
	case p.checkSeq == 0 && p.checkable():
		at = sooner(at, p.nextCheck)
	case p.checkSeq != 0 && !p.stuck:
		at = sooner(at, max(p.checkAsked, mc.gapAt).After(p.stuckAfter()))
	}
	if at == Never {
		return 0
	}
	return at
}

// mapDue is when a map wants to be looked at next, 0 never.
func (mc *Machine) mapDue(m *mmap) Instant {
	at := Never
	for _, t := range []Instant{m.readAt, m.pauseUntil, m.retryAt, m.holdUntil, m.resize.nextAt, m.part.deadline()} {
		at = sooner(at, t)
	}
	if m.failbackAt > mc.now { // what keeps one that is due from being done calls by itself
		at = sooner(at, m.failbackAt)
	}
	if m.queue.at != 0 && !m.queue.expired {
		// While it waits for the checks that must confirm the loss, time alone
		// may settle it.
		at = sooner(at, max(m.queue.at, mc.now.After(Second)*btoi(m.queue.asked)))
	}
	if m.ask != 0 && !m.askNoted {
		at = sooner(at, max(m.askAt, mc.gapAt).After(askLimit))
	}
	if at == Never {
		return 0
	}
	return at
}

func btoi(b bool) Instant {
	if b {
		return 1
	}
	return 0
}

func sooner(at, t Instant) Instant {
	if t != 0 && t < at {
		return t
	}
	return at
}

// checkOpen notes the check that is in flight on a path, 0 none.
func (mc *Machine) checkOpen(p *path, seq uint64) {
	if p.checkSeq != 0 && !p.stuck {
		mc.due.checks--
	}
	if p.checkSeq != 0 && seq != 0 {
		mc.breach(lawOneCheck, "%s: check %d is not answered, %d is asked", p.id, p.checkSeq, seq)
	}
	p.checkSeq = seq
	if seq != 0 {
		mc.due.checks++
	}
	mc.stir(p)
}

// first is the earliest deadline, 0 none.
func (d *dueList) first() Instant {
	if len(d.heap) == 0 {
		return 0
	}
	return d.heap[0].at
}

func (d *dueList) set(t *timer, at Instant) {
	switch {
	case at == t.at:
	case at == 0:
		d.drop(t)
	case t.at == 0:
		t.at, t.pos = at, len(d.heap)
		d.heap = append(d.heap, t)
		d.up(t.pos)
	default:
		t.at = at
		d.down(t.pos)
		d.up(t.pos)
	}
}

func (d *dueList) drop(t *timer) {
	if t.at == 0 {
		return
	}
	i, last := t.pos, len(d.heap)-1
	d.swap(i, last)
	d.heap[last] = nil
	d.heap = d.heap[:last]
	t.at = 0
	if i < last {
		d.down(i)
		d.up(i)
	}
}

func (d *dueList) up(i int) {
	for i > 0 && d.heap[i].at < d.heap[(i-1)/2].at {
		d.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (d *dueList) down(i int) {
	for {
		least := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < len(d.heap) && d.heap[c].at < d.heap[least].at {
				least = c
			}
		}
		if least == i {
			return
		}
		d.swap(i, least)
		i = least
	}
}

func (d *dueList) swap(i, j int) {
	d.heap[i], d.heap[j] = d.heap[j], d.heap[i]
	d.heap[i].pos, d.heap[j].pos = i, j
}
