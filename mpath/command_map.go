package mpath

import (
	"fmt"
	"strconv"
	"strings"
)

func (mc *Machine) runMapCommand(c *command, m *mmap) {
	if c.Kind == CommandAddMap {
		mc.runAddMap(c, m)
		return
	}
	if c.ask != 0 {
		return // its answer decides, though the map be gone by now
	}
	if !m.known && !c.answered {
		code, text := ReplyNotFound, "the kernel has no such map"
		if c.Kind == CommandRemoveMap {
			m.removed = true
			code = ReplyAlready
		} else if m.lastError != "" {
			text += ": " + m.lastError
		}
		mc.finish(c, code, text)
		return
	}
	if m.have.Suspended && c.Kind != CommandResumeMap && c.Kind != CommandSuspendMap && c.Kind != CommandResetStats && c.Kind != CommandRenameMap && !c.answered {
		mc.finish(c, ReplyRefused, suspendedText)
		return
	}
	switch c.Kind {
	case CommandRemoveMap:
		mc.runRemove(c, m)
	case CommandResizeMap:
		mc.runResize(c, m)
	case CommandReloadMap:
		mc.runReload(c, m)
	case CommandRenameMap:
		mc.runRename(c, m)
	case CommandResetStats:
		m.count = Counters{}
		if m.countSince != 0 {
			m.countSince = mc.now
		}
		mc.finish(c, ReplyDone, "counted from 0 again")
	case CommandSwitchGroup:
		mc.runSwitch(c, m)
	case CommandDisableQueueing, CommandRestoreQueueing:
		mc.runQueueing(c, m)
	case CommandReassign:
		mc.runReassign(c, m)
	case CommandSuspendMap:
		mc.runSuspend(c, m)
	case CommandResumeMap:
		mc.runResume(c, m)
	default:
		mc.finish(c, ReplyRefused, "no such command")
	}
}

func (mc *Machine) runAddMap(c *command, m *mmap) {
	if c.stage == 0 {
		c.stage = 1
		switch {
		case m.known:
			mc.finish(c, ReplyAlready, "there")
			return
		case len(mc.pathsOf(m)) == 0:
			mc.finish(c, ReplyNotFound, "no path of it is known")
			return
		}
		m.removed, m.retryAt, m.retryDelay, m.lastError = false, 0, 0, ""
		mc.touch(m)
	}
	switch {
	case m.known:
		mc.finish(c, ReplyDone, "created")
	case m.lastError != "":
		mc.finish(c, ReplyFailed, m.lastError)
	}
}

// Who opens a map for a moment only, as udevd does after each of its events, keeps an
// operator's removal waiting, not from being done.
const (
	removePatience = 3 * Second
	removeLook     = 200 * Millisecond
)

// runRemove removes a map. How often it is open is nobody's news: it is read first.
func (mc *Machine) runRemove(c *command, m *mmap) {
	switch c.stage {
	case 0:
		c.stage = 1
		mc.readMap(m)
	case 1:
		if m.read != 0 {
			return
		}
		if m.have.Deferred && c.Arg == "deferred" {
			mc.finish(c, ReplyAlready, "goes at its last close")
			return
		}
		users := mc.openedBy(m)
		if users > 0 && c.Arg != "deferred" && mc.now.Since(c.since) < removePatience {
			if mc.now.Since(m.haveAt) >= removeLook {
				mc.readMap(m)
			}
			return
		}
		if users > 0 && c.Arg != "deferred" {
			mc.finish(c, ReplyBusy, fmt.Sprintf(
				"open %d times; `findmnt`, `fuser -v /dev/mapper/%s` and /sys/block/dm-%d/holders say by whom; it is removed when nobody has it open, or deferred",
				users, m.have.Name, m.have.Dev.Minor))
			return
		}
		if c.answer.Errno == ErrnoBusy && mc.now.Since(m.haveAt) < removeLook {
			return // it was refused just now
		}
		c.stage, m.removal = 2, removalOperator
		mc.askFor(c, m, "remove", mc.removeAction(m, c.Arg == "deferred", "an operator asked for it"))
	default:
		if c.answer.Errno == ErrnoBusy && mc.now.Since(c.since) < removePatience {
			c.stage, c.answered = 1, false
			return
		}
		if c.answer.Errno == ErrnoNone && c.answer.HasTruth && c.answer.Truth.Deferred {
			mc.finish(c, ReplyDeferred, "it is open and goes at its last close")
			return
		}
		mc.outcome(c, "removed; not made again until `add map`, a new path or a reload of the configuration")
	}
}

func (mc *Machine) runReload(c *command, m *mmap) {
	if c.answered && c.answer.Errno == ErrnoChanged && c.stage < 3 {
		if m.read != 0 || mc.looking() {
			return // somebody was faster: what is true now is being read
		}
		c.answered = false
	}
	if c.answered {
		mc.outcome(c, "has a new table")
		return
	}
	if !m.settingOK || m.have.Live && m.have.Target != "multipath" {
		mc.finish(c, ReplyRefused, "no path of it is there whose settings could be used")
		return
	}
	if m.part.since != 0 && m.part.loadedAt == 0 && m.have.Live {
		c.waits = "an apply or a reload of the configuration is at it"
		return
	}
	m.accepted, m.asFound, m.noHandler, m.handlerFails, m.retryAt, m.lastError = nil, false, false, 0, 0, ""
	mc.stirMap(m)
	mc.chooseName(m)
	ps := mc.pathsOf(m)
	l := mc.loadOf(m, ps)
	if c.waits = inDoubt(ps); c.waits != "" {
		return
	}
	if !anyUp(l.paths) {
		mc.finish(c, ReplyRefused, "no path of it may be loaded now: "+mc.whyNone(ps))
		return
	}
	c.stage++
	mc.askFor(c, m, "load", mc.loadMap(m, l, "an operator asked for it"))
}

// inDoubt names a path that works and is about to be identified again, "" none. A
// load without it would be the first of two.
func inDoubt(ps []*path) string {
	for _, p := range ps {
		if p.up() && !p.proven() {
			return "path " + p.seen.Name + " works, but is to be identified again first"
		}
	}
	return ""
}

// whyNone says of each path why it cannot be loaded.
func (mc *Machine) whyNone(ps []*path) string {
	var out []string
	for _, p := range ps {
		why := p.refused
		switch {
		case why != "":
		case p.held:
			why = "failed by an operator"
		case !p.up():
			why = p.state.Shown() + ": " + p.message
		default:
			why = "its identity was not read again since it failed"
		}
		out = append(out, p.seen.Name+" ("+why+")")
	}
	if len(out) == 0 {
		return "there is none"
	}
	return strings.Join(out, ", ")
}

func (mc *Machine) runRename(c *command, m *mmap) {
	if c.stage == 0 {
		c.stage = 1
		if m.settingOK {
			m.name = ""
			mc.chooseName(m)
		}
		if m.name == "" {
			mc.finish(c, ReplyRefused, "no path of it is there that could say what it is to be called")
			return
		}
		if c.Arg != "" && c.Arg != m.name {
			mc.finish(c, ReplyRefused, fmt.Sprintf("the configuration calls it %s (%s); put `alias %s` into its multipath section and reload", m.name, m.nameWhy, c.Arg))
			return
		}
		m.accepted = dropSorted(m.accepted, "name") // not before: what is refused changes nothing
		if m.name == m.have.Name {
			mc.finish(c, ReplyAlready, "called so")
			return
		}
		m.retryAt, m.lastError = 0, "" // what failed before is not this command's answer
		mc.touch(m)
	}
	switch {
	case m.have.Name == m.name:
		mc.finish(c, ReplyDone, "renamed")
	case m.lastError != "":
		mc.finish(c, ReplyFailed, m.lastError)
	}
}

func (mc *Machine) runSwitch(c *command, m *mmap) {
	if c.answered {
		if c.answer.Errno == ErrnoNone {
			m.steeredAt = mc.now
		}
		mc.outcome(c, "path group "+c.Arg+" is used")
		return
	}
	n, err := strconv.Atoi(c.Arg)
	switch g := mc.groupPriority(m, n); {
	case err != nil || n < 1 || n > len(m.have.Table.Groups):
		mc.finish(c, ReplyRefused, fmt.Sprintf("%q is no path group of it: it has 1 to %d", c.Arg, len(m.have.Table.Groups)))
	case m.have.Status.Next == n:
		m.steeredAt = mc.now
		mc.finish(c, ReplyAlready, "path group "+c.Arg+" is used")
	case g.enabled == 0 && !c.Force:
		mc.finish(c, ReplyRefused, "no path of group "+c.Arg+" is usable")
	default:
		mc.askFor(c, m, "switch to group "+c.Arg, Message{
			Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Text: "switch_group " + strconv.Itoa(n), Reason: "an operator asked for it",
		})
	}
}

// runQueueing switches queueing off whatever the configuration says, or leaves it
// to the configuration again.
func (mc *Machine) runQueueing(c *command, m *mmap) {
	is := m.have.Table.QueueIfNoPath()
	if c.stage == 0 {
		c.stage = 1
		disable := c.Kind == CommandDisableQueueing
		switch {
		case disable && m.queueOff:
			if m.endsQueue && c.Arg != ForHostEnd {
				m.endsQueue, mc.dl.dirty = false, true
			}
			if !is {
				mc.finish(c, ReplyAlready, "does not queue")
				return
			}
		case disable:
			m.queueOff, m.queueWas, m.endsQueue = true, is, c.Arg == ForHostEnd
		case !m.queueOff:
			mc.finish(c, ReplyAlready, "queueing was not disabled: it is as configured")
			return
		default:
			m.queueOff, m.endsQueue = false, false
		}
		m.accepted = dropSorted(m.accepted, "queueing")
		m.pauseUntil = 0
		mc.dl.dirty = true
		mc.touch(m)
	}
	if on, decided := m.wantQueue(); decided && on != is {
		return // planQueue sees to it
	}
	m.queueWas = m.queueWas && m.queueOff
	text := "queueing is as configured again"
	if c.Kind == CommandDisableQueueing {
		text = "does not queue until `restore queueing` or a reload of the configuration"
	}
	mc.finish(c, ReplyDone, text)
}

// force has queueing outlive the daemon on all maps.
func (mc *Machine) force(c *command) {
	force := c.Kind == CommandForceQueueing
	code := ReplyDone
	if mc.forced == force {
		code = ReplyAlready
	}
	mc.forced = force
	text := "queueing goes on when the daemon ends, on every map"
	if !force {
		text = "queue_without_daemon says again whether queueing goes on when the daemon ends"
	}
	mc.finish(c, code, text)
}

func (mc *Machine) runSuspend(c *command, m *mmap) {
	switch {
	case c.answered:
		mc.outcome(c, "suspended: its I/O waits until `resume map`")
	case m.have.Suspended:
		mc.finish(c, ReplyAlready, "suspended")
	default:
		m.suspNoted = true
		mc.askFor(c, m, "suspend", SuspendMap{Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, Reason: "an operator asked for it"})
	}
}

func (mc *Machine) runResume(c *command, m *mmap) {
	switch {
	case c.answered:
		mc.outcome(c, "runs")
	case !m.have.Suspended:
		mc.finish(c, ReplyAlready, "runs")
	case !m.have.Live:
		mc.finish(c, ReplyRefused, "it has no table yet")
	default:
		mc.askFor(c, m, "resume", ResumeMap{Seq: mc.nextSeq(), WWID: m.wwid, Name: m.have.Name, NoKpartx: m.settings.SkipKpartx.V, Reason: "an operator asked for it"})
	}
}
