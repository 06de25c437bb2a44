package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"pathkeeper/policy"
)

const (
	// maxNativeBytes and maxNativeMarks bound what the YAML library builds of a
	// file: a node of it takes some 200 bytes, and each needs a comma, a colon, a
	// bracket, a dash or a line end. Half a million is 60,000 entries.
	maxNativeBytes = 8 << 20
	maxNativeMarks = 600_000
	// maxNativeErrors is how many errors of one file are told: with the first one
	// the file is refused.
	maxNativeErrors = 20
)

// IsNative says whether a file's name is that of the native form, YAML.
func IsNative(path string) bool {
	return strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")
}

// nativeReader goes through one file of the native form. It is strict: what
// multipath.conf would take with a warning is an error here, with what to write
// instead, because a file of this form was written for this program.
type nativeReader struct {
	reader
	text     [][]byte // the lines
	failures int
	devices  map[deviceKey]int // line of the entry with these strings
}

// native reads a file of the native form.
func (r *reader) native(data []byte) {
	n := &nativeReader{reader: *r, text: bytes.Split(data, []byte("\n")), devices: map[deviceKey]int{}}
	if doc := n.document(data); doc != nil {
		n.root(doc)
	}
	*r = n.reader
	if r.unsaid > 0 {
		r.messages = append(r.messages, Message{Level: LevelNote, Kind: More, Origin: policy.Origin{File: r.path}, Text: fmt.Sprintf("at least %d more errors", r.unsaid)})
	}
}

// document parses the text and refuses what the form does not have.
func (r *nativeReader) document(data []byte) *yaml.Node {
	whole := policy.Origin{File: r.path, Line: 1, Column: 1}
	refuse := func(format string, args ...any) *yaml.Node {
		r.refuse(whole, Rejected, "", "", format, args...)
		return nil
	}
	marks := 0
	for _, c := range []byte("\n\r,:[]{}-?") {
		marks += bytes.Count(data, []byte{c})
	}
	switch {
	case len(data) > maxNativeBytes:
		return refuse("the file has %d bytes, %d are the most for this form", len(data), maxNativeBytes)
	case marks > maxNativeMarks:
		return refuse("the file has too many entries: %d line ends, colons, commas, dashes and brackets, %d are the most", marks, maxNativeMarks)
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return refuse("this is UTF-16 text: save it as UTF-8")
	}
	if i := firstBad(data); i >= 0 {
		line := bytes.Count(data[:i], []byte("\n"))
		column := i - bytes.LastIndexByte(data[:i], '\n')
		r.refuse(policy.Origin{File: r.path, Line: line + 1, Column: column}, NoText, "", "", "byte 0x%02x is no text: save the file as UTF-8", data[i])
		return nil
	}
	return r.nodes(data)
}

// firstBad finds the first byte that is not UTF-8, or a NUL.
func firstBad(data []byte) int {
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		if c == 0 || c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// nodes has the library parse the one document. Its panics are taken for refusals:
// no text of a file may stop the daemon.
func (r *nativeReader) nodes(data []byte) (root *yaml.Node) {
	defer func() {
		if bad := recover(); bad != nil {
			r.refuse(policy.Origin{File: r.path, Line: 1, Column: 1}, Rejected, "", "", "this text cannot be read as YAML")
			root = nil
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := d.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil // nothing but comments
	case err != nil:
		r.syntax(err)
		return nil
	}
	switch err := d.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		r.syntax(err)
		return nil
	default:
		r.fail(&second, Rejected, "", "", "a second document begins here: a file has one; leave the --- line out")
		return nil
	}
	if len(first.Content) != 1 {
		return nil
	}
	return first.Content[0]
}

// syntax tells the library's own refusal, "yaml: line 3: did not find ...".
func (r *nativeReader) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	o := policy.Origin{File: r.path, Line: 1, Column: 1}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, said, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil && n >= 1 {
				text, o.Line = said, min(n, len(r.text))
				l := r.text[o.Line-1]
				o.Column = len(l) - len(bytes.TrimLeft(l, " ")) + 1
			}
		}
	}
	hint := ""
	switch {
	case strings.Contains(text, "cannot start any token"):
		hint = ": a tab does not indent in YAML, and a value that begins with @, `, % or & needs quotes"
	case strings.Contains(text, "mapping values are not allowed"):
		hint = ": is the indentation right, and has a value with a colon its quotes?"
	case strings.Contains(text, "did not find expected"):
		hint = ": is the indentation the same as above, and every quote and bracket closed?"
	case strings.Contains(text, "unknown anchor"), strings.Contains(text, "alias"):
		hint = ": a value that begins with * needs quotes"
	}
	r.refuse(o, Rejected, "", "", "no YAML: %s%s", text, hint)
}

// origin is where a node begins. The library counts columns in characters.
func (r *nativeReader) origin(n *yaml.Node) policy.Origin {
	o := policy.Origin{File: r.path, Line: max(n.Line, 1), Column: max(n.Column, 1)}
	if o.Line <= len(r.text) {
		line, bytes := r.text[o.Line-1], 0
		for range o.Column - 1 {
			if bytes >= len(line) {
				break
			}
			_, size := utf8.DecodeRune(line[bytes:])
			bytes += size
		}
		if bytes < len(line) {
			o.Column = bytes + 1
		}
	}
	return o
}

func (r *nativeReader) fail(n *yaml.Node, kind Kind, word, suggest, format string, args ...any) {
	r.refuse(r.origin(n), kind, word, suggest, format, args...)
}

func (r *nativeReader) refuse(o policy.Origin, kind Kind, word, suggest, format string, args ...any) {
	if r.enough() {
		r.unsaid++
		return
	}
	r.failures++
	r.say(Message{Level: LevelError, Kind: kind, Origin: o, Word: word, Suggest: suggest, Text: fmt.Sprintf(format, args...)})
}

func (r *nativeReader) enough() bool { return r.failures >= maxNativeErrors }
