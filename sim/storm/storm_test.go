package storm

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/mpath"
)

// The storms that `make check` blows; `make storm` blows many more through
// cmd/pathkeeper.
var (
	oneSeed   = flag.Uint64("storm.seed", 0, "blow the storm of this seed alone, and tell it")
	seeds     = flag.Int("storm.seeds", 10, "how many storms of whole hosts")
	coreSeeds = flag.Int("storm.core", 25, "how many storms of the core alone")
	firstSeed = flag.Uint64("storm.first", 1, "the first seed")
)

func TestStorm(t *testing.T) {
	if *oneSeed != 0 {
		if r := Run(Options{Seed: *oneSeed, Log: os.Stdout, Text: true}); r.Err != nil {
			t.Fatalf("%v\n%s", r.Err, strings.Join(r.Err.Recent, "\n"))
		}
		return
	}
	for i := range *seeds {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			if r := Run(Options{Seed: seed}); r.Err != nil {
				t.Errorf("%d paths: %v", r.Paths, r.Err)
			}
		})
	}
}

func TestCoreStorm(t *testing.T) {
	if *oneSeed != 0 {
		if r := RunCore(CoreOptions{Seed: *oneSeed, Tell: func(l string) { t.Log(l) }}); r.Err != nil {
			t.Fatal(r.Err)
		}
		return
	}
	for i := range *coreSeeds {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := RunCore(CoreOptions{Seed: seed})
			if r.Err != nil {
				t.Fatalf("%d paths: %v", r.Paths, r.Err)
			}
			t.Logf("%d steps, %016x", r.Steps, r.Hash) // lab/mutate sees by it what makes any difference
		})
	}
}

// Equal seeds make equal storms, told and untold.
func TestEqualSeedsEqualStorms(t *testing.T) {
	for seed := uint64(1); seed <= 2; seed++ {
		a, b := Run(Options{Seed: seed}), Run(Options{Seed: seed, Log: io.Discard, Cover: NewCover()})
		if a.Hash != b.Hash || a.Steps != b.Steps {
			t.Errorf("seed %d: %x after %d steps, %x after %d", seed, a.Hash, a.Steps, b.Hash, b.Steps)
		}
		c, d := RunCore(CoreOptions{Seed: seed}), RunCore(CoreOptions{Seed: seed, Tell: func(string) {}})
		if c.Hash != d.Hash || c.Steps != d.Steps {
			t.Errorf("core, seed %d: %x after %d steps, %x after %d", seed, c.Hash, c.Steps, d.Hash, d.Steps)
		}
	}
}

// The page that explains the storms lists every law, and none that is not one.
func TestDocsListTheLaws(t *testing.T) {
	page, err := os.ReadFile("../../docs/storms.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(page)) {
		if l, ok := strings.CutPrefix(line, "* "); ok {
			listed = append(listed, strings.TrimSuffix(l, "\n"))
		}
	}
	want := append(mpath.Laws(), Laws()...)
	if d := cmp.Diff(want, listed); d != "" {
		t.Errorf("docs/storms.md (- is missing there):\n%s", d)
	}
}
