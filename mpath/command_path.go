package mpath

import (
	"fmt"
	"strings"

	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

// runCommand takes a command one step further. What it wants is either a question
// of its own, or something that the plans do anyway once Want says so: then it
// waits until Have says so too.
func (mc *Machine) runCommand(c *command) {
	if c.Kind == CommandAddPath {
		mc.runAddPath(c)
		return
	}
	m := mc.mapOf(c.wwid)
	if m == nil { // nothing is known any more of a map that has neither table nor path
		switch {
		case c.Kind == CommandRemoveMap && c.answered && c.answer.Errno == ErrnoNone:
			mc.finish(c, ReplyDone, "removed")
		case c.Kind == CommandRemoveMap:
			mc.finish(c, ReplyAlready, "the map is gone")
		default:
			mc.finish(c, ReplyNotFound, "the map is gone")
		}
		return
	}
	switch c.Kind {
	case CommandFailPath, CommandReinstatePath, CommandRemovePath:
		p := mc.path(c.path)
		switch {
		case p == nil || p.wwid != c.wwid:
			mc.finish(c, ReplyNotFound, "the device left")
		case c.Kind == CommandFailPath:
			mc.runFail(c, m, p)
		case c.Kind == CommandReinstatePath:
			mc.runReinstate(c, m, p)
		default:
			mc.runRemovePath(c, m, p)
		}
		return
	}
	if c.Kind.ofReservation() {
		mc.runReservation(c, m)
		return
	}
	if m.ask != 0 && c.ask == 0 {
		return // it waits for its turn
	}
	if c.Kind == CommandSetMarginal || c.Kind == CommandUnsetMarginal {
		mc.runMarginal(c, m)
		return
	}
	mc.runMapCommand(c, m)
}

// isUp says whether a checker's state lets I/O through.
func isUp(s pathcheck.State) bool { return s == pathcheck.StateUp || s == pathcheck.StateGhost }

const suspendedText = "the map is suspended; `resume map` it first"

func (mc *Machine) runFail(c *command, m *mmap, p *path) {
	if c.stage == 0 {
		c.stage = 1
		if m.known && m.have.Suspended {
			mc.finish(c, ReplyRefused, suspendedText)
			return
		}
		if p.held && (p.kernelFailed || !p.inTable) {
			mc.finish(c, ReplyAlready, "failed by an operator already")
			return
		}
		p.held = true
		mc.touch(m)
		mc.stir(p)
	}
	switch {
	case !p.inTable:
		mc.finish(c, ReplyDone, "it stands in no table now, and stays out of the map until it is reinstated")
	case p.kernelFailed:
		mc.finish(c, ReplyDone, "failed, until it is reinstated")
	}
}

func (mc *Machine) runReinstate(c *command, m *mmap, p *path) {
	if c.stage == 0 {
		c.stage = 1
		switch {
		case p.stranger != "":
			mc.finish(c, ReplyRefused, "it leads to another LUN, "+p.stranger+"; remove the device and rescan its host once the array's mapping is right")
			return
		case m.known && m.have.Suspended:
			mc.finish(c, ReplyRefused, suspendedText)
			return
		case !p.held && p.up() && p.inTable && !p.kernelFailed:
			mc.finish(c, ReplyAlready, "in use")
			return
		}
		p.held = false
		mc.touch(m)
		mc.checkNow(p)
	}
	switch {
	case p.usable():
		mc.finish(c, ReplyDone, "in use")
	case p.answeredFor >= c.since && !p.up():
		mc.finish(c, ReplyRefused, "its checker says that it is "+p.state.Shown()+": "+p.message+"; it is reinstated by itself once the checker finds it well")
	case p.up() && p.refused != "":
		mc.finish(c, ReplyRefused, "it cannot be in the map: "+p.refused)
	case p.up() && p.answeredFor >= c.since && mc.ghostAlone(p, mc.pathsOf(m)):
		mc.finish(c, ReplyRefused, "it is a standby path, and its target would not take I/O while no active path works")
	}
}

// removedByOperator is why a path stays out that an operator has removed.
const removedByOperator = "removed by an operator; `add path` brings it back"

func (mc *Machine) runRemovePath(c *command, m *mmap, p *path) {
	if c.stage == 0 {
		if c.waits = inDoubt(mc.pathsOf(m)); m.ask != 0 || c.waits != "" {
			return
		}
		c.stage = 1
		switch {
		case p.dropped && !p.inTable:
			mc.finish(c, ReplyAlready, "removed by an operator already")
			return
		case m.known && m.have.Suspended:
			mc.finish(c, ReplyRefused, suspendedText)
			return
		}
		p.dropped = true
		if p.inTable && !anyUp(mc.loadOf(m, mc.pathsOf(m)).paths) {
			p.dropped = false
			mc.loadOf(m, mc.pathsOf(m)) // what it refuses is as before
			mc.finish(c, ReplyRefused, "it is the last usable path of "+m.label()+"; add another one first, or remove the map")
			return
		}
		m.retryAt = 0
		mc.touch(m)
	}
	switch {
	case !p.dropped:
		mc.finish(c, ReplyFailed, "somebody added it again meanwhile")
	case !p.inTable:
		mc.finish(c, ReplyDone, "no path of "+m.label()+" any more; `add path` brings it back")
	}
}

// runAddPath looks at a device and says what it is taken for.
func (mc *Machine) runAddPath(c *command) {
	name := strings.TrimPrefix(c.Path, "/dev/")
	p := mc.pathNamed(name)
	if p != nil {
		name = p.seen.Name
	}
	if c.stage == 0 {
		c.stage = 1
		if p != nil && p.dropped {
			p.dropped = false
			if m := mc.mapOf(p.wwid); m != nil {
				m.retryAt = 0
				mc.touch(m)
			}
		} else if p != nil && p.inTable && p.wwid != "" { // one that is left alone may stand in a table all the same
			mc.finish(c, ReplyAlready, "a path of "+mc.mapOf(p.wwid).label())
			return
		}
		if name == "" || strings.ContainsAny(name, "/:") {
			mc.finish(c, ReplyNotFound, "no device of that number or name is known; give its kernel name, as in /sys/block")
			return
		}
		mc.look(name)
		return // the answer is asked for in this step
	}
	if mc.looks.byName[name] != nil {
		return
	}
	p = mc.pathNamed(name)
	switch {
	case p == nil:
		for _, o := range mc.odd {
			if o.name == name {
				mc.finish(c, ReplyRefused, o.why)
				return
			}
		}
		mc.finish(c, ReplyNotFound, "there is no such block device")
	case p.wwid == "" && mc.lookingUp(p): // somebody may have run `multipath -a` for this
	case p.wwid == "" && p.decision.Verdict == policy.VerdictReject:
		mc.finish(c, ReplyRefused, "left alone: "+p.decision.Reason)
	case p.wwid == "":
		mc.finish(c, ReplyRefused, "not a path of any map: "+p.seen.Identity.Problem)
	case p.inTable:
		mc.finish(c, ReplyDone, "a path of "+mc.mapOf(p.wwid).label())
	case mc.mapOf(p.wwid).removed: // nothing is going to make it: there is nothing to wait for
		mc.finish(c, ReplyRefused, "of "+mc.mapOf(p.wwid).label()+", which an operator removed; `add map` makes it again")
	case p.answeredFor >= c.since && !p.up():
		mc.finish(c, ReplyDeferred, fmt.Sprintf("a path of %s; it joins when its checker finds it well (%s: %s)", mc.mapOf(p.wwid).label(), p.state.Shown(), p.message))
	case p.refused != "":
		mc.finish(c, ReplyRefused, "of "+mc.mapOf(p.wwid).label()+", but "+p.refused)
	}
}

// whyDown says in words why a path is failed in the kernel.
func (p *path) whyDown() string {
	switch {
	case p.held:
		return "failed by an operator"
	}
	return p.state.Shown() + ": " + p.message
}
