package statefile

import "fmt"

// bindingsHeader starts a new file. multipath-tools compares the header of this
// file with its own words, which are not ours to copy: where its daemon takes
// over it writes the file once more, with the same lines.
const bindingsHeader = `# Names of multipath maps, one a line: the name and the WWID of the LUN.
#
# Lines are added when a LUN without an alias gets a name (user_friendly_names).
# A line may be edited or taken out while the LUN has no map. The first line of
# a name counts. Nodes of a cluster that share LUNs want the same lines.
#
# name WWID
`

// maxWWIDBytes is the longest WWID that multipath-tools reads.
const maxWWIDBytes = 127

// Binding is one line: a name and an id of a LUN, byte for byte.
type Binding struct {
	Alias string
	WWID  string
}

// Bindings is the content of the bindings file. It is a value: changing methods
// give a new one.
type Bindings struct {
	doc   document
	lines []Binding
	at    []int // index into doc of each of lines
}

// ParseBindings reads the file as multipath-tools does: blanks separate, "#"
// comments, further words are not looked at, a line without WWID or with one
// above 127 bytes does not count.
func ParseBindings(data []byte) (Bindings, []Problem) {
	b := Bindings{doc: readDocument(data)}
	var problems []Problem
	// The udev hook reads the file for every event of a disk: no allocation for a
	// line that is as it should be.
	b.lines, b.at = make([]Binding, 0, len(b.doc)), make([]int, 0, len(b.doc))
	seen := make(map[string]int, len(b.doc)) // name: index into lines
	for i, line := range b.doc {
		alias, rest := cutWord(line)
		wwid, rest := cutWord(rest)
		extra, _ := cutWord(rest)
		say := func(text string) { problems = append(problems, Problem{Line: i + 1, Text: text}) }
		switch {
		case alias == "":
			continue
		case wwid == "":
			say("name " + alias + " without a WWID, does not count")
			continue
		case len(wwid) > maxWWIDBytes:
			say(fmt.Sprintf("WWID of %d bytes, does not count (at most %d)", len(wwid), maxWWIDBytes))
			continue
		case extra != "":
			say("words after the WWID are not looked at: " + extra)
		}
		if first, twice := seen[alias]; !twice {
			seen[alias] = len(b.lines)
		} else if holder := b.lines[first].WWID; holder != wwid {
			say("name " + alias + " stands above for " + holder + ", this line does not count")
		}
		b.lines = append(b.lines, Binding{Alias: alias, WWID: wwid})
		b.at = append(b.at, i)
	}
	return b, problems
}

// Lines gives the lines that count, in file order. Where a name stands twice the
// first counts for it; both are given.
func (b Bindings) Lines() []Binding { return append([]Binding(nil), b.lines...) }

// Add appends a line. A line that is there already changes nothing.
func (b Bindings) Add(line Binding) (Bindings, error) { return b.AddAll([]Binding{line}) }

// AddAll appends lines, all or none. Those that are there already change nothing.
func (b Bindings) AddAll(lines []Binding) (Bindings, error) {
	there := make(map[Binding]bool, len(b.lines))
	holder := make(map[string]string, len(b.lines))
	for _, have := range b.lines {
		there[have] = true
		if _, known := holder[have.Alias]; !known {
			holder[have.Alias] = have.WWID
		}
	}
	var text []string
	for _, line := range lines {
		if there[line] {
			continue
		}
		if !plain(line.Alias) || !plain(line.WWID) || len(line.WWID) > maxWWIDBytes {
			return b, fmt.Errorf("bindings line %q %q: %w", line.Alias, line.WWID, ErrUnprintable)
		}
		if wwid, taken := holder[line.Alias]; taken {
			return b, fmt.Errorf("bindings line %s %s: the name stands for %s already", line.Alias, line.WWID, wwid)
		}
		there[line], holder[line.Alias] = true, line.WWID
		text = append(text, line.Alias+" "+line.WWID)
	}
	if len(text) == 0 {
		return b, nil
	}
	next, _ := ParseBindings(b.doc.add(bindingsHeader, text...).bytes())
	return next, nil
}

// LineOf is the number, from 1, of the first line of a name, 0 if there is none.
func (b Bindings) LineOf(alias string) int {
	for i, line := range b.lines {
		if line.Alias == alias {
			return b.at[i] + 1
		}
	}
	return 0
}

// Remove takes out every line of a name.
func (b Bindings) Remove(alias string) Bindings {
	drop := map[int]bool{}
	for i, line := range b.lines {
		if line.Alias == alias {
			drop[b.at[i]] = true
		}
	}
	next, _ := ParseBindings(b.doc.without(func(i int) bool { return drop[i] }).bytes())
	return next
}

// Bytes is the file's content.
func (b Bindings) Bytes() []byte { return b.doc.bytes() }
