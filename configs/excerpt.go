package configs

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Of a line so much is kept around the column: enough to see the mistake, and no
// more than a terminal's width of a line that may be megabytes long.
const (
	excerptBefore = 60 // bytes before the column
	excerptAfter  = 60 // bytes from the column on
)

// Excerpt gives the line that the message speaks of with the offending text marked
// below it, "" where no line is known:
//
//	3 | 	failback imediate
//	  | 	         ^~~~~~~~
func (m Message) Excerpt() string {
	if m.Mark == "" {
		return ""
	}
	number := fmt.Sprintf("%5d", m.Origin.Line)
	return number + " | " + m.Source + "\n" + strings.Repeat(" ", len(number)) + " | " + m.Mark + "\n"
}

// WithSource gives each of the messages about this file the line it speaks of.
func WithSource(messages []Message, path string, data []byte) {
	wanted := map[int][]*Message{}
	last := 0
	for i := range messages {
		if m := &messages[i]; m.Origin.File == path && m.Origin.Line > 0 {
			wanted[m.Origin.Line] = append(wanted[m.Origin.Line], m)
			last = max(last, m.Origin.Line)
		}
	}
	for number := 1; number <= last; number++ {
		text, rest, _ := bytes.Cut(data, []byte{'\n'})
		data = rest
		for _, m := range wanted[number] {
			m.Source, m.Mark = excerpt(text, m.Origin.Column)
		}
	}
}

// excerpt prints the part of a line around a column, which counts bytes from 1,
// and what stands below it: the same blanks and tabs, then the mark.
func excerpt(text []byte, column int) (source, mark string) {
	text = bytes.TrimSuffix(text, []byte{'\r'})
	at := min(max(column-1, 0), len(text))
	from, to := max(at-excerptBefore, 0), min(at+excerptAfter, len(text))
	for from > 0 && from < at && !utf8.RuneStart(text[from]) {
		from++
	}
	for to < len(text) && to > at && !utf8.RuneStart(text[to]) {
		to--
	}
	end := min(at+max(wordLength(text[at:to]), 1), max(to, at+1))
	var line, below strings.Builder
	if from > 0 {
		line.WriteString("...")
		below.WriteString("   ")
	}
	for i := from; i < to; {
		r, n := utf8.DecodeRune(text[i:to])
		switch {
		case r == '\t':
		case r == utf8.RuneError && n == 1, !unicode.IsPrint(r):
			r = '?'
		}
		line.WriteRune(r)
		switch {
		case i <= at && at < i+n:
			below.WriteByte('^')
		case i > at && i < end:
			below.WriteByte('~')
		case i < at && r == '\t':
			below.WriteByte('\t')
		case i < at:
			below.WriteByte(' ')
		}
		i += n
	}
	if to < len(text) {
		line.WriteString("...")
	}
	if at >= to { // something is missing behind the line's end
		below.WriteByte('^')
	}
	return line.String(), below.String()
}

// wordLength is the length of the token at the start of a text.
func wordLength(text []byte) int {
	if len(text) > 0 && text[0] == '"' {
		if i := bytes.IndexByte(text[1:], '"'); i >= 0 {
			return i + 2
		}
		return len(bytes.TrimRight(text, " \t\r"))
	}
	if i := bytes.IndexFunc(text, func(r rune) bool {
		return r < utf8.RuneSelf && (separates(byte(r)) || strings.ContainsRune(`#!{}"`, r))
	}); i >= 0 {
		return i
	}
	return len(text)
}
