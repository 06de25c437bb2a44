package blockio

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Node implements NodePort.
func (d *Devices) Node(path string) (Node, uint32) {
	fd, node, errno := d.pin(path)
	if errno == 0 {
		_ = unix.Close(fd)
	}
	return node, errno
}

// SetNode implements NodePort.
func (d *Devices) SetNode(path string, want Node) (bool, uint32) {
	if want.Mode&^0o777 != 0 || want.UID == ^uint32(0) || want.GID == ^uint32(0) {
		return false, uint32(unix.EINVAL) // -1 would mean "leave it" to chown(2)
	}
	fd, have, errno := d.pin(path)
	if errno != 0 {
		return false, errno
	}
	defer unix.Close(fd)
	if have.Major != want.Major || have.Minor != want.Minor {
		return false, uint32(unix.ENODEV)
	}
	if have == want {
		return false, 0
	}
	mode := have.Mode
	if have.UID != want.UID || have.GID != want.GID {
		// Nobody may get a right for a moment that neither state gives: first take
		// away what the old mode gives beyond the new one.
		if common := have.Mode & want.Mode; common != mode {
			if errno := chmod(fd, common); errno != 0 {
				return false, errno
			}
			mode = common
		}
		if err := unix.Fchownat(fd, "", int(want.UID), int(want.GID), unix.AT_EMPTY_PATH); err != nil {
			return mode != have.Mode, number(err)
		}
	}
	if mode != want.Mode {
		if errno := chmod(fd, want.Mode); errno != 0 {
			return true, errno
		}
	}
	return true, 0
}

// pin opens the node itself, not the device: O_PATH asks no driver anything, and
// what is behind the descriptor cannot be exchanged any more.
func (d *Devices) pin(path string) (fd int, node Node, errno uint32) {
	full, ok := nodePath(d.dir, path)
	if !ok {
		return -1, Node{}, uint32(unix.ENOENT)
	}
	fd, err := retry(func() (int, error) { return unix.Open(full, unix.O_PATH|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, Node{}, number(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return -1, Node{}, number(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		_ = unix.Close(fd)
		return -1, Node{}, uint32(unix.ENOTBLK)
	}
	return fd, Node{
		Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev),
		UID: st.Uid, GID: st.Gid, Mode: st.Mode & 0o777,
	}, 0
}

// chmod goes by /proc because fchmod(2) refuses O_PATH descriptors, and
// fchmodat2(2), which takes them, is of Linux 6.6.
func chmod(fd int, mode uint32) uint32 {
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode); err != nil {
		return number(err)
	}
	return 0
}
