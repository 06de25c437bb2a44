package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockManager takes multipathd's pid file by the lock that multipathd itself
// takes (fcntl, whole file), before anything else is touched: one manager per
// host. If a living process holds it, that process is named.
func lockManager(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("opening %s: %w: the daemon needs root", path, err)
		}
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}
	err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lk)
	if err == nil {
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, fmt.Errorf("writing %s: %w", path, err)
		}
		if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
			f.Close()
			return nil, fmt.Errorf("writing %s: %w", path, err)
		}
		return f, nil
	}
	defer f.Close()
	if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	lk = unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}
	pid := 0
	if unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lk) == nil && lk.Type != unix.F_UNLCK {
		pid = int(lk.Pid)
	}
	return nil, fmt.Errorf("%s already manages the multipath maps of this host (it holds %s): stop it first, its maps are then taken over as they are", processName(pid), path)
}

// processName gives "multipathd (pid 812)".
func processName(pid int) string {
	if pid <= 0 {
		return "another process"
	}
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(b)), pid)
}
