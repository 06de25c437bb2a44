// Package pathcheck holds the path checkers and prioritizers as pure state
// machines: Start gives the first request, Answer takes its response and gives
// the verdict or the next request. Nothing here does I/O or knows the time.
package pathcheck

import "pathkeeper/scsi"

// State is what a check found.
type State uint8

// States of a path, by the names that multipathd's `show status` uses.
const (
	StateUnknown      State = iota // never checked
	StateUp                        // "up", shown as ready
	StateDown                      // "down", shown as faulty
	StateGhost                     // "ghost": reachable, standby controller
	StateShaky                     // "shaky"
	StatePending                   // "pending": no answer yet, keep the previous state
	StateTimeout                   // "timeout": the command got no answer in its time; counts as down
	StateDisconnected              // "disconnected": target says LUN not supported (05/25/00); counts as down
	StateWild                      // the checker cannot work on this device
)

// Request is what a checker wants done: exactly one of the three is set.
type Request struct {
	SCSI *scsi.Request // a command
	Read *Read         // a direct read of the block device
	Attr string        // an attribute of the SCSI device in sysfs
}

// Read is an O_DIRECT read.
type Read struct {
	Offset    uint64 // bytes
	Length    uint32 // bytes, a multiple of the logical block
	TimeoutMS uint32
}

// Response answers a Request of the same kind.
type Response struct {
	SCSI  scsi.Response
	Errno uint32 // of a Read or an Attr
	Bytes uint32 // of a Read: how many came
	Text  string // of an Attr, without its newline
}

// Verdict is the end of a check.
type Verdict struct {
	State   State
	Message string // one clause for log and explain: "TEST UNIT READY: 02/04/0b target port in standby"
	// IdentityDoubt: the answers carried a unit attention that allows the LUN
	// behind the path to be another one (3F/0E, 3F/03, 29/xx): re-identify.
	IdentityDoubt bool
	// Inconclusive: nothing was learned (TASK SET FULL, BUSY, aborted): keep
	// the previous state and ask again soon.
	Inconclusive bool
}

// Step is what a checker says next: either Ask is set or Done is true.
type Step struct {
	Ask     *Request
	Done    bool
	Verdict Verdict
}

// Checker is one check of one path, made anew for each check.
type Checker interface {
	Start() Step
	Answer(Response) Step
}

// Params are what every checker may need.
type Params struct {
	TimeoutMS uint32 // checker_timeout or the device's own time-out
	BlockLen  uint32 // logical block length, bytes; 0 unknown: readsector0 asks for it
}

// PrioStep is what a prioritizer says next.
type PrioStep struct {
	Ask  *Request
	Done bool
	Prio PrioResult
}

// PrioResult is the end of a priority query.
type PrioResult struct {
	OK       bool   // false: keep the former priority
	Priority int    // as multipath-tools counts: alua 50/10/5/1/0, +80 preferred
	TPG      int    // target port group, -1 unknown
	State    string // "active/optimized", "standby"...: for show and explain
	Message  string // when !OK: why; when OK: a remark, or empty
	// IdentityDoubt as in Verdict: a unit attention is told once, to whichever
	// command comes first.
	IdentityDoubt bool
}

// Prioritizer is one query of one path, made anew for each.
type Prioritizer interface {
	Start() PrioStep
	Answer(Response) PrioStep
}

// PrioParams are what every prioritizer may need.
type PrioParams struct {
	TimeoutMS uint32
	Identity  scsi.Identity // TPGS and PortGroup
	Args      string        // prio_args
	// What weightedpath goes by.
	HCTL   string // "2:0:0:1"
	Name   string // kernel name
	Serial string
}
