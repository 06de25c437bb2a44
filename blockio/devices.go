package blockio

import (
	"errors"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Devices is the real Port and NodePort. It is safe for concurrent use.
type Devices struct {
	dir string

	mu   sync.Mutex
	next uint64
	held map[uint64]int // hold -> file descriptor
}

// New returns the devices below a directory, "/dev" for the real ones.
func New(dir string) *Devices { return &Devices{dir: dir, held: map[uint64]int{}} }

// Every open is read-only: closing a writable one makes udevd believe that the
// content has changed and send a change event. O_NONBLOCK keeps open(2) from
// waiting for a medium.
const openFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY

// open opens a block device; anything else below the name is ENOTBLK and is
// left alone: opening a character device can have effects.
func (d *Devices) open(device string, flags int) (fd int, st unix.Stat_t, errno uint32) {
	path, ok := nodePath(d.dir, device)
	if !ok {
		return -1, st, uint32(unix.ENOENT)
	}
	if err := unix.Stat(path, &st); err != nil {
		return -1, st, number(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return -1, st, uint32(unix.ENOTBLK)
	}
	fd, err := retry(func() (int, error) { return unix.Open(path, openFlags|flags, 0) })
	if err != nil {
		return -1, st, number(err)
	}
	before := st.Rdev
	if err := unix.Fstat(fd, &st); err != nil || st.Rdev != before || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		_ = unix.Close(fd)
		return -1, st, uint32(unix.ENODEV) // replaced between the two looks
	}
	return fd, st, 0
}

// ReadAt implements Port.
func (d *Devices) ReadAt(device string, off uint64, n uint32) ([]byte, uint32) {
	if n == 0 || n > MaxRead || off > 1<<63-1-uint64(n) {
		return nil, uint32(unix.EINVAL)
	}
	fd, _, errno := d.open(device, unix.O_DIRECT)
	if errno != 0 {
		return nil, errno
	}
	defer unix.Close(fd)
	buf := aligned(int(n))
	got, err := retry(func() (int, error) { return unix.Pread(fd, buf, int64(off)) })
	if err != nil {
		return nil, number(err)
	}
	return buf[:got:got], 0
}

// Info implements Port.
func (d *Devices) Info(device string) (Info, uint32) {
	fd, st, errno := d.open(device, 0)
	if errno != 0 {
		return Info{}, errno
	}
	defer unix.Close(fd)
	return describe(fd, st)
}

// ProbeExclusive implements Port.
func (d *Devices) ProbeExclusive(device string) uint32 {
	fd, _, errno := d.open(device, unix.O_EXCL)
	if errno == 0 {
		_ = unix.Close(fd)
	}
	return errno
}

// Hold implements Port.
func (d *Devices) Hold(device string) (uint64, Info, uint32) {
	fd, st, errno := d.open(device, 0)
	if errno != 0 {
		return 0, Info{}, errno
	}
	info, errno := describe(fd, st)
	if errno != 0 {
		_ = unix.Close(fd)
		return 0, Info{}, errno
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	d.held[d.next] = fd
	return d.next, info, 0
}

// Release implements Port.
func (d *Devices) Release(id uint64) uint32 {
	d.mu.Lock()
	fd, ok := d.held[id]
	delete(d.held, id)
	d.mu.Unlock()
	if !ok {
		return uint32(unix.EBADF)
	}
	_ = unix.Close(fd) // the descriptor is gone whatever close says
	return 0
}

func describe(fd int, st unix.Stat_t) (info Info, errno uint32) {
	info.Major, info.Minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
	var sector, readOnly int32
	if errno = ioctl(fd, unix.BLKGETSIZE64, unsafe.Pointer(&info.Bytes)); errno != 0 {
		return Info{}, errno
	}
	if errno = ioctl(fd, unix.BLKSSZGET, unsafe.Pointer(&sector)); errno != 0 {
		return Info{}, errno
	}
	if errno = ioctl(fd, unix.BLKROGET, unsafe.Pointer(&readOnly)); errno != 0 {
		return Info{}, errno
	}
	info.SectorSize, info.ReadOnly = uint32(sector), readOnly != 0
	errno = ioctl(fd, unix.BLKGETDISKSEQ, unsafe.Pointer(&info.Diskseq))
	if errno == uint32(unix.ENOTTY) || errno == uint32(unix.EINVAL) { // older than 5.15
		return info, 0
	}
	return info, errno
}

// ioctl calls a block ioctl that fills in *p.
func ioctl(fd int, request uintptr, p unsafe.Pointer) uint32 {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(p))
		if errno != unix.EINTR {
			return uint32(errno)
		}
	}
}

// directAlign satisfies the memory alignment of every logical block size.
const directAlign = 4096

// aligned returns n bytes as O_DIRECT wants them. The collector does not move
// what is on the heap, so they stay aligned.
func aligned(n int) []byte {
	raw := make([]byte, n+directAlign)
	skip := -int(uintptr(unsafe.Pointer(&raw[0]))) & (directAlign - 1)
	return raw[skip : skip+n : skip+n]
}

// retry repeats a call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// number is the errno of an error of x/sys/unix.
func number(err error) uint32 {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return uint32(errno)
	}
	return uint32(unix.EIO)
}
