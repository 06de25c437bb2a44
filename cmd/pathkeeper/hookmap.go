package main

import (
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
	"pathkeeper/rules"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// errRefused is what a socket says that nobody listens at.
const errRefused = unix.ECONNREFUSED

// mapFacts gathers what the hook knows of a multipath map, or of a partition of one.
func (d *decider) mapFacts(disk sysfs.Disk, env uevent.Props) rules.MapFacts {
	f := rules.MapFacts{
		UUID: disk.DM.UUID, Suspended: disk.DM.Suspended || env.Value("DM_SUSPENDED") == "1",
		Reload: env.Value("DM_SUBSYSTEM_UDEV_FLAG0") == "1", NoPaths: env.Value("DM_SUBSYSTEM_UDEV_FLAG2") == "1",
		Action: env.Value("DM_ACTION"), ValidPaths: rules.Unknown, ActivePaths: rules.Unknown,
		WasReady: env.Value("MPATH_DEVICE_READY"), Mode: -1,
	}
	if n, err := strconv.Atoi(env.Value("DM_NR_VALID_PATHS")); err == nil && n >= 0 {
		f.ValidPaths = n
	}
	isMap := strings.HasPrefix(f.UUID, "mpath-")
	if isMap && f.ValidPaths == rules.Unknown && !f.NoPaths && !f.Suspended {
		f.ActivePaths = d.host.activePaths(f.UUID)
	}
	s := d.mapSettings(disk)
	if s.UID.V != "" {
		f.UID, _ = d.host.number(s.UID.V, false)
	}
	if s.GID.V != "" {
		f.GID, _ = d.host.number(s.GID.V, true)
	}
	f.Mode = s.Mode.V
	return f
}

// mapSettings are the settings of a map, by the first of its paths that bears its
// WWID; of a map without such a path, by the WWID alone.
func (d *decider) mapSettings(disk sysfs.Disk) policy.Settings {
	uuid := disk.DM.UUID
	if i := strings.Index(uuid, "mpath-"); i > 0 { // a partition's: look at its map
		uuid = uuid[i:]
		for _, s := range disk.Slaves {
			if m, err := sysfs.ReadDisk(d.tree, s); err == nil && m.DM.UUID == uuid {
				disk = m
				break
			}
		}
	}
	wwid := strings.TrimPrefix(uuid, "mpath-")
	for _, s := range disk.Slaves {
		p, err := sysfs.ReadDisk(d.tree, s)
		if err != nil {
			continue
		}
		rec := d.record(p, nil)
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

// activePaths asks the kernel how many paths of a map it calls active,
// rules.Unknown if it does not say.
func activePaths(uuid string) int {
	c, err := dmioctl.Open()
	if err != nil {
		return rules.Unknown
	}
	defer c.Close()
	return countActive(c, uuid)
}

// countActive asks a kernel.
func countActive(port dmmap.Port, uuid string) int {
	u, err := table.ParseUUID(uuid)
	if err != nil {
		return rules.Unknown
	}
	call, err := dmmap.QueryStatus{Map: dmmap.ByUUID(u)}.Encode()
	if err != nil {
		return rules.Unknown
	}
	out, errno := port.Ioctl(call.Cmd, call.Buf)
	if errno != 0 {
		return rules.Unknown
	}
	_, lines, err := dmmap.DecodeLines(out)
	if err != nil || len(lines) != 1 || lines[0].Target != "multipath" {
		return rules.Unknown
	}
	st, err := table.ParseStatus(lines[0].Params)
	if err != nil {
		return rules.Unknown
	}
	n := 0
	for _, g := range st.Groups {
		for _, p := range g.Paths {
			if p.State == table.PathActive {
				n++
			}
		}
	}
	return n
}
