package dmmap

import (
	"fmt"
	"strconv"
)

// Errno is an errno of Linux (asm-generic/errno-base.h). Its constants are the
// sentinels for errors.Is: errors.Is(err, dmmap.ErrBusy).
type Errno uint32

// The errnos that device-mapper returns and that callers or hints tell apart.
const (
	ErrPerm       Errno = 1   // EPERM
	ErrNoEntry    Errno = 2   // ENOENT
	ErrInterrupt  Errno = 4   // EINTR
	ErrIO         Errno = 5   // EIO
	ErrNotFound   Errno = 6   // ENXIO: no map by that name, UUID or number
	ErrAgain      Errno = 11  // EAGAIN
	ErrNoMemory   Errno = 12  // ENOMEM
	ErrAccess     Errno = 13  // EACCES
	ErrFault      Errno = 14  // EFAULT
	ErrBusy       Errno = 16  // EBUSY
	ErrExists     Errno = 17  // EEXIST
	ErrNoDevice   Errno = 19  // ENODEV: a path of the table is no device any more
	ErrInvalid    Errno = 22  // EINVAL
	ErrNotTTY     Errno = 25  // ENOTTY: the kernel does not know this call
	ErrNoSpace    Errno = 28  // ENOSPC
	ErrReadOnly   Errno = 30  // EROFS
	ErrNotSupport Errno = 95  // EOPNOTSUPP
	ErrTimeout    Errno = 110 // ETIMEDOUT
)

// ErrnoName is "EBUSY" for 16, "errno 200" for one that is not listed.
func ErrnoName(n uint32) string {
	if name, _ := errnoText(Errno(n)); name != "" {
		return name
	}
	return "errno " + strconv.FormatUint(uint64(n), 10)
}

// Error is "EBUSY (device or resource busy)".
func (e Errno) Error() string {
	if name, text := errnoText(e); name != "" {
		return name + " (" + text + ")"
	}
	return ErrnoName(uint32(e))
}

func errnoText(e Errno) (name, text string) {
	switch e {
	case ErrPerm:
		return "EPERM", "operation not permitted"
	case ErrNoEntry:
		return "ENOENT", "no such file or directory"
	case ErrInterrupt:
		return "EINTR", "interrupted"
	case ErrIO:
		return "EIO", "input/output error"
	case ErrNotFound:
		return "ENXIO", "no such device or address"
	case ErrAgain:
		return "EAGAIN", "try again"
	case ErrNoMemory:
		return "ENOMEM", "out of memory"
	case ErrAccess:
		return "EACCES", "permission denied"
	case ErrFault:
		return "EFAULT", "bad address"
	case ErrBusy:
		return "EBUSY", "device or resource busy"
	case ErrExists:
		return "EEXIST", "exists already"
	case ErrNoDevice:
		return "ENODEV", "no such device"
	case ErrInvalid:
		return "EINVAL", "invalid argument"
	case ErrNotTTY:
		return "ENOTTY", "call unknown to this kernel"
	case ErrNoSpace:
		return "ENOSPC", "no space left"
	case ErrReadOnly:
		return "EROFS", "read-only device"
	case ErrNotSupport:
		return "EOPNOTSUPP", "not supported"
	case ErrTimeout:
		return "ETIMEDOUT", "timed out"
	}
	return "", ""
}

// sentinel is an error that is one constant.
type sentinel string

func (s sentinel) Error() string { return string(s) }

// ErrBufferFull is what a decoder returns when the kernel had more to say than the
// buffer holds (DM_BUFFER_FULL_FLAG): Grow the call and make it again.
const ErrBufferFull sentinel = "dm answer is longer than its buffer"

// BufferFullError is ErrBufferFull with the size of the whole buffer to try next.
type BufferFullError struct {
	HaveBytes, TryBytes int
}

func (e *BufferFullError) Error() string {
	return fmt.Sprintf("%s of %d bytes: try %d", string(ErrBufferFull), e.HaveBytes, e.TryBytes)
}

// Is makes errors.Is(err, ErrBufferFull) true.
func (e *BufferFullError) Is(target error) bool { return target == ErrBufferFull }

// CallError is a call that the kernel refused. errors.Is finds its Errno.
type CallError struct {
	Cmd   uint32
	What  string // "load table"
	Map   string
	Errno Errno
}

func (e *CallError) Error() string {
	s := e.What
	if e.Map != "" {
		s += " " + strconv.Quote(e.Map)
	}
	s += ": " + e.Errno.Error()
	if h := e.Hint(); h != "" {
		s += ": " + h
	}
	return s
}

// Unwrap is the Errno.
func (e *CallError) Unwrap() error { return e.Errno }

// Hint says what the errno means for this call and what to do, if that is known.
func (e *CallError) Hint() string {
	if h := e.callHint(); h != "" {
		return h
	}
	switch e.Errno {
	case ErrPerm, ErrAccess:
		return "needs root (CAP_SYS_ADMIN)"
	case ErrNotFound:
		return "no such map; it may have been removed or renamed meanwhile"
	case ErrNoMemory:
		return "the kernel has no memory for it; nothing was changed, try again"
	case ErrNotTTY:
		return "this kernel's device-mapper is too old for it"
	case ErrInvalid:
		return "see the kernel log for what device-mapper refused"
	}
	return ""
}

// callHint is the meaning of an errno that only this command gives it
// (drivers/md/dm-ioctl.c, dm-table.c, dm-mpath.c).
func (e *CallError) callHint() string {
	switch {
	case e.Cmd == CmdCreate && e.Errno == ErrBusy:
		return "a map with this name or UUID exists"
	case e.Cmd == CmdRename && e.Errno == ErrBusy:
		return "another map has the new name"
	case e.Cmd == CmdRemove && e.Errno == ErrBusy:
		return "the map is open: unmount it, or find its holders with lsblk and fuser"
	case e.Cmd == CmdMessage && e.Errno == ErrBusy:
		return "the map is suspended and takes no messages until it is resumed"
	case e.Cmd == CmdMessage && e.Errno == ErrInvalid:
		return "the target does not know the message, or it names a path or group that the map does not have"
	case e.Cmd == CmdTargetVersion && e.Errno == ErrInvalid:
		return "the kernel has no such target; try modprobe dm-multipath"
	case e.Cmd != CmdLoad:
		return ""
	}
	switch e.Errno {
	case ErrBusy:
		return "a path device is in use by something else (mounted, swap, another map or an exclusive opener)"
	case ErrNotFound, ErrNoDevice:
		return "the map or a path device has gone; read both again"
	case ErrReadOnly, ErrAccess:
		return "a path device is read-only: load the table read-only"
	case ErrInvalid:
		return "the kernel refused a word of the table or the change of a living map's queue mode; its log says which"
	}
	return ""
}
