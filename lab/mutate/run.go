package mutate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of one test process. A mutant may make a test run for ever or fill the
// memory: that is a kill.
const (
	testLimit      = 30 * time.Second // of the processor, so that a busy machine makes no kills
	wallLimit      = 10 * time.Minute // a test that waits for ever
	memoryLimit    = 4 << 30          // bytes of address space
	SlowestTest    = 6 * time.Second  // of the processor, as the other costs
	quickTest      = 150 * time.Millisecond
	quickPerSearch = 400 * time.Millisecond // quick tests of a package that run before the others
)

// smaller keeps a package's long tests small: a mutant costs a few storms and draws,
// not all of them, and nothing that takes seconds to say little.
var smaller = map[string][]string{
	"sim":   {"-storm.seeds=8"},
	"mpath": {"-rapid.checks=10", "-test.skip=^TestTenThousandPaths"},
}

// Outcome is how one test process ended.
type Outcome struct {
	Failed bool
	Hung   bool   // it did not end within testLimit
	By     string // the test, law or end that caught it
	Output string
	Cost   time.Duration // of the processor
}

// runTests runs some tests of a test binary, all of them where the list is empty.
func runTests(root, pkg, binary string, tests []string, env ...string) Outcome {
	return runWith(root, pkg, binary, tests, smaller[pkg], env...)
}

// runWith is runTests with flags of the package's own tests.
func runWith(root, pkg, binary string, tests, flags []string, env ...string) Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), wallLimit)
	defer cancel()
	args := append([]string{"-test.failfast", "-test.timeout", wallLimit.String()}, flags...)
	if len(tests) > 0 {
		args = append(args, "-test.run", "^("+strings.Join(tests, "|")+")$")
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = filepath.Join(root, pkg)
	cmd.Env = append(append(os.Environ(), "GOMAXPROCS=1", "GOGC=400"), env...) // many small processes beside each other
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return Outcome{Failed: true, By: "not started: " + err.Error()}
	}
	seconds := uint64(testLimit / time.Second)
	_ = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_CPU, &unix.Rlimit{Cur: seconds, Max: seconds + 5}, nil)
	_ = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: memoryLimit, Max: memoryLimit}, nil)
	err := cmd.Wait()
	cost := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if err == nil {
		return Outcome{Output: out.String(), Cost: cost}
	}
	by, hung := caughtBy(out.String()), ctx.Err() != nil || strings.Contains(out.String(), "SIGXCPU")
	if hung {
		by = "no end"
	}
	return Outcome{Failed: true, Hung: hung, By: pkg + " " + by, Output: out.String(), Cost: cost}
}

var (
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	brokenLaw  = regexp.MustCompile(`law broken(?: at [^:\n]+)?: ([^:\n]+)`)
	panicked   = regexp.MustCompile(`(?m)^panic: (?:runtime error: )?(.{0,60})`)
	inTest     = regexp.MustCompile(`(?m)^\S+\.(Test\w+)\(`)
)

// caughtBy reads from a test's output what failed first.
func caughtBy(out string) string {
	var words []string
	// The innermost test of the first failure: its line comes last of its group.
	if all := failedTest.FindAllStringSubmatch(out, -1); len(all) > 0 {
		words = append(words, all[len(all)-1][1])
	} else if m := inTest.FindStringSubmatch(out); m != nil {
		words = append(words, m[1])
	}
	if m := brokenLaw.FindStringSubmatch(out); m != nil {
		words = append(words, "law: "+m[1])
	} else if m := panicked.FindStringSubmatch(out); m != nil {
		words = append(words, "panic: "+m[1])
	}
	if len(words) == 0 {
		return "failure without a word"
	}
	return strings.Join(words, ", ")
}

// test is one test of a package, with what it costs and which mutants it reaches.
type test struct {
	pkg, name string
	took      time.Duration
}

// Plan is which tests can catch a mutant, in the order in which they are asked.
type Plan struct {
	b       *Build
	reach   map[int][]test // by mutant
	LeftOut []string       // tests that take too long to be asked thousands of times
	slowest time.Duration
	storms  *storms // what survives the tests meets them; nil: it does not
}

// Prepare runs every test alone, all mutants off, to see what it reaches and costs.
// Those that cost more than slowest, of the processor, are left out.
func (b *Build) Prepare(pkgs []string, slowest time.Duration) (*Plan, error) {
	p := &Plan{b: b, reach: map[int][]test{}, slowest: slowest}
	for _, pkg := range pkgs {
		names, err := listTests(b.Tests[pkg])
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if err := p.measure(pkg, name); err != nil {
				return nil, err
			}
		}
	}
	for id := range p.reach {
		slices.SortStableFunc(p.reach[id], func(a, b test) int { return int(a.took - b.took) })
	}
	return p, nil
}

// listTests gives the tests of a binary, and the fuzz targets, of which the seeds run.
func listTests(binary string) ([]string, error) {
	out, err := exec.Command(binary, "-test.list", "^(Test|Fuzz)").Output()
	if err != nil {
		return nil, fmt.Errorf("listing the tests of %s: %w", binary, err)
	}
	return strings.Fields(string(out)), nil
}

func (p *Plan) measure(pkg, name string) error {
	file := filepath.Join(p.b.dir, "reach")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	o := runTests(p.b.root, pkg, p.b.Tests[pkg], []string{name}, envReach+"="+file)
	took := o.Cost
	switch {
	case took > p.slowest || o.Hung:
		p.LeftOut = append(p.LeftOut, fmt.Sprintf("%s of %s: %.1f s", name, pkg, took.Seconds()))
		return nil
	case o.Failed:
		return fmt.Errorf("%s of %s fails without any mutant: %s", name, pkg, o.Output)
	}
	reached, err := readReach(file)
	if err != nil {
		return err
	}
	for _, id := range reached {
		if list := p.reach[id]; len(list) == 0 || list[len(list)-1] != (test{pkg, name, took}) { // two packages write one file
			p.reach[id] = append(list, test{pkg, name, took})
		}
	}
	return nil
}

// readReach reads which mutants a test process has met.
func readReach(file string) ([]int, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var out []int
	for line := range strings.Lines(string(text)) {
		id, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// Reached says whether any test runs the code that a mutant changes.
func (p *Plan) Reached(m Mutant) bool {
	return len(p.reach[m.ID]) > 0 || p.storms != nil && p.storms.reach[m.ID]
}

// Try runs the tests that reach a mutant, the cheapest first, until one fails.
func (p *Plan) Try(m Mutant) Outcome {
	for _, batch := range batches(p.reach[m.ID]) {
		var names []string
		for _, t := range batch {
			names = append(names, t.name)
		}
		pkg := batch[0].pkg
		if o := runTests(p.b.root, pkg, p.b.Tests[pkg], names, fmt.Sprintf("%s=%d", envMutant, m.ID)); o.Failed {
			return o
		}
	}
	return Outcome{}
}

// batches puts tests into processes: the quick ones of a package together, then
// one after the other, so that a mutant that is caught early costs little.
func batches(list []test) [][]test {
	var out [][]test
	open := map[string]int{} // package -> its batch of quick tests, from 1
	cost := map[string]time.Duration{}
	var rest []test
	for _, t := range list {
		if t.took > quickTest || cost[t.pkg] > quickPerSearch {
			rest = append(rest, t)
			continue
		}
		if open[t.pkg] == 0 {
			out = append(out, nil)
			open[t.pkg] = len(out)
		}
		cost[t.pkg] += t.took
		out[open[t.pkg]-1] = append(out[open[t.pkg]-1], t)
	}
	// The tests of one process run in the order of their files: a slow one runs alone,
	// or it would come before those that catch the mutant sooner.
	const together = 6
	for len(rest) > 0 {
		n := 1
		for n < len(rest) && n < together && rest[n].pkg == rest[0].pkg && rest[n].took < 2*rest[0].took {
			n++
		}
		out = append(out, rest[:n])
		rest = rest[n:]
	}
	return out
}
