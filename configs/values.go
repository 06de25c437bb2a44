package configs

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/policy"
	"pathkeeper/policy/ere"
)

// reading is what a keyword's value came to: a canonical value to set, or one
// that leaves the setting unset, or neither: what stood there before stays.
type reading struct {
	value string
	set   bool
	unset bool
	said  []Message // without Origin
	expr  *ere.Expr // of an expression that compiles
}

func (r *reading) say(level Level, kind Kind, word, suggest, format string, args ...any) {
	r.said = append(r.said, Message{Level: level, Kind: kind, Word: word, Suggest: suggest, Text: fmt.Sprintf(format, args...)})
}

func (r *reading) take(value string) { r.value, r.set = value, true }

// read checks a value and brings it into the form of a dump.
func read(k policy.Keyword, raw string) reading {
	var r reading
	invalid := func(want string) {
		var words []string
		words = append(words, k.Words...)
		r.say(LevelWarning, InvalidValue, k.Name, Nearest(raw, words), "invalid value for %s: %q is not %s; it has no effect", k.Name, raw, want)
	}
	switch k.Kind {
	case policy.KindYesNo:
		switch raw {
		case "yes", "1":
			r.take("yes")
		case "no", "0":
			r.take("no")
		default:
			k.Words = []string{"yes", "no"}
			invalid("yes or no")
		}
	case policy.KindWord:
		readWord(&r, k, raw, invalid)
	case policy.KindInt, policy.KindUint, policy.KindNoInt, policy.KindOffInt, policy.KindDevLoss, policy.KindRetry, policy.KindFailback, policy.KindMaxFDs:
		readNumber(&r, k, raw, invalid)
	case policy.KindName, policy.KindSelector, policy.KindCounted:
		readWords(&r, k, raw)
	case policy.KindText:
		r.take(raw)
	case policy.KindNoSlash:
		if strings.Contains(raw, "/") {
			r.say(LevelWarning, SlashNotAllowed, "", "", "%s %q has no effect: a slash cannot be part of a device's name", k.Name, raw)
		} else {
			r.take(raw)
		}
	case policy.KindRegex, policy.KindRule:
		readRegex(&r, k, raw)
	case policy.KindMode:
		n, err := strconv.ParseUint(strings.TrimSpace(raw), 8, 32)
		if err != nil || n > 0o777 {
			invalid("an octal mode up to 0777")
		} else {
			r.take("0" + strconv.FormatUint(n, 8))
		}
	case policy.KindOwner:
		readOwner(&r, raw, invalid)
	case policy.KindKey:
		readKey(&r, k, raw)
	case policy.KindAttributes:
		readAttributes(&r, k, raw)
	}
	return r
}

func readWord(r *reading, k policy.Keyword, raw string, invalid func(string)) {
	word, synonym := k.Synonyms[raw]
	switch {
	case slices.Contains(k.Words, raw):
		word = raw
	case synonym:
		if slices.Contains(k.Old, raw) {
			r.say(LevelWarning, DeprecatedValue, strconv.Quote(raw), word, "%s %s is the old spelling of %s", k.Name, raw, word)
		}
	default:
		// multipath-tools compares only the start of this one.
		if k.Name == "path_grouping_policy" {
			for _, w := range k.Words {
				if strings.HasPrefix(raw, w) {
					r.say(LevelWarning, UnknownName, raw, w, "%s %q is taken for %s", k.Name, raw, w)
					r.take(w)
					return
				}
			}
		}
		invalid("one of " + strings.Join(k.Words, " "))
		return
	}
	if k.Name == "marginal_pathgroups" && word == "fpin" {
		r.say(LevelWarning, NotCompiledIn, k.Name, "", "marginal_pathgroups fpin is not supported; it has no effect")
		return
	}
	r.take(word)
}

// readNumber reads the kinds that are a number or a word.
func readNumber(r *reading, k policy.Keyword, raw string, invalid func(string)) {
	low, want := k.Min, "a number"
	switch k.Kind {
	case policy.KindNoInt:
		want, low = "no or a number", 1
		if raw == "no" || raw == "0" {
			r.take("no")
			return
		}
	case policy.KindOffInt:
		want, low = "off or a number", 1
		if raw == "off" || raw == "0" {
			r.take(raw)
			return
		}
	case policy.KindRetry:
		want, low = "fail, queue or a number", 1
		switch raw {
		case "fail", "0":
			r.take("fail")
			return
		case "queue":
			r.take(raw)
			return
		}
	case policy.KindFailback:
		want = "immediate, manual, followover or a number of seconds"
		if slices.Contains([]string{"immediate", "manual", "followover"}, raw) {
			r.take(raw)
			return
		}
		k.ZeroUnset = true
	case policy.KindDevLoss:
		want = "infinity or a number of seconds"
		if raw == "infinity" {
			r.take(raw)
			return
		}
		k.ZeroUnset = true
	case policy.KindMaxFDs:
		want = "max or a number"
		if raw == "max" {
			r.take(raw)
			return
		}
	}
	n, ok := decimal(raw)
	if !ok {
		k.Words = []string{"immediate", "manual", "followover", "infinity", "queue", "fail", "off", "no", "max"}
		k.Words = slices.DeleteFunc(k.Words, func(w string) bool { return !strings.Contains(want, w) })
		r.say(LevelWarning, InvalidValue, k.Name, Nearest(raw, k.Words), "invalid value for %s: %q is not %s; it has no effect", k.Name, raw, want)
		return
	}
	lowest, highest := big.NewInt(low), big.NewInt(k.Max)
	small, large := n.Cmp(lowest) < 0, n.Cmp(highest) > 0
	unsigned := k.Kind == policy.KindUint || k.Kind == policy.KindDevLoss
	switch {
	case unsigned && (n.Sign() < 0 || k.Kind == policy.KindUint && (small || large)):
		invalid(fmt.Sprintf("between %d and %d", low, k.Max))
		return
	case small:
		r.say(LevelWarning, Capped, k.Name, "", "value for %s too small: %s, %d is used", k.Name, strings.TrimSpace(raw), low)
		n = lowest
	case large:
		r.say(LevelWarning, Capped, k.Name, "", "value for %s too large: %s, %d is used", k.Name, strings.TrimSpace(raw), k.Max)
		n = highest
	}
	switch {
	case n.Sign() == 0 && k.ZeroUnset:
		r.unset = true
	case k.Kind == policy.KindDevLoss && n.Cmp(highest) == 0:
		r.take("infinity")
	default:
		r.take(n.String())
	}
}

// decimal reads digits with a sign and blanks around them.
func decimal(raw string) (*big.Int, bool) {
	s := strings.Trim(raw, " \t\n\v\f\r")
	digits := strings.TrimLeft(s, "0")
	if s == "" || len(digits) > 40 { // beyond any limit; keeps the conversion short
		if s == "" || strings.Trim(digits, "0123456789") != "" {
			return nil, false
		}
		s = strings.Repeat("9", 40)
	}
	n, ok := new(big.Int).SetString(s, 10)
	return n, ok
}

// readWords reads names, and words with a count before them.
func readWords(r *reading, k policy.Keyword, raw string) {
	words := strings.Fields(raw)
	if k.Kind != policy.KindName {
		counted := words
		if k.Kind == policy.KindSelector && len(words) > 0 {
			counted = words[1:]
		}
		wrong := len(counted) == 0
		if !wrong {
			n, err := strconv.Atoi(counted[0])
			wrong = err != nil || n != len(counted)-1
		}
		if wrong {
			form := `"COUNT WORD...", such as "2 pg_init_retries 50"`
			if k.Kind == policy.KindSelector {
				form = `"NAME COUNT ARGUMENT...", such as "round-robin 0"`
			}
			r.say(LevelWarning, BadArgumentCount, k.Name, "", "invalid value for %s: %q is not of the form %s; it has no effect", k.Name, raw, form)
			return
		}
	}
	if name := strings.Join(words[:min(1, len(words))], ""); len(k.Words) > 0 && !slices.Contains(k.Words, name) {
		r.say(LevelWarning, UnknownName, name, Nearest(name, k.Words), "%s %q is not known; known are: %s", k.Name, name, strings.Join(k.Words, " "))
	}
	r.take(raw)
}

func readRegex(r *reading, k policy.Keyword, raw string) {
	if k.Kind == policy.KindRule {
		rule, err := ere.CompileRule(raw)
		if err != nil {
			r.say(LevelError, Rejected, "", "", "%s: %v", k.Name, err)
			return
		}
		r.expr = rule.Expr
	} else {
		expr, err := ere.Compile(raw)
		if err != nil {
			r.say(LevelWarning, BadRegex, k.Name, "", "%s: %v; it never matches", k.Name, err)
		}
		r.expr = expr
	}
	r.take(raw)
}

func readOwner(r *reading, raw string, invalid func(string)) {
	s := strings.TrimSpace(raw)
	n, number := decimal(s)
	switch {
	case s == "" || number && (n.Sign() < 0 || n.Cmp(big.NewInt(1<<32-2)) > 0):
		invalid("a name or a number from 0 to 4294967294")
	case number:
		r.take(n.String())
	default:
		r.take(s)
	}
}

// readKey reads hex digits with an optional 0x and :aptpl, or "file".
func readKey(r *reading, k policy.Keyword, raw string) {
	if raw == "file" {
		r.take(raw)
		return
	}
	digits, flag, flagged := strings.Cut(raw, ":")
	digits = strings.TrimPrefix(strings.TrimPrefix(digits, "0x"), "0X")
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || n == 0 || len(digits) > 16 || flagged && flag != "aptpl" {
		r.say(LevelError, Rejected, "", "", "%s: %q is neither 1 to 16 hex digits other than 0, with or without :aptpl, nor the word file", k.Name, raw)
		return
	}
	value := "0x" + strconv.FormatUint(n, 16)
	if flagged {
		value += ":aptpl"
	}
	r.take(value)
}

func readAttributes(r *reading, k policy.Keyword, raw string) {
	words := strings.Fields(raw)
	for _, w := range words {
		if prefix, attribute, ok := strings.Cut(w, ":"); !ok || prefix == "" || attribute == "" {
			r.say(LevelWarning, BadUIDAttrs, k.Name, "", "%s: %q is not of the form PREFIX:PROPERTY, such as sd:ID_SERIAL", k.Name, w)
			if !ok {
				return
			}
		}
	}
	if len(words) == 0 {
		r.unset = true
		return
	}
	r.take(raw)
}
