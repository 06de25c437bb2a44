package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

// File is the content of one configuration file.
type File struct {
	Path   string
	Data   []byte
	DropIn bool // an error in it makes only this file ignored
}

// Parse reads the files in order, later ones over earlier ones, and merges them
// over the built-in hardware table. An error in a drop-in leaves that file out as
// a whole, with a warning; the returned error is of the main file, an *Error, and
// the Config is then empty. Messages are in the order of the files.
func Parse(files []File) (policy.Config, []Message, error) {
	m := merger{told: map[string]bool{}, words: newVocabulary(), profiles: map[string]policy.Setting{}, diskAt: map[string]int{}, places: map[deviceKey]int{}, said: map[string]int{}}
	for _, d := range policy.BuiltinDevices() {
		m.append(d)
	}
	for _, f := range files {
		r := &reader{path: f.Path, words: m.words, told: m.told}
		if IsNative(f.Path) {
			r.words = newNativeVocabulary()
			r.native(f.Data)
		} else {
			r.file(f.Data)
		}
		if bad := r.out.errors; len(bad) > 0 {
			if !f.DropIn || IsNative(f.Path) {
				WithSource(bad[:1], f.Path, f.Data)
				return policy.Config{}, withSources(append(m.messages, r.messages...), files), &Error{Message: bad[0]}
			}
			for i := range r.messages {
				r.messages[i].Level = min(r.messages[i].Level, LevelWarning)
			}
			m.messages = append(m.messages, r.messages...)
			m.warn(policy.Origin{File: f.Path}, DropInIgnored, "", "this file has no effect at all because of line %d: %s", bad[0].Origin.Line, bad[0].Text)
			continue
		}
		m.messages = append(m.messages, r.messages...)
		m.file(f.Path, r.out)
	}
	c := m.config()
	m.unsaid(files)
	for _, f := range files {
		c.Files = append(c.Files, f.Path)
	}
	return c, withSources(m.messages, files), nil
}

// withSources gives all messages their lines.
func withSources(messages []Message, files []File) []Message {
	byFile := map[string][]int{}
	for i, m := range messages {
		byFile[m.Origin.File] = append(byFile[m.Origin.File], i)
	}
	for _, f := range files {
		var of []Message
		for _, i := range byFile[f.Path] {
			of = append(of, messages[i])
		}
		WithSource(of, f.Path, f.Data)
		for n, i := range byFile[f.Path] {
			messages[i] = of[n]
		}
	}
	return messages
}

// merger lays file over file.
type merger struct {
	words      vocabulary
	told       map[string]bool
	defaults   layer
	overrides  layer
	protocols  []*entry
	multipaths []*entry
	devices    []policy.Device
	dropped    []bool            // of devices: merged into a later one
	places     map[deviceKey]int // index of the last device with these strings
	blacklist  rules
	exceptions rules
	old        []policy.Setting
	messages   []Message
	said       map[string]int // messages of the merging by file

	// Of the native form alone.
	disks    []policy.Disk
	diskAt   map[string]int // index of a disk by its WWID
	ha       policy.Layer
	profile  policy.Setting            // the one at top level
	profiles map[string]policy.Setting // those of multipath entries, by WWID
}

type deviceKey struct{ vendor, product, revision string }

func (m *merger) append(d policy.Device) {
	m.places[deviceKey{d.Vendor, d.Product, d.Revision}] = len(m.devices)
	m.devices = append(m.devices, d)
	m.dropped = append(m.dropped, false)
}

func (m *merger) warn(o policy.Origin, kind Kind, word, format string, args ...any) {
	if m.said[o.File]++; m.said[o.File] > maxMessages {
		return
	}
	m.messages = append(m.messages, Message{Level: LevelWarning, Kind: kind, Origin: o, Word: brief(word), Text: brief(fmt.Sprintf(format, args...))})
}

// unsaid counts what the limit of messages kept back.
func (m *merger) unsaid(files []File) {
	for _, f := range files {
		if n := m.said[f.Path] - maxMessages; n > 0 {
			m.messages = append(m.messages, Message{Level: LevelNote, Kind: More, Origin: policy.Origin{File: f.Path}, Text: fmt.Sprintf("%d more messages on entries that stand twice", n)})
		}
	}
}

func (m *merger) file(path string, f fileConfig) {
	m.defaults = m.defaults.over(f.defaults)
	m.overrides = m.overrides.over(f.overrides)
	m.protocols = append(m.protocols, f.protocols...)
	m.multipaths = append(m.multipaths, f.multipaths...)
	m.old = append(m.old, f.old...)
	for _, r := range f.blacklist.list {
		m.blacklist.add(r)
	}
	for _, r := range f.exceptions.list {
		m.exceptions.add(r)
	}
	for _, e := range f.devices {
		m.device(path, e)
	}
	m.nativeFile(f)
}

// device adds an entry behind all others. One with the same three strings is
// merged into it and leaves its own place, also a built-in one.
func (m *merger) device(path string, e *entry) {
	d := policy.Device{
		Vendor: e.key("vendor").Value, Product: e.key("product").Value, Revision: e.key("revision").Value,
		ProductBlacklist: e.key("product_blacklist").Value, Layer: e.layer.settings(), Origin: e.origin,
	}
	if i, ok := m.places[deviceKey{d.Vendor, d.Product, d.Revision}]; ok {
		x := m.devices[i]
		if x.Origin.File == path {
			word := d.Vendor + ":" + d.Product
			if d.Revision != "" {
				word += ":" + d.Revision
			}
			m.warn(d.Origin, DuplicateDevice, word, "a device entry for %s stands already in line %d; they are taken as one", word, x.Origin.Line)
		}
		d.Layer = under(d.Layer, x.Layer)
		if d.ProductBlacklist == "" {
			d.ProductBlacklist = x.ProductBlacklist
		}
		d.Layer = m.reconcile(d)
		d.Disabled = x.Disabled
		m.dropped[i] = true
	}
	m.switchOff(&d, e)
	m.append(d)
}

// under adds the settings of an earlier entry that a later one does not have.
func under(later, earlier policy.Layer) policy.Layer {
	out := slices.Clone(later)
	for _, s := range earlier {
		if _, ok := later.Lookup(s.Keyword); !ok {
			out = append(out, s)
		}
	}
	return out
}

// reconcile takes out of a merged entry's features what keywords of their own say
// today: queue_if_no_path and retain_attached_hw_handler.
func (m *merger) reconcile(d policy.Device) policy.Layer {
	features, ok := d.Layer.Lookup("features")
	if !ok {
		return d.Layer
	}
	words := strings.Fields(features.Value)[1:]
	out := d.Layer
	for _, old := range []struct{ word, keyword, value string }{
		{"queue_if_no_path", "no_path_retry", "queue"}, {"retain_attached_hw_handler", "retain_attached_hw_handler", "yes"},
	} {
		if !slices.Contains(words, old.word) {
			continue
		}
		words = slices.DeleteFunc(words, func(w string) bool { return w == old.word })
		if have, ok := out.Lookup(old.keyword); ok {
			m.warn(features.Origin, QueueFeature, d.Vendor+"/"+d.Product, "features %q of device %s/%s: %s is ignored, %s says %s", features.Value, d.Vendor, d.Product, old.word, old.keyword, have.Value)
			continue
		}
		m.warn(features.Origin, QueueFeature, d.Vendor+"/"+d.Product, "features %q of device %s/%s: %s is deprecated, `%s %s` is used", features.Value, d.Vendor, d.Product, old.word, old.keyword, old.value)
		out = append(slices.Clone(out), policy.Setting{Keyword: old.keyword, Value: old.value, Origin: features.Origin})
	}
	rest := fmt.Sprint(len(words))
	if len(words) > 0 {
		rest += " " + strings.Join(words, " ")
	}
	if len(words) == len(strings.Fields(features.Value))-1 {
		return out
	}
	out = slices.Clone(out)
	for i := range out {
		if out[i].Keyword == "features" {
			out[i].Value = rest
		}
	}
	return out
}

// config finishes: protocols and multipaths of one key become one entry, later
// values before earlier ones; multipaths are sorted by WWID, as in a dump, which
// decides who gets an alias that two want.
func (m *merger) config() policy.Config {
	c := policy.Config{
		Defaults: m.defaults.settings(), Overrides: m.overrides.settings(),
		Blacklist: m.blacklist.list, Exceptions: m.exceptions.list, OldKeywords: m.old,
	}
	for i, d := range m.devices {
		if !m.dropped[i] {
			c.Devices = append(c.Devices, d)
		}
	}
	for _, e := range m.protocols {
		p := policy.Protocol{Type: e.key("type").Value, Layer: e.layer.settings()}
		if i := slices.IndexFunc(c.Protocols, func(x policy.Protocol) bool { return x.Type == p.Type }); i >= 0 {
			p.Layer = under(p.Layer, c.Protocols[i].Layer)
			c.Protocols = slices.Delete(c.Protocols, i, i+1)
		}
		c.Protocols = append(c.Protocols, p)
	}
	byWWID := map[string]int{}
	for _, e := range m.multipaths {
		wwid, later := e.key("wwid"), e.layer.settings()
		if e.profile.Value != "" {
			m.profiles[wwid.Value] = e.profile
		}
		if i, ok := byWWID[wwid.Value]; ok {
			if !IsNative(wwid.Origin.File) { // there only a later file's, which is what drop-ins are for
				m.warn(wwid.Origin, DuplicateMultipath, wwid.Value, "a multipath entry for %s stands already at %s; they are taken as one", wwid.Value, c.Multipaths[i].Origin)
			}
			c.Multipaths[i] = policy.Multipath{WWID: wwid.Value, Layer: under(later, c.Multipaths[i].Layer), Origin: wwid.Origin}
			continue
		}
		byWWID[wwid.Value] = len(c.Multipaths)
		c.Multipaths = append(c.Multipaths, policy.Multipath{WWID: wwid.Value, Layer: later, Origin: wwid.Origin})
	}
	slices.SortStableFunc(c.Multipaths, func(a, b policy.Multipath) int { return cmp.Compare(a.WWID, b.WWID) })
	m.aliases(c.Multipaths)
	m.nativeConfig(&c)
	return c
}

// aliases says which name two LUNs are to have.
func (m *merger) aliases(entries []policy.Multipath) {
	first := map[string]policy.Multipath{}
	for _, e := range entries {
		alias, ok := e.Layer.Lookup("alias")
		if !ok {
			continue
		}
		if other, taken := first[alias.Value]; taken {
			m.warn(alias.Origin, AliasTwice, alias.Value, "alias %s is also that of %s; only the first map that appears gets it", alias.Value, other.WWID)
			continue
		}
		first[alias.Value] = e
	}
}
