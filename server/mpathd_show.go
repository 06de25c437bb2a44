package server

import (
	"context"
	"fmt"
	"slices"

	"pathkeeper/configs"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/show"
)

// read makes a handler of a reader. found is false where what it is to show is not
// there.
func read(f func(*request) (text string, found bool)) handler {
	return func(_ context.Context, r *request) reply {
		text, found := f(r)
		if !found {
			return failed(failDevice)
		}
		return reply{text: text}
	}
}

func showPaths(r *request) (string, bool) {
	return show.FormatOfPaths(r.src.Snapshot(), show.FormatPaths, show.StyleTable), true
}

func showPathsFormat(r *request) (string, bool) {
	return show.FormatOfPaths(r.src.Snapshot(), r.arg(kwFormat), show.StyleTable), true
}

func showPathsRaw(r *request) (string, bool) {
	return show.FormatOfPaths(r.src.Snapshot(), r.arg(kwFormat), show.StyleRaw), true
}

func showPath(r *request) (string, bool) { return show.PathState(r.src.Snapshot(), r.arg(kwPath)) }

func showMaps(r *request) (string, bool) {
	return show.FormatOfMaps(r.src.Snapshot(), show.FormatMaps, show.StyleTable), true
}

func showMapsStatus(r *request) (string, bool) {
	return show.FormatOfMaps(r.src.Snapshot(), show.FormatMapsStatus, show.StyleTable), true
}

func showMapsStats(r *request) (string, bool) {
	return show.FormatOfMaps(r.src.Snapshot(), show.FormatMapsStats, show.StyleTable), true
}

func showMapsFormat(r *request) (string, bool) {
	return show.FormatOfMaps(r.src.Snapshot(), r.arg(kwFormat), show.StyleTable), true
}

func showMapsRaw(r *request) (string, bool) {
	return show.FormatOfMaps(r.src.Snapshot(), r.arg(kwFormat), show.StyleRaw), true
}

// daemonTopology says how multipathd prints maps: with the last change that was made
// of each, and columns as wide as all its paths need.
func daemonTopology() show.TopologyOptions {
	return show.TopologyOptions{Actions: true, WideAsAll: true}
}

func showTopology(r *request) (string, bool) {
	return show.Topology(r.src.Snapshot(), daemonTopology()), true
}

func showMapsJSON(r *request) (string, bool) { return show.MapsJSON(r.src.Snapshot()), true }

func showMapTopology(r *request) (string, bool) {
	return show.TopologyOfMap(r.src.Snapshot(), r.arg(kwMap), daemonTopology())
}

func showMapFormat(r *request) (string, bool) {
	return show.FormatOfMap(r.src.Snapshot(), r.arg(kwMap), r.arg(kwFormat))
}

func showMapJSON(r *request) (string, bool) {
	return show.MapJSON(r.src.Snapshot(), r.arg(kwMap))
}

func showStatus(r *request) (string, bool) {
	return show.PathCounts(r.src.Snapshot(), r.src.Status().Busy), true
}

// showDaemon says who answers and what it is doing, in multipathd's words. There it is
// running while it checks paths and idle between; scripts wait for idle, and
// blkdeactivate, at shutdown, ends queueing only of a daemon that is running.
func showDaemon(r *request) (string, bool) {
	st := r.src.Status()
	state, ok := map[string]string{StateStarting: "startup", StateConfiguring: "configure", StateStopping: "shutdown"}[st.State]
	switch {
	case ok:
	case st.Busy || show.HoldsBack(r.src.Snapshot()):
		state = "running"
	default:
		state = "idle"
	}
	if st.ReloadPending {
		state += " (pending reconfigure)"
	}
	return fmt.Sprintf("pid %d %s\n", st.PID, state), true
}

func showConfig(r *request) (string, bool) {
	return string(configs.Dump(r.config(configOf(r.src)), nil)), true
}

// showConfigLocal leaves out the device entries that no path of this host fits, and
// the LUNs that have no map here.
func showConfigLocal(r *request) (string, bool) {
	rules := r.src.Rules()
	if rules == nil {
		return string(configs.Dump(policy.Config{}, nil)), true
	}
	type entry struct{ vendor, product, revision, origin string }
	of := func(d policy.Device) entry { return entry{d.Vendor, d.Product, d.Revision, d.Origin.String()} }
	used := map[entry]bool{}
	seen := map[[3]string]bool{}
	for _, p := range r.src.Snapshot().Paths {
		id := p.Seen.Identity
		model := [3]string{id.Vendor, id.Model, id.Rev}
		if p.WWID == "" || seen[model] {
			continue
		}
		seen[model] = true
		for _, d := range rules.Matches(id) {
			used[of(d)] = true
		}
	}
	var maps []configs.LocalMap
	for _, m := range r.src.Snapshot().Maps {
		if m.Known {
			maps = append(maps, configs.LocalMap{WWID: m.WWID, Name: m.Name, Entry: m.Settings.MatchedID})
		}
	}
	return string(configs.DumpLocal(r.config(rules.Config()), func(d policy.Device) bool { return used[of(d)] }, maps)), true
}

// config is a configuration as who asks may see it.
func (r *request) config(c policy.Config) policy.Config {
	if r.root {
		return c
	}
	return configWithoutKeys(c)
}

func configOf(src Source) policy.Config {
	if rules := src.Rules(); rules != nil {
		return rules.Config()
	}
	return policy.Config{}
}

func showBlacklist(r *request) (string, bool) {
	rules := rulesOf(r.src)
	return show.Blacklist(rules), true
}

func showDevices(r *request) (string, bool) {
	return show.BlockDevices(r.src.Snapshot(), rulesOf(r.src), r.src.BlockDevices()), true
}

func showWildcards(*request) (string, bool) { return show.Wildcards(), true }

// rulesOf gives the configuration that is in force; at the very start that is none.
func rulesOf(src Source) *policy.Compiled {
	if rules := src.Rules(); rules != nil {
		return rules
	}
	rules, _ := policy.Compile(policy.Config{})
	return rules
}

// mapView finds a map as multipathd does: dm-N, name or WWID, in that order.
func mapView(s mpath.Snapshot, name string) *mpath.MapView {
	name = trimDev(name)
	for _, is := range []func(m *mpath.MapView) bool{
		func(m *mpath.MapView) bool { return m.Known && fmt.Sprintf("dm-%d", m.Truth.Dev.Minor) == name },
		func(m *mpath.MapView) bool { return m.Name == name },
		func(m *mpath.MapView) bool { return m.WWID == name },
	} {
		if i := slices.IndexFunc(s.Maps, func(m mpath.MapView) bool { return is(&m) }); i >= 0 {
			return &s.Maps[i]
		}
	}
	return nil
}
