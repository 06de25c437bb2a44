package sysfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"pathkeeper/plainfile"
)

// Root is a Tree on a real directory. Nothing outside the directory can be
// reached through it: the kernel itself refuses "..", absolute paths and links that
// leave (RESOLVE_BENEATH). It is safe for concurrent use.
//
// An attribute costs open, read and close, however deep it lies: the udev hook
// reads two dozen of them for each event.
type Root struct {
	name string
	fd   int
	// old kernels have no openat2 (before 5.6), and some sandboxes refuse it: the os
	// package walks then, with an open for each component.
	old bool

	mu     sync.Mutex
	users  int // calls under way; the last one gives fd back after Close
	closed bool
}

// OpenRoot opens a directory as a Tree: "/sys" for the real thing, a captured
// tree for tests, "/run/udev" for udev's database.
func OpenRoot(dir string) (*Root, error) {
	fd, err := retry(func() (int, error) { return unix.Open(dir, openDir, 0) })
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, kernelError(err))
	}
	return &Root{fd: fd, name: dir}, nil
}

const (
	openDir  = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	openAttr = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
)

// Close gives the directory back, as soon as nobody reads in it any more.
func (r *Root) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("close %s: %w", r.name, os.ErrClosed)
	}
	r.closed = true
	return r.release()
}

func (r *Root) use() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return os.ErrClosed
	}
	r.users++
	return nil
}

func (r *Root) done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users--
	_ = r.release()
}

// release gives the descriptor back once nobody can use it; mu is held.
func (r *Root) release() error {
	if !r.closed || r.users > 0 {
		return nil
	}
	return unix.Close(r.fd)
}

// open opens what is below the directory; the caller closes it.
func (r *Root) open(name string, flags int) (int, error) {
	if err := r.use(); err != nil {
		return -1, err
	}
	defer r.done()
	if r.old {
		return r.walk(name, flags)
	}
	how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	for again := 0; ; again++ {
		fd, err := retry(func() (int, error) { return unix.Openat2(r.fd, name, &how) })
		switch err {
		case unix.EAGAIN:
			// Something was renamed just as the kernel looked for a way out of the tree.
			if again < maxAgain {
				continue
			}
		case unix.ENOSYS, unix.EPERM, unix.E2BIG:
			return r.walk(name, flags)
		case unix.EXDEV:
			return -1, errEscapes
		}
		return fd, err
	}
}

const maxAgain = 100

var errEscapes = errors.New("leaves the tree")

// walk is open by the os package: each component by itself.
func (r *Root) walk(name string, flags int) (int, error) {
	root, err := os.OpenRoot("/proc/self/fd/" + strconv.Itoa(r.fd))
	if err != nil {
		return -1, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, flags, 0)
	if err != nil {
		return -1, err
	}
	defer f.Close()
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

// retry asks again where a signal came first.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// kernfsPage is what the kernel gives of an attribute by one read, at most
// (fs/kernfs/file.c): a read that gives less, and less than it was asked for, has
// met the end.
const kernfsPage = 4096

// ReadAttr implements Tree.
func (r *Root) ReadAttr(path string, max int) ([]byte, error) {
	fd, err := r.open(path, openAttr)
	if err != nil {
		return nil, r.fail("read", path, err)
	}
	defer unix.Close(fd)
	var first [kernfsPage + 1]byte
	n, err := plainfile.Once(fd, first[:])
	if err != nil {
		return nil, r.fail("read", path, err)
	}
	out := append(make([]byte, 0, n), first[:n]...)
	if n >= kernfsPage && n <= max {
		rest, err := plainfile.Content(fd, 0, max-n)
		if errors.Is(err, plainfile.ErrTooLong) {
			n = max + 1
		} else if err != nil {
			return nil, r.fail("read", path, err)
		}
		out = append(out, rest...)
	}
	if n > max {
		return nil, fmt.Errorf("read %s/%s: %w: more than %d bytes", r.name, path, ErrTooLong, max)
	}
	return out, nil
}

// ReadDir implements Tree.
func (r *Root) ReadDir(path string) ([]string, error) {
	fd, err := r.open(path, openDir)
	if err != nil {
		return nil, r.fail("list", path, err)
	}
	defer unix.Close(fd)
	entries, err := plainfile.Entries(fd)
	if err != nil {
		return nil, r.fail("list", path, err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return names, nil
}

// ReadLink implements Tree.
func (r *Root) ReadLink(name string) (string, error) {
	target, err := r.readLink(name)
	if err != nil {
		return "", r.fail("read link", name, err)
	}
	return target, nil
}

func (r *Root) readLink(name string) (string, error) {
	dir, base := path.Split(name)
	if base == "" || base == "." || base == ".." {
		return "", syscall.EINVAL
	}
	buf := make([]byte, 1024)
	fd := r.fd
	if dir == "" {
		if err := r.use(); err != nil {
			return "", err
		}
		defer r.done()
	} else {
		at, err := r.open(strings.TrimSuffix(dir, "/"), openDir)
		if err != nil {
			return "", err
		}
		defer unix.Close(at)
		fd = at
	}
	n, err := retry(func() (int, error) { return unix.Readlinkat(fd, base, buf) })
	switch {
	case err != nil:
		return "", err
	case n == len(buf):
		return "", syscall.ENAMETOOLONG
	}
	return string(buf[:n]), nil
}

// Sub opens a directory of the tree as a tree of its own. The open directory
// belongs to one device for good: after that device left, its attributes are
// ErrAbsent or ErrGone, never those of a successor with the same name.
func (r *Root) Sub(path string) (SubTree, error) {
	fd, err := r.open(path, openDir)
	if err != nil {
		return nil, r.fail("open", path, err)
	}
	return &Root{fd: fd, name: r.name + "/" + path, old: r.old}, nil
}

// SubTree is a Tree to be closed after use.
type SubTree interface {
	Tree
	io.Closer
}

func (r *Root) fail(verb, path string, err error) error {
	return fmt.Errorf("%s %s/%s: %w", verb, r.name, path, kernelError(err))
}

// WritableRoot is a Root that also implements Writer.
type WritableRoot struct{ *Root }

// OpenWritable opens a directory for reading and writing of attributes.
func OpenWritable(dir string) (WritableRoot, error) {
	r, err := OpenRoot(dir)
	return WritableRoot{r}, err
}

// WriteAttr implements Writer. The file must exist; it is never created.
func (w WritableRoot) WriteAttr(path, value string) error {
	fd, err := w.open(path, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOCTTY)
	if err != nil {
		return w.fail("write", path, err)
	}
	defer unix.Close(fd)
	n, err := retry(func() (int, error) { return unix.Write(fd, []byte(value)) })
	if err == nil && n < len(value) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write %q to %s/%s: %w", value, w.name, path, writeError(err))
	}
	return nil
}

// kernelError puts our sentinel beside the errno of an open or read. EINVAL is
// what drivers/scsi/scsi_sysfs.c answers for a VPD page that it does not hold.
func kernelError(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		switch errno {
		case syscall.ENOENT, syscall.ENOTDIR, syscall.EINVAL:
			return fmt.Errorf("%w: %w", ErrAbsent, errno)
		case syscall.ENODEV, syscall.ENXIO:
			return fmt.Errorf("%w: %w", ErrGone, errno)
		}
		return errno
	}
	return err
}

// writeError is kernelError for a write, where EINVAL means a refused value.
func writeError(err error) error {
	if errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("%w: %w", ErrRefused, syscall.EINVAL)
	}
	if errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("%w: %w", ErrBusy, syscall.EBUSY)
	}
	return kernelError(err)
}
