package udevrule

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func texts(rules []Rule) (out []string) {
	for _, r := range rules {
		var words []string
		for _, t := range r.Tokens {
			words = append(words, t.String())
		}
		out = append(out, fmt.Sprintf("%d %s", r.Line, strings.Join(words, " ")))
	}
	return out
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
		problems   []string
	}{
		{"one rule", "KERNEL==\"sd?\", SUBSYSTEM==\"block\", SYMLINK+=\"a\"\n", []string{`1 KERNEL=="sd?" SUBSYSTEM=="block" SYMLINK+="a"`}, nil},
		{"blanks and no commas", "\t KERNEL = = \"x\"", nil, []string{"1 KERNEL= without a value in double quotes"}},
		{"blanks around operators", "KERNEL  ==  \"x\"  ,,,OWNER:=\"o\" MODE=\"0660\"", []string{`1 KERNEL=="x" OWNER:="o" MODE="0660"`}, nil},
		{"CRLF and no newline at the end", "# c\r\nA==\"1\"\r\nB!=\"2\"", []string{`2 A=="1"`, `3 B!="2"`}, nil},
		{"joined, with a comment between", "A==\"1\", \\\n# no\n  B-=\"2\"\nC=\"3\"\n", []string{`1 A=="1" B-="2"`, `4 C="3"`}, nil},
		{"joined at the end of the file", "A==\"1\", \\", []string{`1 A=="1"`}, nil},
		{"a comment that ends in a backslash", "# x \\\nA==\"1\"\n", []string{`2 A=="1"`}, nil},
		{"attribute", `ENV{DM_UUID}=="mpath-?*", ATTRS{../x}=="y"`, []string{`1 ENV{DM_UUID}=="mpath-?*" ATTRS{../x}=="y"`}, nil},
		{"escaped quote", `RUN+="sh -c 'echo \"x\"'"`, []string{`1 RUN+="sh -c 'echo \"x\"'"`}, nil},
		{"other backslashes stay", `A=="a\d\\b"`, []string{`1 A=="a\\d\\\\b"`}, nil},
		{"C escapes", `A==e"a\tb\x41\101\\\s\""`, []string{`1 A=="a\tbAA\\ \""`}, nil},
		{"hash inside a value", `A=="x#y"`, []string{`1 A=="x#y"`}, nil},
		{"empty file", "\n\n# only\n   \n", nil, nil},
		{"bad escape", "A==e\"\\q\"\nB==\"1\"", []string{`2 B=="1"`}, []string{`1 A==: no such escape: "\\q\""`}},
		{"octal zero", `A==e"\000"`, nil, []string{`1 A==: no such escape: "\\000\""`}},
		{"no closing quote", `A=="x`, nil, []string{"1 A==: no closing quote"}},
		{"no quotes", "A==x", nil, []string{"1 A== without a value in double quotes"}},
		{"no operator", "LABEL", nil, []string{"1 LABEL without an operator (== != = += -= :=)"}},
		{"no key", "==\"x\"", nil, []string{`1 no key where one should be: "==\"x\""`}},
		{"open brace", "ENV{x==\"y\"", nil, []string{"1 ENV{ without a }"}},
		{"binary", "\x00\x01\xff", nil, []string{`1 no key where one should be: "\x00\x01\xff"`}},
		{"NUL in a value", "A==\"x\x00\"", nil, []string{"1 A==: a NUL byte in a value"}},
		{"too long", strings.Repeat("A==\"1\", \\\n", 3000) + "B==\"2\"\nC==\"3\"\n", []string{`3002 C=="3"`}, []string{"1 the rule is longer than 16384 bytes: udevd leaves it out"}},
		{"one long line", "A==\"" + strings.Repeat("x", 20000) + "\"\nC==\"3\"\n", []string{`2 C=="3"`}, []string{"1 the rule is longer than 16384 bytes: udevd leaves it out"}},
		{"too many keys", strings.Repeat(`A=="1"`, 300), nil, []string{"1 more than 256 keys in one rule"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, problems := Parse([]byte(c.text))
			var said []string
			for _, p := range problems {
				said = append(said, fmt.Sprintf("%d %s", p.Line, p.Text))
			}
			if diff := cmp.Diff(c.want, texts(rules)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.problems, said); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, problems := Parse(make([]byte, MaxFileBytes+1)); len(problems) != 1 || !strings.Contains(problems[0].Text, "the most") {
		t.Errorf("a huge file: %v", problems)
	}
}

// Whatever the text: no panic, and what is read again from its own print is the
// same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`KERNEL=="sd?", PROGRAM=="/usr/lib/udev/scsi_id -g -u -d /dev/$name", RESULT=="3600", SYMLINK+="a", OWNER="o"`))
	f.Add([]byte("A==e\"\\x41\", \\\n# c\nB{c}:=\"d\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, _ := Parse(data)
		for _, r := range rules {
			if r.Line < 1 || r.Line > strings.Count(string(data), "\n")+1 {
				t.Fatalf("line %d", r.Line)
			}
			var again []string
			for _, tok := range r.Tokens {
				if strings.ContainsAny(tok.Value, "\n\r") || strings.HasSuffix(tok.Value, `\`) {
					return // cannot stand in a plain string
				}
				name := tok.Key
				if tok.Attr != "" {
					name += "{" + tok.Attr + "}"
				}
				again = append(again, name+tok.Op.String()+`"`+strings.ReplaceAll(tok.Value, `"`, `\"`)+`"`)
			}
			text := strings.Join(again, ",")
			if len(text) >= maxRuleBytes || strings.Contains(text, `\\"`) {
				return
			}
			back, problems := Parse([]byte(text))
			if len(problems) != 0 || len(back) != 1 || !cmp.Equal(back[0].Tokens, r.Tokens) {
				t.Fatalf("%q: %v, %v", text, texts(back), problems)
			}
		}
	})
}
