package mutate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExplained: keys, patterns, several keys with one reason; nothing without a reason.
func TestExplained(t *testing.T) {
	file := filepath.Join(t.TempDir(), "explained")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# a remark\nmpath (*Machine).a drop `x`\nmpath (*Machine).b *\n\tNothing\n\tdepends on it.\n\nmpath c if-true *err*\n\tNever.\n")
	e, err := ReadExplained(file)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"mpath (*Machine).a drop `x`":       "Nothing depends on it.",
		"mpath (*Machine).a drop `x` #2":    "",
		"mpath (*Machine).b remove `y` #2":  "Nothing depends on it.",
		"mpath c if-true `err != nil`":      "Never.",
		"mpath c if-true `e != nil`":        "",
		"engine (*Machine).b remove `y` #2": "",
	} {
		if why, ok := e.Why(key); why != want || ok != (want != "") {
			t.Errorf("%s: %q %v", key, why, ok)
		}
	}
	for _, bad := range []string{"\tof nothing\n", "mpath a drop `x`\n", "a\n\twhy\na\n\twhy\n"} {
		write(bad)
		if _, err := ReadExplained(file); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, err := ReadExplained("../../" + ExplainedFile); err != nil {
		t.Error(err)
	}
}

// TestEdits: what is wrapped stays in order, also where wraps begin or end together.
func TestEdits(t *testing.T) {
	src := []byte("a && b")
	var e edits
	e.begin(0, "(")
	e.begin(0, "[")
	e.end(1, "]")
	e.replace(2, 4, "||")
	e.begin(5, "<")
	e.end(6, ">")
	e.end(6, ")")
	if got := string(e.apply(src)); got != "([a] || <b>)" {
		t.Errorf("%s", got)
	}
}

// TestEveryOperator makes the mutants of a small package and sees that each kind is
// found, that all of them compile, and that words for people are let be.
func TestEveryOperator(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Make(root, t.TempDir(), []string{"mpath"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[Op]int{}
	keys := map[string]bool{}
	for _, m := range b.Mutants {
		kinds[m.Op]++
		if keys[m.Key()] {
			t.Errorf("two mutants are called %s", m.Key())
		}
		keys[m.Key()] = true
		if strings.Contains(m.Text, "mc.note(") && m.Op == OpRemove {
			t.Errorf("a log line is mutated: %s", m.Key())
		}
	}
	for _, op := range []Op{OpIfTrue, OpIfFalse, OpDrop, OpBoundary, OpNegate, OpArith, OpNext, OpTwice, OpMinMax, OpRemove} {
		if kinds[op] == 0 {
			t.Errorf("no mutant of kind %s", op)
		}
	}
}
