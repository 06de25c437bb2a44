package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"pathkeeper/plainfile"
)

// Disk is the Port on a real file system, below a root directory. A write is a
// new file in the same directory, synced, renamed over the old one, and the
// directory synced.
type Disk struct {
	root string
	mu   sync.Mutex // one write at a time: leftovers of this process are known dead
	seq  atomic.Uint64
	sys  system
	wait time.Duration // for the lock
}

// NewDisk gives the Port below root; "/" is the machine's own files.
func NewDisk(root string) *Disk { return &Disk{root: root, sys: realSystem{}, wait: lockWait} }

// system are the calls of one write, each of which may fail.
type system interface {
	mkdir(path string, mode os.FileMode) error
	create(path string, mode os.FileMode) (tempFile, error)
	rename(from, to string) error
	remove(path string) error
	syncDir(path string) error
}

type tempFile interface {
	io.Writer
	MakeLike(path string) error
	Chmod(mode os.FileMode) error
	Sync() error
	Close() error
}

type realSystem struct{}

func (realSystem) mkdir(path string, mode os.FileMode) error { return os.Mkdir(path, mode) }

func (realSystem) create(path string, mode os.FileMode) (tempFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (realSystem) rename(from, to string) error { return os.Rename(from, to) }

func (realSystem) remove(path string) error { return os.Remove(path) }

func (realSystem) syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Read gives a file's content, at most 16 MiB of a regular file.
func (d *Disk) Read(name string) ([]byte, error) {
	at := d.below(name)
	data, err := plainfile.ReadRegular(at, maxFileBytes)
	switch {
	case errors.Is(err, plainfile.ErrNotRegular):
		return nil, fmt.Errorf("read %s: %w", at, ErrNotRegular)
	case errors.Is(err, plainfile.ErrTooLong):
		return nil, fmt.Errorf("read %s: %w", at, ErrTooLarge)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", at, cause(err))
	}
	return data, nil
}

// WriteAtomic replaces a file. A missing directory is made, 0700 where mode gives
// nothing to others, else 0755. A symbolic link in the way is refused: the
// replacement would end it, and what it points to would stay old.
func (d *Disk) WriteAtomic(name string, data []byte, mode uint32) error {
	return d.writeAs(name, data, mode, "")
}

func (d *Disk) writeAs(name string, data []byte, mode uint32, like string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.below(name)
	if like != "" {
		like = d.below(like)
	}
	if err := d.write(name, at, data, os.FileMode(mode&0o777), like); err != nil {
		return fmt.Errorf("write %s: %w", at, err)
	}
	return nil
}

// Replace is WriteAtomic under the lock of all who replace: who holds it has read the
// file, found it as it was, and nobody else writes it before the lock is given back.
func (d *Disk) Replace(name string, was, data []byte, mode uint32) error {
	return d.replaceAs(name, was, data, mode, "")
}

func (d *Disk) replaceAs(name string, was, data []byte, mode uint32, like string) error {
	release, err := d.lock()
	if err != nil {
		return fmt.Errorf("write %s: %w", d.below(name), err)
	}
	defer release()
	have, err := d.Read(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(have, was) {
		return fmt.Errorf("write %s: %w", d.below(name), ErrChanged)
	}
	return d.writeAs(name, data, mode, like)
}

// write makes the new file and puts it in the old one's place.
func (d *Disk) write(name, at string, data []byte, mode os.FileMode, like string) error {
	dirMode := os.FileMode(0o755)
	if mode&0o077 == 0 {
		dirMode = 0o700
	}
	if err := d.makeDirs(path.Dir(path.Clean("/"+name)), dirMode); err != nil {
		return err
	}
	switch info, err := os.Lstat(at); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return cause(err)
	case info.Mode()&fs.ModeSymlink != 0:
		return ErrSymlink
	case !info.Mode().IsRegular():
		return ErrNotRegular
	}
	d.clean(filepath.Dir(at), filepath.Base(at))
	temp := filepath.Join(filepath.Dir(at), tempName(filepath.Base(at), os.Getpid(), d.seq.Add(1)))
	if err := d.fill(temp, data, mode, like); err != nil {
		_ = d.sys.remove(temp) // best effort: a leftover is not looked at, and cleaned later
		return fmt.Errorf("new file: %w", err)
	}
	if err := d.sys.rename(temp, at); err != nil {
		_ = d.sys.remove(temp)
		return fmt.Errorf("rename into place: %w", cause(err))
	}
	if err := d.sys.syncDir(filepath.Dir(at)); err != nil {
		return fmt.Errorf("sync directory (the new file is in place, but may not survive a power cut): %w", cause(err))
	}
	return nil
}

// fill makes the new file, complete and on the disk.
func (d *Disk) fill(temp string, data []byte, mode os.FileMode, like string) error {
	f, err := d.sys.create(temp, mode)
	if err != nil {
		return fmt.Errorf("create: %w", cause(err))
	}
	step := ""
	if like != "" {
		step, err = "give it owner and attributes of "+like, f.MakeLike(like)
	}
	if err == nil {
		step, err = "set mode", f.Chmod(mode) // the umask has no say
	}
	if err == nil {
		step = "write"
		_, err = f.Write(data)
	}
	if err == nil {
		step, err = "sync", f.Sync()
	}
	if closed := f.Close(); err == nil {
		step, err = "close", closed
	}
	if err != nil {
		return fmt.Errorf("%s: %w", step, cause(err))
	}
	return nil
}

// makeDirs makes the missing directories below the root and refuses links.
func (d *Disk) makeDirs(dir string, mode os.FileMode) error {
	if dir == "/" {
		return nil
	}
	parent := path.Dir(dir)
	if err := d.makeDirs(parent, 0o755); err != nil {
		return err
	}
	at := d.below(dir)
	info, err := os.Lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("directory %s: %w", at, cause(err))
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("directory %s: %w", at, ErrSymlink)
	case !info.IsDir():
		return fmt.Errorf("directory %s: %w", at, syscall.ENOTDIR)
	default:
		return nil
	}
	if err := d.sys.mkdir(at, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make directory %s: %w", at, cause(err))
	}
	if err := d.sys.syncDir(d.below(parent)); err != nil {
		return fmt.Errorf("sync directory %s: %w", d.below(parent), cause(err))
	}
	return nil
}

// Remove deletes a file and makes that durable.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.below(name)
	err := d.sys.remove(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.sys.syncDir(filepath.Dir(at))
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", at, cause(err))
	}
	return nil
}

// List gives the names of the regular files in a directory.
func (d *Disk) List(dir string) ([]string, error) {
	at := d.below(dir)
	entries, err := plainfile.List(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", at, cause(err))
	}
	var names []string
	for _, e := range entries {
		if _, temp := tempOwner(e.Name, ""); e.Regular(at) && !temp {
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// below puts a path under the root; ".." cannot leave it.
func (d *Disk) below(name string) string { return filepath.Join(d.root, path.Clean("/"+name)) }

// Unfinished files are called .NAME.pathkeeper.PID.SEQ.
const tempMark = ".pathkeeper."

func tempName(base string, pid int, seq uint64) string {
	return "." + base + tempMark + strconv.Itoa(pid) + "." + strconv.FormatUint(seq, 10)
}

// tempOwner gives the process that an unfinished file is of; base "" takes the
// unfinished files of any name.
func tempOwner(name, base string) (pid int, ok bool) {
	stem, rest, found := strings.Cut(name, tempMark)
	if !found || stem == "" || stem[0] != '.' || base != "" && stem[1:] != base {
		return 0, false
	}
	word, seq, _ := strings.Cut(rest, ".")
	pid, err := strconv.Atoi(word)
	_, err2 := strconv.ParseUint(seq, 10, 64)
	return pid, err == nil && err2 == nil
}

// clean takes away what a killed process left of this file. Errors are no
// matter: the leftovers harm nobody.
func (d *Disk) clean(dir, base string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		pid, ok := tempOwner(e.Name(), base)
		if ok && (pid == os.Getpid() || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)) {
			_ = d.sys.remove(filepath.Join(dir, e.Name()))
		}
	}
}

// cause makes EROFS our sentinel, and keeps the errno for errors.Is.
func cause(err error) error {
	var perr *fs.PathError
	if errors.As(err, &perr) {
		err = perr.Err
	}
	var lerr *os.LinkError
	if errors.As(err, &lerr) {
		err = lerr.Err
	}
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w (%w)", ErrReadOnly, err)
	}
	return err
}
