package configs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"pathkeeper/policy"
)

// setting reads the value of a keyword by the same reader as multipath.conf's. The
// text is that of the file, not what YAML makes of it: 0660 is neither 432 nor
// 660, and `no` stays a word.
func (r *nativeReader) setting(k policy.Keyword, f field) (policy.Setting, bool) {
	n := f.value
	s := policy.Setting{Keyword: k.Name, Origin: r.origin(f.key)}
	if !r.plain(n) {
		return s, false
	}
	switch {
	case n.Kind != yaml.ScalarNode:
		r.fail(n, InvalidValue, f.name, "", "%s has one value, not %s", f.name, kindOf(n))
		return s, false
	case empty(n):
		r.fail(f.key, MissingValue, f.name, "", "%s has no value: leave the line out, or write \"\" for the empty text", f.name)
		return s, false
	case k.Kind == policy.KindIgnored:
		r.fail(f.key, Deprecated, f.name, "", "%s has no effect: %s; leave the line out", f.name, k.Meaning)
		return s, false
	case strings.ContainsAny(n.Value, "\n\r\x00"):
		r.fail(n, InvalidValue, f.name, "", "%s: a value is one line of text", f.name)
		return s, false
	}
	raw, wrong := nativeValue(k, f.name, n.Value)
	if wrong != "" {
		r.fail(n, InvalidValue, f.name, "", "%s", wrong)
		return s, false
	}
	got := read(k, raw)
	bad := false
	for _, m := range got.said {
		if m.Level < LevelWarning {
			m.Origin = s.Origin
			r.say(m)
			continue
		}
		bad = true
		r.fail(n, m.Kind, m.Word, m.Suggest, "%s", instead(k, m))
	}
	switch {
	case bad:
		return s, false
	case got.unset:
		r.fail(n, InvalidValue, f.name, "", "%s: %q is no value: leave the line out", f.name, n.Value)
		return s, false
	case got.expr != nil && r.hard < maxHard && got.expr.Probe() != nil:
		r.hard++
		r.fail(n, HardRegex, f.name, "", "%s: repeats within repeats need too many steps on some texts: write the expression without them", f.name)
		return s, false
	}
	s.Value = got.value
	return s, got.set
}

// instead makes of what multipath.conf's reader did about a value what to write.
func instead(k policy.Keyword, m Message) string {
	text := strings.TrimSuffix(strings.TrimSuffix(m.Text, "; it has no effect"), "; it never matches")
	text = strings.Replace(text, " has no effect: ", ": ", 1)
	if m.Kind == Capped {
		if i := strings.LastIndex(text, ", "); i >= 0 {
			text = text[:i] + "; allowed: " + k.Values()
		}
	}
	if m.Kind == UnknownName && k.Name == "path_grouping_policy" {
		text = fmt.Sprintf("%s %q is not known; known are: %s", k.Name, m.Word, strings.Join(k.Words, " "))
	}
	return text
}

// nativeValue brings a value as people write it in YAML into the words of
// multipath.conf, or says why it is refused.
func nativeValue(k policy.Keyword, name, text string) (value, wrong string) {
	word := strings.ToLower(text)
	yes := slices.Contains([]string{"yes", "true", "on"}, word)
	no := slices.Contains([]string{"no", "false", "off"}, word)
	switch k.Kind {
	case policy.KindYesNo:
		if yes {
			return "yes", ""
		}
		if no {
			return "no", ""
		}
	case policy.KindWord:
		_, synonym := k.Synonyms["yes"]
		for _, try := range []struct {
			is    bool
			words []string
		}{{yes, []string{"on", "yes"}}, {no, []string{"off", "no"}}} {
			for _, w := range try.words {
				if try.is && (slices.Contains(k.Words, w) || synonym && w != "on" && w != "off") {
					return w, ""
				}
			}
		}
	case policy.KindNoInt:
		if no {
			return "no", ""
		}
		return number(name, text)
	case policy.KindOffInt:
		if no {
			return "off", ""
		}
		return number(name, text)
	case policy.KindInt, policy.KindUint, policy.KindDevLoss, policy.KindRetry, policy.KindFailback, policy.KindMaxFDs:
		return number(name, text)
	case policy.KindMode:
		return mode(name, text)
	case policy.KindOwner:
		return owner(name, text)
	}
	return text, ""
}

// number refuses digits that could be meant as octal: YAML of one age reads 010 as
// eight, that of another as ten.
func number(name, text string) (value, wrong string) {
	digits := strings.TrimLeft(text, "+-")
	if len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789") == "" {
		return "", fmt.Sprintf("%s: %s begins with 0: write %s", name, text, strings.TrimLeft(digits[:len(digits)-1], "0")+digits[len(digits)-1:])
	}
	return text, ""
}

// owner takes a name or a number, and refuses what is written like a number and is
// none to the kernel.
func owner(name, text string) (value, wrong string) {
	digits := text
	switch {
	case text == "":
		return text, ""
	case slices.Contains([]string{"yes", "no", "true", "false", "on", "off"}, strings.ToLower(text)):
		return "", fmt.Sprintf("%s: %q is no name of anybody: write a name or a number", name, text)
	case strings.TrimLeft(digits, "0123456789") == "":
		return number(name, text)
	case digits[0] >= '0' && digits[0] <= '9', digits[0] == '-', digits[0] == '+', digits[0] == '.':
		return "", fmt.Sprintf("%s: %q is neither a name nor a number from 0 to 4294967294", name, text)
	}
	return text, ""
}

// mode takes what a person means by 0660, "0660", 660 or 0o660. Three digits
// without a zero may also be the number that some tool made of an octal one.
func mode(name, text string) (value, wrong string) {
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "0o"), "0O")
	octal, err := strconv.ParseUint(digits, 8, 32)
	said := func(format string, args ...any) (string, string) {
		return "", fmt.Sprintf("%s: ", name) + fmt.Sprintf(format, args...)
	}
	if n, hexErr := strconv.ParseUint(text, 0, 32); hexErr == nil && len(text) > 1 && strings.ContainsAny(text[1:2], "xXbB") {
		return said("%s is no octal mode: %s", text, meant(n))
	}
	switch {
	case err != nil:
		if n, err := strconv.ParseUint(text, 10, 32); err == nil {
			return said("%s has digits that no octal mode has: %s", text, meant(n))
		}
		return said("%q is no octal mode, such as 0660", text)
	case octal > 0o777:
		if strings.Trim(text, "0") != text && len(strings.TrimRight(text, "0")) > 0 && len(strings.TrimLeft(text, "0")) == 4 && strings.HasSuffix(text, "0") {
			return said("%s is above 0777: 0%s is meant?", text, strings.TrimLeft(text, "0")[:3])
		}
		return said("%s is above 0777, the most that a device node has", text)
	case strings.HasPrefix(text, "0"):
		return digits, ""
	}
	decimal, _ := strconv.ParseUint(text, 10, 32)
	switch {
	case len(text) != 3:
		return said("%s has not three octal digits: write %04o if that is meant", text, octal)
	case usualMode(decimal) && !usualMode(octal):
		return said("%s is the number of 0%o in decimal: write 0%o", text, decimal, decimal)
	}
	return text, ""
}

// meant names the mode that a number stands for, if it is one that people give.
func meant(n uint64) string {
	if usualMode(n) {
		return fmt.Sprintf("write 0%o", n)
	}
	return "write it as octal digits, such as 0660"
}

// usualMode says whether people give a node this mode: the owner may read and
// write, and nobody has a right that those before him lack.
func usualMode(m uint64) bool {
	u, g, o := m>>6, m>>3&7, m&7
	return m <= 0o777 && u&6 == 6 && u&g == g && g&o == o && g&6 != 2 && o&6 != 2
}
