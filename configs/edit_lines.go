package configs

import (
	"bytes"
	"strings"

	"pathkeeper/policy"
)

// fileLine is one line of a multipath.conf as the reader takes it.
type fileLine struct {
	text  []byte // with its newline, if it has one
	in    place  // the section that is open where the line stands
	opens place  // the section that it opens; root: none
	// What it sets where it stands: the keyword's name of today and the value as
	// written. "" for a line that sets nothing.
	keyword string
	value   token
	old     bool    // the keyword is an old spelling, whose value may be another one
	hidden  []token // of a comment that holds nothing but a statement: its keyword and value
}

// survey goes through a file with the reader itself, so that both take each line for
// the same. open is the section that is left open at the end, and where.
func survey(data []byte) (lines []fileLine, open *frame) {
	r := &reader{words: newVocabulary(), told: map[string]bool{}}
	r.stack = []*frame{{seen: map[string]bool{}}}
	number := 0
	for raw := range bytes.Lines(data) {
		number++
		l := fileLine{text: raw, in: r.top().place}
		for read := range split(raw) {
			read.number = number
			r.take(&l, read)
		}
		l.hidden = hiddenStatement(raw)
		lines = append(lines, l)
	}
	if len(r.stack) > 1 {
		open = r.top()
	}
	return lines, open
}

// take has the reader read a line, and notes what it did with it.
func (r *reader) take(l *fileLine, read line) {
	if len(read.tokens) == 0 || !r.wellFormed(read) {
		return
	}
	depth := len(r.stack)
	r.statement(read)
	switch first := read.tokens[0]; {
	case len(r.stack) > depth:
		l.opens = r.top().place
	case len(r.stack) < depth, first.quoted, first.is("}"), first.is("{"), len(read.tokens) < 2:
	default:
		if k, ok := r.words[l.in][first.text]; ok {
			l.keyword, l.value = k.Name, read.tokens[1]
		} else if now, ok := oldKeyword(first.text, read.tokens[1].text); ok && now.keyword != "" {
			l.keyword, l.value, l.old = now.keyword, read.tokens[1], true
		}
	}
}

// hiddenStatement gives keyword and value of a comment like `#	devnode ".*" # all`.
func hiddenStatement(raw []byte) []token {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(raw, " \t"), []byte{'#'})
	if !ok || bytes.IndexByte(rest, 0) >= 0 {
		return nil
	}
	t := tokens(bytes.TrimRight(rest, "\r\n"), maxTokens)
	if len(t) != 2 || t[0].quoted || t[1].open {
		return nil
	}
	return t
}

// shown is the line of a hidden statement as a statement.
func shown(raw []byte) []byte {
	i := bytes.IndexByte(raw, '#')
	return append(append([]byte{}, raw[:i]...), raw[i+1:]...)
}

// withValue is a line with another value; everything else of it stays.
func withValue(l fileLine, value string) []byte {
	start := l.value.column - 1
	end := start + len(l.value.text)
	if l.value.quoted {
		visible := l.text
		if i := bytes.IndexAny(visible, "\n\r\x00"); i >= 0 {
			visible = visible[:i]
		}
		_, end = quoted(visible, start)
	}
	out := append([]byte{}, l.text[:start]...)
	if !separates(l.text[start-1]) { // `keyword"value"`
		out = append(out, ' ')
	}
	out = append(out, valueText(value)...)
	if rest := l.text[end:]; len(rest) > 0 && !separates(rest[0]) && rest[0] != '#' && rest[0] != '!' { // `"value"more`
		out = append(out, ' ')
	}
	return append(out, l.text[end:]...)
}

// ending is how a line ends, for the one that is put behind it.
func ending(raw []byte) string {
	if bytes.HasSuffix(raw, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// indent is what stands before the first statement of the section that a line opens.
func indent(lines []fileLine, opening int) string {
	for _, l := range lines[opening+1:] {
		if l.in != lines[opening].opens {
			break
		}
		if l.keyword != "" {
			return string(l.text[:len(l.text)-len(bytes.TrimLeft(l.text, " \t"))])
		}
	}
	return "\t"
}

// statementLine is `keyword value`; an expression stands between quotes, as guides have it.
func statementLine(k policy.Keyword, value string) string {
	if k.Kind == policy.KindRule || k.Kind == policy.KindRegex {
		return k.Name + " " + inQuotes(value)
	}
	return k.Name + " " + valueText(value)
}

// valueText is a value as it can stand in a line.
func valueText(v string) string {
	if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r >= 0x7f || strings.ContainsRune(" #!{}\"", r) }) {
		return inQuotes(v)
	}
	return v
}

func inQuotes(v string) string { return `"` + strings.ReplaceAll(v, `"`, `""`) + `"` }

// insert puts statements at the head of a section, which is made at the file's end
// where there is none.
func insert(data []byte, in place, statements []string) ([]byte, error) {
	lines, open := survey(data)
	var out []byte
	done := false
	for i, l := range lines {
		out = append(out, l.text...)
		if done || l.opens != in {
			continue
		}
		done = true
		end := ending(l.text)
		if !bytes.HasSuffix(l.text, []byte{'\n'}) {
			out = append(out, end...)
		}
		for _, s := range statements {
			out = append(out, indent(lines, i)+s+end...)
		}
	}
	if done {
		return out, nil
	}
	if open != nil {
		return nil, editErrorf("section %s of line %d is still open at the end of the file: close it with a } first", open.place, open.origin.Line)
	}
	end := "\n"
	if len(lines) > 0 {
		end = ending(lines[len(lines)-1].text)
	}
	if len(out) > 0 {
		if !bytes.HasSuffix(out, []byte{'\n'}) {
			out = append(out, end...)
		}
		out = append(out, end...)
	}
	out = append(out, in.String()+" {"+end...)
	for _, s := range statements {
		out = append(out, "\t"+s+end...)
	}
	return append(out, "}"+end...), nil
}
