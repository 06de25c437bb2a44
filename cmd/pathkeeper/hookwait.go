package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/blockio"
	"pathkeeper/rules"
)

// waitDir has a file for each disk that find_multipaths smart waits for, named by
// its device number: its time of modification is the end of the wait. multipath-tools
// keeps the same, so that either goes on with the other's waits.
const waitDir = "/run/multipath/find_multipaths"

// wait looks at the file, and begins the wait if it is asked to.
func (h host) wait(dev string, seconds int, begin bool) (w rules.Wait, left time.Duration, begun bool) {
	longest := time.Duration(seconds) * time.Second
	file := filepath.Join(h.root, waitDir, dev)
	st, err := os.Stat(file)
	if err == nil {
		left = time.Until(st.ModTime())
		if left <= 0 || left > longest && begin {
			// A wait that would last longer than any has an end from before the clock
			// was put back; its timer has gone off, or will before this.
			return rules.WaitOver, 0, false
		}
		return rules.WaitRuns, left, false
	}
	if !begin {
		return rules.WaitNone, 0, false
	}
	if !errors.Is(err, fs.ErrNotExist) || beginWait(file, time.Now().Add(longest)) != nil {
		return rules.WaitOver, 0, false // what cannot be noted is not waited for: it would have no end
	}
	return rules.WaitRuns, longest, true
}

func beginWait(file string, end time.Time) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(file, end, end)
}

// endWait forgets the wait of a disk that has left.
func (h host) endWait(dev string) error {
	if dev == ":" || filepath.Base(dev) != dev {
		return usageError{"MAJOR and MINOR are not set: this is called by udev's rules"}
	}
	err := os.Remove(filepath.Join(h.root, waitDir, dev))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// held opens a disk for itself alone, for a moment. Nothing is sent to it.
func (h host) held(name string) bool {
	return blockio.New(h.dev).ProbeExclusive(name) == uint32(unix.EBUSY)
}
