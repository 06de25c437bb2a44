package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"pathkeeper/lab/wire"
)

// shell runs a login shell on a pseudo-terminal and streams what it prints; the
// final answer comes when it ends.
func (s *server) shell(id uint64, r wire.Shell) error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	if r.Rows > 0 {
		if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: r.Rows, Col: r.Cols}); err != nil {
			return err
		}
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	cmd := exec.Command("/bin/bash", "-l")
	cmd.Env = append(os.Environ(), "TERM=xterm", `PS1=lab:\w# `)
	cmd.Dir = "/root"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.shells[id] = master
	s.mu.Unlock()
	buf := make([]byte, 16<<10)
	for {
		n, err := master.Read(buf)
		if n > 0 {
			if err := s.answer(wire.Response{ID: id, Data: buf[:n], More: true}); err != nil {
				return err
			}
		}
		if err != nil {
			break // EIO: the last process of the terminal has gone
		}
	}
	s.mu.Lock()
	delete(s.shells, id)
	s.mu.Unlock()
	cmd.Wait()
	return nil
}

// keys passes typed bytes to the shell of the same ID; keys after its end go
// nowhere.
func (s *server) keys(req wire.Request) {
	s.mu.Lock()
	master := s.shells[req.ID]
	s.mu.Unlock()
	if master != nil {
		master.Write(req.Shell.Keys)
	}
}
