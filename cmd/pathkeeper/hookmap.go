package main

import (
	"os/user"
	"strconv"
	"strings"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
	"pathkeeper/rules"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// mapFacts gathers what the hook knows of a multipath map, or of a partition of one.
func (d *decider) mapFacts(disk sysfs.Disk, env uevent.Props) rules.MapFacts {
	before := d.before(disk)
	f := rules.MapFacts{
		UUID: disk.DM.UUID, Suspended: disk.DM.Suspended || env.Value("DM_SUSPENDED") == "1",
		Add: env.Value("ACTION") == "add", Cookie: env.Value("DM_COOKIE") != "", Activation: env.Value("DM_ACTIVATION") == "1",
		OtherRules: env.Value("DM_UDEV_DISABLE_OTHER_RULES_FLAG"),
		Reload:     env.Value("DM_SUBSYSTEM_UDEV_FLAG0") == "1", NoPaths: env.Value("DM_SUBSYSTEM_UDEV_FLAG2") == "1",
		Action: env.Value("DM_ACTION"), ValidPaths: rules.Unknown, ActivePaths: rules.Unknown,
		WasReady: before.Value("MPATH_DEVICE_READY"), Mode: -1,
		ColdSuspended: before.Value("DM_COLDPLUG_SUSPENDED") == "1", Quiet: before.Value("PATHKEEPER_QUIET"),
	}
	if n, err := strconv.Atoi(env.Value("DM_NR_VALID_PATHS")); err == nil && n >= 0 {
		f.ValidPaths = n
	}
	m := disk
	if !strings.HasPrefix(f.UUID, "mpath-") {
		m = d.mapOf(disk)
		f.ParentNotReady = m.DM.UUID != "" && d.before(m).Value("MPATH_DEVICE_READY") == "0"
	} else if f.ValidPaths == rules.Unknown && !f.NoPaths && !f.Suspended {
		f.ActivePaths = d.usablePaths(f.UUID)
	}
	for _, s := range m.Slaves {
		if dev, err := d.tree.ReadAttr("block/"+s+"/dev", sysfs.MaxAttr); err == nil {
			if major, _, err := sysfs.ParseDevNum(strings.TrimSpace(string(dev))); err == nil {
				f.Majors = append(f.Majors, major)
			}
		}
	}
	s := d.mapSettings(disk.DM.UUID, m)
	if s.UID.V != "" {
		f.UID, _ = d.host.number(s.UID.V, false)
	}
	if s.GID.V != "" {
		f.GID, _ = d.host.number(s.GID.V, true)
	}
	f.Mode = s.Mode.V
	return f
}

// mapOf gives the multipath map that a partition lies on, a zero Disk if it
// cannot be found.
func (d *decider) mapOf(part sysfs.Disk) sysfs.Disk {
	uuid := part.DM.UUID[max(strings.Index(part.DM.UUID, "mpath-"), 0):]
	for _, s := range part.Slaves {
		if m, err := sysfs.ReadFacts(d.tree, s); err == nil && m.DM.UUID == uuid {
			return m
		}
	}
	return sysfs.Disk{}
}

// usablePaths counts the paths of a map that the kernel calls active and that
// sysfs does not call dead, rules.Unknown if the kernel does not say.
func (d *decider) usablePaths(uuid string) int {
	active, ok := d.host.activePaths(uuid)
	if !ok {
		return rules.Unknown
	}
	n := 0
	for _, dev := range active {
		state, err := d.tree.ReadAttr("dev/block/"+dev.String()+"/device/state", sysfs.MaxAttr)
		if err == nil && strings.Contains(string(state), "offline") { // offline, transport-offline
			continue
		}
		n++
	}
	return n
}

// mapSettings are the settings of a map, by the first of its paths that bears its
// WWID; of a map without such a path, by the WWID alone.
func (d *decider) mapSettings(uuid string, disk sysfs.Disk) policy.Settings {
	uuid = uuid[max(strings.Index(uuid, "mpath-"), 0):]
	wwid := strings.TrimPrefix(uuid, "mpath-")
	for _, s := range disk.Slaves {
		p, err := sysfs.ReadFacts(d.tree, s)
		if err != nil {
			continue
		}
		rec := d.record(p)
		id := identify(p, rec)
		if _, ok := id.Has(wwid); ok {
			return d.rules.Decide(id, policy.Facts{Devnode: p.Name, DevType: "disk", MemberOf: uuid}, d.state.policy).Settings
		}
	}
	id := scsi.Identity{WWID: wwid, IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: wwid}}, PortGroup: -1, RelPort: -1}
	return d.rules.Decide(id, policy.Facts{DevType: "disk", MemberOf: uuid}, d.state.policy).Settings
}

// lookupID gives the number of a user or group: it is one, or it stands in the
// host's own files. Nobody over the network is asked while an event waits; the
// daemon asks, and puts the node right after the event.
func lookupID(text string, group bool) (string, bool) {
	if _, err := strconv.ParseUint(text, 10, 32); err == nil {
		return text, true
	}
	if group {
		if g, err := user.LookupGroup(text); err == nil {
			return g.Gid, true
		}
		return "", false
	}
	if u, err := user.Lookup(text); err == nil {
		return u.Uid, true
	}
	return "", false
}

// activePaths asks the kernel which paths of a map it calls active; false: it
// does not say.
func activePaths(uuid string) ([]table.DevNum, bool) {
	c, err := dmioctl.Open()
	if err != nil {
		return nil, false
	}
	defer c.Close()
	return readActive(c, uuid)
}

// readActive asks a kernel.
func readActive(port dmmap.Port, uuid string) (active []table.DevNum, ok bool) {
	u, err := table.ParseUUID(uuid)
	if err != nil {
		return nil, false
	}
	call, err := dmmap.QueryStatus{Map: dmmap.ByUUID(u)}.Encode()
	if err != nil {
		return nil, false
	}
	out, errno := port.Ioctl(call.Cmd, call.Buf)
	if errno != 0 {
		return nil, false
	}
	_, lines, err := dmmap.DecodeLines(out)
	if err != nil || len(lines) != 1 || lines[0].Target != "multipath" {
		return nil, false
	}
	st, err := table.ParseStatus(lines[0].Params)
	if err != nil {
		return nil, false
	}
	for _, g := range st.Groups {
		for _, p := range g.Paths {
			if p.State == table.PathActive {
				active = append(active, p.Dev)
			}
		}
	}
	return active, true
}
