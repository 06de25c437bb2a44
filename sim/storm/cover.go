package storm

import (
	"cmp"
	_ "embed" // unreached.txt
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/mpath"
)

// Cover counts what met what: the storms are measured in decisions, not in hours.
type Cover struct {
	Paths map[[2]string]int // path state, event
	Maps  map[[2]string]int // map state, event
	Gusts map[[2]string]int // gust, action in flight
}

// NewCover makes an empty count.
func NewCover() *Cover {
	return &Cover{map[[2]string]int{}, map[[2]string]int{}, map[[2]string]int{}}
}

func (c *Cover) watch(m *mpath.Machine, ev mpath.Event) {
	name := mpath.EventName(ev)
	m.Meets(ev, func(st string) { c.Paths[[2]string{st, name}]++ }, func(st string) { c.Maps[[2]string{st, name}]++ })
}

func (c *Cover) gust(name string, flying []string) {
	for _, k := range flying {
		c.Gusts[[2]string{name, k}]++
	}
}

// Add takes over the counts of another.
func (c *Cover) Add(o *Cover) {
	for _, p := range [][2]map[[2]string]int{{c.Paths, o.Paths}, {c.Maps, o.Maps}, {c.Gusts, o.Gusts}} {
		for k, n := range p[1] {
			p[0][k] += n
		}
	}
}

//go:embed unreached.txt
var unreachedText string

// Unreached gives the pairs that were seen less than Enough times and have no
// reason for it, and how many have one.
func (c *Cover) Unreached() (unexplained []string, explained int) {
	reasons := parseReasons(unreachedText)
	look := func(kind string, states, events []string, seen map[[2]string]int) {
		for _, st := range states {
			for _, ev := range events {
				n := seen[[2]string{st, ev}]
				switch {
				case n >= Enough:
				case slices.ContainsFunc(reasons, func(r reason) bool { return r.covers(kind, st, ev) }):
					explained++
				default:
					unexplained = append(unexplained, fmt.Sprintf("%s\t%s\t%s\t%d", kind, st, ev, n))
				}
			}
		}
	}
	var gusts []string
	for _, k := range kinds() {
		gusts = append(gusts, k.name)
	}
	flying := slices.Compact(slices.Sorted(slices.Values(actions[:])))
	look("path", mpath.PathStates(), mpath.EventNames(), c.Paths)
	look("map", mpath.MapStates(), mpath.EventNames(), c.Maps)
	look("gust", gusts, flying, c.Gusts)
	return unexplained, explained
}

// reason is a line of unreached.txt.
type reason struct{ kind, state, event, why string }

func parseReasons(text string) []reason {
	var out []reason
	for line := range strings.Lines(text) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 4 && !strings.HasPrefix(line, "#") {
			out = append(out, reason{f[0], f[1], f[2], f[3]})
		}
	}
	return out
}

func (r reason) covers(kind, state, event string) bool {
	return r.kind == kind && matches(r.state, state) && matches(r.event, event)
}

// matches compares with a pattern in which * stands for any text.
func matches(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, first) {
		return false
	}
	for i := len(first); i <= len(s); i++ {
		if matches(rest, s[i:]) {
			return true
		}
	}
	return false
}

// Enough is how often each pair shall have been seen.
const Enough = 100

// read takes a line that Write printed.
func (c *Cover) read(line string) error {
	f := strings.Split(line, "\t")
	if len(f) != 4 {
		return fmt.Errorf("%q is not a kind, a state, an event and a count", line)
	}
	n, err := strconv.Atoi(f[3])
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a count", f[3])
	}
	pairs, ok := map[string]map[[2]string]int{"path": c.Paths, "map": c.Maps, "gust": c.Gusts}[f[0]]
	if !ok {
		return fmt.Errorf("%q is none of path, map, gust", f[0])
	}
	pairs[[2]string{f[1], f[2]}] += n
	return nil
}

// Write prints the pairs with their counts, one a line, sorted.
func (c *Cover) Write(out io.Writer) {
	for _, part := range []struct {
		name  string
		pairs map[[2]string]int
	}{{"path", c.Paths}, {"map", c.Maps}, {"gust", c.Gusts}} {
		keys := make([][2]string, 0, len(part.pairs))
		for k := range part.pairs {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
		for _, k := range keys {
			fmt.Fprintf(out, "%s\t%s\t%s\t%d\n", part.name, k[0], k[1], part.pairs[k])
		}
	}
}
