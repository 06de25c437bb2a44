package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Holder names the process that answers at a socket: "multipathd (pid 412)"; ""
// if nobody does.
func Holder(name string) string {
	who, _, _ := holderOf(name)
	return who
}

// holderOf names the process that answers at a socket; known: the kernel says who it
// was when it began to listen.
func holderOf(name string) (who string, cred Cred, known bool) {
	c, err := net.DialTimeout("unix", name, time.Second)
	if err != nil {
		return "", cred, false
	}
	defer c.Close()
	if cred, err = PeerCred(c.(*net.UnixConn)); err != nil {
		return "a process", cred, false
	}
	return ProcessName(int(cred.PID)), cred, true
}

// ProcessName gives "multipathd (pid 812)". A daemon of ours has multipathd's name, for
// the sake of who looks for that, and is told from it by its program.
func ProcessName(pid int) string {
	if pid <= 0 {
		return "another process"
	}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if exe, err := os.Readlink(filepath.Join(proc, "exe")); err == nil && filepath.Base(strings.TrimSuffix(exe, " (deleted)")) == "pathkeeper" {
		return fmt.Sprintf("pathkeeper (pid %d)", pid)
	}
	comm, err := os.ReadFile(filepath.Join(proc, "comm"))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(comm)), pid)
}

// ownerOf asks the kernel's socket diagnosis (sock_diag(7), linux/unix_diag.h) who made
// the socket that has a name. It tells of those too that take no connection: whose
// queue is full, or who does not listen. false: the kernel has no such diagnosis (the
// module unix_diag, and the user's number since 5.3), or no such socket.
func ownerOf(name string) (uid uint32, known bool) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	if err := unix.Sendto(fd, diagRequest(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, false
	}
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return 0, false
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return 0, false
		}
		for _, m := range messages {
			if m.Header.Type == unix.NLMSG_DONE || m.Header.Type == unix.NLMSG_ERROR {
				return 0, false
			}
			if at, uid, ok := diagOwner(m.Data); ok && at == name {
				return uid, true
			}
		}
	}
}

// Of linux/unix_diag.h: what a request wants to be told, and the attributes that tell it.
const (
	diagShowName = 0x01
	diagShowUID  = 0x40
	diagAttrName = 0
	diagAttrUID  = 7
	diagListens  = 1 << 10 // TCP_LISTEN
	diagIdle     = 1 << 7  // TCP_CLOSE: neither listens nor is connected
	diagMsgBytes = 16      // struct unix_diag_msg, before the attributes
)

// diagRequest asks for the name and user of every unix socket that listens or could:
// struct nlmsghdr, then struct unix_diag_req. Those of connections bear the listener's
// name too, and of one that nobody has accepted the kernel says that root made it.
func diagRequest() []byte {
	b := binary.NativeEndian.AppendUint32(nil, unix.NLMSG_HDRLEN+24)
	b = binary.NativeEndian.AppendUint16(b, unix.SOCK_DIAG_BY_FAMILY)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b = append(b, 1, 0, 0, 0, 0, 0, 0, 0) // sequence, port
	b = append(b, unix.AF_UNIX, 0, 0, 0)  // family, protocol
	b = binary.NativeEndian.AppendUint32(b, diagListens|diagIdle)
	b = append(b, 0, 0, 0, 0) // inode: any
	b = binary.NativeEndian.AppendUint32(b, diagShowName|diagShowUID)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0) // cookie
}

// diagOwner reads one socket's answer; an abstract name gets its @.
func diagOwner(data []byte) (name string, uid uint32, ok bool) {
	if len(data) < diagMsgBytes {
		return "", 0, false
	}
	for data = data[diagMsgBytes:]; len(data) >= unix.SizeofRtAttr; {
		size, kind := int(binary.NativeEndian.Uint16(data)), binary.NativeEndian.Uint16(data[2:])
		if size < unix.SizeofRtAttr || size > len(data) {
			break
		}
		value := data[unix.SizeofRtAttr:size]
		switch {
		case kind == diagAttrName && len(value) > 1 && value[0] == 0:
			name = "@" + string(value[1:])
		case kind == diagAttrName:
			name = strings.TrimRight(string(value), "\x00")
		case kind == diagAttrUID && len(value) == 4:
			uid, ok = binary.NativeEndian.Uint32(value), true
		}
		data = data[min((size+3)&^3, len(data)):]
	}
	return name, uid, ok
}

// deaf says whether nobody listens at a name that is taken: not for a moment, as
// between taking it and listening, but for a second.
func deaf(name string) bool {
	for range 10 {
		c, err := net.DialTimeout("unix", name, time.Second)
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, unix.ECONNREFUSED) {
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
	return true
}

// Manages says whether who listens at a socket may be a manager of maps: root, or who
// we are ourselves. Anybody may take an abstract name.
func (c Cred) Manages() bool { return c.Root() || c.UID == uint32(os.Geteuid()) }
