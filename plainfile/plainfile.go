// Package plainfile reads files and lists directories with as few system calls as
// they need. The os package makes every file it opens ready to be waited for: ten
// calls where open, read and close do. That is nothing for a daemon; the udev hook
// runs for each event of each disk, and a host's coldplug has thousands of them.
// Files are opened without waiting for anybody, as a FIFO's writer. Errors are
// *fs.PathError, as the os package's are.
package plainfile

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	// ErrTooLong: the content is longer than the reader allows; half of it would be
	// a wrong answer.
	ErrTooLong = errors.New("longer than allowed")
	// ErrNotRegular: it is a directory, a device, a FIFO.
	ErrNotRegular = errors.New("not a regular file")
)

const openFlags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY

// Read gives the whole content of a file, at most max bytes.
func Read(name string, max int) ([]byte, error) { return read(name, max, false) }

// ReadRegular is Read of a regular file; what else has the name is an error.
func ReadRegular(name string, max int) ([]byte, error) { return read(name, max, true) }

func read(name string, max int, regular bool) ([]byte, error) {
	fd, err := open(name, openFlags)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	size := 0
	if regular {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFREG {
			return nil, &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
		}
		size = int(min(st.Size, int64(max)))
	}
	b, err := Content(fd, size, max)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return b, nil
}

// firstRead is what a file of unknown size is read with: /proc gives the more at
// once the more is asked for.
const firstRead = 16 << 10

// Content reads an open file from where it stands to its end, at most max bytes.
// size is what fstat says of a regular file, 0 unknown: one that is as long costs
// one read.
func Content(fd, size, max int) ([]byte, error) {
	expect := size
	if size == 0 {
		size = firstRead
	}
	buf := make([]byte, min(size, max)+1)
	n := 0
	for {
		got, err := Once(fd, buf[n:])
		switch {
		case err != nil:
			return nil, err
		case got == 0:
			return buf[:n:n], nil
		}
		switch n += got; {
		case n > max:
			return nil, ErrTooLong
		case n == expect && n < len(buf):
			return buf[:n:n], nil
		}
		if n == len(buf) {
			buf = slices.Grow(buf, n)
			buf = buf[:min(cap(buf), max+1)]
		}
	}
}

// Once is one read, asked again where a signal came first.
func Once(fd int, into []byte) (int, error) {
	for {
		n, err := unix.Read(fd, into)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

func open(name string, flags int) (int, error) {
	for {
		fd, err := unix.Open(name, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// Entry is a name in a directory.
type Entry struct {
	Name string
	Type uint8 // DT_REG, DT_LNK, ... (readdir(3)); DT_UNKNOWN where the file system does not tell
}

// List gives what is in a directory, sorted bytewise by name.
func List(name string) ([]Entry, error) {
	fd, err := open(name, openFlags|unix.O_DIRECTORY)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	entries, err := Entries(fd)
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: name, Err: err}
	}
	return entries, nil
}

// Entries lists an open directory from where it stands, sorted bytewise by name.
func Entries(fd int) ([]Entry, error) {
	var entries []Entry
	buf := make([]byte, 8<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n <= 0:
			slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
			return entries, nil
		}
		entries = parse(entries, buf[:n])
	}
}

// parse takes struct linux_dirent64 (include/linux/dirent.h) apart: 8 bytes of
// inode, 8 of offset, 2 that say how long the record is, 1 of type, the name.
func parse(entries []Entry, b []byte) []Entry {
	const head = 8 + 8 + 2 + 1
	for len(b) > head {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= head || size > len(b) {
			break
		}
		name, _, _ := strings.Cut(string(b[head:size]), "\x00")
		if inode := binary.NativeEndian.Uint64(b); inode != 0 && name != "." && name != ".." {
			entries = append(entries, Entry{Name: name, Type: b[18]})
		}
		b = b[size:]
	}
	return entries
}

// Regular says whether an entry of a directory is a regular file, no link.
func (e Entry) Regular(dir string) bool {
	if e.Type != unix.DT_UNKNOWN {
		return e.Type == unix.DT_REG
	}
	var st unix.Stat_t
	return unix.Lstat(dir+"/"+e.Name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}
