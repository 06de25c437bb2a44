package statefile

import (
	"fmt"
	"strconv"
	"strings"
)

const prkeysHeader = `# Persistent reservation keys, one a line: the key as 0x and 16 hexadecimal
# digits, and the WWID. 0X (capital) means that it is to survive a power loss of
# the target (APTPL). A "#" in place of the 0 takes a line out.
#
# key WWID
`

// PRKey is one line of the prkeys file.
type PRKey struct {
	WWID  string
	Key   uint64
	APTPL bool
}

// PRKeys is the content of the prkeys file. It is a value.
type PRKeys struct{ doc document }

// ParsePRKeys reads lines of the form 0x0123456789abcdef WWID.
func ParsePRKeys(data []byte) (PRKeys, []Problem) {
	p := PRKeys{doc: readDocument(data)}
	var problems []Problem
	for i, line := range p.doc {
		if _, ok := prKeyOf(line); !ok && len(words(line)) > 0 {
			problems = append(problems, Problem{Line: i + 1, Text: "is not of the form 0xKEY WWID, does not count"})
		}
	}
	return p, problems
}

func prKeyOf(line string) (PRKey, bool) {
	w := words(line)
	if len(w) < 2 || len(w[0]) < 3 || w[0][:2] != "0x" && w[0][:2] != "0X" || len(w[1]) > maxWWIDBytes {
		return PRKey{}, false
	}
	key, err := strconv.ParseUint(w[0][2:], 16, 64)
	if err != nil || key == 0 {
		return PRKey{}, false
	}
	return PRKey{WWID: w[1], Key: key, APTPL: w[0][1] == 'X'}, true
}

// All gives the keys in file order.
func (p PRKeys) All() []PRKey {
	var out []PRKey
	for _, line := range p.doc {
		if key, ok := prKeyOf(line); ok {
			out = append(out, key)
		}
	}
	return out
}

// Of gives the key of a WWID: the first line counts.
func (p PRKeys) Of(wwid string) (PRKey, bool) {
	for _, key := range p.All() {
		if key.WWID == wwid {
			return key, true
		}
	}
	return PRKey{}, false
}

// Set gives a WWID its only key.
func (p PRKeys) Set(key PRKey) (PRKeys, error) {
	if !plain(key.WWID) || len(key.WWID) > maxWWIDBytes || key.Key == 0 {
		return p, fmt.Errorf("prkeys line for %q, key %#x: %w", key.WWID, key.Key, ErrUnprintable)
	}
	if have, ok := p.Of(key.WWID); ok && have == key {
		return p, nil
	}
	next, _ := p.Remove(key.WWID)
	x := "0x"
	if key.APTPL {
		x = "0X"
	}
	return PRKeys{doc: next.doc.add(prkeysHeader, fmt.Sprintf("%s%016x %s", x, key.Key, key.WWID))}, nil
}

// Remove takes a WWID's keys out as multipath-tools does: "#" over the first
// byte of the key.
func (p PRKeys) Remove(wwid string) (next PRKeys, was bool) {
	doc := append(document(nil), p.doc...)
	for i, line := range doc {
		if key, ok := prKeyOf(line); ok && key.WWID == wwid {
			at := strings.IndexByte(line, '0')
			doc[i], was = line[:at]+"#"+line[at+1:], true
		}
	}
	return PRKeys{doc: doc}, was
}

// Bytes is the file's content.
func (p PRKeys) Bytes() []byte { return p.doc.bytes() }
