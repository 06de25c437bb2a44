package rules

import (
	"strconv"
	"strings"
)

// Unknown is a count that was not told.
const Unknown = -1

// MapFacts is what the hook knows of a multipath map, or of a partition map over
// one, at an event of it.
type MapFacts struct {
	UUID      string // sysfs dm/uuid: "mpath-WWID" or "part1-mpath-WWID"
	Suspended bool   // sysfs dm/suspended, or DM_SUSPENDED
	Majors    []uint32
	// From the event's environment.
	Add        bool   // ACTION=add: a coldplug, device-mapper itself sends change
	Cookie     bool   // a program's ioctl made the event, and its flags are fresh
	Activation bool   // DM_ACTIVATION=1: upper layers shall look at the map
	OtherRules string // DM_UDEV_DISABLE_OTHER_RULES_FLAG as the rules of device-mapper have it
	Reload     bool   // DM_SUBSYSTEM_UDEV_FLAG0=1: a reload that changes nothing for users
	NoPaths    bool   // DM_SUBSYSTEM_UDEV_FLAG2=1: whoever sent the event knows that no path is up
	Action     string // DM_ACTION of a kernel event: PATH_FAILED, PATH_REINSTATED
	ValidPaths int    // DM_NR_VALID_PATHS of a kernel event, else Unknown
	// From udev's database: what the last event left.
	WasReady       string // MPATH_DEVICE_READY: "0", "1" or ""
	ColdSuspended  bool   // DM_COLDPLUG_SUSPENDED=1: a coldplug found it suspended, and nothing looked at it since
	Quiet          string // PATHKEEPER_QUIET: what OtherRules was before we set it, "" we did not
	ParentNotReady bool   // of a partition: its map's MPATH_DEVICE_READY is 0
	ActivePaths    int    // that the kernel calls active and sysfs does not call dead, Unknown where it was not asked
	UID, GID       string // owner as the configuration has it, resolved to numbers; "" unset
	Mode           int    // 0..0777, -1 unset
}

// MapProperties is what the hook prints for an event of a map. It gives nil for
// a device that is no multipath map and no partition of one. What it does not
// print is not there any more after the event.
func MapProperties(f MapFacts) []KV {
	wwid, part := splitUUID(f.UUID)
	if wwid == "" {
		return nil
	}
	var out []KV
	if part == "" {
		out = f.state()
	} else {
		out = append(out, KV{"DM_PART", part})
		if f.ParentNotReady {
			out = append(out, KV{"PATHKEEPER_NOSCAN", "1"})
		}
	}
	out = append(out, f.links(wwid)...)
	if f.UID != "" {
		out = append(out, KV{"PATHKEEPER_UID", f.UID})
	}
	if f.GID != "" {
		out = append(out, KV{"PATHKEEPER_GID", f.GID})
	}
	if f.Mode >= 0 {
		out = append(out, KV{"PATHKEEPER_MODE", "0" + strconv.FormatInt(int64(f.Mode&0o777), 8)})
	}
	return out
}

// DM_ACTION values of dm-multipath's events (drivers/md/dm-uevent.c).
const (
	actionFailed     = "PATH_FAILED"
	actionReinstated = "PATH_REINSTATED"
)

// state says how upper layers may use the map, and whether they need to look.
func (f MapFacts) state() []KV {
	ready := f.ready()
	out := []KV{{"MPATH_DEVICE_READY", ready}}
	forced := f.ColdSuspended && !f.Suspended && ready == "1"
	if !forced && (f.ColdSuspended || f.Suspended && f.Add && f.Activation) {
		out = append(out, KV{"DM_COLDPLUG_SUSPENDED", "1"})
	}
	nothingNew := f.Reload || f.Action == actionFailed || f.Action == actionReinstated
	switch {
	case forced, ready == "1" && f.WasReady == "0":
		// What was passed over while nobody could look at it is due now.
		out = append(out, KV{"DM_ACTIVATION", "1"})
	case nothingNew && (ready == "0" || f.WasReady == "1"):
		out = append(out, KV{"MPATH_UNCHANGED", "1"}, KV{"DM_ACTIVATION", "0"})
	}
	return append(out, f.others(ready)...)
}

// others keeps the rules of other programs away while the map is not ready, and
// gives back what its maker had said of them. The flag outlives an event without a
// cookie in udev's database, so what it was is remembered there too.
func (f MapFacts) others(ready string) []KV {
	owners := f.OtherRules
	switch {
	case f.Cookie && !f.Suspended:
	case f.Quiet != "":
		owners = f.Quiet
	case f.Suspended:
		owners = "" // it is set for every suspended device
	}
	if owners != "1" {
		owners = "0"
	}
	switch {
	case ready == "0":
		return []KV{{"PATHKEEPER_QUIET", owners}, {"DM_UDEV_DISABLE_OTHER_RULES_FLAG", "1"}}
	case f.Quiet != "" && !f.Suspended && (owners == "1") != (f.OtherRules == "1"):
		return []KV{{"DM_UDEV_DISABLE_OTHER_RULES_FLAG", owners}}
	default:
		return nil
	}
}

// ready says whether upper layers may use the map: not without a path, and not
// while it is suspended before its first use. An event that says nothing about
// paths leaves it as it was.
func (f MapFacts) ready() string {
	switch {
	case f.NoPaths, f.ValidPaths == 0:
		return "0"
	case f.Suspended && f.WasReady != "1":
		return "0"
	case f.ValidPaths > 0 && f.Action == actionReinstated:
		return "1"
	case f.Action == actionFailed && f.WasReady != "":
		return f.WasReady
	case f.ActivePaths == 0:
		return "0"
	default:
		return "1"
	}
}

// Block device numbers that tell what a map is made of (Documentation/admin-guide/devices.txt).
const (
	majorDASD       = 94
	majorCcissFirst = 104
	majorCcissLast  = 112
	majorMD         = 9
)

// links gives what the links in /dev/disk/by-id are made of, in multipath-tools'
// words. A map without a path is SCSI here: its links must not go with its paths.
func (f MapFacts) links(wwid string) []KV {
	kind := "scsi"
	for _, m := range f.Majors {
		switch {
		case m == majorDASD:
			kind = "ccw"
		case m >= majorCcissFirst && m <= majorCcissLast:
			kind = "cciss"
		case m == majorMD:
			kind = "raid"
		default:
			continue
		}
		break
	}
	out := []KV{{"DM_TYPE", kind}}
	if kind == "scsi" {
		out = append(out, KV{"DM_WWN", "0x" + wwid[1:]})
	}
	return append(out, KV{"DM_SERIAL", wwid})
}

// splitUUID gives the WWID of "mpath-WWID" and the partition's number of
// "partN-mpath-WWID".
func splitUUID(uuid string) (wwid, part string) {
	if rest, ok := strings.CutPrefix(uuid, "part"); ok {
		number, under, _ := strings.Cut(rest, "-")
		if _, err := strconv.ParseUint(number, 10, 16); err != nil {
			return "", ""
		}
		uuid, part = under, number
	}
	wwid, ok := strings.CutPrefix(uuid, "mpath-")
	if !ok {
		return "", ""
	}
	return wwid, part
}
