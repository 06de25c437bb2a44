package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/syslog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/show"
)

// readyMark names the descriptor at which the process that is to become the daemon
// says how it went: "ready", or what is wrong.
const readyMark = "PATHKEEPER_READY_FD"

// readyLimit is how long the start is waited for.
const readyLimit = 30 * time.Second

// intoBackground starts the daemon in a session of its own and waits until it answers
// at its sockets, or says why it does not.
func intoBackground(args []string, std streams) int {
	r, w, err := os.Pipe()
	if err != nil {
		return failed(std, "multipathd", fmt.Errorf("making a pipe to the daemon: %w", err))
	}
	defer r.Close()
	self, err := os.Executable()
	if err != nil {
		w.Close()
		return failed(std, "multipathd", fmt.Errorf("finding this program: %w", err))
	}
	c := exec.Command(self, args...)
	c.Args[0] = "multipathd"
	c.Env = append(os.Environ(), readyMark+"=3")
	c.ExtraFiles = []*os.File{w}
	c.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	c.Dir = "/"
	err = c.Start()
	w.Close()
	if err != nil {
		return failed(std, "multipathd", fmt.Errorf("starting the daemon: %w", err))
	}
	_ = r.SetReadDeadline(time.Now().Add(readyLimit))
	line, err := bufio.NewReader(io.LimitReader(r, 64<<10)).ReadString('\n')
	line = strings.TrimSpace(line)
	switch {
	case line == "ready":
		return exitDone
	case line != "":
		fmt.Fprintf(std.err, "multipathd: %s\n", show.Safe(line))
	case errors.Is(err, os.ErrDeadlineExceeded):
		fmt.Fprintf(std.err, "multipathd: the daemon (pid %d) does not answer after %s; the system's log may say why\n", c.Process.Pid, readyLimit)
	default:
		fmt.Fprintln(std.err, "multipathd: the daemon ended at once; the system's log may say why")
	}
	return exitError
}

// readyPipe gives what says, once, how the start went.
func readyPipe() func(error) {
	fd, err := strconv.Atoi(os.Getenv(readyMark))
	if err != nil || fd < 3 {
		return nil
	}
	f := os.NewFile(uintptr(fd), "ready")
	return func(err error) {
		if f == nil {
			return
		}
		line := "ready"
		if err != nil {
			line = strings.Join(strings.Fields(err.Error()), " ")
		}
		_, _ = io.WriteString(f, line+"\n")
		_ = f.Close()
		f = nil
	}
}

// systemLog is where a daemon in the background logs; the lines have no level there.
// Without a system log they go nowhere: nobody reads its standard error any more.
func systemLog() io.Writer {
	w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "multipathd")
	if err != nil {
		return io.Discard
	}
	return w
}
