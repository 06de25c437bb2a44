package daemon

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"pathkeeper/blockio"
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
