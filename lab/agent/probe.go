package main

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"pathkeeper/lab/wire"
)

// probeBlock is the size of a probe's one block; every device of the lab has a
// logical block size that divides it.
const probeBlock = 4096

// probe is one I/O on a thread that may stay in the kernel for ever.
type probe struct {
	began time.Time
	done  chan struct{}
	took  time.Duration
	err   error
	head  []byte
}

// probe starts a probe, or with Later looks at one again.
func (s *server) probe(r wire.Probe) (*wire.ProbeResult, error) {
	s.mu.Lock()
	p, known := s.probes[r.Name]
	switch {
	case r.Later && !known:
		s.mu.Unlock()
		return nil, fmt.Errorf("no probe named %q is pending", r.Name)
	case !r.Later && known:
		s.mu.Unlock()
		return nil, fmt.Errorf("a probe named %q is pending already", r.Name)
	case !known:
		p = &probe{began: time.Now(), done: make(chan struct{})}
		s.probes[r.Name] = p
		go p.run(r)
	}
	s.mu.Unlock()

	limit := time.NewTimer(time.Duration(r.TimeoutMS) * time.Millisecond)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		return &wire.ProbeResult{Pending: true, MS: ms(time.Since(p.began))}, nil
	}
	s.mu.Lock()
	delete(s.probes, r.Name)
	s.mu.Unlock()
	result := &wire.ProbeResult{MS: ms(p.took), Head: p.head}
	if p.err != nil {
		result.Error = p.err.Error()
		var errno syscall.Errno
		if errors.As(p.err, &errno) {
			result.Errno = int(errno)
		}
	}
	return result, nil
}

func (p *probe) run(r wire.Probe) {
	defer close(p.done)
	p.head, p.err = blockIO(r)
	p.took = time.Since(p.began)
}

// blockIO opens the device with O_DIRECT and moves one block.
func blockIO(r wire.Probe) ([]byte, error) {
	flags := unix.O_RDONLY
	if r.Write {
		flags = unix.O_WRONLY
	}
	fd, err := unix.Open(r.Path, flags|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", r.Path, err)
	}
	defer unix.Close(fd)
	block := aligned()
	if !r.Write {
		n, err := unix.Pread(fd, block, r.Offset)
		if err != nil {
			return nil, fmt.Errorf("read %s at %d: %w", r.Path, r.Offset, err)
		}
		if n != probeBlock {
			return nil, fmt.Errorf("read %s at %d: %d of %d bytes", r.Path, r.Offset, n, probeBlock)
		}
		return append([]byte(nil), block[:64]...), nil
	}
	if r.Stamp == "" {
		return nil, fmt.Errorf("a writing probe needs a stamp")
	}
	for at := 0; at < probeBlock; {
		at += copy(block[at:], r.Stamp+"\n")
	}
	n, err := unix.Pwrite(fd, block, r.Offset)
	if err != nil {
		return nil, fmt.Errorf("write %s at %d: %w", r.Path, r.Offset, err)
	}
	if n != probeBlock {
		return nil, fmt.Errorf("write %s at %d: %d of %d bytes", r.Path, r.Offset, n, probeBlock)
	}
	return nil, nil
}

// aligned returns one block whose address suits O_DIRECT.
func aligned() []byte {
	buf := make([]byte, 2*probeBlock)
	skip := probeBlock - int(uintptr(unsafe.Pointer(&buf[0]))%probeBlock)
	return buf[skip : skip+probeBlock]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
