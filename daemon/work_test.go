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

// Reads of any number of dead disks neither stop what maps need nor make reads of
// other disks wait for long.
func TestDeadDisksBlockOnlyThemselves(t *testing.T) {
	dead := deadDisks{release: make(chan struct{})}
	defer close(dead.release)
	w := newWorkers(engine.Ports{Block: dead})
	w.slotLimit = 50 * time.Millisecond
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
	want := map[uint64]uint32{1001: errnoBusy, 1002: 0}
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
