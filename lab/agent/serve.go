package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/lab/wire"
)

// server answers the host. Each request runs in a goroutine of its own, so that
// a hung one holds up nothing else.
type server struct {
	port *os.File
	send sync.Mutex // one frame at a time

	mu     sync.Mutex
	jobs   map[string]*job   // background programs by name
	probes map[string]*probe // probes by name
	shells map[uint64]*os.File
}

func serve(boot string) error {
	port, err := openPort()
	if err != nil {
		return err
	}
	// Under systemd the service's stdout is the journal; the agent outlives
	// memory pressure in either boot.
	os.WriteFile("/proc/self/oom_score_adj", []byte("-900"), 0o644)
	os.Setenv("PATH", guestPath)
	os.Setenv("HOME", "/root")
	os.Setenv("LANG", "C.UTF-8")
	s := &server{port: port, jobs: map[string]*job{}, probes: map[string]*probe{}, shells: map[uint64]*os.File{}}
	hello, err := greet(boot)
	if err != nil {
		return err
	}
	if err := s.answer(wire.Response{Hello: hello}); err != nil {
		return err
	}
	in := bufio.NewReaderSize(port, 64<<10)
	for {
		var req wire.Request
		if err := wire.Receive(in, &req); err != nil {
			return fmt.Errorf("read from the host: %w", err)
		}
		if req.Shell != nil && !req.Shell.Start {
			s.keys(req) // in order, so not in a goroutine
			continue
		}
		go s.handle(req)
	}
}

func (s *server) handle(req wire.Request) {
	resp, err := s.do(req)
	resp.ID = req.ID
	if err != nil {
		resp.Err = err.Error()
		var errno syscall.Errno
		if errors.As(err, &errno) {
			resp.Errno = int(errno)
		}
	}
	if err := s.answer(resp); err != nil {
		// Too large a frame, for one: the host must hear of it.
		fmt.Fprintln(os.Stderr, "lab agent: answer:", err)
		s.answer(wire.Response{ID: req.ID, Err: err.Error()})
	}
}

func (s *server) do(req wire.Request) (wire.Response, error) {
	switch {
	case req.Exec != nil:
		exit, err := execute(*req.Exec)
		return wire.Response{Exit: exit}, err
	case req.Start != nil:
		pid, err := s.start(*req.Start)
		return wire.Response{PID: pid}, err
	case req.Reap != nil:
		exit, err := s.reap(*req.Reap)
		return wire.Response{Exit: exit}, err
	case req.Signal != nil:
		return wire.Response{}, s.signal(*req.Signal)
	case req.Do != nil:
		return wire.Response{}, doSteps(req.Do)
	case req.Read != nil:
		data, err := readFile(*req.Read)
		return wire.Response{Data: data}, err
	case req.Look != nil:
		entries, err := look(req.Look)
		return wire.Response{Entries: entries}, err
	case req.Wait != nil:
		data, err := wait(*req.Wait)
		return wire.Response{Data: data}, err
	case req.Probe != nil:
		result, err := s.probe(*req.Probe)
		return wire.Response{Probe: result}, err
	case req.Tar != nil:
		data, err := pack(req.Tar.Paths)
		return wire.Response{Data: data}, err
	case req.Shell != nil:
		return wire.Response{}, s.shell(req.ID, *req.Shell)
	case req.Halt:
		powerOff()
		return wire.Response{}, nil
	}
	return wire.Response{}, fmt.Errorf("a request that this agent does not know")
}

func (s *server) answer(resp wire.Response) error {
	s.send.Lock()
	defer s.send.Unlock()
	return wire.Send(s.port, resp)
}

// openPort finds the virtio-serial port by its name.
func openPort() (*os.File, error) {
	names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil || strings.TrimSpace(string(text)) != wire.Port {
			continue
		}
		node := "/dev/" + filepath.Base(filepath.Dir(name))
		// O_NONBLOCK hands the port to Go's poller; the kernel's poll on it works.
		fd, err := unix.Open(node, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", node, err)
		}
		return os.NewFile(uintptr(fd), node), nil
	}
	return nil, fmt.Errorf("no virtio-serial port named %s (have %v)", wire.Port, names)
}

// greet measures the guest. Under systemd it first waits until the boot's jobs
// are done: what is measured while they run says nothing of the time after.
func greet(boot string) (*wire.Hello, error) {
	if boot == "systemd" {
		exit, err := execute(wire.Exec{Argv: []string{"systemctl", "is-system-running", "--wait"}, TimeoutMS: 60_000})
		if err != nil {
			return nil, err
		}
		if state := strings.TrimSpace(string(exit.Stdout)); state != "running" {
			failed, _ := execute(wire.Exec{Argv: []string{"systemctl", "--failed", "--no-legend"}, TimeoutMS: 20_000})
			return nil, fmt.Errorf("systemd is %q, not running; failed units:\n%s", state, failed.Stdout)
		}
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, err
	}
	var up float64
	if text, err := os.ReadFile("/proc/uptime"); err == nil {
		fmt.Sscan(string(text), &up)
	}
	const rounds = 10
	began := time.Now()
	for range rounds {
		if _, err := execute(wire.Exec{Argv: []string{"/bin/true"}, TimeoutMS: 20_000}); err != nil {
			return nil, err
		}
	}
	return &wire.Hello{
		Kernel: unix.ByteSliceToString(name.Release[:]), Boot: boot, CPUs: runtime.NumCPU(), Uptime: up,
		SpawnMS: float64(time.Since(began).Microseconds()) / 1000 / rounds,
	}, nil
}
