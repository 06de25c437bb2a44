package table

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// queueWord is the feature that keeps I/O while no path works.
const queueWord = "queue_if_no_path"

// Table is the parameters of one multipath target, what stands after
// "0 <sectors> multipath ". Slices of length 0 are nil in what Parse returns.
type Table struct {
	Features []string // words in order, arguments included: "pg_init_retries", "50"
	Handler  []string // hardware handler's name and its arguments; empty: none
	Groups   []Group  // priority groups, the kernel tries them in this order
	First    int      // the group to use first, from 1; 0 if there are no groups. Read back: the current one
}

// Group is one priority group.
type Group struct {
	Selector string   // "service-time", "round-robin", "queue-length", …
	SelArgs  []string // arguments of the selector itself, mostly none
	Paths    []Path
}

// Path is one path and its selector's arguments for it: one, the repeat count
// (minio), in what we write; as many as the selector likes in what is read.
type Path struct {
	Dev  DevNum
	Args []string
}

// Parse reads a multipath table: what String writes and what DM_TABLE_STATUS with
// DM_STATUS_TABLE_FLAG returns. Every count is checked against the words that are
// there. The error is a *ParseError unless the text is over MaxTextBytes.
func Parse(text string) (Table, error) {
	w := newWords("table", text)
	var t Table
	t.Features = w.group("features")
	t.Handler = w.group("hardware handler arguments")
	n := w.number("number of groups", MaxCount)
	first := w.next
	t.First = w.number("first group", MaxCount)
	if t.First > n {
		w.fail(first, fmt.Sprintf("first group, of %d", n))
	}
	for i := 0; i < n && w.err == nil; i++ {
		t.Groups = append(t.Groups, parseGroup(w))
	}
	w.end()
	if w.err != nil {
		return Table{}, w.err
	}
	return t, nil
}

func parseGroup(w *words) Group {
	g := Group{Selector: w.word("path selector")}
	g.SelArgs = w.group("selector arguments")
	paths := w.count("number of paths", 1)
	args := w.number("number of arguments per path", MaxCount)
	for i := 0; i < paths && w.err == nil; i++ {
		g.Paths = append(g.Paths, Path{Dev: w.dev(), Args: w.args("path's arguments", args)})
	}
	return g
}

// String is the text to load, words separated by one space. It is what Parse
// reads if Check finds nothing.
func (t Table) String() string {
	b := appendGroup(nil, t.Features)
	b = appendGroup(b, t.Handler)
	b = append(b, strconv.Itoa(len(t.Groups)), strconv.Itoa(t.First))
	for _, g := range t.Groups {
		b = append(b, g.Selector)
		b = appendGroup(b, g.SelArgs)
		args := 0
		if len(g.Paths) > 0 {
			args = len(g.Paths[0].Args)
		}
		b = append(b, strconv.Itoa(len(g.Paths)), strconv.Itoa(args))
		for _, p := range g.Paths {
			b = append(b, p.Dev.String())
			b = append(b, p.Args...)
		}
	}
	return strings.Join(b, " ")
}

func appendGroup(b, words []string) []string {
	return append(append(b, strconv.Itoa(len(words))), words...)
}

// Check says why the kernel would not take t or would take it for something else:
// a word that is not one word, a first group that is not there, an empty group,
// paths of one group with unlike argument counts, a device that stands twice.
func (t Table) Check() error {
	if err := checkWords("feature", t.Features); err != nil {
		return err
	}
	if err := checkWords("hardware handler", t.Handler); err != nil {
		return err
	}
	switch n := len(t.Groups); {
	case n > MaxCount:
		return fmt.Errorf("multipath table: %d groups, the kernel takes %d", n, MaxCount)
	case n == 0 && t.First != 0:
		return fmt.Errorf("multipath table: first group %d of none", t.First)
	case n > 0 && (t.First < 1 || t.First > n):
		return fmt.Errorf("multipath table: first group %d of %d", t.First, n)
	}
	seen := make(map[DevNum]int)
	for i, g := range t.Groups {
		if err := g.check(); err != nil {
			return fmt.Errorf("multipath table: group %d: %w", i+1, err)
		}
		for _, p := range g.Paths {
			if j := seen[p.Dev]; j > 0 {
				return fmt.Errorf("multipath table: path %s stands in group %d and in group %d", p.Dev, j, i+1)
			}
			seen[p.Dev] = i + 1
		}
	}
	return nil
}

func (g Group) check() error {
	if err := checkWords("selector", []string{g.Selector}); err != nil {
		return err
	}
	if err := checkWords("selector argument", g.SelArgs); err != nil {
		return err
	}
	if n := len(g.Paths); n < 1 || n > MaxCount {
		return fmt.Errorf("%d paths, the kernel takes 1 to %d", n, MaxCount)
	}
	for _, p := range g.Paths {
		if p.Dev.IsZero() || p.Dev.Major > MaxMajor || p.Dev.Minor > MaxMinor {
			return fmt.Errorf("path %s is no device number", p.Dev)
		}
		if len(p.Args) != len(g.Paths[0].Args) {
			return fmt.Errorf("path %s has %d arguments, path %s has %d: must be alike", p.Dev, len(p.Args), g.Paths[0].Dev, len(g.Paths[0].Args))
		}
		if err := checkWords("path argument", p.Args); err != nil {
			return err
		}
	}
	return nil
}

// checkWords refuses what dm_split_args would not hand on as one word.
func checkWords(what string, words []string) error {
	if len(words) > MaxCount {
		return fmt.Errorf("%d words of %s, the kernel takes %d", len(words), what, MaxCount)
	}
	for _, s := range words {
		if s == "" {
			return fmt.Errorf("%s is empty", what)
		}
		for i := 0; i < len(s); i++ {
			if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' {
				return fmt.Errorf("%s %q: character %q cannot stand in a table", what, s, c)
			}
		}
	}
	return nil
}

// QueueIfNoPath reports whether I/O waits while no path works.
func (t Table) QueueIfNoPath() bool { return slices.Contains(t.Features, queueWord) }

// WithQueue is a copy of t with queue_if_no_path on or off; other features keep
// their order, a new one is appended.
func (t Table) WithQueue(on bool) Table {
	c := t.Clone()
	switch {
	case on && !c.QueueIfNoPath():
		c.Features = append(c.Features, queueWord)
	case !on:
		c.Features = slices.DeleteFunc(c.Features, func(s string) bool { return s == queueWord })
		if len(c.Features) == 0 {
			c.Features = nil
		}
	}
	return c
}

// Devs is every path's device in the table's order.
func (t Table) Devs() []DevNum {
	var devs []DevNum
	for _, g := range t.Groups {
		for _, p := range g.Paths {
			devs = append(devs, p.Dev)
		}
	}
	return devs
}

// Clone shares nothing with t.
func (t Table) Clone() Table {
	c := Table{Features: slices.Clone(t.Features), Handler: slices.Clone(t.Handler), First: t.First}
	c.Groups = slices.Clone(t.Groups)
	for i := range c.Groups {
		g := &c.Groups[i]
		g.SelArgs = slices.Clone(g.SelArgs)
		g.Paths = slices.Clone(g.Paths)
		for j := range g.Paths {
			g.Paths[j].Args = slices.Clone(g.Paths[j].Args)
		}
	}
	return c
}
