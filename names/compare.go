package names

import (
	"fmt"
	"strconv"
	"strings"
)

// Difference is one thing in which two lists differ.
type Difference struct {
	Kind  string `json:"kind"`
	WWID  string `json:"wwid"`
	Name  string `json:"name"`  // on the side that has one
	Field string `json:"field"` // entry, lun, name, owner, group, mode, size, holder
	One   string `json:"one"`   // on the first side; "" none
	Two   string `json:"two"`
}

// Compare says in what two lists differ, by WWID; then the names that stand for
// different LUNs.
func Compare(one, two List) []Difference {
	var out []Difference
	at := map[[2]string]int{}
	for i, e := range two.Entries {
		for _, id := range e.ids() {
			at[[2]string{e.Kind, id}] = i
		}
	}
	met := make([]bool, len(two.Entries))
	for _, a := range one.Entries {
		i, found := -1, false
		for _, id := range a.ids() {
			if i, found = at[[2]string{a.Kind, id}]; found {
				break
			}
		}
		if !found {
			out = append(out, Difference{a.Kind, a.WWID, a.Name, "entry", where(a), ""})
			continue
		}
		met[i] = true
		out = append(out, differences(a, two.Entries[i])...)
	}
	for i, b := range two.Entries {
		if !met[i] {
			out = append(out, Difference{b.Kind, b.WWID, b.Name, "entry", "", where(b)})
		}
	}
	return append(out, holders(one, two)...)
}

func where(e Entry) string {
	if e.Present {
		return "present"
	}
	return "named, but no such LUN"
}

// differences are those of one LUN.
func differences(a, b Entry) (out []Difference) {
	name := a.Name
	if name == "" {
		name = b.Name
	}
	add := func(field, one, two string) {
		if one != two {
			out = append(out, Difference{a.Kind, a.WWID, name, field, one, two})
		}
	}
	add("lun", where(a), where(b))
	add("name", a.Name, b.Name)
	add("owner", a.Owner, b.Owner)
	add("group", a.Group, b.Group)
	add("mode", a.Mode, b.Mode)
	if a.SizeBytes > 0 && b.SizeBytes > 0 {
		add("size", strconv.FormatUint(a.SizeBytes, 10), strconv.FormatUint(b.SizeBytes, 10))
	}
	return out
}

// holders are the names that stand for one LUN there and another here.
func holders(one, two List) (out []Difference) {
	at := map[[2]string]Entry{}
	for _, e := range two.Entries {
		if e.Name != "" {
			at[[2]string{e.Kind, e.Name}] = e
		}
	}
	for _, a := range one.Entries {
		b, ok := at[[2]string{a.Kind, a.Name}]
		if a.Name != "" && ok && !share(a, b) {
			out = append(out, Difference{a.Kind, a.WWID, a.Name, "holder", a.WWID, b.WWID})
		}
	}
	return out
}

func share(a, b Entry) bool {
	for _, x := range a.ids() {
		for _, y := range b.ids() {
			if x == y {
				return true
			}
		}
	}
	return false
}

// Text is the difference in words; one and two say where the sides are ("here",
// "in node2.txt").
func (d Difference) Text(one, two string) string {
	label := Entry{Kind: d.Kind, WWID: d.WWID, Name: d.Name}.label()
	or := func(s string) string {
		if s == "" {
			return "none"
		}
		return escape(s)
	}
	switch {
	case d.Field == "entry" && d.One == "":
		return fmt.Sprintf("%s: not %s (%s: %s)", label, one, two, d.Two)
	case d.Field == "entry":
		return fmt.Sprintf("%s: not %s (%s: %s)", label, two, one, d.One)
	case d.Field == "lun":
		return fmt.Sprintf("%s: %s %s, %s %s", label, d.One, one, d.Two, two)
	case d.Field == "holder":
		return fmt.Sprintf("%s name %s: stands for %s %s, for %s %s", d.Kind, escape(d.Name), escape(d.One), one, escape(d.Two), two)
	default:
		return strings.TrimSpace(fmt.Sprintf("%s: %s %s %s, %s %s", label, d.Field, or(d.One), one, or(d.Two), two))
	}
}
