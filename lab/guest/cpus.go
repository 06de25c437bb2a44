package guest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// cpuLocks are the host CPUs that a guest occupies: one locked file each, so
// that all labs of a machine together run no more guest CPUs than it has. The
// kernel drops the locks of a process that dies.
type cpuLocks struct {
	count int
	files []*os.File
}

// takeCPUs waits for want CPUs, or for all where the host has fewer. Waiting goes
// through one gate, so that two guests never hold half of what each needs.
func takeCPUs(ctx context.Context, want int, talk io.Writer) (*cpuLocks, error) {
	have := runtime.NumCPU()
	want = min(want, have)
	dir := filepath.Join(os.TempDir(), "pathkeeper-lab-cpus")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	os.Chmod(dir, 0o777|os.ModeSticky) // another user's labs count too; not ours to change: theirs to have done
	gate, err := lockFile(filepath.Join(dir, "gate"))
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	l := &cpuLocks{count: want}
	told := false
	if err := flockWait(ctx, gate, &told, talk); err != nil {
		return nil, err
	}
	for {
		for n := 0; n < have && len(l.files) < want; n++ {
			f, err := lockFile(filepath.Join(dir, fmt.Sprintf("cpu%d", n)))
			if err != nil {
				l.release()
				return nil, err
			}
			if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
				f.Close()
				continue
			}
			l.files = append(l.files, f)
		}
		if len(l.files) == want {
			return l, nil
		}
		if err := pause(ctx, &told, talk); err != nil {
			l.release()
			return nil, err
		}
	}
}

func (l *cpuLocks) release() {
	for _, f := range l.files {
		f.Close()
	}
	l.files = nil
}

func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o666)
}

// flockWait takes the lock, looking again while another process holds it: a
// blocking flock could not be given up when ctx ends.
func flockWait(ctx context.Context, f *os.File, told *bool, talk io.Writer) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if err := pause(ctx, told, talk); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, told *bool, talk io.Writer) error {
	if !*told {
		fmt.Fprintln(talk, "lab: waiting for another guest to end: the host's CPUs are taken")
		*told = true
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}
