package sgio

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/scsi"
)

// fake answers in the sg driver's place. A descriptor is the read end of a pipe,
// so that the real epoll works on it; an answer is a byte in the pipe, a device
// that leaves closes the write end.
type fake struct {
	linux // real close

	mu      sync.Mutex
	opened  map[string]int // path -> how often
	writers map[int]int    // descriptor -> write end
	paths   map[int]string
	commits map[string]chan *header // path -> commands submitted
	refuse  map[string]unix.Errno   // path -> errno of submit
	asleep  map[string]chan bool    // path -> submit sleeps until closed
	instant bool                    // answer before submit returns
}

func newFake(paths ...string) *fake {
	f := &fake{
		opened: map[string]int{}, writers: map[int]int{}, paths: map[int]string{},
		commits: map[string]chan *header{}, refuse: map[string]unix.Errno{}, asleep: map[string]chan bool{},
	}
	for _, p := range paths {
		f.commits["/dev/"+p] = make(chan *header, 100)
	}
	return f
}

func (f *fake) open(path string, flags int) (int, unix.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.commits[path] == nil {
		return -1, unix.ENOENT
	}
	if flags != unix.O_RDWR|unix.O_NONBLOCK {
		return -1, unix.EACCES
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return -1, number(err)
	}
	f.opened[path]++
	f.writers[p[0]], f.paths[p[0]] = p[1], path
	return p[0], 0
}

func (f *fake) close(fd int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.writers[fd]; w >= 0 {
		unix.Close(w)
	}
	delete(f.writers, fd)
	unix.Close(fd)
}

func (f *fake) reserve(int, int32) unix.Errno { return 0 }

func (f *fake) submit(fd int, h *header) unix.Errno {
	f.mu.Lock()
	path := f.paths[fd]
	errno, sleep, commits, instant := f.refuse[path], f.asleep[path], f.commits[path], f.instant
	f.mu.Unlock()
	if sleep != nil {
		<-sleep
	}
	if errno != 0 {
		return errno
	}
	commits <- h
	if instant {
		f.answer(path)
		time.Sleep(5 * time.Millisecond) // the collector comes before write(2) returns
	}
	return 0
}

func (f *fake) collect(fd int, h *header) unix.Errno {
	var b [1]byte
	switch n, err := unix.Read(fd, b[:]); {
	case err != nil:
		return number(err)
	case n == 0:
		return unix.ENODEV
	}
	h.status, h.resid = uint8(scsi.StatusGood), 3
	return 0
}

// fd is the open descriptor of a path.
func (f *fake) fd(path string) int {
	for fd := range f.writers {
		if f.paths[fd] == path {
			return fd
		}
	}
	return -1
}

func (f *fake) answer(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fd := f.fd(path); fd >= 0 {
		_, _ = unix.Write(f.writers[fd], []byte{1})
	}
}

// leave removes the device: its descriptor hangs up.
func (f *fake) leave(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fd := f.fd(path); fd >= 0 {
		unix.Close(f.writers[fd])
		f.writers[fd] = -1
	}
}

func (f *fake) openCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.writers)
}

// submitted waits for the kernel to have a command of a path.
func (f *fake) submitted(t *testing.T, path string) *header {
	t.Helper()
	select {
	case h := <-f.commits[path]:
		return h
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing was submitted to %s", path)
		return nil
	}
}
