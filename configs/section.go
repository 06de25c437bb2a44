package configs

import (
	"maps"
	"slices"

	"pathkeeper/policy"
)

// place is where in a file the reader stands.
type place uint8

const (
	root place = iota
	inDefaults
	inBlacklist
	inExceptions
	inDevices
	inOverrides
	inMultipaths
	inBlacklistDevice
	inDevice
	inMultipath
	inProtocol
)

func (p place) String() string {
	return [...]string{
		"top level", "defaults", "blacklist", "blacklist_exceptions", "devices", "overrides", "multipaths",
		"device", "device", "multipath", "protocol",
	}[p]
}

// inner gives the sections that may stand in a place, by their name.
func (p place) inner(name string) (place, bool) {
	switch p {
	case root:
		switch name {
		case "defaults":
			return inDefaults, true
		case "blacklist":
			return inBlacklist, true
		case "blacklist_exceptions":
			return inExceptions, true
		case "devices":
			return inDevices, true
		case "overrides":
			return inOverrides, true
		case "multipaths":
			return inMultipaths, true
		}
	case inBlacklist, inExceptions:
		return inBlacklistDevice, name == "device"
	case inDevices:
		return inDevice, name == "device"
	case inMultipaths:
		return inMultipath, name == "multipath"
	case inOverrides:
		return inProtocol, name == "protocol"
	}
	return root, false
}

// wantsBrace says that a line which starts with this word is checked for a brace,
// wherever it stands. For other sections a missing brace counts as a missing value.
func wantsBrace(word string) bool {
	switch word {
	case "defaults", "blacklist", "blacklist_exceptions", "devices", "device", "multipaths", "multipath",
		"devnode_blacklist", "devnode_blacklist_exceptions":
		return true
	}
	return false
}

// sectionOf gives the section of policy for each place with keywords.
func sectionOf() map[place]policy.Section {
	return map[place]policy.Section{
		inDefaults: policy.SectionDefaults, inOverrides: policy.SectionOverrides, inDevice: policy.SectionDevice,
		inMultipath: policy.SectionMultipath, inProtocol: policy.SectionProtocol,
		inBlacklist: policy.SectionBlacklist, inExceptions: policy.SectionBlacklist, inBlacklistDevice: policy.SectionBlacklistDevice,
	}
}

// vocabulary is the keywords by place and spelling.
type vocabulary map[place]map[string]policy.Keyword

func newVocabulary() vocabulary {
	v, keywords := vocabulary{}, policy.Keywords()
	for p, section := range sectionOf() {
		v[p] = map[string]policy.Keyword{}
		for _, k := range keywords {
			if k.Sections&section == 0 || k.Native {
				continue
			}
			if section == policy.SectionBlacklistDevice {
				k.Kind = policy.KindRule
			}
			for _, name := range append([]string{k.Name}, k.Aliases...) {
				v[p][name] = k
			}
		}
	}
	return v
}

// words gives everything that may start a line in a place, sorted.
func (v vocabulary) words(p place) []string {
	out := slices.Collect(maps.Keys(v[p]))
	for _, name := range []string{"defaults", "blacklist", "blacklist_exceptions", "devices", "device", "overrides", "protocol", "multipaths", "multipath"} {
		if _, ok := p.inner(name); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// elsewhere names the sections in which a keyword of the wrong place belongs.
func (v vocabulary) elsewhere(word string) []string {
	var out []string
	for p := inDefaults; p <= inProtocol; p++ {
		if _, ok := v[p][word]; ok {
			out = append(out, p.String())
		}
	}
	return slices.Compact(out)
}

// layer is a place's settings while it is read. A setting may also be unset by a
// value that stands for none.
type layer []assignment

type assignment struct {
	policy.Setting
	unset bool
}

// put appends in the order read; an earlier one of the keyword is gone.
func (l layer) put(a assignment) layer {
	return append(slices.DeleteFunc(l, func(b assignment) bool { return b.Keyword == a.Keyword }), a)
}

// over lays a later layer of the same place over l.
func (l layer) over(later layer) layer {
	for _, a := range later {
		l = l.put(a)
	}
	return l
}

// settings gives what is set, without what was unset.
func (l layer) settings() policy.Layer {
	var out policy.Layer
	for _, a := range l {
		if !a.unset {
			out = append(out, a.Setting)
		}
	}
	return out
}
