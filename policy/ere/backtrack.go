package ere

import "strings"

// backtracker tries every way through the tree until one reaches the end, with
// the groups' contents at hand for back-references.
type backtracker struct {
	s      string
	groups []span // index is the group's number; from -1: never closed
	steps  int
}

type span struct{ from, to int }

// backtrack searches with back-references.
func (e *Expr) backtrack(s string) (bool, error) {
	b := &backtracker{s: s, groups: make([]span, e.groups+1)}
	for start := 0; start <= len(s); start++ {
		for i := range b.groups {
			b.groups[i] = span{-1, -1}
		}
		if b.run(e.root, start, func(int) bool { return true }) {
			return b.steps <= maxBackSteps, b.fault()
		}
	}
	return false, b.fault()
}

func (b *backtracker) fault() error {
	if b.steps > maxBackSteps {
		return ErrTooHard
	}
	return nil
}

// run matches n at offset i and calls then with each offset where it may end,
// until then says true.
func (b *backtracker) run(n *node, i int, then func(int) bool) bool {
	if b.steps++; b.steps > maxBackSteps {
		return false
	}
	switch n.op {
	case opSet:
		return i < len(b.s) && n.set.has(b.s[i]) && then(i+1)
	case opCat:
		return b.cat(n.subs, i, then)
	case opAlt:
		for _, sub := range n.subs {
			if b.run(sub, i, then) {
				return true
			}
		}
		return false
	case opGroup:
		return b.run(n.subs[0], i, func(end int) bool {
			was := b.groups[n.group]
			b.groups[n.group] = span{i, end}
			if then(end) {
				return true
			}
			b.groups[n.group] = was
			return false
		})
	case opRepeat:
		return b.repeat(n, 0, i, then)
	case opBackref:
		g := b.groups[n.group]
		return g.from >= 0 && strings.HasPrefix(b.s[i:], b.s[g.from:g.to]) && then(i+g.to-g.from)
	case opEmpty:
		return then(i)
	}
	return holds(n.op, b.s, i) && then(i)
}

func (b *backtracker) cat(subs []*node, i int, then func(int) bool) bool {
	if len(subs) == 0 {
		return then(i)
	}
	return b.run(subs[0], i, func(end int) bool { return b.cat(subs[1:], end, then) })
}

// repeat tries another round first, then goes on. A round that consumed nothing
// is the last: it has set the groups, and the rounds still owed would consume
// nothing either.
func (b *backtracker) repeat(n *node, done, i int, then func(int) bool) bool {
	if n.max < 0 || done < n.max {
		again := func(end int) bool {
			if end == i {
				return then(end)
			}
			return b.repeat(n, done+1, end, then)
		}
		if b.run(n.subs[0], i, again) {
			return true
		}
	}
	return done >= n.min && then(i)
}
