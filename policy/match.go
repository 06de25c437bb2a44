package policy

import (
	"strings"

	"pathkeeper/policy/ere"
	"pathkeeper/scsi"
)

// pattern is a POSIX ERE of the hardware table. Patterns without any special
// character, the most, are looked for as they are.
type pattern struct {
	any     bool
	literal string
	expr    *ere.Expr
	// later is compiled where it is asked for: the products of built-in entries, which
	// are only looked at where the vendor fits. A process that decides about one disk
	// and ends needs next to none of them.
	later string
}

// maxLiteral is the longest text that is looked for as it stands, bytes.
const maxLiteral = 255

// compilePattern reads an ERE; "" matches all. A pattern that does not compile
// matches nothing, as in multipath-tools, but is told.
func compilePattern(text string) (pattern, error) {
	if text == "" {
		return pattern{any: true}, nil
	}
	if literal(text) {
		return pattern{literal: text}, nil // half of the built-in table; the udev hook reads it for each event
	}
	expr, err := ere.Compile(text)
	if err != nil {
		return pattern{}, err
	}
	return pattern{expr: expr}, nil
}

// literal says whether an expression, which may be empty, has no special character.
func literal(text string) bool {
	return len(text) <= maxLiteral && !strings.ContainsAny(text, `\^$.[]|()*+?{}`)
}

// match reports whether a device's string fits. A string that the device does
// not have fits every pattern that compiles.
func (p pattern) match(s string) bool {
	switch {
	case p.any:
		return true
	case p.literal != "":
		return s == "" || strings.Contains(s, p.literal)
	case p.later != "":
		expr, err := ere.Compile(p.later)
		return err == nil && (s == "" || expr.Match(s))
	default:
		return p.expr != nil && (s == "" || p.expr.Match(s))
	}
}

// compiledDevice is one entry of the hardware table.
type compiledDevice struct {
	Device
	vendor, product, revision pattern
}

func (d *compiledDevice) match(id scsi.Identity) bool {
	return d.vendor.match(id.Vendor) && d.product.match(id.Model) && d.revision.match(id.Rev)
}

func (d *compiledDevice) String() string {
	s := "device " + d.Vendor + "," + d.Product
	if d.Revision != "" {
		s += "," + d.Revision
	}
	return s
}

func compileDevices(devices []Device) (out []compiledDevice, problems []Problem) {
	for _, d := range devices {
		c := compiledDevice{Device: d}
		for _, field := range []struct {
			name, text string
			to         *pattern
		}{
			{"vendor", d.Vendor, &c.vendor}, {"product", d.Product, &c.product}, {"revision", d.Revision, &c.revision},
		} {
			var err error
			if d.BuiltIn && field.name == "product" && !literal(field.text) {
				*field.to = pattern{later: field.text}
				continue
			}
			if *field.to, err = compilePattern(field.text); err != nil {
				problems = append(problems, Problem{
					Origin: d.Origin,
					Text:   field.name + " of a device entry: " + err.Error() + "; the entry matches no device",
				})
			}
		}
		out = append(out, c)
	}
	return out, problems
}

// matchDevices gives the entries that fit, most significant first: the table is
// read from its end.
func (c *Compiled) matchDevices(id scsi.Identity) []*compiledDevice {
	var out []*compiledDevice
	for i := len(c.devices) - 1; i >= 0; i-- {
		if c.devices[i].match(id) {
			out = append(out, &c.devices[i])
		}
	}
	return out
}

// keys are the ids by which a configuration or bindings line may name a LUN,
// canonical first. The "S" forms count only behind libata: elsewhere vendors
// repeat serial numbers, and no old scsi_id printed them for such LUNs.
func keys(id scsi.Identity) []scsi.ID {
	out := make([]scsi.ID, 0, len(id.IDs)+1)
	if id.WWID != "" {
		out = append(out, scsi.ID{Kind: scsi.IDWWID, Value: id.WWID})
	}
	for _, i := range id.IDs {
		if i.Value == "" || i.Value == id.WWID {
			continue
		}
		switch i.Kind {
		case scsi.IDScsiID80, scsi.IDOldS:
			if !id.Libata {
				continue
			}
		}
		out = append(out, i)
	}
	return out
}

func kindText(k scsi.IDKind) string {
	switch k {
	case scsi.IDWWID:
		return "the canonical WWID"
	case scsi.IDScsiID:
		return "scsi_id's id"
	case scsi.IDScsiID80:
		return "scsi_id's id from page 0x80"
	case scsi.IDOldS:
		return "the id that old scsi_id printed"
	case scsi.IDUdevSerial:
		return "udev's ID_SERIAL"
	default:
		return "an id"
	}
}

// named is what the multipaths section and the bindings file say about a LUN.
type named struct {
	entries []*Multipath // of the id that matched, last one first; nil: none
	id      scsi.ID      // it

	binding   string  // alias of the bindings line, "" none
	bindingID scsi.ID // and its id

	record []OldID // old ids that matched here for the first time
	// rival: an old id that names this LUN was matched by another one before.
	rival *OldID
	// rivalOrigin is the multipaths entry with that id; the zero Origin where
	// only a bindings line bears it.
	rivalOrigin Origin
	rivalEntry  bool
}

// named looks a LUN up by all its ids.
func (c *Compiled) named(id scsi.Identity, st State, trace *tracer) named {
	var n named
	for _, key := range keys(id) {
		_, inMultipaths := c.multipaths[key.Value]
		alias, inBindings := st.aliasOf(key.Value)
		if !inMultipaths && !inBindings {
			continue
		}
		if !n.mayUse(key, id.WWID, st.OldIDs) {
			n.rivalEntry = n.rivalEntry || inMultipaths
			if inMultipaths {
				n.rivalOrigin = c.entries(key.Value)[0].Origin
			}
			continue
		}
		used := false
		if inMultipaths && n.entries == nil {
			n.entries, n.id, used = c.entries(key.Value), key, true
			trace.add("match", "multipaths entry "+key.Value+", by "+kindText(key.Kind), n.entries[0].Origin)
		} else if inMultipaths {
			trace.add("match", "multipaths entry "+key.Value+" names the same LUN by "+kindText(key.Kind)+
				" and is not used: "+n.id.Value+" comes first", c.entries(key.Value)[0].Origin)
		}
		if inBindings && n.binding == "" {
			n.binding, n.bindingID, used = alias, key, true
			trace.add("match", "bindings line "+alias+" "+key.Value+", by "+kindText(key.Kind), Origin{Note: "bindings"})
		}
		if used && key.Value != id.WWID {
			if _, known := st.OldIDs.Holder(key.Value); !known {
				n.record = append(n.record, OldID{Old: key.Value, Canonical: id.WWID})
			}
		}
	}
	return n
}

// mayUse refuses an old id that stands for another LUN since its first match.
func (n *named) mayUse(key scsi.ID, wwid string, record OldIDs) bool {
	if key.Value == wwid {
		return true
	}
	holder, known := record.Holder(key.Value)
	if !known || holder == wwid {
		return true
	}
	if n.rival == nil {
		n.rival = &OldID{Old: key.Value, Canonical: holder}
	}
	return false
}

// entries gives the multipaths entries of an id text, last one first.
func (c *Compiled) entries(wwid string) []*Multipath {
	at := c.multipaths[wwid]
	out := make([]*Multipath, 0, len(at))
	for i := len(at) - 1; i >= 0; i-- {
		out = append(out, &c.config.Multipaths[at[i]])
	}
	return out
}

// LookupIDs are the ids by which a configuration or bindings line may name a LUN,
// canonical first.
func LookupIDs(id scsi.Identity) []string {
	var out []string
	for _, key := range keys(id) {
		out = append(out, key.Value)
	}
	return out
}
