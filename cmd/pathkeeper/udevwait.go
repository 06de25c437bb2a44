package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"pathkeeper/sysfs"
)

// maxWait bounds what the rules may ask for: find_multipaths_timeout is a number
// that somebody has typed.
const maxWait = 24 * time.Hour

// udevWaitCommand ends a wait for a second path: it has udev look at a disk again.
func udevWaitCommand() *cobra.Command {
	return &cobra.Command{
		Use: "wait DEVPATH SECONDS", Short: "Have udev look at a disk again, later", Args: takes(2, 2, "the disk's DEVPATH, and seconds"),
		Long: `Ask the kernel for an "add" event of a disk and of its partitions after so many
seconds. It returns at once; a process of its own waits. The udev rules use it to
end the wait for a second path (find_multipaths smart): with 0 seconds from a
timer of systemd, with the time itself where systemd does not run.`,
		RunE: func(_ *cobra.Command, args []string) error {
			wait, err := parseWait(args[1])
			if err != nil {
				return err
			}
			name := filepath.Base(args[0])
			if wait > 0 {
				return waitDetached(args[0], wait)
			}
			return triggerAdd("/sys", name)
		},
	}
}

func parseWait(text string) (time.Duration, error) {
	s, err := strconv.ParseFloat(text, 64)
	if err != nil || !(s >= 0) || s > maxWait.Seconds() {
		return 0, usagef("SECONDS is a number from 0 to %d, not %q", int(maxWait.Seconds()), text)
	}
	return time.Duration(s * float64(time.Second)), nil
}

// waitDetached leaves a process behind that sleeps and then calls this command
// with 0. udevd waits for what a rule runs, so nothing of it may hold its pipes.
func waitDetached(devpath string, wait time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	later := exec.Command(self, "udev", "wait-here", devpath, strconv.FormatFloat(wait.Seconds(), 'f', 6, 64))
	later.Dir, later.SysProcAttr = "/", &syscall.SysProcAttr{Setsid: true}
	if err := later.Start(); err != nil {
		return fmt.Errorf("leaving a process behind that waits: %w", err)
	}
	return later.Process.Release()
}

// udevWaitHereCommand is that process.
func udevWaitHereCommand() *cobra.Command {
	return &cobra.Command{
		Use: "wait-here DEVPATH SECONDS", Hidden: true, Args: takes(2, 2, "the disk's DEVPATH, and seconds"),
		RunE: func(_ *cobra.Command, args []string) error {
			wait, err := parseWait(args[1])
			if err != nil {
				return err
			}
			time.Sleep(wait)
			return triggerAdd("/sys", filepath.Base(args[0]))
		},
	}
}

// triggerAdd asks for the event of a disk, then for those of its partitions. A
// disk that has left is nobody's concern.
func triggerAdd(root, name string) error {
	tree, err := sysfs.OpenWritable(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	disk, err := sysfs.ReadDisk(tree, name)
	if err != nil {
		return nil
	}
	names := []string{disk.Name}
	for _, p := range disk.Partitions {
		names = append(names, p.Name)
	}
	var failed []string
	for _, n := range names {
		if err := sysfs.TriggerUevent(tree, n, "add"); err != nil {
			failed = append(failed, n+": "+err.Error())
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("asking the kernel for events: %s", strings.Join(failed, "; "))
	}
	return nil
}
