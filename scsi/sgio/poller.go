package sgio

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller waits for any number of descriptors. It is an epoll descriptor that
// the Go runtime's own poller watches: waiting costs no thread, and close wakes
// the waiter.
type poller struct {
	file *os.File
	conn syscall.RawConn
	buf  [64]unix.EpollEvent
	out  []readiness
}

// readiness says that a descriptor can be read, or that its device left.
type readiness struct {
	id     uint64
	hangup bool
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // how os.NewFile knows that it can be polled
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll")}
	if p.conn, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// add watches a descriptor for answers; id comes back from wait.
func (p *poller) add(fd int, id uint64) unix.Errno {
	return p.control(unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(uint32(id)), Pad: int32(uint32(id >> 32))})
}

// remove is called before the descriptor is closed, once or more.
func (p *poller) remove(fd int) { _ = p.control(unix.EPOLL_CTL_DEL, fd, nil) }

// control goes through the file, so that no number of a closed one is used.
func (p *poller) control(op, fd int, ev *unix.EpollEvent) unix.Errno {
	errno := unix.EBADF
	_ = p.conn.Control(func(epfd uintptr) { errno = number(unix.EpollCtl(int(epfd), op, fd, ev)) })
	return errno
}

// wait blocks until something is ready, or fails after close. One goroutine.
func (p *poller) wait() ([]readiness, error) {
	n, fail := 0, error(nil)
	err := p.conn.Read(func(epfd uintptr) bool {
		n, fail = unix.EpollWait(int(epfd), p.buf[:], 0)
		return n > 0 || fail != nil && !errors.Is(fail, unix.EINTR)
	})
	if err = errors.Join(err, fail); err != nil {
		return nil, err
	}
	p.out = p.out[:0]
	for _, ev := range p.buf[:max(n, 0)] {
		p.out = append(p.out, readiness{
			id:     uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32,
			hangup: ev.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0,
		})
	}
	return p.out, nil
}

func (p *poller) close() error { return p.file.Close() }
