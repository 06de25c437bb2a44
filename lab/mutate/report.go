package mutate

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// Verdict is what became of a mutant.
type Verdict uint8

// The verdicts.
const (
	VerdictUnknown   Verdict = iota
	VerdictKilled            // a test failed
	VerdictExplained         // every test passed, and a person said why
	VerdictSurvived          // every test passed
	VerdictUnreached         // no test runs that code
)

var verdictNames = [...]string{"unknown", "killed", "explained", "survived", "unreached"}

func (v Verdict) String() string { return verdictNames[v] }

// Result is a mutant with its verdict.
type Result struct {
	Mutant  Mutant
	Verdict Verdict
	By      string // what killed it, or why nothing can
}

// RunAll tries mutants, a few at once, and tells each result as it comes.
func (p *Plan) RunAll(list []Mutant, explained Explained, workers int, tell func(Result)) []Result {
	out := make([]Result, len(list))
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range workers {
		wg.Go(func() {
			for i := range next {
				out[i] = p.judge(list[i], explained)
				mu.Lock()
				tell(out[i])
				mu.Unlock()
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	wg.Wait()
	return out
}

func (p *Plan) judge(m Mutant, explained Explained) Result {
	why, ok := explained.Why(m.Key())
	if !p.Reached(m) {
		if ok {
			return Result{m, VerdictExplained, why}
		}
		return Result{m, VerdictUnreached, ""}
	}
	o := p.Try(m)
	if !o.Failed {
		o = p.tryStorms(m)
	}
	switch {
	case o.Failed:
		return Result{m, VerdictKilled, o.By}
	case ok:
		return Result{m, VerdictExplained, why}
	}
	return Result{m, VerdictSurvived, o.By}
}

// Sample takes every n-th mutant, always the same ones of the same code.
func Sample(list []Mutant, n int) []Mutant {
	if n <= 1 {
		return list
	}
	var out []Mutant
	for i, m := range list {
		if i%n == 0 {
			out = append(out, m)
		}
	}
	return out
}

// Line writes a result: verdict, place, key, what killed it.
func (r Result) Line() string {
	return fmt.Sprintf("%s\t%s/%s:%d\t%s\t%s", r.Verdict, r.Mutant.Pkg, r.Mutant.File, r.Mutant.Line, r.Mutant.Key(), r.By)
}

// Explained says of mutants why no test needs to catch them, by key. A key may have
// a '*' for any text: what holds of a whole function or kind of guard is said once.
type Explained map[string]string

// Why gives the explanation of a mutant.
func (e Explained) Why(key string) (why string, ok bool) {
	if why, ok := e[key]; ok {
		return why, true
	}
	for _, pattern := range slices.Sorted(maps.Keys(e)) {
		if Fits(pattern, key) {
			return e[pattern], true
		}
	}
	return "", false
}

// Fits says whether a key is one that a pattern speaks of.
func Fits(pattern, key string) bool {
	parts := strings.Split(pattern, "*")
	// The keys themselves have stars: "(*Machine)" stands for itself too.
	if len(parts) == 1 {
		return pattern == key
	}
	if !strings.HasPrefix(key, parts[0]) || !strings.HasSuffix(key, parts[len(parts)-1]) {
		return false
	}
	rest := key[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return len(rest) >= len(parts[len(parts)-1])
}

// ReadExplained reads the survivors that a person has explained: a line with the
// mutant's key, and below it, indented, why no test needs to catch it.
func ReadExplained(path string) (Explained, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := Explained{}
	var keys []string // those above the explanation that comes
	fresh := true
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch words := strings.TrimSpace(line); {
		case words == "" || strings.HasPrefix(words, "#"):
		case strings.HasPrefix(line, "\t"):
			if len(keys) == 0 {
				return nil, fmt.Errorf("%s: an explanation of nothing: %s", path, words)
			}
			for _, k := range keys {
				out[k] = strings.TrimSpace(out[k] + " " + words)
			}
			fresh = true
		default:
			if fresh {
				keys, fresh = nil, false
			}
			if _, twice := out[words]; twice {
				return nil, fmt.Errorf("%s: explained twice: %s", path, words)
			}
			keys = append(keys, words)
			out[words] = ""
		}
	}
	for k, why := range out {
		if why == "" {
			return nil, fmt.Errorf("%s: no explanation of %s", path, k)
		}
	}
	return out, nil
}

// Summary counts results by verdict and kind of mutation. It gives the share of
// those killed among those that nobody has explained, in percent.
func Summary(w io.Writer, list []Result) (killed float64) {
	byOp := map[Op][5]int{}
	var all [5]int
	for _, r := range list {
		n := byOp[r.Mutant.Op]
		n[r.Verdict]++
		byOp[r.Mutant.Op] = n
		all[r.Verdict]++
	}
	var ops []Op
	for op := range byOp {
		ops = append(ops, op)
	}
	slices.Sort(ops)
	fmt.Fprintf(w, "%-10s %7s %7s %9s %9s %9s\n", "mutation", "mutants", "killed", "explained", "survived", "unreached")
	line := func(name string, n [5]int) {
		fmt.Fprintf(w, "%-10s %7d %7d %9d %9d %9d\n", name, n[1]+n[2]+n[3]+n[4], n[1], n[2], n[3], n[4])
	}
	for _, op := range ops {
		line(string(op), byOp[op])
	}
	line("all", all)
	total := len(list) - all[VerdictExplained]
	if total == 0 {
		return 100
	}
	killed = 100 * float64(all[VerdictKilled]) / float64(total)
	fmt.Fprintf(w, "killed: %.1f %% of all, %.1f %% of those that are not explained\n", 100*float64(all[VerdictKilled])/float64(len(list)), killed)
	return killed
}
