package table

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of what is read. The kernel's own for groups, paths and arguments is 1024
// each (drivers/md/dm-mpath.c, struct dm_arg _args[]).
const (
	MaxTextBytes = 1 << 20 // a table's or status's text
	MaxCount     = 1024    // groups; paths of a group; arguments of one thing
)

// ParseError says where a table's or status's text stops making sense.
type ParseError struct {
	What string // "table" or "status"
	Word int    // index from 0 of the word at fault; the number of words if one is missing
	Text string // that word, empty if missing
	Msg  string // what was expected or is wrong
}

func (e *ParseError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("multipath %s: word %d missing: %s", e.What, e.Word+1, e.Msg)
	}
	return fmt.Sprintf("multipath %s: word %d %q: %s", e.What, e.Word+1, e.Text, e.Msg)
}

// words walks over a text's words. The first error sticks: then every read returns
// zero values, so that a parser reads straight on and asks err at its end.
type words struct {
	what string
	list []string
	next int
	err  error
}

func newWords(what, text string) *words {
	w := &words{what: what}
	if len(text) > MaxTextBytes {
		w.err = fmt.Errorf("multipath %s: %d bytes of text, more than %d", what, len(text), MaxTextBytes)
		return w
	}
	w.list = strings.FieldsFunc(text, isSpace)
	return w
}

func (w *words) left() int { return len(w.list) - w.next }

func (w *words) fail(at int, msg string) {
	if w.err != nil {
		return
	}
	e := &ParseError{What: w.what, Word: at, Msg: msg}
	if at < len(w.list) {
		e.Text = w.list[at]
	}
	w.err = e
}

// word takes the next word.
func (w *words) word(name string) string {
	if w.err != nil {
		return ""
	}
	if w.left() == 0 {
		w.fail(w.next, name)
		return ""
	}
	w.next++
	return w.list[w.next-1]
}

// number takes a decimal number of at most limit.
func (w *words) number(name string, limit int) int {
	s := w.word(name)
	if w.err != nil {
		return 0
	}
	n, err := parseCount(s, limit)
	if err != nil {
		w.fail(w.next-1, name+" "+err.Error())
		return 0
	}
	return n
}

// counter takes a decimal number that the kernel prints with %u; one that does not
// fit is the largest that does.
func (w *words) counter(name string) uint32 {
	s := w.word(name)
	if w.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		w.fail(w.next-1, name+" is not a number")
		return 0
	}
	return uint32(n)
}

// count takes the number of things that follow, each of at least size words: more
// than the text can hold is an error before anything is allocated.
func (w *words) count(name string, size int) int {
	n := w.number(name, MaxCount)
	if w.err == nil && n > w.left()/size {
		w.fail(w.next-1, fmt.Sprintf("%s: only %d words follow", name, w.left()))
		return 0
	}
	return n
}

// args takes n words; nil if n is 0.
func (w *words) args(name string, n int) []string {
	if w.err == nil && n > w.left() {
		w.fail(len(w.list), name)
	}
	if w.err != nil || n == 0 {
		return nil
	}
	w.next += n
	return append([]string(nil), w.list[w.next-n:w.next]...)
}

// group takes a count and as many words: the shape of features, handler and
// selector arguments.
func (w *words) group(name string) []string {
	return w.args(name, w.count("number of "+name, 1))
}

// dev takes a device number.
func (w *words) dev() DevNum {
	s := w.word("path's device number")
	if w.err != nil {
		return DevNum{}
	}
	d, err := ParseDevNum(s)
	if err != nil {
		w.fail(w.next-1, err.Error())
	}
	return d
}

// end fails if words are left over.
func (w *words) end() {
	if w.err == nil && w.left() > 0 {
		w.fail(w.next, "nothing should follow")
	}
}

// parseCount reads decimal digits, nothing else, up to limit.
func parseCount(s string, limit int) (int, error) {
	if s == "" {
		return 0, errors.New("is empty, want a number")
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%q is not a number", s)
		}
		if n = n*10 + int(s[i]-'0'); n > limit {
			return 0, fmt.Errorf("%s is over %d", s, limit)
		}
	}
	return n, nil
}

// isSpace is what the kernel's dm_split_args splits at, as far as it is ASCII.
func isSpace(r rune) bool {
	return r == ' ' || r >= '\t' && r <= '\r'
}
