package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Problem is something that a recording does not say as it should.
type Problem struct {
	File   string `json:"file"`
	Frame  int    `json:"frame"`  // number of the line, from 1
	Offset int64  `json:"offset"` // of its first byte
	What   string `json:"what"`
}

// String gives "x.rec: frame 7 at byte 1034: its checksum is ...".
func (p Problem) String() string {
	return fmt.Sprintf("%s: frame %d at byte %d: %s", p.File, p.Frame, p.Offset, p.What)
}

// Reader reads a recording frame by frame, with one frame in memory. What cannot be
// read is a frame of MarkDamage, and what follows is read again.
type Reader struct {
	file   string
	in     *bufio.Reader
	line   int
	offset int64 // of the current line
	next   int64
	good   bool   // the file has shown that it is a recording
	Header Header // of the current segment
	report func(Problem)
	held   []Problem // until the file has shown that it is a recording
}

// ErrNoRecord says that a file is something else.
var ErrNoRecord = errors.New("it is no recording")

// NewReader reads a recording. Its name is for problems, which go to report.
func NewReader(file string, in io.Reader, report func(Problem)) *Reader {
	return &Reader{file: file, in: bufio.NewReaderSize(in, 64<<10), report: report}
}

// Problem reports something about the current frame.
func (r *Reader) Problem(format string, args ...any) Problem {
	p := Problem{r.file, r.line, r.offset, fmt.Sprintf(format, args...)}
	if !r.good {
		r.held = append(r.held, p)
		return p
	}
	r.report(p)
	return p
}

// proven notes that the file is a recording: what was held back about it counts.
func (r *Reader) proven() {
	r.good = true
	for _, h := range r.held {
		r.report(h)
	}
	r.held = nil
}

func (r *Reader) damage(format string, args ...any) Frame {
	return Frame{Mark: MarkDamage, Text: r.Problem(format, args...).What}
}

// Next gives the next frame, io.EOF at the end, ErrNoRecord for a file that has
// nothing of a recording.
func (r *Reader) Next() (Frame, error) {
	for {
		line, whole, err := r.readLine()
		if err != nil {
			if err == io.EOF && !r.good {
				return Frame{}, fmt.Errorf("%s: %w", r.file, ErrNoRecord)
			}
			return Frame{}, err
		}
		if version, ok := strings.CutPrefix(line, magic); ok && whole {
			r.proven()
			if n, err := strconv.Atoi(version); err != nil || n > Format {
				r.Problem("format %.20q, this program reads up to %d: read as far as it goes", version, Format)
			}
			continue
		}
		f, err := r.frame(line, whole)
		if f.Mark == MarkDamage && !r.good && r.line >= maxForeign {
			return Frame{}, fmt.Errorf("%s: %w", r.file, ErrNoRecord)
		}
		return f, err
	}
}

// maxForeign is how many lines a file may begin with that are no frames.
const maxForeign = 64

func (r *Reader) frame(line string, whole bool) (Frame, error) {
	switch {
	case !whole && len(line) >= FrameBytes:
		return r.damage("it is over %d bytes", FrameBytes), nil
	case !whole:
		return r.damage("the file ends within it"), nil
	}
	f, err := parseFrame(line)
	if err != nil {
		return r.damage("%v", err), nil
	}
	r.proven()
	switch f.Mark {
	case MarkHeader:
		var h Header
		if err := json.Unmarshal([]byte(f.Text), &h); err != nil {
			return r.damage("header: %v", err), nil
		}
		r.Header = h
	case MarkCheckpoint, MarkEvent, MarkAction, MarkGap, MarkEdge:
	default:
		r.Problem("frames of kind %q are not known to this version: left out", string(rune(f.Mark)))
	}
	return f, nil
}

// readLine reads up to a newline, at most FrameBytes of it; whole says whether that
// was all and the newline was there.
func (r *Reader) readLine() (line string, whole bool, err error) {
	r.offset = r.next
	var b []byte
	for {
		part, err := r.in.ReadSlice('\n')
		r.next += int64(len(part))
		if room := FrameBytes - len(b); len(part) > room {
			part = part[:room]
			whole = false
		}
		b = append(b, part...)
		switch {
		case err == bufio.ErrBufferFull:
		case err == io.EOF && len(b) == 0:
			return "", false, io.EOF
		case err == io.EOF:
			r.line++
			return string(b), false, nil
		case err != nil:
			return "", false, fmt.Errorf("read %s at byte %d: %w", r.file, r.next, err)
		default:
			r.line++
			if n := len(b); b[n-1] == '\n' {
				return string(b[:n-1]), true, nil
			}
			return string(b), false, nil
		}
	}
}
