package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/record"
)

// recorded is a story with a failover, a kill, a restart and a standstill.
func recorded(t *testing.T, seed uint64) []byte {
	var tape bytes.Buffer
	r := newRig(t, seed, plain)
	ended := r.d.RecordTo(&tape, "test", "sim")
	l, ds := r.alua("one")
	r.alua("two")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 100*mpath.Millisecond)
	ds[0].Break(NoConnect)
	r.run(20 * second)
	ds[1].Break(Hung)
	r.run(60 * second)
	r.d.Kill()
	r.run(5 * second)
	r.start(30 * second)
	ds[0].Break(Healthy)
	ds[1].Break(Healthy)
	r.run(60 * second)
	r.d.Stop()
	r.run(20 * second)
	r.d.Continue()
	r.run(3 * mpath.Minute)
	if err := ended(); err != nil {
		t.Fatal(err)
	}
	return tape.Bytes()
}

func replay(t *testing.T, tape []byte) (record.Result, []record.Problem, error) {
	t.Helper()
	var problems []record.Problem
	p := record.Player{Problem: func(x record.Problem) { problems = append(problems, x) }}
	err := p.File("tape", bytes.NewReader(tape))
	return p.Result, problems, err
}

func TestReplayGivesTheSameActions(t *testing.T) {
	tape := recorded(t, 11)
	res, problems, err := replay(t, tape)
	if err != nil || len(problems) > 0 || res.Difference != nil {
		t.Fatalf("%v %v %+v", err, problems, res.Difference)
	}
	if events := bytes.Count(tape, []byte("\ne ")); res.Steps != events || res.Compared != events || events < 2*tapeCheckpoint || res.Checkpoints != 2 {
		t.Errorf("%d events: %+v", events, res)
	}
	// A story that was changed is found out.
	i := bytes.Index(tape, []byte("fail_path"))
	changed := bytes.Clone(tape)
	copy(changed[i:], "fail_pith")
	if res, problems, _ = replay(t, changed); len(problems) != 1 || res.Difference != nil || res.Compared != res.Steps-1 {
		t.Errorf("a damaged action: %v %+v", problems, res)
	}
}

// Replay can start at every checkpoint, and comes to the same.
func TestReplayFromTheMiddle(t *testing.T) {
	tape := recorded(t, 12)
	starts := 0
	for rest := tape; ; starts++ {
		_, after, ok := bytes.Cut(rest, []byte("\nc "))
		if !ok {
			break
		}
		rest = append([]byte("c "), after...)
		res, problems, err := replay(t, rest)
		if err != nil || len(problems) > 0 || res.Difference != nil || res.Skipped > 0 || res.Checkpoints == 0 {
			t.Fatalf("from checkpoint %d: %v %v %+v", starts, err, problems, res)
		}
	}
	if starts < 4 {
		t.Errorf("%d checkpoints", starts)
	}
}

func TestReplayOfACutTape(t *testing.T) {
	tape := recorded(t, 13)
	chance := rand.New(rand.NewPCG(13, 13))
	whole, _, _ := replay(t, tape)
	for range 200 {
		n := chance.IntN(len(tape))
		res, problems, err := replay(t, tape[:n])
		switch {
		case n == 0 || tape[n-1] == '\n' || n < 30:
		case len(problems) == 0 || !strings.Contains(problems[len(problems)-1].What, "the file ends within it"):
			t.Fatalf("cut at %d: nobody says so: %v", n, problems)
		}
		if err != nil && !errors.Is(err, record.ErrNoRecord) || res.Difference != nil || res.Steps > whole.Steps {
			t.Fatalf("cut at %d: %v %+v", n, err, res)
		}
		if want := bytes.Count(tape[:n], []byte("\ne ")); res.Steps != want && res.Steps != want-1 {
			t.Fatalf("cut at %d: %d steps of %d", n, res.Steps, want)
		}
	}
}

// What is damaged in the middle costs at most the steps up to the next checkpoint.
func TestReplayOfADamagedTape(t *testing.T) {
	tape := recorded(t, 14)
	chance := rand.New(rand.NewPCG(14, 14))
	events := bytes.Count(tape, []byte("\ne "))
	for range 60 {
		bad := bytes.Clone(tape)
		n := 2000 + chance.IntN(len(tape)-2000)
		for i := range min(len(bad)-n, 1+chance.IntN(200)) {
			bad[n+i] = byte(chance.Uint32())
		}
		res, problems, err := replay(t, bad)
		if err != nil || len(problems) == 0 {
			t.Fatalf("damaged at %d: %v %v", n, err, problems)
		}
		if res.Difference != nil {
			t.Fatalf("damaged at %d: differs at %+v", n, res.Difference)
		}
		if lost := events - res.Steps; lost > tapeCheckpoint+210 {
			t.Fatalf("damaged at %d: %d of %d steps lost: %v", n, lost, events, problems)
		}
	}
}

// The middle of a storm too: every kind of question open.
func TestReplayOfAStorm(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		read, write := io.Pipe()
		done := make(chan record.Result, 1)
		go func() {
			p := record.Player{}
			_ = p.File("storm", read)
			done <- p.Result
		}()
		s := newStorm(t, seed)
		ended := s.d.RecordTo(write, "test", "storm")
		for range 500 {
			s.blow()
			s.run(s.w.between(0, second))
		}
		err := errors.Join(ended(), write.Close())
		if res := <-done; err != nil || res.Difference != nil || res.Problems > 0 || res.Compared != res.Steps || res.Steps < 2*tapeCheckpoint {
			t.Errorf("seed %d: %v %+v %+v", seed, err, res, res.Difference)
		}
	}
}

// What a checkpoint of 2,000 paths costs: the loop copies, the writer packs.
func BenchmarkCheckpoint2000(b *testing.B) {
	w := New(1)
	d := NewDaemon(w)
	for i := range 500 {
		l := w.AddLUN(LUN{Name: fmt.Sprint("lun", i)})
		for j := range 4 {
			w.AddPath(l, uint32(2+j), 1+j%2)
		}
	}
	d.Quick = true
	d.Start(parse(b, plain))
	if err := d.Run(60 * second); err != nil {
		b.Fatal(err)
	}
	b.Run("copy", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			d.core.Checkpoint()
		}
	})
	b.Run("write", func(b *testing.B) {
		for range b.N {
			var out bytes.Buffer
			rec := record.NewWriter(&out)
			if err := rec.Checkpoint(1, 1, d.core.Checkpoint()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(out.Len()), "bytes")
			var plain bytes.Buffer
			_ = d.core.Checkpoint().Write(&plain)
			b.ReportMetric(float64(plain.Len()), "plain-bytes")
		}
	})
	b.Run("history", func(b *testing.B) {
		watch := record.NewWatcher()
		s := d.Snapshot()
		watch.Snapshot(s)
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			if e := watch.Snapshot(s); len(e) > 0 {
				b.Fatal(e[0])
			}
		}
	})
}
