package rules

import (
	"fmt"
	"strings"
	"time"

	"pathkeeper/policy"
)

// Wait says how far the wait for a second path of a disk is (find_multipaths
// smart; the file below /run/multipath/find_multipaths holds its end).
type Wait uint8

// Waits.
const (
	WaitNone Wait = iota // it was never begun
	WaitRuns
	WaitOver
)

// PathFacts is what the properties of a disk depend on beside its decision.
type PathFacts struct {
	Wait  Wait
	Left  time.Duration // until its end, with WaitRuns
	Begun bool          // this event has begun it: a timer is needed
	// Partitions: the kernel has some on the disk.
	Partitions bool
	// From udev's database.
	WaitUntil string // FIND_MULTIPATHS_WAIT_UNTIL of the event before, "" none
	Cancelled string // FIND_MULTIPATHS_WAIT_CANCELLED
}

// Values of PATHKEEPER_WAIT, by which the hook tells the rule what to do with the
// timer; the rule takes it away again.
const (
	waitStart  = "start"
	waitCancel = "cancel"
)

// PathProperties is what the hook prints for an event of a disk. Where the claim
// cannot be told DM_MULTIPATH_DEVICE_PATH is not printed, and the rule keeps what
// was there before. 2 is "wait for a second path": the rule makes 1 of it and
// starts the timer.
func PathProperties(d policy.Decision, f PathFacts) []KV {
	out := ClaimProperties(d.Claim, f)
	waited := f.WaitUntil != "" && f.WaitUntil != "0"
	switch {
	case d.Claim == policy.ClaimMaybe && f.Wait == WaitRuns:
		if f.Begun {
			out = append(out, KV{"PATHKEEPER_WAIT", waitStart})
		}
	case d.Claim == policy.ClaimUnknown:
	case f.Cancelled != "":
		out = append(out, KV{"FIND_MULTIPATHS_WAIT_CANCELLED", f.Cancelled})
	case waited && f.Wait != WaitOver:
		out = append(out, KV{"FIND_MULTIPATHS_WAIT_CANCELLED", "1"}, KV{"PATHKEEPER_WAIT", waitCancel})
	}
	if f.Partitions {
		out = append(out, KV{"PATHKEEPER_PARTITIONS", "1"})
	}
	reason := d.Reason
	if d.Claim == policy.ClaimMaybe && f.Wait == WaitOver {
		reason = "find_multipaths smart: no second path came in time"
	}
	if o := d.Origin.String(); o != "" {
		reason += " [" + o + "]"
	}
	return append(out, KV{"PATHKEEPER_REASON", shortReason(reason)})
}

// ClaimProperties is the part of them that `multipath -u` prints.
func ClaimProperties(claim policy.Claim, f PathFacts) []KV {
	var out []KV
	switch f.Wait {
	case WaitRuns:
		out = append(out, KV{"FIND_MULTIPATHS_WAIT_UNTIL", seconds(f.Left)})
	case WaitOver:
		out = append(out, KV{"FIND_MULTIPATHS_WAIT_UNTIL", "0"})
	default:
		if f.WaitUntil != "" {
			out = append(out, KV{"FIND_MULTIPATHS_WAIT_UNTIL", f.WaitUntil})
		}
	}
	value := ""
	switch claim {
	case policy.ClaimYes, policy.ClaimFinal:
		value = "1"
	case policy.ClaimNo:
		value = "0"
	case policy.ClaimMaybe:
		if value = "0"; f.Wait == WaitRuns {
			value = "2"
		}
	}
	if value != "" {
		out = append(out, KV{"DM_MULTIPATH_DEVICE_PATH", value})
	}
	return out
}

// seconds prints a time as udev's rules pass it to systemd-run.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%d.%06d", d/time.Second, d%time.Second/time.Microsecond)
}

// LeftProperties is what the hook prints for a disk that another manager of
// multipath maps answers for, whose rules have spoken in this event: the claim
// stays as they said.
func LeftProperties(manager, claim string) []KV {
	return []KV{
		{"PATHKEEPER_LEFT", "1"},
		{"PATHKEEPER_REASON", shortReason(manager + " manages this host, and its rules have said " + claim)},
	}
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
