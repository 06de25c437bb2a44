package contract

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// golden are the transcripts of the real kernel; they are in the test binary, so
// that it can compare in the guest too.
//
//go:embed testdata
var golden embed.FS

// want is the golden transcript of a sequence.
func want(t *testing.T, name string) []string {
	t.Helper()
	b, err := golden.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatalf("%v: record it on a real kernel: make contract-golden", err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// difference shows the lines that differ, each with the kernel's and ours.
func difference(kernel, have []string) string {
	var b strings.Builder
	n := 0
	for i := range max(len(kernel), len(have)) {
		k, h := line(kernel, i), line(have, i)
		if k == h {
			continue
		}
		if n++; n > 40 {
			fmt.Fprintf(&b, "... and more\n")
			break
		}
		fmt.Fprintf(&b, "%4d kernel: %s\n     have:   %s\n", i+1, k, h)
	}
	return b.String()
}

func line(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(nothing)"
}

// TestSim holds sim to the kernel's transcripts, line by line. Each exception
// must be met where it says, or it is stale.
func TestSim(t *testing.T) {
	excepted := Exceptions()
	met := make([]bool, len(excepted))
	for _, s := range Sequences() {
		t.Run(s.Name, func(t *testing.T) {
			have, err := s.Run(newSimRig())
			if err != nil {
				t.Error(err)
			}
			kernel := want(t, s.Name)
			have = allow(excepted, met, s.Name, kernel, have)
			if d := difference(kernel, have); d != "" {
				t.Errorf("sim differs from the kernel:\n%s", d)
			}
		})
	}
	if t.Failed() {
		return
	}
	for i, e := range excepted {
		if !met[i] {
			t.Errorf("this exception is stale, no line of %s meets it: %q", e.Sequence, e.Kernel)
		}
		if e.Reason == "" {
			t.Errorf("the exception for %q gives no reason", e.Kernel)
		}
	}
}

// allow puts the kernel's line in the place of each line of sim that an exception
// names, and marks the exception as met.
func allow(excepted []Exception, met []bool, sequence string, kernel, have []string) []string {
	out := slices.Clone(have)
	for i := range min(len(kernel), len(have)) {
		at := slices.IndexFunc(excepted, func(e Exception) bool {
			return e.Sequence == sequence && e.Kernel == kernel[i] && e.Sim == have[i]
		})
		if at >= 0 {
			met[at] = true
			out[i] = kernel[i]
		}
	}
	return out
}

// An exception covers its own line in its own sequence and nothing else; one that
// covers none is told as stale.
func TestAllow(t *testing.T) {
	excepted := []Exception{{"a", "open: EBUSY", "open: ok", "why"}, {"a", "close: ok", "close: EIO", "why"}}
	kernel, have := []string{"open: EBUSY", "read: ok", "open: EBUSY"}, []string{"open: ok", "read: EIO", "open: ENXIO"}
	met := make([]bool, len(excepted))
	if got, want := allow(excepted, met, "a", kernel, have), []string{"open: EBUSY", "read: EIO", "open: ENXIO"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if !met[0] || met[1] {
		t.Errorf("met %v", met)
	}
	if got := allow(excepted, met, "b", kernel, have); !slices.Equal(got, have) {
		t.Errorf("in another sequence: %q", got)
	}
	if d := difference(kernel, have); strings.Count(d, "kernel:") != 3 {
		t.Errorf("differences:\n%s", d)
	}
}

// TestSimTwice runs the sequences on one world, as the guest does: none leaves
// anything that another one meets.
func TestSimTwice(t *testing.T) {
	r := newSimRig()
	for _, s := range Sequences() {
		once, err := s.Run(newSimRig())
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Run(r)
		if err != nil {
			t.Fatal(err)
		}
		if d := difference(once, again); d != "" {
			t.Errorf("%s behind others differs from %s alone:\n%s", s.Name, s.Name, d)
		}
	}
}
