package mpath

import (
	"slices"

	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
)

// chooseName picks the name of a map and says whether it may be used: a name
// that is new must be durable before a map bears it, so that no reboot gives it
// to another LUN. If that write hangs, the map takes its WWID as its name.
func (mc *Machine) chooseName(m *mmap) bool {
	if m.name == "" {
		mc.pickName(m)
	}
	if mc.names.ask == 0 && !mc.names.dirty || m.known {
		return true
	}
	if mc.names.hung {
		if n, err := table.NewName(m.wwid); err == nil && m.name != n.Kernel() && m.nameNew {
			mc.note(LevelError, m.label(), "its new name "+m.name+" cannot be made durable (the write hangs): the map is called by its WWID")
			m.name, m.nameWhy = n.Kernel(), "the write of the bindings hangs"
		}
		return true
	}
	return !m.nameNew
}

func (mc *Machine) pickName(m *mmap) {
	ps := mc.pathsOf(m)
	if len(ps) == 0 {
		return
	}
	r := policy.NameRequest{
		Identity: ps[0].seen.Identity, Settings: m.settings, State: mc.stateNow(), DMNames: mc.usedNames(), ReadOnly: mc.readOnly,
	}
	if m.known {
		r.OldAlias = m.have.Name
	}
	n := mc.rules.Name(r)
	if n.Source == policy.NameFromWWID {
		n.Name = m.wwid // of the map: an adopted one may bear another id of the LUN
	}
	if n.Refused != "" {
		mc.note(LevelError, m.wwid, n.Refused)
	}
	name, err := table.NewName(n.Name)
	if err != nil {
		mc.note(LevelError, m.wwid, "cannot be called "+n.Name+": "+err.Error())
		if name, err = table.NewName(m.wwid); err != nil {
			return
		}
		n = policy.MapName{Reason: "its WWID"}
	}
	m.nameNew = false
	if n.Added != nil {
		mc.state.Bindings = append(slices.Clone(mc.state.Bindings), *n.Added)
		mc.lines.Add(*n.Added)
		m.nameNew = true
	}
	if n.OldID != nil {
		mc.state.OldIDs = append(slices.Clone(mc.state.OldIDs), *n.OldID)
		m.nameNew = true
	}
	mc.names.dirty = mc.names.dirty || m.nameNew
	m.name, m.nameWhy = name.Kernel(), n.Reason
	if n.Origin != (policy.Origin{}) {
		m.nameWhy += " (" + n.Origin.String() + ")"
	}
}

// stateNow is what decisions go by, with the index of the names.
func (mc *Machine) stateNow() policy.State {
	if mc.lines == nil {
		mc.lines = mc.state.Bindings.Index()
	}
	return mc.state.With(mc.lines)
}

func (mc *Machine) usedNames() []policy.UsedName {
	var out []policy.UsedName
	for _, r := range mc.other {
		out = append(out, policy.UsedName{Name: r.Name, UUID: r.UUID})
	}
	for _, m := range mc.maps {
		if m.known {
			out = append(out, policy.UsedName{Name: m.have.Name, UUID: m.have.UUID})
		}
		if m.name != "" && (!m.known || m.name != m.have.Name) {
			out = append(out, policy.UsedName{Name: m.name, UUID: "mpath-" + m.wwid})
		}
	}
	return out
}

// recordOldIDs remembers which LUN an old id was first matched with.
func (mc *Machine) recordOldIDs(p *path) {
	for _, r := range p.decision.RecordOldIDs {
		if _, known := mc.state.OldIDs.Holder(r.Old); known {
			continue
		}
		mc.state.OldIDs = append(slices.Clone(mc.state.OldIDs), r)
		mc.names.dirty = true
		mc.note(LevelNotice, p.seen.Name, "the id "+r.Old+" means "+r.Canonical+" from now on")
	}
}

// saveNames writes bindings and old ids when they changed.
func (mc *Machine) saveNames() {
	n := &mc.names
	if n.ask != 0 {
		if !n.hung && mc.now.Since(n.since) >= saveLimit {
			n.hung = true
			mc.note(LevelError, "bindings", "the write of new names does not come back: new maps are called by their WWID until it does")
			for _, m := range mc.maps {
				mc.touch(m)
			}
			if mc.started {
				for _, m := range mc.maps {
					mc.settleMap(m)
				}
			}
		}
		return
	}
	if !n.dirty {
		return
	}
	n.dirty = false
	n.ask, n.since = mc.nextSeq(), mc.now
	mc.act(SaveNames{Seq: n.ask, Bindings: slices.Clone(mc.state.Bindings), OldIDs: slices.Clone(mc.state.OldIDs)})
}

func (mc *Machine) namesSaved(e ActionDone) {
	mc.names.ask, mc.names.hung = 0, false
	for _, m := range mc.maps {
		mc.touch(m)
	}
	if e.Errno == ErrnoNone {
		if !mc.names.dirty {
			for _, m := range mc.maps {
				m.nameNew = false
			}
		}
		return
	}
	mc.note(LevelError, "bindings", "new names cannot be written: "+e.Detail+": maps without a durable name are called by their WWID")
	mc.readOnly = true
	for _, m := range mc.maps {
		if m.nameNew {
			m.nameNew, mc.lines = false, nil
			mc.state.Bindings = slices.DeleteFunc(slices.Clone(mc.state.Bindings), func(b policy.Binding) bool { return b.WWID == m.wwid })
			if !m.known {
				m.name = ""
			}
		}
	}
}

// takeConfig takes a new configuration: every path is decided anew; maps follow
// where a reconfiguration is asked for, or only what arrives later.
func (mc *Machine) takeConfig(e Configured) { mc.configure(e, false) }

// configure puts a configuration in force: exact, where an Apply will say of each map
// what is to be done.
func (mc *Machine) configure(e Configured, exact bool) {
	if e.Reconfigure {
		mc.beginParts(exact)
	}
	rules, problems := policy.Compile(e.Config)
	for _, p := range problems {
		mc.note(LevelWarning, "config", p.Origin.String()+": "+p.Text)
	}
	mc.rules, mc.users, mc.groups = rules, e.Users, e.Groups
	mc.readOnly = mc.unread // perhaps they can be written now
	first := !mc.configured
	mc.odds = nil
	mc.configured = true
	for _, m := range mc.maps {
		mc.touch(m)
		if e.Reconfigure {
			m.accepted, m.asFound, m.removed, m.retryAt, m.lastError = nil, false, false, 0, ""
			if m.leftAlone {
				m.leftAlone, m.rebuilds = false, 0
				mc.wantList()
				for _, p := range m.paths {
					mc.checkNow(p)
				}
			}
			m.name = ""
			m.noHandler, m.handlerFails = false, 0
			m.queueOff, m.queueWas = false, false
		}
	}
	for _, p := range slices.Clone(mc.paths) {
		if e.Reconfigure { // what operators did by hand ends with it
			p.dropped, p.held = false, false
			mc.stir(p)
		}
		was := p.decision.Settings
		mc.decide(p)
		mc.lookUp(p)
		mc.retune(p, true)
		if s := p.decision.Settings; e.Reconfigure && p.checkable() && (s.Prio.V != was.Prio.V || s.PrioArgs.V != was.PrioArgs.V) {
			mc.hurry(p) // its group is made of what it says now
		}
	}
	if first {
		return
	}
	mc.replan()
	for _, m := range mc.maps {
		mc.chooseSettings(m, mc.pathsOf(m))
		if m.known && m.owner.Set() && (m.node != NodeSeen{}) {
			mc.takeNode(m.node)
		}
	}
	mc.scanAt = mc.now
}

// takeState takes what the state files say.
func (mc *Machine) takeState(e StateLoaded) {
	mc.state = policy.State{Bindings: e.Bindings, OldIDs: e.OldIDs, Kernel: e.Kernel}
	mc.lines = nil
	mc.readOnly, mc.unread = e.ReadOnly, e.ReadOnly
	mc.wwids = slices.Concat(mc.wwids, e.WWIDs) // sorted once: there may be 100,000
	slices.Sort(mc.wwids)
	mc.wwids = slices.Compact(mc.wwids)
	for _, w := range e.Failed {
		mc.failed = addSorted(mc.failed, w)
	}
	mc.recorded, mc.kept = e.Deadlines, e.Kept
	for _, k := range e.PRKeys {
		if _, has := mc.keyAt(k.WWID); !has { // the first line counts
			mc.putKey(k)
		}
	}
	for _, w := range e.Loading {
		mc.loading = addSorted(mc.loading, w)
	}
	mc.loaded = true
}
