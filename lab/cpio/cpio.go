// Package cpio writes the "newc" archives that the Linux kernel unpacks as its
// initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
package cpio

import (
	"fmt"
	"io"
	"path"
	"strings"
)

// Mode bits of a member, as in stat(2).
const (
	dirMode  = 0o040000
	fileMode = 0o100000
	charMode = 0o020000
	linkMode = 0o120000
)

// Writer writes one archive. Directories above a member are written by
// themselves, since the kernel does not make them. Errors stick: Close reports
// the first.
type Writer struct {
	w     io.Writer
	inode uint32
	off   int64
	dirs  map[string]bool
	err   error
}

// NewWriter starts an archive on w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, dirs: map[string]bool{".": true, "": true, "/": true}}
}

// Dir adds a directory.
func (w *Writer) Dir(name string) {
	name = clean(name)
	if w.dirs[name] {
		return
	}
	w.Dir(path.Dir(name))
	w.dirs[name] = true
	w.member(name, dirMode|0o755, nil, 0, 0)
}

// File adds a regular file with the permission bits perm.
func (w *Writer) File(name string, perm uint32, data []byte) {
	name = clean(name)
	w.Dir(path.Dir(name))
	w.member(name, fileMode|perm&0o7777, data, 0, 0)
}

// CharDev adds a character device node.
func (w *Writer) CharDev(name string, perm, major, minor uint32) {
	name = clean(name)
	w.Dir(path.Dir(name))
	w.member(name, charMode|perm&0o7777, nil, major, minor)
}

// Symlink adds a symbolic link.
func (w *Writer) Symlink(target, name string) {
	name = clean(name)
	w.Dir(path.Dir(name))
	w.member(name, linkMode|0o777, []byte(target), 0, 0)
}

// Close writes the trailer and reports the first error.
func (w *Writer) Close() error {
	w.inode = 0
	w.member("TRAILER!!!", 0, nil, 0, 0)
	return w.err
}

// member writes one header (magic and 13 numbers of 8 hex digits), the name
// with its NUL, and the data, each padded to 4 bytes.
func (w *Writer) member(name string, mode uint32, data []byte, major, minor uint32) {
	if w.err != nil {
		return
	}
	if int64(len(data)) >= 1<<32 {
		w.err = fmt.Errorf("cpio: %s has %d bytes, newc holds less than 4 GiB", name, len(data))
		return
	}
	w.inode++
	links := uint32(1)
	if mode&0o170000 == dirMode {
		links = 2
	}
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		w.inode, mode, 0, 0, links, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	w.write([]byte(head + name + "\x00"))
	w.pad()
	w.write(data)
	w.pad()
}

func (w *Writer) write(b []byte) {
	if w.err != nil || len(b) == 0 {
		return
	}
	n, err := w.w.Write(b)
	w.off += int64(n)
	w.err = err
}

func (w *Writer) pad() {
	if over := w.off % 4; over != 0 {
		w.write(make([]byte, 4-over))
	}
}

func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
