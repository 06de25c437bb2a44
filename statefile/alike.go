package statefile

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Like is the Port whose new files get owner, group and extended attributes (an ACL, an
// SELinux label) of a file that is there. The mode is still what each write says.
func (d *Disk) Like(name string) Port { return alike{d, name} }

type alike struct {
	*Disk
	model string
}

// WriteAtomic implements Port.
func (a alike) WriteAtomic(name string, data []byte, mode uint32) error {
	return a.writeAs(name, data, mode, a.model)
}

// Replace implements Port.
func (a alike) Replace(name string, was, data []byte, mode uint32) error {
	return a.replaceAs(name, was, data, mode, a.model)
}

// diskFile is an unfinished file on a disk.
type diskFile struct{ *os.File }

// accessACL is what a directory with a default ACL gives each new file, too.
const accessACL = "system.posix_acl_access"

// MakeLike gives the file owner, group and attributes of another one, all or an error:
// without its ACL a file would let in whom it kept out.
func (f diskFile) MakeLike(path string) error {
	model, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer model.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(model.Fd()), &st); err != nil {
		return fmt.Errorf("fstat: %w", err)
	}
	if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
		return fmt.Errorf("chown %d:%d: %w", st.Uid, st.Gid, err)
	}
	names, err := attributes(model)
	if err != nil {
		return err
	}
	own, err := attributes(f.File)
	if err != nil {
		return err
	}
	if slices.Contains(own, accessACL) && !slices.Contains(names, accessACL) {
		if err := unix.Fremovexattr(int(f.Fd()), accessACL); err != nil {
			return fmt.Errorf("remove %s: %w", accessACL, err)
		}
	}
	for _, name := range names {
		if err := copyAttribute(f.File, model, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// attributes lists what a file has; none where the file system knows no such thing.
// Sums over the content (IMA, EVM) are left out: the kernel makes them.
func attributes(f *os.File) ([]string, error) {
	list, err := grown(func(to []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), to) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list attributes of %s: %w", f.Name(), err)
	}
	names := strings.Split(strings.TrimRight(string(list), "\x00"), "\x00")
	return slices.DeleteFunc(names, func(n string) bool { return n == "" || n == "security.ima" || n == "security.evm" }), nil
}

// copyAttribute passes over what is gone meanwhile or the file system does not take.
func copyAttribute(to, from *os.File, name string) error {
	value, err := grown(func(b []byte) (int, error) { return unix.Fgetxattr(int(from.Fd()), name, b) })
	if err == nil {
		err = unix.Fsetxattr(int(to.Fd()), name, value, 0)
	}
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// grown calls with a larger buffer while the kernel says that it is too small: neither
// a value nor a list is longer than 64 KiB (linux/limits.h).
func grown(call func([]byte) (int, error)) ([]byte, error) {
	for size := 1 << 10; ; size *= 8 {
		b := make([]byte, size)
		n, err := call(b)
		if err == nil {
			return b[:n], nil
		}
		if !errors.Is(err, unix.ERANGE) || size > 64<<10 {
			return nil, err
		}
	}
}
