// Package wire is the language between the lab on the host and its agent in the
// guest: frames of a 4-byte big-endian length and one JSON value, over a
// virtio-serial port. The host asks, the agent answers each request once, in
// any order; the agent speaks unasked only to say Hello.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// Port is the name of the virtio-serial port, seen in the guest as
// /sys/class/virtio-ports/*/name.
const Port = "pathkeeper.lab"

// MaxFrame bounds one frame, in bytes. Files that are copied are smaller.
const MaxFrame = 64 << 20

// Request asks one thing: exactly one of the pointers is set.
type Request struct {
	ID     uint64   `json:"id"`
	Exec   *Exec    `json:"exec,omitempty"`
	Start  *Start   `json:"start,omitempty"`
	Reap   *Reap    `json:"reap,omitempty"`
	Signal *Signal  `json:"signal,omitempty"`
	Do     []Step   `json:"do,omitempty"`
	Read   *Read    `json:"read,omitempty"`
	Look   []string `json:"look,omitempty"` // patterns for Response.Entries
	Wait   *Wait    `json:"wait,omitempty"`
	Probe  *Probe   `json:"probe,omitempty"`
	Tar    *Tar     `json:"tar,omitempty"`
	Shell  *Shell   `json:"shell,omitempty"`
	Halt   bool     `json:"halt,omitempty"`
}

// Response answers the request of the same ID. Err is empty on success; Errno
// is set where the kernel refused.
type Response struct {
	ID      uint64       `json:"id"`
	Err     string       `json:"err,omitempty"`
	Errno   int          `json:"errno,omitempty"`
	Hello   *Hello       `json:"hello,omitempty"`
	Exit    *Exit        `json:"exit,omitempty"`
	PID     int          `json:"pid,omitempty"`
	Data    []byte       `json:"data,omitempty"`
	Probe   *ProbeResult `json:"probe,omitempty"`
	Entries []Entry      `json:"entries,omitempty"`
	// More is true for the chunks of a stream before its last.
	More bool `json:"more,omitempty"`
}

// Hello is what the agent says first, with ID 0.
type Hello struct {
	Kernel  string  `json:"kernel"`   // uname -r
	Boot    string  `json:"boot"`     // "bare" or "systemd"
	CPUs    int     `json:"cpus"`     // online in the guest
	Uptime  float64 `json:"uptime"`   // seconds since the kernel started
	SpawnMS float64 `json:"spawn_ms"` // milliseconds for one fork, exec and exit of /bin/true: the measure of deadlines
}

// Exec runs a program to its end.
type Exec struct {
	Argv      []string `json:"argv"`
	Env       []string `json:"env,omitempty"` // added to the agent's own
	Stdin     []byte   `json:"stdin,omitempty"`
	TimeoutMS int64    `json:"timeout_ms"` // then SIGKILL to its process group
}

// Exit is how a program ended.
type Exit struct {
	Code     int    `json:"code"` // exit status; 128+n for signal n, as a shell has it
	Stdout   []byte `json:"stdout,omitempty"`
	Stderr   []byte `json:"stderr,omitempty"`
	TimedOut bool   `json:"timed_out,omitempty"`
	MS       int64  `json:"ms"`
}

// Start runs a program in the background under a name, both its outputs
// appended to the file Log.
type Start struct {
	Name string   `json:"name"`
	Argv []string `json:"argv"`
	Env  []string `json:"env,omitempty"`
	Log  string   `json:"log"`
}

// Reap waits for a background program's end and forgets it. With TimeoutMS 0
// it answers at once with Errno EAGAIN if the program still runs.
type Reap struct {
	Name      string `json:"name"`
	TimeoutMS int64  `json:"timeout_ms"`
}

// Signal sends a signal to a background program by its name.
type Signal struct {
	Name   string `json:"name"`
	Signal int    `json:"signal"`
}

// Step is one change of the guest's file system; a list of steps is done in
// order and stops at the first that fails. Exactly one of the operations.
type Step struct {
	Mkdir  string `json:"mkdir,omitempty"` // with its parents
	Write  string `json:"write,omitempty"` // one write(2) of Data to an existing or new file: what configfs and sysfs want
	Data   []byte `json:"data,omitempty"`
	Mode   uint32 `json:"mode,omitempty"` // permission bits for a new file, 0644 if 0
	Append bool   `json:"append,omitempty"`
	Link   string `json:"link,omitempty"` // symbolic link to Target
	Target string `json:"target,omitempty"`
	Remove string `json:"remove,omitempty"` // file, link or empty directory (rmdir)
	Size   string `json:"size,omitempty"`   // truncate or extend this file to Bytes
	Bytes  int64  `json:"bytes,omitempty"`
	// Absent is no error for Remove and Write when Maybe is set.
	Maybe bool `json:"maybe,omitempty"`
}

// String names the step as a shell would.
func (s Step) String() string {
	switch {
	case s.Mkdir != "":
		return "mkdir " + s.Mkdir
	case s.Write != "":
		if len(s.Data) > 80 {
			return fmt.Sprintf("write %d bytes > %s", len(s.Data), s.Write)
		}
		return fmt.Sprintf("echo %q > %s", s.Data, s.Write)
	case s.Link != "":
		return "ln -s " + s.Target + " " + s.Link
	case s.Remove != "":
		return "rm " + s.Remove
	case s.Size != "":
		return fmt.Sprintf("truncate -s %d %s", s.Bytes, s.Size)
	}
	return "nothing"
}

// Read returns a file's bytes from Offset on.
type Read struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset,omitempty"`
}

// Entry is one file that a pattern of Request.Look matched, in sorted order.
type Entry struct {
	Path string `json:"path"`
	Link string `json:"link,omitempty"` // a link's target, resolved to the end
	Text string `json:"text,omitempty"` // a regular file's content, at most 4096 bytes
	Mode uint32 `json:"mode"`           // st_mode of what the path leads to
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
	Rdev uint64 `json:"rdev,omitempty"`
}

// Wait asks until a condition holds or the deadline passes; the agent looks
// every EveryMS milliseconds. The condition: the output of Argv (stdout and
// stderr), or the content of File, matches the regular expression Match, or
// none of it with Not. An absent file is empty text; with Match empty the
// condition is that the file exists, or that the program exits 0. With HoldMS
// the condition must hold at every look for that long.
type Wait struct {
	Argv      []string `json:"argv,omitempty"`
	File      string   `json:"file,omitempty"`
	Match     string   `json:"match,omitempty"`
	Not       bool     `json:"not,omitempty"`
	TimeoutMS int64    `json:"timeout_ms"`
	EveryMS   int64    `json:"every_ms,omitempty"`
	HoldMS    int64    `json:"hold_ms,omitempty"`
}

// Probe is one timed O_DIRECT read or write of one block by a thread of its
// own. A probe that does not return within TimeoutMS stays pending: the answer
// says so, and Later asks for it again.
type Probe struct {
	Name      string `json:"name"` // to ask again later
	Later     bool   `json:"later,omitempty"`
	Write     bool   `json:"write,omitempty"`
	Path      string `json:"path,omitempty"`
	Offset    int64  `json:"offset,omitempty"` // bytes, a multiple of 4096
	Stamp     string `json:"stamp,omitempty"`  // text repeated through the block that is written
	TimeoutMS int64  `json:"timeout_ms"`
}

// ProbeResult tells how the probe's I/O ended.
type ProbeResult struct {
	Pending bool    `json:"pending,omitempty"`
	Errno   int     `json:"errno,omitempty"`
	Error   string  `json:"error,omitempty"`
	MS      float64 `json:"ms"`
	Head    []byte  `json:"head,omitempty"` // the first 64 bytes that were read
}

// Tar returns the files and trees that exist among Paths as a tar archive.
type Tar struct {
	Paths []string `json:"paths"`
}

// Shell runs a login shell on a pseudo-terminal. The first request of an ID
// starts it, further ones with the same ID carry keys; output comes as
// responses with More.
type Shell struct {
	Rows  uint16 `json:"rows,omitempty"`
	Cols  uint16 `json:"cols,omitempty"`
	Start bool   `json:"start,omitempty"`
	Keys  []byte `json:"keys,omitempty"`
}

// Send writes v as one frame.
func Send(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(body) > MaxFrame {
		return fmt.Errorf("wire: a frame of %d bytes is over the limit of %d", len(body), MaxFrame)
	}
	frame := make([]byte, 4+len(body))
	binary.BigEndian.PutUint32(frame, uint32(len(body)))
	copy(frame[4:], body)
	_, err = w.Write(frame)
	return err
}

// Receive reads one frame into v.
func Receive(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxFrame {
		return fmt.Errorf("wire: a frame of %d bytes is over the limit of %d", n, MaxFrame)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}
