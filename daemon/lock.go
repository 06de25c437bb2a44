package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
	f, holder, err := tryLock(path)
	if err == nil || holder == 0 || !dying(holder, "/proc") {
		return f, 0, err
	}
	if err := os.Remove(path); err != nil {
		return nil, 0, fmt.Errorf("putting the pid file of dead %s aside: %w", server.ProcessName(holder), err)
	}
	f, _, err = tryLock(path)
	return f, holder, err
}

// LockManager takes the place of the one manager of this host, so that nobody
// starts to manage maps until the file is closed; it is removed before that. path
// "" is multipathd's pid file.
func LockManager(path string) (*os.File, error) {
	f, _, err := lockManager(Options{PidFile: path}.withDefaults().PidFile)
	return f, err
}

func tryLock(path string) (f *os.File, holder int, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return nil, 0, fmt.Errorf("opening %s: %w: the daemon needs root", path, err)
		}
		return nil, 0, fmt.Errorf("opening %s: %w", path, err)
	}
	lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}
	err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lk)
	if err == nil {
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
		if err != nil {
			_ = f.Close()
			return nil, 0, fmt.Errorf("writing %s: %w", path, err)
		}
		return f, 0, nil
	}
	defer f.Close()
	if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
		return nil, 0, fmt.Errorf("locking %s: %w", path, err)
	}
	lk = unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}
	if unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lk) == nil && lk.Type != unix.F_UNLCK {
		holder = int(lk.Pid)
	}
	return nil, holder, fmt.Errorf("%s already manages the multipath maps of this host (it holds %s): stop it first, its maps are then taken over as they are", server.ProcessName(holder), path)
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
