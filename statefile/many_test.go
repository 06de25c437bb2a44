package statefile

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// manyLines are the lines of a large host's files.
const manyLines = 100_000

func manyBindings(from int) []Binding {
	lines := make([]Binding, 0, manyLines)
	for i := range manyLines {
		lines = append(lines, Binding{fmt.Sprintf("name%d", from+i), fmt.Sprintf("3600a098%025d", from+i)})
	}
	return lines
}

// Adding many lines to many takes one pass: what it allocates grows with the
// lines, not with their square.
func TestManyLines(t *testing.T) {
	first := manyBindings(0)
	b, err := Bindings{}.AddAll(first)
	if err != nil || len(b.Lines()) != manyLines {
		t.Fatalf("%d lines, %v", len(b.Lines()), err)
	}
	if same, err := b.AddAll(first); err != nil || !bytes.Equal(same.Bytes(), b.Bytes()) {
		t.Errorf("lines that are there change the file: %v", err)
	}
	more, err := b.AddAll(manyBindings(manyLines))
	if err != nil || !bytes.HasPrefix(more.Bytes(), b.Bytes()) || len(more.Lines()) != 2*manyLines {
		t.Errorf("%d lines, %v", len(more.Lines()), err)
	}
	few, _ := Bindings{}.AddAll(first[:manyLines/100])
	per := func(b Bindings, lines []Binding) float64 {
		return testing.AllocsPerRun(1, func() {
			if _, err := b.AddAll(lines); err != nil {
				t.Error(err)
			}
		})
	}
	small, large := per(few, manyBindings(manyLines)[:manyLines/100]), per(b, manyBindings(manyLines))
	if large > 200*small {
		t.Errorf("%v allocations for 1,000 lines on 1,000, %v for 100,000 on 100,000", small, large)
	}
	var w WWIDs
	list := make([]string, 0, manyLines)
	for _, line := range first {
		list = append(list, line.WWID)
	}
	if w, err = w.AddAll(list); err != nil || len(w.All()) != manyLines {
		t.Errorf("%d WWIDs, %v", len(w.All()), err)
	}
	ids := make([]OldID, 0, manyLines)
	for _, line := range first {
		ids = append(ids, OldID{Old: line.Alias, Canonical: line.WWID})
	}
	if o, err := (OldIDs{}).AddAll(ids); err != nil || len(o.All()) != manyLines {
		t.Errorf("%d old ids, %v", len(o.All()), err)
	}
}

// All or none, and comments, odd lines and the last line without a newline stay
// byte for byte.
func TestAddAll(t *testing.T) {
	text := "# ours\n\nmpatha 3600a\r\nmpathb\nocr1 3600b trailing words # and more\nmpatha 3600z\n  indented\t3600c"
	b, _ := ParseBindings([]byte(text))
	next, err := b.AddAll([]Binding{{"ocr1", "3600b"}, {"mpatha", "3600z"}, {"mpathc", "3600d"}, {"mpathd", "3600e"}, {"mpathc", "3600d"}})
	if want := text + "\nmpathc 3600d\nmpathd 3600e\n"; err != nil || string(next.Bytes()) != want {
		t.Errorf("%q, %v", next.Bytes(), err)
	}
	for _, bad := range [][]Binding{{{"x", "1"}, {"ocr1", "3600f"}}, {{"x", "1"}, {"x", "2"}}, {{"x", "1"}, {"a b", "2"}}} {
		if same, err := b.AddAll(bad); err == nil || string(same.Bytes()) != text {
			t.Errorf("%v: %q, %v", bad, same.Bytes(), err)
		}
	}
	for name, line := range map[string]int{"mpatha": 3, "ocr1": 5, "indented": 7, "mpathb": 0, "": 0} {
		if got := b.LineOf(name); got != line {
			t.Errorf("%s is on line %d, want %d", name, got, line)
		}
	}
	w, _ := ParseWWIDs([]byte("/a/\nodd\n/b/"))
	if next, err := w.AddAll([]string{"b", "c", "c"}); err != nil || string(next.Bytes()) != "/a/\nodd\n/b/\n/c/\n" {
		t.Errorf("%q, %v", next.Bytes(), err)
	}
	if same, err := w.AddAll([]string{"d", "a\nb"}); err == nil || strings.Contains(string(same.Bytes()), "/d/") {
		t.Errorf("%q, %v", same.Bytes(), err)
	}
	o, _ := ParseOldIDs([]byte("S1 W1\n"))
	if same, err := o.AddAll([]OldID{{"S2", "W2"}, {"S1", "W3"}}); err == nil || string(same.Bytes()) != "S1 W1\n" {
		t.Errorf("%q, %v", same.Bytes(), err)
	}
}

// A line is cut into words as any other of these files.
func TestCutWord(t *testing.T) {
	for _, line := range []string{"", " ", "#", "a", " a b\tc d", "a#b c", "a #b", "\ra\r", "a  ", "\x00 \v b", "a\u00a0b c"} {
		var got []string
		for word, rest := cutWord(line); word != ""; word, rest = cutWord(rest) {
			got = append(got, word)
		}
		if want := words(line); strings.Join(want, "|") != strings.Join(got, "|") {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
