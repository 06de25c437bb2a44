// Command mutate tests the tests: see package mutate, and docs/testing.md.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"pathkeeper/lab/mutate"
)

const usage = `usage:
  mutate planted [-run TEXT]     every bug of lab/mutate/testdata/planted.txt must be caught
  mutate run [flags]             mutations by rule over mpath and engine
  mutate list                    the mutations by rule

flags of run:
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

type options struct {
	sample, workers int
	least           float64
	only, again     string
	out, of, tests  string
	files           string
	storms          int
	slowest         time.Duration
}

func run(args []string) error {
	fs := flag.NewFlagSet("mutate", flag.ExitOnError)
	var o options
	fs.IntVar(&o.sample, "sample", 1, "take every n-th mutant")
	fs.IntVar(&o.workers, "workers", max(1, runtime.NumCPU()/2), "how many test processes at once")
	fs.Float64Var(&o.least, "least", 0, "fail where fewer are killed, percent of those that nobody has explained")
	fs.StringVar(&o.only, "run", "", "only bugs or mutants whose name has this text")
	fs.StringVar(&o.again, "again", "", "only the mutants that survived in this file, written by -out")
	fs.StringVar(&o.out, "out", "build/mutants.txt", "where the results go")
	fs.StringVar(&o.of, "of", "mpath,engine", "packages that are mutated")
	fs.StringVar(&o.tests, "tests", "mpath,engine,sim", "packages whose tests must catch it")
	fs.StringVar(&o.files, "files", "", "only mutants of these files: mpath/path.go,engine/maps.go")
	fs.IntVar(&o.storms, "storms", 0, "how many storms of the core meet what survives the tests")
	fs.DurationVar(&o.slowest, "slowest", mutate.SlowestTest, "tests that cost more are left out")
	fs.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		fs.PrintDefaults()
	}
	if len(args) == 0 {
		fs.Usage()
		os.Exit(2)
	}
	_ = fs.Parse(args[1:])
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "lab", "mutate")); err != nil {
		return fmt.Errorf("run it at the top of the tree: %w", err)
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tree := filepath.Join(dir, "tree")
	if err := mutate.Snapshot(root, tree); err != nil {
		return err
	}
	if !filepath.IsAbs(o.out) {
		o.out = filepath.Join(root, o.out)
	}
	root = tree
	switch args[0] {
	case "planted":
		return planted(root, dir, o)
	case "run":
		return mutants(root, dir, o)
	case "list":
		b, err := mutate.Make(root, dir, strings.Split(o.of, ","), nil)
		if err != nil {
			return err
		}
		for _, m := range b.Mutants {
			fmt.Printf("%s/%s:%d\t%s\n", m.Pkg, m.File, m.Line, m.Key())
		}
		return nil
	}
	fs.Usage()
	os.Exit(2)
	return nil
}

// planted plants the bugs that are written down, one after the other.
func planted(root, dir string, o options) error {
	bugs, err := mutate.ReadPlanted(filepath.Join(root, mutate.PlantedFile))
	if err != nil {
		return err
	}
	missed, n := 0, 0
	for _, b := range bugs {
		if !strings.Contains(b.Name, o.only) {
			continue
		}
		n++
		for _, c := range b.Plant(root, dir) {
			mark := "caught"
			if !c.Caught {
				mark = "MISSED"
				missed++
			}
			fmt.Printf("%-7s %-50s %s\n", mark, b.Name, c.By)
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d planted bugs: not caught by every package that must", missed, n)
	}
	fmt.Printf("%d planted bugs, each caught\n", n)
	return nil
}

// mutants tries the mutations by rule.
func mutants(root, dir string, o options) error {
	tests := strings.Split(o.tests, ",")
	explained, err := mutate.ReadExplained(filepath.Join(root, mutate.ExplainedFile))
	if err != nil {
		return err
	}
	built := slices.Clone(tests)
	if o.storms > 0 {
		built = append(built, mutate.StormTests)
	}
	b, err := mutate.Make(root, dir, strings.Split(o.of, ","), built)
	if err != nil {
		return err
	}
	list := b.Mutants
	if o.again != "" {
		if list, err = survivors(list, o.again); err != nil {
			return err
		}
	}
	list = mutate.Sample(matching(list, o.only, o.files), o.sample)
	plan, err := b.Prepare(tests, o.slowest)
	if err != nil {
		return err
	}
	if o.storms > 0 {
		if err := plan.PrepareStorms(o.storms); err != nil {
			return err
		}
	}
	fmt.Printf("%d mutants, %d tried; %d do not compile and are left out\n", len(b.Mutants), len(list), len(b.Skipped))
	for _, t := range plan.LeftOut {
		fmt.Println("too long to be asked for each mutant:", t)
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	f, err := os.Create(o.out)
	if err != nil {
		return err
	}
	results := plan.RunAll(list, explained, o.workers, func(r mutate.Result) {
		fmt.Fprintln(f, r.Line())
		if r.Verdict == mutate.VerdictSurvived || r.Verdict == mutate.VerdictUnreached {
			fmt.Println(r.Line())
		}
	})
	if err := f.Close(); err != nil {
		return err
	}
	for _, s := range stale(explained, b.Mutants) {
		fmt.Println("explained, but", s)
	}
	for _, line := range mutate.ByLaw(results) {
		fmt.Println("killed by storms:", line)
	}
	if killed := mutate.Summary(os.Stdout, results); killed < o.least {
		return fmt.Errorf("%.1f %% of the mutants that are not explained in %s were killed, want %g %%", killed, mutate.ExplainedFile, o.least)
	}
	return nil
}

// stale are explanations that nothing needs any more.
func stale(explained mutate.Explained, all []mutate.Mutant) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(explained)) {
		if !slices.ContainsFunc(all, func(m mutate.Mutant) bool { return mutate.Fits(k, m.Key()) }) {
			out = append(out, "there is no such mutant: "+k)
		}
	}
	return out
}

func matching(list []mutate.Mutant, text, files string) []mutate.Mutant {
	var out []mutate.Mutant
	for _, m := range list {
		in := files == "" || slices.Contains(strings.Split(files, ","), m.Pkg+"/"+m.File)
		if in && strings.Contains(m.Key(), text) {
			out = append(out, m)
		}
	}
	return out
}

func survivors(list []mutate.Mutant, path string) ([]mutate.Mutant, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lived := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if c := strings.Split(s.Text(), "\t"); len(c) > 2 && c[0] != mutate.VerdictKilled.String() {
			lived[c[2]] = true
		}
	}
	var out []mutate.Mutant
	for _, m := range list {
		if lived[m.Key()] {
			out = append(out, m)
		}
	}
	return out, nil
}
