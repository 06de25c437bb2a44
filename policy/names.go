package policy

import (
	"sort"
	"strings"
)

// Limits of friendly names, those of multipath-tools: the letters count in
// bijective base 26 up to the largest C int.
const (
	maxNameID      = 1<<31 - 1 // "fxshrxw"
	maxNameLetters = 7
)

// FormatName gives the friendly name of a number: 1 is prefix+"a", 26 "z", 27
// "aa", 2147483647 "fxshrxw". ok is false for numbers outside 1..2147483647.
func FormatName(prefix string, id int) (name string, ok bool) {
	if id < 1 || id > maxNameID {
		return "", false
	}
	var letters [maxNameLetters]byte
	at := len(letters)
	for ; id > 0; id /= 26 {
		id--
		at--
		letters[at] = byte('a' + id%26)
	}
	return prefix + string(letters[at:]), true
}

// ScanName is the inverse of FormatName: the number of a friendly name, or -1
// for a name that is none of this prefix. What follows a blank or a tab is not
// looked at, save that it counts for the length limit.
func ScanName(name, prefix string) int {
	letters, found := strings.CutPrefix(name, prefix)
	if !found || letters == "" || len(letters) > maxNameLetters {
		return -1
	}
	id := 0
	for _, c := range []byte(letters) {
		if c == ' ' || c == '\t' {
			break
		}
		if c < 'a' || c > 'z' {
			return -1
		}
		id = id*26 + int(c-'a') + 1
		if id > maxNameID {
			return -1
		}
	}
	return id
}

// Binding is one line of the bindings file: a name and the id of a LUN, which
// may be an old form of it, kept byte for byte.
type Binding struct {
	Alias string
	WWID  string
}

// Bindings are the lines of the bindings file, in file order. It is a value: no
// method changes its receiver.
type Bindings []Binding

// Table gives the lines as multipath-tools keeps them: sorted by the name's
// length, then its bytes; of several lines with one name the first counts.
func (b Bindings) Table() Bindings {
	seen := make(map[string]bool, len(b))
	table := make(Bindings, 0, len(b))
	for _, line := range b {
		if seen[line.Alias] {
			continue
		}
		seen[line.Alias] = true
		table = append(table, line)
	}
	sort.SliceStable(table, func(i, j int) bool { return nameLess(table[i].Alias, table[j].Alias) })
	return table
}

// WWIDOf is the reverse lookup: the id that a name stands for.
func (b Bindings) WWIDOf(alias string) (wwid string, ok bool) {
	for _, line := range b {
		if line.Alias == alias {
			return line.WWID, true
		}
	}
	return "", false
}

// AliasOf gives the name bound to an id. Of several the first in table order
// counts; a line whose name an earlier line has taken does not.
func (b Bindings) AliasOf(wwid string) (alias string, ok bool) {
	for i, line := range b {
		if line.WWID != wwid || ok && !nameLess(line.Alias, alias) || b[:i].has(line.Alias) {
			continue
		}
		alias, ok = line.Alias, true
	}
	return alias, ok
}

func (b Bindings) has(alias string) bool {
	_, ok := b.WWIDOf(alias)
	return ok
}

func nameLess(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// UsedName is the name of a device-mapper device that exists, with its UUID.
type UsedName struct {
	Name string
	UUID string
}

// FriendlyRequest asks for the friendly name of one LUN.
type FriendlyRequest struct {
	WWID     string   // canonical
	IDs      []string // all ids by which a line may name the LUN, canonical first; nil: only WWID
	Prefix   string
	OldAlias string // name of the LUN's map if it has one, else ""
	Bindings Bindings
	DMNames  []UsedName
	Reserved []string // names that the configuration gives to LUNs, this one's not among them
	ReadOnly bool     // no line may be added

	index      *NameIndex        // of Bindings; nil: it is made
	reservedBy map[string]string // in place of Reserved
}

// FriendlyName is the answer. Alias is empty where the LUN gets none and is
// called by its WWID.
type FriendlyName struct {
	Alias  string
	ID     string   // the id of the line, as it stands in the file; "" without a line
	Added  *Binding // the line to be made durable before the name is used; nil: no change
	Reason string   // one clause: why this name, or why none
}

// Friendly picks the friendly name of a LUN by multipath-tools' rules: the map's
// present name if the table gives it to this LUN, else the table's name, else
// the map's present name if it is a free one of this prefix, else the lowest
// free number. A name that another device-mapper device bears is refused.
func Friendly(r FriendlyRequest) FriendlyName {
	ids := r.IDs
	if len(ids) == 0 {
		ids = []string{r.WWID}
	}
	lines := r.index
	if lines == nil {
		lines = r.Bindings.Index()
	}
	reserved := r.reservedBy
	if reserved == nil {
		reserved = make(map[string]string, len(r.Reserved))
		for _, alias := range r.Reserved {
			reserved[alias] = ""
		}
	}
	taken := newTakenNames(r.DMNames, reserved, ids)
	bound, oldKnown := lines.WWIDOf(r.OldAlias)
	if _, other := reserved[r.OldAlias]; other {
		oldKnown = false // the configuration is stronger: the line does not count
	}
	if r.OldAlias != "" && oldKnown && contains(ids, bound) {
		return FriendlyName{Alias: r.OldAlias, ID: bound, Reason: "bindings: the name that its map has"}
	}
	for _, id := range ids {
		alias, ok := lines.aliasBeside(id, reserved)
		if !ok {
			continue
		}
		if who, used := taken.by(alias); used {
			return FriendlyName{ID: id, Reason: "bindings: " + alias + " is taken by " + who}
		}
		return FriendlyName{Alias: alias, ID: id, Reason: "bindings: " + alias + " " + id}
	}
	if r.ReadOnly {
		return FriendlyName{Reason: "bindings: not named there, and no line may be added"}
	}
	why := ""
	if r.OldAlias != "" && oldKnown {
		why = " (" + r.OldAlias + " is bound to " + bound + ")"
	}
	if !oldKnown && ScanName(r.OldAlias, r.Prefix) > 0 {
		who, used := taken.by(r.OldAlias)
		if !used {
			return added(r.OldAlias, r.WWID, "the name that its map has")
		}
		why = " (" + r.OldAlias + " is taken by " + who + ")"
	}
	for id := lines.lowest(r.Prefix); id <= maxNameID; id++ {
		name, _ := FormatName(r.Prefix, id)
		_, inFile := lines.WWIDOf(name)
		if _, used := taken.by(name); !used && !inFile {
			return added(name, r.WWID, "the lowest free number"+why)
		}
	}
	return FriendlyName{Reason: "bindings: no free name with prefix " + r.Prefix}
}

func added(alias, wwid, reason string) FriendlyName {
	return FriendlyName{
		Alias: alias, ID: wwid, Added: &Binding{Alias: alias, WWID: wwid},
		Reason: "bindings: new line, " + reason,
	}
}

// takenNames says who bears a name. It is made for one request, which mostly asks
// for one or two names: only one that asks for more gets an index.
type takenNames struct {
	dm       []UsedName
	ids      []string          // of the LUN itself, whose map is no rival
	reserved map[string]string // names that the configuration gives to other LUNs
	asked    int
	index    map[string]int // name: index into dm
}

// fewNames is how many names are looked for one by one.
const fewNames = 4

func newTakenNames(dm []UsedName, reserved map[string]string, ids []string) *takenNames {
	return &takenNames{dm: dm, reserved: reserved, ids: ids}
}

func (t *takenNames) by(name string) (who string, used bool) {
	if _, used := t.reserved[name]; used {
		return "an alias of the configuration", true
	}
	i, used := t.find(name)
	if !used {
		return "", false
	}
	uuid := t.dm[i].UUID
	if uuid == "" {
		uuid = "no UUID"
	}
	return "device-mapper device " + name + " (" + uuid + ")", true
}

func (t *takenNames) find(name string) (int, bool) {
	if t.asked++; t.asked <= fewNames {
		for i := range t.dm {
			if t.dm[i].Name == name && !t.own(i) {
				return i, true
			}
		}
		return 0, false
	}
	if t.index == nil {
		t.index = make(map[string]int, len(t.dm))
		for i := len(t.dm) - 1; i >= 0; i-- {
			if !t.own(i) {
				t.index[t.dm[i].Name] = i
			}
		}
	}
	i, ok := t.index[name]
	return i, ok
}

func (t *takenNames) own(i int) bool {
	wwid, ok := strings.CutPrefix(t.dm[i].UUID, mapUUIDPrefix)
	return ok && contains(t.ids, wwid)
}

// mapUUIDPrefix starts the dm UUID of a multipath map; the WWID follows.
const mapUUIDPrefix = "mpath-"

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
