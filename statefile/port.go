// Package statefile reads and prints the files in which names and marks outlive
// the daemon: multipath-tools' bindings, wwids, prkeys and failed_wwids, and our
// own oldids and deadlines. Reading and printing are pure; Disk is the one writer.
//
// A line that is not understood stays where it is, byte for byte, and so do
// comments: these are files that people edit.
package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
)

// Where the files are, below the root.
const (
	BindingsPath  = "/etc/multipath/bindings"
	WWIDsPath     = "/etc/multipath/wwids"
	PRKeysPath    = "/etc/multipath/prkeys"
	OldIDsPath    = "/etc/multipath/oldids"
	FailedDir     = "/run/multipath/failed_wwids"
	DeadlinesPath = "/run/pathkeeper/deadlines"
)

// Modes of what this program creates.
const (
	ModePrivate = 0o600 // everything in /etc/multipath, as multipath-tools has it
	ModePublic  = 0o644
)

// maxFileBytes bounds what is read: more is not a state file.
const maxFileBytes = 16 << 20

// Port is how state files are reached. Paths are absolute.
type Port interface {
	// Read gives a file's content; fs.ErrNotExist if there is none.
	Read(path string) ([]byte, error)
	// WriteAtomic replaces a file: whatever happens, it is the old or the new
	// one, and after a return without error the new one survives a power cut.
	// The file's directory is made if it is missing.
	WriteAtomic(path string, data []byte, mode uint32) error
	// Replace is WriteAtomic of a file that still holds what was read: ErrChanged where
	// it does not, or where somebody else is replacing a file for too long. None of
	// this program's processes loses a line of another one.
	Replace(path string, was, data []byte, mode uint32) error
	// Remove deletes a file; one that is not there is no error.
	Remove(path string) error
	// List gives the names in a directory, sorted, without those of unfinished
	// writes; a directory that is not there is empty.
	List(dir string) ([]string, error)
}

// Errors that callers decide on.
var (
	// ErrReadOnly: the file system is mounted read-only.
	ErrReadOnly = errors.New("file system is read-only")
	// ErrSymlink: the file or a directory above it is a symbolic link.
	ErrSymlink = errors.New("is a symbolic link")
	// ErrNotRegular: there is something else than a file.
	ErrNotRegular = errors.New("is no regular file")
	// ErrTooLarge: more than 16 MiB.
	ErrTooLarge = errors.New("is too large for a state file")
	// ErrChanged: somebody else wrote the file since it was read.
	ErrChanged = errors.New("was changed by somebody else meanwhile")
	// ErrUnprintable: the value has bytes that the file's format cannot hold.
	ErrUnprintable = errors.New("cannot be written in this format")
)

// EditTries is how often a change is made anew because the file has moved.
const EditTries = 10

// Edit changes a state file that others change too: what change makes of the content
// of the moment is what the file holds then. The same content is not written; a file
// that is not there is empty. The error of change is given back as it is.
func Edit(p Port, path string, mode uint32, change func(have []byte) ([]byte, error)) error {
	for range EditTries {
		have, err := p.Read(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		want, err := change(have)
		if err != nil || bytes.Equal(have, want) {
			return err
		}
		if err = p.Replace(path, have, want, mode); !errors.Is(err, ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("write %s: %w, %d times", path, ErrChanged, EditTries)
}

// Problem is a line that was not understood. It stays in the file.
type Problem struct {
	Line int // from 1
	Text string
}

// String gives "line 3: ...".
func (p Problem) String() string { return fmt.Sprintf("line %d: %s", p.Line, p.Text) }
