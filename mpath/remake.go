package mpath

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// links takes down the orders that remake needs.
func (mc *Machine) links() links {
	l := links{checks: mc.due.checks}
	for _, t := range mc.due.heap {
		if t.p != nil {
			l.heap = append(l.heap, timerLink{Path: t.p.id, At: t.at})
		} else {
			l.heap = append(l.heap, timerLink{Map: t.m.wwid, At: t.at})
		}
	}
	for _, m := range mc.due.maps {
		l.stirred = append(l.stirred, m.wwid)
	}
	for _, m := range mc.maps {
		if m.known && mc.find.dev[m.have.Dev] == m {
			l.dev = append(l.dev, m.wwid)
		}
	}
	for _, o := range mc.looks.waiting {
		l.waiting = append(l.waiting, *o)
	}
	for _, o := range mc.looks.bySeq {
		l.asked = append(l.asked, *o)
	}
	slices.SortFunc(l.asked, func(a, b look) int { return cmp.Compare(a.seq, b.seq) })
	for _, o := range mc.looks.open {
		if mc.looks.bySeq[o.seq] == o { // else it was answered
			l.open = append(l.open, o.seq)
		}
	}
	return l
}

var (
	errOrder  = errors.New("checkpoint: paths or maps are not in their order")
	errConfig = errors.New("checkpoint: the configuration is missing")
	errLink   = errors.New("checkpoint: it speaks of something that is not in it")
)

// remake makes what a checkpoint does not carry: indexes, lists and timers.
func (mc *Machine) remake(l *links) error {
	for i, p := range mc.paths {
		if i > 0 && mc.paths[i-1].id.compare(p.id) >= 0 {
			return errOrder
		}
	}
	for i, m := range mc.maps {
		if i > 0 && mc.maps[i-1].wwid >= m.wwid {
			return errOrder
		}
	}
	if mc.configured != (mc.rules != nil) {
		return errConfig
	}
	mc.find = newIndex()
	for _, p := range mc.paths {
		mc.find.see(p, p.seen)
		if m := mc.mapOf(p.wwid); m != nil {
			m.paths = append(m.paths, p)
		} else if p.wwid != "" {
			return fmt.Errorf("%w: the map %.80q of path %s", errLink, p.wwid, p.id)
		}
	}
	for _, m := range mc.maps {
		if m.known {
			for _, d := range m.have.Table.Devs() {
				mc.find.holders[d] = withMap(mc.find.holders[d], m)
			}
		}
		for _, seq := range []uint64{m.ask, m.read} {
			if seq != 0 {
				mc.find.asked[seq] = m
			}
		}
	}
	for _, wwid := range l.dev {
		m := mc.mapOf(wwid)
		if m == nil {
			return fmt.Errorf("%w: map %.80q", errLink, wwid)
		}
		mc.find.dev[m.have.Dev] = m
	}
	if err := mc.remakeDue(l); err != nil {
		return err
	}
	return mc.remakeLooks(l)
}

func (mc *Machine) remakeDue(l *links) error {
	mc.due = dueList{checks: l.checks}
	for _, link := range l.heap {
		var t *timer
		if p := mc.path(link.Path); link.Map == "" && p != nil {
			t = &p.timer
			t.p = p
		} else if m := mc.mapOf(link.Map); link.Map != "" && m != nil {
			t = &m.timer
			t.m = m
		}
		if t == nil || t.at != 0 || link.At == 0 {
			return fmt.Errorf("%w: a deadline of %.80q %s", errLink, link.Map, link.Path)
		}
		t.at, t.pos = link.At, len(mc.due.heap)
		mc.due.heap = append(mc.due.heap, t)
	}
	for _, wwid := range l.stirred {
		m := mc.mapOf(wwid)
		if m == nil {
			return fmt.Errorf("%w: map %.80q", errLink, wwid)
		}
		mc.due.maps = append(mc.due.maps, m)
	}
	return nil
}

func (mc *Machine) remakeLooks(l *links) error {
	mc.looks = newLookList()
	for i := range l.waiting {
		o := &l.waiting[i]
		mc.looks.byName[o.name] = o
		mc.looks.waiting = append(mc.looks.waiting, o)
	}
	for i := range l.asked {
		o := &l.asked[i]
		mc.looks.byName[o.name], mc.looks.bySeq[o.seq] = o, o
	}
	for _, seq := range l.open {
		o := mc.looks.bySeq[seq]
		if o == nil {
			return fmt.Errorf("%w: question %d", errLink, seq)
		}
		mc.looks.open = append(mc.looks.open, o)
	}
	return nil
}
