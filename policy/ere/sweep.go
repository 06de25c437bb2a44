package ere

import (
	"math/bits"
	"slices"
)

// positions is a set of offsets 0..len(subject), one bit each.
type positions []uint64

func (a positions) empty() bool {
	for _, w := range a {
		if w != 0 {
			return false
		}
	}
	return true
}

// sweeper carries sets of positions through the tree: from the places where a
// construct may start to all places where it may end. No choice is ever undone.
type sweeper struct {
	s     string
	steps int
}

// sweep searches without back-references.
func (e *Expr) sweep(s string) (bool, error) {
	w := &sweeper{s: s}
	all := w.none()
	for i := 0; i <= len(s); i++ {
		all[i>>6] |= 1 << (i & 63)
	}
	end := w.run(e.root, all)
	if w.steps > maxSteps {
		return false, ErrTooHard
	}
	return !end.empty(), nil
}

func (w *sweeper) none() positions { return make(positions, len(w.s)/64+1) }

func (w *sweeper) run(n *node, in positions) positions {
	if w.steps += len(in); w.steps > maxSteps || in.empty() {
		return w.none()
	}
	switch n.op {
	case opSet:
		out := w.none()
		each(in, func(i int) {
			if i < len(w.s) && n.set.has(w.s[i]) {
				out[(i+1)>>6] |= 1 << ((i + 1) & 63)
			}
		})
		return out
	case opCat:
		for _, sub := range n.subs {
			in = w.run(sub, in)
		}
		return in
	case opAlt:
		out := w.none()
		for _, sub := range n.subs {
			for i, b := range w.run(sub, in) {
				out[i] |= b
			}
		}
		return out
	case opGroup:
		return w.run(n.subs[0], in)
	case opRepeat:
		return w.repeat(n, in)
	case opEmpty:
		return in
	}
	out := w.none()
	each(in, func(i int) {
		if holds(n.op, w.s, i) {
			out[i>>6] |= 1 << (i & 63)
		}
	})
	return out
}

// repeat runs the least number of rounds, then adds what further rounds reach. A
// place reached earlier has more rounds left, so only new places go on. Rounds
// that no longer change anything are left out: there are at most len(s)+2 others.
func (w *sweeper) repeat(n *node, in positions) positions {
	for range n.min {
		out := w.run(n.subs[0], in)
		if slices.Equal(in, out) {
			break
		}
		in = out
	}
	reached, frontier := slices.Clone(in), in
	for round := n.min; n.max < 0 || round < n.max; round++ {
		next := w.none() // run may have given its argument back
		for i, b := range w.run(n.subs[0], frontier) {
			next[i] = b &^ reached[i]
			reached[i] |= next[i]
		}
		if frontier = next; frontier.empty() {
			break
		}
	}
	return reached
}

// each calls f for every member, ascending.
func each(set positions, f func(int)) {
	for i, b := range set {
		for ; b != 0; b &= b - 1 {
			f(i<<6 + bits.TrailingZeros64(b))
		}
	}
}

// holds says whether an anchor is true at offset i.
func holds(o op, s string, i int) bool {
	before := i > 0 && isWord(s[i-1])
	after := i < len(s) && isWord(s[i])
	switch o {
	case opBegin:
		return i == 0
	case opEnd:
		return i == len(s)
	case opWordStart:
		return !before && after
	case opWordEnd:
		return before && !after
	case opBoundary:
		return before != after
	case opNotBoundary:
		return before == after
	}
	return false
}
