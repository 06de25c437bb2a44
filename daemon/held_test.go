package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pathkeeper/server"
)

// procWith is a /proc in which this process is a manager of that state.
func procWith(t *testing.T, pid int, state string) string {
	t.Helper()
	proc := t.TempDir()
	text := "Name:\tmultipathd\nState:\t" + state + "\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n"
	for _, dir := range []string{strconv.Itoa(pid), filepath.Join(strconv.Itoa(pid), "task", strconv.Itoa(pid))} {
		if err := os.MkdirAll(filepath.Join(proc, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, dir, "status"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return proc
}

// TestSocketOfTheDead: only a dead manager may have the sockets and another one begin.
func TestSocketOfTheDead(t *testing.T) {
	name := fmt.Sprintf("@pathkeeper-test-%d-held", os.Getpid())
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	me := os.Getpid()
	for _, c := range []struct {
		what, proc string
		want       int
	}{
		{"it is dead", procWith(t, me, "Z (zombie)"), me},
		{"it lives", procWith(t, me, "S (sleeping)"), 0},
		{"another one is dead", procWith(t, me+1, "Z (zombie)"), 0},
	} {
		m, dead, err := holdSockets([]string{name}, c.proc)
		if m != nil || dead != c.want || (err == nil) != (c.want != 0) || err != nil && !errors.Is(err, server.ErrHeld) {
			t.Errorf("%s: %v, dead %d, %v", c.what, m, dead, err)
		}
	}
	m, dead, err := holdSockets([]string{name + "-free"}, "/proc")
	if err != nil || dead != 0 {
		t.Fatal(dead, err)
	}
	_ = m.Close()
}

// TestFullSocketOfTheDead: its queue is full, so that nobody is told who listens.
func TestFullSocketOfTheDead(t *testing.T) {
	name := fmt.Sprintf("@pathkeeper-test-%d-full", os.Getpid())
	var open []int
	defer func() {
		for _, fd := range open {
			unix.Close(fd)
		}
	}()
	socket := func() int {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, fd)
		return fd
	}
	fd := socket()
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: name}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		if err := unix.Connect(socket(), &unix.SockaddrUnix{Name: name}); errors.Is(err, unix.EAGAIN) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil || !strings.HasPrefix(link, "socket:") {
		t.Fatal(link, err)
	}
	me := os.Getpid()
	for _, c := range []struct {
		what, state, link string
		want              int
	}{
		{"it is dead", "Z (zombie)", link, me},
		{"it lives", "S (sleeping)", link, 0},
		{"a dead one without it", "Z (zombie)", "socket:[1]", 0},
	} {
		proc := procWith(t, me, c.state)
		at := filepath.Join(proc, strconv.Itoa(me), "task", strconv.Itoa(me), "fd")
		if err := errors.Join(os.Mkdir(at, 0o755), os.Symlink(c.link, filepath.Join(at, "9")), os.Mkdir(filepath.Join(proc, "net"), 0o755), os.WriteFile(filepath.Join(proc, "net/unix"), sockets, 0o644)); err != nil {
			t.Fatal(err)
		}
		_, dead, err := holdSockets([]string{name}, proc)
		if dead != c.want || (err == nil) != (c.want != 0) {
			t.Errorf("%s: dead %d, %v", c.what, dead, err)
		}
	}
}
