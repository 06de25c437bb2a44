package configs

import (
	"bytes"
	"iter"
)

// token is one word, quoted string or brace of a line.
type token struct {
	text   string
	column int  // from 1, in bytes
	quoted bool // text is what stood between quotes, `""` resolved
	open   bool // quoted without closing quote
}

// is says whether the token is this word or brace, unquoted.
func (t token) is(word string) bool { return !t.quoted && t.text == word }

// line is one line of a file that has tokens.
type line struct {
	number int // from 1
	tokens []token
	cut    int // column where a carriage return or NUL hid something, 0 if none did
}

// split goes through a file's lines. A line ends at a newline; a carriage return or
// a NUL before it hides the rest of the line, as for the reader of multipath-tools.
// One line is held at a time: a file of many short lines takes no more room than
// what it says.
func split(data []byte) iter.Seq[line] {
	return func(yield func(line) bool) {
		for number := 1; len(data) > 0; number++ {
			text, rest, _ := bytes.Cut(data, []byte{'\n'})
			data = rest
			l := line{number: number}
			if i := bytes.IndexAny(text, "\r\x00"); i >= 0 {
				if len(bytes.TrimSpace(text[i+1:])) > 0 {
					l.cut = i + 1
				}
				text = text[:i]
			}
			if l.tokens = tokens(text, maxTokens); (len(l.tokens) > 0 || l.cut > 0) && !yield(l) {
				return
			}
		}
	}
}

// maxTokens is how many tokens of a line are looked at: a statement has two, and
// the third is spoken of.
const maxTokens = 4

// Words reads a line as the configuration is read, for others who take words of that
// kind: the commands of multipathd's socket. It gives at most that many.
func Words(line string, most int) []string {
	var out []string
	for _, t := range tokens([]byte(line), most) {
		out = append(out, t.text)
	}
	return out
}

// tokens reads one line. Blanks and bytes outside ASCII separate, `#` and `!`
// start a comment, a quote starts a string that a quote ends and two stand for
// one, braces stand for themselves without blanks around them.
func tokens(text []byte, most int) []token {
	var out []token
	for i := 0; i < len(text) && len(out) < most; {
		switch c := text[i]; {
		case separates(c):
			i++
		case c == '#' || c == '!':
			return out
		case c == '{' || c == '}':
			out = append(out, token{text: string(c), column: i + 1})
			i++
		case c == '"':
			var t token
			t, i = quoted(text, i)
			out = append(out, t)
		default:
			start := i
			for i < len(text) && !separates(text[i]) && !bytes.ContainsRune([]byte(`#!{}"`), rune(text[i])) {
				i++
			}
			out = append(out, token{text: string(text[start:i]), column: start + 1})
		}
	}
	return out
}

func quoted(text []byte, start int) (token, int) {
	t := token{column: start + 1, quoted: true, open: true}
	var value []byte
	i := start + 1
	for ; i < len(text); i++ {
		if text[i] != '"' {
			value = append(value, text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			value = append(value, '"')
			i++
			continue
		}
		t.open = false
		i++
		break
	}
	t.text = string(value)
	return t, i
}

func separates(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' || c >= 0x80 }
