// Package mpath is Pathkeeper's core: a pure state machine that decides what
// happens to paths and maps. Step takes one event and the time and gives the
// actions to carry out and the time at which it wants to be called again. The
// same events in give the same actions out: no I/O, no clock, no goroutine, no
// chance. The daemon carries the actions out on the real kernel, sim on a
// simulated one.
//
// Three things are kept apart for every map: Want (what configuration and
// discovery ask for), Have (the last truth read from the kernel) and Ask (the
// one question that is open). Objects refer to each other by id.
package mpath

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/dmmap/table"
)

// Instant is a point in time: nanoseconds of CLOCK_BOOTTIME or of a simulated
// clock. Zero means never.
type Instant int64

// Span is a length of time in nanoseconds.
type Span int64

// Lengths of time.
const (
	Millisecond Span = 1e6
	Second      Span = 1e9
	Minute      Span = 60e9
)

// Never is later than every deadline.
const Never = Instant(1<<63 - 1)

// After gives the instant a span later.
func (t Instant) After(s Span) Instant { return t + Instant(s) }

// Since gives the span from an earlier instant to t.
func (t Instant) Since(u Instant) Span { return Span(t - u) }

// Seconds gives a span in whole seconds, rounded down.
func (s Span) Seconds() int64 { return int64(s / Second) }

// PathID names one appearance of a block device. Device numbers are reused, the
// kernel's disk sequence number never is (Documentation/ABI/testing/sysfs-block,
// diskseq).
type PathID struct {
	Dev     table.DevNum `json:"dev"`
	Diskseq uint64       `json:"diskseq"`
}

// String gives "8:16@7".
func (id PathID) String() string { return id.Dev.String() + "@" + strconv.FormatUint(id.Diskseq, 10) }

// MarshalText gives the text form.
func (id PathID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form.
func (id *PathID) UnmarshalText(b []byte) error {
	dev, seq, ok := strings.Cut(string(b), "@")
	if !ok {
		return fmt.Errorf("path id %q: want major:minor@diskseq", b)
	}
	d, err := table.ParseDevNum(dev)
	if err != nil {
		return fmt.Errorf("path id %q: %w", b, err)
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return fmt.Errorf("path id %q: %w", b, err)
	}
	*id = PathID{Dev: d, Diskseq: n}
	return nil
}

func (id PathID) compare(o PathID) int {
	if c := id.Dev.Compare(o.Dev); c != 0 {
		return c
	}
	switch {
	case id.Diskseq < o.Diskseq:
		return -1
	case id.Diskseq > o.Diskseq:
		return 1
	}
	return 0
}

// Errno is what the kernel said, as far as the core decides on it.
type Errno uint8

// The errors that the core tells apart. Every other one is ErrnoOther.
const (
	ErrnoNone     Errno = iota
	ErrnoBusy           // EBUSY: in use, or suspended
	ErrnoInvalid        // EINVAL: the kernel refuses the table or message
	ErrnoGone           // ENXIO, ENODEV, ENOENT: no such device any more
	ErrnoNoMem          // ENOMEM
	ErrnoIO             // EIO
	ErrnoReadOnly       // EROFS
	ErrnoExists         // EEXIST
	ErrnoDenied         // EPERM, EACCES
	ErrnoChanged        // ours: the device is another one than the one that was identified
	ErrnoTimeout        // ours: no answer in time
	ErrnoOther
)

var errnoNames = [...]string{"", "EBUSY", "EINVAL", "ENXIO", "ENOMEM", "EIO", "EROFS", "EEXIST", "EPERM", "device changed", "timed out", "error"}

// String gives the errno's name, "" for none.
func (e Errno) String() string {
	if int(e) < len(errnoNames) {
		return errnoNames[e]
	}
	return "error"
}

// MarshalText gives the name.
func (e Errno) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads the name.
func (e *Errno) UnmarshalText(b []byte) error {
	for i, n := range errnoNames {
		if n == string(b) {
			*e = Errno(i)
			return nil
		}
	}
	return fmt.Errorf("unknown errno name %q", b)
}
