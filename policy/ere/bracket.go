package ere

import "strings"

// element is one thing between `[` and `]`: a byte as it stands (kind 0), or
// [:name:], [=name=], [.name.] (kind is the sign).
type element struct {
	kind byte
	name string
}

// bracket reads from behind `[` (p.pos) to behind `]` into set. A backslash is a
// letter here; `]` is one if it comes first, a hyphen if it comes first or last.
func (p *parser) bracket(set *byteSet) bool {
	open := p.tok.at
	bad := func(code Code) bool {
		p.fail(open, code, "")
		return false
	}
	invert := false
	if strings.HasPrefix(p.src[p.pos:], "^") {
		invert = true
		p.pos++
	}
	for first := true; ; first = false {
		rest := p.src[p.pos:]
		if rest == "" {
			return bad(CodeBracket)
		}
		if rest[0] == ']' && !first {
			p.pos++
			break
		}
		if rest[0] == '-' && !first && !strings.HasPrefix(rest, "-]") {
			return bad(CodeRange)
		}
		from, ok := p.element()
		if !ok {
			return bad(CodeBracket)
		}
		code := CodeUnknown
		if rest = p.src[p.pos:]; strings.HasPrefix(rest, "-") && !strings.HasPrefix(rest, "-]") {
			p.pos++
			to, ok := p.element()
			if !ok {
				return bad(CodeBracket)
			}
			code = set.addSpan(from, to)
		} else {
			code = set.addElement(from)
		}
		if code == CodeCollate && p.pos >= len(p.src) {
			code = CodeBracket // glibc sees the end before the name
		}
		if code != CodeUnknown {
			return bad(code)
		}
	}
	if invert {
		set.invert()
	}
	return true
}

// element reads one; not ok at the pattern's end.
func (p *parser) element() (element, bool) {
	rest := p.src[p.pos:]
	if rest == "" {
		return element{}, false
	}
	if len(rest) < 2 || rest[0] != '[' || strings.IndexByte(":=.", rest[1]) < 0 {
		p.pos++
		return element{name: rest[:1]}, true
	}
	name, _, ok := strings.Cut(rest[2:], rest[1:2]+"]")
	if !ok {
		return element{}, false
	}
	p.pos += 2 + len(name) + 2
	return element{kind: rest[1], name: name}, true
}

func (s *byteSet) addElement(e element) Code {
	if e.kind == ':' {
		in, ok := class(e.name)
		if !ok {
			return CodeClass
		}
		s.addIf(in)
		return CodeUnknown
	}
	if len(e.name) != 1 { // the C locale knows no longer elements
		return CodeCollate
	}
	s.add(e.name[0])
	return CodeUnknown
}

func (s *byteSet) addSpan(from, to element) Code {
	for _, e := range []element{from, to} {
		if e.kind == ':' || e.kind == '=' {
			return CodeRange
		}
	}
	if len(from.name) != 1 || len(to.name) != 1 {
		return CodeCollate
	}
	if from.name[0] > to.name[0] {
		return CodeRange
	}
	s.addRange(from.name[0], to.name[0])
	return CodeUnknown
}
