package sysfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
)

// Root is a Tree on a real directory. Nothing outside the directory can be
// reached through it: os.Root refuses "..", absolute paths and links that leave.
// It is safe for concurrent use.
type Root struct {
	root *os.Root
	name string
}

// OpenRoot opens a directory as a Tree: "/sys" for the real thing, a captured
// tree for tests, "/run/udev" for udev's database.
func OpenRoot(dir string) (*Root, error) {
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, kernelError(err))
	}
	return &Root{root: r, name: dir}, nil
}

// Close gives the directory back.
func (r *Root) Close() error { return r.root.Close() }

// ReadAttr implements Tree.
func (r *Root) ReadAttr(path string, max int) ([]byte, error) {
	f, err := r.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, r.fail("read", path, err)
	}
	defer f.Close()
	buf := make([]byte, min(max+1, 512))
	n := 0
	for {
		got, err := f.Read(buf[n:])
		n += got
		if err == io.EOF || (err == nil && got == 0) {
			return buf[:n:n], nil
		}
		if err != nil {
			return nil, r.fail("read", path, err)
		}
		if n > max {
			return nil, fmt.Errorf("read %s/%s: %w: more than %d bytes", r.name, path, ErrTooLong, max)
		}
		if n == len(buf) {
			buf = slices.Grow(buf, min(max+1-n, 4*len(buf)))
			buf = buf[:min(cap(buf), max+1)]
		}
	}
}

// ReadDir implements Tree.
func (r *Root) ReadDir(path string) ([]string, error) {
	f, err := r.root.Open(path)
	if err != nil {
		return nil, r.fail("list", path, err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, r.fail("list", path, err)
	}
	slices.Sort(names)
	return names, nil
}

// ReadLink implements Tree.
func (r *Root) ReadLink(path string) (string, error) {
	target, err := r.root.Readlink(path)
	if err != nil {
		return "", r.fail("read link", path, err)
	}
	return target, nil
}

// Sub opens a directory of the tree as a tree of its own. The open directory
// belongs to one device for good: after that device left, its attributes are
// ErrAbsent or ErrGone, never those of a successor with the same name.
func (r *Root) Sub(path string) (SubTree, error) {
	sub, err := r.root.OpenRoot(path)
	if err != nil {
		return nil, r.fail("open", path, err)
	}
	return &Root{root: sub, name: r.name + "/" + path}, nil
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
	f, err := w.root.OpenFile(path, os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return w.fail("write", path, err)
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
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
