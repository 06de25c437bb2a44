package daemon

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
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
	waiting map[string][]job  // per device (keyOf): commands behind the one in flight
	flying  map[string]uint64 // per device: the task in flight
	reading map[string]bool   // per device: a direct read is on its way
	hung    int               // reads that gave their slot back
}

// keyOf names one appearance of a device: its name may serve another one while
// something of it is still on its way.
func keyOf(a engine.Ask) string { return deviceKey(a.Device, a.ID.Diskseq) }

func deviceKey(name string, diskseq uint64) string {
	return name + "@" + strconv.FormatUint(diskseq, 10)
}

// byName is the scsi.Port of the pool, whose devices are keys.
type byName struct{ port scsi.Port }

// Do implements scsi.Port.
func (b byName) Do(key string, r scsi.Request) scsi.Response {
	name, _, _ := strings.Cut(key, "@")
	return b.port.Do(name, r)
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
	classRead // hangs with the device, see read
	classes
)

var classWidth = [classes]int{classSysfs: 8, classDM: 16, classSwap: 64, classFile: 4, classDisk: 2, classNode: 2, classHold: 64, classRead: 256}

// slotLimit is how long a read of a device waits for one of the slots. A read that
// finds none comes back with EBUSY: nothing was learned of that path. Waiting on
// would call healthy ones dead.
const slotLimit = 5 * time.Second

// hangsAfter is the part of slotLimit after which a read counts as hanging and
// gives its slot back, so that it does not stand in the way of others.
const hangsAfter = 5

// maxHungReads bounds the threads that reads of dead devices hold. A device has at
// most one of them: it is not read again while it hangs.
const maxHungReads = 4096

func newWorkers(p engine.Ports) *workers {
	w := &workers{ports: p, slotLimit: slotLimit, oldChange: oldChange, waiting: map[string][]job{}, flying: map[string]uint64{}, reading: map[string]bool{}}
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
	case engine.KindFile, engine.KindWriteFile, engine.KindReplaceFile, engine.KindRemove, engine.KindList:
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
	if a.Kind == engine.KindReadDisk {
		w.read(task, a)
		return
	}
	c, asked := classOf(a, onDisk), now()
	go func() {
		w.classes[c] <- struct{}{}
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

// read reads a device directly: never twice at once, and never for long at the
// cost of others.
func (w *workers) read(task uint64, a engine.Ask) {
	key := keyOf(a)
	w.mu.Lock()
	busy := w.reading[key]
	w.reading[key] = true
	w.mu.Unlock()
	if busy {
		go w.done(task, engine.Answer{Errno: errnoBusy, Detail: "an earlier read of it is still on its way"})
		return
	}
	go func() {
		ans := engine.Answer{Errno: errnoBusy, Detail: "all threads that read devices wait for dead ones"}
		if w.slot() {
			hangs := time.AfterFunc(w.slotLimit/hangsAfter, w.countHung)
			ans = w.ports.Perform(a)
			w.slotBack(hangs.Stop())
		}
		w.mu.Lock()
		delete(w.reading, key)
		w.mu.Unlock()
		w.done(task, ans)
	}()
}

// slot waits for leave to read; false: for too long.
func (w *workers) slot() bool {
	t := time.NewTimer(w.slotLimit)
	defer t.Stop()
	select {
	case w.classes[classRead] <- struct{}{}:
		return true
	case <-t.C:
		return false
	}
}

// countHung gives the slot of a read back that hangs, as long as there are not
// too many of those.
func (w *workers) countHung() {
	w.mu.Lock()
	w.hung++
	if w.hung <= maxHungReads {
		<-w.classes[classRead]
	}
	w.mu.Unlock()
}

// slotBack ends a read; quick says that it did not hang.
func (w *workers) slotBack(quick bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !quick {
		w.hung--
		if w.hung < maxHungReads {
			return // its slot, or that of another one, is back already
		}
	}
	<-w.classes[classRead]
}

// onDisk says whether a file lies on a disk that may hang.
func onDisk(path string) bool {
	return len(path) < 5 || (path[:5] != "/run/" && path[:5] != "/proc" && path[:5] != "/sys/")
}

// submit sends a command, behind the one that the device has in flight.
func (w *workers) submit(j job) {
	key := keyOf(j.ask)
	w.mu.Lock()
	if _, busy := w.flying[key]; busy {
		w.waiting[key] = append(w.waiting[key], j)
		w.mu.Unlock()
		return
	}
	w.flying[key] = j.task
	w.mu.Unlock()
	w.fly(j)
}

func (w *workers) fly(j job) {
	by := w.pool
	if w.async != nil && j.ask.SG != "" {
		by = w.async
	}
	key := keyOf(j.ask)
	err := by.Submit(sgio.Job{Tag: j.task, Device: key, SG: j.ask.SG, Host: j.ask.HostNo, Request: j.ask.SCSI})
	if err != nil {
		// Not taken: no thread and no answer. Say so as the kernel would.
		r := scsi.Response{Errno: errnoBusy}
		if !errors.Is(err, sgio.ErrBusy) && !errors.Is(err, sgio.ErrStalled) {
			r.Errno = errnoNoDevice
		}
		go w.landed(sgio.Completion{Tag: j.task, Device: key, Response: r})
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

// forget drops what a device that left has in flight. Its name may be another
// one's by now, whose commands go on.
func (w *workers) forget(name string, diskseq uint64) {
	key := deviceKey(name, diskseq)
	if w.async != nil {
		w.async.Forget(key)
	}
	w.pool.Forget(key)
	w.mu.Lock()
	var ends []uint64
	if t, ok := w.flying[key]; ok {
		ends = append(ends, t)
	}
	for _, j := range w.waiting[key] {
		ends = append(ends, j.task)
	}
	delete(w.flying, key)
	delete(w.waiting, key)
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
