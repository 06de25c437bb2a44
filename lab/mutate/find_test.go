package mutate

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestTimes: no moment becomes the end of time, a length twice as long; twice nothing
// is no mutation. What is compiled in still parses and has the switch in it.
func TestTimes(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module pathkeeper\n\ngo 1.24\n",
		"p/p.go": `package p

type Instant int64
type Span int64

type timer struct {
	at   Instant
	wait Span
	n    int
}

func (t *timer) stop() {
	t.at, t.wait, t.n = 0, 0, 0
}

func (t *timer) later() bool {
	t.wait = 5
	return t.at != 0
}
`,
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := loadSource(root, "p")
	if err != nil {
		t.Fatal(err)
	}
	found, texts := find(s, 1, map[string]bool{})
	var keys []string
	for _, m := range found {
		keys = append(keys, m.Key())
	}
	want := []string{
		"p (*timer).stop remove `t.at, t.wait, t.n = 0, 0, 0`",
		"p (*timer).stop never `0`",
		"p (*timer).stop next `0`",
		"p (*timer).later remove `t.wait = 5`",
		"p (*timer).later twice `5`",
		"p (*timer).later negate `t.at != 0`",
		"p (*timer).later never `0`",
	}
	if !slices.Equal(keys, want) {
		t.Errorf("%q", keys)
	}
	o := newOverlay(t.TempDir())
	for path, text := range texts {
		if err := o.put(path, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.put(filepath.Join(root, "p", "mutants_switch.go"), switchFile("p")); err != nil {
		t.Fatal(err)
	}
	if err := o.compile(root, "p", filepath.Join(t.TempDir(), "p.test")); err != nil {
		t.Error(err)
	}
}

// TestByLaw: what the storms killed is counted by the law or panic that said so; what
// the tests killed and what survived is not.
func TestByLaw(t *testing.T) {
	got := ByLaw([]Result{
		{Verdict: VerdictKilled, By: "storm: TestCoreStorm/3, law: one WWID per map, ever"},
		{Verdict: VerdictKilled, By: "storm: TestCoreStorm/7, law: one WWID per map, ever"},
		{Verdict: VerdictKilled, By: "storm: TestCoreStorm/1, panic: nil map"},
		{Verdict: VerdictKilled, By: "mpath TestTranscripts/names"},
		{Verdict: VerdictSurvived, By: "storm 3 goes another way"},
	})
	want := []string{"    2 law: one WWID per map, ever", "    1 panic: nil map"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestCaughtByLaw: a storm's failure names its law.
func TestCaughtByLaw(t *testing.T) {
	out := "--- FAIL: TestCoreStorm (0.1s)\n    --- FAIL: TestCoreStorm/8 (0.06s)\n        storm_test.go:54: 16 paths: law broken at step 5429, 986.640 s: the core does not panic: runtime error\n"
	if got := caughtBy(out); got != "TestCoreStorm/8, law: the core does not panic" {
		t.Errorf("%q", got)
	}
}
