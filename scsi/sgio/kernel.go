package sgio

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel is the handful of system calls of this package, so that tests can
// answer in the kernel's place. Each returns the errno, 0 for success.
type kernel interface {
	open(path string, flags int) (fd int, errno unix.Errno)
	close(fd int)
	sgIO(fd int, h *header) unix.Errno
	reserve(fd int, bytes int32) unix.Errno
	submit(fd int, h *header) unix.Errno
	collect(fd int, h *header) unix.Errno
}

type linux struct{}

func (linux) open(path string, flags int) (int, unix.Errno) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, number(err)
		}
	}
}

func (linux) close(fd int) { _ = unix.Close(fd) }

func (linux) sgIO(fd int, h *header) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlSGIO, uintptr(unsafe.Pointer(h)))
	return errno
}

func (linux) reserve(fd int, bytes int32) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlSetReserve, uintptr(unsafe.Pointer(&bytes)))
	return errno
}

func (linux) submit(fd int, h *header) unix.Errno {
	_, err := unix.Write(fd, h.bytes())
	return number(err)
}

func (linux) collect(fd int, h *header) unix.Errno {
	n, err := unix.Read(fd, h.bytes())
	if err == nil && n != headerSize {
		return unix.EIO
	}
	return number(err)
}

func number(err error) unix.Errno {
	if err == nil {
		return 0
	}
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return errno
	}
	return unix.EIO
}
