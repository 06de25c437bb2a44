// Package sysfs reads the kernel's view of block devices below /sys, and the
// tables of what is mounted and swapped on. Reading goes through Tree, writing
// through Writer, so that a captured tree or a simulated machine can stand in
// for the kernel. Everything but Root is a pure function over a Tree or bytes.
//
// sysfs is not atomic: attributes vanish while a device is being walked. An
// attribute that the device does not have is ErrAbsent; a device that left, or
// was replaced by another one of the same name, is ErrGone.
package sysfs

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Tree reads below one directory, by default /sys. Paths are relative, with
// slashes ("block/sda/size"); symbolic links are followed as long as they stay
// inside the tree.
type Tree interface {
	// ReadAttr returns the whole content of an attribute, as raw bytes. More than
	// max bytes is ErrTooLong: half an attribute would be a wrong answer.
	ReadAttr(path string, max int) ([]byte, error)
	// ReadDir returns the names in a directory, sorted bytewise.
	ReadDir(path string) ([]string, error)
	// ReadLink returns the text of a symbolic link, as it stands there.
	ReadLink(path string) (string, error)
}

// Writer writes attributes. It is apart from Tree because next to nothing may
// hold one: a write to sysfs can delete a device.
type Writer interface {
	// WriteAttr writes value, without a newline of its own, by one write call.
	WriteAttr(path string, value string) error
}

// Sentinels of this package; errors.Is also finds the errno beside them.
var (
	// ErrAbsent: there is no such attribute, or the kernel has nothing to put in
	// it (ENOENT, ENOTDIR, EINVAL on read).
	ErrAbsent = errors.New("no such attribute")
	// ErrGone: the device left or was replaced while it was read (ENODEV, ENXIO).
	ErrGone = errors.New("device is gone")
	// ErrRefused: the kernel does not take the value that was written (EINVAL).
	ErrRefused = errors.New("the kernel does not take this value")
	// ErrBusy: the kernel takes nothing now (EBUSY on write): a remote port that is
	// blocked, a device that is in use.
	ErrBusy = errors.New("the kernel takes nothing there now")
	// ErrTooLong: the content is longer than the reader allows.
	ErrTooLong = errors.New("longer than allowed")
)

// MaxAttr is the longest text attribute: sysfs gives one page.
const MaxAttr = 4096

// MaxPage is the longest VPD page or INQUIRY data: 4 bytes of header and a
// 16-bit length (SPC-4 7.8.2).
const MaxPage = 4 + 0xffff

// ListBlock returns the kernel names of all whole disks, sorted. Names contain
// '!' where the device node has '/' ("cciss!c0d0").
func ListBlock(t Tree) ([]string, error) {
	names, err := t.ReadDir("block")
	if err != nil {
		return nil, fmt.Errorf("list block devices: %w", err)
	}
	return names, nil
}

// IsBlock says whether there is a whole disk of this kernel name, without a list of
// all that there are.
func IsBlock(t Tree, name string) bool {
	if checkName(name) != nil {
		return false
	}
	_, err := resolve(t, "block", name)
	return err == nil
}

// NodeName is the path of a device node relative to /dev: '!' in a kernel name
// stands for '/'.
func NodeName(kernelName string) string { return strings.ReplaceAll(kernelName, "!", "/") }

// resolve follows the link at dir/name, where dir is itself free of links, and
// returns the path inside the tree. A name that is no link resolves to itself.
func resolve(t Tree, dir, name string) (string, error) { return follow(t, dir, dir, name) }

// follow is resolve where the tree is seen from a directory of it: dir is called
// real in the whole tree, which the result is a path of.
func follow(t Tree, dir, real, name string) (string, error) {
	at := path.Join(dir, name)
	target, err := t.ReadLink(at)
	if err != nil {
		if errors.Is(err, ErrAbsent) && !exists(t, at) {
			return "", err
		}
		if errors.Is(err, ErrAbsent) {
			return path.Join(real, name), nil
		}
		return "", err
	}
	out := path.Join(real, target)
	if path.IsAbs(target) || out == ".." || strings.HasPrefix(out, "../") {
		return "", fmt.Errorf("follow %s -> %s: leaves the tree: %w", path.Join(real, name), target, ErrAbsent)
	}
	return out, nil
}

func exists(t Tree, dir string) bool {
	_, err := t.ReadDir(dir)
	return err == nil
}

// walker collects the first error that is not "absent", so that a typed reader
// is a list of attributes and not a ladder of ifs.
type walker struct {
	t     Tree
	dir   string
	facts bool // only what ReadFacts gives
	err   error
}

// raw returns an optional attribute's bytes, nil where it is absent.
func (w *walker) raw(name string, max int) []byte {
	if w.err != nil {
		return nil
	}
	b, err := w.t.ReadAttr(path.Join(w.dir, name), max)
	if err != nil {
		if !errors.Is(err, ErrAbsent) {
			w.err = err
		}
		return nil
	}
	return b
}

// line returns an optional text attribute without its newline; blanks stay.
func (w *walker) line(name string) string {
	return strings.TrimSuffix(string(w.raw(name, MaxAttr)), "\n")
}

// number returns an optional unsigned attribute, 0 where it is absent.
func (w *walker) number(name string, base, bits int) uint64 {
	s := strings.TrimSpace(w.line(name))
	if s == "" || w.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(s, base, bits)
	if err != nil {
		w.err = fmt.Errorf("read %s: %q is not a number", path.Join(w.dir, name), s)
	}
	return n
}

func (w *walker) flag(name string) bool { return strings.TrimSpace(w.line(name)) == "1" }

// names lists a directory, nil where it is empty or absent.
func (w *walker) names(name string) []string {
	if w.err != nil {
		return nil
	}
	out, err := w.t.ReadDir(path.Join(w.dir, name))
	if err != nil && !errors.Is(err, ErrAbsent) {
		w.err = err
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// ParseDevNum parses "8:16" as the kernel's `dev` attribute prints it.
func ParseDevNum(s string) (major, minor uint32, err error) {
	a, b, ok := strings.Cut(strings.TrimSpace(s), ":")
	ma, errA := strconv.ParseUint(a, 10, 12) // include/linux/kdev_t.h: MINORBITS 20
	mi, errB := strconv.ParseUint(b, 10, 20)
	if !ok || errA != nil || errB != nil {
		return 0, 0, fmt.Errorf("%q is not MAJOR:MINOR", s)
	}
	return uint32(ma), uint32(mi), nil
}
