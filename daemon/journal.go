package daemon

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"pathkeeper/mpath"
	"pathkeeper/server"
)

// journal is the log. The loop never waits for it: a line that finds the buffer
// full is dropped and counted, and the count is logged when there is room.
type journal struct {
	lines   chan line
	dropped atomic.Uint64
	level   mpath.Level
	prefix  bool // systemd's "<5>" before each line

	hub  server.Hub // those who follow the log
	lost atomic.Uint64
}

type line struct {
	note mpath.Note
	at   time.Time
	done chan struct{} // a flush
}

// journalLines bounds what waits to be written.
const journalLines = 4096

func newJournal(level mpath.Level, prefix bool) *journal {
	return &journal{lines: make(chan line, journalLines), level: level, prefix: prefix}
}

func (j *journal) note(n mpath.Note) {
	at := time.Now()
	select {
	case j.lines <- line{note: n, at: at}:
	default:
		j.dropped.Add(1)
		j.lost.Add(1)
	}
	j.hub.Publish(server.Event{Time: at, Level: server.LevelWord(n.Level), Object: n.Object, Text: n.Text})
}

func (j *journal) printf(l mpath.Level, object, format string, args ...any) {
	j.note(mpath.Note{Level: l, Object: object, Text: fmt.Sprintf(format, args...)})
}

// write runs in a goroutine of its own, which may hang with the writer.
func (j *journal) write(w io.Writer) {
	for l := range j.lines {
		if l.done != nil {
			close(l.done)
			continue
		}
		if n := j.dropped.Swap(0); n > 0 {
			j.print(w, mpath.Note{Level: mpath.LevelWarning, Object: "log", Text: fmt.Sprintf("%d lines were dropped: the log does not keep up", n)})
		}
		j.print(w, l.note)
	}
}

func (j *journal) print(w io.Writer, n mpath.Note) {
	if n.Level > j.level {
		return
	}
	text := n.Text
	if n.Object != "" {
		text = n.Object + ": " + text
	}
	text = printable(text)
	if j.prefix {
		fmt.Fprintf(w, "<%d>%s\n", n.Level, text)
		return
	}
	fmt.Fprintln(w, text)
}

// flush waits until everything so far is written, at most for limit.
func (j *journal) flush(limit time.Duration) {
	done := make(chan struct{})
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case j.lines <- line{done: done}:
	case <-t.C:
		return
	}
	select {
	case <-done:
	case <-t.C:
	}
}

// printable keeps what devices and files say from steering a terminal.
func printable(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			clean = false
		}
	}
	if clean {
		return s
	}
	out := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			out = append(out, fmt.Sprintf("\\x%02x", s[i])...)
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}
