package show

import (
	"fmt"
	"strings"

	"pathkeeper/policy"
)

// KeywordValue is one keyword's effective value, as JSON.
type KeywordValue struct {
	Keyword string       `json:"keyword"`
	Value   *string      `json:"value"` // null: unset
	Place   string       `json:"place"` // multipaths protocol overrides device "built-in table" defaults "built-in default" detected derived
	Entry   *string      `json:"entry"` // which device entry, LUN or protocol, where the place has several
	Origin  string       `json:"origin"`
	Beat    []OtherValue `json:"beat"` // values that other places have and that do not count, in order of precedence
}

// OtherValue is a value that does not count.
type OtherValue struct {
	Value  string  `json:"value"`
	Place  string  `json:"place"`
	Entry  *string `json:"entry"`
	Origin string  `json:"origin"`
	// PassedOver: it stands where it should count, but is no value, or the device itself said otherwise.
	PassedOver bool `json:"passed_over"`
}

// EffectiveDoc is the JSON form of effective values.
func EffectiveDoc(list []policy.Effective) []KeywordValue {
	out := []KeywordValue{}
	for _, e := range list {
		k := KeywordValue{Keyword: e.Keyword, Value: some(e.Value), Place: e.Place.String(), Entry: some(e.Entry), Origin: e.Origin.String(), Beat: []OtherValue{}}
		for _, b := range e.Beat {
			k.Beat = append(k.Beat, OtherValue{Value: b.Value, Place: b.Place.String(), Entry: some(b.Entry), Origin: b.Origin.String(), PassedOver: b.Above})
		}
		out = append(out, k)
	}
	return out
}

// Effective prints effective values, a line each. With origins each line says
// where its value comes from, and lines below it what does not count.
func Effective(list []policy.Effective, origins bool) string {
	g := grid{}
	for _, e := range list {
		if !origins {
			g.add("  "+e.Keyword, valueText(e.Value))
			continue
		}
		g.add("  "+e.Keyword, valueText(e.Value), placeText(e.Place, e.Entry, e.Origin))
		for _, b := range e.Beat {
			head := "    not"
			if b.Value == e.Value {
				head = "    also"
			}
			g.add(head, valueText(b.Value), placeText(b.Place, b.Entry, b.Origin))
		}
	}
	return g.text()
}

// Table prints rows in columns.
func Table(rows [][]string) string {
	g := grid{}
	for _, r := range rows {
		g.add(r...)
	}
	return g.text()
}

// text gives the rows, each line ended.
func (g *grid) text() string {
	if len(g.rows) == 0 {
		return ""
	}
	return strings.Join(g.lines(g.widths()), "\n") + "\n"
}

// valueText shows a value as a file has it: quoted where it has blanks.
func valueText(v string) string {
	switch {
	case v == "":
		return "(unset)"
	case strings.ContainsAny(v, " \t") && !strings.Contains(v, `"`):
		return `"` + v + `"`
	}
	return v
}

// placeText says where a value comes from: the origin alone says it but for a
// file's line, whose section a reader wants to know without opening the file.
func placeText(p policy.Place, entry string, o policy.Origin) string {
	if o.File == "" {
		return o.String()
	}
	text := p.String()
	if entry != "" {
		text += " " + entry
	}
	return fmt.Sprintf("%s (%s)", o, text)
}
