package mpath

import (
	"reflect"

	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

// What a storm counts: which event met which state. A state has a name here and
// nowhere else; the core itself decides by its fields.

// PathStates are the names that Meets gives to paths.
func PathStates() []string {
	return []string{
		"silent", "rejected", "new", "up", "ghost", "down", "overdue", "stranger", "unverified",
		"up, failed by the kernel", "up, outside the table", "down, outside the table",
	}
}

// MapStates are the names that Meets gives to maps.
func MapStates() []string {
	return []string{
		"wanted", "creating", "unread", "waiting to retry", "to be adopted", "without a table", "suspended by us", "suspended by another",
		"loading", "in a message", "removing", "renaming", "resuming", "removed by another", "without paths", "counting down", "expired",
		"waiting to fail back", "well",
	}
}

// EventNames are the names that EventName gives.
func EventNames() []string {
	names := []string{
		"CheckDone up", "CheckDone ghost", "CheckDone down", "CheckDone timeout", "CheckDone inconclusive", "CheckDone stranger",
		"PathSeen", "PathSeen silent", "PathSeen from the cache", "PathUnreadable", "PathUnreadable gone", "DeviceHint", "DeviceHint remove",
		"Scanned", "Scanned badly", "MapsListed", "MapsListed badly", "Configured", "Configured again", "MapRead", "MapRead gone", "MapRead badly",
	}
	for _, e := range []Errno{ErrnoNone, ErrnoBusy, ErrnoInvalid, ErrnoGone, ErrnoNoMem, ErrnoIO, ErrnoChanged, ErrnoOther} {
		names = append(names, doneName(e))
	}
	for _, ev := range eventKinds() {
		switch ev.(type) {
		case CheckDone, ActionDone, MapRead, PathSeen, PathUnreadable, DeviceHint, Scanned, MapsListed, Configured:
		default:
			names = append(names, EventName(ev))
		}
	}
	return names
}

// EventName tells the kinds of events apart as far as the core does: "CheckDone up",
// "ActionDone EBUSY".
func EventName(ev Event) string {
	switch e := ev.(type) {
	case CheckDone:
		switch {
		case e.Verdict.Inconclusive:
			return "CheckDone inconclusive"
		case e.Identified && !e.Same:
			return "CheckDone stranger"
		}
		return "CheckDone " + e.Verdict.State.String()
	case ActionDone:
		return doneName(e.Errno)
	case MapRead:
		switch e.Errno {
		case ErrnoNone:
			return "MapRead"
		case ErrnoGone:
			return "MapRead gone"
		}
		return "MapRead badly"
	case PathSeen:
		switch {
		case e.Identity.WWID == "":
			return "PathSeen silent"
		case !e.Fresh:
			return "PathSeen from the cache"
		}
		return "PathSeen"
	case PathUnreadable:
		if e.Gone {
			return "PathUnreadable gone"
		}
		return "PathUnreadable"
	case DeviceHint:
		if e.Remove {
			return "DeviceHint remove"
		}
		return "DeviceHint"
	case Scanned:
		if e.Bad != "" {
			return "Scanned badly"
		}
		return "Scanned"
	case MapsListed:
		if e.Bad != "" {
			return "MapsListed badly"
		}
		return "MapsListed"
	case Configured:
		if e.Reconfigure {
			return "Configured again"
		}
		return "Configured"
	}
	return reflect.TypeOf(ev).Name()
}

func doneName(e Errno) string {
	switch e {
	case ErrnoNone:
		return "ActionDone"
	case ErrnoBusy, ErrnoInvalid, ErrnoGone, ErrnoNoMem, ErrnoIO, ErrnoChanged:
		return "ActionDone " + e.String()
	}
	return "ActionDone another error"
}

// Meets tells which states of paths and maps an event is about to meet: of the
// objects that it is about, or of all where it is about the host.
func (mc *Machine) Meets(ev Event, onePath, oneMap func(state string)) {
	onPath := func(p *path) {
		if p == nil {
			return
		}
		onePath(mc.pathState(p))
		if m := mc.mapOf(p.wwid); m != nil {
			oneMap(mc.mapState(m))
		}
	}
	onMap := func(m *mmap) {
		if m != nil {
			oneMap(mc.mapState(m))
		}
	}
	switch e := ev.(type) {
	case CheckDone:
		if p := mc.path(e.Path); p != nil && p.checkSeq == e.Seq {
			onPath(p)
		}
	case PathSeen:
		if mc.looks.bySeq[e.Seq] != nil {
			onPath(mc.path(e.ID))
		}
	case PathUnreadable:
		for _, p := range mc.find.names[e.Name] {
			onPath(p)
		}
	case DeviceHint:
		for _, p := range mc.find.names[e.Name] {
			onPath(p)
		}
	case MapEvent:
		onMap(mc.find.dev[e.Dev])
	case NodeSeen:
		onMap(mc.find.dev[e.Dev])
	case MapRead:
		if m := mc.find.asked[e.Seq]; m != nil {
			onMap(m)
			for _, p := range m.paths {
				onePath(mc.pathState(p))
			}
		}
	case ActionDone:
		if m := mc.find.asked[e.Seq]; m != nil {
			onMap(m)
			for _, p := range m.paths {
				onePath(mc.pathState(p))
			}
		}
	case Wake:
		for _, t := range mc.due.heap {
			switch {
			case t.at > mc.promised:
			case t.p != nil:
				onPath(t.p)
			default:
				onMap(t.m)
			}
		}
	default:
		for _, p := range mc.paths {
			onePath(mc.pathState(p))
		}
		for _, m := range mc.maps {
			oneMap(mc.mapState(m))
		}
	}
}

func (mc *Machine) pathState(p *path) string {
	switch {
	case p.silent():
		return "silent"
	case p.wwid == "":
		return "rejected"
	case p.stranger != "":
		return "stranger"
	case p.stuck:
		return "overdue"
	case p.state == pathcheck.StateUnknown:
		return "new"
	case p.up() && p.inTable && p.kernelFailed:
		return "up, failed by the kernel"
	case p.up() && !p.verified():
		return "unverified"
	case p.up() && !p.inTable:
		return "up, outside the table"
	case p.state == pathcheck.StateGhost:
		return "ghost"
	case p.up():
		return "up"
	case !p.inTable:
		return "down, outside the table"
	}
	return "down"
}

func (mc *Machine) mapState(m *mmap) string {
	if m.ask != 0 {
		switch m.askWhat {
		case "create":
			return "creating"
		case "load":
			return "loading"
		case "remove":
			return "removing"
		case "rename":
			return "renaming"
		case "resume":
			return "resuming"
		}
		return "in a message"
	}
	switch {
	case !m.known && m.removed:
		return "removed by another"
	case !m.known && m.listed:
		return "unread"
	case m.known && !m.have.Live:
		return "without a table"
	case m.known && m.have.Suspended && m.ourSuspend:
		return "suspended by us"
	case m.known && m.have.Suspended:
		return "suspended by another"
	case m.retryAt > mc.now:
		return "waiting to retry"
	case !m.known:
		return "wanted"
	case m.adoptDue:
		return "to be adopted"
	case m.queue.expired:
		return "expired"
	case m.queue.at != 0:
		return "counting down"
	case len(m.paths) == 0:
		return "without paths"
	case m.failbackAt != 0 && m.settings.Failback.V.Mode == policy.FailbackDeferred:
		return "waiting to fail back"
	}
	return "well"
}
