package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"pathkeeper/configs"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/sim"
	"pathkeeper/uevent"
)

const (
	soakLUNs  = 24
	soakHosts = 4
)

// weather is a simulated host whose disks come and go without an end, and the socket
// that tells of it: uevent.Port. It speaks as udevd and the kernel do.
type weather struct {
	*oneAtATime
	w    *sim.World
	rand *rand.Rand

	received int
	pace     func() // waits until the daemon is not far behind

	limit    int // how many datagrams it tells
	calm     int // once all disks are back; told for as long as asked
	told     int
	overruns int
	queue    []uevent.Datagram
	stop     chan struct{}
	rested   bool
	resting  chan struct{} // closed once the limit is reached, every disk is there and told of
}

func newWeather() *weather {
	w := sim.New(7)
	f := &weather{
		oneAtATime: &oneAtATime{ports: w.Ports()}, w: w, rand: rand.New(rand.NewPCG(1, 2)),
		stop: make(chan struct{}), resting: make(chan struct{}),
	}
	w.Udev.Listen(func(d uevent.Datagram) { f.queue = append(f.queue, d) })
	for range soakLUNs {
		l := w.AddLUN(sim.LUN{})
		for host := range soakHosts {
			w.AddPath(l, uint32(host), 1)
		}
	}
	return f
}

// paceEvery is after how many datagrams the daemon is let come after: one that is
// swamped looks at a disk once for many of them.
const paceEvery = 8

// Receive implements uevent.Port.
func (f *weather) Receive() (uevent.Datagram, error) {
	if f.received++; f.received%paceEvery == 0 {
		f.pace()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) == 0 {
		select {
		case <-f.stop:
			return uevent.Datagram{}, os.ErrClosed
		default:
		}
		f.blow()
	}
	d := f.queue[0]
	f.queue = f.queue[1:]
	f.told++
	f.calm = 0
	switch f.rand.IntN(1000) {
	case 0: // the socket's buffer was full: what waited is lost
		f.queue, f.overruns = nil, f.overruns+1
		return uevent.Datagram{Overrun: true}, nil
	case 1, 2, 3, 4, 5: // somebody sends half of one before
		half := d
		half.Data = d.Data[:f.rand.IntN(len(d.Data))]
		f.queue = append([]uevent.Datagram{d}, f.queue...)
		return half, nil
	case 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20:
		f.queue = append(f.queue, d) // again, and later
	}
	return d, nil
}

// blow lets something happen, and then a moment pass in which udevd works. mu is held.
func (f *weather) blow() {
	disks := f.w.Disks()
	switch n := f.rand.IntN(10); {
	case f.told >= f.limit:
		f.rest(disks)
	case n < 3 && len(disks) > soakLUNs:
		disks[f.rand.IntN(len(disks))].Delete()
	case n < 5:
		f.w.ScanAll()
	case len(disks) > 0:
		disks[f.rand.IntN(len(disks))].Announce()
	}
	f.w.Run(20 * mpath.Millisecond)
}

// calmEnough is how many moments without a word of udevd mean that it is through.
const calmEnough = 20

// rest has every disk back, and goes on as slowly as a host on which nothing happens.
func (f *weather) rest(disks []*sim.Disk) {
	if len(disks) < soakLUNs*soakHosts {
		f.w.ScanAll()
		return
	}
	if f.calm++; f.calm < calmEnough {
		return
	}
	if !f.rested {
		f.rested = true
		close(f.resting)
	}
	f.mu.Unlock()
	select {
	case <-f.stop:
	case <-time.After(5 * time.Millisecond):
	}
	f.mu.Lock()
}

// goOn asks for more datagrams.
func (f *weather) goOn(more int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit, f.rested, f.calm, f.resting = f.told+more, false, 0, make(chan struct{})
}

// soaked is a daemon on such a host: everything of it but the kernel.
func soaked(t *testing.T, f *weather) (*Daemon, func()) {
	t.Helper()
	d := &Daemon{opt: Options{RunDir: t.TempDir(), DevDir: t.TempDir()}.withDefaults(), log: newJournal(mpath.LevelError, false)}
	go d.log.write(io.Discard)
	d.work = newWorkers(f.locked())
	d.nodes = f.locked().Nodes
	d.loop = newLoop(&engine.Engine{Files: engine.DefaultFiles(), BootID: sim.BootID}, d.work, d.log)
	d.work.pool = inTurn{f.oneAtATime, d.work.landed}
	cfg, _, err := configs.Parse([]configs.File{{Path: "multipath.conf", Data: []byte("defaults {\n find_multipaths greedy\n user_friendly_names yes\n}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	d.begin(mpath.Configured{Config: cfg}, policy.Kernel{Selectors: []string{"service-time", "round-robin"}, Handlers: []string{"alua"}})
	ctx, cancel := context.WithCancel(context.Background())
	f.pace = func() {
		for behind := true; behind; {
			if d.loop.call(ctx, func() { behind = len(d.loop.tasks) > soakLUNs }) != nil {
				return
			}
			runtime.Gosched()
		}
	}
	ended := make(chan struct{}, 2)
	go func() { d.loop.run(ctx, func() {}); ended <- struct{}{} }()
	go func() {
		if err := d.watchUevents(ctx, f); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
		ended <- struct{}{}
	}()
	return d, func() {
		close(f.stop)
		<-ended
		cancel()
		<-ended
	}
}

// held is what the process holds.
type held struct {
	heap           uint64
	files, threads int
}

func holds(t *testing.T) held {
	t.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers have let go
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return held{m.HeapAlloc, len(files), runtime.NumGoroutine()}
}

// settled waits until the daemon has made of the resting host what belongs there, and
// measures.
func settled(t *testing.T, d *Daemon, f *weather) held {
	t.Helper()
	f.mu.Lock()
	resting := f.resting
	f.mu.Unlock()
	select {
	case <-resting:
	case <-time.After(10 * time.Minute):
		t.Fatal("the host does not come to rest")
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	want := fmt.Sprintf("%d maps of %d paths", soakLUNs, soakHosts)
	for end := time.Now().Add(3 * time.Minute); ; <-look.C {
		var got string
		err := d.loop.call(context.Background(), func() {
			snap := d.loop.core.Snapshot()
			whole := 0
			for _, m := range snap.Maps {
				paths := 0
				for _, g := range m.Groups {
					paths += len(g.Paths)
				}
				if paths == soakHosts {
					whole++
				}
			}
			got = fmt.Sprintf("%d maps of %d paths", whole, soakHosts)
			if len(snap.Maps) != soakLUNs || len(d.loop.tasks) > 0 || !d.loop.core.Settled() {
				got += fmt.Sprintf(" among %d, %d open tasks", len(snap.Maps), len(d.loop.tasks))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if got == want {
			return holds(t)
		}
		if time.Now().After(end) {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}

// Uevents of disks that come, go and change, doubled, cut short and lost, cost
// nothing that lasts: memory, descriptors and goroutines are at the end what they
// were after a tenth. `make test-all` sends a hundred thousand (PATHKEEPER_UEVENTS).
func TestUeventSoak(t *testing.T) {
	events := 3000
	if text := os.Getenv("PATHKEEPER_UEVENTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("PATHKEEPER_UEVENTS=%s: %v", text, err)
		}
		events = n
	}
	f := newWeather()
	f.limit = max(events/10, 1000)
	d, end := soaked(t, f)
	first := settled(t, d, f)
	f.goOn(events - f.limit)
	last := settled(t, d, f)
	end()
	t.Logf("%d datagrams, %d overruns, %d actions: %+v, then %+v", f.told, f.overruns, d.loop.acts, first, last)
	if last.files > first.files || last.threads > first.threads+2 || last.heap > first.heap+first.heap/4+1<<20 {
		t.Errorf("after a tenth %+v, after %d datagrams %+v", first, f.told, last)
	}
	if d.loop.unsound != nil || d.loop.bugs.count.Load() > 0 {
		t.Errorf("bugs: %d, %v", d.loop.bugs.count.Load(), d.loop.unsound)
	}
}
