package dmioctl

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"pathkeeper/dmmap"
)

// Cookie is the System V semaphore by which udev says that it is done, exactly as
// libdm has it, because the other side is udev's rule running "dmsetup
// udevcomplete": its key is the magic and a random base, its value one for the
// creator plus one for each uevent under way.
//
//	cookie, err := CreateCookie()
//	defer cookie.Destroy()
//	cookie.Increment()                       // before each resume, removal or rename
//	... Udev{Cookie: cookie.Base()} ...
//	cookie.Complete()                        // only if the call failed or sent no uevent
//	cookie.Wait(ctx)
//
// A daemon does not wait for udev; this is for commands that promise a node.
type Cookie struct {
	key uint32
	id  int
}

// maxKeyTries bounds the search for a free key among 65535.
const maxKeyTries = 1000

// CreateCookie makes a semaphore of a key that nobody has, with value 1.
func CreateCookie() (*Cookie, error) {
	for range maxKeyTries {
		var random [2]byte
		_, _ = rand.Read(random[:]) // cannot fail
		base := binary.NativeEndian.Uint16(random[:])
		if base == 0 {
			continue // no cookie at all, to udev
		}
		key := dmmap.CookieKey(base)
		id, err := semget(key, 1, unix.IPC_CREAT|unix.IPC_EXCL|0o600)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("create udev cookie %#x: %w: %s", key, err, semHint(err))
		}
		c := &Cookie{key: key, id: id}
		if err := semctl(id, semSetVal, 1); err != nil {
			_ = c.Destroy()
			return nil, fmt.Errorf("set udev cookie %#x to 1: %w", key, err)
		}
		return c, nil
	}
	return nil, fmt.Errorf("create udev cookie: no free key in %d tries: see ipcs -s, dmsetup udevcomplete_all removes stale ones", maxKeyTries)
}

// OpenCookie finds the semaphore of a cookie that somebody else made, as the udev
// hook must do with the lower half of DM_COOKIE.
func OpenCookie(base uint16) (*Cookie, error) {
	key := dmmap.CookieKey(base)
	id, err := semget(key, 1, 0)
	if err != nil {
		return nil, fmt.Errorf("open udev cookie %#x: %w: %s", key, err, semHint(err))
	}
	return &Cookie{key: key, id: id}, nil
}

func semHint(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return "all semaphores of the system are in use (sysctl kernel.sem; dmsetup udevcomplete_all removes stale cookies)"
	case errors.Is(err, unix.ENOENT):
		return "it is completed already, or was made in another IPC namespace"
	case errors.Is(err, unix.ENOSYS):
		return "this kernel has no System V semaphores"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "needs root"
	}
	return "see ipcs -s"
}

// Base is the lower half of the key, for dmmap.Udev.
func (c *Cookie) Base() uint16 { return uint16(c.key) }

// Increment counts one uevent more to wait for.
func (c *Cookie) Increment() error { return c.add(1, "increment") }

// Complete counts one less: what udev does for each event that it has processed.
func (c *Cookie) Complete() error { return c.add(-1, "complete") }

func (c *Cookie) add(n int16, what string) error {
	// IPC_NOWAIT: a completion too many is an error and must not wait.
	if err := semop(c.id, n, unix.IPC_NOWAIT, -1); err != nil {
		return fmt.Errorf("%s udev cookie %#x: %w", what, c.key, err)
	}
	return nil
}

// waitSlice is how long Wait sleeps in the kernel before it looks at its context
// again; a completion wakes it at once.
const waitSlice = 200 * time.Millisecond

// Wait gives up the creator's own count and waits until udev has completed all
// others, or ctx ends. It blocks a thread. It is made once; Destroy afterwards.
func (c *Cookie) Wait(ctx context.Context) error {
	if err := c.Complete(); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for udev, cookie %#x: %w: is udevd running, with dm's rules?", c.key, err)
		}
		switch err := semop(c.id, 0, 0, waitSlice); {
		case err == nil, errors.Is(err, unix.EIDRM), errors.Is(err, unix.EINVAL):
			return nil // zero, or removed under us (dmsetup udevcomplete_all): nobody will say more
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		default:
			return fmt.Errorf("wait for udev, cookie %#x: %w", c.key, err)
		}
	}
}

// Destroy removes the semaphore. One that has gone already is no error.
func (c *Cookie) Destroy() error {
	err := semctl(c.id, unix.IPC_RMID, 0)
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EIDRM) {
		return nil
	}
	return fmt.Errorf("remove udev cookie %#x: %w", c.key, err)
}

// semSetVal is SETVAL, a command of semctl (include/uapi/linux/sem.h).
const semSetVal = 16

// sembuf is struct sembuf of include/uapi/linux/sem.h:
//
//	struct sembuf {
//		unsigned short  sem_num;	/* semaphore index in array */
//		short		sem_op;		/* semaphore operation */
//		short		sem_flg;	/* operation flags */
//	};
type sembuf struct {
	num uint16
	op  int16
	flg int16
}

func semget(key uint32, n, flags int) (int, error) {
	// key_t is an int: the magic is below 0x8000, no sign comes in.
	id, _, errno := unix.Syscall(unix.SYS_SEMGET, uintptr(key), uintptr(n), uintptr(flags))
	if errno != 0 {
		return -1, errno
	}
	return int(id), nil
}

func semctl(id, cmd int, arg uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), 0, uintptr(cmd), arg, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// semop does one operation on the set's only semaphore; a negative limit is none.
// It is semtimedop for all, which a null time turns into semop.
func semop(id int, op int16, flags int16, limit time.Duration) error {
	sb := sembuf{op: op, flg: flags}
	var ts unix.Timespec
	var tp *unix.Timespec
	if limit >= 0 {
		ts = unix.NsecToTimespec(limit.Nanoseconds())
		tp = &ts
	}
	_, _, errno := unix.Syscall6(unix.SYS_SEMTIMEDOP, uintptr(id), uintptr(unsafe.Pointer(&sb)), 1, uintptr(unsafe.Pointer(tp)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
