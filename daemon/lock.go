package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/server"
)

// lockManager takes multipathd's pid file by the lock that multipathd itself
// takes (fcntl, whole file), before anything else is touched: one manager per
// host. If a living process holds it, that process is named.
//
// A daemon of ours that was killed while one of its threads hangs in the kernel
// holds the lock as long as it hangs, which is exactly while the storage needs a
// daemon. It can do nothing any more: its file is put aside, and dead is its pid.
func lockManager(path string) (f *os.File, dead int, err error) {
	return pidLock{path: path, open: openOwn, dying: func(pid int) bool { return dying(pid, "/proc") }, patience: guardPatience}.take()
}

// LockManager takes the place of the one manager of this host, so that nobody
// starts to manage maps until UnlockManager. path "" is multipathd's pid file.
func LockManager(path string) (*os.File, error) {
	f, _, err := lockManager(Options{PidFile: path}.withDefaults().PidFile)
	return f, err
}

// UnlockManager gives the place back. The pid file goes first, if it is still ours.
func UnlockManager(f *os.File) {
	if isAt(f.Name(), f) {
		_ = os.Remove(f.Name())
	}
	_ = f.Close()
}

// pidLock is what taking the pid file needs.
type pidLock struct {
	path     string
	open     func(path string, mode os.FileMode) (*os.File, error)
	dying    func(pid int) bool
	patience time.Duration // for another start
}

// Two starts look at the pid file, put it aside and lock it for some milliseconds.
const (
	guardSuffix   = ".guard"
	guardPatience = 5 * time.Second
	guardPoll     = 5 * time.Millisecond
	lockTries     = 10
)

// take looks, puts aside and locks while no other start does: else the second one
// would put the first one's new file aside. multipathd knows nothing of the guard, so
// a file is put aside only while it is the one that was looked at, and a lock counts
// only when its file still bears the name.
func (l pidLock) take() (f *os.File, dead int, err error) {
	guard, err := l.guard()
	if err != nil {
		return nil, 0, err
	}
	defer guard.Close()
	for range lockTries {
		if f, err = l.open(l.path, 0o644); err != nil {
			return nil, 0, err
		}
		holder, err := tryLock(f)
		if err == nil && isAt(l.path, f) {
			return f, dead, nil
		}
		if err != nil {
			if holder != 0 && l.dying(holder) {
				dead, err = holder, l.putAside(f, holder)
			}
			if err != nil {
				_ = f.Close()
				return nil, 0, err
			}
		}
		_ = f.Close()
	}
	return nil, 0, fmt.Errorf("locking %s: somebody else replaced it %d times meanwhile: another manager starts or stops here, try again", l.path, lockTries)
}

// putAside removes the file that a dead manager has locked, and no other.
func (l pidLock) putAside(f *os.File, holder int) error {
	if !isAt(l.path, f) {
		return nil
	}
	if err := os.Remove(l.path); err != nil {
		return fmt.Errorf("putting the pid file of dead %s aside: %w", server.ProcessName(holder), err)
	}
	return nil
}

// guard is the lock (flock(2)) of those who look at the pid file. Its file stays:
// whoever removed it would have the next two hold different ones.
func (l pidLock) guard() (*os.File, error) {
	path := l.path + guardSuffix
	f, err := l.open(path, 0o600) // nobody else can open it, and so keep it
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(l.patience); ; time.Sleep(guardPoll) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(end) {
			_ = f.Close()
			return nil, fmt.Errorf("locking %s for %v: %w: another manager of this host starts just now (`fuser -v %s` names it)", path, l.patience, err, path)
		}
	}
}

func openOwn(path string, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, mode)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("opening %s: %w: the daemon needs root", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return f, nil
}

// isAt says whether a path still leads to the file that was opened there.
func isAt(path string, f *os.File) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, opened)
}

// tryLock locks a pid file and writes our pid into it, or says who holds it; 0: the
// kernel does not tell.
func tryLock(f *os.File) (holder int, err error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}
	err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lk)
	if err == nil {
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
		if err != nil {
			return 0, fmt.Errorf("writing %s: %w", f.Name(), err)
		}
		return 0, nil
	}
	if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
		return 0, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	lk = unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}
	if unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lk) == nil && lk.Type != unix.F_UNLCK {
		holder = int(lk.Pid)
	}
	return holder, fmt.Errorf("%s already manages the multipath maps of this host (it holds %s): stop it first, its maps are then taken over as they are", server.ProcessName(holder), f.Name())
}

// dying says whether a manager was killed and only waits for threads that the kernel
// does not give back: each of them has ended, or has SIGKILL pending
// (proc_pid_status(5)), so nothing of its program runs any more. A living one, or a
// process that no manager can be, never is.
func dying(pid int, proc string) bool {
	threads, err := filepath.Glob(filepath.Join(proc, strconv.Itoa(pid), "task", "*", "status"))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, t := range append(threads, filepath.Join(proc, strconv.Itoa(pid), "status")) {
		if !threadIsDead(t) {
			return false
		}
	}
	return true
}

func threadIsDead(status string) bool {
	b, err := os.ReadFile(status)
	if err != nil {
		return false
	}
	manager, dead := false, false
	for _, line := range strings.Split(string(b), "\n") {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Name":
			manager = value == "pathkeeper" || value == daemonName
		case "State":
			dead = dead || strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X")
		case "SigPnd", "ShdPnd":
			set, err := strconv.ParseUint(value, 16, 64)
			dead = dead || err == nil && set&(1<<(unix.SIGKILL-1)) != 0
		}
	}
	return manager && dead
}
