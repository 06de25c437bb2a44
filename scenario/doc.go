// Package scenario reads the script files that say how Pathkeeper must behave:
// a script drives either the lab (a Debian kernel under QEMU) or the simulated
// kernel, with one closed table of verbs. The package only parses; each side
// brings its own meaning of the verbs.
//
// A script:
//
//	# Prose: any line that begins with '#'.
//	only: lab                  first: only: lab, only: sim, or both
//	boot: bare                 bare (default) or systemd; means nothing to sim
//	image: clients             the image with other programs that use maps; lab only
//
//	lun mysql1 64M A1 A2 B1 B2
//	config <<END
//	defaults { ...
//	END
//	daemon start
//	expect map mysql1 groups="A1 A2 | B1 B2" within=5s
//
// Words are parted by blanks; "..." and '...' hold blanks together, and inside
// "..." a backslash keeps '"' and '\' as they are. key=value words are the
// verb's options. A last word <<TAG takes the following lines, to a line TAG, as
// the verb's body.
package scenario

import (
	"fmt"
	"strings"
)

// Side is who runs a script or knows a verb.
type Side int

const (
	Both Side = iota
	Lab
	Sim
)

func (s Side) String() string {
	switch s {
	case Lab:
		return "only: lab"
	case Sim:
		return "only: sim"
	}
	return "both"
}

// On says whether a side runs what is marked s. Ask with Lab or Sim.
func (s Side) On(side Side) bool { return s == Both || s == side }

// Script is one file.
type Script struct {
	File     string
	Prose    string // the comment above the first line that is none
	Side     Side
	Boot     string // "bare" or "systemd"
	Image    string // "": the lab's own, or "clients"
	Commands []Command
}

// Title is the prose's first sentence, without its stop.
func (s *Script) Title() string {
	first, _, _ := strings.Cut(s.Prose, ". ")
	return strings.TrimSuffix(first, ".")
}

// Allows says who could run the script, by what stands in it: its first line must
// say the same.
func (s *Script) Allows() Side {
	for _, c := range s.Commands {
		if side, _ := c.Side(); side != Both {
			return side
		}
	}
	return Both
}

// Command is one verb with its words.
type Command struct {
	File string
	Line int
	Text string // the line as written, without heredoc
	Verb *Verb
	Args []string
	// Options holds the key=value words; every key is one of Verb.Options.
	Options map[string]string
	// Body is the heredoc's text with its final newline, if HasBody.
	Body    string
	HasBody bool
}

// Errorf makes an error at the command's place.
func (c Command) Errorf(format string, args ...any) error {
	return &Error{File: c.File, Line: c.Line, Err: fmt.Errorf(format, args...)}
}

// Error is a mistake in a script, or a scenario's failure, at a line of it.
type Error struct {
	File string
	Line int
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
