package daemon

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"pathkeeper/blockio"
	"pathkeeper/dmmap"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/scsi"
	"pathkeeper/scsi/sgio"
	"pathkeeper/uevent"
)

// deadDisks reads nothing, ever, from a disk whose name begins with "dead".
type deadDisks struct {
	blockio.Port
	release chan struct{}
}

func (d deadDisks) ReadAt(name string, _ uint64, n uint32) ([]byte, uint32) {
	if len(name) > 4 && name[:4] == "dead" {
		<-d.release
	}
	return make([]byte, n), 0
}

func (d deadDisks) Release(uint64) uint32 { return 0 }

// Reads of any number of dead disks neither stop what maps need nor the reads of
// other disks, and a dead one holds one thread however often it is asked.
func TestDeadDisksBlockOnlyThemselves(t *testing.T) {
	dead := deadDisks{release: make(chan struct{})}
	defer close(dead.release)
	w := newWorkers(engine.Ports{Block: dead})
	w.slotLimit = 500 * time.Millisecond
	type ended struct {
		task uint64
		a    engine.Answer
	}
	got := make(chan ended, 2000)
	w.done = func(task uint64, a engine.Answer) { got <- ended{task, a} }
	for i := range uint64(400) {
		w.start(i+1, engine.Ask{Kind: engine.KindReadDisk, Device: fmt.Sprintf("dead%d", i), Length: 512})
	}
	time.Sleep(20 * time.Millisecond)
	w.start(1001, engine.Ask{Kind: engine.KindReadDisk, Device: "sda", Length: 512})
	w.start(1002, engine.Ask{Kind: engine.KindRelease, Held: []uint64{1}})
	for i := range uint64(100) {
		w.start(2000+i, engine.Ask{Kind: engine.KindReadDisk, Device: "dead0", Length: 512})
	}
	want := map[uint64]uint32{1001: 0, 1002: 0, 2000: errnoBusy, 2099: errnoBusy}
	limit := time.After(5 * time.Second)
	for len(want) > 0 {
		select {
		case e := <-got:
			if errno, ok := want[e.task]; ok && errno != e.a.Errno {
				t.Errorf("task %d: errno %d, want %d", e.task, e.a.Errno, errno)
			}
			delete(want, e.task)
		case <-limit:
			t.Fatalf("no answer for %v", want)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.reading) != 400 {
		t.Errorf("%d reads are on their way, want those of the 400 dead disks", len(w.reading))
	}
}

// hangingPort answers nobody before release is closed.
type hangingPort struct {
	release chan struct{}
	names   chan string
}

func (h hangingPort) Do(name string, _ scsi.Request) scsi.Response {
	h.names <- name
	<-h.release
	return scsi.Response{}
}

// A removal that is told late, when the name serves another device already, ends
// the commands of the device that left and of no other.
func TestForgetSparesTheNextOfThatName(t *testing.T) {
	port := hangingPort{release: make(chan struct{}), names: make(chan string, 10)}
	w := newWorkers(engine.Ports{})
	type ended struct {
		task  uint64
		errno uint32
	}
	got := make(chan ended, 10)
	w.done = func(task uint64, a engine.Answer) { got <- ended{task, a.SCSI.Errno} }
	w.pool = sgio.NewPool(byName{port}, 4, w.landed)
	ask := func(seq uint64) engine.Ask {
		return engine.Ask{Kind: engine.KindSCSI, Device: "sdb", ID: mpath.PathID{Diskseq: seq}, SCSI: scsi.TestUnitReady(1000)}
	}
	w.start(1, ask(7)) // hangs in the device that is about to leave
	if name := <-port.names; name != "sdb" {
		t.Fatalf("the port was asked for %q", name)
	}
	w.start(2, ask(8)) // the next device of that name does not wait behind it
	<-port.names
	w.forget("sdb", 7)
	if e := <-got; e != (ended{1, errnoNoDevice}) {
		t.Fatalf("%+v", e)
	}
	close(port.release)
	if e := <-got; e != (ended{2, 0}) {
		t.Fatalf("the new device's command: %+v", e)
	}
}

// Answers that come when the loop has ended hang nobody: sgio's collector is
// waited for by Close.
func TestAnswersAfterTheEnd(t *testing.T) {
	w := newWorkers(engine.Ports{})
	log := newJournal(mpath.LevelError, false)
	go log.write(io.Discard)
	l := newLoop(&engine.Engine{}, w, log)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.run(ctx, func() {})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := range uint64(3000) {
			w.done(i, engine.Answer{})
		}
		l.send(context.Background(), mpath.Wake{})
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("an answer waits for a loop that has ended")
	}
}

// slowDM takes its time for each ioctl.
type slowDM struct{ done chan uint32 }

func (s slowDM) Ioctl(cmd uint32, b []byte) ([]byte, uint32) {
	time.Sleep(50 * time.Millisecond)
	s.done <- cmd
	return b, 0
}

// A change that has waited for a thread, or was stopped with the process, is not
// sent when it is old: what it was decided on may be wrong by now. Reads are.
func TestOldChangesAreNotSent(t *testing.T) {
	dm := slowDM{done: make(chan uint32, 100)}
	w := newWorkers(engine.Ports{DM: dm})
	w.classes[classDM] = make(chan struct{}, 1)
	w.oldChange = 20 * mpath.Millisecond
	got := make(chan uint32, 100)
	w.done = func(_ uint64, a engine.Answer) { got <- a.Errno }
	for range 3 {
		w.start(1, engine.Ask{Kind: engine.KindDM, DM: dmmap.Call{Cmd: dmmap.CmdMessage}})
	}
	counts := map[uint32]int{}
	for range 3 {
		counts[<-got]++
	}
	if counts[0] != 1 || counts[errnoStale] != 2 || len(dm.done) != 1 {
		t.Errorf("errnos %v, %d calls", counts, len(dm.done))
	}
	for range 3 {
		w.start(1, engine.Ask{Kind: engine.KindDM, DM: dmmap.Call{Cmd: dmmap.CmdStatus}})
	}
	for range 3 {
		if errno := <-got; errno != 0 {
			t.Errorf("a read: errno %d", errno)
		}
	}
}

// An answer to what was asked before a standstill says so.
func TestAnswersAfterAStandstillAreLate(t *testing.T) {
	w := newWorkers(engine.Ports{})
	l := newLoop(&engine.Engine{}, w, newJournal(mpath.LevelError, false))
	var late []bool
	l.next = 2
	for id := range uint64(2) {
		l.tasks[id] = task{next: func(a engine.Answer) engine.Step { late = append(late, a.Late); return engine.Step{} }}
	}
	l.ran()
	l.take(message{task: 0})
	l.seen -= mpath.Instant(10 * mpath.Second) // SIGSTOP
	l.take(message{task: 1})
	if len(late) != 2 || late[0] || !late[1] {
		t.Errorf("late %v", late)
	}
}

// The core hears of a standstill before it gets an answer from before it.
func TestStandstillIsTold(t *testing.T) {
	w := newWorkers(engine.Ports{})
	l := newLoop(&engine.Engine{}, w, newJournal(mpath.LevelError, false))
	l.step(mpath.Configured{})
	l.ran()
	l.seen -= mpath.Instant(3 * mpath.Second)
	l.take(message{event: mpath.Wake{}})
	if l.gaps != 1 {
		t.Errorf("%d standstills", l.gaps)
	}
	if s := l.core.Snapshot(); s.GapAt == 0 {
		t.Error("the core was not told")
	}
}

func TestAttentionOfUevents(t *testing.T) {
	for _, c := range []struct {
		text string
		want mpath.Attention
		hctl string
	}{
		{"change@/devices/pci0/host2/target2:0:0/2:0:0:1\x00ACTION=change\x00DEVPATH=/devices/pci0/host2/target2:0:0/2:0:0:1\x00SUBSYSTEM=scsi\x00SDEV_UA=REPORTED_LUNS_DATA_HAS_CHANGED\x00DEVTYPE=scsi_device\x00SEQNUM=5\x00", mpath.AttentionLUNs, "2:0:0:1"},
		{"change@/devices/pci0/host2/target2:0:0/2:0:0:1\x00ACTION=change\x00DEVPATH=/devices/pci0/host2/target2:0:0/2:0:0:1\x00SUBSYSTEM=scsi\x00SDEV_UA=THIN_PROVISIONING_SOFT_THRESHOLD_REACHED\x00DEVTYPE=scsi_device\x00SEQNUM=5\x00", mpath.AttentionNone, ""},
		{"add@/devices/pci0/host2/target2:0:0/2:0:0:1\x00ACTION=add\x00DEVPATH=/devices/pci0/host2/target2:0:0/2:0:0:1\x00SUBSYSTEM=scsi\x00DEVTYPE=scsi_device\x00SEQNUM=5\x00", mpath.AttentionNone, ""},
	} {
		ev, err := uevent.Parse([]byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		h, ok := attentionOf(ev)
		if ok != (c.want != mpath.AttentionNone) || h.Attention != c.want || h.HCTL != c.hctl {
			t.Errorf("%q: %+v, %v", c.text, h, ok)
		}
	}
}
