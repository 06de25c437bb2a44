package server

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// nameOf gives the first spelling of a keyword.
func nameOf(kw keyword) string {
	for _, s := range spellings() {
		if s.kw == kw {
			return s.word
		}
	}
	return "?"
}

// What multipath-tools 0.14.3 makes of each of these commands was measured.
func TestCommandsMeasured(t *testing.T) {
	data, err := os.ReadFile("../testdata/differential/unit-commands.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Command, Parse string
			Keywords       [][]string
			Accepted       bool
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 80 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	problems := map[string]problem{
		"ok": problemNone, "unknown-word": problemWord, "unknown-last-word": problemLastWord, "missing-argument": problemArgument, "no-words": problemNoWords,
	}
	for _, c := range file.Cases {
		want, known := problems[c.Parse]
		if !known {
			t.Fatalf("%q: %s", c.Command, c.Parse)
		}
		cmd, p, _ := parseCommand(c.Command)
		if p != want {
			t.Errorf("%q: problem %d, want %s", c.Command, p, c.Parse)
			continue
		}
		var got [][]string
		for _, s := range cmd {
			words := []string{nameOf(s.kw)}
			if slices.ContainsFunc(spellings(), func(sp spelling) bool { return sp.kw == s.kw && sp.arg }) {
				words = append(words, s.arg)
			}
			got = append(got, words)
		}
		if !slices.EqualFunc(got, c.Keywords, slices.Equal[[]string]) {
			t.Errorf("%q: %q, want %q", c.Command, got, c.Keywords)
		}
		if accepted := p == problemNone && handlerOf(cmd) != nil; accepted != c.Accepted {
			t.Errorf("%q: accepted %v, want %v", c.Command, accepted, c.Accepted)
		}
	}
}

// There are 61 commands, no two alike, and each is understood as its own list has it.
func TestCommandsOfTheList(t *testing.T) {
	all := commands()
	if len(all) != 61 {
		t.Errorf("%d commands, want 61", len(all))
	}
	seen := map[shape]bool{}
	for _, c := range all {
		if seen[c.shape] {
			t.Errorf("%s is there twice", c.shape)
		}
		seen[c.shape] = true
		var words []string
		for _, w := range strings.Fields(c.shape.String()) {
			words = append(words, strings.Split(w, "|")[0])
		}
		cmd, p, wrong := parseCommand(strings.Join(words, " "))
		if s, ok := shapeOf(cmd); p != problemNone || !ok || s != c.shape {
			t.Errorf("%q: problem %d at %q, shape %s", words, p, wrong, s)
		}
	}
}

func TestWordsBeyondAnyCommand(t *testing.T) {
	cmd, p, _ := parseCommand(strings.Repeat("maps ", 5))
	if p != problemNone || handlerOf(cmd) != nil {
		t.Errorf("five keywords: problem %d, handler %v", p, handlerOf(cmd) != nil)
	}
	for text, want := range map[string]problem{
		"\"\"": problemLastWord, "\"\" maps": problemWord, "show \"": problemLastWord, "\xff\xfe": problemNoWords,
		"show\tmaps\r\n": problemNone, "show maps # json": problemNone, "show path \"": problemNone,
	} {
		if _, p, _ := parseCommand(text); p != want {
			t.Errorf("%q: problem %d, want %d", text, p, want)
		}
	}
}

// Whatever is sent, the parser ends, and what it makes of it is a command of the list
// or nothing.
func FuzzCommand(f *testing.F) {
	for _, c := range commands() {
		f.Add(strings.NewReplacer("|show", "", "|multipaths", "", "|multipath", "", "|del", "", "|switchgroup", "", "|exit", "", "$", "").Replace(c.shape.String()))
	}
	f.Add("show map \"a\"\"b\" raw format \"%n %w\"")
	f.Add("show maps } { ! #")
	f.Fuzz(func(t *testing.T, text string) {
		cmd, p, wrong := parseCommand(text)
		if (p == problemNone) != (len(cmd) > 0) {
			t.Fatalf("problem %d with %d keywords", p, len(cmd))
		}
		if p == problemNone && wrong != "" {
			t.Fatalf("nothing wrong, and %q is", wrong)
		}
		for _, s := range cmd {
			if len(s.arg) > len(text) {
				t.Fatalf("a parameter of %d bytes from %d", len(s.arg), len(text))
			}
		}
		if h := handlerOf(cmd); h != nil && len(cmd) > maxKeywords {
			t.Fatal("a command of more keywords than any has")
		}
	})
}
