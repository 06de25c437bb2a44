// Package dmioctl is the real port to device-mapper: ioctls on /dev/mapper/control,
// waiting for map events on the same file, and the semaphores by which udev tells
// that it has processed a map. It interprets nothing: dmmap does.
//
// Sources: drivers/md/dm-ioctl.c (dm_ctl_ioctl, dm_poll), libdm's udev cookies.
package dmioctl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"pathkeeper/dmmap"
)

// ControlPath is device-mapper's control node; devtmpfs has it as soon as the
// dm-mod module is known to the kernel.
const ControlPath = "/dev/mapper/control"

// Control is the open control file. Its ioctls may run at the same time from many
// goroutines; each blocks a thread while the kernel works.
type Control struct {
	file   *os.File
	closed atomic.Bool // RawConn's own error for a closed file is not os.ErrClosed
}

var _ dmmap.Port = (*Control)(nil)

// Open opens the control file, non-blocking for the sake of the runtime's poller.
// The error says what to do; errors.Is finds the errno.
func Open() (*Control, error) { return open(ControlPath) }

func open(path string) (*Control, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open device-mapper: %w: %s", err, openHint(err))
	}
	return &Control{file: f}, nil
}

func openHint(err error) string {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "needs root (CAP_SYS_ADMIN)"
	case Missing(err):
		return "the kernel has no device-mapper loaded: run modprobe dm-multipath"
	}
	return "is device-mapper in this kernel?"
}

// Missing says whether an error of Open means that there is no device-mapper, not
// that it is forbidden.
func Missing(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV)
}

// Close closes the file; a WaitEvent returns an error that is os.ErrClosed, an ioctl
// under way ends first.
func (c *Control) Close() error {
	c.closed.Store(true)
	return c.file.Close()
}

// Ioctl makes one call; the answer is in buf itself. It refuses with EINVAL, before
// the kernel sees it, a command that is not of device-mapper and a buffer whose
// data_size is not within it: the kernel writes as much as data_size says.
//
// EINTR is retried, with one exception made impossible: a suspension that a signal
// interrupts within a resume loses the loaded table (drivers/md/dm-ioctl.c,
// do_resume ignores the failure), so signals wait while DM_DEV_SUSPEND runs.
func (c *Control) Ioctl(cmd uint32, buf []byte) ([]byte, uint32) {
	if !sane(cmd, buf) {
		return buf, uint32(unix.EINVAL)
	}
	conn, err := c.file.SyscallConn()
	if err != nil {
		return buf, uint32(unix.EBADF)
	}
	var errno unix.Errno
	call := func(fd uintptr) {
		for {
			// The conversion stands in the call's argument list: the collector keeps buf
			// where it is until the call returns (unsafe.Pointer, rule 4).
			_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(cmd), uintptr(unsafe.Pointer(&buf[0])))
			if errno != unix.EINTR {
				return
			}
		}
	}
	if cmd == dmmap.CmdSuspend {
		err = withoutSignals(func() error { return conn.Control(call) })
	} else {
		err = conn.Control(call)
	}
	if err != nil { // closed, or the mask could not be set: the call was not made
		var e unix.Errno
		if errors.As(err, &e) {
			return buf, uint32(e)
		}
		return buf, uint32(unix.EBADF)
	}
	return buf, uint32(errno)
}

// sane checks what the kernel would not: that it writes only into buf.
func sane(cmd uint32, buf []byte) bool {
	const dmType, sizeAndDir = 0xfd, 3<<30 | dmmap.HeaderBytes<<16
	if cmd&^0xff != sizeAndDir|dmType<<8 || len(buf) < dmmap.MinBytes {
		return false
	}
	size := binary.NativeEndian.Uint32(buf[12:]) // dm_ioctl.data_size
	return size >= dmmap.MinBytes && uint64(size) <= uint64(len(buf))
}

// withoutSignals runs f on a thread that takes no signals meanwhile.
func withoutSignals(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return err
	}
	err := f()
	if e := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err == nil {
		err = e
	}
	return err
}

// WaitEvent waits until an event of any map has happened since the last ArmPoll, or
// ctx ends (its error is returned), or the file is closed. It costs no thread. To
// lose no event: ArmPoll, then list the event numbers, then WaitEvent, then again.
// One goroutine at a time.
func (c *Control) WaitEvent(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.file.SetReadDeadline(time.Time{}); err != nil {
		return c.waitError(err)
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		_ = c.file.SetReadDeadline(time.Unix(1, 0)) // long past: wakes the reader
	})
	err := c.waitReadable()
	if !stop() {
		<-stopped // or its deadline could hit the next wait
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return c.waitError(err)
}

func (c *Control) waitError(err error) error {
	if c.closed.Load() {
		err = os.ErrClosed
	}
	return fmt.Errorf("wait for device-mapper event: %w", err)
}

func (c *Control) waitReadable() error {
	conn, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	var pollErr error
	err = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(fds, 0)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			pollErr = err
			return err != nil || n > 0
		}
	})
	if pollErr != nil {
		return pollErr
	}
	return err
}
