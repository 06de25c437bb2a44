package record

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what stands in /run. A segment of steps is a mebibyte with the state that
// it begins with: some kilobytes on a small host, 1.3 MB for 2,000 paths. Where the
// state is big a segment holds three times as much in steps, so that packing states
// does not become the work.
const (
	SegmentBytes     = 1 << 20  // a segment of steps that has so much asks for the next one
	SegmentBigBytes  = 6 << 20  // and where the state is big, at the latest
	SegmentMostBytes = 8 << 20  // one that does not get it takes no more than so much
	Segments         = 8        // of steps
	RingBytes        = 32 << 20 // of them all, states included: the oldest go
	HistoryBytes     = 1 << 19  // a segment of the history
	HistorySegments  = 8
)

// Names of the segments of both rings: "steps-00000017.rec".
const (
	stepsPrefix   = "steps-"
	historyPrefix = "history-"
	suffix        = ".rec"
)

// ring is a row of files in one directory, the newest of which is written.
type ring struct {
	dir, prefix string
	most        int   // files
	mostBytes   int64 // of all of them

	n   uint64 // number of the newest
	out *os.File
	buf *bufio.Writer
	*Writer
}

// openDir makes the directory of the rings, for root alone.
func openDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the recorder's directory: %w", err)
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at the recorder's directory: %w", err)
	}
	if !st.IsDir() {
		return fmt.Errorf("%s is no directory: remove it", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close the recorder's directory to others: %w", err)
	}
	return nil
}

// segments lists the files of one ring, oldest first.
func segments(dir, prefix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, ok := segmentNumber(e.Name(), prefix); ok && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		x, _ := segmentNumber(a, prefix)
		y, _ := segmentNumber(b, prefix)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return names, nil
}

func segmentNumber(name, prefix string) (uint64, bool) {
	s, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	if s, ok = strings.CutSuffix(s, suffix); !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// roll ends the segment and begins the next one; the oldest go.
func (r *ring) roll(h Header) error {
	r.close()
	names, err := segments(r.dir, r.prefix)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		last, _ := segmentNumber(names[len(names)-1], r.prefix)
		r.n = max(r.n, last)
	}
	r.n++
	r.prune(names)
	f, err := os.OpenFile(filepath.Join(r.dir, fmt.Sprintf("%s%08d%s", r.prefix, r.n, suffix)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	r.out, r.buf = f, bufio.NewWriterSize(f, 64<<10)
	r.Writer = NewWriter(r.buf)
	h.Segment = r.n
	return r.Begin(h)
}

// prune removes the oldest files, so that there is room for one more.
func (r *ring) prune(names []string) {
	var bytes int64
	sizes := make([]int64, len(names))
	for i, n := range names {
		if st, err := os.Lstat(filepath.Join(r.dir, n)); err == nil {
			sizes[i] = st.Size()
			bytes += sizes[i]
		}
	}
	for i, n := range names {
		if len(names)-i < r.most && bytes+SegmentMostBytes <= r.mostBytes {
			return
		}
		_ = os.Remove(filepath.Join(r.dir, n))
		bytes -= sizes[i]
	}
}

// sync hands what is buffered to the kernel.
func (r *ring) sync() error {
	if r.out == nil {
		return nil
	}
	return r.buf.Flush()
}

func (r *ring) close() {
	if r.out != nil {
		_ = r.buf.Flush()
		_ = r.out.Close()
		r.out, r.buf, r.Writer = nil, nil, nil
	}
}

// Files gives the recordings that a path names, in order: itself, or the segments of
// a directory, those of the history first.
func Files(path string) ([]string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return []string{path}, nil
	}
	var out []string
	for _, prefix := range []string{historyPrefix, stepsPrefix} {
		names, err := segments(path, prefix)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			out = append(out, filepath.Join(path, n))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no segments of a recording are in it", path)
	}
	return out, nil
}
