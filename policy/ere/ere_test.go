package ere

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// measured is one pattern with what glibc 2.36 made of it.
type measured struct {
	Pattern  string          `json:"pattern"` // hex when Hex
	Hex      bool            `json:"hex,omitempty"`
	Error    int             `json:"error,omitempty"` // regcomp's return value
	Subjects map[string]bool `json:"subjects,omitempty"`
	Differs  string          `json:"differs,omitempty"` // why this package answers otherwise
}

// regcompCodes are glibc's numbers.
var regcompCodes = map[int]Code{
	2: CodeBracket, 3: CodeCollate, 4: CodeClass, 5: CodeEscape, 6: CodeBackref, 7: CodeBracket, 8: CodeParen,
	9: CodeBrace, 10: CodeBraceContents, 11: CodeRange, 13: CodeRepeat, 15: CodeTooBig,
}

func checkMeasured(t *testing.T, cases []measured) {
	t.Helper()
	for _, c := range cases {
		text := func(s string) string {
			if !c.Hex {
				return s
			}
			b, err := hex.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		pattern := text(c.Pattern)
		e, err := Compile(pattern)
		if c.Error != 0 {
			var bad *Error
			if !errors.As(err, &bad) {
				t.Errorf("Compile(%q): got %v, glibc refuses it with %d", pattern, err, c.Error)
			} else if want := regcompCodes[c.Error]; bad.Code != want {
				t.Errorf("Compile(%q): got code %d (%v), want %d", pattern, bad.Code, bad, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("Compile(%q): %v; glibc accepts it", pattern, err)
			continue
		}
		for s, want := range c.Subjects {
			if c.Differs != "" {
				want = !want
			}
			if got, err := e.Try(text(s)); got != want || err != nil {
				t.Errorf("%q on %q: got %v, %v, want %v", pattern, text(s), got, err, want)
			}
		}
	}
}

func TestMeasuredOnGlibc(t *testing.T) {
	path := "testdata/glibc.json"
	if more := os.Getenv("PATHKEEPER_ERE_CASES"); more != "" {
		path = more
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []measured
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 200 {
		t.Fatalf("%s has only %d cases", path, len(cases))
	}
	checkMeasured(t, cases)
}

func TestRule(t *testing.T) {
	tests := []struct {
		pattern, subject string
		want             bool
	}{
		{"!^(sd[a-z]|dasd[a-z]|nvme[0-9])", "sda", false},
		{"!^(sd[a-z]|dasd[a-z]|nvme[0-9])", "loop0", true},
		{"^sd", "sda", true},
		{`\!x`, "!x", true},
		{`\!x`, "x", false},
		{"!", "anything", false},
		{"!!x", "!x", false},
		{"!!x", "x", true},
	}
	for _, tt := range tests {
		r, err := CompileRule(tt.pattern)
		if err != nil {
			t.Errorf("CompileRule(%q): %v", tt.pattern, err)
			continue
		}
		if got := r.Match(tt.subject); got != tt.want {
			t.Errorf("%q on %q: got %v, want %v", tt.pattern, tt.subject, got, tt.want)
		}
		if got := r.String(); got != tt.pattern {
			t.Errorf("String: got %q, want %q", got, tt.pattern)
		}
	}
	_, err := CompileRule("!*a")
	var bad *Error
	if !errors.As(err, &bad) || bad.Offset != 1 || bad.Pattern != "!*a" {
		t.Errorf("CompileRule(!*a): got %v, want an error at offset 1", err)
	}
}

func TestTooHard(t *testing.T) {
	e, err := Compile(`((a*)*)*b\1c`)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := e.Try(strings.Repeat("a", 250)); ok || !errors.Is(err, ErrTooHard) {
		t.Errorf("got %v, %v, want ErrTooHard", ok, err)
	}
	for _, p := range []string{"((((a*)*b*)*c*)*d*)*e", "((a{0,32767}){0,32767}){0,32767}b", "(a|aa|aaa)*(a|a)*(a*)*$b"} {
		e, err := Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := e.Try(strings.Repeat("a", 256)); ok || err != nil {
			t.Errorf("%q: got %v, %v, want no match", p, ok, err)
		}
	}
}

func FuzzCompileMatch(f *testing.F) {
	for _, p := range []string{"^sd[a-z]", `(a)\1`, "[[:alpha:]_-]*", "a{2,3}?", `\<x\>|`, "[^]a-]", "(^a|b$)*", "a{,}"} {
		f.Add(p, "sdab aa x")
	}
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		if len(pattern) > 300 || len(subject) > 256 {
			return
		}
		e, err := Compile(pattern)
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || bad.Offset > len(pattern) || bad.Code == CodeUnknown {
				t.Fatalf("Compile(%q): %#v", pattern, err)
			}
			return
		}
		if e.Match(subject) && !e.backref {
			// The set sweep and the backtracker are two ways to one answer.
			if ok, err := e.backtrack(subject); !ok && err == nil {
				t.Fatalf("%q on %q: the sweep matches, backtracking does not", pattern, subject)
			}
		}
	})
}

// BenchmarkWorst is the longest that one question can take: nested counts that
// run into the step limit, and back-references that do.
func BenchmarkWorst(b *testing.B) {
	for _, p := range []string{"(((((a|b){2,32767}c?){2,32767}|a){3,32767}b?){2,32767}|(a*b*)*)*d", `((a*)*)*b\1c`} {
		e, err := Compile(p)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(p, func(b *testing.B) {
			for b.Loop() {
				e.Match(strings.Repeat("ab", 128))
			}
		})
	}
}
