package policy

// NameIndex answers in constant time what the lines of the bindings file say: a
// host with 100,000 lines asks for each of its paths. It is made from Bindings
// and kept beside them by whoever adds a line; it is not for concurrent use.
type NameIndex struct {
	wwids   map[string]string   // by name; of several lines with one name the first
	aliases map[string][]string // by id, in table order
	free    map[string]int      // by prefix: every lower number stands in a line
}

// Index makes the index of the lines.
func (b Bindings) Index() *NameIndex {
	x := &NameIndex{wwids: make(map[string]string, len(b)), aliases: make(map[string][]string, len(b)), free: map[string]int{}}
	for _, line := range b {
		x.Add(line)
	}
	return x
}

// Add takes a further line, which stands below all others.
func (x *NameIndex) Add(line Binding) {
	if _, taken := x.wwids[line.Alias]; taken {
		return
	}
	x.wwids[line.Alias] = line.WWID
	list := append(x.aliases[line.WWID], line.Alias)
	for i := len(list) - 1; i > 0 && nameLess(list[i], list[i-1]); i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
	x.aliases[line.WWID] = list
}

// WWIDOf is the id that a name stands for.
func (x *NameIndex) WWIDOf(alias string) (wwid string, ok bool) {
	wwid, ok = x.wwids[alias]
	return wwid, ok
}

// AliasOf gives the name bound to an id: of several the first in table order.
func (x *NameIndex) AliasOf(wwid string) (alias string, ok bool) {
	return x.aliasBeside(wwid, nil)
}

// aliasBeside leaves out the names that the configuration gives to others.
func (x *NameIndex) aliasBeside(wwid string, reserved map[string]string) (alias string, ok bool) {
	for _, a := range x.aliases[wwid] {
		if _, other := reserved[a]; !other {
			return a, true
		}
	}
	return "", false
}

// lowest is the lowest number of a prefix that stands in no line.
func (x *NameIndex) lowest(prefix string) int {
	id := max(x.free[prefix], 1)
	for ; id <= maxNameID; id++ {
		name, _ := FormatName(prefix, id)
		if _, bound := x.wwids[name]; !bound {
			break
		}
	}
	x.free[prefix] = id
	return id
}

// With gives the state with the index of its lines.
func (s State) With(index *NameIndex) State {
	s.index = index
	return s
}

// aliasOf looks a line up by its id, by the index where there is one.
func (s State) aliasOf(wwid string) (alias string, ok bool) {
	if s.index != nil {
		return s.index.AliasOf(wwid)
	}
	return s.Bindings.AliasOf(wwid)
}

// index is the index of the state's lines, made if it has none.
func (s State) indexed() *NameIndex {
	if s.index != nil {
		return s.index
	}
	return s.Bindings.Index()
}
