package statefile

import (
	"fmt"
	"strings"
)

// document is a text file as lines without their newlines. Joined again it is
// what was read: the last line is what follows the last newline, often "".
type document []string

func readDocument(data []byte) document { return strings.Split(string(data), "\n") }

func (d document) bytes() []byte { return []byte(strings.Join(d, "\n")) }

// add appends lines, at the end and each with a newline; a document without any
// text gets the header first.
func (d document) add(header string, lines ...string) document {
	if len(d) == 0 || len(d) == 1 && d[0] == "" {
		d = readDocument([]byte(header))
	}
	out := make(document, 0, len(d)+len(lines)+1)
	out = append(out, d...)
	if last := len(out) - 1; out[last] == "" {
		out = out[:last]
	}
	return append(append(out, lines...), "")
}

// without gives the document less some lines, by index.
func (d document) without(drop func(i int) bool) document {
	out := make(document, 0, len(d))
	for i, line := range d {
		if !drop(i) {
			out = append(out, line)
		}
	}
	return out
}

// words splits a line at blanks, tabs and carriage returns; "#" starts a comment
// wherever it stands.
func words(line string) []string {
	line, _, _ = strings.Cut(line, "#")
	return strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' || c == '\r' })
}

// cutWord gives a line's first word, as words does, and what follows it.
func cutWord(line string) (word, rest string) {
	from := 0
	for from < len(line) && isBlank(line[from]) {
		from++
	}
	to := from
	for to < len(line) && !isBlank(line[to]) && line[to] != '#' {
		to++
	}
	if to < len(line) && line[to] == '#' {
		return line[from:to], ""
	}
	return line[from:to], line[to:]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// plain reports whether a value can stand as one word of multipath-tools' files.
func plain(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t\r\n#\x00")
}

// escape writes a value as one word of our own files: blanks, control
// characters, "#", "%" and what is not ASCII become %HH.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '#' || c == '%' {
			fmt.Fprintf(&b, "%%%02x", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unescape is the inverse of escape.
func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		b.WriteByte(byte(high<<4 | low))
		i += 2
	}
	return b.String(), true
}

func hexDigit(c byte) int { return strings.IndexByte("0123456789abcdef", c) }
