// Package engine turns each action of the core into port requests and each
// answer into the next request or one event. It is pure: no goroutine, no
// clock, no I/O. The daemon runs it with workers on the real ports, sim with
// one goroutine and a simulated kernel; Perform carries one request to a port
// and is the same for both.
package engine

import (
	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
)

// Kind says what an Ask wants of which port.
type Kind uint8

// The requests.
const (
	KindUnknown     Kind = iota
	KindSCSI             // one command: Device, SG, SCSI -> SCSI
	KindDM               // one device-mapper ioctl: DM -> Errno, Bytes
	KindScan             // list the block devices -> Disks
	KindDisk             // everything sysfs says of one disk: Device -> Disk, Port
	KindAttr             // one sysfs attribute: Path -> Bytes
	KindSetAttr          // write one sysfs attribute: Path, Text
	KindFile             // read a state file or one of /proc, /run/udev: Path -> Bytes
	KindWriteFile        // replace a state file, crash-safe: Path, Bytes, Mode
	KindReplaceFile      // the same of one that still holds Was; EAGAIN: it does not
	KindRemove           // remove a state file: Path
	KindList             // list a state directory: Path -> Names
	KindHold             // open block devices and compare who they are: Paths -> Held
	KindRelease          // close them: Held
	KindOwner            // owner and mode of a block device's node: Dev, Owner
	KindReadDisk         // O_DIRECT read: Device, Offset, Length -> N
)

// Ask is one request to one port. It says everything that the port needs.
type Ask struct {
	Kind   Kind
	Device string // kernel name
	// ID is which device of that name is meant: names are used again. Zero: not
	// known, whichever it is.
	ID     mpath.PathID
	SG     string // sg node, "" : by the block device
	HostNo uint32 // number of its SCSI host
	SCSI   scsi.Request
	DM     dmmap.Call
	Path   string
	Text   string
	Bytes  []byte
	Was    []byte // what the file was when Bytes was made of it
	Mode   uint32
	Paths  []mpath.PathRef
	// Exclusive: a device that somebody else holds exclusively is refused.
	Exclusive bool
	Held      []uint64 // what KindHold opened
	Dev       table.DevNum
	Owner     mpath.Owner
	Offset    uint64
	Length    uint32
	TimeoutMS uint32
}

// Answer is what the port said. Errno is the raw number, 0 for success; ErrGone
// and ErrAbsent of sysfs come as ENODEV and ENOENT.
type Answer struct {
	Errno uint32
	// Late: the process stood still between the request and this answer (SIGSTOP,
	// a paused VM). The shell knows; what was proved before it is old now.
	Late   bool
	Detail string // in words, where the number does not say it all
	SCSI   scsi.Response
	Bytes  []byte
	Names  []string
	Disks  []mpath.Disk
	Disk   sysfs.Disk
	Port   sysfs.Port // of Disk
	Held   []uint64
	N      uint32
}

// Raw errno numbers of Linux that somebody decides on (asm-generic/errno.h).
const (
	ePERM   = 1
	eNOENT  = 2
	eIO     = 5
	eNXIO   = 6
	eAGAIN  = 11
	eNOMEM  = 12
	eACCES  = 13
	eBUSY   = 16
	eEXIST  = 17
	eNODEV  = 19
	eINVAL  = 22
	eNFILE  = 23
	eMFILE  = 24
	eROFS   = 30
	eSTALE  = 116
	eTIMEUP = 110
)

// Step is what an operation says next: one request, or the event it ends in.
type Step struct {
	Ask   Ask
	Next  Next        // set: the operation goes on with the answer
	Event mpath.Event // set: it has ended; nil with Next nil: it ended without a word
}

// Next takes the answer to the last request.
type Next func(Answer) Step

func ask(a Ask, next Next) Step { return Step{Ask: a, Next: next} }

func done(e mpath.Event) Step { return Step{Event: e} }

// Engine holds what operations need besides their action.
type Engine struct {
	Files Files
	// BootID marks deadlines with the boot they belong to (/proc/sys/kernel/random/boot_id).
	BootID string
	// ReadOnly: nothing is changed; every changing action ends at once as done.
	// Commands that run without the daemon observe this way.
	ReadOnly bool
	// Quiet: nothing is sent to any device: identities come from the kernel's
	// cache, and no path is checked.
	Quiet bool
	// ReadNames: the bindings are read and never written.
	ReadNames bool
	// Only, if set, is all that is looked at and changed.
	Only *Only
}

// Files are the places of the state files.
type Files struct {
	Bindings  string // /etc/multipath/bindings
	WWIDs     string // /etc/multipath/wwids
	OldIDs    string // /etc/multipath/oldids
	FailedDir string // /run/multipath/failed_wwids
	Deadlines string // /run/pathkeeper/deadlines
	PRKeys    string // /etc/multipath/prkeys
	UdevDB    string // /run/udev
	Mounts    string // /proc/self/mountinfo
	Swaps     string // /proc/swaps
}

// DefaultFiles are the places on a real host.
func DefaultFiles() Files {
	return Files{
		Bindings: "/etc/multipath/bindings", WWIDs: "/etc/multipath/wwids", OldIDs: "/etc/multipath/oldids",
		FailedDir: "/run/multipath/failed_wwids", Deadlines: "/run/pathkeeper/deadlines",
		PRKeys: "/etc/multipath/prkeys", UdevDB: "/run/udev", Mounts: "/proc/self/mountinfo", Swaps: "/proc/swaps",
	}
}

// Start begins the operation of an action. Note has none: its Step is empty.
func (e *Engine) Start(a mpath.Action) Step {
	switch a := a.(type) {
	case mpath.Scan:
		return e.scan(a)
	case mpath.ListMaps:
		return e.listMaps(a)
	case mpath.Identify:
		return e.identify(a)
	case mpath.ReadMap:
		return e.readMap(a)
	case mpath.FindWWIDs:
		return e.findWWIDs(a)
	case mpath.StartCheck:
		if e.Quiet {
			return Step{}
		}
		return e.check(a)
	}
	if e.ReadOnly {
		return e.pretend(a)
	}
	if s, held := e.Only.held(a); held {
		return s
	}
	switch a := a.(type) {
	case mpath.CreateMap:
		return e.createMap(a)
	case mpath.LoadMap:
		return e.loadMap(a)
	case mpath.ResumeMap:
		return e.resumeMap(a)
	case mpath.RemoveMap:
		return e.removeMap(a)
	case mpath.SuspendMap:
		return e.suspendMap(a)
	case mpath.ReadSizes:
		return e.readSizes(a)
	case mpath.ResizeMap:
		return e.resizeMap(a)
	case mpath.RenameMap:
		return e.renameMap(a)
	case mpath.Message:
		return e.message(a)
	case mpath.SaveNames:
		return e.saveNames(a)
	case mpath.SaveWWIDs:
		return e.saveWWIDs(a)
	case mpath.MarkFailed:
		return e.markFailed(a)
	case mpath.ForgetLoad:
		return e.forgetLoad(a)
	case mpath.SaveDeadlines:
		return e.saveDeadlines(a)
	case mpath.SavePRKey:
		return e.savePRKey(a)
	case mpath.Trigger:
		return e.trigger(a)
	case mpath.SetOwner:
		return e.setOwner(a)
	case mpath.SetKnobs:
		return e.setKnobs(a)
	case mpath.LimitPaths:
		return e.limitPaths(a)
	}
	return Step{}
}

// pretend ends a changing action without doing it: an observer changes nothing.
// The action stays open in the core for ever, so that it asks for no next one.
func (e *Engine) pretend(mpath.Action) Step { return Step{} }

func errnoOf(n uint32) mpath.Errno {
	switch n {
	case 0:
		return mpath.ErrnoNone
	case eBUSY:
		return mpath.ErrnoBusy
	case eINVAL:
		return mpath.ErrnoInvalid
	case eNXIO, eNODEV, eNOENT:
		return mpath.ErrnoGone
	case eNOMEM:
		return mpath.ErrnoNoMem
	case eIO:
		return mpath.ErrnoIO
	case eROFS:
		return mpath.ErrnoReadOnly
	case eEXIST:
		return mpath.ErrnoExists
	case ePERM, eACCES:
		return mpath.ErrnoDenied
	case eSTALE:
		return mpath.ErrnoChanged
	case eTIMEUP:
		return mpath.ErrnoTimeout
	}
	return mpath.ErrnoOther
}
