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

// An answer that lacks a map or a path is no answer: quick and wrong is not measured.
func TestDeedsWantWholeAnswers(t *testing.T) {
	const maps = 3
	var topology, json, paths strings.Builder
	for range maps {
		topology.WriteString("mpatha (3600) dm-0 A,B\nsize=8.0M\n")
		json.WriteString(`{"uuid" : "3600",`)
		for range pathsEach {
			topology.WriteString("  |- 0:0:0:0 sda 8:0 active ready running\n")
			json.WriteString(`"chk_st" : "ready",`)
			paths.WriteString("0:0:0:0 sda 8:0 1 active ready running XX........ 14/20\n")
		}
	}
	whole := map[string]string{
		"multipath -ll": topology.String(), "show topology": topology.String(), "show maps json": json.String(), "show paths": paths.String(),
		"multipath -u": "DM_MULTIPATH_DEVICE_PATH=\"1\"\n",
	}
	for _, d := range deeds() {
		out, ok := whole[d.name]
		if !ok {
			t.Fatalf("%s: no answer to try", d.name)
		}
		less := strings.Replace(strings.Replace(out, "ready", "faulty", 1), "active", "failed", 1)
		if !d.right(out, maps) || d.right("", maps) || d.right(strings.Replace(less, `="1"`, `="0"`, 1), maps) && d.name != "show maps json" {
			t.Errorf("%s: a wrong answer is taken, or a right one is not", d.name)
		}
		if d.name != "multipath -u" && d.right(out, maps+1) {
			t.Errorf("%s: an answer without one of the maps is taken", d.name)
		}
	}
}

// processor sees what this process spends.
func TestProcessor(t *testing.T) {
	before, err := processor(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
		sum++
	}
	after, err := processor(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("%v before and %v after %d turns, %v", before, after, sum, err)
	}
	if _, err := processor(1 << 30); err == nil {
		t.Error("a process that is not there has spent something")
	}
}
