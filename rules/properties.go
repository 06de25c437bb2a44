package rules

import (
	"strconv"
	"strings"

	"pathkeeper/policy"
)

// KV is one udev property.
type KV struct{ Key, Value string }

// Format prints properties as IMPORT{program} reads them, one KEY="value" a line.
// Bytes that would end the value or the line become "_".
func Format(kvs []KV) string {
	var b strings.Builder
	for _, kv := range kvs {
		if kv.Value == "" {
			continue // udevd drops the line
		}
		value := strings.Map(func(c rune) rune {
			if c == '"' || c == '\\' || c < ' ' || c == 0x7f {
				return '_'
			}
			return c
		}, kv.Value)
		b.WriteString(kv.Key + `="` + value + "\"\n")
	}
	return b.String()
}

// maxReasonBytes keeps a property short: the udev database is no log.
const maxReasonBytes = 200

// PathProperties is what the hook prints for an event of a disk. Where the claim
// cannot be told DM_MULTIPATH_DEVICE_PATH is not printed, and the rule keeps what
// was there before.
//
// "Maybe" (find_multipaths smart) is answered with 0: the disk is not held back
// for a second path, and is claimed when the daemon has made its map.
func PathProperties(d policy.Decision) []KV {
	var out []KV
	switch d.Claim {
	case policy.ClaimYes, policy.ClaimFinal:
		out = append(out, KV{"DM_MULTIPATH_DEVICE_PATH", "1"})
	case policy.ClaimNo, policy.ClaimMaybe:
		out = append(out, KV{"DM_MULTIPATH_DEVICE_PATH", "0"})
	}
	reason := d.Reason
	if o := d.Origin.String(); o != "" {
		reason += " [" + o + "]"
	}
	return append(out, KV{"PATHKEEPER_REASON", shortReason(reason)})
}

func shortReason(text string) string {
	if len(text) > maxReasonBytes {
		text = text[:maxReasonBytes]
	}
	return strings.ToValidUTF8(text, "_")
}

// DiskOwner is who shall own a disk that stays single, as numbers; "" leaves owner
// or group as they are.
type DiskOwner struct {
	UID, GID string
	Odd      string // what could not be resolved, "" nothing
}

// DiskProperties is what the hook prints besides, of a disk that a names entry
// names: the rule makes link, owner, group and mode of it. Where the claim cannot
// be told, PATHKEEPER_TOLD is not printed, and the rule keeps what was there.
func DiskProperties(d policy.Decision, owner DiskOwner) []KV {
	if d.Claim == policy.ClaimUnknown {
		return nil
	}
	out := []KV{{"PATHKEEPER_TOLD", "1"}}
	why := owner.Odd
	if d.Single.Refused != "" {
		why = "gives nothing: " + d.Single.Refused
	}
	if d.Single.Named() {
		mode := ""
		if d.Single.Mode >= 0 {
			mode = policy.FormatMode(d.Single.Mode & 0o777)
		}
		out = append(out, KV{"PATHKEEPER_NAME", d.Single.Name}, KV{"PATHKEEPER_UID", owner.UID}, KV{"PATHKEEPER_GID", owner.GID}, KV{"PATHKEEPER_MODE", mode})
	}
	if why != "" {
		out = append(out, KV{"PATHKEEPER_NAME_REASON", shortReason("names entry [" + d.Single.Origin.String() + "]: " + why)})
	}
	return out
}

// Unknown is a count that was not told.
const Unknown = -1

// MapFacts is what the hook knows of a multipath map, or of a partition map over
// one, at an event of it.
type MapFacts struct {
	UUID      string // sysfs dm/uuid: "mpath-WWID" or "part1-mpath-WWID"
	Suspended bool   // sysfs dm/suspended, or DM_SUSPENDED
	// From the event's environment.
	Reload     bool   // DM_SUBSYSTEM_UDEV_FLAG0=1: a reload that changes nothing for users
	NoPaths    bool   // DM_SUBSYSTEM_UDEV_FLAG2=1: whoever sent the event knows that no path is up
	Action     string // DM_ACTION of a kernel event: PATH_FAILED, PATH_REINSTATED
	ValidPaths int    // DM_NR_VALID_PATHS of a kernel event, else Unknown
	WasReady   string // MPATH_DEVICE_READY of the udev database: "0", "1" or ""
	// ActivePaths counts the paths that the kernel's status calls active, Unknown
	// where it was not asked.
	ActivePaths int
	// Owner as the configuration has it, resolved to numbers; "" unset.
	UID, GID string
	Mode     int // 0..0777, -1 unset
}

// MapProperties is what the hook prints for an event of a map. It gives nil for
// a device that is no multipath map and no partition of one.
func MapProperties(f MapFacts) []KV {
	wwid, part := splitUUID(f.UUID)
	if wwid == "" {
		return nil
	}
	var out []KV
	add := func(key, value string) { out = append(out, KV{key, value}) }
	if part == "" {
		ready := f.ready()
		add("MPATH_DEVICE_READY", ready)
		if ready == "1" && f.WasReady == "1" && (f.Reload || f.Action == actionFailed || f.Action == actionReinstated) {
			add("MPATH_UNCHANGED", "1")
		}
	} else {
		add("DM_PART", part)
	}
	add("DM_TYPE", busOf(wwid))
	add("DM_SERIAL", wwid)
	if wwn, ok := strings.CutPrefix(wwid, "3"); ok && isHex(wwn) {
		add("DM_WWN", "0x"+wwn)
	}
	if f.UID != "" {
		add("PATHKEEPER_UID", f.UID)
	}
	if f.GID != "" {
		add("PATHKEEPER_GID", f.GID)
	}
	if f.Mode >= 0 {
		add("PATHKEEPER_MODE", "0"+strconv.FormatInt(int64(f.Mode&0o777), 8))
	}
	return out
}

// DM_ACTION values of dm-multipath's events (drivers/md/dm-uevent.c).
const (
	actionFailed     = "PATH_FAILED"
	actionReinstated = "PATH_REINSTATED"
)

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

func busOf(wwid string) string {
	for _, prefix := range []string{"nvme.", "eui.", "uuid."} {
		if strings.HasPrefix(wwid, prefix) {
			return "nvme"
		}
	}
	return "scsi"
}

func isHex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
