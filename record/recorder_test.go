package record

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/mpath"
)

// deck is a recorder with a clock of its own.
type deck struct {
	*Recorder
	dir  string
	core *mpath.Machine
	at   mpath.Instant

	mu  sync.Mutex
	log []string
}

func newDeck(t *testing.T) *deck {
	t.Helper()
	d := &deck{dir: filepath.Join(t.TempDir(), "recorder"), core: mpath.New(), at: 1e9}
	r, err := Start(Options{Dir: d.dir, Product: "1", By: "test", Boot: "b", Now: func() mpath.Instant { return 1e9 }, Log: func(s string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.log = append(d.log, s)
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.Recorder = r
	r.Begin(d.at, d.core)
	return d
}

func (d *deck) step(ev mpath.Event) {
	d.at += 1e9
	acts, wake := d.core.Step(d.at, ev)
	d.Step(d.core, d.at, ev, acts, wake)
}

func (d *deck) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.log, "\n")
}

func playDir(t *testing.T, path string) (Result, []Problem) {
	t.Helper()
	files, err := Files(path)
	if err != nil {
		t.Fatal(err)
	}
	var said []Problem
	p := Player{Problem: func(x Problem) { said = append(said, x) }}
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
	return p.Result, said
}

// A ring that has wrapped many times holds its bounds and replays.
func TestRingWraps(t *testing.T) {
	d := newDeck(t)
	d.step(mpath.StateLoaded{})
	d.step(mpath.Configured{})
	hint := mpath.DeviceHint{Name: strings.Repeat("x", 64<<10)}
	for i := range 400 { // 25 MiB
		d.step(hint)
		if i%8 == 0 {
			d.Close(10 * time.Second) // so that the queue is never full
		}
	}
	d.Close(10 * time.Second)
	names, err := segments(d.dir, stepsPrefix)
	if err != nil || len(names) != Segments {
		t.Errorf("%d segments: %v", len(names), err)
	}
	var bytes int64
	for _, n := range names {
		st, err := os.Stat(filepath.Join(d.dir, n))
		if err != nil || st.Mode().Perm() != 0o600 || st.Size() > SegmentMostBytes+FrameBytes {
			t.Errorf("%s: %v %v", n, st, err)
		}
		bytes += st.Size()
	}
	if bytes > RingBytes {
		t.Errorf("%d bytes", bytes)
	}
	if st, err := os.Stat(d.dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v %v", st.Mode(), err)
	}
	res, said := playDir(t, d.dir)
	if len(said) > 0 || res.Difference != nil || res.Checkpoints != 1 || res.Skipped > 0 || res.Compared != res.Steps || res.Steps < 50 || res.Steps > 200 {
		t.Errorf("%+v %v", res, said)
	}
	if s := d.Stats(); s != (Stats{}) || d.said() != "" {
		t.Errorf("%+v %s", s, d.said())
	}
	// The next process goes on behind the last.
	again, err := Start(d.opt)
	if err != nil {
		t.Fatal(err)
	}
	again.Begin(1, mpath.New())
	again.Close(10 * time.Second)
	more, _ := segments(d.dir, stepsPrefix)
	if len(more) != Segments || more[0] != names[1] {
		t.Errorf("%v, were %v", more, names)
	}
}

// The loop never waits: what finds the queue full is left out and counted, and the
// recording says so and goes on with the state.
func TestFullQueue(t *testing.T) {
	d := newDeck(t)
	d.step(mpath.StateLoaded{})
	stuck, free := make(chan struct{}), make(chan struct{})
	d.in <- item{run: func() { close(stuck); <-free }}
	<-stuck
	for range queueItems + 50 {
		d.step(mpath.Wake{})
	}
	if n := d.Stats().Lost; n != 50 {
		t.Errorf("%d steps lost", n)
	}
	close(free)
	d.Close(10 * time.Second)
	for range 10 {
		d.step(mpath.Wake{})
		d.Close(10 * time.Second)
	}
	res, said := playDir(t, d.dir)
	if len(said) > 0 || res.Difference != nil || res.Checkpoints != 2 || res.Skipped == 0 || res.Steps < queueItems || res.Steps+res.Skipped != queueItems+11 {
		t.Errorf("%+v %v", res, said)
	}
}

// No room, or a directory that is gone: it is said once, counted, and tried again.
func TestNowhereToWrite(t *testing.T) {
	d := newDeck(t)
	d.Close(10 * time.Second)
	if err := os.RemoveAll(d.dir); err != nil {
		t.Fatal(err)
	}
	d.want.Store(true)
	for range 100 {
		d.step(mpath.Wake{})
		d.Close(10 * time.Second)
	}
	if s := d.Stats(); s.Lost < 90 || s.Failed < 2 || s.Failed > 10 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(d.said(), "cannot write"); n != 1 {
		t.Errorf("said %d times: %s", n, d.said())
	}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		d.step(mpath.Wake{})
		d.Close(10 * time.Second)
	}
	if res, said := playDir(t, d.dir); len(said) > 0 || res.Difference != nil || res.Steps < 50 {
		t.Errorf("%+v %v", res, said)
	}
}

func TestHistoryRing(t *testing.T) {
	d := newDeck(t)
	var s mpath.Snapshot
	for i := range 6000 {
		s.Now = mpath.Instant(i) * 1e9
		s.Maps = []mpath.MapView{{WWID: "3600", Name: "ocr1", Known: true, Truth: mpath.Truth{Name: "ocr1", Suspended: i%2 == 1}, LastError: strings.Repeat("e", 600) + fmt.Sprint(i)}}
		one := s
		d.Snapshot(&one)
		if i%100 == 0 {
			d.Close(10 * time.Second)
		}
	}
	d.Close(10 * time.Second)
	names, _ := segments(d.dir, historyPrefix)
	if len(names) != HistorySegments {
		t.Errorf("%d segments", len(names))
	}
	h := NewHistory("ocr1", time.Time{})
	files, _ := Files(d.dir)
	for _, n := range files {
		f, err := os.Open(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.File(n, f, func(x Problem) { t.Error(x) }); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if !h.Find() || len(h.Told) < 3000 || h.Told[len(h.Told)-1].To != "suspended" || h.Told[len(h.Told)-1].At != 5999e9 {
		t.Errorf("%d edges, the last %+v", len(h.Told), h.Told[len(h.Told)-1])
	}
}

func TestCopies(t *testing.T) {
	d := newDeck(t)
	d.step(mpath.StateLoaded{})
	d.Close(10 * time.Second)
	dir := filepath.Join(t.TempDir(), "pathkeeper", "records")
	path, err := SaveRing(d.dir, dir, "first", "a\ntest")
	if err != nil {
		t.Fatal(err)
	}
	if path != filepath.Join(dir, "first.rec") {
		t.Error(path)
	}
	if res, said := playDir(t, path); len(said) > 0 || res.Steps != 1 {
		t.Errorf("%+v %v", res, said)
	}
	if _, err := SaveRing(d.dir, dir, "first", ""); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("a copy is replaced: %v", err)
	}
	for i := range Copies {
		if _, err := SaveRing(d.dir, dir, fmt.Sprintf("n%02d", i), ""); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(1e9+i), 0)
		if err := os.Chtimes(filepath.Join(dir, fmt.Sprintf("n%02d.rec", i)), when, when); err != nil {
			t.Fatal(err)
		}
	}
	all, err := List(dir)
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	want := []string{"n01.rec", "n02.rec", "n03.rec", "n04.rec", "n05.rec", "n06.rec", "n07.rec", "n08.rec", "n09.rec", "n10.rec", "n11.rec", "n12.rec", "n13.rec", "n14.rec", "n15.rec", "first.rec"}
	if d := cmp.Diff(want, names); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != Copies {
		t.Errorf("%d files are there", len(entries))
	}
	for _, bad := range []string{"", "../x", "a/b", ".x", "-x", "ü", "a b", strings.Repeat("x", 65)} {
		if _, err := SaveRing(d.dir, dir, bad, ""); err == nil {
			t.Errorf("%q is a name", bad)
		}
	}
}

// No link is followed below the directory's parent, and nothing is put where others
// may write.
func TestCopiesFollowNoLink(t *testing.T) {
	d := newDeck(t)
	d.Close(10 * time.Second)
	for name, c := range map[string]struct {
		make func(base string) error
		want string
	}{
		"link for records": {func(b string) error {
			return os.Symlink(t.TempDir(), filepath.Join(b, "pathkeeper", "records"))
		}, "is a link"},
		"file for records": {func(b string) error {
			return os.WriteFile(filepath.Join(b, "pathkeeper", "records"), nil, 0o600)
		}, "is a link or no directory"},
		"open to others": {func(b string) error {
			p := filepath.Join(b, "pathkeeper", "records")
			return os.Mkdir(p, 0o755)
		}, "must be ours alone"},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			if err := os.Mkdir(filepath.Join(base, "pathkeeper"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := c.make(base); err != nil {
				t.Fatal(err)
			}
			if _, err := SaveRing(d.dir, filepath.Join(base, "pathkeeper", "records"), "x", ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	base := t.TempDir()
	if err := os.Symlink(t.TempDir(), filepath.Join(base, "pathkeeper")); err != nil {
		t.Fatal(err)
	}
	if _, err := SaveRing(d.dir, filepath.Join(base, "pathkeeper", "records"), "x", ""); err == nil || !strings.Contains(err.Error(), "is a link") {
		t.Errorf("%v", err)
	}
	// A file that waits under the temporary name is not written through.
	dir := filepath.Join(t.TempDir(), "pathkeeper", "records")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, ".x.rec.new")); err != nil {
		t.Fatal(err)
	}
	if _, err := SaveRing(d.dir, dir, "x", ""); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(victim); string(b) != "precious" {
		t.Errorf("the link was followed: %q", b)
	}
}

// A disk that hangs costs one copy and the next ones, nothing else.
func TestHungDisk(t *testing.T) {
	d := newDeck(t)
	d.step(mpath.StateLoaded{})
	d.saving <- struct{}{} // the copy before hangs
	d.Save("/nowhere", "x", "bug two")
	d.step(mpath.Wake{})
	if s := d.Stats(); s.Missed != 1 || s.Saves != 0 || !strings.Contains(d.said(), "no copy of the recording is made for bug two") {
		t.Errorf("%+v %s", s, d.said())
	}
	<-d.saving
	d.Save(filepath.Join(d.dir, "no", "such", "place"), "x", "bug three")
	d.Close(10 * time.Second)
	if s := d.Stats(); s.Saves != 1 || s.Failed != 1 || !strings.Contains(d.said(), "could not be copied to disk: open ") {
		t.Errorf("%+v %s", s, d.said())
	}
}

// What it costs the writer to put a step into a segment.
func BenchmarkWriteStep(b *testing.B) {
	w := NewWriter(discard{})
	s := Step{1, 1e9, mpath.CheckDone{Seq: 7, DevState: "running"}, []mpath.Action{mpath.StartCheck{Seq: 8, Name: "sdb", SG: "sg1", Checker: "tur"}}, 2e9}
	b.ReportAllocs()
	for range b.N {
		if err := w.Step(s); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(w.Bytes())/float64(b.N), "bytes/step")
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
