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

// takenBy has somebody of a uid take an abstract name, and listen there or not. A
// thread of its own becomes that user, and ends.
func takenBy(t *testing.T, name string, uid int, listens bool) {
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
		if err == nil && listens {
			err = unix.Listen(fd, 10)
		}
		result <- err
	}()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

// Anybody may take the abstract name. That does not keep the daemon from its work,
// unless it is another manager.
func TestMpathdTakenByAUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user wants root")
	}
	for _, c := range []struct {
		what    string
		uid     int
		listens bool
		want    string
		held    bool
	}{
		{"a user listens", 65534, true, "of uid 65534", false},
		{"a user only takes it", 65534, false, "does not listen", false},
		{"root listens", 0, true, "stop the other one first", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			path := filepath.Join(filepath.Dir(socketPath(t)), "multipathd.socket")
			name := fmt.Sprintf("@pathkeeper-test-%d-%d-%v", os.Getpid(), c.uid, c.listens)
			takenBy(t, name, c.uid, c.listens)
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
