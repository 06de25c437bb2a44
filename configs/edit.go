package configs

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

// EditDo is what an Edit does.
type EditDo uint8

// What can be done to a multipath.conf.
const (
	EditUnknown EditDo = iota
	// EditSet has defaults say a value: in the line that says one now, else in a new one.
	EditSet
	// EditAdd has a statement there: shown again where a comment holds it, else a new line.
	EditAdd
	// EditHide makes comments of the lines that say it.
	EditHide
	// EditDelete takes the lines of a keyword out.
	EditDelete
)

// Edit is one change of a multipath.conf.
type Edit struct {
	Do      EditDo
	Section string   // defaults, blacklist or blacklist_exceptions
	Keyword string   // of today
	Values  []string // of EditSet one, of EditAdd each gets a line; of EditHide those that are meant, none: all
}

// EditError is an edit that is not made: the file, or what it shall say, forbids it.
type EditError struct{ text string }

func (e EditError) Error() string { return e.text }

func editErrorf(format string, args ...any) error { return EditError{fmt.Sprintf(format, args...)} }

// ApplyEdits makes the edits in a multipath.conf, one after the other. Comments, order
// and all that the edits do not name stay byte for byte. The result is read again: what
// was asked for holds in it and nothing else means anything else, or there is an error
// and no result. A file with an error is not touched.
func ApplyEdits(f File, edits []Edit) ([]byte, error) {
	if IsNative(f.Path) {
		return nil, editErrorf("%s is not a multipath.conf", f.Path)
	}
	before, said, err := Parse([]File{f})
	if err != nil {
		return nil, err
	}
	for _, m := range said {
		if m.Kind == NoText && m.Level >= LevelWarning {
			return nil, editErrorf("%s", m)
		}
	}
	out := f.Data
	for _, e := range edits {
		k, in, err := e.check()
		if err != nil {
			return nil, err
		}
		if out, err = e.apply(out, k, in); err != nil {
			return nil, err
		}
	}
	after, _, err := Parse([]File{{Path: f.Path, Data: out}})
	if err != nil {
		return nil, fmt.Errorf("with the change the file would have an error: %w", err)
	}
	for i, e := range edits {
		later := slices.ContainsFunc(edits[i+1:], func(x Edit) bool { return x.Section == e.Section && x.Keyword == e.Keyword })
		if !later && !e.holds(after) {
			return nil, editErrorf("%s: the change of %s %s would not take effect", f.Path, e.Section, e.Keyword)
		}
	}
	if other := Diff(without(before, edits), without(after, edits)); len(other) > 0 {
		return nil, editErrorf("%s: the change would be one of %s, too", f.Path, other[0])
	}
	return out, nil
}

// check finds the keyword and the section, and refuses what could have no effect.
func (e Edit) check() (k policy.Keyword, in place, err error) {
	in, ok := root.inner(e.Section)
	if !ok || in != inDefaults && in != inBlacklist && in != inExceptions {
		return k, in, editErrorf("no settings are changed in a section %q", e.Section)
	}
	words := newVocabulary()[in]
	k, ok = words[e.Keyword]
	if !ok || k.Name != e.Keyword {
		near := Nearest(e.Keyword, newVocabulary().words(in))
		if near != "" {
			near = ": did you mean " + near + "?"
		}
		return k, in, editErrorf("section %s has no keyword %s%s", e.Section, quote(e.Keyword), near)
	}
	if e.Do == EditDelete || e.Do == EditHide {
		return k, in, nil
	}
	if k.Kind == policy.KindIgnored {
		return k, in, editErrorf("%s would have no effect: %s", k.Name, k.Meaning)
	}
	if e.Do == EditSet && (in != inDefaults || len(e.Values) != 1) {
		return k, in, editErrorf("%s %s: one value is set, in defaults", e.Section, k.Name)
	}
	for _, v := range e.Values {
		if strings.ContainsAny(v, "\n\r\x00") {
			return k, in, editErrorf("value %q of %s: it cannot stand in one line", v, k.Name)
		}
		if got := read(k, v); !got.set && !got.unset {
			text := "it would have no effect"
			if len(got.said) > 0 {
				text = got.said[0].String()
			}
			return k, in, editErrorf("%s %s: %s", k.Name, quote(v), text)
		}
	}
	return k, in, nil
}

func (e Edit) apply(data []byte, k policy.Keyword, in place) ([]byte, error) {
	switch e.Do {
	case EditSet:
		return set(data, k, in, e.Values[0])
	case EditAdd:
		return add(data, k, in, e.Values)
	case EditHide, EditDelete:
		return e.takeOut(data, k, in), nil
	}
	return nil, editErrorf("an edit that does nothing")
}

// set changes the last line that says something of the keyword: it is the one that counts.
func set(data []byte, k policy.Keyword, in place, value string) ([]byte, error) {
	lines, _ := survey(data)
	last := -1
	for i, l := range lines {
		if l.in == in && l.keyword == k.Name {
			last = i
		}
	}
	if last < 0 {
		return insert(data, in, []string{statementLine(k, value)})
	}
	var out []byte
	for i, l := range lines {
		switch {
		case i != last:
			out = append(out, l.text...)
		case l.old:
			end := ending(l.text)
			out = append(append(out, strings.TrimRight(string(l.text), "\r\n")+end...), "\t"+statementLine(k, value)+end...)
		case same(k, l.value.text, value):
			return data, nil
		default:
			out = append(out, withValue(l, value)...)
		}
	}
	return out, nil
}

// same says whether two spellings of a value mean the same.
func same(k policy.Keyword, a, b string) bool {
	x, y := read(k, a), read(k, b)
	return x.value == y.value && x.set == y.set && x.unset == y.unset
}

// add has each value in a line of its own.
func add(data []byte, k policy.Keyword, in place, values []string) ([]byte, error) {
	lines, _ := survey(data)
	missing := slices.Clone(values)
	found := func(v string) bool {
		i := slices.Index(missing, v)
		if i >= 0 {
			missing = slices.DeleteFunc(missing, func(have string) bool { return have == v })
		}
		return i >= 0
	}
	for _, l := range lines {
		if l.in == in && l.keyword == k.Name && !l.old {
			found(l.value.text)
		}
	}
	var out []byte
	for _, l := range lines {
		if l.in == in && l.hidden != nil && l.hidden[0].text == k.Name && found(l.hidden[1].text) {
			out = append(out, shown(l.text)...)
			continue
		}
		out = append(out, l.text...)
	}
	if len(missing) == 0 {
		return out, nil
	}
	var statements []string
	for _, v := range missing {
		statements = append(statements, statementLine(k, v))
	}
	return insert(out, in, slices.Compact(statements))
}

// means says whether a value is one that the edit is about.
func (e Edit) means(value string) bool {
	return e.Do == EditDelete || len(e.Values) == 0 || slices.Contains(e.Values, value)
}

func (e Edit) takeOut(data []byte, k policy.Keyword, in place) []byte {
	lines, _ := survey(data)
	var out []byte
	for _, l := range lines {
		if l.in != in || l.keyword != k.Name || !e.means(l.value.text) {
			out = append(out, l.text...)
			continue
		}
		if e.Do == EditHide {
			out = append(append(out, '#'), l.text...)
		}
	}
	return out
}

// class gives the rules that a keyword of a blacklist makes.
func class(keyword string) policy.RuleClass {
	return map[string]policy.RuleClass{
		"devnode": policy.ClassDevnode, "wwid": policy.ClassWWID, "property": policy.ClassProperty, "protocol": policy.ClassProtocol,
	}[keyword]
}

// holds says whether a configuration is as the edit wants it.
func (e Edit) holds(c policy.Config) bool {
	if e.Section == inDefaults.String() {
		have, ok := c.Defaults.Lookup(e.Keyword)
		switch e.Do {
		case EditDelete:
			return !ok
		case EditHide:
			return !ok || !e.means(have.Value)
		}
		k := newVocabulary()[inDefaults][e.Keyword]
		want := read(k, e.Values[len(e.Values)-1])
		return ok == want.set && (!ok || have.Value == want.value)
	}
	rules := c.Blacklist
	if e.Section == inExceptions.String() {
		rules = c.Exceptions
	}
	there := func(match func(string) bool) bool {
		return slices.ContainsFunc(rules, func(r policy.Rule) bool { return r.Class == class(e.Keyword) && match(r.Pattern) })
	}
	if e.Do != EditAdd {
		return !there(e.means)
	}
	for _, v := range e.Values {
		if !there(func(pattern string) bool { return pattern == v }) {
			return false
		}
	}
	return true
}

// without is a configuration without all that the edits are about.
func without(c policy.Config, edits []Edit) policy.Config {
	for _, e := range edits {
		drop := func(rules []policy.Rule) []policy.Rule {
			return slices.DeleteFunc(slices.Clone(rules), func(r policy.Rule) bool { return r.Class == class(e.Keyword) && e.means(r.Pattern) })
		}
		switch e.Section {
		case inDefaults.String():
			c.Defaults = slices.DeleteFunc(slices.Clone(c.Defaults), func(s policy.Setting) bool { return s.Keyword == e.Keyword })
		case inBlacklist.String():
			c.Blacklist = drop(c.Blacklist)
		case inExceptions.String():
			c.Exceptions = drop(c.Exceptions)
		}
	}
	return c
}
