package lint

import (
	"regexp/syntax"
	"slices"
	"strings"

	"pathkeeper/policy"
	"pathkeeper/policy/ere"
)

// expr compiles an expression once.
func (r *run) expr(pattern string) *ere.Expr {
	e, ok := r.exprs[pattern]
	if !ok {
		e, _ = ere.Compile(pattern)
		r.exprs[pattern] = e
	}
	return e
}

// hits is how the hardware table matches: "" on either side fits.
func (r *run) hits(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	e := r.expr(pattern)
	return e != nil && (text == "" || e.Match(text))
}

// fits says whether an entry of the table is for a device.
func (r *run) fits(d policy.Device, present Device) bool {
	return !d.Disabled && r.hits(d.Vendor, present.Identity.Vendor) && r.hits(d.Product, present.Identity.Model) && r.hits(d.Revision, present.Identity.Rev)
}

// entriesOf gives the entries of the whole table that fit a device, most
// significant first.
func (r *run) entriesOf(present Device) []policy.Device {
	var out []policy.Device
	for i := len(r.config.Devices) - 1; i >= 0; i-- {
		if r.fits(r.config.Devices[i], present) {
			out = append(out, r.config.Devices[i])
		}
	}
	return out
}

// matchesAny says whether an expression hits whatever it is held against.
func (r *run) matchesAny(pattern string) bool {
	if pattern == "" {
		return true
	}
	e := r.expr(pattern)
	return e != nil && e.Match("\x01") && e.Match("") && e.Match("zz9")
}

// rowsOf gives the built-in entries for the devices that an entry of a file is
// for: the one of the same name, those that hit an example of it, and those whose
// own examples it hits.
func (r *run) rowsOf(d policy.Device) []policy.Device {
	var same, wider, narrower []policy.Device
	vendors, products := r.samples(d.Vendor), r.samples(d.Product)
	for i := len(r.builtin) - 1; i >= 0; i-- {
		switch row := r.builtin[i]; {
		case row.Vendor == d.Vendor && row.Product == d.Product:
			same = append(same, row)
		case r.anyPair(row, vendors, products):
			wider = append(wider, row)
		case r.anyPair(d, r.samples(row.Vendor), r.samples(row.Product)):
			narrower = append(narrower, row)
		}
	}
	if len(narrower) > 8 {
		narrower = nil // it is for no array in particular
	}
	return slices.Concat(same, wider, narrower)
}

func (r *run) anyPair(d policy.Device, vendors, products []string) bool {
	some := func(pattern string, texts []string) bool {
		e := r.expr(pattern)
		for _, t := range texts {
			if t != "" && e != nil && e.Match(t) {
				return true
			}
		}
		return false
	}
	return some(d.Vendor, vendors) && some(d.Product, products)
}

// maxSamples is how many texts are made from one expression.
const maxSamples = 16

// samples gives texts that an expression matches, one for each alternative; none
// where it says too little: `.*` stands for anything.
func (r *run) samples(pattern string) []string {
	out, ok := r.examples[pattern]
	if ok || pattern == "" || len(pattern) > 200 {
		return out
	}
	if tree, err := syntax.Parse(pattern, syntax.POSIX); err == nil {
		out = texts(tree)
	}
	r.examples[pattern] = out
	return out
}

func texts(t *syntax.Regexp) []string {
	switch t.Op {
	case syntax.OpLiteral:
		return []string{string(t.Rune)}
	case syntax.OpCharClass:
		if len(t.Rune) > 0 {
			return []string{string(t.Rune[0])}
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{"0"}
	case syntax.OpCapture, syntax.OpPlus:
		return texts(t.Sub[0])
	case syntax.OpRepeat:
		out := []string{""}
		for range min(t.Min, 8) {
			out = join(out, texts(t.Sub[0]))
		}
		return out
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range t.Sub {
			out = join(out, texts(sub))
		}
		return out
	case syntax.OpAlternate:
		var out []string
		for _, sub := range t.Sub {
			out = append(out, texts(sub)...)
		}
		return out[:min(len(out), maxSamples)]
	}
	return []string{""}
}

func join(heads, tails []string) []string {
	var out []string
	for _, h := range heads {
		for _, t := range tails {
			if len(out) < maxSamples {
				out = append(out, h+t)
			}
		}
	}
	return out
}

// literal says whether an expression is a plain text.
func literal(pattern string) bool { return !strings.ContainsAny(pattern, `\^$.[]|()*+?{}!`) }

// ruleHits says whether a blacklist rule hits a text; `!` inverts.
func (r *run) ruleHits(pattern, text string) bool {
	rest, inverted := strings.CutPrefix(pattern, "!")
	return r.matches(rest, text) != inverted
}

// matches holds an expression against a text; one that cannot be read hits nothing.
// A plain text, as most WWIDs are, is looked for as it is.
func (r *run) matches(pattern, text string) bool {
	p, ok := r.plain[pattern]
	if !ok {
		p = newPlain(pattern)
		r.plain[pattern] = p
	}
	switch {
	case p.text == "":
		e := r.expr(pattern)
		return e != nil && e.Match(text)
	case p.start && p.end:
		return text == p.text
	case p.start:
		return strings.HasPrefix(text, p.text)
	case p.end:
		return strings.HasSuffix(text, p.text)
	}
	return strings.Contains(text, p.text)
}

// plain is an expression that is a text, perhaps anchored; text is "" for others.
type plain struct {
	text       string
	start, end bool
}

func newPlain(pattern string) plain {
	var p plain
	p.text, p.start = strings.CutPrefix(pattern, "^")
	p.text, p.end = strings.CutSuffix(p.text, "$")
	if !literal(p.text) {
		return plain{}
	}
	return p
}

// deviceRuleHits says whether a device rule of a blacklist hits a device.
func (r *run) deviceRuleHits(rule policy.Rule, vendor, product string) bool {
	return (rule.Pattern == "" || r.ruleHits(rule.Pattern, vendor)) && (rule.Product == "" || r.ruleHits(rule.Product, product))
}

// rulesFor gives the rules of a class.
func rulesFor(rules []policy.Rule, class policy.RuleClass) []policy.Rule {
	var out []policy.Rule
	for _, rule := range rules {
		if rule.Class == class {
			out = append(out, rule)
		}
	}
	return out
}

// list joins names, the first few only.
func list(names []string) string {
	const most = 6
	if len(names) > most {
		return strings.Join(names[:most], " ") + " ..."
	}
	return strings.Join(names, " ")
}
