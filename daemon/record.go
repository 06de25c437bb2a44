package daemon

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/mpath"
	"pathkeeper/record"
)

// recorderDir is where the recording is below the run directory.
const recorderDir = "recorder"

// startRecorder starts the flight recorder. The daemon does its work without one.
func (d *Daemon) startRecorder(boot string) {
	r, err := record.Start(record.Options{
		Dir: filepath.Join(d.opt.RunDir, recorderDir), Product: d.opt.Version, By: "daemon", Boot: boot, Now: now,
		Log: func(text string) { d.log.printf(mpath.LevelWarning, "recorder", "%s", text) },
	})
	if err != nil {
		d.log.printf(mpath.LevelWarning, "recorder", "%v: nothing is recorded", err)
		return
	}
	d.loop.recorder = r
	d.loop.bugs.save = func(why string) { r.Save(d.opt.RecordDir, record.NewName(time.Now(), "bug"), why) }
	r.Begin(now(), d.loop.core)
}

// saveOnSignal copies the recording to disk at each SIGUSR1.
func (d *Daemon) saveOnSignal(ctx context.Context) error {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, unix.SIGUSR1)
	defer signal.Stop(ch)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ch:
			d.loop.recorder.Save(d.opt.RecordDir, record.NewName(time.Now(), "asked"), "SIGUSR1")
		}
	}
}

// bugs counts what must never happen. One that comes again and again does not push
// the first one's recording out.
type bugs struct {
	count atomic.Uint64
	saved mpath.Instant
	save  func(why string) // nil: nobody records
}

// bugSaveEvery is the least time between two copies of the recording for bugs.
const bugSaveEvery = 10 * mpath.Minute

// bug reports a broken law or a panic of the core: loudly, each time, with a copy of
// the recording that shows how it came about. From the loop only.
func (l *loop) bug(text string) {
	n := l.bugs.count.Add(1)
	l.log.note(mpath.Note{Level: mpath.LevelError, Object: "bug", Text: fmt.Sprintf("%s (bug %d since the start): please report it", text, n)})
	if at := now(); l.bugs.save != nil && (l.bugs.saved == 0 || at.Since(l.bugs.saved) >= bugSaveEvery) {
		l.bugs.saved = at
		l.bugs.save(text)
	}
}
