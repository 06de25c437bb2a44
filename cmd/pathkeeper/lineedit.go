package main

import (
	"slices"
	"strings"

	"pathkeeper/server"
)

// lineEditor is a line that is being typed, with history and completion. It is what the
// keys do, without any terminal.
type lineEditor struct {
	text    []rune
	at      int // the cursor
	history []string
	back    int    // how far up the history we are, 0: the line itself
	own     string // the line itself, while we are up there
	words   func(typed string) []string
	choices []string // of a completion that has several
}

// Limits of what is typed: nothing that multipathd takes is longer.
const (
	maxTyped   = server.RequestBytes
	maxHistory = 200
)

// Keys besides the characters.
const (
	keyUp rune = 0xf700 + iota // private use: no keyboard sends them
	keyDown
	keyLeft
	keyRight
	keyHome
	keyEnd
	keyDelete
)

func ctrl(c rune) rune { return c & 0x1f }

// typed is what a key has brought about.
type typed uint8

const (
	typedMore typed = iota // go on
	typedLine              // a line is complete
	typedEnd               // the end of the input
)

// key takes one key.
func (e *lineEditor) key(k rune) typed {
	e.choices = nil
	switch k {
	case '\r', '\n':
		e.remember()
		return typedLine
	case ctrl('D'):
		if len(e.text) == 0 {
			return typedEnd
		}
		e.cut(e.at, e.at+1)
	case keyDelete:
		e.cut(e.at, e.at+1)
	case 0x7f, ctrl('H'):
		e.cut(e.at-1, e.at)
	case ctrl('A'), keyHome:
		e.at = 0
	case ctrl('E'), keyEnd:
		e.at = len(e.text)
	case ctrl('B'), keyLeft:
		e.at = max(0, e.at-1)
	case ctrl('F'), keyRight:
		e.at = min(len(e.text), e.at+1)
	case ctrl('U'):
		e.cut(0, e.at)
	case ctrl('K'):
		e.cut(e.at, len(e.text))
	case ctrl('W'):
		e.cut(e.wordStart(), e.at)
	case ctrl('C'):
		e.set("")
	case ctrl('P'), keyUp:
		e.recall(e.back + 1)
	case ctrl('N'), keyDown:
		e.recall(e.back - 1)
	case '\t':
		e.complete()
	default:
		if k >= ' ' && (k < keyUp || k > keyDelete) && len(e.text) < maxTyped {
			e.text = slices.Insert(e.text, e.at, k)
			e.at++
		}
	}
	return typedMore
}

// take gives the line and begins a new one.
func (e *lineEditor) take() string {
	s := string(e.text)
	e.set("")
	e.back = 0
	return s
}

func (e *lineEditor) set(s string) { e.text, e.at = []rune(s), len([]rune(s)) }

func (e *lineEditor) cut(from, to int) {
	from, to = max(0, from), min(to, len(e.text))
	if from < to {
		e.text, e.at = slices.Delete(e.text, from, to), from
	}
}

// wordStart is where the word before the cursor begins.
func (e *lineEditor) wordStart() int {
	i := e.at
	for i > 0 && e.text[i-1] == ' ' {
		i--
	}
	for i > 0 && e.text[i-1] != ' ' {
		i--
	}
	return i
}

func (e *lineEditor) remember() {
	s := strings.TrimSpace(string(e.text))
	if s == "" || len(e.history) > 0 && e.history[len(e.history)-1] == s {
		return
	}
	e.history = append(e.history, s)
	if len(e.history) > maxHistory {
		e.history = e.history[1:]
	}
}

// recall goes so far up the history.
func (e *lineEditor) recall(back int) {
	if back < 0 || back > len(e.history) {
		return
	}
	if e.back == 0 {
		e.own = string(e.text)
	}
	e.back = back
	if back == 0 {
		e.set(e.own)
		return
	}
	e.set(e.history[len(e.history)-back])
}

// complete adds what all words that fit have in common; several that differ are
// choices.
func (e *lineEditor) complete() {
	before := string(e.text[:e.at])
	words := e.words(before)
	if len(words) == 0 {
		return
	}
	last := before[strings.LastIndexByte(before, ' ')+1:]
	same := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, same) {
			same = same[:len(same)-1]
		}
	}
	add := strings.TrimPrefix(same, last)
	switch {
	case len(words) == 1:
		add += " "
	case add == "":
		e.choices = words
	}
	if len(e.text)+len(add) > maxTyped {
		return
	}
	e.text = slices.Insert(e.text, e.at, []rune(add)...)
	e.at += len([]rune(add))
}
