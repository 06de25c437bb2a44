package configs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/policy"
)

// Dump prints a configuration as `multipath -t` and `show config` of multipath-tools
// 0.14.3 do: everything that is in force, what is built in included. Parse reads it
// back with the same meaning; where the reference's own dump does not bear that
// (owners in octal, uid_attrs without quotes, half a device rule), ours departs from
// it. keep says which device entries are printed; nil: all. What only the native
// form can say stands in comments.
func Dump(c policy.Config, keep func(policy.Device) bool) []byte {
	return dump(c, keep, func(d *dumper) {
		for _, m := range c.Multipaths {
			d.section("multipath", func() { d.layer(with(m.Layer, "wwid", m.WWID), dumpedMultipath()) })
		}
	}, len(c.Multipaths))
}

// LocalMap is a map of the host, for DumpLocal.
type LocalMap struct {
	WWID  string
	Name  string
	Entry string // the wwid text of the multipaths entry that it has; "" it has none
}

// DumpLocal prints what of a configuration counts on a host (`multipath -T`, `show
// config local`): of the devices those that keep says, and of the multipaths the
// host's maps, each with its entry. A name that no entry gives stands in a comment.
func DumpLocal(c policy.Config, keep func(policy.Device) bool, maps []LocalMap) []byte {
	return dump(c, keep, func(d *dumper) {
		for _, m := range maps {
			d.local(c, m)
		}
	}, len(maps))
}

func (d *dumper) local(c policy.Config, m LocalMap) {
	if q := strconv.QuoteToASCII(m.WWID); q != `"`+m.WWID+`"` {
		d.line("# %s: no file can hold this wwid", q)
		return
	}
	entry := policy.Multipath{WWID: m.WWID}
	for _, e := range c.Multipaths {
		if m.Entry != "" && e.WWID == m.Entry {
			entry.WWID = e.WWID
			for _, s := range e.Layer { // of several entries the last counts
				entry.Layer = append(slices.DeleteFunc(entry.Layer, func(o policy.Setting) bool { return o.Keyword == s.Keyword }), s)
			}
		}
	}
	d.section("multipath", func() {
		d.layer(with(entry.Layer, "wwid", entry.WWID), dumpedMultipath())
		if _, named := entry.Layer.Lookup("alias"); !named && m.Name != "" && m.Name != m.WWID {
			d.line("# alias %s", strconv.QuoteToASCII(m.Name))
		}
	})
}

// dump prints a configuration; multipaths prints so many sections of LUNs.
func dump(c policy.Config, keep func(policy.Device) bool, multipaths func(*dumper), count int) []byte {
	d := &dumper{keywords: map[string]policy.Keyword{}}
	for _, k := range policy.Keywords() {
		if k.Sections != policy.SectionBlacklist {
			d.keywords[k.Name] = k
		}
	}
	d.section("defaults", func() { d.layer(effectiveDefaults(c.Defaults), dumpedDefaults()) })
	blacklist, exceptions := effectiveRules(c)
	d.section("blacklist", func() { d.rules(blacklist) })
	d.section("blacklist_exceptions", func() { d.rules(exceptions) })
	d.section("devices", func() {
		for _, e := range c.Devices {
			if keep == nil || keep(e) {
				d.device(e)
			}
		}
	})
	d.section("overrides", func() {
		d.layer(c.Overrides, dumpedOverrides())
		for _, p := range c.Protocols {
			d.section("protocol", func() { d.layer(with(p.Layer, "type", p.Type), dumpedProtocol()) })
		}
	})
	if count > 0 {
		d.section("multipaths", func() { multipaths(d) })
	}
	d.native(c)
	return d.out.Bytes()
}

// effectiveDefaults adds the built-in values to those of the files, and to the two
// intervals what one makes of the other.
func effectiveDefaults(files policy.Layer) policy.Layer {
	var out policy.Layer
	for _, k := range policy.Keywords() {
		if s, ok := files.Lookup(k.Name); ok {
			out = append(out, s)
		} else if k.Sections&policy.SectionDefaults != 0 && k.Default != "" {
			out = append(out, policy.Setting{Keyword: k.Name, Value: k.Default})
		}
		if k.Name == "prio" { // empty is a value here
			if _, ok := files.Lookup("prio_args"); !ok {
				out = append(out, policy.Setting{Keyword: "prio_args"})
			}
		}
	}
	interval, longest := pollingIntervals(files)
	out = with(out, "polling_interval", strconv.FormatUint(interval, 10))
	return with(out, "max_polling_interval", strconv.FormatUint(longest, 10))
}

// pollingIntervals gives the least and the greatest time between two checks of a path:
// only one given makes the other, and a greatest below the least lowers the least.
func pollingIntervals(l policy.Layer) (least, greatest uint64) {
	value := func(keyword string) uint64 {
		s, _ := l.Lookup(keyword)
		n, _ := strconv.ParseUint(s.Value, 10, 32) // 0: not given
		return n
	}
	least, greatest = value("polling_interval"), value("max_polling_interval")
	switch {
	case least == 0 && greatest == 0:
		least, greatest = 5, 20
	case least == 0:
		least = max(greatest/4, 1)
	case greatest == 0:
		greatest = min(least*4, 1<<32-2) // the largest that is read
	}
	return min(least, greatest), greatest
}

// effectiveRules adds the built-in rules to those of the files; an equal one
// stands once, but for those of protocols.
func effectiveRules(c policy.Config) (blacklist, exceptions []policy.Rule) {
	moreBlack, moreExceptions := policy.BuiltinRules(c.Devices, c.NVMeNativeMultipath)
	join := func(files, more []policy.Rule) []policy.Rule {
		var all rules
		for _, r := range slices.Concat(files, more) {
			all.add(r)
		}
		return all.list
	}
	return join(c.Blacklist, moreBlack), join(c.Exceptions, moreExceptions)
}

// with puts a keyword's value into a copy of a layer.
func with(l policy.Layer, keyword, value string) policy.Layer {
	out := slices.DeleteFunc(slices.Clone(l), func(s policy.Setting) bool { return s.Keyword == keyword })
	return append(out, policy.Setting{Keyword: keyword, Value: value})
}

type dumper struct {
	out      bytes.Buffer
	depth    int
	keywords map[string]policy.Keyword
}

func (d *dumper) line(format string, args ...any) {
	d.out.WriteString(strings.Repeat("\t", d.depth))
	fmt.Fprintf(&d.out, format, args...)
	d.out.WriteByte('\n')
}

func (d *dumper) section(name string, body func()) {
	d.line("%s {", name)
	d.depth++
	body()
	d.depth--
	d.line("}")
}

func (d *dumper) layer(l policy.Layer, order []string) {
	for _, name := range order {
		if s, ok := l.Lookup(name); ok {
			d.setting(d.keywords[name].Kind, name, s.Value)
		}
	}
	for _, s := range l {
		if d.keywords[s.Keyword].Native {
			d.line("# %s %s", s.Keyword, comment(s.Value))
		}
	}
}

// setting prints numbers bare and everything else in quotes.
func (d *dumper) setting(kind policy.Kind, name, value string) {
	switch {
	case strings.ContainsAny(value, "\n\r\x00"): // only the native form has such
		d.line("# %s %s", name, comment(value))
	case bare(kind, value):
		d.line("%s %s", name, value)
	default:
		d.line("%s \"%s\"", name, strings.ReplaceAll(value, `"`, `""`))
	}
}

// bare says which values have no quotes: numbers, "off", modes, keys.
func bare(kind policy.Kind, value string) bool {
	switch kind {
	case policy.KindInt, policy.KindUint, policy.KindNoInt, policy.KindDevLoss, policy.KindRetry,
		policy.KindFailback, policy.KindMaxFDs, policy.KindOwner:
		_, number := decimal(value)
		return number
	case policy.KindMode, policy.KindOffInt:
		return true
	case policy.KindKey:
		return value != "file"
	case policy.KindAttributes: // the reference has none for several either, and then cannot read it
		return value != "" && !strings.ContainsAny(value, " \t\"#!{}") && strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) < 0
	}
	return false
}

// comment fits any text into one line of a comment.
func comment(s string) string {
	return strconv.QuoteToASCII(s) + " (only the native form can say this)"
}

func (d *dumper) rules(rules []policy.Rule) {
	for _, class := range []struct {
		class policy.RuleClass
		name  string
	}{
		{policy.ClassDevnode, "devnode"},
		{policy.ClassWWID, "wwid"},
		{policy.ClassProperty, "property"},
		{policy.ClassProtocol, "protocol"},
		{policy.ClassDevice, "device"},
	} {
		for _, r := range rules {
			switch {
			case r.Class != class.class:
			case r.Class == policy.ClassDevice:
				d.section("device", func() {
					d.setting(policy.KindRule, "vendor", r.Pattern)
					d.setting(policy.KindRule, "product", r.Product)
				})
			default:
				d.setting(policy.KindRule, class.name, r.Pattern)
			}
		}
	}
}

func (d *dumper) device(e policy.Device) {
	if e.Disabled {
		d.line("# device %s %s", strconv.QuoteToASCII(e.Vendor), comment(e.Product+": switched off"))
		return
	}
	l := with(with(e.Layer, "vendor", e.Vendor), "product", e.Product)
	if e.Revision != "" {
		l = with(l, "revision", e.Revision)
	}
	if e.ProductBlacklist != "" {
		l = with(l, "product_blacklist", e.ProductBlacklist)
	}
	d.section("device", func() { d.layer(l, dumpedDevice()) })
}

// native names what multipath.conf has no section for.
func (d *dumper) native(c policy.Config) {
	for _, k := range c.Disks {
		d.line("# the disk %s has the link %s", strconv.QuoteToASCII(k.WWID), comment(k.Name))
	}
	var demands []string
	if c.HA.DeadlineSeconds > 0 {
		demands = append(demands, fmt.Sprintf("I/O ends in %d seconds", c.HA.DeadlineSeconds))
	}
	if c.HA.Queueing != "" {
		demands = append(demands, "queueing "+c.HA.Queueing)
	}
	if len(demands) > 0 {
		d.line("# what the cluster demands: %s", comment(strings.Join(demands, ", ")))
	}
}
