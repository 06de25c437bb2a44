package mpath

import (
	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
)

// Action is what the core wants done. The set is closed; every action is plain
// data with a text form. An action with a Seq is answered by exactly one event
// that carries the same Seq.
type Action interface{ action() }

// Scan asks for the disks in sysfs -> Scanned.
type Scan struct{ Seq uint64 }

// ListMaps asks for the kernel's dm devices -> MapsListed.
type ListMaps struct{ Seq uint64 }

// Identify asks what a block device is -> PathSeen or PathUnreadable.
type Identify struct {
	Seq  uint64
	Name string
}

// ReadMap asks for table and status -> MapRead.
type ReadMap struct {
	Seq  uint64
	UUID string
}

// StartCheck asks for one check of a path -> CheckDone.
type StartCheck struct {
	Seq       uint64
	Path      PathID
	Name      string // kernel name
	SG        string
	HostNo    uint32
	Checker   string
	TimeoutMS uint32
	Prio      string // "" : do not ask
	PrioArgs  string
	HCTL      string // "2:0:0:1", for the prioritizer
	Serial    string // likewise
	PortGroup int    // likewise, from identification
	TPGS      uint8  // likewise
	// Identify: re-read the identity before the path may count as up. It is
	// also read, unasked, where the answers cast doubt on it.
	Identify bool
	Expect   string // the canonical WWID that the path was identified by
}

// PathRef is a path of a table with what must still be true when it is loaded.
type PathRef struct {
	ID   PathID
	Name string
	// Expect: the path joins, or comes back with this load: its identity is read
	// once more right before the table takes effect, and must make this WWID.
	Expect string
	SG     string
	HostNo uint32
}

// CreateMap makes a new map: create, load, resume -> ActionDone.
type CreateMap struct {
	Seq      uint64
	WWID     string
	Name     string
	Size     table.Sectors
	Table    table.Table
	ReadOnly bool
	NoKpartx bool
	Paths    []PathRef      // held open and compared before the load
	Fail     []table.DevNum // to be failed right after resume: merely down
	Owner    Owner
	Reason   string
}

// LoadMap gives a map a new table: load and one resume -> ActionDone.
type LoadMap struct {
	Seq      uint64
	WWID     string
	Name     string
	Size     table.Sectors
	Table    table.Table
	ReadOnly bool
	NoKpartx bool
	Paths    []PathRef
	Fail     []table.DevNum
	// Rollback: it is the former table, since the new one has cost a path.
	Rollback bool
	Reason   string
}

// ResumeMap resumes a map that we left suspended -> ActionDone.
type ResumeMap struct {
	Seq      uint64
	WWID     string
	Name     string
	NoKpartx bool
	Reason   string
}

// RemoveMap removes a map that nobody has open, and its partition maps first ->
// ActionDone. Deferred: if it is open, the kernel removes it at its last close, and
// the answer's truth says so.
type RemoveMap struct {
	Seq        uint64
	WWID       string
	Name       string
	Partitions []string // UUIDs of its partition maps
	Deferred   bool
	Reason     string
}

// ReadSizes asks how large the paths of a map are -> SizesRead. Those that show the
// size Stale are rescanned first, 0: all of them are.
type ReadSizes struct {
	Seq   uint64
	WWID  string
	Paths []PathRef
	Stale table.Sectors
	// Standby paths are not rescanned: the kernel would take a capacity that cannot
	// be read for none at all (sd_read_capacity).
	Standby []PathID
}

// ResizeMap gives a map a table of another size -> ActionDone. Its I/O is flushed,
// which fails what is queued: so none may be. Unless Force, a map does not become
// smaller than what is in use of it.
type ResizeMap struct {
	Seq      uint64
	WWID     string
	Name     string
	From     table.Sectors
	Size     table.Sectors
	Table    table.Table
	ReadOnly bool
	NoKpartx bool
	Paths    []PathRef
	Force    bool
	Reason   string
}

// SuspendMap stops a map's I/O without failing any -> ActionDone. Only an operator
// asks for it, and only an operator resumes it.
type SuspendMap struct {
	Seq    uint64
	WWID   string
	Name   string
	Reason string
}

// RenameMap gives a map another name, and its partition maps theirs -> ActionDone.
// A partition whose name cannot be changed does not undo that of the map: the detail
// of the answer says so.
type RenameMap struct {
	Seq      uint64
	WWID     string
	Name     string
	To       string
	NoKpartx bool
	Parts    []PartName
	Reason   string
}

// PartName is a partition map that is renamed.
type PartName struct {
	UUID string
	Name string
	To   string
}

// Message sends one message to a map -> ActionDone.
type Message struct {
	Seq    uint64
	WWID   string
	Name   string
	Text   string // "fail_path 8:16", "switch_group 2", "queue_if_no_path"
	Reason string
}

// SaveNames makes the bindings durable -> ActionDone.
type SaveNames struct {
	Seq      uint64
	Bindings []policy.Binding
	OldIDs   []policy.OldID
}

// SaveWWIDs adds WWIDs to the wwids file and clears their failed marks ->
// ActionDone. One is in flight at a time: each reads the file and writes it.
type SaveWWIDs struct {
	Seq   uint64
	WWIDs []string
}

// FindWWIDs asks which of some WWIDs stand in the wwids file -> WWIDsFound.
type FindWWIDs struct {
	Seq   uint64
	WWIDs []string
}

// MarkFailed writes the mark that keeps the hook from claiming -> ActionDone.
type MarkFailed struct {
	Seq  uint64
	WWID string
}

// ForgetLoad takes back the word of a former process that it was exchanging a map's
// table: the map is well -> ActionDone.
type ForgetLoad struct {
	Seq  uint64
	WWID string
}

// SaveDeadlines writes the deadlines and the maps' settings that outlive a restart
// -> ActionDone.
type SaveDeadlines struct {
	Seq       uint64
	Deadlines []Deadline
	Kept      []Kept
}

// SavePRKey writes one line of the prkeys file, or takes it out, where the key is
// 0 -> ActionDone. One is in flight at a time: each reads the file and writes it.
type SavePRKey struct {
	Seq uint64
	Key PRKey
}

// Trigger asks the kernel for a synthetic uevent of a path, so that udev looks
// at it again: its claim changed -> ActionDone.
type Trigger struct {
	Seq    uint64
	Name   string
	Verb   string // "change" or "add"
	Reason string
}

// Owner is who shall own a map's node. Negative: leave it.
type Owner struct {
	UID, GID int64
	Mode     int64
}

// Set says whether there is anything to apply.
func (o Owner) Set() bool { return o.UID >= 0 || o.GID >= 0 || o.Mode >= 0 }

// NoOwner leaves everything as it is.
func NoOwner() Owner { return Owner{-1, -1, -1} }

// SetOwner applies owner and mode to a map's node -> ActionDone.
type SetOwner struct {
	Seq    uint64
	Dev    table.DevNum
	Owner  Owner
	Reason string
}

// Knob is one attribute that the kernel keeps for an object in sysfs, and what it
// shall be.
type Knob struct {
	Name  string // "fast_io_fail_tmo"
	Value string // as the kernel takes it: "5", "off"
	Raise bool   // a greater value of the kernel's stays
}

// SetKnobs has attributes of one object in sysfs read, and those written that
// differ, in an order that the kernel takes -> KnobsSet. The object is a remote
// port, a session, a host or a disk, and may be that of many paths.
type SetKnobs struct {
	Seq    uint64
	Dir    string // below /sys: "class/fc_remote_ports/rport-1:0-2"
	Knobs  []Knob
	Reason string
}

// LimitPaths gives paths that are in no table yet their max_sectors_kb, before they
// come into one -> ActionDone. Into a live map none comes with less than the map
// itself has: requests that are on their way would be too large for it.
type LimitPaths struct {
	Seq    uint64
	WWID   string
	Dev    table.DevNum // of the live map; zero: it is made now
	KB     int
	Paths  []PathRef
	Reason string
}

// Level says how much a Note matters.
type Level uint8

// Levels, as syslog's.
const (
	LevelError   Level = 3
	LevelWarning Level = 4
	LevelNotice  Level = 5
	LevelInfo    Level = 6
)

// Note is a line for the log: an edge, with its cause.
type Note struct {
	Level  Level
	Object string // map or path name
	Text   string
}

// Bug says that the core caught a panic of its own.
type Bug struct {
	Object string // the map that is rebuilt from the kernel; "" : the whole core is unsound
	Text   string
	Where  string // the innermost functions, innermost first
}

func (Scan) action()          {}
func (ListMaps) action()      {}
func (Identify) action()      {}
func (ReadMap) action()       {}
func (StartCheck) action()    {}
func (CreateMap) action()     {}
func (LoadMap) action()       {}
func (ResumeMap) action()     {}
func (RemoveMap) action()     {}
func (ReadSizes) action()     {}
func (ResizeMap) action()     {}
func (Reply) action()         {}
func (Applied) action()       {}
func (SuspendMap) action()    {}
func (RenameMap) action()     {}
func (Message) action()       {}
func (SaveNames) action()     {}
func (SaveWWIDs) action()     {}
func (FindWWIDs) action()     {}
func (MarkFailed) action()    {}
func (ForgetLoad) action()    {}
func (SaveDeadlines) action() {}
func (SavePRKey) action()     {}
func (Trigger) action()       {}
func (SetOwner) action()      {}
func (SetKnobs) action()      {}
func (LimitPaths) action()    {}
func (Note) action()          {}
func (Bug) action()           {}
