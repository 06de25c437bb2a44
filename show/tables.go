package show

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// Maps prints one line per map: name, kernel name, size, paths that work of those
// in the kernel's table, state, queueing, the owner that is wanted and the one
// that its node has, WWID, and what is to be said. nodes are the nodes as they
// are now; for a map without one the daemon's last look counts, and "-" is none.
func Maps(s mpath.Snapshot, nodes []mpath.NodeSeen) string {
	v := newView(s)
	var g grid
	g.add("name", "sysfs", "size", "paths", "state", "queueing", "owner-wanted", "owner", "wwid", "note")
	for _, m := range v.maps() {
		sys, size := "-", "-"
		if m.Known {
			sys, size = sysName(*m), Size(m.Truth.Size)
		}
		g.add(m.Name, sys, size, v.pathCount(m), mapState(m), queueing(s.Now, m), wantedOwner(m.Owner), foundOwner(m, nodes),
			m.WWID, strings.Join(append(notes(m), ownerNotes(m, nodes)...), "; "))
	}
	return g.String()
}

// pathCount gives "3/4": working paths of those in the kernel's table, and "+1"
// for each that waits outside it.
func (v *view) pathCount(m *mpath.MapView) string {
	all, ok := 0, 0
	for _, g := range m.Groups {
		for _, id := range g.Paths {
			all++
			if p := v.byID[id]; p != nil && up(p.State) && p.Stranger == "" && !v.kernelFailed(m, id.Dev) {
				ok++
			}
		}
	}
	text := fmt.Sprintf("%d/%d", ok, all)
	if n := len(v.waiting(m)); n > 0 {
		text += fmt.Sprintf("+%d", n)
	}
	return text
}

func (v *view) kernelFailed(m *mpath.MapView, dev table.DevNum) bool {
	return v.dm(m, dev).State == table.PathFailed
}

func mapState(m *mpath.MapView) string {
	switch {
	case !m.Known:
		return "absent"
	case m.Truth.Suspended:
		return "suspended"
	case !m.Truth.Live:
		return "empty"
	case m.Truth.ReadOnly:
		return "read-only"
	}
	return "active"
}

// queueing says what happens to I/O while no path works: off, on, "12s" until it
// is failed, or that it is failed because the time is over.
func queueing(now mpath.Instant, m *mpath.MapView) string {
	q := m.Queueing
	switch {
	case !m.Known:
		return "-"
	case q.Expired:
		return "expired"
	case q.Until != 0 && q.On:
		return strconv.FormatInt(max(q.Until.Since(now).Seconds(), 0), 10) + "s"
	case q.On:
		return "on"
	}
	return "off"
}

func wantedOwner(o mpath.Owner) string {
	if !o.Set() {
		return "-"
	}
	return strings.ReplaceAll(o.String(), " ", ",")
}

func foundOwner(m *mpath.MapView, nodes []mpath.NodeSeen) string {
	if n, ok := nodeOf(m, nodes); ok {
		return fmt.Sprintf("%d:%d,%04o", n.UID, n.GID, n.Mode)
	}
	return "-"
}

// nodeOf gives a map's node: as it is now if somebody looked, else as the daemon
// saw it last.
func nodeOf(m *mpath.MapView, nodes []mpath.NodeSeen) (mpath.NodeSeen, bool) {
	for _, n := range nodes {
		if m.Known && n.Dev == m.Truth.Dev {
			return n, true
		}
	}
	return m.Node, m.Known && m.Node.Dev == m.Truth.Dev
}

// drifts says whether a node is not as it is wanted.
func drifts(want mpath.Owner, n mpath.NodeSeen) bool {
	return want.UID >= 0 && want.UID != int64(n.UID) || want.GID >= 0 && want.GID != int64(n.GID) || want.Mode >= 0 && want.Mode != int64(n.Mode)
}

func ownerNotes(m *mpath.MapView, nodes []mpath.NodeSeen) []string {
	var out []string
	if n, ok := nodeOf(m, nodes); ok && drifts(m.Owner, n) {
		out = append(out, "owner differs from what is wanted")
	}
	if m.Drift != "" {
		out = append(out, "owner drifted before ("+m.Drift+")")
	}
	for _, n := range []string{unresolved("uid", m.Settings.UID, m.Owner.UID), unresolved("gid", m.Settings.GID, m.Owner.GID)} {
		if n != "" {
			out = append(out, n)
		}
	}
	return out
}

// unresolved tells of a user or group that is configured and could not be turned
// into a number.
func unresolved(what string, v policy.Value[string], got int64) string {
	if v.V == "" || got >= 0 {
		return ""
	}
	return fmt.Sprintf("%s %s is not known here (%s)", what, v.V, v.Origin)
}

// notes gives what is to be said of a map, most pressing first.
func notes(m *mpath.MapView) []string {
	var out []string
	if m.Known && m.Truth.Live && m.Truth.Target != "multipath" && m.Truth.Target != "" {
		out = append(out, "has a "+m.Truth.Target+" table, not ours: left alone")
	}
	if m.Truth.Deferred {
		out = append(out, "the kernel removes it at its last close")
	}
	if m.Queueing.Off {
		out = append(out, "queueing disabled by an operator: `map restore-queueing` ends that")
	}
	if m.LastError != "" && m.Known {
		out = append(out, "last error: "+m.LastError)
	}
	if len(m.Accepted) > 0 {
		out = append(out, "adopted: differs ("+strings.Join(m.Accepted, ", ")+"), `pathkeeper reload` applies the configuration")
	}
	if m.Former != "" {
		out = append(out, m.Former+": it keeps its former settings, `pathkeeper plan` says what a reload would do")
	}
	if m.Busy != "" {
		out = append(out, "in flight: "+m.Busy)
	}
	if !m.Known && m.LastError != "" {
		out = append(out, "not made: "+m.LastError)
	}
	return out
}

// Paths prints one line per path: device, address, device number, map, the
// kernel's, the checker's and the device's state, priority, and why. all adds the
// devices that are no paths, each with the reason and the rule that says so.
func Paths(s mpath.Snapshot, all bool) string {
	v := newView(s)
	var g grid
	g.add("dev", "hctl", "dev_t", "map", "dm", "checker", "device", "prio", "note")
	for _, p := range v.paths() {
		if p.WWID == "" && !all {
			continue
		}
		g.add(p.Name, dash(p.HCTL), devText(p), mapLabel(p), dmState(p), nativeState(p), dash(p.DevState), priority(p), Why(*p))
	}
	return g.String()
}

func devText(p *mpath.PathView) string {
	if p.Odd != "" {
		return "-"
	}
	return p.ID.Dev.String()
}

func mapLabel(p *mpath.PathView) string {
	switch {
	case p.Map != "":
		return p.Map
	case p.WWID != "":
		return p.WWID
	case p.Decision.Verdict == policy.VerdictMaybe:
		return "(maybe)"
	}
	return "(none)"
}

// dmState gives the kernel's word for a path: active, failed, "-" in no table.
func dmState(p *mpath.PathView) string {
	switch {
	case !p.InTable:
		return "-"
	case p.KernelFailed:
		return "failed"
	}
	return "active"
}

func nativeState(p *mpath.PathView) string {
	if p.WWID == "" {
		return "-"
	}
	return strings.ReplaceAll(p.State.Shown(), " ", "-")
}

func priority(p *mpath.PathView) string {
	if p.WWID == "" || p.Priority < 0 {
		return "-"
	}
	return strconv.Itoa(p.Priority)
}
