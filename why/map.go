package why

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/show"
)

// aMap explains a map: its name, groups, queueing, state, paths and settings.
func (x *explainer) aMap(m *mpath.MapView) {
	e := x.e
	e.Kind, e.Name, e.WWID = "map", mapLabel(m), m.WWID
	e.Claim, e.Verdict = policy.ClaimUnknown.String(), policy.VerdictUnknown.String()
	x.compile(x.b.Config)
	t := x.sub.target(x.b)
	if len(x.sub.devices) > 0 {
		d := x.rules.Decide(t.Identity, t.Facts, t.State)
		e.Verdict, e.Claim, e.Origin = d.Verdict.String(), d.Claim.String(), ""
		if d.Origin != (policy.Origin{}) {
			e.Origin = d.Origin.String()
		}
		x.decide(t)
		x.e.of = " for " + t.Facts.Devnode
	} else {
		x.compile(WithoutDevices(x.b.Config))
		x.note("no device of it is here: what device entries would give it is not looked at")
	}
	e.Answer = x.mapAnswer(m)
	x.fact("Name", x.nameWhy(m, t))
	x.groups(m)
	x.queueing(m)
	x.fact("Failback", x.failback(m))
	x.fact("Checker", withOrigin(m.Settings.Checker.V, m.Settings.Checker.Origin)+every(m.Settings))
	x.fact("Owner", owner(m))
	x.state(m)
	for _, p := range x.sub.devices {
		text := pathText(x.s.Now, *p)
		if !p.InTable && p.WWID == "" {
			text = "no path of it: " + p.Decision.Reason
		}
		e.Paths = append(e.Paths, Line{p.Name, text})
	}
	x.settings(t)
}

func (x *explainer) mapAnswer(m *mpath.MapView) string {
	total, good := 0, 0
	for _, p := range x.sub.devices {
		if p.WWID != m.WWID {
			continue
		}
		total++
		if p.InTable && usable(*p) {
			good++
		}
	}
	text := fmt.Sprintf("%s: %d of %d paths work", mapLabel(m), good, total)
	switch {
	case !m.Known:
		return text + "; the kernel does not have the map yet"
	case m.Truth.Suspended:
		return text + "; the map is suspended: all I/O waits"
	case total == 0:
		return mapLabel(m) + ": none of its devices is here"
	}
	if want := m.Settings.ExpectedPaths.V; want > total {
		text += fmt.Sprintf("; %d are expected", want)
	}
	return text
}

// nameWhy says why the map is called so, and which name it did not get.
func (x *explainer) nameWhy(m *mpath.MapView, t policy.Target) string {
	n := x.rules.Name(policy.NameRequest{
		Identity: t.Identity, Settings: x.rules.Decide(t.Identity, t.Facts, t.State).Settings, State: t.State, DMNames: x.b.Names, OldAlias: m.Truth.Name, ReadOnly: x.b.ReadOnly,
	})
	text := m.Name + ": " + m.NameWhy
	switch {
	case m.Name == "":
		text = "none yet"
	case m.NameWhy == "" && n.Name == m.Name:
		text += withOrigin(n.Reason, n.Origin)
	case m.NameWhy == "":
		text += "the name that the kernel has"
	}
	if n.Name != "" && m.Name != "" && n.Name != m.Name && n.Source != policy.NameFromWWID {
		text += "; by the configuration it would be " + n.Name + ": " + withOrigin(n.Reason, n.Origin)
	}
	if n.Refused != "" && !strings.Contains(text, n.Refused) {
		text += "; " + n.Refused
	}
	if s := m.Settings.Alias; s.V == "" {
		for _, v := range x.rules.Effective(t) {
			if v.Keyword == "alias" && len(v.Beat) > 0 {
				text += fmt.Sprintf("; the alias %s (%s) is not its own: %s", v.Beat[0].Value, v.Beat[0].Origin, x.holder(v.Beat[0].Value, t.Identity.WWID))
			}
		}
	}
	return text
}

// holder says who has an alias that a LUN does not get.
func (x *explainer) holder(alias, wwid string) string {
	for _, m := range x.b.Config.Multipaths {
		if s, ok := m.Layer.Lookup("alias"); ok && s.Value == alias && m.WWID != wwid {
			return fmt.Sprintf("%s has it by %s", m.WWID, s.Origin)
		}
	}
	return "it cannot be a map's name"
}

// groups says why the map's paths are grouped as they are.
func (x *explainer) groups(m *mpath.MapView) {
	if len(m.Groups) == 0 {
		return
	}
	policyName := m.Settings.Grouping.V
	text := fmt.Sprintf("%d, by path_grouping_policy %s", len(m.Groups), withOrigin(policyName, m.Settings.Grouping.Origin))
	if s, ok := map[string]string{
		"failover": "each path is a group of its own", "multibus": "all paths are one group", "group_by_prio": "paths of one priority are a group, the highest first",
		"group_by_tpg": "paths of one target port group are a group", "group_by_serial": "paths of one serial number are a group", "group_by_node_name": "paths to one target node are a group",
	}[policyName]; ok {
		text += ": " + s
	}
	if slices.Contains([]string{"group_by_prio", "group_by_tpg"}, policyName) || policyName == "failover" {
		text += "; priorities by prio " + withOrigin(m.Settings.Prio.V, m.Settings.Prio.Origin)
	}
	var lines []string
	for _, g := range m.Groups {
		line := fmt.Sprintf("group %d, priority %d, %s", g.Number, g.Priority, g.State)
		if g.Current {
			line += ", in use"
		}
		lines = append(lines, line+": "+strings.Join(x.members(g, policyName), ", "))
	}
	x.fact("Groups", text, lines...)
}

// members names the paths of a group, each with what it is grouped by.
func (x *explainer) members(g mpath.GroupView, policyName string) []string {
	var out []string
	for _, id := range g.Paths {
		i := slices.IndexFunc(x.s.Paths, func(p mpath.PathView) bool { return p.Odd == "" && p.ID == id })
		if i < 0 {
			out = append(out, id.Dev.String())
			continue
		}
		p := x.s.Paths[i]
		d, _ := x.b.Facts(p.ID)
		by := ""
		switch policyName {
		case "group_by_prio", "failover":
			by = p.PriorityState
		case "group_by_tpg":
			by = fmt.Sprintf("target port group %d", d.TPG)
		case "group_by_serial":
			by = "serial " + p.Seen.Identity.Serial
		case "group_by_node_name":
			by = "node " + p.Seen.Node
		}
		if by != "" {
			by = " (" + by + ")"
		}
		out = append(out, p.Name+by)
	}
	return out
}

// queueing says what becomes of I/O when no path works, and why.
func (x *explainer) queueing(m *mpath.MapView) {
	q, set := m.Queueing, m.Settings.NoPathRetry
	by := "no_path_retry " + withOrigin(set.V.String(), set.Origin)
	wait := set.V.Checks * m.Settings.PollingInterval.V
	text := ""
	switch {
	case !m.Known:
		return
	case q.Off:
		text = "off: an operator disabled it; `map restore-queueing` ends that"
	case q.Expired:
		text = fmt.Sprintf("off: no path worked for %s, and what waited was failed; it comes back with the first path", byChecks(set.V.Checks, m.Settings.PollingInterval.V))
	case q.On && q.Until != 0 && q.Until != mpath.Never:
		text = fmt.Sprintf("on, for %d s more: no path works, then I/O fails: %s", q.Until.Since(x.s.Now).Seconds(), by)
	case q.On && set.V.Mode == policy.RetryCount:
		text = fmt.Sprintf("on: when no path works I/O waits %d s, then fails: %s, %s", wait, by, byChecks(set.V.Checks, m.Settings.PollingInterval.V))
	case q.On && set.V.Mode == policy.RetryQueue:
		text = "on: when no path works I/O waits for ever: " + by
	case q.On:
		text = "on: the kernel's table says so, and " + by + " leaves it so"
	case set.V.Mode == policy.RetryUnset:
		text = "off: I/O fails when no path works: no_path_retry is set nowhere, and features have no queue_if_no_path"
	case set.V.Mode == policy.RetryFail:
		text = "off: I/O fails when no path works: " + by
	default:
		text = "off by the kernel's table, though " + by + "; it is switched on with the next check"
	}
	x.fact("Queueing", text)
}

func byChecks(checks, interval int) string {
	return fmt.Sprintf("%d checks of polling_interval %d s", checks, interval)
}

func every(s policy.Settings) string {
	return fmt.Sprintf(", every %d to %d s", s.PollingInterval.V, s.MaxPollingInterval.V)
}

func (x *explainer) failback(m *mpath.MapView) string {
	set := m.Settings.Failback
	text := withOrigin(set.V.String(), set.Origin)
	best, current := 0, 0
	for _, g := range m.Groups {
		if best == 0 && x.anyUsable(g) {
			best = g.Number
		}
		if g.Current {
			current = g.Number
		}
	}
	switch {
	case m.FailbackAt != 0 && m.FailbackAt != mpath.Never:
		text += fmt.Sprintf(": group %d is better than group %d; back in %d s", best, current, max(m.FailbackAt.Since(x.s.Now).Seconds(), 0))
	case best != 0 && current != 0 && best != current && set.V.Mode == policy.FailbackManual:
		text += fmt.Sprintf(": group %d is better than group %d and stays unused until `pathkeeper map switch-group`", best, current)
	}
	return text
}

func (x *explainer) anyUsable(g mpath.GroupView) bool {
	return slices.ContainsFunc(x.s.Paths, func(p mpath.PathView) bool { return slices.Contains(g.Paths, p.ID) && usable(p) })
}

func owner(m *mpath.MapView) string {
	if !m.Owner.Set() {
		return "not configured: uid, gid and mode are left to udev"
	}
	text := "wanted " + ownerText(m.Owner)
	if m.Drift != "" {
		text += "; " + m.Drift
	}
	return text
}

func ownerText(o mpath.Owner) string {
	part := func(n int64) string {
		if n < 0 {
			return "any"
		}
		return fmt.Sprint(n)
	}
	mode := "any"
	if o.Mode >= 0 {
		mode = fmt.Sprintf("%04o", o.Mode)
	}
	return part(o.UID) + ":" + part(o.GID) + ", mode " + mode
}

// state tells what is going on, and what went wrong.
func (x *explainer) state(m *mpath.MapView) {
	var lines []string
	if m.Adopted {
		lines = append(lines, "it was there before the daemon")
	}
	if len(m.Accepted) > 0 {
		lines = append(lines, "it differs from the configuration in "+strings.Join(m.Accepted, ", ")+"; a reload changes that")
	}
	if m.Busy != "" {
		lines = append(lines, "in work: "+m.Busy)
	}
	if m.LastError != "" {
		lines = append(lines, "last error: "+m.LastError)
	}
	if len(lines) > 0 {
		x.fact("State", lines[0], lines[1:]...)
	}
}

// pathText says in one line how a device of a LUN is.
func pathText(now mpath.Instant, p mpath.PathView) string {
	if p.WWID == "" {
		return "no path: " + withOrigin(p.Decision.Reason, p.Decision.Origin)
	}
	text := p.State.String()
	if since := now.Since(p.StateSince).Seconds(); !usable(p) && p.StateSince != 0 {
		text += fmt.Sprintf(" for %d s", since)
	}
	if p.Priority >= 0 {
		text += fmt.Sprintf(", priority %d", p.Priority)
		if p.PriorityState != "" {
			text += " (" + p.PriorityState + ")"
		}
	}
	if why := show.Why(p); why != "" {
		text += ": " + why
	}
	return text
}

// pathNext says what comes next for a path that does not work.
func pathNext(p mpath.PathView) []string {
	var out []string
	if p.KernelFailed {
		out = append(out, "the kernel sends it no I/O")
	}
	if p.DevState != "" && p.DevState != "running" {
		out = append(out, "its SCSI device is "+p.DevState+" (/sys/block/"+p.Name+"/device/state)")
	}
	if !usable(p) {
		out = append(out, "it comes back when a check finds it working and the LUN that answers is the same", "`pathkeeper history "+p.Name+"` tells what happened to it")
	}
	return out
}
