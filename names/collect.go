package names

import (
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// Host is what a host knows of names.
type Host struct {
	List  List
	basis mpath.Basis
	rules *policy.Compiled
	lines *policy.NameIndex
	// identities of the LUNs that are there, by each of their ids.
	identities map[string]scsi.Identity
}

// Collect makes the list of a host: every map, every disk with a names entry, and
// every name that configuration and bindings have for a LUN that is not there.
func Collect(host string, s mpath.Snapshot, b mpath.Basis) Host {
	h := Host{List: List{Host: host}, basis: b, identities: map[string]scsi.Identity{}}
	h.rules, _ = policy.Compile(b.Config)
	h.lines = b.State.Bindings.Index()
	byMap := map[string]scsi.Identity{}
	for _, p := range s.Paths {
		if p.Seen.Identity.WWID == "" {
			continue
		}
		for _, id := range policy.LookupIDs(p.Seen.Identity) {
			h.identities[id] = p.Seen.Identity
		}
		if _, known := byMap[p.WWID]; p.WWID != "" && !known {
			byMap[p.WWID] = p.Seen.Identity
		}
	}
	named := map[string]bool{} // ids of LUNs with a map
	for _, m := range s.Maps {
		e := h.present(m, byMap[m.WWID])
		for _, id := range e.ids() {
			named[id] = true
		}
		h.List.Entries = append(h.List.Entries, e)
	}
	h.absentMaps(named)
	h.disks(s)
	h.List.sort()
	return h
}

// present is the entry of a map.
func (h *Host) present(m mpath.MapView, id scsi.Identity) Entry {
	e := Entry{Kind: KindMap, WWID: m.WWID, SizeBytes: uint64(m.Truth.Size) * 512, Present: true}
	for _, other := range policy.LookupIDs(id) {
		if other != m.WWID {
			e.IDs = append(e.IDs, other)
		}
	}
	e.settings(m.Settings)
	switch {
	case m.Name == m.WWID:
		e.From = FromWWID
		return e
	case m.Settings.Alias.V == m.Name:
		e.From = FromConfig
	default:
		e.From = FromKept
		for _, one := range e.ids() {
			if wwid, ok := h.lines.WWIDOf(m.Name); ok && wwid == one {
				e.From = FromBindings
			}
		}
	}
	e.Name = m.Name
	return e
}

func (e *Entry) settings(s policy.Settings) {
	e.Owner, e.Group = s.UID.V, s.GID.V
	if s.Mode.V >= 0 {
		e.Mode = policy.FormatMode(s.Mode.V)
	}
}

// absentMaps adds what configuration and bindings name without a map of it.
func (h *Host) absentMaps(named map[string]bool) {
	add := func(wwid, alias, from string) {
		if named[wwid] {
			return
		}
		named[wwid] = true
		s := h.decide(Entry{WWID: wwid})
		e := Entry{Kind: KindMap, WWID: wwid, Name: alias, From: from}
		if from == FromConfig {
			if e.Name = s.Alias.V; e.Name == "" {
				e.From = FromWWID
				if a, ok := h.lines.AliasOf(wwid); ok {
					e.Name, e.From = a, FromBindings
				}
			}
		}
		e.settings(s)
		h.List.Entries = append(h.List.Entries, e)
	}
	for _, m := range h.basis.Config.Multipaths {
		add(m.WWID, "", FromConfig)
	}
	for _, line := range h.basis.State.Bindings {
		if wwid, _ := h.lines.WWIDOf(line.Alias); wwid != line.WWID {
			continue // an earlier line has the name
		}
		if holder, taken := h.rules.AliasHolder(line.Alias); taken && holder != line.WWID {
			continue // the configuration gives it to another LUN
		}
		alias, _ := h.lines.AliasOf(line.WWID)
		add(line.WWID, alias, FromBindings)
	}
}

// disks adds the disks of the names section.
func (h *Host) disks(s mpath.Snapshot) {
	named := map[string]bool{}
	for _, p := range s.Paths {
		single, id := p.Decision.Single, p.Seen.Identity
		if !single.Named() || named[id.WWID] {
			continue
		}
		e := Entry{Kind: KindDisk, WWID: id.WWID, SizeBytes: p.Seen.Facts.Size * 512, Present: true}
		for _, other := range policy.LookupIDs(id) {
			named[other] = true
			if other != id.WWID {
				e.IDs = append(e.IDs, other)
			}
		}
		e.disk(single.Name, single.Owner, single.Group, single.Mode)
		h.List.Entries = append(h.List.Entries, e)
	}
	for _, d := range h.basis.Config.Disks {
		if named[d.WWID] || d.WWID == "" || d.Name != "" && policy.CheckDiskName(d.Name) != "" {
			continue
		}
		named[d.WWID] = true
		e := Entry{Kind: KindDisk, WWID: d.WWID}
		e.disk(d.Name, d.Owner, d.Group, d.Mode)
		h.List.Entries = append(h.List.Entries, e)
	}
}

func (e *Entry) disk(name, owner, group string, mode int) {
	e.Name, e.Owner, e.Group, e.From = name, owner, group, FromConfig
	if mode >= 0 {
		e.Mode = policy.FormatMode(mode)
	}
}

// identity is that of a LUN: as it is here, else by the ids that are known of it.
func (h *Host) identity(e Entry) scsi.Identity {
	for _, id := range e.ids() {
		if have, ok := h.identities[id]; ok {
			return have
		}
	}
	// Libata: whatever id the list has is one by which it may be named. Vendor and
	// model are not known, and an empty one would fit every device entry.
	id := scsi.Identity{WWID: e.WWID, Vendor: "-", Model: "-", Rev: "-", PortGroup: -1, RelPort: -1, Libata: true}
	for i, value := range e.ids() {
		kind := scsi.IDScsiID
		if i == 0 {
			kind = scsi.IDWWID
		}
		id.IDs = append(id.IDs, scsi.ID{Kind: kind, Value: value})
	}
	return id
}

// decide gives the settings that a LUN has here, or would have.
func (h *Host) decide(e Entry) policy.Settings {
	return h.rules.Decide(h.identity(e), policy.Facts{DevType: "disk"}, h.basis.State.With(h.lines)).Settings
}
