package policy

import (
	"strings"

	"pathkeeper/scsi"
)

// Facts is what is known of one block device beyond its Identity. The udev hook
// and the daemon fill it by the same function (engine's identification).
type Facts struct {
	Devnode    string   // kernel name, "sda"
	DevType    string   // "disk", "partition"
	Protocol   string   // multipath-tools' protocol name: "scsi:fcp", "scsi:iscsi", "scsi:ata", ...
	Properties []string // names of the udev properties of the device, in the order of the udev database
	HasUdev    bool     // Properties were really read (udev knows the device)
	UIDValue   string   // value of udev's ID_SERIAL (or the configured uid_attribute), "" if absent
	Size       uint64   // 512-byte sectors
	ReadOnly   bool
	Hidden     bool
	USB        bool

	InUse    string // "" or who uses it: "mounted on /boot (partition sda1)", "swap", "holder md0", "opened exclusively"
	MemberOf string // dm UUID of the multipath map that already holds this device, "" if none

	// What stands in the state files and the kernel about this LUN.
	InWWIDs    bool // /etc/multipath/wwids lists one of its ids
	Failed     bool // /run/multipath/failed_wwids has its WWID
	MapExists  bool // a dm map with UUID mpath-<one of its ids> exists
	OtherPaths int  // other known paths with the same WWID
	Released   bool // udev has DM_MULTIPATH_DEVICE_PATH=0 for it from before
	TPGS       bool // at least one path of the LUN reports target port groups and none reports none

	// AccessState is sysfs access_state of the SCSI device, "" where no device
	// handler is attached or it does not know.
	AccessState string
	// RDAC: its page 0xC9 is that of an RDAC array. Only the daemon asks.
	RDAC bool

	// DHState is sysfs dh_state of the SCSI device: the hardware handler that the
	// kernel has attached ("alua"); "" or "detached": none.
	DHState string
	// NoDaemon says why no daemon will build the map; "" one runs or will be
	// started. Only the udev hook sets it: what nobody maps is not claimed.
	NoDaemon string
}

// Kernel is what the running kernel offers; unknown selectors and handlers are
// replaced by service-time and none with a warning.
type Kernel struct {
	Selectors []string // nil: not known, assume all
	Handlers  []string
}

// Decision is the answer to "what about this device?".
type Decision struct {
	Verdict Verdict
	// Claim is what udev is told. It differs from Verdict where multipath-tools'
	// tool and daemon differ: with find_multipaths off a free disk is a path of
	// the daemon and not claimed before its map exists, and a path of a running
	// map stays claimed even where it is rejected.
	Claim Claim
	// Skipped: it counts for no path, whatever find_multipaths says: blacklisted,
	// hidden, a USB disk. multipathd does not even list such a device.
	Skipped  bool
	Reason   string   // one clause: "blacklisted by devnode"
	Origin   Origin   // of the rule that decided
	Settings Settings // of the device, valid whatever the verdict
	Single   Single   // what the names section gives it as a disk without a map
	Trace    []Trace  // in order: identity, match, admission, blacklist, claim, disk, settings
	// RecordOldIDs are the old ids by which the configuration or the bindings
	// file named this LUN: to be recorded durably before it gets its map, those
	// that State.OldIDs already has not among them.
	RecordOldIDs []OldID
}

// Blacklisted says whether a rule of the blacklist keeps the device out.
func (d Decision) Blacklisted() bool {
	return d.Verdict == VerdictReject && strings.HasPrefix(d.Reason, "blacklisted")
}

// Claim is what udev is told about a device.
type Claim uint8

// Claims.
const (
	ClaimUnknown Claim = iota // cannot be said: what udev had before stays
	ClaimNo
	ClaimMaybe // find_multipaths smart: wait for a second path
	ClaimYes   // unless udev released the device to the system before
	ClaimFinal // also then
)

// String gives "no", "maybe", "yes", "yes-final" or "unknown".
func (c Claim) String() string {
	switch c {
	case ClaimNo:
		return "no"
	case ClaimMaybe:
		return "maybe"
	case ClaimYes:
		return "yes"
	case ClaimFinal:
		return "yes-final"
	default:
		return "unknown"
	}
}

// State is what a decision depends on beyond the configuration and the device.
type State struct {
	Bindings Bindings // the bindings file
	OldIDs   OldIDs
	Kernel   Kernel
	// index is that of Bindings, nil: they are searched line by line. It is no part
	// of what is recorded or sent.
	index *NameIndex
}

// OldID says which LUN an old id stands for since its first match.
type OldID struct {
	Old       string // an id other than the canonical one, as it stood in the file
	Canonical string // WWID
}

// OldIDs is the record of the old ids that were matched: one LUN for each.
type OldIDs []OldID

// Holder gives the canonical WWID that an old id is recorded for.
func (o OldIDs) Holder(old string) (canonical string, ok bool) {
	for _, r := range o {
		if r.Old == old {
			return r.Canonical, true
		}
	}
	return "", false
}

// Verdict says whether the device becomes a path.
type Verdict uint8

// Verdicts.
const (
	VerdictUnknown Verdict = iota
	VerdictAdmit           // a path
	VerdictReject          // left alone
	VerdictMaybe           // find_multipaths smart: wait
)

// Trace is one step of a decision, for explain.
type Trace struct {
	Step    string // "blacklist", "claim", "name", ...
	Text    string
	Origin  Origin
	Decided bool // this step decided the outcome
}

// Value is a resolved setting with its origin.
type Value[T any] struct {
	V      T
	Origin Origin
}

// RetryPolicy is no_path_retry.
type RetryPolicy struct {
	Mode   RetryMode
	Checks int // RetryCount: how many polling intervals to queue
}

// RetryMode is the kind of no_path_retry.
type RetryMode uint8

// no_path_retry values.
const (
	RetryUnset RetryMode = iota // leave the feature as the table says
	RetryFail
	RetryQueue
	RetryCount
)

// FailbackPolicy is failback.
type FailbackPolicy struct {
	Mode    FailbackMode
	Seconds int // FailbackDeferred
}

// FailbackMode is the kind of failback.
type FailbackMode uint8

// failback values.
const (
	FailbackUnknown FailbackMode = iota
	FailbackManual
	FailbackImmediate
	FailbackDeferred
	FailbackFollowover
)

// Settings is what one path and its map run with.
type Settings struct {
	// Of the map.
	Alias          Value[string] // "" : none in the config
	UserFriendly   Value[bool]
	AliasPrefix    Value[string]
	Grouping       Value[string] // failover multibus group_by_serial group_by_prio group_by_node_name group_by_tpg
	Selector       Value[string] // "service-time 0"
	Features       Value[string] // "0", "2 pg_init_retries 50": without queue_if_no_path
	Handler        Value[string] // "0", "1 alua"
	NoPathRetry    Value[RetryPolicy]
	Failback       Value[FailbackPolicy]
	MinIO          Value[int] // rr_min_io_rq: what goes into the table
	RRWeight       Value[string]
	UID, GID       Value[string] // as configured: number or name; "" unset
	Mode           Value[int]    // -1 unset, else 0..0777
	FlushOnLastDel Value[string] // never always unused
	SkipKpartx     Value[bool]
	DeferredRemove Value[bool]
	AutoResize     Value[string] // "never", "grow_only", "grow_shrink"
	ExpectedPaths  Value[int]    // 0: not said
	ReservationKey Value[string] // "0x123abc", "0x123abc:aptpl", "file"; "" none
	// Of the path.
	Checker        Value[string]
	Prio           Value[string]
	PrioArgs       Value[string]
	CheckerTimeout Value[int] // seconds; 0: the device's own time-out, else 30
	FastIOFail     Value[Timeout]
	DevLoss        Value[Timeout]
	EHDeadline     Value[Timeout]
	MaxRetries     Value[Timeout]
	MaxSectorsKB   Value[int] // of the map's paths; 0 unset
	// Of all.
	PollingInterval    Value[int] // seconds
	MaxPollingInterval Value[int] // seconds
	QueueWithoutDaemon Value[bool]
	FindMultipaths     Value[string]

	// MatchedID is the multipaths entry's wwid text that matched ("" none) and
	// the kind of id it matched by.
	MatchedID   string
	MatchedKind scsi.IDKind
}
