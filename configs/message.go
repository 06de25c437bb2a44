// Package configs reads /etc/multipath.conf and its drop-ins into policy.Config.
// It accepts what multipath-tools 0.14.3 accepts, with the same meaning, and the
// spellings of older guides; what it finds doubtful it says with file, line and
// column.
package configs

import (
	"cmp"
	"fmt"
	"slices"

	"pathkeeper/policy"
)

// Level says how bad a Message is.
type Level uint8

// Levels.
const (
	LevelUnknown Level = iota
	LevelNote          // worth knowing
	LevelWarning       // something written has no effect, or another one
	LevelError         // the file cannot be used
)

// String gives "note", "warning" or "error".
func (l Level) String() string {
	switch l {
	case LevelNote:
		return "note"
	case LevelWarning:
		return "warning"
	case LevelError:
		return "error"
	}
	return "unknown"
}

// Kind names what a Message is about, for programs.
type Kind string

// Kinds that multipath-tools knows too.
const (
	InvalidKeyword       Kind = "invalid-keyword"
	InvalidValue         Kind = "invalid-value"
	DuplicateKeyword     Kind = "duplicate-keyword"
	DuplicateDevice      Kind = "duplicate-device"
	DuplicateMultipath   Kind = "duplicate-multipath"
	Capped               Kind = "capped"
	Deprecated           Kind = "deprecated"
	DeprecatedValue      Kind = "deprecated-value"
	MissingValue         Kind = "missing-value"
	MissingQuote         Kind = "missing-quote"
	MissingOpenBrace     Kind = "missing-open-brace"
	MissingCloseBrace    Kind = "missing-close-brace"
	UnmatchedCloseBrace  Kind = "unmatched-close-brace"
	ExtraData            Kind = "extra-data"
	BadArgumentCount     Kind = "bad-argument-count"
	BadUIDAttrs          Kind = "bad-uid-attrs"
	SlashNotAllowed      Kind = "slash-not-allowed"
	NotCompiledIn        Kind = "not-compiled-in"
	DeviceIncomplete     Kind = "device-incomplete"
	MultipathWithoutWWID Kind = "multipath-without-wwid"
	ProtocolWithoutType  Kind = "protocol-without-type"
	QueueFeature         Kind = "queue-feature"
	Rejected             Kind = "rejected"
)

// Kinds of what multipath-tools passes over in silence.
const (
	OldSpelling    Kind = "old-spelling"    // a keyword of older guides, used in today's meaning
	UnknownName    Kind = "unknown-name"    // a selector, checker or prioritizer that does not exist
	BadRegex       Kind = "bad-regex"       // a device expression that never matches
	HardRegex      Kind = "hard-regex"      // an expression that would take too long on some texts
	NoText         Kind = "no-text"         // a byte order mark, or a file that is no text
	CutLine        Kind = "cut-line"        // a carriage return or NUL within a line ends it
	SectionOpen    Kind = "section-open"    // a section starts within another
	AliasTwice     Kind = "alias-twice"     // two LUNs are to have one name
	NoEffect       Kind = "no-effect"       // a keyword that the running kernel has no use for
	DropInIgnored  Kind = "drop-in-ignored" // a drop-in with an error
	MatchesAll     Kind = "matches-all"     // a blacklist entry that hits every device
	More           Kind = "more"            // messages that are left out
	UnreadableFile Kind = "unreadable-file" // a drop-in that cannot be read
	NotRead        Kind = "not-read"        // multipath.conf beside the native form
)

// Message is one thing said about the files.
type Message struct {
	Level   Level
	Kind    Kind
	Origin  policy.Origin // Line 0: of the file as a whole
	Text    string
	Word    string // the word it is about, "" if none
	Suggest string // the nearest right word, "" if none is near
	Source  string // the line it is about, or the part around the column, fit to be printed; "" if none is known
	Mark    string // what stands below Source: blanks, then ^~~~ below the offending text
}

// Refused says whether a file with this message is refused. There are two
// levels: the daemon takes what multipath-tools would take and says what it left
// out, so only an error makes it refuse; strict, any warning does too. Notes never.
func (m Message) Refused(strict bool) bool {
	return m.Level == LevelError || strict && m.Level == LevelWarning
}

// String gives "file:line:col: text (did you mean X?)".
func (m Message) String() string {
	s := m.Text
	if m.Suggest != "" {
		s += fmt.Sprintf(" (did you mean %s?)", m.Suggest)
	}
	switch {
	case m.Origin.Line > 0:
		return m.Origin.String() + ": " + s
	case m.Origin.File != "":
		return m.Origin.File + ": " + s
	}
	return s
}

// Error is a file that cannot be used. It prints as its message.
type Error struct{ Message Message }

func (e *Error) Error() string { return e.Message.String() }

// Nearest finds the word that is fewest edits away from what was written: at
// most a third of its length, and never more than three.
func Nearest(written string, words []string) string {
	best, bestAt := "", min(max(len(written)/3, 1), 3)+1
	sorted := slices.Clone(words)
	slices.SortFunc(sorted, cmp.Compare[string])
	for _, w := range sorted {
		if d := edits(written, w, bestAt); d < bestAt {
			best, bestAt = w, d
		}
	}
	return best
}

// edits counts insertions, deletions, replacements and swaps of neighbours, but
// only up to limit: what is longer apart than that is not compared.
func edits(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			differ := 1
			if lower(a[i-1]) == lower(b[j-1]) {
				differ = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+differ)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
