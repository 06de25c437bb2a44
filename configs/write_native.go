package configs

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"pathkeeper/policy"
)

// writeNative writes pathkeeper.yaml. What a profile gave is written as the
// profile again.
func writeNative(c policy.Config) ([]byte, []Loss) {
	w := &nativeWriter{words: newNativeVocabulary()}
	profile := profileOf(c.HA.Origin)
	for _, s := range c.Defaults {
		if p := profileOf(s.Origin); p != "" {
			profile = p
		}
	}
	from, _ := policy.FindProfile(profile)
	if profile != "" {
		w.line(0, "profile: %s", profile)
	}
	ha := c.HA
	if ha.DeadlineSeconds == from.HA.DeadlineSeconds {
		ha.DeadlineSeconds = 0
	}
	if ha.Queueing == from.HA.Queueing {
		ha.Queueing = ""
	}
	w.block(keyHA, func() {
		for _, s := range haLayer(ha) {
			w.line(2, "%s: %s", s.Keyword, yamlText(s.Value))
		}
	})
	w.block("defaults", func() { w.layer(2, inDefaults, c.Defaults) })
	w.block("blacklist", func() { w.rules(inBlacklist, c.Blacklist) })
	w.block("blacklist_exceptions", func() { w.rules(inExceptions, c.Exceptions) })
	w.block("devices", func() {
		for _, d := range own(c, profile == "") {
			w.device(d)
		}
	})
	w.block("overrides", func() {
		w.layer(2, inOverrides, c.Overrides)
		w.protocols(c.Protocols)
	})
	w.block("multipaths", func() {
		for _, m := range c.Multipaths {
			w.entry(inMultipath, m.Origin, m.WWID, policy.Layer{{Keyword: "wwid", Value: m.WWID}}, func() {
				for _, s := range m.Layer {
					if p := profileOf(s.Origin); p != "" {
						w.line(4, "profile: %s", p)
						break
					}
				}
				w.layer(4, inMultipath, m.Layer)
			})
		}
	})
	w.block(keyNames, func() {
		for _, d := range c.Disks {
			w.line(2, "- wwid: %s", yamlText(d.WWID))
			for _, s := range diskLayer(d) {
				w.line(4, "%s: %s", s.Keyword, yamlText(s.Value))
			}
		}
	})
	return w.out.Bytes(), w.lost
}

type nativeWriter struct {
	out   bytes.Buffer
	words vocabulary
	lost  []Loss
}

func (w *nativeWriter) line(indent int, format string, args ...any) {
	w.out.WriteString(strings.Repeat(" ", indent))
	fmt.Fprintf(&w.out, format, args...)
	w.out.WriteByte('\n')
}

// block writes a section's name if anything stands in it.
func (w *nativeWriter) block(name string, inside func()) {
	before := w.out.Len()
	w.line(0, "%s:", name)
	begin := w.out.Len()
	inside()
	if w.out.Len() == begin {
		w.out.Truncate(before)
	}
}

func (w *nativeWriter) lose(indent int, o policy.Origin, format string, args ...any) {
	l := Loss{Origin: o, Text: fmt.Sprintf(format, args...)}
	w.lost = append(w.lost, l)
	w.line(indent, "# not said here: %s", strings.Trim(strconv.QuoteToASCII(l.Text), `"`))
}

// refused asks the reader of this form what it thinks of a value; "" it takes it.
func (w *nativeWriter) refused(p place, keyword, value string) string {
	k, ok := w.words[p][keyword]
	if !ok {
		return "there is no such keyword here"
	}
	text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.DoubleQuotedStyle}
	r := &nativeReader{}
	s, ok := r.setting(k, field{keyword, text, text})
	switch {
	case len(r.out.errors) > 0:
		return r.out.errors[0].Text
	case !ok || s.Value != value:
		return "it would be read as " + quote(s.Value)
	case strings.ToValidUTF8(value, "") != value:
		return "it is not UTF-8 text"
	}
	return ""
}

func (w *nativeWriter) setting(indent int, p place, s policy.Setting) {
	if bad := w.refused(p, s.Keyword, s.Value); bad != "" {
		w.lose(indent, s.Origin, "%s %s: %s", s.Keyword, quote(s.Value), bad)
		return
	}
	name := map[string]string{"uid": "owner", "gid": "group"}[s.Keyword]
	if name == "" {
		name = s.Keyword
	}
	w.line(indent, "%s: %s", name, yamlText(s.Value))
}

// layer writes settings in the order of the keywords, without those of a profile.
func (w *nativeWriter) layer(indent int, p place, l policy.Layer) {
	done, order := map[string]bool{}, []string{"alias"} // a person looks for it first
	for _, k := range policy.Keywords() {
		order = append(order, k.Name)
	}
	for _, name := range order {
		if s, ok := l.Lookup(name); ok && !done[name] && profileOf(s.Origin) == "" {
			done[name] = true
			w.setting(indent, p, s)
		}
	}
}

// entry writes an item of a list, which begins with what it is found by.
func (w *nativeWriter) entry(p place, o policy.Origin, name string, keys policy.Layer, rest func()) {
	for _, s := range keys {
		bad := w.refused(p, s.Keyword, s.Value)
		if p == inMultipath && s.Value == "" {
			bad = "an entry needs a wwid"
		}
		if bad != "" {
			w.lose(2, o, "the entry %s %s: %s", p, quote(name), bad)
			w.lost[len(w.lost)-1].entry = p.String() + " " + name
			return
		}
	}
	for i, s := range keys {
		if i == 0 {
			w.line(2, "- %s: %s", s.Keyword, yamlText(s.Value))
			continue
		}
		w.line(4, "%s: %s", s.Keyword, yamlText(s.Value))
	}
	rest()
}

func (w *nativeWriter) device(d policy.Device) {
	keys := policy.Layer{{Keyword: "vendor", Value: d.Vendor}, {Keyword: "product", Value: d.Product}}
	if d.Revision != "" {
		keys = append(keys, policy.Setting{Keyword: "revision", Value: d.Revision})
	}
	if d.ProductBlacklist != "" {
		keys = append(keys, policy.Setting{Keyword: "product_blacklist", Value: d.ProductBlacklist})
	}
	w.entry(inDevice, d.Origin, deviceName(d), keys, func() {
		if d.Disabled {
			w.line(4, "disabled: yes")
		}
		w.layer(4, inDevice, d.Layer)
	})
}

func (w *nativeWriter) protocols(all []policy.Protocol) {
	if len(all) == 0 {
		return
	}
	w.line(2, "protocol:")
	for _, p := range all {
		w.line(4, "- type: %s", yamlText(p.Type))
		w.layer(6, inProtocol, p.Layer)
	}
}

func (w *nativeWriter) rules(p place, rules []policy.Rule) {
	for _, class := range ruleClasses() {
		begun := false
		begin := func() {
			if !begun {
				w.line(2, "%s:", class.name)
			}
			begun = true
		}
		for _, r := range rules {
			switch {
			case r.Class != class.class:
			case r.Class == policy.ClassDevice:
				bad := w.refused(inBlacklistDevice, "vendor", r.Pattern) + w.refused(inBlacklistDevice, "product", r.Product)
				if r.Pattern == "" && r.Product == "" {
					bad = "it hits every device; the native form wants that written as a vendor \".*\""
				}
				if bad != "" {
					w.lose(2, r.Origin, "the device rule %s,%s: %s", quote(r.Pattern), quote(r.Product), bad)
					continue
				}
				begin()
				w.line(4, "- vendor: %s", yamlText(r.Pattern))
				w.line(6, "product: %s", yamlText(r.Product))
			default:
				if bad := w.refused(p, class.name, r.Pattern); bad != "" {
					w.lose(2, r.Origin, "%s %s: %s", class.name, quote(r.Pattern), bad)
					continue
				}
				begin()
				w.line(4, "- %s", yamlText(r.Pattern))
			}
		}
	}
}
