// Package names holds the list by which two nodes of a cluster compare and carry
// over what their LUNs are called and whom they belong to: made from what a host
// knows, printed, read again, compared, and turned into what a host lacks.
package names

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/policy"
)

// Kinds of entries.
const (
	KindMap  = "map"
	KindDisk = "disk" // stays single, named by the names section
)

// Where a name comes from.
const (
	FromConfig   = "config"   // alias of the multipaths section, or the names section
	FromBindings = "bindings" // a line there
	FromWWID     = "wwid"     // it has none: the map is called by its WWID
	FromKept     = "kept"     // the name that the map has, since the wanted one is taken
)

// Entry is what one LUN is called, and whom it belongs to.
type Entry struct {
	Kind      string   `json:"kind"` // map, disk
	WWID      string   `json:"wwid"` // canonical where the LUN is there, else as the file has it
	Name      string   `json:"name"` // alias of a map, link of a disk below /dev; "" none
	Owner     string   `json:"owner"`
	Group     string   `json:"group"`
	Mode      string   `json:"mode"`       // "0660"; "" unset
	SizeBytes uint64   `json:"size_bytes"` // 0: not known
	From      string   `json:"from"`
	Present   bool     `json:"present"` // the LUN is there
	IDs       []string `json:"ids,omitempty"`

	Line int `json:"-"` // of the file that it was read from
}

// ids are all that the LUN is known by, the WWID first.
func (e Entry) ids() []string { return append([]string{e.WWID}, e.IDs...) }

// label is how an entry is spoken of.
func (e Entry) label() string {
	s := e.Kind + " " + escape(e.WWID)
	if e.Name != "" {
		s += " (" + escape(e.Name) + ")"
	}
	return s
}

// List is what one host knows.
type List struct {
	Host    string
	Entries []Entry // sorted by WWID, then kind
}

func (l *List) sort() {
	slices.SortStableFunc(l.Entries, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.WWID, b.WWID), strings.Compare(a.Kind, b.Kind))
	})
}

// magic begins the text form: the format and its version. In what was exported the
// number of entries follows, so that a list that was cut off is not taken for whole.
const magic = "pathkeeper-names 1"

// Limits of what is read.
const (
	MaxFileBytes = 64 << 20
	maxEntries   = 1_000_000
	maxIDs       = 16 // of one LUN
)

// String is the text form. What a LUN or a file calls itself cannot break it: blanks,
// control bytes and the like are %HH.
func (l List) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Names of the maps and disks of %s, by `pathkeeper names export`.\n", escape(l.Host))
	b.WriteString("# On another node, `pathkeeper names compare FILE` says what differs there and\n")
	b.WriteString("# `pathkeeper names import FILE` takes these names over. A - is not set, blanks and\n")
	b.WriteString("# the like are %HH. there: whether this node had the LUN.\n")
	fmt.Fprintf(&b, "%s %d\n", magic, len(l.Entries))
	rows := [][]string{{"# kind", "wwid", "name", "owner", "group", "mode", "bytes", "from", "there", "other-ids"}}
	for _, e := range l.Entries {
		size, there := "-", "no"
		if e.SizeBytes > 0 {
			size = strconv.FormatUint(e.SizeBytes, 10)
		}
		if e.Present {
			there = "yes"
		}
		row := []string{e.Kind, escape(e.WWID), escape(e.Name), escape(e.Owner), escape(e.Group), escape(e.Mode), size, e.From, there}
		for _, id := range e.IDs {
			row = append(row, escape(id))
		}
		rows = append(rows, row)
	}
	var width [9]int
	for _, row := range rows {
		for i := range width {
			width[i] = max(width[i], len(row[i]))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(width) {
				line.WriteString(strings.Repeat(" ", width[i]-len(cell)))
			}
			line.WriteByte(' ')
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// escape writes a value as one word; "" is "-".
func escape(s string) string {
	if s == "" {
		return "-"
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '#' || c == '%' || s == "-" {
			fmt.Fprintf(&b, "%%%02x", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unescape is the inverse of escape.
func unescape(s string) (string, bool) {
	if s == "-" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), true
}

// Problem is a line that is no entry.
type Problem struct {
	Line int
	Text string
}

// String gives "line 3: ...".
func (p Problem) String() string { return fmt.Sprintf("line %d: %s", p.Line, p.Text) }

// maxProblems bounds what is told of one file.
const maxProblems = 100

// Parse reads the text form. A list with problems must not be used.
func Parse(data []byte) (List, []Problem) {
	var l List
	var problems []Problem
	say := func(line int, format string, args ...any) {
		if len(problems) < maxProblems {
			problems = append(problems, Problem{line, fmt.Sprintf(format, args...)})
		}
	}
	if len(data) > MaxFileBytes {
		return l, []Problem{{1, fmt.Sprintf("the file has %d bytes, %d are the most", len(data), MaxFileBytes)}}
	}
	begun, count := false, -1
	wwids, names := map[[2]string]int{}, map[[2]string]int{}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || line[0] == '#':
			continue
		case !begun:
			if len(words) == 3 {
				if n, err := strconv.ParseUint(words[2], 10, 31); err == nil {
					count, words = int(n), words[:2]
				}
			}
			if strings.Join(words, " ") != magic {
				return l, []Problem{{number, fmt.Sprintf("%.40q is not %q: this is no list that `pathkeeper names export` wrote", line, magic)}}
			}
			begun = true
			continue
		case len(l.Entries) >= maxEntries:
			say(number, "more than %d entries", maxEntries)
			return l, problems
		}
		e, why := readEntry(words)
		if why != "" {
			say(number, "%s", why)
			continue
		}
		e.Line = number
		for _, id := range e.ids() {
			if first, twice := wwids[[2]string{e.Kind, id}]; twice && first != number {
				say(number, "%s %s stands on line %d already", e.Kind, escape(id), first)
			}
			wwids[[2]string{e.Kind, id}] = number
		}
		if e.Name != "" {
			if first, twice := names[[2]string{e.Kind, e.Name}]; twice {
				say(number, "the name %s stands for another LUN on line %d already", e.Name, first)
			}
			names[[2]string{e.Kind, e.Name}] = number
		}
		l.Entries = append(l.Entries, e)
	}
	if !begun {
		say(1, "the line %q is missing: this is no list that `pathkeeper names export` wrote", magic)
	}
	if whole := len(data) > 0 && data[len(data)-1] == '\n'; count >= 0 && len(problems) == 0 && (count != len(l.Entries) || !whole) {
		say(number, "the first line says %d entries, %d are here: the list was cut off or edited; export it again, or leave the number out", count, len(l.Entries))
	}
	l.sort()
	return l, problems
}

// readEntry reads one line, and refuses what nobody should be made to call a LUN.
func readEntry(words []string) (e Entry, why string) {
	if len(words) < 9 || len(words) > 9+maxIDs {
		return e, fmt.Sprintf("has %d words, 9 and the other ids are wanted", len(words))
	}
	var text [5]string
	for i := range text {
		var ok bool
		if text[i], ok = unescape(words[1+i]); !ok {
			return e, fmt.Sprintf("%.60q: what follows %% is no byte", words[1+i])
		}
	}
	e = Entry{Kind: words[0], WWID: text[0], Name: text[1], Owner: text[2], Group: text[3], Mode: text[4], From: words[7], Present: words[8] == "yes"}
	for _, w := range words[9:] {
		id, ok := unescape(w)
		if !ok || badID(id) != "" {
			return e, fmt.Sprintf("the id %.60q cannot be one", w)
		}
		e.IDs = append(e.IDs, id)
	}
	if words[6] != "-" {
		n, err := strconv.ParseUint(words[6], 10, 64)
		if err != nil {
			return e, fmt.Sprintf("size %.30q is no number", words[6])
		}
		e.SizeBytes = n
	}
	if words[8] != "yes" && words[8] != "no" {
		return e, fmt.Sprintf("%.30q is neither yes nor no", words[8])
	}
	if !slices.Contains([]string{FromConfig, FromBindings, FromWWID, FromKept}, e.From) {
		return e, fmt.Sprintf("%.30q is not where a name comes from (config, bindings, wwid, kept)", e.From)
	}
	return e, e.bad()
}

// bad says why an entry cannot be taken.
func (e Entry) bad() string {
	if why := badID(e.WWID); why != "" {
		return fmt.Sprintf("WWID %.140q %s", e.WWID, why)
	}
	why := ""
	switch e.Kind {
	case KindMap:
		why = badAlias(e.Name)
	case KindDisk:
		if e.Name != "" {
			why = policy.CheckDiskName(e.Name)
		}
	default:
		return fmt.Sprintf("%.30q is no kind (map, disk)", e.Kind)
	}
	if why != "" {
		return fmt.Sprintf("name %.140q %s", e.Name, why)
	}
	for _, account := range []string{e.Owner, e.Group} {
		if account != "" && !isAccount(account) {
			return fmt.Sprintf("%.40q is no name or number of an account", account)
		}
	}
	if mode, err := strconv.ParseUint(e.Mode, 8, 16); e.Mode != "" && (err != nil || mode > 0o777) {
		return fmt.Sprintf("mode %.20q is no octal number up to 0777", e.Mode)
	}
	return ""
}

// oddBytes have a meaning in one of the files that a value may go into.
const oddBytes = "\"'\\`#$%!{}"

func badID(id string) string {
	switch {
	case id == "":
		return "is empty"
	case len(id) > 127:
		return fmt.Sprintf("has %d bytes, 127 are the most", len(id))
	}
	return oddByte(id)
}

func badAlias(name string) string {
	switch {
	case len(name) > 127:
		return fmt.Sprintf("has %d bytes, 127 are the most", len(name))
	case name == "." || name == ".." || name == "control":
		return "is reserved in /dev/mapper"
	case strings.Contains(name, "/"):
		return "has a slash"
	}
	return oddByte(name)
}

func oddByte(s string) string {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(oddBytes, c) >= 0 {
			return fmt.Sprintf("has the byte %q", c)
		}
	}
	return ""
}

func isAccount(s string) bool {
	return len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == "" && s[0] != '-' && s[0] != '.'
}
