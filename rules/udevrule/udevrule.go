// Package udevrule reads udev's rules files: text in, rules out, as udev(7) says
// and systemd 252 reads them. It is pure, and bounded by the text it is given.
package udevrule

import (
	"fmt"
	"strings"
)

// Limits. udevd leaves out a rule that is longer than its line buffer
// (UTIL_LINE_SIZE).
const (
	MaxFileBytes = 4 << 20
	maxRuleBytes = 16 << 10
	maxTokens    = 256 // of one rule
)

// Rule is one rule: a line, or several joined by backslashes.
type Rule struct {
	Line   int // of the file, from 1: where the rule begins
	Tokens []Token
	Text   string // as written, lines joined
}

// Token is one key with its operator and value.
type Token struct {
	Key   string // "ENV"
	Attr  string // of ENV{DM_NAME}: "DM_NAME"
	Op    Op
	Value string // unescaped
}

// String gives `ENV{DM_NAME}=="x"`, with quotes and control bytes escaped.
func (t Token) String() string {
	name := t.Key
	if t.Attr != "" {
		name += "{" + t.Attr + "}"
	}
	return fmt.Sprintf("%s%s%q", name, t.Op, t.Value)
}

// Op is an operator.
type Op uint8

// Operators.
const (
	OpUnknown Op = iota
	OpMatch
	OpNoMatch
	OpAssign
	OpAdd
	OpRemove
	OpFinal
)

// IsMatch reports whether the operator makes a condition.
func (o Op) IsMatch() bool { return o == OpMatch || o == OpNoMatch }

// String gives the operator as it is written.
func (o Op) String() string {
	switch o {
	case OpMatch:
		return "=="
	case OpNoMatch:
		return "!="
	case OpAssign:
		return "="
	case OpAdd:
		return "+="
	case OpRemove:
		return "-="
	case OpFinal:
		return ":="
	default:
		return "?"
	}
}

// Problem is a rule that cannot be read. udevd leaves it out, and so do we.
type Problem struct {
	Line int
	Text string
}

// Parse reads a rules file.
func Parse(data []byte) (rules []Rule, problems []Problem) {
	if len(data) > MaxFileBytes {
		return nil, []Problem{{1, fmt.Sprintf("the file has %d bytes, %d are the most", len(data), MaxFileBytes)}}
	}
	for _, l := range logicalLines(string(data)) {
		if l.tooLong {
			problems = append(problems, Problem{l.number, fmt.Sprintf("the rule is longer than %d bytes: udevd leaves it out", maxRuleBytes)})
			continue
		}
		tokens, err := readTokens(l.text)
		if err != nil {
			problems = append(problems, Problem{l.number, err.Error()})
			continue
		}
		if len(tokens) > 0 {
			rules = append(rules, Rule{Line: l.number, Tokens: tokens, Text: l.text})
		}
	}
	return rules, problems
}

type logicalLine struct {
	number  int
	text    string
	tooLong bool
}

// logicalLines joins lines that end in a backslash. Comment lines do not count,
// not even between two that are joined.
func logicalLines(text string) []logicalLine {
	var out []logicalLine
	var parts []string
	start, size := 0, 0
	end := func() {
		if len(parts) > 0 {
			l := logicalLine{number: start, text: strings.Join(parts, ""), tooLong: size >= maxRuleBytes}
			if l.tooLong {
				l.text = ""
			}
			if l.tooLong || strings.TrimSpace(l.text) != "" {
				out = append(out, l)
			}
		}
		parts, size = nil, 0
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(parts) == 0 {
			start = number
		}
		joined := strings.HasSuffix(line, `\`)
		line = strings.TrimSuffix(line, `\`)
		if size += len(line); size < maxRuleBytes {
			parts = append(parts, line)
		} else if len(parts) == 0 {
			parts = append(parts, "")
		}
		if !joined {
			end()
		}
	}
	end()
	return out
}

// readTokens reads one rule.
func readTokens(s string) ([]Token, error) {
	var tokens []Token
	for {
		s = strings.TrimLeft(s, " \t,")
		if s == "" {
			return tokens, nil
		}
		if len(tokens) == maxTokens {
			return nil, fmt.Errorf("more than %d keys in one rule", maxTokens)
		}
		t, rest, err := readToken(s)
		if err != nil {
			return nil, err
		}
		tokens, s = append(tokens, t), rest
	}
}

func readToken(s string) (t Token, rest string, err error) {
	n := strings.IndexFunc(s, func(c rune) bool { return !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_') })
	if n < 0 {
		return t, "", fmt.Errorf("%.20s without an operator (== != = += -= :=)", s)
	}
	if n == 0 {
		return t, "", fmt.Errorf("no key where one should be: %.20q", s)
	}
	t.Key, s = s[:n], s[n:]
	if s[0] == '{' {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return t, "", fmt.Errorf("%s{ without a }", t.Key)
		}
		t.Attr, s = s[1:end], s[end+1:]
	}
	t.Op, s = readOp(strings.TrimLeft(s, " \t"))
	if t.Op == OpUnknown {
		return t, "", fmt.Errorf("%s without an operator (== != = += -= :=)", t.Key)
	}
	s = strings.TrimLeft(s, " \t")
	escaped := strings.HasPrefix(s, `e"`)
	if escaped {
		s = s[1:]
	}
	if !strings.HasPrefix(s, `"`) {
		return t, "", fmt.Errorf("%s%s without a value in double quotes", t.Key, t.Op)
	}
	t.Value, rest, err = readString(s[1:], escaped)
	if err != nil {
		return t, "", fmt.Errorf("%s%s: %w", t.Key, t.Op, err)
	}
	return t, rest, nil
}

func readOp(s string) (Op, string) {
	for _, op := range [...]Op{OpMatch, OpNoMatch, OpAdd, OpRemove, OpFinal, OpAssign} {
		if rest, ok := strings.CutPrefix(s, op.String()); ok {
			return op, rest
		}
	}
	return OpUnknown, s
}

// readString reads up to the closing quote. \" stands for a quote; in an e""
// string the escapes of C hold too.
func readString(s string, escaped bool) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '"':
			i++
			b.WriteByte('"')
		case s[i] == '\\' && escaped:
			n, ok := unescape(s[i+1:], &b)
			if !ok {
				return "", "", fmt.Errorf("no such escape: %.6q", s[i:])
			}
			i += n
		case s[i] == 0:
			return "", "", fmt.Errorf("a NUL byte in a value")
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", fmt.Errorf("no closing quote")
}

// unescape reads what follows a backslash, and how many bytes that is.
func unescape(s string, b *strings.Builder) (n int, ok bool) {
	if s == "" {
		return 0, false
	}
	if at := strings.IndexByte(`abfnrtvs\'`, s[0]); at >= 0 {
		b.WriteByte("\a\b\f\n\r\t\v \\'"[at])
		return 1, true
	}
	digits, base, skip := 3, byte(8), 0
	if s[0] == 'x' {
		digits, base, skip = 2, 16, 1
	}
	if len(s) < skip+digits {
		return 0, false
	}
	v := 0
	for _, c := range []byte(s[skip : skip+digits]) {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if c >= '0' && c <= '9' {
			d = int(c - '0')
		}
		if d < 0 || d >= int(base) {
			return 0, false
		}
		v = v*int(base) + d
	}
	if v == 0 || v > 255 {
		return 0, false
	}
	b.WriteByte(byte(v))
	return skip + digits, true
}
