package record

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pathkeeper/mpath"
)

// small is a recording of a core that gets its configuration and a scan.
func small(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	core := mpath.New()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(w.Begin(Header{Product: "1.2.3", By: "test", PID: 7, Boot: "b", Wall: time.Unix(1000, 0).UTC(), At: 5e9}))
	ok(w.Checkpoint(0, 5e9, core.Checkpoint()))
	for i, ev := range []mpath.Event{mpath.StateLoaded{WWIDs: []string{"36\xff00"}}, mpath.Configured{}, mpath.Scanned{Seq: 1}, mpath.MapsListed{Seq: 2}, mpath.Wake{}} {
		at := mpath.Instant(5e9 + i*1e9)
		acts, wake := core.Step(at, ev)
		ok(w.Step(Step{uint64(i + 1), at, ev, acts, wake}))
	}
	ok(w.Edge(5, 9e9, Edge{Map: "ocr1", WWID: "3600", What: WhatMap, To: "ocr1", Why: "map created: 4 paths"}))
	ok(w.Checkpoint(5, 9e9, core.Checkpoint()))
	if int64(b.Len()) != w.Bytes() {
		t.Errorf("%d bytes, counted %d", b.Len(), w.Bytes())
	}
	return b.Bytes()
}

func playBytes(data []byte) (Result, []Problem, error) {
	var said []Problem
	p := Player{Problem: func(x Problem) { said = append(said, x) }}
	err := p.File("x.rec", bytes.NewReader(data))
	return p.Result, said, err
}

func TestSmallRecording(t *testing.T) {
	data := small(t)
	res, said, err := playBytes(data)
	if err != nil || len(said) > 0 || res != (Result{Steps: 5, Compared: 5, Checkpoints: 1}) {
		t.Errorf("%+v %v %v", res, said, err)
	}
	if !strings.HasPrefix(string(data), "pathkeeper-record 1\nh 0 5000000000 ") {
		t.Errorf("begins with %.60q", data)
	}
	// Two of them joined are one; the second is of another process.
	if res, said, err = playBytes(append(bytes.Clone(data), data...)); err != nil || len(said) > 0 || res.Steps != 10 || res.Difference != nil {
		t.Errorf("joined: %+v %v %v", res, said, err)
	}
}

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Frame{
			Mark: Mark(rapid.SampledFrom([]byte("hceagt")).Draw(t, "mark")), Step: rapid.Uint64().Draw(t, "step"),
			At: mpath.Instant(rapid.Int64().Draw(t, "at")), Text: strings.ReplaceAll(rapid.String().Draw(t, "text"), "\n", " "),
		}
		line := string(f.append(nil))
		got, err := parseFrame(strings.TrimSuffix(line, "\n"))
		if err != nil || got != f {
			t.Fatalf("%q: %+v %v", line, got, err)
		}
		// One changed byte is noticed.
		i := rapid.IntRange(0, len(line)-2).Draw(t, "where")
		bad := []byte(line)
		bad[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "how"))
		if got, err := parseFrame(strings.TrimSuffix(string(bad), "\n")); err == nil && got != f {
			t.Fatalf("%q reads as %+v", bad, got)
		}
	})
}

// lines replaces the text of the first frame with a mark, with a right checksum.
func withFrame(t *testing.T, data []byte, mark Mark, change func(string) string) []byte {
	t.Helper()
	var out []byte
	done := false
	for line := range strings.Lines(string(data)) {
		f, err := parseFrame(strings.TrimSuffix(line, "\n"))
		if err == nil && f.Mark == mark && !done {
			done = true
			f.Text = change(f.Text)
			out = f.append(out)
			continue
		}
		out = append(out, line...)
	}
	if !done {
		t.Fatalf("no frame %c", mark)
	}
	return out
}

func TestForeignAndNewer(t *testing.T) {
	data := small(t)
	replace := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	// The instants and numbers of actions belong to the fields, so that each case is
	// one difference only.
	for _, c := range []struct {
		name  string
		data  []byte
		steps int
		want  []string
	}{
		{"newer format", bytes.Replace(data, []byte("record 1\n"), []byte("record 2\n"), 1), 5, []string{`x.rec: frame 1 at byte 0: format "2", this program reads up to 1: read as far as it goes`}},
		{"no version", bytes.Replace(data, []byte("record 1\n"), []byte("record one\n"), 1), 5, []string{`format "one"`}},
		{"unknown frame", append(bytes.Clone(data), Frame{'z', 5, 9, "?"}.append(nil)...), 5, []string{`frames of kind "z" are not known to this version: left out`}},
		{"unknown event", withFrame(t, data, MarkEvent, replace("StateLoaded", "StarsAligned")), 0, []string{`event: "StarsAligned": no such kind: replay goes on at the next recorded state`}},
		{"unknown field", withFrame(t, data, MarkEvent, replace(`{"Bindings"`, `{"Moon":1,"Bindings"`)), 0, []string{`unknown field "Moon"`}},
		{"header that is none", withFrame(t, data, MarkHeader, replace("{", "[")), 5, []string{"header: "}},
		{"no base64", withFrame(t, data, MarkCheckpoint, replace("H", "!")), 0, []string{"frame 3 at byte ", "checkpoint: "}},
		{"no gzip", withFrame(t, data, MarkCheckpoint, func(string) string { return "AAAA" }), 0, []string{"checkpoint: "}},
		{"event without count", withFrame(t, data, MarkEvent, func(string) string { return "Wake {}" }), 0, []string{"it is no frame: replay goes on"}},
		{"negative count", withFrame(t, data, MarkEvent, func(string) string { return "-1 0 Wake {}" }), 0, []string{"it is no frame"}},
		{"actions without end", withFrame(t, data, MarkEvent, func(string) string { return "9999999 0 Wake {}" }), 0, []string{"9999999 actions in one step"}},
		{"empty", nil, 0, nil},
		{"rubbish before it", append([]byte("xyz\n"), data...), 5, []string{"x.rec: frame 1 at byte 0: it is no frame"}},
		{"cut in the first line", data[:5], 0, nil},
		{"nothing of ours", bytes.Repeat([]byte("# nothing\n"), 1000), 0, nil},
		{"binary", bytes.Repeat([]byte{0, 1, 2, 250}, 100000), 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, said, err := playBytes(c.data)
			if foreign := c.want == nil; errors.Is(err, ErrNoRecord) != foreign || err != nil && !foreign {
				t.Fatalf("error %v", err)
			}
			if res.Steps != c.steps || res.Difference != nil {
				t.Errorf("%+v", res)
			}
			if c.want == nil {
				return
			}
			if len(said) == 0 {
				t.Fatal("nobody says so")
			}
			for _, w := range c.want {
				if !strings.Contains(said[0].String(), w) {
					t.Errorf("%q has not %q", said[0], w)
				}
			}
		})
	}
}

// What the recording says and what comes out now are shown where they first part.
func TestDifference(t *testing.T) {
	data := small(t)
	for name, c := range map[string]struct {
		data          []byte
		recorded, now string
	}{
		"another action": {withFrame(t, data, MarkAction, func(s string) string { return strings.Replace(s, `"Seq":1`, `"Seq":9`, 1) }), `Scan {"Seq":9}`, `Scan {"Seq":1}`},
		"another wake":   {withFrame(t, data, MarkEvent, func(s string) string { return strings.Replace(s, "0 9223372036854775807", "0 7", 1) }), "wakes at 7", "wakes at 9223372036854775807"},
	} {
		res, said, err := playBytes(c.data)
		d := res.Difference
		if err != nil || len(said) > 0 || d == nil || d.Recorded != c.recorded || d.Now != c.now || d.Product != "1.2.3" || !strings.Contains(d.Place, "x.rec: frame ") {
			t.Errorf("%s: %+v %v %v", name, d, said, err)
		}
	}
}

// A step that the recorder missed is skipped up to the next state.
func TestGap(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	core := mpath.New()
	_ = w.Begin(Header{Boot: "b"})
	_ = w.Checkpoint(0, 1, core.Checkpoint())
	_, wake := core.Step(1, mpath.Wake{})
	_ = w.Step(Step{1, 1, mpath.Wake{}, nil, wake})
	_ = w.Gap(4, 4, "2 steps\ncame too fast")
	_ = w.Step(Step{4, 4, mpath.Wake{}, nil, wake})
	core.Step(4, mpath.Wake{})
	_ = w.Checkpoint(4, 4, core.Checkpoint())
	_, wake = core.Step(5, mpath.Wake{})
	_ = w.Step(Step{5, 5, mpath.Wake{}, nil, wake})
	var gaps []string
	p := Player{Show: func(s Played) error {
		if s.Event == nil {
			gaps = append(gaps, s.Gap)
		}
		return nil
	}}
	err := p.File("x", &b)
	if want := (Result{Steps: 2, Compared: 2, Skipped: 1, Checkpoints: 2}); err != nil || p.Result != want {
		t.Errorf("%+v %v", p.Result, err)
	}
	if d := cmp.Diff([]string{"the recorder missed steps: 2 steps came too fast", "goes on from the state that was recorded here"}, gaps); d != "" {
		t.Error(d)
	}
}

func TestTooBigForAFrame(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	big := mpath.DeviceHint{Name: strings.Repeat("x", FrameBytes)}
	if err := w.Step(Step{N: 1, Event: big}); !errors.Is(err, ErrTooBig) || b.Len() > 0 {
		t.Errorf("%v, %d bytes", err, b.Len())
	}
	// A line of another's that is too long is passed over.
	data := append(append([]byte("pathkeeper-record 1\n"), bytes.Repeat([]byte("y"), FrameBytes+100)...), '\n')
	data = append(data, small(t)...)
	res, said, err := playBytes(data)
	if err != nil || res.Steps != 5 || len(said) != 1 || !strings.Contains(said[0].What, "it is over") {
		t.Errorf("%+v %v %v", res, said, err)
	}
}

// A checkpoint that unpacks to more than is allowed is refused, with little memory.
func TestReadErrorsAreTold(t *testing.T) {
	p := Player{}
	broken := io.MultiReader(bytes.NewReader(small(t)[:100]), iotestErr{})
	if err := p.File("disk", broken); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, os.ErrClosed }

func FuzzReader(f *testing.F) {
	data := small(f)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("pathkeeper-record 9\ne 1 1 3 00000000 abc\n"))
	f.Add(bytes.Replace(data, []byte("Scan"), []byte("Scam"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := Player{Problem: func(x Problem) {
			if x.Offset < 0 || x.Offset > int64(len(data)) || x.Frame < 1 || x.What == "" {
				t.Errorf("%+v of %d bytes", x, len(data))
			}
		}}
		if err := p.File("x", bytes.NewReader(data)); err != nil && !errors.Is(err, ErrNoRecord) {
			t.Error(err)
		}
		h := NewHistory("ocr1", time.Time{})
		_ = h.File("x", bytes.NewReader(data), func(Problem) {})
		h.Find()
		// The same with a right checksum behind it goes deeper.
		sealed := []byte("pathkeeper-record 1\n")
		for line := range strings.Lines(string(data)) {
			if part := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 6); len(part) == 6 && len(part[0]) == 1 {
				if n, err := parseFrame(strings.TrimSuffix(line, "\n")); err == nil {
					sealed = n.append(sealed)
				} else {
					sealed = Frame{Mark(part[0][0]), 1, 1, part[5]}.append(sealed)
				}
			}
		}
		deep := Player{}
		if err := deep.File("x", bytes.NewReader(sealed)); err != nil && !errors.Is(err, ErrNoRecord) {
			t.Error(err)
		}
	})
}
