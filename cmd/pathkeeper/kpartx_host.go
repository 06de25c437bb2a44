package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/dmmap/table"
	"pathkeeper/partition"
)

// kpartxHost is what kpartx needs of the host besides device-mapper.
type kpartxHost interface {
	// readTable reads a block device, for a bounded time.
	readTable(device string, o partition.Options) (kpartxFound, error)
	// ownNode makes a map's node, owned as the disk's is, where no udevd does it.
	ownNode(name table.Name, dev table.DevNum, disk string) error
	// dropNode takes it away again.
	dropNode(name table.Name)
}

// openKpartx gets what a call needs.
func openKpartx(o kpartxOptions, std streams) (*kpartx, error) {
	_, err := os.Stat(udevControl)
	here := err == nil
	k := &kpartx{o: o, host: ownHost{udev: here}, std: std, waits: noWait{}}
	c, err := dmioctl.Open()
	switch {
	case err == nil:
		k.dm = c
	case !dmioctl.Missing(err):
		return nil, err
	case o.do != kpartxList:
		return nil, fmt.Errorf("device mapper prerequisites not met: %w", err)
	}
	if here && !o.noSync && o.do != kpartxList {
		k.waits = &cookieWait{}
	}
	return k, nil
}

func (k *kpartx) close() {
	if c, ok := k.dm.(*dmioctl.Control); ok {
		_ = c.Close()
	}
}

// resolve finds out what the named device is. A file gets a loop device, or has one
// already; done: a file that has none has no partition maps to be removed.
func (k *kpartx) resolve() (l loopDevice, done bool, err error) {
	var st unix.Stat_t
	if err := unix.Stat(k.o.device, &st); err != nil {
		return l, false, fmt.Errorf("failed to stat() %s: %w", k.o.device, err)
	}
	k.device = k.o.device
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
	case unix.S_IFREG:
		if l, err = findLoop(k.o.device); err != nil {
			return l, false, err
		}
		if l.name == "" {
			if k.o.do == kpartxDelete {
				return l, true, nil
			}
			if l, err = attachLoop(k.o.device, k.o.readOnly); err != nil {
				return l, false, err
			}
		}
		k.device = l.name
		if err := unix.Stat(k.device, &st); err != nil {
			return l, false, fmt.Errorf("failed to stat() %s: %w", k.device, err)
		}
	default:
		return l, false, fmt.Errorf("invalid device: %s", k.o.device)
	}
	dev := table.DevNum{Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev)}
	return l, false, k.identify(dev, nodeName(k.device))
}

// ownHost is the host that kpartx runs on.
type ownHost struct{ udev bool }

// udevControl is there while udevd runs.
const udevControl = "/run/udev/control"

// ownNode implements kpartxHost. Where udevd is, its rules make node, owner and mode.
func (h ownHost) ownNode(name table.Name, dev table.DevNum, disk string) error {
	if h.udev {
		return nil
	}
	path := name.Path()
	var st unix.Stat_t
	if err := unix.Stat(disk, &st); err != nil {
		return fmt.Errorf("reading the owner of %s: %w", disk, err)
	}
	err := unix.Mknod(path, unix.S_IFBLK|st.Mode&0o777, int(unix.Mkdev(dev.Major, dev.Minor)))
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err == nil {
		err = unix.Chown(path, int(st.Uid), int(st.Gid))
	}
	if err == nil {
		err = unix.Chmod(path, st.Mode&0o777) // whatever the umask was
	}
	if err != nil {
		return fmt.Errorf("making the node %s: %w", path, err)
	}
	return nil
}

// dropNode implements kpartxHost.
func (h ownHost) dropNode(name table.Name) {
	if !h.udev {
		_ = os.Remove(name.Path())
	}
}

// noWait is for who does not wait for udev.
type noWait struct{}

func (noWait) expect() dmmap.Udev { return dmmap.NodeUdev() }
func (noWait) sent(bool)          {}
func (noWait) wait() error        { return nil }

// cookieWait counts events by a semaphore that udev's rules know.
type cookieWait struct {
	c    *dmioctl.Cookie
	none bool // it could not be had: nobody is waited for
	err  error
}

func (w *cookieWait) expect() dmmap.Udev {
	u := dmmap.NodeUdev()
	if w.c == nil && !w.none {
		w.c, w.err = dmioctl.CreateCookie()
		w.none = w.err != nil
	}
	if w.c == nil {
		return u
	}
	if err := w.c.Increment(); err != nil {
		w.err = err
		return u
	}
	u.Cookie = w.c.Base()
	return u
}

func (w *cookieWait) sent(yes bool) {
	if w.c != nil && !yes {
		_ = w.c.Complete()
	}
}

// udevPatience is how long kpartx waits for udev.
const udevPatience = 60 * time.Second

func (w *cookieWait) wait() error {
	if w.c == nil {
		return w.err
	}
	ctx, stop := context.WithTimeout(context.Background(), udevPatience)
	defer stop()
	err := w.c.Wait(ctx)
	return errors.Join(w.err, err, w.c.Destroy())
}

// realPath is a file as the kernel names it.
func realPath(file string) (string, error) {
	p, err := filepath.Abs(file)
	if err == nil {
		p, err = filepath.EvalSymlinks(p)
	}
	return p, err
}
