package configs

import (
	"strings"
	"testing"
	"unicode"
)

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("x", 3000)
	tests := []struct {
		name, conf string
		want       string
	}{
		{"tabs", "defaults {\n\tfailback\timediate\n}\n", "    2 | \tfailback\timediate\n      | \t        \t^~~~~~~~\n"},
		{"quotes", "defaults {\n\tfailback \"im ediate\" # so\n}\n", "    2 | \tfailback \"im ediate\" # so\n      | \t         ^~~~~~~~~~~\n"},
		{"umlauts before it", "defaults {\n\u00fc\u00fc verbos 1\n}\n", "    2 | \u00fc\u00fc verbos 1\n      |    ^~~~~~\n"},
		{"carriage return at the end", "defaults {\r\n\tverbos 1\r\n}\r\n", "    2 | \tverbos 1\n      | \t^~~~~~\n"},
		{"bytes of no text", "defaults {\n\x01\xff verbos 1\n}\n", "    2 | ?? verbos 1\n      |           ^\n"},
		{"a quote that is not closed", "defaults {\n\tprio \"alua\n}\n", "    2 | \tprio \"alua\n      | \t     ^~~~~\n"},
		{"a long line, early", "defaults {\n\tverbos " + long + "\n}\n", "    2 | \tverbos " + long[:53] + "...\n      | \t^~~~~~\n"},
		{"a long line, late", "defaults {\n\tverbosity 1 " + long + "\n}\n", "    2 | \tverbosity 1 " + long[:60] + "...\n      | \t            " + "^" + strings.Repeat("~", 59) + "\n"},
		{"far behind", "defaults {" + strings.Repeat(" ", 3000) + "x\n}\n", "    1 | ..." + strings.Repeat(" ", 60) + "x\n      |    " + strings.Repeat(" ", 60) + "^\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, messages, err := Parse([]File{{Path: "m.conf", Data: []byte(tt.conf)}})
			if err != nil || len(messages) == 0 {
				t.Fatalf("got %v, %v", messages, err)
			}
			if got := messages[0].Excerpt(); got != tt.want {
				t.Errorf("%s\ngot\n%swant\n%s", messages[0], got, tt.want)
			}
		})
	}
}

func TestExcerptOfAnError(t *testing.T) {
	_, _, err := Parse([]File{{Path: "m.conf", Data: []byte("blacklist {\n\tdevnode \"*\"\n}\n")}})
	bad, ok := err.(*Error)
	if want := "    2 | \tdevnode \"*\"\n      | \t        ^~~\n"; !ok || bad.Message.Excerpt() != want {
		t.Errorf("got %v, want\n%s", err, want)
	}
	if got := (Message{Text: "x"}).Excerpt(); got != "" {
		t.Errorf("no line: got %q", got)
	}
}

// A message of another part of the file, and of two files.
func TestExcerptOfEachFile(t *testing.T) {
	_, messages, err := Parse([]File{
		{Path: "main", Data: []byte("multipaths {\n\tmultipath {\n\t\twwid 1\n\t}\n}\n")},
		{Path: "a.conf", Data: []byte("multipaths {\n\tmultipath { # two\n\t\twwid 1 # again\n\t}\n}\n"), DropIn: true},
	})
	if err != nil || len(messages) != 1 {
		t.Fatalf("got %v, %v", messages, err)
	}
	if want := "    3 | \t\twwid 1 # again\n      | \t\t^~~~\n"; messages[0].Excerpt() != want {
		t.Errorf("got\n%swant\n%s", messages[0].Excerpt(), want)
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		level         Level
		daemon, check bool
	}{{LevelNote, false, false}, {LevelWarning, false, true}, {LevelError, true, true}} {
		m := Message{Level: tt.level}
		if m.Refused(false) != tt.daemon || m.Refused(true) != tt.check {
			t.Errorf("%v: got %v, %v, want %v, %v", tt.level, m.Refused(false), m.Refused(true), tt.daemon, tt.check)
		}
	}
}

func FuzzExcerpt(f *testing.F) {
	f.Add([]byte("\tfailback imediate"), 11)
	f.Add([]byte("\xff\"\u00fc\t\r"), 2)
	f.Fuzz(func(t *testing.T, text []byte, column int) {
		source, mark := excerpt(text, column)
		if len(source) > 3*(excerptBefore+excerptAfter)+6 || len(mark) > len(source)+1 || !strings.Contains(mark, "^") {
			t.Errorf("%q, column %d: got %q, %q", text, column, source, mark)
		}
		for _, r := range source + mark {
			if r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("%q, column %d: got %q, %q", text, column, source, mark)
			}
		}
	})
}
