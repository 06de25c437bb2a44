package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/record"
)

// quiet is a daemon without a kernel: its loop, its log and its recorder.
func quiet(t *testing.T) (*Daemon, *bytes.Buffer) {
	t.Helper()
	dir := t.TempDir()
	var log bytes.Buffer
	d := &Daemon{opt: Options{RunDir: dir, RecordDir: filepath.Join(dir, "lib", "records"), Version: "test"}.withDefaults(), log: newJournal(mpath.LevelInfo, false)}
	go d.log.write(&log)
	w := newWorkers(engine.Ports{})
	d.loop = newLoop(&engine.Engine{Files: engine.DefaultFiles(), BootID: "b"}, w, d.log)
	w.done = func(uint64, engine.Answer) {}
	d.startRecorder("b")
	return d, &log
}

func play(t *testing.T, path string) record.Result {
	t.Helper()
	files, err := record.Files(path)
	if err != nil {
		t.Fatal(err)
	}
	p := record.Player{Problem: func(x record.Problem) { t.Error(x) }}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.File(name, f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return p.Result
}

// A bug is counted, told each time, and its recording kept; the same again at once
// keeps none.
func TestBugKeepsTheRecording(t *testing.T) {
	d, log := quiet(t)
	d.loop.step(mpath.Configured{Config: policy.Config{}})
	d.loop.bug("law broken: one map, two names")
	d.loop.bug("law broken: one map, two names")
	d.loop.recorder.Close(10 * time.Second)
	kept, err := record.List(d.opt.RecordDir)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 1 || !strings.HasSuffix(kept[0].Name, "-bug.rec") {
		t.Fatalf("kept: %+v", kept)
	}
	path := filepath.Join(d.opt.RecordDir, kept[0].Name)
	if res := play(t, path); res.Steps != 1 || res.Compared != 1 || res.Difference != nil {
		t.Errorf("%+v", res)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode of the copy: %v %v", st.Mode(), err)
	}
	if b, _ := os.ReadFile(path); !bytes.Contains(b, []byte("this copy was made: law broken: one map, two names")) {
		t.Error("the copy does not say why it was made")
	}
	d.log.flush(10 * time.Second)
	if s := log.String(); strings.Count(s, "bug: law broken") != 2 || !strings.Contains(s, "bug 2 since the start") {
		t.Errorf("log:\n%s", s)
	}
	if st := (source{d}).Status(); st.Bugs != 2 || st.RecordLost != 0 || st.RecordFailed != 0 {
		t.Errorf("status: %+v", st)
	}
}

// Without room for it there is no recording, and everything else goes on.
func TestNoRecorder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, recorderDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d, _ := quiet(t)
	d.opt.RunDir = dir
	d.loop.recorder = nil
	d.startRecorder("b")
	if d.loop.recorder != nil {
		t.Fatal("it records into a file")
	}
	d.loop.step(mpath.Configured{})
	d.loop.publish()
	d.loop.recorder.Save("", "x", "y")
	d.loop.recorder.Close(time.Second)
	if s := d.loop.recorder.Stats(); s != (record.Stats{}) {
		t.Errorf("%+v", s)
	}
}

// What recording costs the loop: a step with and without it.
func BenchmarkRecordedStep(b *testing.B) {
	for _, name := range []string{"without", "with"} {
		b.Run(name, func(b *testing.B) {
			core := mpath.New()
			core.Step(1, mpath.StateLoaded{})
			core.Step(1, mpath.Configured{})
			var r *record.Recorder
			if name == "with" {
				dir := b.TempDir()
				var err error
				if r, err = record.Start(record.Options{Dir: filepath.Join(dir, "r"), Now: now, Log: func(string) {}}); err != nil {
					b.Fatal(err)
				}
				r.Begin(1, core)
			}
			var ev mpath.Event = mpath.CheckDone{Seq: 1 << 40}
			b.ReportAllocs()
			for i := range b.N {
				at := mpath.Instant(i + 2)
				acts, wake := core.Step(at, ev)
				r.Step(core, at, ev, acts, wake)
			}
			b.StopTimer()
			if r != nil {
				r.Close(10 * time.Second)
				b.ReportMetric(float64(r.Stats().Lost)/float64(b.N), "lost/op")
			}
		})
	}
}
