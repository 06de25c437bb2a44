package mpath

import (
	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// Event is what can happen to the core. The set is closed; every event is plain
// data with a text form that round-trips (codec.go).
type Event interface{ event() }

// Wake is the passing of time: the daemon sends it when the wake of the last
// Step has come.
type Wake struct{}

// Configured brings a configuration: at the start, and at each reload.
type Configured struct {
	Config policy.Config
	Users  []NameID // user names of the config that the shell could resolve
	Groups []NameID
	// Reconfigure lets differences of adopted maps be acted on.
	Reconfigure bool
}

// NameID is a user or group name with its number.
type NameID struct {
	Name string
	ID   uint32
}

// StateLoaded brings what the state files say, once, before anything is seen.
type StateLoaded struct {
	Bindings  []policy.Binding
	ReadOnly  bool // bindings cannot be written
	WWIDs     []string
	Failed    []string
	OldIDs    []policy.OldID
	Deadlines []Deadline
	Kept      []Kept
	PRKeys    []PRKey
	// Loading are the maps whose table a former process was exchanging when it
	// ended: if one is suspended, it was us.
	Loading []string
	Kernel  policy.Kernel
}

// Deadline is a no_path_retry deadline that outlives a restart (/run).
type Deadline struct {
	WWID    string
	At      Instant
	Expired bool // queueing was switched off by it
}

// Kept are the settings of a map that outlive a restart (/run): what says how long
// it may queue where none of its devices is left to tell whose settings it has.
type Kept struct {
	WWID               string
	NoPathRetry        policy.RetryPolicy
	PollingInterval    int // seconds
	FlushOnLastDel     string
	DeferredRemove     bool
	QueueWithoutDaemon bool
	QueueOff           bool // an operator disabled queueing
	QueueWas           bool // and it did queue then
}

// StoodStill says that the shell was away for a while: SIGSTOP, a paused VM, a
// starved host. What was asked before is old.
type StoodStill struct{ Span Span }

// DeviceHint says that something happened to a block device, or to the SCSI
// device below it: a uevent. It is a reason to look, nothing more.
type DeviceHint struct {
	Name   string // kernel name; "" for a SCSI device, which HCTL names
	HCTL   string
	Dev    table.DevNum
	Remove bool
	// FromUdev: udevd has processed the event, so its database is right.
	FromUdev bool
	// Attention is what the device reported, of which the event tells.
	Attention Attention
}

// Overrun says that uevents were lost: look at everything.
type Overrun struct{}

// Scanned answers Scan: the disks that sysfs shows.
type Scanned struct {
	Seq   uint64
	Bad   string // the disks could not be listed: what was tried and what the kernel said
	Disks []Disk
}

// Disk is one line of a scan.
type Disk struct {
	Name    string
	Dev     table.DevNum
	Diskseq uint64
}

// PathSeen answers Identify: what the device says it is.
type PathSeen struct {
	Seq      uint64
	ID       PathID
	Name     string // kernel name
	SG       string // sg node's name, "" none
	HCTL     string // "2:0:0:1"
	Identity scsi.Identity
	// Fresh: the device itself was asked just now. Otherwise Identity is what
	// the kernel remembers: good enough to know whose path it is, no proof.
	Fresh    bool
	Facts    policy.Facts
	DevState string // sysfs state: "running", "offline", ...
	TimeoutS int    // the device's own command time-out, seconds; 0 unknown
	Node     string // target node name, for group_by_node_name
	Nexus    string // "rport-1:0-2", "session3", "end_device-0:1"; "" the transport has no name for it
	HostNo   uint32 // number of its SCSI host
	Port     PortNames
	// MaxSectorsKB is the largest request that the block layer sends it, KiB; 0 unknown.
	MaxSectorsKB int
	// PageData is what vpd_vendor has read of a vendor's page, "" nothing.
	PageData string
}

// PortNames say which ports a path runs between. What the transport does not have
// is "".
type PortNames struct {
	HostNode   string // Fibre Channel: world-wide name of the host's node, as sysfs prints it
	HostPort   string // and of its port
	TargetPort string // and of the target's port; the node is PathSeen.Node
	Adapter    string // PCI or ccw device of the host; of iSCSI the host's own address
}

// PathUnreadable answers Identify where the device could not be read: it is not
// there any more, or its sysfs entry vanished on the way.
type PathUnreadable struct {
	Seq  uint64
	Name string
	Gone bool // it is not there; else Why says what is wrong
	Why  string
}

// CheckDone answers StartCheck.
type CheckDone struct {
	Seq      uint64
	Path     PathID
	Verdict  pathcheck.Verdict
	DevState string
	// Identified: the identity was read; Found is the WWID that answered and
	// Same whether it is still the LUN of this path. Not identified: Found says
	// why not.
	Identified bool
	Same       bool
	Found      string
	Prio       pathcheck.PrioResult
	PrioAsked  bool
}

// MapsListed answers ListMaps: every dm device of the kernel.
type MapsListed struct {
	Seq  uint64
	Bad  string // the list could not be read: what was tried and what the kernel said
	Maps []MapRef
}

// MapRef is one line of the kernel's list of dm devices.
type MapRef struct {
	Name    string
	UUID    string
	Dev     table.DevNum
	EventNr uint32
}

// MapEvent says that device-mapper has news: list the maps, and read the one that
// the news are of again. Not everything that is done to a map counts as one of its
// events: whoever loads a table makes all its paths active.
type MapEvent struct{ Dev table.DevNum } // zero: not told

// MapRead answers ReadMap, with Errno ErrnoGone where there is no such map.
type MapRead struct {
	Seq   uint64
	UUID  string
	Errno Errno
	// Detail says in words what went wrong.
	Detail string
	Truth  Truth
}

// Truth is what the kernel said about a map.
type Truth struct {
	Name      string
	UUID      string
	Dev       table.DevNum
	Size      table.Sectors
	Target    string // "multipath", or what else somebody loaded
	Live      bool   // an active table is there
	Table     table.Table
	Status    table.Status
	Suspended bool
	ReadOnly  bool
	Deferred  bool // it goes at its last close
	Open      int
	EventNr   uint32
}

// NodeSeen tells owner and mode of a map's device node, after each event of the
// map that udevd has processed.
type NodeSeen struct {
	Dev      table.DevNum
	UID, GID uint32
	Mode     uint32
}

// ActionDone answers every action with a Seq that has no answer of its own.
type ActionDone struct {
	Seq    uint64
	Errno  Errno
	Detail string // what was tried and what the kernel said
	// HasTruth: the map was read after the action.
	HasTruth bool
	Truth    Truth
	// Changed are the paths for which a load was given up, with ErrnoChanged.
	Changed []FoundPath
}

// SizesRead answers ReadSizes.
type SizesRead struct {
	Seq   uint64
	Sizes []PathSize
}

// PathSize is the size of one path.
type PathSize struct {
	ID      PathID
	Sectors table.Sectors
	Bad     string // it could not be read: what was tried and what the kernel said
}

// FoundPath is a path that was not what a load took it for.
type FoundPath struct {
	ID    PathID
	Found string // the WWID that answers there now, "" none did
}

// KnobsSet answers SetKnobs: what the kernel had, and what it has now.
type KnobsSet struct {
	Seq   uint64
	Dir   string
	Knobs []KnobState
	// Detail: what was refused, what was tried and what the kernel said. "" all is
	// as wanted.
	Detail string
	// Busy: it takes nothing for the time being (a remote port that is blocked).
	Busy bool
	Gone bool // the object has left
}

// KnobState is one attribute before and after. Both are empty where the kernel has
// no such attribute.
type KnobState struct{ Name, Was, Is string }

// WWIDsFound answers FindWWIDs: those that are there. Of a file that cannot be read
// none is.
type WWIDsFound struct {
	Seq   uint64
	WWIDs []string
}

// Stopping announces the end of the daemon. Final: nobody takes over, so
// queueing is switched off unless queue_without_daemon says otherwise.
type Stopping struct{ Final bool }

func (Wake) event()           {}
func (Configured) event()     {}
func (StateLoaded) event()    {}
func (DeviceHint) event()     {}
func (StoodStill) event()     {}
func (Overrun) event()        {}
func (Scanned) event()        {}
func (PathSeen) event()       {}
func (PathUnreadable) event() {}
func (CheckDone) event()      {}
func (MapsListed) event()     {}
func (MapEvent) event()       {}
func (MapRead) event()        {}
func (NodeSeen) event()       {}
func (ActionDone) event()     {}
func (Stopping) event()       {}
func (SizesRead) event()      {}
func (Command) event()        {}
func (Apply) event()          {}
func (KnobsSet) event()       {}
func (WWIDsFound) event()     {}
