package statefile

import (
	"fmt"
	"strings"
)

const wwidsHeader = `# WWIDs of LUNs that are multipath devices, one a line between slashes.
# Lines are added when a LUN gets its first map; with find_multipaths strict
# only these are claimed. A "#" in place of the first slash takes a line out.
#
# /WWID/
`

// WWIDs is the content of the wwids file. It is a value.
type WWIDs struct{ doc document }

// ParseWWIDs reads lines of the form /WWID/; those that start with "#" are
// comments or were taken out.
func ParseWWIDs(data []byte) (WWIDs, []Problem) {
	w := WWIDs{doc: readDocument(data)}
	var problems []Problem
	for i, line := range w.doc {
		if _, ok := wwidOf(line); !ok && strings.TrimSpace(line) != "" && line[0] != '#' {
			problems = append(problems, Problem{Line: i + 1, Text: fmt.Sprintf("%.40q is not of the form /WWID/, does not count", line)})
		}
	}
	return w, problems
}

func wwidOf(line string) (string, bool) {
	line = strings.TrimRight(line, " \t\r")
	if len(line) < 3 || line[0] != '/' || line[len(line)-1] != '/' {
		return "", false
	}
	return line[1 : len(line)-1], true
}

// All gives the listed WWIDs in file order, each once.
func (w WWIDs) All() []string {
	var out []string
	seen := map[string]bool{}
	for _, line := range w.doc {
		if wwid, ok := wwidOf(line); ok && !seen[wwid] {
			seen[wwid] = true
			out = append(out, wwid)
		}
	}
	return out
}

// Has reports whether a WWID is listed.
func (w WWIDs) Has(wwid string) bool {
	for _, line := range w.doc {
		if have, ok := wwidOf(line); ok && have == wwid {
			return true
		}
	}
	return false
}

// Add appends a WWID; one that is listed changes nothing.
func (w WWIDs) Add(wwid string) (WWIDs, error) { return w.AddAll([]string{wwid}) }

// AddAll appends WWIDs, all or none; those that are listed change nothing.
func (w WWIDs) AddAll(wwids []string) (WWIDs, error) {
	there := make(map[string]bool, len(w.doc))
	for _, line := range w.doc {
		if have, ok := wwidOf(line); ok {
			there[have] = true
		}
	}
	var text []string
	for _, wwid := range wwids {
		if there[wwid] {
			continue
		}
		if wwid == "" || len(wwid) > maxWWIDBytes || strings.ContainsAny(wwid, "\n\r\x00") || strings.TrimSpace(wwid) != wwid {
			return w, fmt.Errorf("wwids line %q: %w", wwid, ErrUnprintable)
		}
		there[wwid] = true
		text = append(text, "/"+wwid+"/")
	}
	if len(text) == 0 {
		return w, nil
	}
	return WWIDs{doc: w.doc.add(wwidsHeader, text...)}, nil
}

// Remove takes a WWID out as multipath-tools does: "#" in place of the slash.
func (w WWIDs) Remove(wwid string) (next WWIDs, was bool) {
	doc := append(document(nil), w.doc...)
	for i, line := range doc {
		if have, ok := wwidOf(line); ok && have == wwid {
			doc[i], was = "#"+line[1:], true
		}
	}
	return WWIDs{doc: doc}, was
}

// Bytes is the file's content.
func (w WWIDs) Bytes() []byte { return w.doc.bytes() }

// FailedName is the file name that marks a WWID in failed_wwids: the WWID, with
// "/" and "%" as %HH so that it is a name whatever a target calls its LUN.
func FailedName(wwid string) string {
	name := strings.NewReplacer("%", "%25", "/", "%2f", "\x00", "%00").Replace(wwid)
	if name == "." || name == ".." {
		return "%2e" + name[1:]
	}
	return name
}

// FailedWWID is the inverse of FailedName.
func FailedWWID(name string) string {
	if wwid, ok := unescape(name); ok {
		return wwid
	}
	return name
}
