package main

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listenAs has a user listen at an abstract name, on a thread that becomes that user
// and ends.
func listenAs(t *testing.T, name string, uid int) {
	t.Helper()
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			result <- errno
			return
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			t.Cleanup(func() { unix.Close(fd) })
			err = errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: name}), unix.Listen(fd, 10))
		}
		result <- err
	}()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

// A user who listens at multipathd's name is nobody: he neither decides whose the
// disks are nor gets an operator's commands.
func TestUserAtMultipathdsSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user wants root")
	}
	for uid, there := range map[int]bool{0: true, 65534: false} {
		name := "@pathkeeper-test-user-" + strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(uid)
		listenAs(t, name, uid)
		if _, got := listener(name); got != there {
			t.Errorf("uid %d: a manager is there: %v, want %v", uid, got, there)
		}
		c, err := dialMultipathd([]string{name}, time.Second)
		if err == nil {
			c.Close()
		}
		if there != (err == nil) || !there && !errors.Is(err, errNobody) {
			t.Errorf("uid %d: %v", uid, err)
		}
	}
}
