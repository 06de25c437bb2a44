package sgio

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/scsi"
)

// Job is one command of one device.
type Job struct {
	Tag     uint64 // comes back in the Completion
	Device  string // names the device: for Async any text, for Pool what its port takes
	SG      string // its generic device, "sg4"; Async only
	Host    uint32 // number of its SCSI host; Async only
	Request scsi.Request
}

// Completion is the answer to one Job. Besides what the kernel says,
// Response.Errno is ETIMEDOUT for a command that was not handed to the kernel
// within SubmitLimit: the host had no room, which says nothing of the path.
type Completion struct {
	Tag      uint64
	Device   string
	Response scsi.Response
}

// Errors of Submit; none of them brings a Completion.
var (
	// ErrBusy: the device has a command outstanding, perhaps a hung one.
	ErrBusy = errors.New("a command is outstanding")
	// ErrStalled: the host has not taken a command for SubmitLimit.
	ErrStalled = errors.New("the host takes no commands")
	// ErrClosed: after Close.
	ErrClosed = errors.New("closed")
)

// SubmitLimit is how long a command may wait to be handed to the kernel.
const SubmitLimit = 5 * time.Second

// reserveSize replaces the sg driver's buffer of 32 KiB for each descriptor:
// thousands of paths are watched at once, bytes.
const reserveSize = 4096

// Async sends commands by the sg driver's asynchronous interface (v3: write,
// poll, read): a hung command costs no thread, a descriptor and some memory only.
//
// write(2) can sleep while a host has no free tag. So each host with something to
// submit has a worker, whom nobody waits for; one goroutine collects the answers
// of all devices. Device.state says who may touch what.
type Async struct {
	kern  kernel
	dir   string
	done  func(Completion)
	limit time.Duration
	poll  *poller
	ended chan struct{} // the collector has ended

	mu      sync.Mutex
	closed  bool
	next    uint64
	devices map[string]*device // by kernel name
	open    map[uint64]*device // by poller id
	hosts   map[uint32]*host
}

type state uint8

const (
	idle       state = iota // no command
	queued                  // in its host's queue
	submitting              // its host's worker is in the kernel with it; only he may close the descriptor
	flying                  // the kernel has it; an answer or a hang-up ends it
)

type device struct {
	name  string
	path  string
	host  *host
	fd    int // -1: not open
	id    uint64
	state state
	// serial counts commands, so that the watchdog of an old one sees that.
	serial uint64
	tag    uint64
	ex     *exchange // from Submit until the answer was read
	// early is an answer that came before write(2) had returned.
	early *scsi.Response
	// late: the caller was told ETIMEDOUT, the true answer will be dropped.
	late bool
	// unwanted: forgotten, closed or hung up while submitting; the worker closes.
	unwanted bool
}

type host struct {
	queue   []*device
	working bool
	stalled bool
}

// NewAsync starts the collector. dir is where the generic devices are, "/dev".
// done is called from several goroutines and must neither block nor call Close.
func NewAsync(dir string, done func(Completion)) (*Async, error) {
	return newAsync(linux{}, dir, SubmitLimit, done)
}

func newAsync(kern kernel, dir string, limit time.Duration, done func(Completion)) (*Async, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, fmt.Errorf("start asynchronous SCSI commands: %w", err)
	}
	a := &Async{
		kern: kern, dir: dir, done: done, limit: limit, poll: poll, ended: make(chan struct{}),
		devices: map[string]*device{}, open: map[uint64]*device{}, hosts: map[uint32]*host{},
	}
	go a.collectAll()
	return a, nil
}

// Submit hands a command over without waiting. Exactly one Completion follows a
// nil error, unless Forget or Close come first.
func (a *Async) Submit(job Job) error {
	if err := check(job.Request); err != nil {
		return fmt.Errorf("submit to %s: %w", job.Device, err)
	}
	path, ok := nodePath(a.dir, job.SG)
	if !ok {
		return fmt.Errorf("submit to %s: no generic device %q: %w", job.Device, job.SG, unix.ENOENT)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return fmt.Errorf("submit to %s: %w", job.Device, ErrClosed)
	}
	d := a.devices[job.Device]
	if d != nil && d.state != idle {
		return fmt.Errorf("submit to %s: %w", job.Device, ErrBusy)
	}
	h := a.hosts[job.Host]
	if h == nil {
		h = &host{}
		a.hosts[job.Host] = h
	}
	if h.stalled {
		return fmt.Errorf("submit to %s, host %d: %w", job.Device, job.Host, ErrStalled)
	}
	if d == nil || d.path != path {
		if d != nil {
			a.drop(d)
		}
		d = &device{name: job.Device, path: path, fd: -1}
		a.devices[job.Device] = d
	}
	d.host, d.state, d.tag, d.ex = h, queued, job.Tag, prepare(job.Request)
	d.serial++
	h.queue = append(h.queue, d)
	if !h.working {
		h.working = true
		go a.work(h)
	}
	return nil
}

// Forget closes a device that left. A command that is outstanding is not waited
// for and brings no Completion.
func (a *Async) Forget(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.devices[name]; d != nil {
		a.forget(d)
	}
}

// Close ends everything and does not wait for commands: they bring no Completion.
// One that was on its way already may still come.
func (a *Async) Close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	for _, name := range slices.Sorted(maps.Keys(a.devices)) {
		a.forget(a.devices[name])
	}
	a.mu.Unlock()
	err := a.poll.close()
	<-a.ended
	return err
}

func (a *Async) forget(d *device) {
	delete(a.devices, d.name)
	switch d.state {
	case submitting:
		d.unwanted, d.late = true, true
		return
	case queued:
		d.host.queue = slices.DeleteFunc(d.host.queue, func(q *device) bool { return q == d })
	}
	a.drop(d)
}

// drop closes a device that no worker is in the kernel with.
func (a *Async) drop(d *device) {
	if d.fd >= 0 {
		delete(a.open, d.id)
		a.poll.remove(d.fd)
		a.kern.close(d.fd) // does not wait for a command in flight (drivers/scsi/sg.c sg_release)
		d.fd = -1
	}
	a.finish(d)
}

// finish makes a device ready for its next command. The kernel writes to the
// exchange only in read(2), so that nothing is written after this.
func (a *Async) finish(d *device) {
	d.state, d.late, d.early = idle, false, nil
	if d.ex != nil {
		d.ex.release()
		d.ex = nil
	}
}

func (a *Async) deliver(list []Completion) {
	for _, c := range list {
		a.done(c)
	}
}

// answer is the Completion of d's command, none where nobody waits for it.
func (a *Async) answer(d *device, r scsi.Response) []Completion {
	if d.late || a.closed {
		return nil
	}
	return []Completion{{Tag: d.tag, Device: d.name, Response: r}}
}

func failed(errno unix.Errno) scsi.Response { return scsi.Response{Errno: uint32(errno)} }
