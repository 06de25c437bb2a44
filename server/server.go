// Package server answers other programs: the HTTP and JSON API on
// /run/pathkeeper/api.sock with its client, and the abstract socket of multipathd.
//
// The API, version 1. Everybody may read, uid 0 may change things (SO_PEERCRED):
//
//	GET  /v1/snapshot  the JSON document of package show: all maps, all devices
//	GET  /v1/raw       the core's snapshot for the command line of the same version
//	GET  /v1/status    Status
//	GET  /v1/events    the log from now on, one Event per line, until closed
//	POST /v1/reload    read the configuration again: ReloadResult; 409 and an error: refused, the old one stays
//	POST /v1/plan      {"place":"/root/new.conf"}: what that configuration would do, PlanResult; nothing is touched
//	POST /v1/apply     a plan: it is done exactly or refused, mpath.Applied, also where it says no
//	POST /v1/command   an operator's command, {"Kind":"fail path","Path":"sda"}, fields as in mpath.Command: mpath.Reply, also where it says no
//
// An error is {"error":"..."} with its HTTP status. Every client costs a bounded
// amount: connections, headers, bodies, time, answers in memory and events in wait
// all have limits, and none of them can make the daemon's loop wait.
package server

import (
	"context"
	"time"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/show"
)

// SocketPath is where the API is.
const SocketPath = "/run/pathkeeper/api.sock"

// Source is what the daemon offers. Snapshot and Status return at once, whatever
// the loop is doing. Reload waits until the new configuration is in force or
// refused, or ctx ends.
type Source interface {
	Snapshot() mpath.Snapshot
	// Basis is what is decided from, with the snapshot of the same moment.
	Basis(ctx context.Context) (mpath.Snapshot, mpath.Basis, error)
	Status() Status
	Reload(ctx context.Context) (ReloadResult, error)
	// Command waits for the reply to an operator's command, or for the end of ctx.
	Command(ctx context.Context, c mpath.Command) (mpath.Reply, error)
	// Plan says what a configuration would do: that at a place, or "" the system's.
	Plan(ctx context.Context, place string) (PlanResult, error)
	// Apply does what a plan says, or refuses; it waits until the new tables were
	// watched for a while, or ctx ends.
	Apply(ctx context.Context, p mpath.Plan) (mpath.Applied, error)
	// Rules is the configuration in force; nil before there is one. It returns at
	// once, as do Reconfigure, which has the configuration read again soon, with all
	// every table loaded anew too, and Quit, which ends the daemon.
	Rules() *policy.Compiled
	Reconfigure(all bool)
	Quit()
	// Bug tells loudly of a panic that was survived, and counts it.
	Bug(text string)
	// BlockDevices lists those of the host from sysfs, whatever they are.
	BlockDevices() []show.BlockDevice
	// Subscribe gives the events from now on, at most buf of them waiting. The
	// channel is closed when that is not enough, or when the returned function is
	// called. See Hub.
	Subscribe(buf int) (<-chan Event, func())
}

// States of the daemon.
const (
	StateStarting    = "starting"
	StateConfiguring = "configuring"
	StateRunning     = "running"
	StateStopping    = "stopping"
)

// Status says who answers and how it is.
type Status struct {
	Version  string `json:"version"`
	PID      int    `json:"pid"`
	UptimeS  int64  `json:"uptime_s"`
	State    string `json:"state"` // starting configuring running stopping
	Maps     int    `json:"maps"`
	Paths    int    `json:"paths"`    // of maps
	Up       int    `json:"paths_up"` // up or ghost
	Rejected int    `json:"devices_left_alone"`
	Lost     uint64 `json:"log_lines_lost"` // because the log could not take them
	Bugs     uint64 `json:"bugs"`           // broken laws and panics of the core: 0, or please report them

	ReloadPending bool `json:"reload_pending"` // one was asked for and has not begun
	Busy          bool `json:"busy"`           // uevents wait to be looked at

	RecordLost   uint64 `json:"recorder_steps_lost"`    // steps that are not in the recording
	RecordFailed uint64 `json:"recorder_writes_failed"` // writes and copies that could not be made
}

// ReloadResult is what a reload came to.
type ReloadResult struct {
	Files    []string `json:"files"`    // what was read
	Warnings []string `json:"warnings"` // file:line:column: text
}

// Event is one line of the log.
type Event struct {
	Time   time.Time `json:"time"`
	Level  string    `json:"level"`  // error warning notice info
	Object string    `json:"object"` // map or path
	Text   string    `json:"text"`
}

// LevelWord gives the word of a level in an Event.
func LevelWord(l mpath.Level) string {
	switch l {
	case mpath.LevelError:
		return "error"
	case mpath.LevelWarning:
		return "warning"
	case mpath.LevelNotice:
		return "notice"
	}
	return "info"
}

// Cred is who is at the other end of a connection (struct ucred, socket(7)).
type Cred struct {
	PID int32
	UID uint32
}

// Root reports whether the peer may change things.
func (c Cred) Root() bool { return c.UID == 0 }
