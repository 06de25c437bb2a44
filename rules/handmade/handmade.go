// Package handmade turns udev rules that people write by hand, to give disks
// stable names and owners, into entries of the names section; those for maps
// into entries of the multipaths section. What cannot be said as an entry is
// told with its place and reason. Nothing is guessed: a condition that an entry
// cannot carry refuses the rule, an assignment that it cannot carry is told.
package handmade

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
	"pathkeeper/rules/udevrule"
)

// File is one rules file.
type File struct {
	Path string
	Data []byte
}

// Map is what rules give to a multipath map.
type Map struct {
	WWID         string
	Owner, Group string // "" unset
	Mode         int    // -1 unset
	From         string // where the WWID comes from, if the rule goes by a map's name
	Origin       policy.Origin
}

// Note is something that the user must know of a rule.
type Note struct {
	Origin  policy.Origin
	Refused bool // the rule gives no entry at all
	Text    string
}

// String gives "FILE:12: not translated: ...".
func (n Note) String() string {
	what := ""
	if n.Refused {
		what = "not translated: "
	}
	return fmt.Sprintf("%s:%d: %s%s", n.Origin.File, n.Origin.Line, what, n.Text)
}

// Result is what the files become. Disks and maps are in the order of their first
// rule.
type Result struct {
	Disks []policy.Disk
	Maps  []Map
	Notes []Note
}

// Refused reports whether a rule gave no entry.
func (r Result) Refused() bool {
	return slices.ContainsFunc(r.Notes, func(n Note) bool { return n.Refused })
}

// LookUp gives the WWID of the map of a name on this host, and where that stands;
// ok is false if nothing here says so.
type LookUp func(name string) (wwid, from string, ok bool)

// Translate reads rules files in their order.
func Translate(files []File, lookUp LookUp) Result {
	t := translator{lookUp: lookUp, disks: map[string]int{}, maps: map[string]int{}}
	order := map[string]int{}
	for i, f := range files {
		order[f.Path] = i
		t.file(f)
	}
	t.dropClashes()
	slices.SortStableFunc(t.out.Notes, func(a, b Note) int {
		if d := order[a.Origin.File] - order[b.Origin.File]; d != 0 {
			return d
		}
		return a.Origin.Line - b.Origin.Line
	})
	return t.out
}

type translator struct {
	lookUp LookUp
	out    Result
	disks  map[string]int // by WWID, index into out.Disks
	maps   map[string]int

	// Of the file that is read.
	path    string
	program target // what the last PROGRAM asked: RESULT is its answer
	// behind is why the rules up to the label are conditional, "" they are not.
	behind, label string
}

func (t *translator) note(line int, refused bool, format string, args ...any) {
	t.out.Notes = append(t.out.Notes, Note{policy.Origin{File: t.path, Line: line, Column: 1}, refused, fmt.Sprintf(format, args...)})
}

func (t *translator) file(f File) {
	t.path, t.program, t.behind, t.label = f.Path, targetNone, "", ""
	rules, problems := udevrule.Parse(f.Data)
	for _, p := range problems {
		t.note(p.Line, true, "%s", p.Text)
	}
	for _, r := range rules {
		t.rule(r)
	}
}

// oldMatches turns `KERNEL="sd*"` into the condition that it was for udev before
// 2006; today's udevd would not take the rule at all.
func oldMatches(r udevrule.Rule) udevrule.Rule {
	r.Tokens = slices.Clone(r.Tokens)
	for i, tok := range r.Tokens {
		switch tok.Key {
		case "KERNEL", "BUS", "SUBSYSTEM", "ACTION", "RESULT", "PROGRAM":
			if tok.Op == udevrule.OpAssign {
				r.Tokens[i].Op = udevrule.OpMatch
			}
		}
	}
	return r
}

// rule translates one rule.
func (t *translator) rule(r udevrule.Rule) {
	r = oldMatches(r)
	for _, tok := range r.Tokens {
		if tok.Key == "LABEL" && tok.Value == t.label {
			t.behind, t.label = "", ""
		}
	}
	if t.jump(r) {
		return
	}
	given := assignments(r)
	c := t.conditions(r)
	if given.empty() && len(given.lost) == 0 {
		return // only a condition: nothing is lost
	}
	switch {
	case given.why != "":
		t.note(r.Line, true, "%s", given.why)
		return
	case c.why != "":
		t.note(r.Line, true, "%s", c.why)
		return
	case t.behind != "":
		t.note(r.Line, true, "%s", t.behind)
		return
	}
	if given.empty() {
		t.note(r.Line, true, "it gives neither name nor owner, group or mode, but %s", strings.Join(given.lost, ", "))
		return
	}
	if c.mapWWID != "" {
		t.takeMap(r, c, given)
		return
	}
	t.takeDisk(r, c, given)
}

// takeDisk adds what a rule gives to the entry of its disk.
func (t *translator) takeDisk(r udevrule.Rule, c conditions, given assigned) {
	d := policy.Disk{WWID: c.id, Name: given.name, Owner: given.owner, Group: given.group, Mode: given.mode, Origin: policy.Origin{File: t.path, Line: r.Line, Column: 1}}
	if bad := policy.CheckDiskName(d.Name); d.Name != "" && bad != "" {
		t.note(r.Line, true, "the name %q %s", d.Name, bad)
		return
	}
	i, known := t.disks[d.WWID]
	if known && d.Name != "" && t.out.Disks[i].Name != "" && t.out.Disks[i].Name != d.Name {
		t.note(r.Line, true, "%s is named %s by %s:%d already, and an entry has one name", d.WWID, t.out.Disks[i].Name, t.out.Disks[i].Origin.File, t.out.Disks[i].Origin.Line)
		return
	}
	if c.partition != "" && d.Name != "" {
		t.note(r.Line, false, "it names a partition (%s): the entry names the disk /dev/%s and its partitions /dev/%s-partN; owner, group and mode hold for all of them", c.partition, d.Name, d.Name)
	}
	t.tellLost(r, c, given)
	if !known {
		t.disks[d.WWID] = len(t.out.Disks)
		t.out.Disks = append(t.out.Disks, d)
		return
	}
	have := &t.out.Disks[i]
	if have.Name == "" {
		have.Name = d.Name
	}
	have.Owner, have.Group, have.Mode = later(have.Owner, d.Owner), later(have.Group, d.Group), laterMode(have.Mode, d.Mode)
}

// takeMap adds what a rule gives to the entry of its map.
func (t *translator) takeMap(r udevrule.Rule, c conditions, given assigned) {
	if given.name != "" {
		t.note(r.Line, given.owner == "" && given.group == "" && given.mode < 0,
			"the link %s: a map is called /dev/mapper/ALIAS, its entry gives no other link; keep a rule for it, or use the alias", given.name)
		given.name = ""
		if given.empty() {
			return
		}
	}
	t.tellLost(r, c, given)
	i, known := t.maps[c.mapWWID]
	if !known {
		t.maps[c.mapWWID] = len(t.out.Maps)
		t.out.Maps = append(t.out.Maps, Map{
			WWID: c.mapWWID, Owner: given.owner, Group: given.group, Mode: given.mode, From: c.from,
			Origin: policy.Origin{File: t.path, Line: r.Line, Column: 1},
		})
		return
	}
	have := &t.out.Maps[i]
	have.Owner, have.Group, have.Mode = later(have.Owner, given.owner), later(have.Group, given.group), laterMode(have.Mode, given.mode)
}

func (t *translator) tellLost(r udevrule.Rule, c conditions, given assigned) {
	for _, text := range c.dropped {
		t.note(r.Line, false, "%s", text)
	}
	if len(given.lost) > 0 {
		t.note(r.Line, false, "an entry cannot say %s: keep a rule for it", strings.Join(given.lost, ", "))
	}
}

// later is what udev makes of two assignments: the last one counts.
func later(have, next string) string {
	if next == "" {
		return have
	}
	return next
}

func laterMode(have, next int) int {
	if next < 0 {
		return have
	}
	return next
}

// dropClashes takes out the entries that the configuration would refuse.
func (t *translator) dropClashes() {
	_, problems := policy.Compile(policy.Config{Disks: t.out.Disks})
	bad := map[policy.Origin]bool{}
	for _, p := range problems {
		t.out.Notes = append(t.out.Notes, Note{p.Origin, true, p.Text})
		bad[p.Origin] = true
	}
	t.out.Disks = slices.DeleteFunc(t.out.Disks, func(d policy.Disk) bool { return bad[d.Origin] })
}

// jump reads a GOTO. One that only steers other devices and events past the rules
// is of no matter; behind any other the rules hold under its condition.
func (t *translator) jump(r udevrule.Rule) bool {
	at := slices.IndexFunc(r.Tokens, func(tok udevrule.Token) bool { return tok.Key == "GOTO" })
	if at < 0 {
		return false
	}
	for _, tok := range r.Tokens {
		if tok.Key == "GOTO" || tok.Key == "LABEL" || steersOthers(tok) {
			continue
		}
		if t.behind == "" {
			t.behind = fmt.Sprintf("it stands behind the GOTO of line %d, whose condition an entry cannot say: %s", r.Line, tok)
			t.label = r.Tokens[at].Value
		}
	}
	return true
}

// steersOthers recognizes the conditions under which a file's rules are jumped
// over: devices that they are not for.
func steersOthers(tok udevrule.Token) bool {
	switch {
	case tok.Op == udevrule.OpNoMatch:
		switch tok.Key {
		case "SUBSYSTEM", "SUBSYSTEMS", "BUS", "ACTION":
			return true
		case "KERNEL":
			return strings.HasPrefix(tok.Value, "sd") || strings.HasPrefix(tok.Value, "dm-")
		case "ENV":
			return tok.Attr == "DEVTYPE" || (tok.Attr == "DM_UUID" || tok.Attr == "DM_NAME") && (tok.Value == "?*" || tok.Value == "mpath-?*" || tok.Value == "mpath-*")
		}
	case tok.Op == udevrule.OpMatch:
		switch tok.Key {
		case "ACTION":
			return tok.Value == "remove"
		case "ENV":
			return tok.Attr == "DM_UDEV_DISABLE_OTHER_RULES_FLAG" || tok.Attr == "DEVTYPE" && tok.Value == "partition"
		}
	}
	return false
}
