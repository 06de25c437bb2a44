package mpath

import (
	"fmt"
	"slices"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

// Snapshot is everything that can be shown, at one moment. It shares nothing
// with the core and is never changed: readers hold it as long as they like.
type Snapshot struct {
	Now     Instant
	Started bool    // the first picture is complete
	GapAt   Instant // end of the last standstill, 0: none
	Looking int     // devices that are to be identified, or are being
	Maps    []MapView
	Paths   []PathView // every block device that was looked at, rejected ones too
	Knobs   []KnobView // what is written in sysfs, by directory
}

// KnobView is what is wanted of one object in sysfs, and what the kernel has.
type KnobView struct {
	Dir     string // below /sys
	Want    []Knob
	Why     string
	Have    []KnobState // nil: not answered yet
	Trouble string      // what the kernel refused; "" nothing
	Clash   string      // its paths want different things
	Wrote   int
}

// MapView is one map.
type MapView struct {
	WWID       string
	Name       string // as the kernel has it, else as wanted
	NameWhy    string
	Known      bool // the kernel has it
	Truth      Truth
	ReadAt     Instant
	Settings   policy.Settings
	Owner      Owner
	Node       NodeSeen // owner and mode as last seen; zero: not looked at yet
	Drift      string
	Adopted    bool
	Accepted   []string // differences from the configuration that wait for a reload
	Former     string   // why it keeps its former settings until the next reload or apply; "" it does not
	Groups     []GroupView
	Queueing   QueueView
	FailbackAt Instant
	Busy       string // the action in flight
	LastError  string
	LastAction string // the last change of it that was made: create, reload, switchpg, rename, resize; "" none
	Counters
	// Reservation is what those who make persistent reservations have told.
	Reservation ReservationView
}

// QueueView is what no_path_retry does.
type QueueView struct {
	On      bool // by the kernel's table
	Off     bool // an operator disabled it
	Until   Instant
	Expired bool
}

// GroupView is one path group of the kernel's table.
type GroupView struct {
	Number   int // from 1
	Selector string
	Priority int
	State    table.GroupState
	Current  bool
	Paths    []PathID
}

// PathView is one block device.
type PathView struct {
	ID            PathID
	Name          string
	HCTL          string
	WWID          string // of its map; "" not a path
	Map           string // label of its map
	Seen          PathSeen
	Decision      policy.Decision
	State         pathcheck.State
	StateSince    Instant
	Message       string
	DevState      string
	Priority      int // -1 unknown
	PriorityState string
	InTable       bool
	KernelFailed  bool
	Stranger      string
	Refused       string
	Held          bool // an operator keeps it failed
	Marginal      bool // an operator calls it flaky
	Registered    bool // registered with the LUN, as whoever did it has told
	NextCheck     Instant
	Interval      Span
	CheckOpen     bool
	// HungSince is when the check was asked that is overdue now, 0: none is.
	HungSince Instant
	Hangs     int    // how often a check was overdue
	Doubt     bool   // the device reported something that allows it to be another LUN
	Odd       string // not identified at all: why; then only Name is set
}

// Snapshot copies what can be shown.
func (mc *Machine) Snapshot() Snapshot {
	s := Snapshot{Now: mc.now, Started: mc.started, GapAt: mc.gapAt, Looking: len(mc.looks.byName)}
	for _, m := range mc.maps {
		s.Maps = append(s.Maps, mc.viewMap(m))
	}
	for _, p := range mc.paths {
		v := PathView{
			ID: p.id, Name: p.seen.Name, HCTL: p.seen.HCTL, WWID: p.wwid, Seen: p.seen, Decision: p.decision,
			State: p.state, StateSince: p.stateSince, Message: p.message, DevState: p.devState,
			Priority: p.priority(), PriorityState: p.prio.State, InTable: p.inTable, KernelFailed: p.kernelFailed,
			Stranger: p.stranger, Refused: p.refused, Held: p.held, Marginal: p.marginal, Registered: p.registered, NextCheck: p.nextCheck, Interval: p.interval, CheckOpen: p.checkSeq != 0,
			Hangs: p.hangs, Doubt: p.doubtAt != 0,
		}
		if p.stuck {
			v.HungSince = p.checkAsked
			v.Message = fmt.Sprintf("no answer for %d s", mc.now.Since(p.checkAsked).Seconds())
		}
		if m := mc.mapOf(p.wwid); m != nil {
			v.Map = m.label()
		}
		s.Paths = append(s.Paths, v)
	}
	for _, t := range mc.tuned {
		s.Knobs = append(s.Knobs, KnobView{Dir: t.dir, Want: t.want, Why: t.why, Have: t.have, Trouble: t.trouble, Clash: t.clash, Wrote: t.wrote})
	}
	for _, o := range mc.odd {
		s.Paths = append(s.Paths, PathView{Name: o.name, Odd: o.why, StateSince: o.since, Priority: -1})
	}
	return s
}

func (mc *Machine) viewMap(m *mmap) MapView {
	v := MapView{
		WWID: m.wwid, Name: m.label(), NameWhy: m.nameWhy, Known: m.known, Truth: m.have, ReadAt: m.haveAt, Settings: m.settings,
		Owner: m.owner, Node: m.node, Drift: m.drift, Adopted: m.adopted, Accepted: slices.Clone(m.accepted), Former: m.former, FailbackAt: m.failbackAt,
		Busy: m.askWhat, LastError: m.lastError, LastAction: m.lastAction, Counters: mc.counters(m), Reservation: mc.reservation(m),
		Queueing: QueueView{On: m.have.Table.QueueIfNoPath(), Until: m.queue.at, Expired: m.queue.expired, Off: m.queueOff},
	}
	for i, g := range m.have.Table.Groups {
		gv := GroupView{Number: i + 1, Selector: g.Selector, Priority: mc.groupPriority(m, i+1).prio, Current: m.have.Status.Next == i+1}
		if i < len(m.have.Status.Groups) {
			gv.State = m.have.Status.Groups[i].State
		}
		for _, tp := range g.Paths {
			id := PathID{Dev: tp.Dev}
			if p := mc.pathByDev(tp.Dev); p != nil {
				id = p.id
			}
			gv.Paths = append(gv.Paths, id)
		}
		v.Groups = append(v.Groups, gv)
	}
	return v
}

// Summary counts what there is, for a line of the log.
func (s Snapshot) Summary() string {
	paths, maps := 0, 0
	for _, p := range s.Paths {
		if p.WWID != "" {
			paths++
		}
	}
	for _, m := range s.Maps {
		if m.Known {
			maps++
		}
	}
	return fmt.Sprintf("%d maps, %d paths, %d devices left alone", maps, paths, len(s.Paths)-paths)
}
