package mpath

import (
	"fmt"
	"slices"
	"strings"
)

// Once is the life of a core that serves one command of a host without a daemon: it
// looks at everything, brings the maps into line or carries out what an operator wants,
// and ends when nothing is left to do or its time is over. It says what the core is to
// be told next; the shell tells it, and what the core asked for.
//
// It decides nothing of its own: all that is done to a map is the core's.
type Once struct {
	// Commands are carried out one after the other. None: maps are made, and brought
	// into line with Config.
	Commands []Command
	Config   Configured
	// Only are the WWIDs of the maps that are meant; nil: all.
	Only []string
	// Reload gives every map that is meant a new table, whether it needs one or not.
	Reload bool
	// QueueOff switches queueing off at the end on what was made or loaded: nobody is
	// there who would ever end it.
	QueueOff bool
	// Retries is how often a removal that finds its map in use is tried again, RetryEvery
	// apart.
	Retries int
	Limit   Span

	// Did is what was done to the maps, in the order in which it began.
	Did []OnceDid
	// Replies are the answers to Commands, and then to the reloads.
	Replies []Reply
	// Left says what was not done when the time was over, "" nothing.
	Left string

	stage   onceStage
	began   Instant
	waiting bool // for the reply of the first command
	retryAt Instant
	asked   uint64
	answer  Reply
	queues  []string // WWIDs of maps that queue by what was done to them, sorted
	ended   Instant  // when the end began
	asking  []uint64 // what was asked of the kernel for maps that are meant, and not answered by then
}

// OnceDid is the foremost of what was done to one map: create, reload, resize, rename,
// switchpg.
type OnceDid struct{ WWID, What string }

// onceRanks orders what is done to a map: the first is told.
func onceRanks() []string { return []string{"create", "reload", "resize", "rename", "switchpg"} }

type onceStage uint8

const (
	onceLooks onceStage = iota
	onceConfigures
	onceCommands
	onceEnds
	onceDone
)

const (
	retryEvery   = 1 * Second
	onceEndLimit = 5 * Second
)

// Took sees what the core asks for and answers.
func (o *Once) Took(a Action) {
	switch a := a.(type) {
	case CreateMap:
		o.did(a.WWID, "create")
		o.queueing(a.WWID, a.Table.QueueIfNoPath())
	case LoadMap:
		o.did(a.WWID, "reload")
		o.queueing(a.WWID, a.Table.QueueIfNoPath())
	case ResizeMap:
		o.did(a.WWID, "resize")
	case RenameMap:
		o.did(a.WWID, "rename")
	case Message:
		if strings.HasPrefix(a.Text, "switch_group ") {
			o.did(a.WWID, "switchpg")
		}
		o.queueing(a.WWID, a.Text == "queue_if_no_path")
	case Reply:
		if a.Seq == o.asked {
			o.answer = a
		}
	}
}

// meant says whether a map is one of those that are meant: what the core wants of any
// other one is not done.
func (o *Once) meant(wwid string) bool { return o.Only == nil || slices.Contains(o.Only, wwid) }

func (o *Once) did(wwid, what string) {
	if !o.meant(wwid) {
		return
	}
	i := slices.IndexFunc(o.Did, func(d OnceDid) bool { return d.WWID == wwid })
	if i < 0 {
		o.Did = append(o.Did, OnceDid{wwid, what})
		return
	}
	ranks := onceRanks()
	if slices.Index(ranks, what) < slices.Index(ranks, o.Did[i].What) {
		o.Did[i].What = what
	}
}

func (o *Once) queueing(wwid string, on bool) {
	if on && o.meant(wwid) {
		o.queues = addSorted(o.queues, wwid)
	}
}

// Next gives what the core is to be told now, nil nothing, until done. only are the
// maps that may be changed from then on, nil those as before. It is asked after each
// step, and now and then.
func (o *Once) Next(mc *Machine, now Instant) (ev Event, only []string, done bool) {
	if o.began == 0 {
		o.began = now
	}
	if o.stage < onceEnds && now.Since(o.began) >= o.Limit {
		o.Left = mc.unsettled(o.Only, o.Limit)
		return o.end(mc, now)
	}
	switch o.stage {
	case onceLooks:
		switch {
		case len(o.Commands) > 0 && mc.started:
			o.stage = onceCommands
		case mc.Quiet(o.Only):
			o.stage = onceConfigures
			o.Config.Reconfigure = true
			return o.Config, nil, false
		}
		return nil, nil, false
	case onceConfigures:
		if !mc.Quiet(o.Only) {
			return nil, nil, false
		}
		o.reloads(mc)
		o.stage = onceCommands
		return nil, nil, false
	case onceCommands:
		return o.command(mc, now)
	case onceEnds:
		open := slices.ContainsFunc(mc.maps, func(m *mmap) bool {
			return m.ask != 0 && (o.meant(m.wwid) || slices.Contains(o.asking, m.ask))
		})
		if !open || now.Since(o.ended) >= onceEndLimit {
			o.stage = onceDone
		}
	}
	return nil, nil, o.stage == onceDone
}

// Stop ends it before its time: what is under way is waited for, nothing else is begun.
func (o *Once) Stop(mc *Machine, now Instant, why string) (ev Event) {
	if o.stage >= onceEnds {
		return nil
	}
	o.Left = why
	o.stage, o.ended = onceEnds, now
	return Stopping{}
}

// reloads asks for a new table of every map that has not got one by now.
func (o *Once) reloads(mc *Machine) {
	for _, m := range mc.maps {
		if o.Reload && m.known && len(m.paths) > 0 && !o.hasLoaded(m.wwid) && o.meant(m.wwid) {
			o.Commands = append(o.Commands, Command{Kind: CommandReloadMap, Map: m.wwid})
		}
	}
}

func (o *Once) hasLoaded(wwid string) bool {
	return slices.ContainsFunc(o.Did, func(d OnceDid) bool { return d.WWID == wwid && (d.What == "create" || d.What == "reload") })
}

// command puts one command after the other.
func (o *Once) command(mc *Machine, now Instant) (ev Event, only []string, done bool) {
	if o.waiting && o.answer.Seq == o.asked {
		o.waiting = false
		r := o.answer
		if o.Retries > 0 && (r.Code == ReplyBusy || o.Commands[0].Kind == CommandRemoveUnused && o.remain(mc)) {
			o.Retries--
			o.retryAt = now.After(retryEvery)
			return nil, nil, false
		}
		o.Replies = append(o.Replies, r)
		o.Commands = o.Commands[1:]
	}
	switch {
	case o.waiting || now < o.retryAt:
		return nil, nil, false
	case len(o.Commands) == 0:
		if !mc.Quiet(o.Only) {
			return nil, nil, false
		}
		return o.end(mc, now)
	}
	c := o.Commands[0]
	o.asked++
	c.Seq = o.asked
	o.waiting = true
	return c, nil, false
}

// remain says whether one of the maps that are meant is still there.
func (o *Once) remain(mc *Machine) bool {
	return slices.ContainsFunc(mc.maps, func(m *mmap) bool { return m.known && slices.Contains(o.Only, m.wwid) })
}

// end has queueing switched off where it shall be, and waits for what is under way: a
// map in the making would stay without a table.
func (o *Once) end(mc *Machine, now Instant) (ev Event, only []string, done bool) {
	o.stage, o.ended = onceEnds, now
	for _, m := range mc.maps {
		if o.meant(m.wwid) {
			o.asking = append(o.asking, m.ask)
		}
	}
	o.Only = append([]string{}, o.queues...)
	return Stopping{Final: o.QueueOff && len(o.queues) > 0}, o.Only, false
}

// Quiet says whether the maps that are meant, nil all, are as they are wanted, as far
// as can be: nothing is asked or under way for them, and what was written is durable.
func (mc *Machine) Quiet(only []string) bool {
	if !mc.started || mc.names.ask != 0 && !mc.names.hung || mc.known.ask != 0 || mc.known.find != 0 {
		return false
	}
	return !slices.ContainsFunc(mc.maps, func(m *mmap) bool {
		return (only == nil || slices.Contains(only, m.wwid)) && mc.busyWith(m) != ""
	})
}

// busyWith says what a map still waits for, "" nothing.
func (mc *Machine) busyWith(m *mmap) string {
	switch {
	case m.ask != 0:
		return m.askWhat + ": the kernel has not answered"
	case m.read != 0:
		return "its state is being read"
	case m.touched, m.holdUntil != 0, m.retryAt != 0 && (m.retryDelay != 0 || m.handlerFails > 0) && m.retryDelay <= 2*askAgain:
		return "its paths have not all answered"
	case mc.unanswered(m, m.paths) || !mc.watched(m):
		return "its paths have not all answered since it was asked for a new table"
	}
	return ""
}

// watched says whether every path of a new table that worked before it has answered
// since, or never will.
func (mc *Machine) watched(m *mmap) bool {
	return !slices.ContainsFunc(m.part.kept, func(id PathID) bool {
		p := mc.path(id)
		return p != nil && !p.stuck && p.answeredFor <= m.part.loadedAt
	})
}

// unsettled says what was not done in a time.
func (mc *Machine) unsettled(only []string, limit Span) string {
	var out []string
	if !mc.started {
		out = append(out, "the first picture of the host is not complete: a device or device-mapper does not answer")
	}
	for _, m := range mc.maps {
		if why := mc.busyWith(m); why != "" && (only == nil || slices.Contains(only, m.wwid)) {
			out = append(out, m.label()+": "+why)
		}
	}
	if len(out) == 0 {
		out = append(out, "a state file is not written yet")
	}
	return fmt.Sprintf("not all was done within %d s: %s", limit.Seconds(), strings.Join(out, "; "))
}
