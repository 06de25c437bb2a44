package configs

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

// Said is what one of two configurations says.
type Said struct {
	Value  string
	Set    bool // false: it says nothing, and Value is ""
	Origin policy.Origin
}

// String gives `12 (m.conf:3:2)`, or "not set".
func (s Said) String() string {
	switch {
	case !s.Set:
		return "not set"
	case s.Origin == policy.Origin{}:
		return quote(s.Value)
	}
	return quote(s.Value) + " (" + s.Origin.String() + ")"
}

// Change is one difference in meaning.
type Change struct {
	Section string // defaults, blacklist, blacklist_exceptions, device, overrides, protocol, multipath, names, ha
	Entry   string // "NETAPP,LUN", a protocol, a WWID; "" in sections without entries
	Keyword string // "" the entry itself is there or not
	Old     Said
	New     Said
}

// String gives "multipath 36...: alias: ocr1 (a.conf:3:2) -> ocr2 (b.yaml:4:5)".
func (c Change) String() string {
	where := c.Section
	if c.Entry != "" {
		where += " " + quote(c.Entry)
	}
	if c.Keyword == "" {
		if c.New.Set {
			return where + ": added, " + c.New.Origin.String()
		}
		return where + ": removed, " + c.Old.Origin.String()
	}
	return fmt.Sprintf("%s: %s: %s -> %s", where, c.Keyword, c.Old, c.New)
}

// Diff says what the new configuration means otherwise than the old one. What is
// only said elsewhere, in another order or with another spelling is no change.
func Diff(want, have policy.Config) []Change {
	d := differ{}
	d.layers("defaults", "", fullDefaults(want.Defaults), fullDefaults(have.Defaults))
	d.rules("blacklist", want.Blacklist, have.Blacklist)
	d.rules("blacklist_exceptions", want.Exceptions, have.Exceptions)
	d.entries("device", deviceItems(want), deviceItems(have))
	d.order(want, have)
	d.layers("overrides", "", want.Overrides, have.Overrides)
	d.entries("protocol", protocolItems(want), protocolItems(have))
	d.entries("multipath", multipathItems(want), multipathItems(have))
	d.entries(keyNames, diskItems(want), diskItems(have))
	d.layers(keyHA, "", haLayer(want.HA), haLayer(have.HA))
	return d.out
}

type differ struct{ out []Change }

// item is one entry of a section, in a form common to all sections.
type item struct {
	key, name string
	layer     policy.Layer
	origin    policy.Origin
}

func (d *differ) entries(section string, want, have []item) {
	at := map[string]item{}
	for _, x := range have {
		at[x.key] = x
	}
	known := map[string]bool{}
	for _, x := range want {
		known[x.key] = true
		y, ok := at[x.key]
		if !ok {
			d.out = append(d.out, Change{Section: section, Entry: x.name, Old: Said{Set: true, Origin: x.origin}})
		}
		d.layers(section, x.name, x.layer, y.layer)
	}
	for _, y := range have {
		if known[y.key] {
			continue
		}
		d.out = append(d.out, Change{Section: section, Entry: y.name, New: Said{Set: true, Origin: y.origin}})
		d.layers(section, y.name, nil, y.layer)
	}
}

func (d *differ) layers(section, entry string, want, have policy.Layer) {
	said := func(l policy.Layer, keyword string) Said {
		s, ok := l.Lookup(keyword)
		return Said{s.Value, ok, s.Origin}
	}
	seen := map[string]bool{}
	for _, s := range slices.Concat(want, have) {
		if seen[s.Keyword] {
			continue
		}
		seen[s.Keyword] = true
		old, fresh := said(want, s.Keyword), said(have, s.Keyword)
		if old.Value != fresh.Value || old.Set != fresh.Set {
			d.out = append(d.out, Change{section, entry, s.Keyword, old, fresh})
		}
	}
}

func (d *differ) rules(section string, want, have []policy.Rule) {
	bare := func(r policy.Rule) policy.Rule {
		r.Origin = policy.Origin{}
		return r
	}
	missing := func(all, other []policy.Rule, tell func(string, Said)) {
		there := map[policy.Rule]bool{}
		for _, r := range other {
			there[bare(r)] = true
		}
		for _, r := range all {
			if there[bare(r)] {
				continue
			}
			there[bare(r)] = true
			keyword, value := className(r.Class), r.Pattern
			if r.Class == policy.ClassDevice {
				value += "," + r.Product
			}
			tell(keyword, Said{value, true, r.Origin})
		}
	}
	missing(want, have, func(k string, s Said) { d.out = append(d.out, Change{Section: section, Keyword: k, Old: s}) })
	missing(have, want, func(k string, s Said) { d.out = append(d.out, Change{Section: section, Keyword: k, New: s}) })
}

// order compares the order of the files' own device entries: of two that fit a
// disk the later one counts. Those that are laid over built-in ones stand behind
// all other built-in ones in both.
func (d *differ) order(want, have policy.Config) {
	own := func(c policy.Config) (out []item) {
		for i, x := range deviceItems(c) {
			if !c.Devices[i].BuiltIn {
				out = append(out, x)
			}
		}
		return out
	}
	a, b := own(want), own(have)
	in := func(list []item) map[string]bool {
		m := map[string]bool{}
		for _, x := range list {
			m[x.key] = true
		}
		return m
	}
	inA, inB := in(a), in(b)
	a = slices.DeleteFunc(a, func(x item) bool { return !inB[x.key] })
	b = slices.DeleteFunc(b, func(x item) bool { return !inA[x.key] })
	for i := range a {
		if a[i].key != b[i].key {
			d.out = append(d.out, Change{
				Section: "device", Keyword: "order", Old: Said{a[i].name + " first", true, a[i].origin}, New: Said{b[i].name + " first", true, b[i].origin},
			})
			return
		}
	}
}

// fullDefaults is effectiveDefaults with origins.
func fullDefaults(files policy.Layer) policy.Layer {
	out := slices.Clone(effectiveDefaults(files))
	for i, s := range out {
		out[i].Origin = policy.Origin{Note: "built-in default"}
		if own, ok := files.Lookup(s.Keyword); ok {
			out[i].Origin = own.Origin
		}
	}
	return out
}

// deviceName gives "NETAPP,LUN", with a revision if the entry has one.
func deviceName(d policy.Device) string {
	name := d.Vendor + "," + d.Product
	if d.Revision != "" {
		name += "," + d.Revision
	}
	return name
}

func deviceItems(c policy.Config) (out []item) {
	for _, e := range c.Devices {
		x := item{key: fmt.Sprintf("%q %q %q", e.Vendor, e.Product, e.Revision), name: deviceName(e), layer: slices.Clone(e.Layer), origin: e.Origin}
		if e.ProductBlacklist != "" {
			x.layer = append(x.layer, policy.Setting{Keyword: "product_blacklist", Value: e.ProductBlacklist, Origin: e.Origin})
		}
		if e.Disabled {
			x.layer = append(x.layer, policy.Setting{Keyword: "disabled", Value: "yes", Origin: e.Origin})
		}
		out = append(out, x)
	}
	return out
}

func protocolItems(c policy.Config) (out []item) {
	for _, p := range c.Protocols {
		x := item{key: p.Type, name: p.Type, layer: p.Layer}
		if len(p.Layer) > 0 {
			x.origin = p.Layer[0].Origin
		}
		out = append(out, x)
	}
	return out
}

func multipathItems(c policy.Config) (out []item) {
	for _, m := range c.Multipaths {
		out = append(out, item{key: m.WWID, name: m.WWID, layer: m.Layer, origin: m.Origin})
	}
	return out
}

func diskItems(c policy.Config) (out []item) {
	for _, d := range c.Disks {
		out = append(out, item{key: d.WWID, name: d.WWID, layer: diskLayer(d), origin: d.Origin})
	}
	return out
}

// diskLayer says a names entry in keywords.
func diskLayer(d policy.Disk) (out policy.Layer) {
	for _, s := range []policy.Setting{{Keyword: "name", Value: d.Name}, {Keyword: "owner", Value: d.Owner}, {Keyword: "group", Value: d.Group}} {
		if s.Value != "" {
			s.Origin = d.Origin
			out = append(out, s)
		}
	}
	if d.Mode >= 0 {
		out = append(out, policy.Setting{Keyword: "mode", Value: policy.FormatMode(d.Mode), Origin: d.Origin})
	}
	return out
}

func haLayer(h policy.HA) (out policy.Layer) {
	if h.DeadlineSeconds > 0 {
		out = append(out, policy.Setting{Keyword: "deadline", Value: fmt.Sprint(h.DeadlineSeconds), Origin: h.Origin})
	}
	if h.Queueing != "" {
		out = append(out, policy.Setting{Keyword: "queueing", Value: h.Queueing, Origin: h.Origin})
	}
	return out
}

func className(c policy.RuleClass) string {
	for _, x := range ruleClasses() {
		if x.class == c {
			return x.name
		}
	}
	return "rule"
}

type ruleClass struct {
	class policy.RuleClass
	name  string
}

// ruleClasses are the classes of rules in the order in which they are written.
func ruleClasses() []ruleClass {
	return []ruleClass{
		{policy.ClassDevnode, "devnode"},
		{policy.ClassWWID, "wwid"},
		{policy.ClassProperty, "property"},
		{policy.ClassProtocol, "protocol"},
		{policy.ClassDevice, "device"},
	}
}

// profileOf gives the profile that a setting comes from, "" none.
func profileOf(o policy.Origin) string {
	name, ok := strings.CutPrefix(o.Note, "profile ")
	if !ok {
		return ""
	}
	return name
}
