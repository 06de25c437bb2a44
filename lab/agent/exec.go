package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/lab/wire"
)

// execute runs a program to its end or its time-out. Its process group is
// killed at the time-out; what a daemon left behind with our pipe open does not
// hold the answer up for more than two seconds.
func execute(e wire.Exec) (*wire.Exit, error) {
	if len(e.Argv) == 0 {
		return nil, fmt.Errorf("exec: no program")
	}
	cmd := exec.Command(e.Argv[0], e.Argv[1:]...)
	cmd.Env = append(os.Environ(), e.Env...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 2 * time.Second
	if len(e.Stdin) > 0 {
		cmd.Stdin = bytes.NewReader(e.Stdin)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	limit := time.NewTimer(time.Duration(e.TimeoutMS) * time.Millisecond)
	defer limit.Stop()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState == nil {
			return nil, err
		}
		return &wire.Exit{Code: exitCode(cmd), Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), MS: time.Since(began).Milliseconds()}, nil
	case <-limit.C:
	}
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	after := time.NewTimer(5 * time.Second)
	defer after.Stop()
	select {
	case <-ended:
		return &wire.Exit{Code: exitCode(cmd), Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), MS: time.Since(began).Milliseconds(), TimedOut: true}, nil
	case <-after.C:
		// It sleeps uninterruptibly. Its buffers still belong to the copying
		// goroutines, so they are not read; the kernel's stack is what helps.
		stack, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stack", cmd.Process.Pid))
		return nil, fmt.Errorf("%q hangs in the kernel and cannot be killed:\n%s", e.Argv, stack)
	}
}

func exitCode(cmd *exec.Cmd) int {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

// job is one background program.
type job struct {
	cmd   *exec.Cmd
	began time.Time
	done  chan struct{} // closed when the program was waited for
}

// start runs a program in the background. A name is free again after reap.
func (s *server) start(r wire.Start) (int, error) {
	if len(r.Argv) == 0 || r.Name == "" || r.Log == "" {
		return 0, fmt.Errorf("start: needs a name, a program and a log file")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.jobs[r.Name]; taken {
		return 0, fmt.Errorf("start: a background program named %q exists already", r.Name)
	}
	if err := os.MkdirAll(filepath.Dir(r.Log), 0o755); err != nil {
		return 0, err
	}
	log, err := os.OpenFile(r.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	j := &job{cmd: exec.Command(r.Argv[0], r.Argv[1:]...), began: time.Now(), done: make(chan struct{})}
	j.cmd.Env = append(os.Environ(), r.Env...)
	j.cmd.Dir = "/"
	j.cmd.Stdout, j.cmd.Stderr = log, log
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := j.cmd.Start(); err != nil {
		return 0, err
	}
	s.jobs[r.Name] = j
	go func() {
		j.cmd.Wait() // its status is read from ProcessState
		close(j.done)
	}()
	return j.cmd.Process.Pid, nil
}

func (s *server) find(name string) (*job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs[name]
	if !ok {
		return nil, fmt.Errorf("no background program named %q", name)
	}
	return j, nil
}

// reap waits for a background program's end; EAGAIN says it runs still.
func (s *server) reap(r wire.Reap) (*wire.Exit, error) {
	j, err := s.find(r.Name)
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(time.Duration(r.TimeoutMS) * time.Millisecond)
	defer limit.Stop()
	select {
	case <-j.done:
	case <-limit.C:
		return nil, fmt.Errorf("background program %q (pid %d) still runs after %d ms: %w", r.Name, j.cmd.Process.Pid, r.TimeoutMS, unix.EAGAIN)
	}
	s.mu.Lock()
	delete(s.jobs, r.Name)
	s.mu.Unlock()
	return &wire.Exit{Code: exitCode(j.cmd), MS: time.Since(j.began).Milliseconds()}, nil
}

func (s *server) signal(r wire.Signal) error {
	j, err := s.find(r.Name)
	if err != nil {
		return err
	}
	select {
	case <-j.done:
		return fmt.Errorf("background program %q has ended already: %w", r.Name, unix.ESRCH)
	default:
	}
	return j.cmd.Process.Signal(syscall.Signal(r.Signal))
}
