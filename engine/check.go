package engine

import (
	"fmt"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/scsi"
)

// checking is one check of one path: the kernel's state of the device, the
// checker, the identity where the path may count as up only with it, and the
// priority.
type checking struct {
	e  *Engine
	a  mpath.StartCheck
	ev mpath.CheckDone

	answered bool // the last command reached the device and came back
}

func (e *Engine) check(a mpath.StartCheck) Step {
	c := &checking{e: e, a: a, ev: mpath.CheckDone{Seq: a.Seq, Path: a.Path}}
	return ask(Ask{Kind: KindAttr, Path: "block/" + a.Name + "/device/state"}, c.haveState)
}

func (c *checking) haveState(r Answer) Step {
	if r.Errno == 0 {
		c.ev.DevState = strings.TrimSpace(string(r.Bytes))
	}
	if run, v := pathcheck.DeviceState(c.ev.DevState, pathcheck.KindSCSI); !run {
		c.ev.Verdict = v
		return done(c.ev)
	}
	checker, err := pathcheck.New(c.a.Checker, pathcheck.Params{TimeoutMS: c.a.TimeoutMS})
	if err != nil {
		return c.down(pathcheck.StateWild, err.Error())
	}
	return c.step(checker, checker.Start())
}

func (c *checking) down(s pathcheck.State, msg string) Step {
	c.ev.Verdict = pathcheck.Verdict{State: s, Message: msg}
	return done(c.ev)
}

func (c *checking) step(checker pathcheck.Checker, s pathcheck.Step) Step {
	if !s.Done {
		return c.carry(*s.Ask, func(r pathcheck.Response) Step { return c.step(checker, checker.Answer(r)) })
	}
	c.ev.Verdict = s.Verdict
	up := s.Verdict.State == pathcheck.StateUp || s.Verdict.State == pathcheck.StateGhost
	// A device that answered, though only to say that it is down, can still
	// say who it is; one that did not answer is not asked again.
	answers := up || s.Verdict.State == pathcheck.StateDown && c.answered
	switch {
	case s.Verdict.Inconclusive || !answers:
		return done(c.ev)
	case c.a.Identify || s.Verdict.IdentityDoubt:
		return c.identify(up)
	}
	return c.priority(up)
}

// carry sends a checker's request to the port that it is for.
func (c *checking) carry(r pathcheck.Request, then func(pathcheck.Response) Step) Step {
	if r.Attr != "" {
		return ask(Ask{Kind: KindAttr, Path: "block/" + c.a.Name + "/device/" + r.Attr}, func(a Answer) Step {
			return then(pathcheck.Response{Errno: a.Errno, Text: strings.TrimSpace(string(a.Bytes))})
		})
	}
	if r.SCSI != nil {
		return ask(Ask{Kind: KindSCSI, Device: c.a.Name, ID: c.a.Path, SG: c.a.SG, HostNo: c.a.HostNo, SCSI: *r.SCSI, TimeoutMS: r.SCSI.TimeoutMS}, func(a Answer) Step {
			c.answered = a.SCSI.Errno == 0 && a.SCSI.Host == scsi.HostOK
			return then(pathcheck.Response{SCSI: a.SCSI})
		})
	}
	return ask(Ask{Kind: KindReadDisk, Device: c.a.Name, ID: c.a.Path, Offset: r.Read.Offset, Length: r.Read.Length, TimeoutMS: r.Read.TimeoutMS}, func(a Answer) Step {
		c.answered = a.Errno == 0
		return then(pathcheck.Response{Errno: a.Errno, Bytes: a.N})
	})
}

// identify asks the device who it is and compares.
func (c *checking) identify(up bool) Step {
	q := inquirer{device: c.a.Name, id: c.a.Path, sg: c.a.SG, host: c.a.HostNo, timeoutMS: min(c.a.TimeoutMS, identifyTimeoutMS)}
	return q.read(func(raw scsi.Raw, problem string) Step {
		if q.full && up {
			// It answers, and has no room for a command now. That is no reason to
			// take it for a device that cannot say who it is.
			c.ev.Verdict = pathcheck.Verdict{State: pathcheck.StatePending, Message: problem, Inconclusive: true}
			return done(c.ev)
		}
		if problem != "" {
			c.ev.Found = problem
			return c.priority(up)
		}
		id := scsi.Identify(raw)
		if id.WWID == "" {
			c.ev.Found = id.Problem
			return c.priority(up)
		}
		c.ev.Identified, c.ev.Found = true, id.WWID
		c.ev.Same = id.WWID == c.a.Expect
		if !c.ev.Same {
			return done(c.ev)
		}
		return c.priority(up)
	})
}

// priority asks for the path's priority, if the path can be used.
func (c *checking) priority(up bool) Step {
	if c.a.Prio == "" || !up {
		return done(c.ev)
	}
	prio, err := pathcheck.NewPrio(c.a.Prio, pathcheck.PrioParams{
		TimeoutMS: c.a.TimeoutMS, Args: c.a.PrioArgs,
		Identity: scsi.Identity{TPGS: c.a.TPGS, PortGroup: c.a.PortGroup, RelPort: -1},
		HCTL:     c.a.HCTL, Name: c.a.Name, Serial: c.a.Serial,
	})
	if err != nil {
		c.ev.PrioAsked = true
		c.ev.Prio = pathcheck.PrioResult{Message: err.Error(), TPG: -1}
		return done(c.ev)
	}
	return c.prioStep(prio, prio.Start())
}

func (c *checking) prioStep(prio pathcheck.Prioritizer, s pathcheck.PrioStep) Step {
	if !s.Done {
		return c.carry(*s.Ask, func(r pathcheck.Response) Step { return c.prioStep(prio, prio.Answer(r)) })
	}
	c.ev.PrioAsked, c.ev.Prio = true, s.Prio
	if s.Prio.IdentityDoubt && !c.ev.Identified {
		// The prioritizer's command took the unit attention that casts doubt.
		c.a.Prio = ""
		return c.identify(true)
	}
	return done(c.ev)
}

// describe names an action's target for an error's text.
func describe(what, name string, r Answer) string {
	text := fmt.Sprintf("%s of %s: %s", what, name, errnoWords(r.Errno))
	if r.Detail != "" {
		text += " (" + r.Detail + ")"
	}
	return text
}

func errnoWords(n uint32) string {
	if e := errnoOf(n); e != mpath.ErrnoOther {
		return e.String()
	}
	return fmt.Sprintf("errno %d", n)
}
