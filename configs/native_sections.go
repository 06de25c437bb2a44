package configs

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"pathkeeper/policy"
	"pathkeeper/policy/ere"
)

// Names of what only the native form has.
const (
	keyNames   = "names"
	keyHA      = "ha"
	keyProfile = "profile"
)

// nativeSections are the keys at top level, in the order in which they are written.
func nativeSections() []string {
	return []string{keyProfile, keyHA, "defaults", "blacklist", "blacklist_exceptions", "devices", "overrides", "multipaths", keyNames}
}

// newNativeVocabulary is the vocabulary of the native form: also what only it can
// say, and owner and group for uid and gid.
func newNativeVocabulary() vocabulary {
	v := newVocabulary()
	for p, section := range sectionOf() {
		for _, k := range policy.Keywords() {
			if k.Native && k.Sections&section != 0 {
				v[p][k.Name] = k
			}
		}
		if k, ok := v[p]["uid"]; ok {
			v[p]["owner"] = k
		}
		if k, ok := v[p]["gid"]; ok {
			v[p]["group"] = k
		}
	}
	return v
}

// field is one key of a mapping with its value.
type field struct {
	name       string // as written
	key, value *yaml.Node
}

// fields gives a mapping's keys and values in order. words are those that may
// stand there; same tells two spellings of one thing.
func (r *nativeReader) fields(n *yaml.Node, p place, what string, words []string, same func(string) string) []field {
	if !r.plain(n) || empty(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, Rejected, "", "", "%s is a mapping of keywords to values, such as `%s: ...`, not %s", what, words[0], kindOf(n))
		return nil
	}
	first := map[string]*yaml.Node{}
	var out []field
	for i := 0; i+1 < len(n.Content) && !r.enough(); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !r.plain(k) {
			continue
		}
		if k.Kind != yaml.ScalarNode {
			r.fail(k, InvalidKeyword, "", "", "a keyword is a word, not %s", kindOf(k))
			continue
		}
		name := k.Value
		if !slices.Contains(words, name) {
			r.strange(k, v, p, what, words)
			continue
		}
		if before := first[same(name)]; before != nil {
			text := fmt.Sprintf("%s stands here a second time: it is in line %d already", name, before.Line)
			if before.Value != name {
				text = fmt.Sprintf("%s says the same as %s of line %d: leave one out", name, before.Value, before.Line)
			}
			r.fail(k, DuplicateKeyword, name, "", "%s", text)
			continue
		}
		first[same(name)] = k
		out = append(out, field{name, k, v})
	}
	return out
}

func asWritten(name string) string { return name }

// strange speaks of a keyword that may not stand where it does.
func (r *nativeReader) strange(k, v *yaml.Node, p place, what string, words []string) {
	word := k.Value
	if word == "<<" {
		r.fail(k, InvalidKeyword, "", "", "<< merges nothing here: write the settings out, or put common ones into defaults or overrides")
		return
	}
	if now := oldSection(word); now != "" && p == root {
		r.fail(k, OldSpelling, word, now, "%s is the old name of the section", word)
		return
	}
	if now, ok := oldKeyword(word, v.Value); ok && p != root {
		text := now.text
		if now.keyword != "" {
			text = fmt.Sprintf("%s is the old spelling: write `%s: %s`", word, now.keyword, yamlText(now.value))
		}
		r.fail(k, OldSpelling, word, "", "%s", text)
		return
	}
	text, near := fmt.Sprintf("there is no keyword %q in %s", brief(word), what), Nearest(word, words)
	var homes []string
	if slices.Contains(nativeSections(), word) {
		homes = []string{"the top level: is the line indented too far?"}
	} else if p == root || near == "" {
		homes = r.words.elsewhere(word)
	}
	if len(homes) > 0 {
		text, near = text+"; it belongs to "+strings.Join(homes, ", "), ""
	}
	r.fail(k, InvalidKeyword, word, near, "%s", text)
}

// plain refuses what the form does without: anchors, aliases and tags. An origin
// stands for one place, and a file says what it says without being expanded.
func (r *nativeReader) plain(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		r.fail(n, Rejected, "", "", "*%s: aliases are not part of this form: write the value out, or quote a value that begins with *", n.Value)
	case n.Anchor != "":
		r.fail(n, Rejected, "", "", "&%s: anchors are not part of this form: leave it out, or quote a value that begins with &", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		r.fail(n, Rejected, "", "", "%s: tags are not part of this form: leave it out, or quote a value that begins with !", n.Tag)
	default:
		return true
	}
	return false
}

// empty says whether nothing stands there: a section with all lines commented out.
func empty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	case yaml.ScalarNode:
		if empty(n) {
			return "nothing"
		}
		return fmt.Sprintf("the value %q", brief(n.Value))
	}
	return "this"
}

// items gives a list's items; one that stands alone is a list of one.
func (r *nativeReader) items(n *yaml.Node) []*yaml.Node {
	if !r.plain(n) || empty(n) {
		return nil
	}
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// list is items where a list must stand.
func (r *nativeReader) list(n *yaml.Node, what, form string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode && !empty(n) && r.plain(n) {
		r.fail(n, Rejected, "", "", "%s is a list: each entry begins with a dash, `- %s: ...`", what, form)
		return nil
	}
	return r.items(n)
}

// root reads a whole file.
func (r *nativeReader) root(n *yaml.Node) {
	for _, f := range r.fields(n, root, "the top level", nativeSections(), asWritten) {
		switch f.name {
		case keyProfile:
			r.out.profile = r.profile(f)
		case keyHA:
			r.ha(f)
		case "defaults":
			r.out.defaults = r.layer(f.value, inDefaults, "defaults", nil)
		case "blacklist":
			r.rules(f.value, inBlacklist)
		case "blacklist_exceptions":
			r.rules(f.value, inExceptions)
		case "devices":
			for _, e := range r.list(f.value, "devices", "vendor") {
				r.device(e)
			}
		case "overrides":
			r.overrides(f.value)
		case "multipaths":
			r.multipaths(f.value)
		case keyNames:
			r.names(f.value)
		}
	}
}

// layer reads the settings of a place. special takes the keys that are none.
func (r *nativeReader) layer(n *yaml.Node, p place, what string, special map[string]func(field)) layer {
	words := r.words.words(p)
	for name := range special {
		words = append(words, name)
	}
	slices.Sort(words)
	words = slices.Compact(slices.DeleteFunc(words, func(w string) bool {
		_, keyword := r.words[p][w]
		return !keyword && special[w] == nil // device, protocol: sections of multipath.conf
	}))
	same := func(name string) string {
		if k, ok := r.words[p][name]; ok {
			return k.Name
		}
		return name
	}
	var out layer
	for _, f := range r.fields(n, p, what, words, same) {
		if take := special[f.name]; take != nil {
			take(f)
			continue
		}
		if s, ok := r.setting(r.words[p][f.name], f); ok {
			out = out.put(assignment{Setting: s})
		}
	}
	return out
}

// keys makes takers for the keys that an entry is found by.
func (r *nativeReader) keys(p place, e *entry, names ...string) map[string]func(field) {
	out := map[string]func(field){}
	for _, name := range names {
		out[name] = func(f field) {
			if s, ok := r.setting(r.words[p][name], f); ok {
				e.keys = append(e.keys, s)
			}
		}
	}
	return out
}

func (r *nativeReader) rules(n *yaml.Node, p place) {
	class := map[string]policy.RuleClass{
		"devnode": policy.ClassDevnode, "wwid": policy.ClassWWID, "property": policy.ClassProperty, "protocol": policy.ClassProtocol,
	}
	words := append(r.words.words(p), "device")
	for _, f := range r.fields(n, p, p.String(), slices.Compact(words), asWritten) {
		for _, item := range r.items(f.value) {
			if f.name == "device" {
				r.ruleDevice(item, p)
				continue
			}
			if s, ok := r.setting(r.words[p][f.name], field{f.name, item, item}); ok {
				r.rule(p, policy.Rule{Class: class[f.name], Pattern: s.Value, Origin: s.Origin})
			}
		}
	}
}

func (r *nativeReader) ruleDevice(n *yaml.Node, p place) {
	e := &entry{origin: r.origin(n)}
	before := r.failures
	r.layer(n, inBlacklistDevice, "a device entry of "+p.String(), r.keys(inBlacklistDevice, e, "vendor", "product"))
	vendor, product := e.key("vendor").Value, e.key("product").Value
	switch {
	case r.failures > before:
	case vendor == "" && product == "":
		r.fail(n, MatchesAll, "", "", "a device entry without vendor and product would hit every device: write `vendor: \".*\"` if that is meant")
	default:
		r.rule(p, policy.Rule{Class: policy.ClassDevice, Pattern: vendor, Product: product, Origin: e.origin})
	}
}

func (r *nativeReader) device(n *yaml.Node) {
	e := &entry{origin: r.origin(n)}
	before := r.failures
	special := r.keys(inDevice, e, "vendor", "product", "revision", "product_blacklist")
	special["disabled"] = func(f field) {
		e.disabled, _ = r.setting(policy.Keyword{Name: "disabled", Kind: policy.KindYesNo}, f)
	}
	e.layer = r.layer(n, inDevice, "a device entry", special)
	_, vendor := e.keys.Lookup("vendor")
	_, product := e.keys.Lookup("product")
	switch {
	case r.failures > before:
		return
	case !vendor || !product:
		r.fail(n, DeviceIncomplete, "", "", "a device entry needs vendor and product")
		return
	}
	if pattern, ok := e.keys.Lookup("product_blacklist"); ok { // it makes a blacklist rule with this vendor
		if _, err := ere.CompileRule(e.key("vendor").Value); err != nil {
			r.refuse(pattern.Origin, Rejected, "", "", "product_blacklist: with this vendor no rule can be made: %v", err)
			return
		}
	}
	key := deviceKey{e.key("vendor").Value, e.key("product").Value, e.key("revision").Value}
	if line := r.devices[key]; line > 0 {
		r.fail(n, DuplicateDevice, "", "", "an entry for this vendor and product stands already in line %d: put both into one", line)
		return
	}
	r.devices[key] = n.Line
	r.out.devices = append(r.out.devices, e)
}

func (r *nativeReader) overrides(n *yaml.Node) {
	special := map[string]func(field){"protocol": func(f field) {
		for _, item := range r.list(f.value, "protocol", "type") {
			e := &entry{origin: r.origin(item)}
			before := r.failures
			e.layer = r.layer(item, inProtocol, "a protocol entry", r.keys(inProtocol, e, "type"))
			kind, ok := e.keys.Lookup("type")
			switch {
			case r.failures > before:
			case !ok:
				r.fail(item, ProtocolWithoutType, "", "", "a protocol entry needs a type, such as `type: scsi:fcp`")
			case slices.ContainsFunc(r.out.protocols, func(x *entry) bool { return x.key("type").Value == kind.Value }):
				r.fail(item, DuplicateKeyword, "", "", "an entry for the protocol %s stands here already: put both into one", kind.Value)
			default:
				r.out.protocols = append(r.out.protocols, e)
			}
		}
	}}
	r.out.overrides = r.layer(n, inOverrides, "overrides", special)
}

func (r *nativeReader) multipaths(n *yaml.Node) {
	lines := map[string]int{}
	for _, item := range r.list(n, "multipaths", "wwid") {
		e := &entry{origin: r.origin(item)}
		before := r.failures
		special := r.keys(inMultipath, e, "wwid")
		special[keyProfile] = func(f field) { e.profile = r.profile(f) }
		e.layer = r.layer(item, inMultipath, "an entry of multipaths", special)
		wwid, ok := e.keys.Lookup("wwid")
		switch {
		case r.enough():
			return
		case r.failures > before:
		case !ok || wwid.Value == "":
			r.fail(item, MultipathWithoutWWID, "", "", "an entry of multipaths needs a wwid")
		case lines[wwid.Value] > 0:
			r.refuse(wwid.Origin, DuplicateMultipath, "", "", "an entry for %s stands already in line %d: put both into one", wwid.Value, lines[wwid.Value])
		default:
			lines[wwid.Value] = wwid.Origin.Line
			r.out.multipaths = append(r.out.multipaths, e)
		}
	}
}

// profile reads the name of a profile.
func (r *nativeReader) profile(f field) policy.Setting {
	var names []string
	for _, p := range policy.Profiles() {
		names = append(names, p.Name)
	}
	s, ok := r.setting(policy.Keyword{Name: keyProfile, Kind: policy.KindWord, Words: names}, f)
	if !ok {
		return policy.Setting{}
	}
	return s
}
