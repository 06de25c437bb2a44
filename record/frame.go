// Package record is the flight recorder: every event that the core was given, every
// action that came out, and from time to time the core's whole state, in files that
// a person can page through and `pathkeeper replay` can run the core over again.
//
// A recording is lines. One that begins a segment says what the file is; each other
// one is a frame:
//
//	pathkeeper-record 1
//	h 0 0 190 5f3a9c1e {"product":"0.1.0","boot":"...","wall":"2026-11-21T03:12:44.2Z","at":103482910233,...}
//	c 0 0 2112 8a01bb7c H4sIAAAA...
//	e 1 103482910233 34 d00dfeed 2 103582910233 MapEvent {"Dev":"0:0"}
//	a 1 103482910233 20 0badcafe ListMaps {"Seq":1}
//
// that is: mark, number of the step, instant (nanoseconds of CLOCK_BOOTTIME), length
// and CRC-32C of the text, text. Segments may be joined: `cat` of two is a recording.
package record

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"pathkeeper/mpath"
)

// Format is the version of the format that this package writes.
const Format = 1

// magic begins the first line of a segment; the version follows.
const magic = "pathkeeper-record "

// FrameBytes bounds one line.
const FrameBytes = 16 << 20

// Mark says what a frame is.
type Mark byte

// Marks.
const (
	MarkHeader     Mark = 'h' // a Header, as JSON
	MarkCheckpoint Mark = 'c' // the core after that step: an mpath.Checkpoint, gzip, base64
	MarkEvent      Mark = 'e' // number of actions, wake, mpath.EventText
	MarkAction     Mark = 'a' // mpath.ActionText
	MarkGap        Mark = 'g' // steps are missing before this: why
	MarkEdge       Mark = 't' // an Edge, as JSON
	MarkDamage     Mark = '!' // never written: a line that could not be read, and why
)

// Frame is one line of a recording.
type Frame struct {
	Mark Mark
	Step uint64
	At   mpath.Instant
	Text string
}

// Header begins a segment.
type Header struct {
	Product string        `json:"product"` // version of the program
	By      string        `json:"by"`      // "daemon", "sim seed 7"
	PID     int           `json:"pid"`
	Boot    string        `json:"boot"` // the kernel's boot id
	Wall    time.Time     `json:"wall"` // what the clock on the wall said at the instant At
	At      mpath.Instant `json:"at"`   // nanoseconds of CLOCK_BOOTTIME
	Segment uint64        `json:"segment"`
}

// WallOf converts an instant of this boot.
func (h Header) WallOf(at mpath.Instant) time.Time { return h.Wall.Add(time.Duration(at.Since(h.At))) }

// Step is one step of the core.
type Step struct {
	N     uint64 // counted from 1 since the process started
	At    mpath.Instant
	Event mpath.Event
	Acts  []mpath.Action
	Wake  mpath.Instant
}

// append appends the line of a frame.
func (f Frame) append(b []byte) []byte {
	start := len(b)
	b = append(b, byte(f.Mark), ' ')
	b = strconv.AppendUint(b, f.Step, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(f.At), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(f.Text)), 10)
	sum := crc32.Checksum(b[start:], castagnoli())
	sum = crc32.Update(sum, castagnoli(), []byte(f.Text))
	b = fmt.Appendf(b, " %08x ", sum)
	b = append(b, f.Text...)
	return append(b, '\n')
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

var errFrame = errors.New("it is no frame")

// parseFrame reads a line without its newline.
func parseFrame(line string) (Frame, error) {
	part := strings.SplitN(line, " ", 6)
	if len(part) != 6 || len(part[0]) != 1 {
		return Frame{}, errFrame
	}
	step, err1 := strconv.ParseUint(part[1], 10, 64)
	at, err2 := strconv.ParseInt(part[2], 10, 64)
	length, err3 := strconv.Atoi(part[3])
	sum, err4 := strconv.ParseUint(part[4], 16, 32)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return Frame{}, errFrame
	}
	if length != len(part[5]) {
		return Frame{}, fmt.Errorf("its text has %d bytes instead of %d", len(part[5]), length)
	}
	head := line[:len(line)-len(part[5])-len(part[4])-2]
	got := crc32.Update(crc32.Checksum([]byte(head), castagnoli()), castagnoli(), []byte(part[5]))
	if got != uint32(sum) {
		return Frame{}, fmt.Errorf("its checksum is %08x instead of %08x", got, sum)
	}
	return Frame{Mark(part[0][0]), step, mpath.Instant(at), part[5]}, nil
}

// eventText is the text of an event's frame.
func eventText(s Step) string {
	return strconv.Itoa(len(s.Acts)) + " " + strconv.FormatInt(int64(s.Wake), 10) + " " + mpath.EventText(s.Event)
}

// parseEvent reads it.
func parseEvent(text string) (acts int, wake mpath.Instant, event string, err error) {
	part := strings.SplitN(text, " ", 3)
	if len(part) != 3 {
		return 0, 0, "", errFrame
	}
	acts, err1 := strconv.Atoi(part[0])
	w, err2 := strconv.ParseInt(part[1], 10, 64)
	if err1 != nil || err2 != nil || acts < 0 {
		return 0, 0, "", errFrame
	}
	return acts, mpath.Instant(w), part[2], nil
}
