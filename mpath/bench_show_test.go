package mpath

import (
	"fmt"
	"strings"

	"pathkeeper/pathcheck"
)

// since gives an instant in seconds since the script began; 0 for never.
func since(t Instant) float64 {
	if t == 0 || t == Never {
		return 0
	}
	return float64(t-Instant(100*Second)) / 1e9
}

// extras writes those of "name value" pairs that say something: what is empty, zero, no
// or never is left out.
func extras(pairs ...any) string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		text := ""
		switch v := pairs[i+1].(type) {
		case Instant:
			if v != 0 {
				text = fmt.Sprintf("%.2f", since(v))
			}
		case bool:
			if v {
				text = "yes"
			}
		case string:
			if v != "" {
				text = fmt.Sprintf("%q", v)
			}
		default:
			if text = fmt.Sprint(v); text == "0" || text == "[]" {
				text = ""
			}
		}
		if text != "" {
			out = append(out, fmt.Sprintf("%s=%s", pairs[i], text))
		}
	}
	return strings.Join(out, " ")
}

// show writes everything that a person could be shown.
func (b *bench) show() {
	s := b.mc.Snapshot()
	b.say("started=%v settled=%v complete=%v %v open=%d %s", s.Started, b.mc.Settled(), b.mc.Complete(false), b.mc.Complete(true), b.mc.OpenActions(),
		extras("gap", s.GapAt, "looking", s.Looking, "wakes", b.wakes))
	for _, m := range s.Maps {
		b.showMap(m)
	}
	for _, p := range s.Paths {
		b.showPath(p)
	}
	for _, k := range s.Knobs {
		b.say("knobs %s %v %s", k.Object(), k.Have, extras("want", k.Want, "trouble", k.Trouble, "clash", k.Clash, "wrote", k.Wrote))
	}
}

func (b *bench) showMap(m MapView) {
	until := ""
	if m.Queueing.Until != 0 {
		until = fmt.Sprintf(" until %.2f expired=%v", since(m.Queueing.Until), m.Queueing.Expired)
	}
	b.say("map %s %s known=%v adopted=%v accepted=%v queue=%v%s busy=%q error=%q loads=%d switches=%d faults=%d owner=%s",
		m.Name, m.WWID, m.Known, m.Adopted, m.Accepted, m.Queueing.On, until, m.Busy, m.LastError, m.Loads, m.Switches, m.Faults, m.Owner)
	if m.Failures+m.Waits > 0 || m.Waited > 0 {
		b.say("  failures=%d waits=%d waited=%.2f", m.Failures, m.Waits, float64(m.Waited)/1e9)
	}
	t, r := m.Truth, m.Reservation
	if text := extras("size", t.Size, "open", t.Open, "suspended", t.Suspended, "read-only", t.ReadOnly, "deferred", t.Deferred, "target", strings.TrimSuffix(t.Target, "multipath"), "event", t.EventNr, "read", m.ReadAt); text != "" {
		b.say("  %s", text)
	}
	if text := extras("why", m.NameWhy, "drift", m.Drift, "former", m.Former, "off", m.Queueing.Off, "failback", m.FailbackAt, "last", m.LastAction); text != "" {
		b.say("  %s", text)
	}
	if m.Node != (NodeSeen{}) {
		b.say("  node %d:%d %04o", m.Node.UID, m.Node.GID, m.Node.Mode)
	}
	if r.Key.Key != 0 || r.Status == PRSet || r.Hold == PRSet {
		b.say("  reservation %s, held %s, key %s of %s", r.Status, r.Hold, r.Key, r.Key.WWID)
	}
	for _, g := range m.Groups {
		b.say("  group %d prio=%d current=%v %v", g.Number, g.Priority, g.Current, g.Paths)
	}
}

func (b *bench) showPath(p PathView) {
	if p.Odd != "" {
		b.say("odd %s %s", p.Name, p.Odd)
		return
	}
	b.say("path %s %s of %q state=%s prio=%d table=%v failed=%v stranger=%q refused=%q checking=%v interval=%d next=%.2f dev=%s %q",
		p.Name, p.ID, p.WWID, p.State, p.Priority, p.InTable, p.KernelFailed, p.Stranger, p.Refused, p.CheckOpen, p.Interval.Seconds(), since(p.NextCheck), p.DevState, p.Message)
	reason := p.Decision.Reason
	if p.WWID != "" && p.State != pathcheck.StateUnknown {
		reason = "" // as of every path
	}
	if text := extras("since", p.StateSince, "held", p.Held, "marginal", p.Marginal, "registered", p.Registered, "hung", p.HungSince, "hangs", p.Hangs, "doubt", p.Doubt, "in-use", p.Seen.Facts.InUse, "reason", reason); text != "" {
		b.say("  %s", text)
	}
}
