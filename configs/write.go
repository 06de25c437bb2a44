package configs

import (
	"fmt"
	"slices"
	"strconv"

	"pathkeeper/policy"
)

// Loss is something that a form cannot say.
type Loss struct {
	Origin policy.Origin
	Text   string
	entry  string // the entry that is lost as a whole: section and name as Diff has them
}

// String gives "m.conf:3:2: ...".
func (l Loss) String() string {
	if o := l.Origin.String(); o != "" {
		return o + ": " + l.Text
	}
	return l.Text
}

// Convert writes what the files of a configuration say, without what is built in,
// in one of the two forms. What that form cannot say stands in comments and is
// told. The text is read again before it is given away: any other difference in
// meaning is told too.
func Convert(c policy.Config, native bool) ([]byte, []Loss) {
	var text []byte
	var lost []Loss
	path := "multipath.conf"
	if native {
		path = "pathkeeper.yaml"
		text, lost = writeNative(c)
	} else {
		text, lost = writeConf(c)
	}
	again, _, err := Parse([]File{{Path: path, Data: text}})
	if err != nil {
		return text, append(lost, Loss{Text: "what is written is refused: " + err.Error()})
	}
	told, entries := map[policy.Origin]bool{}, map[string]bool{}
	for _, l := range lost {
		told[l.Origin] = true
		if l.entry != "" {
			entries[l.entry] = true
		}
	}
	for _, d := range Diff(c, again) {
		if !told[d.Old.Origin] && !entries[d.Section+" "+d.Entry] {
			lost = append(lost, Loss{Origin: d.Old.Origin, Text: "means something else in the new form: " + d.String()})
		}
	}
	return text, lost
}

// own are the device entries that the files say something about, with their own
// settings only. Built-in ones that a profile has changed keep the order of the
// table only if all that follow are written too.
func own(c policy.Config, changedToo bool) []policy.Device {
	type row struct{ vendor, product, revision string }
	builtin := map[row]string{}
	for _, d := range policy.BuiltinDevices() {
		builtin[row{d.Vendor, d.Product, d.Revision}] = d.ProductBlacklist
	}
	var out []policy.Device
	changed := false
	for _, d := range c.Devices {
		if d.BuiltIn {
			changed = changed || changedToo && slices.ContainsFunc(d.Layer, func(s policy.Setting) bool { return s.Origin.File != "" })
			if !changed {
				continue
			}
		}
		d.Layer = slices.DeleteFunc(slices.Clone(d.Layer), func(s policy.Setting) bool { return s.Origin.File == "" })
		if builtin[row{d.Vendor, d.Product, d.Revision}] == d.ProductBlacklist {
			d.ProductBlacklist = ""
		}
		out = append(out, d)
	}
	return out
}

// writeConf writes multipath.conf.
func writeConf(c policy.Config) ([]byte, []Loss) {
	w := &confWriter{dumper: dumper{keywords: map[string]policy.Keyword{}}}
	for _, k := range policy.Keywords() {
		if k.Sections != policy.SectionBlacklist {
			w.keywords[k.Name] = k
			w.order = append(w.order, k.Name)
		}
	}
	if len(c.Defaults) > 0 {
		w.section("defaults", func() { w.settings(c.Defaults) })
	}
	for _, s := range []struct {
		name  string
		rules []policy.Rule
	}{{"blacklist", c.Blacklist}, {"blacklist_exceptions", c.Exceptions}} {
		if len(s.rules) > 0 {
			w.section(s.name, func() { w.rules(s.rules) })
		}
	}
	if devices := own(c, true); len(devices) > 0 {
		w.section("devices", func() {
			for _, d := range devices {
				w.device(d)
			}
		})
	}
	if len(c.Overrides)+len(c.Protocols) > 0 {
		w.section("overrides", func() {
			w.settings(c.Overrides)
			for _, p := range c.Protocols {
				w.section("protocol", func() { w.setting(policy.KindText, "type", p.Type); w.settings(p.Layer) })
			}
		})
	}
	if len(c.Multipaths) > 0 {
		w.section("multipaths", func() {
			for _, m := range c.Multipaths {
				w.section("multipath", func() { w.setting(policy.KindText, "wwid", m.WWID); w.settings(m.Layer) })
			}
		})
	}
	for _, d := range c.Disks {
		w.loseEntry(keyNames+" "+d.WWID, d.Origin, "the names entry of %s: multipath.conf has no names for disks that stay single", d.WWID)
	}
	for _, s := range haLayer(c.HA) {
		w.lose(s.Origin, "ha %s %s: multipath.conf knows no cluster", s.Keyword, s.Value)
	}
	return w.out.Bytes(), w.lost
}

type confWriter struct {
	dumper
	order []string
	lost  []Loss
}

// loseEntry tells of an entry that cannot be written.
func (w *confWriter) loseEntry(entry string, o policy.Origin, format string, args ...any) {
	w.lose(o, format, args...)
	w.lost[len(w.lost)-1].entry = entry
}

func (w *confWriter) lose(o policy.Origin, format string, args ...any) {
	l := Loss{Origin: o, Text: fmt.Sprintf(format, args...)}
	w.lost = append(w.lost, l)
	w.line("# not said here: %s", strconv.QuoteToASCII(l.Text))
}

// settings writes a layer, what a profile gives with the profile's name before it.
func (w *confWriter) settings(l policy.Layer) {
	profile := ""
	for _, byProfile := range []bool{false, true} {
		for _, name := range w.order {
			s, ok := l.Lookup(name)
			if !ok || (profileOf(s.Origin) != "") != byProfile {
				continue
			}
			if p := profileOf(s.Origin); p != profile {
				profile = p
				w.line("# profile %s:", p)
			}
			if w.keywords[name].Native {
				w.lose(s.Origin, "%s %s: only the native form has this keyword", name, s.Value)
				continue
			}
			w.setting(w.keywords[name].Kind, name, s.Value)
		}
	}
}

func (w *confWriter) device(d policy.Device) {
	if d.Disabled {
		w.loseEntry("device "+deviceName(d), d.Origin, "the device entry %s,%s is switched off: in multipath.conf an entry is there or not, and a built-in one always", d.Vendor, d.Product)
		return
	}
	w.section("device", func() {
		w.setting(policy.KindRegex, "vendor", d.Vendor)
		w.setting(policy.KindRegex, "product", d.Product)
		for _, s := range [][2]string{{"revision", d.Revision}, {"product_blacklist", d.ProductBlacklist}} {
			if s[1] != "" {
				w.setting(policy.KindRegex, s[0], s[1])
			}
		}
		w.settings(d.Layer)
	})
}
