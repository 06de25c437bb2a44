// Package ere reads POSIX extended regular expressions as glibc's
// regcomp(REG_EXTENDED|REG_NOSUB) reads them in the C locale, and answers
// whether one matches somewhere in a string of bytes.
//
// Go's regexp cannot stand in for it: `*foo` and `a{` are errors there for other
// patterns than here, a backslash inside brackets is a letter, `)` alone is one
// too, `\<` and `\w` are GNU's, counts go to 32767 and back-references exist. So
// the expression is read into a small tree, and the tree is matched directly:
//
//   - without back-references by sets of positions, which needs no backtracking:
//     the work is bounded by the tree's size times a power of the subject's length
//     that only nested repeats raise;
//   - with back-references by backtracking.
//
// Both stop at a fixed number of steps, see ErrTooHard. Subjects are short
// (device names, WWIDs, vendor and product strings).
package ere

import (
	"errors"
	"fmt"
)

// Limits.
const (
	maxPatternBytes = 64 << 10 // a longer pattern is refused
	maxNesting      = 200      // parentheses within parentheses
	maxRepeat       = 32767    // glibc's RE_DUP_MAX
	maxSteps        = 1 << 20  // of one Try without back-references; a step is 64 positions
	maxBackSteps    = 1 << 17  // of one Try with back-references; also bounds the stack
)

// ErrTooHard is Try's answer when the step limit is reached: the expression does
// not match then.
var ErrTooHard = errors.New("regular expression needs too many steps")

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	pattern string
	root    *node
	groups  int
	backref bool
}

// Error says where a pattern is wrong and how, in the words of one who writes it.
type Error struct {
	Pattern string
	Offset  int // in bytes, from 0
	Code    Code
	Hint    string // may be ""
}

// Code is the kind of an Error: one per error of regcomp(3).
type Code uint8

// Codes, in regcomp's order.
const (
	CodeUnknown       Code = iota
	CodeCollate            // REG_ECOLLATE
	CodeClass              // REG_ECTYPE
	CodeEscape             // REG_EESCAPE
	CodeBackref            // REG_ESUBREG
	CodeBracket            // REG_EBRACK, and glibc's REG_BADPAT for a lone `[` at the end
	CodeParen              // REG_EPAREN
	CodeBrace              // REG_EBRACE
	CodeBraceContents      // REG_BADBR
	CodeRange              // REG_ERANGE
	CodeTooBig             // REG_ESIZE, and this package's own limits
	CodeRepeat             // REG_BADRPT
)

// String says the error in words.
func (c Code) String() string {
	switch c {
	case CodeCollate:
		return "unknown collating element"
	case CodeClass:
		return "unknown character class"
	case CodeEscape:
		return "backslash at the end"
	case CodeBackref:
		return "back-reference to a group that is not closed before it"
	case CodeBracket:
		return "`[` without `]`"
	case CodeParen:
		return "`(` without `)`"
	case CodeBrace:
		return "`{` without `}`"
	case CodeBraceContents:
		return "wrong counts between `{` and `}`"
	case CodeRange:
		return "wrong range between `[` and `]`"
	case CodeTooBig:
		return "too large"
	case CodeRepeat:
		return "nothing before the repeat sign"
	}
	return "invalid"
}

// Error gives `regular expression "*foo", byte 1: nothing before the repeat sign (...)`.
func (e *Error) Error() string {
	s := fmt.Sprintf("regular expression %q, byte %d: %s", e.Pattern, e.Offset+1, e.Code)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Compile reads a pattern. The error is always an *Error.
func Compile(pattern string) (*Expr, error) {
	p := parser{src: pattern}
	if len(pattern) > maxPatternBytes {
		return nil, p.fail(maxPatternBytes, CodeTooBig, "")
	}
	p.next()
	root := p.alternatives(0)
	if p.err != nil {
		return nil, p.err
	}
	return &Expr{pattern: pattern, root: root, groups: p.groups, backref: p.backref}, nil
}

// String is the pattern as given to Compile.
func (e *Expr) String() string { return e.pattern }

// Match reports whether the expression matches somewhere in s. An expression that
// would need too many steps does not match; Try tells it apart.
func (e *Expr) Match(s string) bool {
	ok, _ := e.Try(s)
	return ok
}

// Try is Match that returns ErrTooHard when the step limit was reached.
func (e *Expr) Try(s string) (bool, error) {
	if e.backref {
		return e.backtrack(s)
	}
	return e.sweep(s)
}

// Rule is an expression of a blacklist: a leading `!` inverts it, a leading `\!`
// stands for the character.
type Rule struct {
	Expr   *Expr
	Invert bool
}

// CompileRule reads a blacklist's pattern. The error's Offset counts from the
// pattern's start, the `!` included.
func CompileRule(pattern string) (Rule, error) {
	rest, invert := pattern, false
	if len(pattern) > 0 && pattern[0] == '!' {
		rest, invert = pattern[1:], true
	}
	e, err := Compile(rest)
	if err != nil {
		var bad *Error
		if invert && errors.As(err, &bad) {
			err = &Error{Pattern: pattern, Offset: bad.Offset + 1, Code: bad.Code, Hint: bad.Hint}
		}
		return Rule{}, err
	}
	return Rule{Expr: e, Invert: invert}, nil
}

// Match reports whether the rule hits s. A zero Rule never does. An expression
// that is too hard counts as not matching before the inversion.
func (r Rule) Match(s string) bool {
	if r.Expr == nil {
		return false
	}
	return r.Expr.Match(s) != r.Invert
}

// String is the rule as written.
func (r Rule) String() string {
	if r.Expr == nil {
		return ""
	}
	if r.Invert {
		return "!" + r.Expr.pattern
	}
	return r.Expr.pattern
}
