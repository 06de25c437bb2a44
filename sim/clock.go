package sim

import (
	"container/heap"

	"pathkeeper/mpath"
)

// Forever is the cost of a call that does not come back until somebody lets it.
const Forever = mpath.Span(1<<62 - 1)

// clock is the simulated time: what is due is done in the order of its time, and
// of two things at one time in the order in which they were asked for.
type clock struct {
	now    mpath.Instant
	order  uint64
	timers timers
}

type timer struct {
	at    mpath.Instant
	order uint64
	do    func()
}

// after has something done a span from now.
func (c *clock) after(s mpath.Span, do func()) {
	c.order++
	heap.Push(&c.timers, timer{c.now.After(max(s, 0)), c.order, do})
}

// step does the next thing that is due until then, and moves the time to it;
// false: nothing is due any more, and the time is until.
func (c *clock) step(until mpath.Instant) bool {
	if len(c.timers) == 0 || c.timers[0].at > until {
		c.now = max(c.now, until)
		return false
	}
	t := heap.Pop(&c.timers).(timer)
	c.now = max(c.now, t.at)
	t.do()
	return true
}

// timers is a heap by time, then order.
type timers []timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	if t[i].at != t[j].at {
		return t[i].at < t[j].at
	}
	return t[i].order < t[j].order
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)   { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = timer{}
	*t = old[:len(old)-1]
	return last
}
