package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pathkeeper/configs"
)

// What is measured is right: each LUN has its name, of the configuration or of the
// bindings; steps refuses to go on otherwise.
func TestSteps(t *testing.T) {
	dir := t.TempDir()
	h := host{conf: filepath.Join(dir, "multipath.conf"), bindings: filepath.Join(dir, "bindings"), entries: 50, lookups: 500}
	for path, data := range map[string]string{h.conf: conf(h.entries), h.bindings: bindings(h.lookups)} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, messages, err := configs.LoadFiles([]string{h.conf})
	if err != nil || len(messages) > 0 || len(c.Multipaths) != h.entries {
		t.Fatalf("got %v, %v, %d sections", err, messages, len(c.Multipaths))
	}
	var out strings.Builder
	if err := steps(h, &out); err != nil {
		t.Fatal(err)
	}
	for _, name := range stepNames() {
		if !strings.Contains(out.String(), name+": ") {
			t.Errorf("no step %q in\n%s", name, &out)
		}
	}
	h.lookups++
	if err := steps(h, &out); err == nil {
		t.Error("a wrong name: got no error")
	}
}

func TestSeries(t *testing.T) {
	s := &series{name: "x"}
	for _, d := range []time.Duration{5, 1, 9, 3, 7} {
		s.add(d * time.Millisecond)
	}
	if got := s.String(); s.median() != 5*time.Millisecond || !strings.Contains(got, "5ms (1ms to 9ms)") {
		t.Errorf("got %s", got)
	}
}
