package server_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pathkeeper/server"
)

// What somebody does with a name that he has taken.
type holding int

const (
	takes   holding = iota // and does not listen
	listens                // and could answer
	full                   // and has callers in his queue, so that nobody else gets in
)

// takenBy has somebody of a uid take an abstract name. A thread of its own becomes
// that user, and ends.
func takenBy(t *testing.T, name string, uid int, does holding) {
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
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
		}
		if err == nil && does != takes {
			err = unix.Listen(fd, 0)
		}
		result <- err
	}()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	for does == full {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: name}); err {
		case nil:
		case unix.EAGAIN:
			return
		default:
			t.Fatal(err)
		}
	}
}

// Anybody may take the abstract name. That does not keep the daemon from its work,
// unless it is another manager.
func TestMpathdTakenByAUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user wants root")
	}
	for _, c := range []struct {
		what string
		uid  int
		does holding
		want string
		held bool
	}{
		{"a user listens", 65534, listens, "of uid 65534", false},
		{"a user's queue is full", 65534, full, "of uid 65534 holds it and takes no connection", false},
		{"a user only takes it", 65534, takes, "of uid 65534 holds it", false},
		{"root only takes it", 0, takes, "does not listen", false},
		{"root's queue is full", 0, full, "stop the other one first", true},
		{"root listens", 0, listens, "stop the other one first", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			path := filepath.Join(filepath.Dir(socketPath(t)), "multipathd.socket")
			name := fmt.Sprintf("@pathkeeper-test-%d-%d-%d", os.Getpid(), c.uid, c.does)
			takenBy(t, name, c.uid, c.does)
			m, err := server.HoldMpathd([]string{name, path}, nil)
			if c.held {
				if !errors.Is(err, server.ErrHeld) || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if len(m.Missing) != 1 || !strings.Contains(m.Missing[0].Error(), c.want) {
				t.Errorf("%v, want %q", m.Missing, c.want)
			}
			if conn, err := net.Dial("unix", path); err != nil {
				t.Errorf("the other socket: %v", err)
			} else {
				conn.Close()
			}
		})
	}
}
