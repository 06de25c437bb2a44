package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"pathkeeper/plainfile"
	"pathkeeper/server"
)

// errRefused is what a socket says that nobody listens at.
const errRefused = unix.ECONNREFUSED

// manager is who builds the maps of a host.
type manager struct {
	ours   bool   // our daemon runs, or is started at boot
	other  string // another one that runs: "process 812 (multipathd)"
	nobody string // why nobody does
}

// String names it for people.
func (m manager) String() string {
	switch {
	case m.ours:
		return "pathkeeper"
	case m.other != "":
		return m.other
	default:
		return "nobody of ours"
	}
}

const nobodyBuilds = "the daemon does not run and is not enabled (`systemctl enable --now pathkeeper`)"

// manager: who holds multipathd's socket is the host's manager; where nobody does
// it will be our daemon, if it is enabled. Its answer is not waited for: it may be
// stopped, or be the one whose disk this event is about.
func (h host) manager() manager {
	pid, there := listener(h.socket)
	if !there {
		for _, pattern := range h.enabled {
			if enabledBy(pattern) {
				return manager{ours: true}
			}
		}
		return manager{nobody: nobodyBuilds}
	}
	if pid == 0 {
		if b, err := plainfile.Read(h.pidFile, maxPidBytes); err == nil {
			pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
	}
	return h.process(pid)
}

// maxPidBytes is more than any process number takes.
const maxPidBytes = 100

// enabledBy says whether a file or link is there: its path may have one '*', which
// begins a component ("/etc/systemd/system/*.wants/pathkeeper.service").
func enabledBy(pattern string) bool {
	var st unix.Stat_t
	dir, rest, some := strings.Cut(pattern, "/*")
	if !some {
		return unix.Lstat(pattern, &st) == nil
	}
	suffix, rest, _ := strings.Cut(rest, "/")
	entries, _ := plainfile.List(dir)
	for _, e := range entries {
		if strings.HasSuffix(e.Name, suffix) && unix.Lstat(filepath.Join(dir, e.Name, rest), &st) == nil {
			return true
		}
	}
	return false
}

// process tells our daemon from another program by what it runs. Whoever cannot be
// looked at is taken for ours: the decision is the same, but for a host with two.
func (h host) process(pid int) manager {
	exe := func(name string) string {
		target, _ := os.Readlink(filepath.Join(h.proc, name, "exe"))
		return strings.TrimSuffix(target, " (deleted)") // the program was replaced since
	}
	theirs := ""
	if pid > 0 {
		theirs = exe(strconv.Itoa(pid))
	}
	if theirs == "" || theirs == exe("self") || filepath.Base(theirs) == "pathkeeper" {
		return manager{ours: true}
	}
	return manager{other: filepath.Base(theirs) + " (process " + strconv.Itoa(pid) + ")"}
}

// listener says whether somebody listens at a socket, and who if the kernel tells:
// not where the queue of callers is full. It never waits.
func listener(name string) (pid int, there bool) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, true // not known: as if it were busy
	}
	defer unix.Close(fd)
	switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: name}); {
	case err == nil:
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		switch {
		case err != nil:
			return 0, true
		case !server.Cred{UID: cred.Uid}.Manages():
			return 0, false // anybody may take an abstract name; a manager is root
		}
		return int(cred.Pid), true
	case errors.Is(err, errRefused), errors.Is(err, unix.ENOENT):
		return 0, false
	default:
		return 0, true // too busy to answer (EAGAIN), or kept from us
	}
}
