package configs

import (
	"fmt"
	"slices"

	"pathkeeper/policy"
	"pathkeeper/policy/ere"
)

// fileConfig is what one file says, before it is merged with the others.
type fileConfig struct {
	defaults   layer
	overrides  layer
	protocols  []*entry
	blacklist  rules
	exceptions rules
	devices    []*entry
	multipaths []*entry
	old        []policy.Setting
	errors     []Message // the first

	// Of the native form alone.
	disks   []policy.Disk
	ha      policy.Layer
	profile policy.Setting
}

// entry is one block: device, multipath, protocol, device of a blacklist.
type entry struct {
	layer  layer
	origin policy.Origin // of the line that opens it
	keys   policy.Layer  // what the entry is found by: each at most once

	// Of the native form alone; without keyword: not said.
	profile  policy.Setting // of a multipath
	disabled policy.Setting // of a device
}

// key gives one of the keys; one that is not there has no keyword.
func (e *entry) key(name string) policy.Setting {
	s, _ := e.keys.Lookup(name)
	return s
}

// frame is an open section.
type frame struct {
	place  place
	origin policy.Origin
	seen   map[string]bool
	entry  *entry // in the four kinds of blocks
}

// reader goes through one file.
type reader struct {
	path     string
	words    vocabulary
	told     map[string]bool // deprecated keywords already spoken of, over all files
	stack    []*frame        // [0] is the file itself
	ghosts   int             // unknown sections open at top level
	out      fileConfig
	messages []Message
	unsaid   int // messages beyond maxMessages
	hard     int // expressions that were found too hard
}

func (r *reader) top() *frame { return r.stack[len(r.stack)-1] }

func (r *reader) at(l line, column int) policy.Origin {
	return policy.Origin{File: r.path, Line: l.number, Column: column}
}

// file reads all lines; what is still open at the end counts as closed there.
func (r *reader) file(data []byte) {
	r.stack = []*frame{{seen: map[string]bool{}}}
	r.encoding(data)
	var cut line // the first line of which something is hidden
	cuts := 0
	for l := range split(data) {
		if l.cut > 0 {
			if cuts++; cuts == 1 {
				cut = l
			}
		}
		if len(l.tokens) > 0 && r.wellFormed(l) {
			r.statement(l)
		}
	}
	if len(r.stack) > 1 {
		f := r.top()
		r.warn(policy.Origin{File: r.path}, MissingCloseBrace, "", "missing } at the end: section %s of line %d is still open", f.place, f.origin.Line)
	}
	for len(r.stack) > 1 {
		r.closeSection()
	}
	if cuts > 0 {
		more := ""
		if cuts > 1 {
			more = fmt.Sprintf("; so it is in %d more lines", cuts-1)
		}
		r.warn(r.at(cut, cut.cut), CutLine, "", "a carriage return or NUL hides the rest of the line%s", more)
	}
	if r.unsaid > 0 {
		r.messages = append(r.messages, Message{
			Level: LevelNote, Kind: More, Origin: policy.Origin{File: r.path}, Text: fmt.Sprintf("%d more messages", r.unsaid),
		})
	}
}

// wellFormed checks a line's shape before its words are looked at: false skips it.
func (r *reader) wellFormed(l line) bool {
	t := l.tokens
	switch {
	case t[0].is("}"):
		if len(t) > 1 {
			r.extra(l, t[1])
		}
		if len(r.stack) == 1 && r.ghosts == 0 {
			r.warn(r.at(l, t[0].column), UnmatchedCloseBrace, "", "unmatched }: no section is open here")
		}
	case t[0].is("{"):
	case !t[0].quoted && wantsBrace(t[0].text):
		if len(t) < 2 || !t[1].is("{") {
			r.warn(r.at(l, t[0].column), MissingOpenBrace, "", "missing { after %s on the same line; the section is taken as open", t[0].text)
		} else if len(t) > 2 {
			r.extra(l, t[2])
		}
	case len(t) == 1:
		r.warn(r.at(l, t[0].column), MissingValue, t[0].text, "missing value for %s; the line has no effect", t[0].text)
		return false
	default:
		if t[1].open {
			r.warn(r.at(l, t[1].column), MissingQuote, "", "missing closing quote; the value goes to the end of the line")
		}
		if len(t) > 2 {
			r.extra(l, t[2])
		}
	}
	return true
}

// statement opens or closes a section or sets a keyword.
func (r *reader) statement(l line) {
	first := l.tokens[0]
	o := r.at(l, first.column)
	f := r.top()
	switch {
	case first.is("}"):
		switch {
		case len(r.stack) > 1:
			r.closeSection()
		case r.ghosts > 0:
			r.ghosts--
		}
		return
	case first.is("{"):
		r.warn(o, InvalidKeyword, "{", "a lone { has no effect: it belongs on the line of the section's name")
		return
	case first.quoted:
		r.warn(o, InvalidKeyword, "", "a keyword has no quotes; the line has no effect")
		return
	}
	word := first.text
	if now := oldSection(word); now != "" && f.place == root {
		r.old(o, word, "", today{old: true, text: fmt.Sprintf("%s is the old name of the section: today it is `%s`", word, now)})
		word = now
	}
	if inner, ok := f.place.inner(word); ok {
		if f.place == root && f.seen[word] {
			r.warn(o, DuplicateKeyword, word, "section %s stands here a second time; both count", word)
		}
		f.seen[word] = true
		if !wantsBrace(word) && !l.tokens[1].is("{") {
			r.warn(o, MissingOpenBrace, "", "missing { after %s on the same line; the section is taken as open", word)
		}
		r.open(inner, o)
		return
	}
	if len(l.tokens) < 2 { // a section's name without its brace, in a place where it is none
		r.unknown(l, word)
		return
	}
	r.keyword(l, word)
}

func (r *reader) keyword(l line, word string) {
	f, o, value := r.top(), r.at(l, l.tokens[0].column), l.tokens[1].text
	k, ok := r.words[f.place][word]
	if !ok {
		now, found := oldKeyword(word, value)
		if now.keyword != "" {
			k, ok = r.words[f.place][now.keyword]
		}
		if !found || now.keyword != "" && !ok || f.place == root {
			r.unknown(l, word)
			return
		}
		r.old(o, word, value, now)
		if now.keyword == "" {
			return
		}
		value = now.value
	} else if f.seen[word] && !k.Many {
		r.warn(o, DuplicateKeyword, word, "%s stands here a second time; the last one counts", word)
	}
	f.seen[word] = true
	if k.Kind == policy.KindIgnored {
		if beforeFindMultipaths(word) {
			r.out.old = append(r.out.old, policy.Setting{Keyword: word, Value: value, Origin: o})
		}
		if !r.told[word] {
			r.told[word] = true
			r.warn(o, Deprecated, word, "%s has no effect: %s; leave the line out", word, k.Meaning)
		}
		return
	}
	got := read(k, value)
	for _, m := range got.said {
		m.Origin = r.at(l, l.tokens[1].column)
		r.say(m)
	}
	r.probe(l, k.Name, got.expr)
	if got.set || got.unset {
		r.set(k, assignment{Setting: policy.Setting{Keyword: k.Name, Value: got.value, Origin: o}, unset: got.unset})
	}
	if k.Name == "rr_min_io" && !r.told[word] {
		r.told[word] = true
		r.say(Message{Level: LevelNote, Kind: NoEffect, Origin: o, Word: word, Text: "rr_min_io has no effect on kernels since 2.6.31: they use rr_min_io_rq"})
	}
}

// set puts a value where the open section keeps it.
func (r *reader) set(k policy.Keyword, a assignment) {
	f := r.top()
	switch f.place {
	case inDefaults:
		r.out.defaults = r.out.defaults.put(a)
	case inOverrides:
		r.out.overrides = r.out.overrides.put(a)
	case inBlacklist, inExceptions:
		class := map[string]policy.RuleClass{
			"devnode": policy.ClassDevnode, "wwid": policy.ClassWWID, "property": policy.ClassProperty, "protocol": policy.ClassProtocol,
		}[k.Name]
		r.rule(f.place, policy.Rule{Class: class, Pattern: a.Value, Origin: a.Origin})
	default:
		switch k.Name {
		case "vendor", "product", "revision", "product_blacklist", "wwid", "type":
			f.entry.keys = append(slices.DeleteFunc(f.entry.keys, func(s policy.Setting) bool { return s.Keyword == k.Name }), a.Setting)
		default:
			f.entry.layer = f.entry.layer.put(a)
		}
	}
}

func (r *reader) rule(p place, rule policy.Rule) {
	if p == inExceptions {
		r.out.exceptions.add(rule)
	} else {
		r.out.blacklist.add(rule)
	}
}

// rules is a list without equal ones, but for those of protocols, which the
// reference keeps.
type rules struct {
	list []policy.Rule
	have map[policy.Rule]bool // Origin is zero in the keys
}

func (rs *rules) add(rule policy.Rule) {
	key := rule
	key.Origin = policy.Origin{}
	if rs.have[key] && rule.Class != policy.ClassProtocol {
		return
	}
	if rs.have == nil {
		rs.have = map[policy.Rule]bool{}
	}
	rs.have[key] = true
	rs.list = append(rs.list, rule)
}

func (r *reader) open(p place, o policy.Origin) {
	f := &frame{place: p, origin: o, seen: map[string]bool{}}
	if p >= inBlacklistDevice {
		f.entry = &entry{origin: o}
	}
	r.stack = append(r.stack, f)
}

// closeSection takes over a finished block.
func (r *reader) closeSection() {
	f := r.top()
	r.stack = r.stack[:len(r.stack)-1]
	switch f.place {
	case inBlacklistDevice:
		r.blacklistDevice(f.entry)
	case inDevice:
		_, vendor := f.entry.keys.Lookup("vendor")
		_, product := f.entry.keys.Lookup("product")
		if !vendor || !product {
			r.warn(f.origin, DeviceIncomplete, "", "a device entry needs vendor and product; this one has no effect")
			return
		}
		if pattern, ok := f.entry.keys.Lookup("product_blacklist"); ok { // it makes a blacklist rule with this vendor
			if _, err := ere.CompileRule(f.entry.key("vendor").Value); err != nil {
				r.say(Message{Level: LevelError, Kind: Rejected, Origin: pattern.Origin, Text: fmt.Sprintf("product_blacklist: with this vendor no rule can be made: %v", err)})
			}
		}
		r.out.devices = append(r.out.devices, f.entry)
	case inMultipath:
		if _, ok := f.entry.keys.Lookup("wwid"); !ok {
			r.warn(f.origin, MultipathWithoutWWID, "", "a multipath entry needs a wwid; this one has no effect")
			return
		}
		r.out.multipaths = append(r.out.multipaths, f.entry)
	case inProtocol:
		if _, ok := f.entry.keys.Lookup("type"); !ok {
			r.warn(f.origin, ProtocolWithoutType, "", "a protocol entry needs a type; this one has no effect")
			return
		}
		r.out.protocols = append(r.out.protocols, f.entry)
	}
}

func (r *reader) blacklistDevice(e *entry) {
	vendor, hasVendor := e.keys.Lookup("vendor")
	product, hasProduct := e.keys.Lookup("product")
	if !hasVendor && !hasProduct {
		return
	}
	if vendor.Value == "" && product.Value == "" {
		r.warn(e.origin, MatchesAll, "", "a device entry with empty vendor and product hits every device")
	}
	r.rule(r.top().place, policy.Rule{Class: policy.ClassDevice, Pattern: vendor.Value, Product: product.Value, Origin: e.origin})
}
