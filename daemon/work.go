package daemon

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"pathkeeper/dmmap"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/scsi"
	"pathkeeper/scsi/sgio"
)

// workers carry requests to the ports. Each class of request has its own few
// threads, so that what hangs in one (a dead disk under /etc) does not stop
// another. SCSI commands go the asynchronous way, where a hung one costs no
// thread at all, and otherwise through a bounded pool.
type workers struct {
	ports engine.Ports
	done  func(task uint64, a engine.Answer)

	classes   [classes]chan struct{}
	slotLimit time.Duration
	oldChange mpath.Span

	mu      sync.Mutex
	async   submitter         // nil: no sg driver
	pool    submitter         // for devices without a generic device
	waiting map[string][]job  // per device: commands behind the one in flight
	flying  map[string]uint64 // per device: the task in flight
}

// submitter is sgio.Async or sgio.Pool.
type submitter interface {
	Submit(sgio.Job) error
	Forget(name string)
	Close() error
}

type job struct {
	task uint64
	ask  engine.Ask
}

type class uint8

const (
	classSysfs class = iota
	classDM
	classSwap // a resume suspends first and waits for all that is in flight, as long as a dead device takes
	classFile // /run, /proc: never blocks for long
	classDisk // files on a disk that may hang
	classNode // nodes of maps below /dev
	classHold // opening a device waits for its host's error recovery
	classRead // hangs with the device: a thread each
	classes
)

var classWidth = [classes]int{classSysfs: 8, classDM: 16, classSwap: 64, classFile: 4, classDisk: 2, classNode: 2, classHold: 64, classRead: 256}

// slotLimit is how long a read of a device waits for one of the threads. When
// all of them hang, the reads of other devices come back with EBUSY: nothing was
// learned of those paths. Waiting on would call healthy ones dead.
const slotLimit = 5 * time.Second

func newWorkers(p engine.Ports) *workers {
	w := &workers{ports: p, slotLimit: slotLimit, oldChange: oldChange, waiting: map[string][]job{}, flying: map[string]uint64{}}
	for i := range w.classes {
		w.classes[i] = make(chan struct{}, classWidth[i])
	}
	return w
}

func classOf(a engine.Ask, onDisk func(string) bool) class {
	switch a.Kind {
	case engine.KindDM:
		if a.DM.Cmd == dmmap.CmdSuspend {
			return classSwap
		}
		return classDM
	case engine.KindHold, engine.KindRelease:
		return classHold
	case engine.KindOwner:
		return classNode
	case engine.KindReadDisk:
		return classRead
	case engine.KindFile, engine.KindWriteFile, engine.KindRemove, engine.KindList:
		if onDisk(a.Path) {
			return classDisk
		}
		return classFile
	}
	return classSysfs
}

func (w *workers) start(task uint64, a engine.Ask) {
	if a.Kind == engine.KindSCSI {
		w.submit(job{task, a})
		return
	}
	c, asked := classOf(a, onDisk), now()
	go func() {
		if !w.slot(c) {
			w.done(task, engine.Answer{Errno: errnoBusy, Detail: "all threads that read devices wait for dead ones"})
			return
		}
		if age := now().Since(asked); age > w.oldChange && changesMap(a) {
			<-w.classes[c]
			w.done(task, engine.Answer{Errno: errnoStale, Detail: fmt.Sprintf("not sent: it was decided %d s ago, and the paths may be others by now", age.Seconds())})
			return
		}
		ans := w.ports.Perform(a)
		<-w.classes[c]
		w.done(task, ans)
	}()
}

// oldChange is how old a decision may be when it reaches the kernel: whoever is
// stopped, or waits for a thread, in between must decide again.
const oldChange = 5 * mpath.Second

// changesMap says whether a request makes a table live or acts on a live one.
func changesMap(a engine.Ask) bool {
	return a.Kind == engine.KindDM && (a.DM.Cmd == dmmap.CmdSuspend || a.DM.Cmd == dmmap.CmdMessage || a.DM.Cmd == dmmap.CmdRemove)
}

// slot waits for a thread of a class; false: a read has waited too long.
func (w *workers) slot(c class) bool {
	if c != classRead {
		w.classes[c] <- struct{}{}
		return true
	}
	t := time.NewTimer(w.slotLimit)
	defer t.Stop()
	select {
	case w.classes[c] <- struct{}{}:
		return true
	case <-t.C:
		return false
	}
}

// onDisk says whether a file lies on a disk that may hang.
func onDisk(path string) bool {
	return len(path) < 5 || (path[:5] != "/run/" && path[:5] != "/proc" && path[:5] != "/sys/")
}

// submit sends a command, behind the one that the device has in flight.
func (w *workers) submit(j job) {
	w.mu.Lock()
	if _, busy := w.flying[j.ask.Device]; busy {
		w.waiting[j.ask.Device] = append(w.waiting[j.ask.Device], j)
		w.mu.Unlock()
		return
	}
	w.flying[j.ask.Device] = j.task
	w.mu.Unlock()
	w.fly(j)
}

func (w *workers) fly(j job) {
	by := w.pool
	if w.async != nil && j.ask.SG != "" {
		by = w.async
	}
	err := by.Submit(sgio.Job{Tag: j.task, Device: j.ask.Device, SG: j.ask.SG, Host: j.ask.HostNo, Request: j.ask.SCSI})
	if err != nil {
		// Not taken: no thread and no answer. Say so as the kernel would.
		r := scsi.Response{Errno: errnoBusy}
		if !errors.Is(err, sgio.ErrBusy) && !errors.Is(err, sgio.ErrStalled) {
			r.Errno = errnoNoDevice
		}
		go w.landed(sgio.Completion{Tag: j.task, Device: j.ask.Device, Response: r})
	}
}

// landed takes the answer of a command and sends the next one of its device.
func (w *workers) landed(c sgio.Completion) {
	w.mu.Lock()
	if w.flying[c.Device] != c.Tag {
		w.mu.Unlock()
		return
	}
	delete(w.flying, c.Device)
	var next *job
	if q := w.waiting[c.Device]; len(q) > 0 {
		next = &q[0]
		if len(q) == 1 {
			delete(w.waiting, c.Device)
		} else {
			w.waiting[c.Device] = q[1:]
		}
		w.flying[c.Device] = next.task
	}
	w.mu.Unlock()
	if c.Response.Errno == errnoTimedOut {
		// The host had no room for the command: nothing was learned of the path.
		c.Response.Errno = errnoBusy
	}
	w.done(c.Tag, engine.Answer{SCSI: c.Response})
	if next != nil {
		w.fly(*next)
	}
}

// forget drops what a device that left has in flight.
func (w *workers) forget(device string) {
	if w.async != nil {
		w.async.Forget(device)
	}
	w.pool.Forget(device)
	w.mu.Lock()
	var ends []uint64
	if t, ok := w.flying[device]; ok {
		ends = append(ends, t)
	}
	for _, j := range w.waiting[device] {
		ends = append(ends, j.task)
	}
	delete(w.flying, device)
	delete(w.waiting, device)
	w.mu.Unlock()
	for _, t := range ends {
		w.done(t, engine.Answer{SCSI: scsi.Response{Errno: errnoNoDevice}})
	}
}

const (
	errnoBusy     = 16  // EBUSY
	errnoNoDevice = 19  // ENODEV
	errnoTimedOut = 110 // ETIMEDOUT
	errnoStale    = 116 // ESTALE: what was decided is old
)
