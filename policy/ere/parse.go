package ere

import "slices"

// node is one construct of an expression. A nil *node is the empty expression.
type node struct {
	op       op
	set      *byteSet // opSet
	subs     []*node  // opCat, opAlt: any number; opRepeat, opGroup: one
	min, max int      // opRepeat; max -1 is unlimited
	group    int      // opGroup, opBackref: from 1
}

type op uint8

const (
	opEmpty       op = iota
	opSet            // one byte out of a set
	opBegin          // ^ and \`: only the start, newlines mean nothing without REG_NEWLINE
	opEnd            // $ and \'
	opWordStart      // \<
	opWordEnd        // \>
	opBoundary       // \b
	opNotBoundary    // \B
	opCat
	opAlt
	opRepeat
	opGroup
	opBackref
)

// byteSet is a set of the 256 bytes.
type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

func (s *byteSet) addRange(from, to byte) {
	for c := int(from); c <= int(to); c++ {
		s.add(byte(c))
	}
}

func (s *byteSet) addIf(in func(byte) bool) {
	for c := range 256 {
		if in(byte(c)) {
			s.add(byte(c))
		}
	}
}

func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// tokenKind is what the next one or two bytes of a pattern are.
type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokByte
	tokAny
	tokAlt
	tokOpen
	tokClose
	tokStar
	tokPlus
	tokQuestion
	tokBrace
	tokBracket
	tokAnchor
	tokClass // \w \W \s \S
	tokBackref
	tokTrailing // a backslash at the end
)

type token struct {
	kind tokenKind
	at   int  // offset of its first byte
	c    byte // tokByte: the byte; tokClass, tokBackref: the byte after the backslash
	op   op   // tokAnchor
}

type parser struct {
	src     string
	pos     int // behind tok
	tok     token
	groups  int // opened so far
	closed  [10]bool
	backref bool
	err     error
}

func (p *parser) fail(at int, code Code, hint string) error {
	if p.err == nil {
		p.err = &Error{Pattern: p.src, Offset: at, Code: code, Hint: hint}
	}
	p.tok = token{kind: tokEnd, at: at}
	return p.err
}

// next reads one token outside brackets and braces.
func (p *parser) next() {
	if p.err != nil {
		return
	}
	p.tok = token{at: p.pos}
	if p.pos >= len(p.src) {
		return
	}
	c := p.src[p.pos]
	p.pos++
	switch c {
	case '\\':
		p.escape()
	case '.':
		p.tok.kind = tokAny
	case '|':
		p.tok.kind = tokAlt
	case '(':
		p.tok.kind = tokOpen
	case ')':
		p.tok.kind = tokClose
	case '*':
		p.tok.kind = tokStar
	case '+':
		p.tok.kind = tokPlus
	case '?':
		p.tok.kind = tokQuestion
	case '{':
		p.tok.kind = tokBrace
	case '[':
		p.tok.kind = tokBracket
	case '^':
		p.tok.kind, p.tok.op = tokAnchor, opBegin
	case '$':
		p.tok.kind, p.tok.op = tokAnchor, opEnd
	default:
		p.tok.kind, p.tok.c = tokByte, c
	}
}

// escape reads what follows a backslash: GNU's operators, a back-reference, or a
// byte that stands for itself.
func (p *parser) escape() {
	if p.pos >= len(p.src) {
		p.tok.kind = tokTrailing
		return
	}
	c := p.src[p.pos]
	p.pos++
	p.tok.c = c
	switch c {
	case '<':
		p.tok.kind, p.tok.op = tokAnchor, opWordStart
	case '>':
		p.tok.kind, p.tok.op = tokAnchor, opWordEnd
	case 'b':
		p.tok.kind, p.tok.op = tokAnchor, opBoundary
	case 'B':
		p.tok.kind, p.tok.op = tokAnchor, opNotBoundary
	case '`':
		p.tok.kind, p.tok.op = tokAnchor, opBegin
	case '\'':
		p.tok.kind, p.tok.op = tokAnchor, opEnd
	case 'w', 'W', 's', 'S':
		p.tok.kind = tokClass
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		p.tok.kind = tokBackref
	default:
		p.tok.kind = tokByte
	}
}

// alternatives reads up to the end, or inside parentheses to the closing one.
// What one branch closes is open again to the next: no back-reference reaches it.
func (p *parser) alternatives(depth int) *node {
	before, all := p.closed, p.closed
	branches := []*node{p.branch(depth)}
	for p.tok.kind == tokAlt {
		for i, c := range p.closed {
			all[i] = all[i] || c
		}
		p.closed = before
		p.next()
		branches = append(branches, p.branch(depth))
	}
	for i, c := range all {
		p.closed[i] = p.closed[i] || c
	}
	if len(branches) == 1 {
		return branches[0]
	}
	return &node{op: opAlt, subs: branches}
}

func (p *parser) branch(depth int) *node {
	var parts []*node
	for p.err == nil && p.tok.kind != tokEnd && p.tok.kind != tokAlt && (depth == 0 || p.tok.kind != tokClose) {
		if n := p.piece(depth); n != nil {
			parts = append(parts, n)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &node{op: opCat, subs: parts}
}

// piece reads one atom and the repeat signs behind it. An anchor takes none: a
// sign behind it stands at a place where nothing can be repeated.
func (p *parser) piece(depth int) *node {
	t := p.tok
	if t.kind == tokAnchor {
		p.next()
		return &node{op: t.op}
	}
	n := p.atom(depth)
	for p.err == nil {
		lo, hi := 0, -1
		at := p.tok.at
		switch p.tok.kind {
		case tokStar:
		case tokPlus:
			lo = 1
		case tokQuestion:
			hi = 1
		case tokBrace:
			lo, hi = p.counts()
		default:
			return n
		}
		p.next()
		if lo == 0 && hi == 0 {
			// The group stays closed for back-references, but none can ever match it.
			n = &node{op: opEmpty}
			continue
		}
		n = &node{op: opRepeat, subs: []*node{n}, min: lo, max: hi}
		if n.depth() > maxNesting*2 {
			p.fail(at, CodeTooBig, "too many repeats of repeats")
		}
	}
	return nil
}

// depth counts repeats that stand directly upon one another.
func (n *node) depth() int {
	d := 0
	for n.op == opRepeat {
		n, d = n.subs[0], d+1
	}
	return d
}

func (p *parser) atom(depth int) *node {
	t := p.tok
	set := &byteSet{}
	switch t.kind {
	case tokStar, tokPlus, tokQuestion, tokBrace:
		hint := ""
		if t.kind == tokStar {
			hint = "this is not a shell pattern: any text is `.*`, a star is `\\*`"
		}
		p.fail(t.at, CodeRepeat, hint)
		return nil
	case tokTrailing:
		p.fail(t.at, CodeEscape, "")
		return nil
	case tokOpen:
		return p.parens(depth)
	case tokBracket:
		if !p.bracket(set) {
			return nil
		}
	case tokBackref:
		group := int(t.c - '0')
		if !p.closed[group] {
			p.fail(t.at, CodeBackref, "")
			return nil
		}
		p.backref = true
		p.next()
		return &node{op: opBackref, group: group}
	case tokClass:
		in := isWord
		if t.c == 's' || t.c == 'S' {
			in = isSpace
		}
		set.addIf(in)
		if t.c == 'W' || t.c == 'S' {
			set.invert()
		}
	case tokAny:
		set.invert()
	case tokClose: // without an open one: itself
		set.add(')')
	default:
		set.add(t.c)
	}
	p.next()
	return &node{op: opSet, set: set}
}

func (p *parser) parens(depth int) *node {
	open := p.tok.at
	if depth >= maxNesting {
		p.fail(open, CodeTooBig, "too many parentheses within parentheses")
		return nil
	}
	p.groups++
	group := p.groups
	p.next()
	n := p.alternatives(depth + 1)
	if p.err != nil {
		return nil
	}
	if p.tok.kind != tokClose {
		p.fail(open, CodeParen, "")
		return nil
	}
	if group < len(p.closed) {
		p.closed[group] = true
	}
	p.next()
	return &node{op: opGroup, subs: []*node{n}, group: group}
}

// counts reads {n}, {n,}, {n,m} and {,m} with p.pos behind the brace, and leaves
// p.pos behind the closing one.
func (p *parser) counts() (lo, hi int) {
	open := p.tok.at
	lo, ok := p.number()
	switch {
	case p.err != nil:
		return 0, 0
	case p.pos >= len(p.src):
		p.fail(open, CodeBrace, "a brace is `\\{`")
		return 0, 0
	case !ok && p.src[p.pos] != ',':
		p.fail(open, CodeBraceContents, "a brace is `\\{`")
		return 0, 0
	}
	hi = lo
	if p.src[p.pos] == ',' {
		p.pos++
		if hi, ok = p.number(); !ok {
			hi = -1
		}
	}
	switch {
	case p.err != nil:
	case p.pos >= len(p.src):
		p.fail(open, CodeBrace, "a brace is `\\{`")
	case p.src[p.pos] != '}', hi >= 0 && lo > hi:
		p.fail(open, CodeBraceContents, "")
	case lo > maxRepeat || hi > maxRepeat:
		p.fail(open, CodeTooBig, "counts go to 32767")
	default:
		p.pos++
	}
	return lo, hi
}

// number reads decimal digits up to a comma, a brace or the end; ok if there was
// one. Anything else among them is an error: of the counts if a comma or a brace
// follows later, of the brace if none does.
func (p *parser) number() (v int, ok bool) {
	bad := false
	for ; p.pos < len(p.src) && p.src[p.pos] != ',' && p.src[p.pos] != '}'; p.pos++ {
		c := p.src[p.pos]
		if c < '0' || c > '9' {
			bad = true
			continue
		}
		ok = true
		v = min(v*10+int(c-'0'), maxRepeat+1)
	}
	if bad {
		code := CodeBraceContents
		if p.pos >= len(p.src) {
			code = CodeBrace
		}
		p.fail(p.tok.at, code, "a brace is `\\{`")
		return 0, false
	}
	return v, ok
}

func isWord(c byte) bool { return isAlnum(c) || c == '_' }

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isAlnum(c byte) bool { return isAlpha(c) || isDigit(c) }

func isAlpha(c byte) bool { return isLower(c) || isUpper(c) }

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// class gives the members of [:name:] in the C locale.
func class(name string) (func(byte) bool, bool) {
	switch name {
	case "alpha":
		return isAlpha, true
	case "upper":
		return isUpper, true
	case "lower":
		return isLower, true
	case "digit":
		return isDigit, true
	case "alnum":
		return isAlnum, true
	case "space":
		return isSpace, true
	case "blank":
		return func(c byte) bool { return c == ' ' || c == '\t' }, true
	case "cntrl":
		return func(c byte) bool { return c < ' ' || c == 0x7f }, true
	case "graph":
		return func(c byte) bool { return c > ' ' && c < 0x7f }, true
	case "print":
		return func(c byte) bool { return c >= ' ' && c < 0x7f }, true
	case "punct":
		return func(c byte) bool { return c > ' ' && c < 0x7f && !isAlnum(c) }, true
	case "xdigit":
		return func(c byte) bool { return slices.Contains([]byte("0123456789abcdefABCDEF"), c) }, true
	}
	return nil, false
}
