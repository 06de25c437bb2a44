package statefile

import "fmt"

const oldIDsHeader = `# Old ids of LUNs that a configuration or bindings line still uses, one a line:
# the old id and the WWID of the LUN that it named when it was first seen. A
# second LUN with the same old id is refused. Take a line out to let it change.
#
# old-id WWID
`

// OldID is one line of the oldids file.
type OldID struct {
	Old       string
	Canonical string
}

// OldIDs is the content of the oldids file, which is this program's own: two
// words a line, with blanks and the like as %HH. It is a value.
type OldIDs struct{ doc document }

// ParseOldIDs reads the file.
func ParseOldIDs(data []byte) (OldIDs, []Problem) {
	o := OldIDs{doc: readDocument(data)}
	var problems []Problem
	seen := map[string]bool{}
	for i, line := range o.doc {
		id, ok := oldIDOf(line)
		switch {
		case !ok && len(words(line)) > 0:
			problems = append(problems, Problem{Line: i + 1, Text: "is not of the form OLD-ID WWID, does not count"})
		case ok && seen[id.Old]:
			problems = append(problems, Problem{Line: i + 1, Text: id.Old + " stands above already, this line does not count"})
		}
		seen[id.Old] = true
	}
	return o, problems
}

func oldIDOf(line string) (OldID, bool) {
	w := words(line)
	if len(w) != 2 {
		return OldID{}, false
	}
	old, ok := unescape(w[0])
	canonical, ok2 := unescape(w[1])
	return OldID{Old: old, Canonical: canonical}, ok && ok2
}

// All gives the records in file order; of one old id the first line counts.
func (o OldIDs) All() []OldID {
	var out []OldID
	seen := map[string]bool{}
	for _, line := range o.doc {
		if id, ok := oldIDOf(line); ok && !seen[id.Old] {
			seen[id.Old] = true
			out = append(out, id)
		}
	}
	return out
}

// Add appends a record. An old id that is recorded keeps its LUN: false then.
func (o OldIDs) Add(id OldID) (next OldIDs, ok bool) {
	next, err := o.AddAll([]OldID{id})
	return next, err == nil
}

// AddAll appends records, all or none. Those that are there change nothing; an old
// id that is recorded for another LUN is an error.
func (o OldIDs) AddAll(ids []OldID) (OldIDs, error) {
	holder := map[string]string{}
	for _, have := range o.All() {
		holder[have.Old] = have.Canonical
	}
	var text []string
	for _, id := range ids {
		switch have, known := holder[id.Old]; {
		case known && have == id.Canonical:
		case known:
			return o, fmt.Errorf("%s stands for another LUN there", id.Old)
		case id.Old == "" || id.Canonical == "":
			return o, fmt.Errorf("oldids line %q %q: %w", id.Old, id.Canonical, ErrUnprintable)
		default:
			holder[id.Old] = id.Canonical
			text = append(text, escape(id.Old)+" "+escape(id.Canonical))
		}
	}
	if len(text) == 0 {
		return o, nil
	}
	return OldIDs{doc: o.doc.add(oldIDsHeader, text...)}, nil
}

// Bytes is the file's content.
func (o OldIDs) Bytes() []byte { return o.doc.bytes() }
