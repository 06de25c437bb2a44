package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/mpath"
)

// Bounds of the copies on disk: the oldest go.
const (
	Copies     = 16
	CopyBytes  = 256 << 20 // of all of them
	nameBytes  = 64
	maxSources = Segments + HistorySegments + 2
)

// CopiesDir is where copies are kept.
const CopiesDir = "/var/lib/pathkeeper/records"

// SaveRing copies the recording in ring below dir, without the daemon's help. It
// gives the path of the copy.
func SaveRing(ring, dir, name, why string) (string, error) {
	files, err := openAll(ring)
	if err != nil {
		return "", err
	}
	return Copy(dir, name, why, files)
}

// openAll opens every segment of both rings, so that none is gone when it is read.
func openAll(dir string) ([]*os.File, error) {
	names, err := Files(dir)
	if err != nil {
		return nil, err
	}
	var out []*os.File
	for _, n := range names[max(0, len(names)-maxSources):] {
		f, err := os.OpenFile(n, os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was the oldest
		}
		if err != nil {
			closeAll(out)
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// NewName names a copy made now.
func NewName(now time.Time, why string) string { return now.UTC().Format("20060102T150405Z-") + why }

// CheckName says what is wrong with the name of a copy.
func CheckName(name string) error {
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}
	switch {
	case name == "" || len(name) > nameBytes:
		return fmt.Errorf("the name of a copy has 1 to %d characters", nameBytes)
	case strings.IndexFunc(name, bad) >= 0 || name[0] == '.' || name[0] == '-':
		return fmt.Errorf("%q: the name of a copy is made of letters, digits, '.', '_' and '-', and begins with a letter or digit", name)
	}
	return nil
}

// Copy joins open segments into one file below dir, and closes them. It is there
// whole or not at all, for its owner alone; no link is followed on the way, and a
// copy of the same name is not replaced.
func Copy(dir, name, why string, files []*os.File) (path string, err error) {
	defer closeAll(files)
	name = strings.TrimSuffix(name, suffix)
	if err := CheckName(name); err != nil {
		return "", err
	}
	d, err := openCopies(dir, true)
	if err != nil {
		return "", err
	}
	defer d.Close()
	name += suffix
	path = filepath.Join(dir, name)
	if err := d.write(name, why, files); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return path, d.prune(name)
}

// Copied is one copy on disk.
type Copied struct {
	Name  string    `json:"name"`
	Bytes int64     `json:"bytes"`
	Time  time.Time `json:"time"`
}

// List lists the copies below dir, oldest first.
func List(dir string) ([]Copied, error) {
	d, err := openCopies(dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.list()
}

// copies is the open directory of the copies.
type copies struct{ *os.File }

// openCopies opens dir without following a link in its last two parts; with make
// they are made, for their owner alone.
func openCopies(dir string, makeIt bool) (copies, error) {
	parent, last := filepath.Split(filepath.Clean(dir))
	above, middle := filepath.Split(filepath.Clean(parent))
	at, err := unix.Open(above, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return copies{}, &os.PathError{Op: "open", Path: above, Err: err}
	}
	path := filepath.Clean(above)
	for i, part := range []string{middle, last} {
		path = filepath.Join(path, part)
		if mode := []uint32{0o755, 0o700}[i]; makeIt {
			if err := unix.Mkdirat(at, part, mode); err != nil && err != unix.EEXIST {
				unix.Close(at)
				return copies{}, &os.PathError{Op: "make", Path: path, Err: err}
			}
		}
		next, err := unix.Openat(at, part, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		unix.Close(at)
		if err == unix.ELOOP || err == unix.ENOTDIR {
			return copies{}, fmt.Errorf("%s is a link or no directory: records are kept in a real one", path)
		}
		if err != nil {
			return copies{}, &os.PathError{Op: "open", Path: path, Err: err}
		}
		at = next
	}
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		unix.Close(at)
		return copies{}, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 {
		unix.Close(at)
		return copies{}, fmt.Errorf("%s belongs to user %d with mode %04o: it must be ours alone (0700)", dir, st.Uid, st.Mode&0o7777)
	}
	return copies{os.NewFile(uintptr(at), dir)}, nil
}

func (d copies) write(name, why string, files []*os.File) error {
	tmp := "." + name + ".new"
	_ = unix.Unlinkat(int(d.Fd()), tmp, 0) // of one that did not end
	fd, err := unix.Openat(int(d.Fd()), tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), tmp)
	err = fill(f, why, files)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = unix.Renameat2(int(d.Fd()), tmp, int(d.Fd()), name, unix.RENAME_NOREPLACE)
	}
	if err != nil {
		_ = unix.Unlinkat(int(d.Fd()), tmp, 0)
		return err
	}
	return d.Sync()
}

// fill writes the segments and, last, why the copy was made.
func fill(to io.Writer, why string, files []*os.File) error {
	for _, f := range files {
		if _, err := io.Copy(to, io.LimitReader(f, RingBytes)); err != nil {
			return err
		}
	}
	var at mpath.Instant
	return NewWriter(to).Edge(0, at, Edge{What: WhatNote, Object: "record", Why: "this copy was made: " + oneLine(why)})
}

func (d copies) list() ([]Copied, error) {
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var out []Copied
	for _, n := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(int(d.Fd()), n, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || !strings.HasSuffix(n, suffix) || n[0] == '.' {
			continue
		}
		out = append(out, Copied{n, st.Size, time.Unix(st.Mtim.Unix())})
	}
	slices.SortFunc(out, func(a, b Copied) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

// prune removes the oldest copies beyond the bounds, never the one just made.
func (d copies) prune(keep string) error {
	all, err := d.list()
	if err != nil {
		return err
	}
	var bytes int64
	for _, c := range all {
		bytes += c.Bytes
	}
	n := len(all)
	for _, c := range all {
		if n <= Copies && bytes <= CopyBytes {
			break
		}
		if c.Name == keep {
			continue
		}
		if err := unix.Unlinkat(int(d.Fd()), c.Name, 0); err != nil && err != unix.ENOENT {
			return &os.PathError{Op: "remove", Path: filepath.Join(d.Name(), c.Name), Err: err}
		}
		n, bytes = n-1, bytes-c.Bytes
	}
	return nil
}
