package policy

import (
	"fmt"
	"math"
	"strings"
)

// Values says in words which values a keyword takes.
func (k Keyword) Values() string {
	words := strings.Join(k.Words, ", ")
	number := fmt.Sprintf("%d to %d", k.Min, k.Max)
	if k.Max >= math.MaxInt32 {
		number = fmt.Sprintf("%d or more", k.Min)
		if k.Min == math.MinInt32 {
			number = "a number"
		}
	}
	if k.ZeroUnset {
		number += "; 0 leaves it unset"
	}
	positive := "1 or more"
	if k.Max < math.MaxInt32 {
		positive = fmt.Sprintf("1 to %d", k.Max)
	}
	switch k.Kind {
	case KindYesNo:
		return "yes, no"
	case KindInt, KindUint:
		return number
	case KindNoInt:
		return "no, " + positive
	case KindOffInt:
		return "off, 0, " + positive
	case KindDevLoss:
		return "seconds from 1, infinity"
	case KindRetry:
		return "fail, queue, " + positive
	case KindFailback:
		return "immediate, manual, followover, seconds from 1"
	case KindMaxFDs:
		return "max, a number; 0 leaves the limit as it is"
	case KindWord, KindName:
		return words
	case KindText:
		return "any text"
	case KindNoSlash:
		return "any text without a slash"
	case KindCounted:
		return "a count and as many words: `2 pg_init_retries 50`"
	case KindSelector:
		return "a selector, a count and as many words: `service-time 0`; selectors: " + words
	case KindRegex, KindRule:
		return "a POSIX extended regular expression, not anchored; a leading ! inverts it"
	case KindMode:
		return "octal, 0 to 0777"
	case KindOwner:
		return "a number or a name"
	case KindKey:
		return "up to 16 hexadecimal digits, 0x before them; or file"
	case KindAttributes:
		return "type:ATTRIBUTE pairs: `sd:ID_SERIAL dasd:ID_UID`"
	case KindIgnored:
		return "accepted for old files and without effect"
	}
	return "unknown"
}

// Places names the sections in which a keyword may stand, as multipath.conf
// spells them.
func (k Keyword) Places() []string {
	var out []string
	for _, p := range []struct {
		section Section
		text    string
	}{
		{SectionDefaults, "defaults"},
		{SectionDevice, "devices/device"},
		{SectionOverrides, "overrides"},
		{SectionProtocol, "overrides/protocol"},
		{SectionMultipath, "multipaths/multipath"},
		{SectionBlacklist, "blacklist and blacklist_exceptions"},
		{SectionBlacklistDevice, "blacklist/device and blacklist_exceptions/device"},
	} {
		if k.Sections&p.section != 0 {
			out = append(out, p.text)
		}
	}
	return out
}
