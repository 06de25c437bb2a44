package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pathkeeper/scenario"
	"pathkeeper/sim"
)

// scenarioFiles are all scripts of the tree.
func scenarioFiles(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, dir := range []string{"../../lab/scenarios", "../../sim/scenarios"} {
		names, err := filepath.Glob(dir + "/*.txt")
		if err != nil || len(names) == 0 {
			t.Fatalf("no scenarios in %s: %v", dir, err)
		}
		out = append(out, names...)
	}
	return out
}

// Every script that does not need the lab comes true on the simulated kernel, with
// the real commands, by whatever seed; and the same seed tells the same story.
func TestScenariosOnSimulator(t *testing.T) {
	for _, name := range scenarioFiles(t) {
		scripts, err := readScripts([]string{name}, streams{io.Discard, io.Discard})
		if err != nil {
			t.Error(err)
			continue
		}
		if !scripts[0].Side.On(scenario.Sim) {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			t.Parallel()
			play := func(seed uint64) (string, uint64) {
				var told bytes.Buffer
				o := simOptions{seed: seed, verbose: true}
				r := sim.PlayScript(scripts[0].Script, o.scriptOptions(scripts[0].folder, streams{&told, io.Discard}))
				if r.Err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, r.Err, told.String())
				}
				return told.String(), r.Hash
			}
			told, hash := play(1)
			if again, hash2 := play(1); hash != hash2 || told != again {
				t.Errorf("the same seed told two stories:\n%s\n%s", told, again)
			}
			play(2)
		})
	}
}

// A script's first line names a single side only if the other could not play it.
func TestSidesAreTold(t *testing.T) {
	for _, name := range scenarioFiles(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := scenario.Parse(name, string(text))
		if err != nil {
			t.Error(err) // also where a verb is not known to the side that the first line names
			continue
		}
		if s.Allows() != s.Side {
			t.Errorf("%s: its first line says %s, and its verbs %s", name, s.Side, s.Allows())
		}
		if s.Title() == "" {
			t.Errorf("%s: no sentence above its first line says what it proves", name)
		}
		if where := filepath.Base(filepath.Dir(filepath.Dir(name))); where == "sim" && s.Side != scenario.Sim || where == "lab" && s.Side == scenario.Sim {
			t.Errorf("%s: %s does not belong there", name, s.Side)
		}
	}
}
