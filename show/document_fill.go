package show

import (
	"fmt"

	"pathkeeper/mpath"
	"pathkeeper/policy"
)

func (v *view) mapDoc(m *mpath.MapView, withGroups bool, nodes []mpath.NodeSeen) Map {
	vendor, model := v.vendor(m)
	d := Map{
		Name: m.Name, NameReason: m.NameWhy, WWID: m.WWID, State: mapState(m), Vendor: vendor, Model: model,
		NoPathRetry:  Setting{m.Settings.NoPathRetry.V.String(), m.Settings.NoPathRetry.Origin.String()},
		Failback:     Setting{m.Settings.Failback.V.String(), m.Settings.Failback.Origin.String()},
		Queueing:     m.Queueing.On,
		QueueEndsInS: after(v.s.Now, m.Queueing.Until), QueueExpired: m.Queueing.Expired, FailbackInS: after(v.s.Now, m.FailbackAt),
		OwnerWanted: ownerDoc(m.Owner), OwnerDrift: some(m.Drift), Adopted: m.Adopted, AdoptedDiffer: list(m.Accepted),
		Busy: some(m.Busy), LastError: some(m.LastError), Loads: m.Loads, Switches: m.Switches, Faults: m.Faults,
		Features: counted(m.Truth.Table.Features), Handler: counted(m.Truth.Table.Handler),
	}
	if m.Known {
		d.UUID, d.Sysfs, d.Dev = ptr(m.Truth.UUID), ptr(sysName(*m)), ptr(m.Truth.Dev.String())
		d.SizeBytes, d.OpenCount, d.ReadAgoS = m.Truth.Size.Bytes(), m.Truth.Open, before(v.s.Now, m.ReadAt)
	}
	if n, ok := nodeOf(m, nodes); ok {
		o := ownerDoc(mpath.Owner{UID: int64(n.UID), GID: int64(n.GID), Mode: int64(n.Mode)})
		d.OwnerFound, d.OwnerDiffers = &o, drifts(m.Owner, n)
	}
	groups := []Group{}
	for i, g := range m.Groups {
		gd := Group{Number: g.Number, Selector: selector(m, i), Priority: g.Priority, State: groupState(g.State), Current: g.Current, Paths: []Path{}}
		for _, id := range g.Paths {
			d.PathsTotal++
			p := v.byID[id]
			if p == nil {
				gd.Paths = append(gd.Paths, v.unknownPath(m, id))
				continue
			}
			if up(p.State) && p.Stranger == "" && !v.kernelFailed(m, id.Dev) {
				d.PathsUsable++
			}
			gd.Paths = append(gd.Paths, v.pathDoc(p))
		}
		groups = append(groups, gd)
	}
	if withGroups {
		waiting := []Path{}
		for _, p := range v.waiting(m) {
			waiting = append(waiting, v.pathDoc(p))
		}
		d.Groups, d.Waiting = &groups, &waiting
	}
	return d
}

// unknownPath is a device of a kernel table that nobody has identified: it left,
// or it is not a disk.
func (v *view) unknownPath(m *mpath.MapView, id mpath.PathID) Path {
	state := "active"
	if v.kernelFailed(m, id.Dev) {
		state = "failed"
	}
	const why = "in the kernel's table, but not among the disks that are there"
	return Path{
		Dev: ptr(id.Dev.String()), Diskseq: id.Diskseq, Map: some(m.Name), MapWWID: some(m.WWID), IDs: []string{},
		InTable: true, DMState: ptr(state), Verdict: policy.VerdictUnknown.String(), Reason: why, Why: ptr(why),
	}
}

func (v *view) pathDoc(p *mpath.PathView) Path {
	if p.Odd != "" {
		return Path{Name: p.Name, IDs: []string{}, Verdict: "unreadable", Reason: p.Odd, Why: ptr(p.Odd), StateAgoS: before(v.s.Now, p.StateSince)}
	}
	id := p.Seen.Identity
	d := Path{
		Name: p.Name, HCTL: some(p.HCTL), Dev: ptr(p.ID.Dev.String()), Diskseq: p.ID.Diskseq, Map: some(p.Map), MapWWID: some(p.WWID),
		WWID: some(id.WWID), IDs: []string{}, Vendor: id.Vendor, Model: id.Model, Rev: id.Rev, Serial: id.Serial,
		SizeBytes: p.Seen.Facts.Size * 512, Protocol: p.Seen.Facts.Protocol, InTable: p.InTable, DeviceState: some(p.DevState),
		Stranger: some(p.Stranger), Verdict: p.Decision.Verdict.String(), Reason: p.Decision.Reason,
		Origin: some(p.Decision.Origin.String()), Why: some(Why(*p)),
	}
	for _, i := range id.IDs {
		d.IDs = append(d.IDs, i.Value)
	}
	if p.InTable {
		d.DMState = ptr(dmState(p))
	}
	if p.WWID != "" {
		d.CheckerState, d.CheckerMessage, d.StateAgoS = ptr(p.State.String()), some(p.Message), before(v.s.Now, p.StateSince)
		d.Checker, d.CheckOpen = some(p.Decision.Settings.Checker.V), p.CheckOpen
		d.HungForS, d.Hangs, d.InDoubt = before(v.s.Now, p.HungSince), p.Hangs, p.Doubt
		d.NextCheckInS, d.AccessState = after(v.s.Now, p.NextCheck), some(p.PriorityState)
		if p.Interval > 0 {
			d.CheckIntervalS = ptr(p.Interval.Seconds())
		}
		if p.Priority >= 0 {
			d.Priority = ptr(p.Priority)
		}
	}
	return d
}

func ownerDoc(o mpath.Owner) Owner {
	var d Owner
	if o.UID >= 0 {
		d.UID = ptr(o.UID)
	}
	if o.GID >= 0 {
		d.GID = ptr(o.GID)
	}
	if o.Mode >= 0 {
		d.Mode = ptr(fmt.Sprintf("%04o", o.Mode))
	}
	return d
}

// before gives how long ago something was, in seconds; null: never.
func before(now, then mpath.Instant) *int64 {
	if then == 0 || then == mpath.Never {
		return nil
	}
	return ptr(max(now.Since(then).Seconds(), 0))
}

// after gives in how many seconds something is due; null: never.
func after(now, then mpath.Instant) *int64 {
	if then == 0 || then == mpath.Never {
		return nil
	}
	return ptr(max(then.Since(now).Seconds(), 0))
}

func ptr[T any](v T) *T { return &v }

// some is null for an empty text.
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
