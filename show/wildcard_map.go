package show

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// mapWildcards are the wildcards of maps, in the order of multipath-tools' table.
func mapWildcards() []wildcard[*mpath.MapView] {
	number := func(n func(m *mpath.MapView) int) func(*view, *mpath.MapView) string {
		return func(_ *view, m *mpath.MapView) string { return strconv.Itoa(n(m)) }
	}
	return []wildcard[*mpath.MapView]{
		{'n', "name", func(_ *view, m *mpath.MapView) string { return m.Name }},
		{'w', "uuid", func(_ *view, m *mpath.MapView) string { return m.WWID }},
		{'d', "sysfs", func(_ *view, m *mpath.MapView) string { return sysName(*m) }},
		{'F', "failback", failbackText},
		{'Q', "queueing", queueingText},
		{'N', "paths", func(v *view, m *mpath.MapView) string { return strconv.Itoa(v.working(m)) }},
		{'r', "write_prot", func(_ *view, m *mpath.MapView) string { return protection(m) }},
		{'t', "dm-st", mapStateText},
		{'S', "size", func(_ *view, m *mpath.MapView) string { return Size(m.Truth.Size) }},
		{'f', "features", func(_ *view, m *mpath.MapView) string { return counted(m.Truth.Table.Features) }},
		{'x', "failures", number(func(m *mpath.MapView) int { return m.Failures })},
		{'h', "hwhandler", func(_ *view, m *mpath.MapView) string { return counted(m.Truth.Table.Handler) }},
		{'A', "action", func(_ *view, m *mpath.MapView) string { return m.LastAction }},
		{'0', "path_faults", number(func(m *mpath.MapView) int { return m.Faults })},
		{'1', "switch_grp", number(func(m *mpath.MapView) int { return m.Switches })},
		{'2', "map_loads", number(func(m *mpath.MapView) int { return m.Loads })},
		{'3', "total_q_time", func(_ *view, m *mpath.MapView) string { return strconv.FormatInt(m.Waited.Seconds(), 10) }},
		{'4', "q_timeouts", number(func(m *mpath.MapView) int { return m.Waits })},
		{'s', "vend/prod", func(v *view, m *mpath.MapView) string { return v.product(m) }},
		{'v', "vend", func(v *view, m *mpath.MapView) string { vendor, _ := v.vendor(m); return missing(vendor) }},
		{'p', "prod", func(v *view, m *mpath.MapView) string { _, model := v.vendor(m); return missing(model) }},
		{'e', "rev", func(v *view, m *mpath.MapView) string { return missing(v.rev(m)) }},
		{'G', "foreign", func(*view, *mpath.MapView) string { return "--" }},
		{'g', "vpd page data", func(v *view, m *mpath.MapView) string { return v.mapPageData(m) }},
		{'k', "max_sectors_kb", func(*view, *mpath.MapView) string { return "n/a" }},
	}
}

// failbackText gives how a map fails back; while a delayed failback waits, how far
// it is.
func failbackText(v *view, m *mpath.MapView) string {
	f := m.Settings.Failback.V
	switch f.Mode {
	case policy.FailbackImmediate:
		return "immediate"
	case policy.FailbackManual:
		return "manual"
	case policy.FailbackFollowover:
		return "followover"
	case policy.FailbackDeferred:
		if m.FailbackAt != 0 && m.FailbackAt != mpath.Never {
			return progress(m.FailbackAt.Since(v.s.Now).Seconds(), int64(f.Seconds))
		}
		return "deferred:" + strconv.Itoa(f.Seconds)
	}
	return "undef"
}

// queueingText gives what no_path_retry does: for ever, not, for so many checks,
// or for how many seconds yet.
func queueingText(v *view, m *mpath.MapView) string {
	n := m.Settings.NoPathRetry.V
	switch n.Mode {
	case policy.RetryFail:
		return "off"
	case policy.RetryQueue:
		return "on"
	case policy.RetryCount:
		switch {
		case m.Queueing.Until != 0 && m.Queueing.Until != mpath.Never && !m.Queueing.Expired:
			return fmt.Sprintf("%d sec", max(m.Queueing.Until.Since(v.s.Now).Seconds(), 0))
		case !m.Queueing.Expired && v.working(m) > 0:
			return fmt.Sprintf("%d chk", n.Checks)
		}
		return "off"
	}
	return "-"
}

// working counts the paths of the kernel's table that are up or ghost.
func (v *view) working(m *mpath.MapView) int {
	n := 0
	for _, g := range m.Groups {
		for _, id := range g.Paths {
			if p := v.byID[id]; p != nil && up(p.State) && p.Stranger == "" {
				n++
			}
		}
	}
	return n
}

func mapStateText(_ *view, m *mpath.MapView) string {
	if m.Truth.Suspended {
		return "suspend"
	}
	return "active"
}

func (v *view) product(m *mpath.MapView) string {
	vendor, model := v.vendor(m)
	return missing(vendor) + "," + missing(model)
}

func (v *view) rev(m *mpath.MapView) string {
	for _, p := range v.pathsOf(m) {
		if p.Seen.Identity.Rev != "" {
			return p.Seen.Identity.Rev
		}
	}
	return ""
}

func (v *view) mapPageData(m *mpath.MapView) string {
	for _, p := range v.pathsOf(m) {
		if p.Seen.PageData != "" {
			return p.Seen.PageData
		}
	}
	return "[undef]"
}

// pathsOf gives a map's paths: those of the kernel's table in its order, then the
// others.
func (v *view) pathsOf(m *mpath.MapView) []*mpath.PathView {
	var out []*mpath.PathView
	for _, g := range m.Groups {
		for _, id := range g.Paths {
			if p := v.byID[id]; p != nil {
				out = append(out, p)
			}
		}
	}
	return append(out, v.waiting(m)...)
}

// progress draws what is left of a wait: ten characters and the seconds.
func progress(left, total int64) string {
	if total <= 0 {
		return strings.Repeat(".", 10) + " 0/0"
	}
	left = min(max(left, 0), total)
	bar := int(10 * left / total)
	return strings.Repeat("X", bar) + strings.Repeat(".", 10-bar) + fmt.Sprintf(" %d/%d", left, total)
}

func numberOrNA(n int) string {
	if n <= 0 {
		return "n/a"
	}
	return strconv.Itoa(n)
}

// groupRow is a path group of a map.
type groupRow struct {
	m *mpath.MapView
	i int
}

// groupWildcards are the wildcards of path groups; topology and JSON use them.
func groupWildcards() []wildcard[groupRow] {
	return []wildcard[groupRow]{
		{'s', "selector", func(_ *view, g groupRow) string { return selector(g.m, g.i) }},
		{'p', "pri", func(_ *view, g groupRow) string { return strconv.Itoa(max(g.m.Groups[g.i].Priority, 0)) }},
		{'t', "dm_st", func(_ *view, g groupRow) string { return groupState(g.m.Groups[g.i].State) }},
		{'M', "marginal_st", func(v *view, g groupRow) string { return marginal(v.marginalGroup(g)) }},
	}
}

// marginalGroup says whether every path of a group is marginal.
func (v *view) marginalGroup(g groupRow) bool {
	for _, id := range g.m.Groups[g.i].Paths {
		if p := v.byID[id]; p == nil || !p.Marginal {
			return false
		}
	}
	return len(g.m.Groups[g.i].Paths) > 0
}

func marginal(is bool) string {
	if is {
		return "marginal"
	}
	return "normal"
}
