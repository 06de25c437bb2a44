package table

import (
	"fmt"
	"slices"
	"strings"
)

// Field says in what two tables differ, and with it what would mend the difference.
type Field uint8

const (
	FieldUnknown   Field = iota
	FieldQueue           // queue_if_no_path: a message changes it, no load is needed
	FieldQueueMode       // the kernel refuses to change it in a living map
	FieldFeatures        // pg_init_retries, pg_init_delay_msecs, words unknown to us
	FieldHandler         // hardware handler's name; the kernel keeps the one that is attached
	FieldSelector        // selector or its arguments, of any group
	FieldMinIO           // repeat count, where the kernel still honours one
	FieldPathArgs        // a path's further selector arguments (weights)
	FieldPaths           // paths that are in one table only
	FieldGroups          // the same paths, grouped otherwise
	FieldOrder           // the same groups in another order
	FieldFirst           // another group to use first: a message changes it
)

// String is the word for reasons and logs.
func (f Field) String() string {
	names := [...]string{
		"unknown", "queue_if_no_path", "queue_mode", "features", "hwhandler", "selector", "minio",
		"path arguments", "paths", "groups", "group order", "first group",
	}
	if int(f) < len(names) {
		return names[f]
	}
	return names[0]
}

// Difference is one thing in which a wanted table and the kernel's differ.
type Difference struct {
	Field      Field
	Want, Have string
}

// String is `features: want "pg_init_retries 5", have ""`.
func (d Difference) String() string {
	return fmt.Sprintf("%s: want %q, have %q", d.Field, d.Want, d.Have)
}

// Diff compares a wanted table with what the kernel returned, in the order of the
// fields above, each field at most once. Nil means that loading want would change
// nothing. Ignored, because the kernel makes these differences itself:
//   - the order of features, retain_attached_hw_handler (implied since Linux 4.3),
//     queue_mode rq and mq, which are the default and not printed, pg_init_retries 0;
//   - arguments of the hardware handler (never printed) and a handler wanted with
//     queue_mode bio (dropped by the kernel);
//   - a repeat count: since Linux 4.6 the kernel makes every one 1, and
//     historical-service-time prints 0; only a have over 1 counts;
//   - selector arguments that were not asked for, and per-path arguments of selectors
//     that print them in a form of their own (io-affinity, historical-service-time);
//   - the order of paths in a group.
func Diff(want, have Table) []Difference {
	if same(want, have) {
		return nil // as nearly always, and it is asked at every step of a map
	}
	wf, hf := splitFeatures(want.Features), splitFeatures(have.Features)
	var d differences
	d.add(FieldQueue, onOff(wf.queue), onOff(hf.queue))
	d.add(FieldQueueMode, wf.mode, hf.mode)
	d.add(FieldFeatures, strings.Join(wf.other, " "), strings.Join(hf.other, " "))
	if wf.mode != "bio" {
		d.add(FieldHandler, handlerName(want), handlerName(have))
	}

	partner := partners(want, have)
	diffSelectors(&d, want, have, partner)
	diffArgs(&d, want, have)
	wantPaths, havePaths := pathSet(want.Devs()), pathSet(have.Devs())
	d.add(FieldPaths, wantPaths, havePaths)
	if wantPaths == havePaths {
		diffGroups(&d, want, have)
	}
	return d
}

// same says whether two tables are equal word for word.
func same(a, b Table) bool {
	return a.First == b.First && slices.Equal(a.Features, b.Features) && slices.Equal(a.Handler, b.Handler) && slices.EqualFunc(a.Groups, b.Groups, func(a, b Group) bool {
		return a.Selector == b.Selector && slices.Equal(a.SelArgs, b.SelArgs) && slices.EqualFunc(a.Paths, b.Paths, func(a, b Path) bool {
			return a.Dev == b.Dev && slices.Equal(a.Args, b.Args)
		})
	})
}

type differences []Difference

// add notes a difference, once per field.
func (d *differences) add(f Field, want, have string) {
	if want == have || slices.ContainsFunc(*d, func(e Difference) bool { return e.Field == f }) {
		return
	}
	*d = append(*d, Difference{Field: f, Want: want, Have: have})
}

// features is the feature words by what they mean.
type features struct {
	queue bool
	mode  string   // "bio", else "rq"
	other []string // word and argument as one, sorted
}

func splitFeatures(list []string) features {
	f := features{mode: "rq"}
	for i := 0; i < len(list); i++ {
		word, arg := list[i], ""
		switch word {
		case "pg_init_retries", "pg_init_delay_msecs", "queue_mode":
			if i++; i < len(list) {
				arg = list[i]
			}
		}
		switch {
		case word == queueWord:
			f.queue = true
		case word == "retain_attached_hw_handler", word == "pg_init_retries" && arg == "0":
		case word == "queue_mode" && (arg == "rq" || arg == "mq"):
		case word == "queue_mode":
			f.mode = arg
		case arg != "":
			f.other = append(f.other, word+" "+arg)
		default:
			f.other = append(f.other, word)
		}
	}
	slices.Sort(f.other)
	f.other = slices.Compact(f.other)
	return f
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func handlerName(t Table) string {
	if len(t.Handler) == 0 {
		return ""
	}
	return t.Handler[0]
}

// partners gives for each wanted group the index of the kernel's group with the
// same paths; where there is none, of the one at its place, else of the last; -1 if
// the kernel has no group at all.
func partners(want, have Table) []int {
	where := make(map[string]int, len(have.Groups))
	for i, g := range have.Groups {
		where[groupSet(g)] = i
	}
	out := make([]int, len(want.Groups))
	for i, g := range want.Groups {
		j, ok := where[groupSet(g)]
		if !ok {
			j = min(i, len(have.Groups)-1)
		}
		out[i] = j
	}
	return out
}

func diffSelectors(d *differences, want, have Table, partner []int) {
	for i, w := range want.Groups {
		if partner[i] < 0 {
			return
		}
		h := have.Groups[partner[i]]
		// The selector prints its own defaults: compare what was asked for.
		n := min(len(w.SelArgs), len(h.SelArgs))
		d.add(FieldSelector, selectorText(w, len(w.SelArgs)), selectorText(h, n))
	}
}

func selectorText(g Group, args int) string {
	return strings.Join(append([]string{g.Selector}, g.SelArgs[:args]...), " ")
}

// diffArgs compares per-path arguments of the selectors that print them as they
// were written, path by path.
func diffArgs(d *differences, want, have Table) {
	type place struct {
		selector string
		args     []string
	}
	places := make(map[DevNum]place)
	for _, g := range have.Groups {
		for _, p := range g.Paths {
			places[p.Dev] = place{g.Selector, p.Args}
		}
	}
	for _, g := range want.Groups {
		for _, p := range g.Paths {
			h, ok := places[p.Dev]
			if !ok || h.selector != g.Selector {
				continue
			}
			switch g.Selector {
			case "round-robin", "queue-length", "service-time":
				w := argAt(p.Args, 0, "1")
				if have := argAt(h.args, 0, "1"); have != "1" && have != "0" {
					d.add(FieldMinIO, w, have)
				}
			}
			if g.Selector == "service-time" {
				d.add(FieldPathArgs, p.Dev.String()+" "+argAt(p.Args, 1, "1"), p.Dev.String()+" "+argAt(h.args, 1, "1"))
			}
		}
	}
}

// argAt is the i-th argument, or what the kernel takes if it is not given.
func argAt(args []string, i int, otherwise string) string {
	if i < len(args) {
		return args[i]
	}
	return otherwise
}

// diffGroups compares the grouping of two tables with the same paths.
func diffGroups(d *differences, want, have Table) {
	w, h := groupSets(want), groupSets(have)
	if sortedText(w) != sortedText(h) {
		d.add(FieldGroups, sortedText(w), sortedText(h))
		return
	}
	d.add(FieldOrder, strings.Join(w, " "), strings.Join(h, " "))
	if want.First > 0 && have.First > 0 && want.First <= len(w) && have.First <= len(h) {
		d.add(FieldFirst, w[want.First-1], h[have.First-1])
	}
}

func sortedText(sets []string) string {
	return strings.Join(slices.Sorted(slices.Values(sets)), " ")
}

// groupSets is each group's set of paths as text, in the table's order.
func groupSets(t Table) []string {
	sets := make([]string, len(t.Groups))
	for i, g := range t.Groups {
		sets[i] = groupSet(g)
	}
	return sets
}

func groupSet(g Group) string {
	devs := make([]DevNum, len(g.Paths))
	for i, p := range g.Paths {
		devs[i] = p.Dev
	}
	return "{" + pathSet(devs) + "}"
}

// pathSet is the devices sorted, separated by a space.
func pathSet(devs []DevNum) string {
	devs = slices.SortedFunc(slices.Values(devs), DevNum.Compare)
	text := make([]string, len(devs))
	for i, d := range devs {
		text[i] = d.String()
	}
	return strings.Join(text, " ")
}
