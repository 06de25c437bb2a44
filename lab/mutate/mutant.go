// Package mutate tests the tests. It plants bugs in the product and says which of
// them the tests catch: bugs that a person wrote down, each with what a user would
// suffer from it (planted.go), and mutations that are made by rule at every place
// of a package (find.go).
//
// The tree is never touched: the Go tool compiles changed copies of files through
// its -overlay. All mutations of a package are compiled into one test binary, and
// an environment variable says which of them is on, so that a mutation costs the
// time of its tests and no build.
package mutate

import (
	"fmt"
	"strings"
)

// Op is a kind of mutation.
type Op string

// The mutations.
const (
	OpIfTrue   Op = "if-true"  // the condition always holds
	OpIfFalse  Op = "if-false" // the condition never holds; of a case: the case is dropped
	OpDrop     Op = "drop"     // one operand of && or || does not matter
	OpBoundary Op = "boundary" // < is <=, > is >=, and back
	OpNegate   Op = "negate"   // a bool is its opposite
	OpArith    Op = "arith"    // + is -, * is /, and back
	OpNext     Op = "next"     // a number is one more, an enum's value the next one
	OpTwice    Op = "twice"    // a length of time is twice as long
	OpNever    Op = "never"    // a moment that is none is the end of time
	OpMinMax   Op = "minmax"   // min is max, and back
	OpRemove   Op = "remove"   // a statement is left out
)

// Mutant is one place with one mutation.
type Mutant struct {
	ID   int
	Pkg  string // folder: "mpath"
	Func string // "(*Machine).planLoad"
	Op   Op
	Text string // what is changed, on one line, cut at maxText
	N    int    // counts equal ones in a function, from 1
	File string // base name, where it stands today
	Line int
}

// maxText bounds the source text in a mutant's key, bytes.
const maxText = 90

// Key names a mutant. It stays the same when code around it moves, also to another
// file of the package.
func (m Mutant) Key() string {
	k := fmt.Sprintf("%s %s %s `%s`", m.Pkg, m.Func, m.Op, m.Text)
	if m.N > 1 {
		k += fmt.Sprintf(" #%d", m.N)
	}
	return k
}

// oneLine makes source text fit for a key.
func oneLine(src []byte) string {
	s := strings.ReplaceAll(strings.Join(strings.Fields(string(src)), " "), "`", "'")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "..."
	}
	return s
}
