package uevent

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// RcvBuf is the receive buffer asked for, bytes: thousands of disks that appear
// at once must fit while the daemon does something else.
const RcvBuf = 128 << 20

// Receiver is the real Port: one netlink socket in one multicast group. Receive
// is for one goroutine; Close from any other one unblocks it.
type Receiver struct {
	file    *os.File
	conn    syscall.RawConn
	group   uint32
	buf     []byte
	oob     []byte
	refused atomic.Uint64
	closed  atomic.Bool
}

// Listen joins GroupKernel or GroupUdev. In GroupUdev only events of the given
// subsystems are delivered (at most 200); none given means all.
func Listen(group uint32, subsystems ...string) (*Receiver, error) {
	if group != GroupKernel && group != GroupUdev || len(subsystems) > 200 {
		return nil, fmt.Errorf("listen for uevents: no group %d with %d subsystems", group, len(subsystems))
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("listen for uevents: open a NETLINK_KOBJECT_UEVENT socket: %w", err)
	}
	if err := configure(fd, group, subsystems); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen for uevents: %w", err)
	}
	r := &Receiver{
		file: os.NewFile(uintptr(fd), "uevent socket"), group: group,
		buf: make([]byte, MaxDatagram), oob: make([]byte, unix.CmsgSpace(unix.SizeofUcred)),
	}
	if r.conn, err = r.file.SyscallConn(); err != nil {
		r.file.Close()
		return nil, fmt.Errorf("listen for uevents: %w", err)
	}
	return r, nil
}

// configure sets everything before bind, so that no datagram arrives without
// credentials or past the filter.
func configure(fd int, group uint32, subsystems []string) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return fmt.Errorf("ask for credentials: %w", err)
	}
	// FORCE needs CAP_NET_ADMIN; without it as much as net.core.rmem_max gives.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, RcvBuf) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, RcvBuf)
	}
	if group == GroupUdev && len(subsystems) > 0 {
		prog := subsystemFilter(subsystems)
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}); err != nil {
			return fmt.Errorf("attach the filter: %w", err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: group}); err != nil {
		return fmt.Errorf("join group %d: %w", group, err)
	}
	return nil
}

// Receive implements Port. Datagrams whose sender may not speak are counted and
// dropped. Lost events (ENOBUFS) and a datagram longer than MaxDatagram are an
// Overrun, and the receiver goes on. After Close it returns os.ErrClosed.
func (r *Receiver) Receive() (Datagram, error) {
	for {
		d, err := r.one()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			return Datagram{Overrun: true}, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil && r.closed.Load(): // the poller has an unexported error for this
			return Datagram{}, fmt.Errorf("receive uevents: %w", os.ErrClosed)
		case err != nil:
			return Datagram{}, fmt.Errorf("receive uevents: %w", err)
		}
		if d.Overrun {
			return d, nil
		}
		if d.Check() != nil {
			r.refused.Add(1)
			continue
		}
		return d, nil
	}
}

// Refused is the number of datagrams dropped because of their sender.
func (r *Receiver) Refused() uint64 { return r.refused.Load() }

// Close ends the receiver and a Receive that waits.
func (r *Receiver) Close() error {
	r.closed.Store(true)
	return r.file.Close()
}

func (r *Receiver) one() (Datagram, error) {
	var n, oobn, flags int
	var from unix.Sockaddr
	var err error
	waitErr := r.conn.Read(func(fd uintptr) bool {
		n, oobn, flags, from, err = unix.Recvmsg(int(fd), r.buf, r.oob, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(err, unix.EAGAIN)
	})
	if waitErr != nil {
		return Datagram{}, waitErr
	}
	if err != nil {
		return Datagram{}, err
	}
	d := Datagram{}
	if nl, ok := from.(*unix.SockaddrNetlink); ok {
		d.Group, d.PortID = nl.Groups, nl.Pid
	} else {
		d.PortID = ^uint32(0)
	}
	if cred, ok := credentials(r.oob[:oobn]); ok {
		d.UID, d.HasUID = cred.Uid, true
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		if d.Group != r.group { // nobody may provoke rescans by long letters to us alone
			return Datagram{Group: d.Group, PortID: ^uint32(0)}, nil
		}
		return Datagram{Overrun: true}, nil
	}
	d.Data = append([]byte(nil), r.buf[:n]...)
	return d, nil
}

func credentials(oob []byte) (*unix.Ucred, bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, false
	}
	for _, m := range msgs {
		if cred, err := unix.ParseUnixCredentials(&m); err == nil {
			return cred, true
		}
	}
	return nil, false
}
