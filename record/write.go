package record

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"pathkeeper/mpath"
)

// CheckpointBytes bounds the text of a checkpoint before compression. What is
// larger is not written, and not read.
const CheckpointBytes = 256 << 20

// ErrTooBig says that something does not fit into a frame.
var ErrTooBig = errors.New("too big for a frame")

// Writer writes a recording. It has one owner.
type Writer struct {
	to  io.Writer
	buf []byte
	n   int64 // bytes so far
}

// NewWriter writes to a file or buffer. Begin comes first.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Bytes says how much was written.
func (w *Writer) Bytes() int64 { return w.n }

func (w *Writer) flush() error {
	n, err := w.to.Write(w.buf)
	w.n += int64(n)
	w.buf = w.buf[:0]
	return err
}

func (w *Writer) frame(f Frame) error {
	if len(f.Text) > FrameBytes-128 { // of which the head needs at most so much
		return fmt.Errorf("step %d: %c: %d bytes: %w", f.Step, f.Mark, len(f.Text), ErrTooBig)
	}
	if strings.Contains(f.Text, "\n") {
		return fmt.Errorf("step %d: %c: a newline in the text", f.Step, f.Mark)
	}
	w.buf = f.append(w.buf)
	return nil
}

// Begin starts a segment.
func (w *Writer) Begin(h Header) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	w.buf = fmt.Appendf(w.buf, "%s%d\n", magic, Format)
	if err := w.frame(Frame{MarkHeader, 0, h.At, string(text)}); err != nil {
		return err
	}
	return w.flush()
}

// Step writes one step of the core.
func (w *Writer) Step(s Step) error {
	err := w.frame(Frame{MarkEvent, s.N, s.At, eventText(s)})
	for _, a := range s.Acts {
		if err == nil {
			err = w.frame(Frame{MarkAction, s.N, s.At, mpath.ActionText(a)})
		}
	}
	if err != nil {
		w.buf = w.buf[:0]
		return err
	}
	return w.flush()
}

// Checkpoint writes the state after step n. Replay can start there.
func (w *Writer) Checkpoint(n uint64, at mpath.Instant, state *mpath.Checkpoint) error {
	text, err := packCheckpoint(state)
	if err != nil {
		return err
	}
	return w.checkpoint(n, at, text)
}

func (w *Writer) checkpoint(n uint64, at mpath.Instant, text string) error {
	if err := w.frame(Frame{MarkCheckpoint, n, at, text}); err != nil {
		return err
	}
	return w.flush()
}

// Gap says that steps before step n are missing, and why.
func (w *Writer) Gap(n uint64, at mpath.Instant, why string) error {
	return errors.Join(w.frame(Frame{MarkGap, n, at, oneLine(why)}), w.flush())
}

// Edge writes a line of the history.
func (w *Writer) Edge(n uint64, at mpath.Instant, e Edge) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return errors.Join(w.frame(Frame{MarkEdge, n, at, string(text)}), w.flush())
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// packCheckpoint gives the text of a checkpoint's frame.
func packCheckpoint(state *mpath.Checkpoint) (string, error) {
	var b bytes.Buffer
	zip, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return "", err
	}
	if err := state.Write(&limitWriter{zip, CheckpointBytes}); err != nil {
		return "", err
	}
	if err := zip.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// unpackCheckpoint makes a core of it. Remarks say what another version wrote.
func unpackCheckpoint(text string) (*mpath.Machine, []string, error) {
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		return nil, nil, fmt.Errorf("checkpoint: %w", err)
	}
	return mpath.ReadCheckpoint(io.LimitReader(zip, CheckpointBytes))
}

type limitWriter struct {
	to   io.Writer
	left int64
}

func (l *limitWriter) Write(b []byte) (int, error) {
	if l.left -= int64(len(b)); l.left < 0 {
		return 0, fmt.Errorf("checkpoint: over %d bytes: %w", CheckpointBytes, ErrTooBig)
	}
	return l.to.Write(b)
}
