package statefile

import (
	"errors"
	"fmt"
	"os"
	"path"
	"syscall"
	"time"
)

// LockPath is the file whose lock (flock(2)) a process holds while it replaces a state
// file. Only root can open it: nobody else can keep the daemon from writing. It lies
// in /run, so that a read-only root does not matter before the write itself.
const LockPath = "/run/pathkeeper/statefiles.lock"

// A replacement takes some milliseconds; who holds the lock for longer is stopped or
// waits for a disk that hangs.
const (
	lockWait = 2 * time.Second
	lockPoll = 5 * time.Millisecond
)

// lock takes the lock of those who replace files, and gives how it is given back.
func (d *Disk) lock() (release func(), err error) {
	at := d.below(LockPath)
	if err := d.makeDirs(path.Dir(LockPath), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(at, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, ModePrivate)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", at, cause(err))
	}
	for end := time.Now().Add(d.wait); ; time.Sleep(lockPoll) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if errors.Is(err, syscall.EWOULDBLOCK) && time.Now().Before(end) {
			continue
		}
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: another process holds it for more than %s (`fuser -v %s` names it): %w", at, d.wait, at, ErrChanged)
		}
		return nil, fmt.Errorf("lock %s: %w", at, err)
	}
}
