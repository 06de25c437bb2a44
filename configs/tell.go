package configs

import (
	"bytes"
	"fmt"
	"strings"

	"pathkeeper/policy"
	"pathkeeper/policy/ere"
)

const (
	// maxMessages is how many messages one file gets; the first are the ones to act on.
	maxMessages = 1000
	// maxTextBytes is the longest text of a message, whatever value it quotes.
	maxTextBytes = 1000
	// maxHard is after how many too hard expressions no more are looked for.
	maxHard = 10
)

func (r *reader) say(m Message) {
	m.Text, m.Word = brief(m.Text), brief(m.Word)
	if m.Level == LevelError && len(r.out.errors) == 0 {
		r.out.errors = append(r.out.errors, m)
	}
	if r.full() {
		r.unsaid++
		return
	}
	r.messages = append(r.messages, m)
}

func (r *reader) full() bool { return len(r.messages) >= maxMessages }

// brief cuts the middle out of a long text.
func brief(s string) string {
	if len(s) <= maxTextBytes {
		return s
	}
	const half = (maxTextBytes - len(" ... ")) / 2
	return strings.ToValidUTF8(s[:half], "") + " ... " + strings.ToValidUTF8(s[len(s)-half:], "")
}

func (r *reader) warn(o policy.Origin, kind Kind, word, format string, args ...any) {
	if r.full() {
		r.unsaid++ // a file of nothing but mistakes is read quickly too
		return
	}
	r.say(Message{Level: LevelWarning, Kind: kind, Origin: o, Word: word, Text: fmt.Sprintf(format, args...)})
}

// encoding speaks of a file that is no plain text. A byte order mark is outside
// ASCII and so only a blank, as for the reader of multipath-tools.
func (r *reader) encoding(data []byte) {
	o := policy.Origin{File: r.path, Line: 1, Column: 1}
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		r.say(Message{Level: LevelNote, Kind: NoText, Origin: o, Text: "the file begins with a byte order mark, which counts as a blank"})
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		r.warn(o, NoText, "", "this is UTF-16 text, of which nothing can be read: save it as UTF-8 or ASCII")
	case bytes.HasPrefix(data, []byte("\x1f\x8b")), bytes.HasPrefix(data, []byte("\x7fELF")), bytes.HasPrefix(data, []byte("PK\x03\x04")):
		r.warn(o, NoText, "", "this is a program or a compressed file, not a configuration")
	}
}

func (r *reader) extra(l line, t token) {
	word := t.text
	if t.quoted {
		word = ""
	}
	hint := ""
	if len(l.tokens) > 2 && !l.tokens[1].quoted && !l.tokens[1].is("{") && !l.tokens[0].is("}") {
		hint = "; a value of several words needs quotes"
	}
	r.warn(r.at(l, t.column), ExtraData, word, "ignoring extra data starting with %q%s", t.text, hint)
}

// probe tells of an expression that could take for ever, were it not stopped.
func (r *reader) probe(l line, keyword string, expr *ere.Expr) {
	if expr == nil || r.hard >= maxHard || expr.Probe() == nil {
		return
	}
	r.hard++
	r.warn(r.at(l, l.tokens[1].column), HardRegex, keyword, "%s: repeats within repeats need too many steps on some texts; on those the expression counts as not matching", keyword)
}

// old records a keyword of older guides and says what it is today.
func (r *reader) old(o policy.Origin, word, value string, now today) {
	r.warn(o, OldSpelling, word, "%s", now.text)
	if now.old {
		r.out.old = append(r.out.old, policy.Setting{Keyword: word, Value: value, Origin: o})
	}
}

// unknown speaks of a word that has no meaning here. Of an unknown section at top
// level it speaks once; what stands in it is skipped without more words.
func (r *reader) unknown(l line, word string) {
	f, o := r.top(), r.at(l, l.tokens[0].column)
	opens := len(l.tokens) > 1 && l.tokens[1].is("{")
	if f.place == root {
		quiet := r.ghosts > 0
		if opens {
			r.ghosts++
		}
		if quiet {
			return
		}
	}
	if r.full() {
		r.unsaid++
		return
	}
	m := Message{Level: LevelWarning, Kind: InvalidKeyword, Origin: o, Word: word, Suggest: Nearest(word, r.words.words(f.place))}
	where := "at top level"
	if f.place != root {
		where = "in the " + f.place.String() + " section"
	}
	m.Text = fmt.Sprintf("invalid keyword %s: %s", where, word)
	if opens && f.place == root {
		m.Text += "; all that stands in it has no effect"
	}
	if homes := r.words.elsewhere(word); len(homes) > 0 {
		m.Text += "; it belongs to " + strings.Join(homes, ", ")
		m.Suggest = ""
	}
	r.say(m)
	if _, isSection := root.inner(word); isSection && f.place != root && len(r.stack) > 1 {
		first := r.stack[1]
		r.say(Message{
			Level: LevelWarning, Kind: SectionOpen, Origin: o, Word: word,
			Text: fmt.Sprintf("section %s of line %d is still open here: is a } missing before this line?", first.place, first.origin.Line),
		})
	}
}
