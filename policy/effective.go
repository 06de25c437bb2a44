package policy

import (
	"slices"
	"strings"

	"pathkeeper/scsi"
)

// Place is the kind of place that a value comes from.
type Place uint8

// Places, most significant first; the last three are no section of a file.
const (
	PlaceUnknown    Place = iota
	PlaceMultipaths       // multipaths { multipath { } }
	PlaceProtocol         // overrides { protocol { } }
	PlaceOverrides        // overrides { }
	PlaceDevice           // devices { device { } } of a file
	PlaceTable            // an entry of the built-in hardware table
	PlaceDefaults         // defaults { }
	PlaceBuiltIn          // the built-in default
	PlaceDetected         // the device or the kernel said so
	PlaceDerived          // made of other settings, or in place of one that cannot be used
)

// String gives the words that stand before the origin when a value is explained.
func (p Place) String() string {
	switch p {
	case PlaceMultipaths:
		return "multipaths"
	case PlaceProtocol:
		return "protocol"
	case PlaceOverrides:
		return "overrides"
	case PlaceDevice:
		return "device"
	case PlaceTable:
		return "built-in table"
	case PlaceDefaults:
		return "defaults"
	case PlaceBuiltIn:
		return "built-in default"
	case PlaceDetected:
		return "detected"
	case PlaceDerived:
		return "derived"
	default:
		return "unknown"
	}
}

// Effective is one keyword's value for one device and its map, and what it beat.
type Effective struct {
	Keyword string
	Value   string // canonical text; "" unset
	Origin  Origin
	Place   Place
	Entry   string     // of PlaceDevice and PlaceTable: "NETAPP,LUN"; of PlaceMultipaths the wwid; of PlaceProtocol the type
	Beat    []Shadowed // values of other places that do not count, in order of precedence
}

// Shadowed is a value that does not count.
type Shadowed struct {
	Value  string
	Origin Origin
	Place  Place
	Entry  string
	Above  bool // it stands at a more significant place than the value that counts: that one was passed over
}

// Target is whose settings are asked for: a device with its map, or an imagined
// device, of which only Identity's vendor and product are known.
type Target struct {
	Identity scsi.Identity
	Facts    Facts
	State    State
}

// Effective gives every keyword's value for a device and its map, in the order of
// Keywords. It is of one mind with the Settings of Decide. What is of the daemon
// as a whole comes only with defaults.
func (c *Compiled) Effective(t Target) []Effective {
	return c.effective(t, c.resolver(t.Identity, c.named(t.Identity, t.State, &tracer{}), &tracer{}))
}

// EffectiveDefaults gives what counts where no entry speaks of a device: defaults
// and overrides over what is built in.
func (c *Compiled) EffectiveDefaults() []Effective {
	all := c.effective(Target{}, &resolver{config: &c.config, trace: &tracer{}})
	special := map[string]bool{} // what only an entry can say
	for _, k := range Keywords() {
		special[k.Name] = k.Sections&(SectionDefaults|SectionOverrides) == 0
	}
	return slices.DeleteFunc(all, func(e Effective) bool { return special[e.Keyword] })
}

func (c *Compiled) effective(t Target, r *resolver) []Effective {
	settled := map[string]Setting{}
	for _, s := range r.settings(t.Identity, t.Facts, t.State.Kernel).Texts() {
		settled[s.Keyword] = s
	}
	var out []Effective
	for _, k := range Keywords() {
		if !k.configures() {
			continue
		}
		found := r.candidates(k, t.Facts.Protocol)
		s, ok := settled[k.Name]
		if !ok {
			s = r.plain(k, found, t.Facts.Devnode)
		}
		out = append(out, weighUp(k, s, found, r))
	}
	return out
}

// configures says whether a keyword is a setting: not how an entry is found, not
// a rule, not without effect.
func (k Keyword) configures() bool {
	const places = SectionDefaults | SectionDevice | SectionOverrides | SectionMultipath | SectionProtocol
	switch k.Name {
	case "vendor", "product", "revision", "product_blacklist", "wwid", "type":
		return false
	}
	return k.Kind != KindIgnored && k.Sections&places != 0
}

// candidates are the values that any place has for a keyword, in order of
// precedence.
func (r *resolver) candidates(k Keyword, protocol string) []Shadowed {
	var out []Shadowed
	take := func(l Layer, p Place, entry string) {
		for _, s := range slices.Backward(l) {
			if s.Keyword == k.Name {
				out = append(out, Shadowed{Value: s.Value, Origin: s.Origin, Place: p.of(s.Origin), Entry: entry})
			}
		}
	}
	for _, m := range r.entries {
		take(m.Layer, PlaceMultipaths, m.WWID)
	}
	if k.Sections&SectionProtocol != 0 {
		for _, p := range slices.Backward(r.config.Protocols) {
			if p.Type == protocol {
				take(p.Layer, PlaceProtocol, p.Type)
			}
		}
	}
	take(r.config.Overrides, PlaceOverrides, "")
	for _, d := range r.devices {
		take(d.Layer, PlaceDevice, strings.TrimPrefix(d.String(), "device "))
	}
	take(r.config.Defaults, PlaceDefaults, "")
	return out
}

// of tells the settings of a built-in entry, also of one that an entry of a file
// has been laid over, from those of the file.
func (p Place) of(o Origin) Place {
	if p == PlaceDevice && o.File == "" && strings.HasPrefix(o.Note, "built-in ") {
		return PlaceTable
	}
	return p
}

// plain resolves a keyword that Settings does not have: the first place counts,
// unless it only says that it leaves the value open.
func (r *resolver) plain(k Keyword, found []Shadowed, devnode string) Setting {
	switch k.Name {
	case "uid_attribute":
		v := r.uidAttribute(devnode)
		return Setting{k.Name, v.V, v.Origin}
	case "retain_attached_hw_handler":
		return Setting{k.Name, "yes", Origin{Note: "the kernel always does so since Linux 4.3"}}
	}
	for _, s := range found {
		if s.Value != "" && (s.Value != "0" || !k.ZeroUnset) {
			return Setting{k.Name, s.Value, s.Origin}
		}
	}
	return Setting{k.Name, k.Default, Origin{Note: builtInNote}}
}

// weighUp finds the place that a value comes from, and calls the others beaten.
func weighUp(k Keyword, s Setting, found []Shadowed, r *resolver) Effective {
	e := Effective{Keyword: k.Name, Value: s.Value, Origin: s.Origin}
	at := slices.IndexFunc(found, func(f Shadowed) bool { return f.Origin == s.Origin })
	switch {
	case s.Origin.builtIn():
		e.Place, at = PlaceBuiltIn, -1
	case at >= 0:
		e.Place, e.Entry = found[at].Place, found[at].Entry
	case s.Origin.File != "":
		e.Place = r.placeOf(s.Origin)
	case detected(s.Origin.Note):
		e.Place = PlaceDetected
	default:
		e.Place = PlaceDerived
	}
	for i, f := range found {
		if i == at {
			continue
		}
		f.Above = i < at || at < 0
		e.Beat = append(e.Beat, f)
	}
	return e
}

// detected knows the notes of values that the device or the kernel gave.
func detected(note string) bool {
	for _, start := range []string{"detect_", "attached by the kernel", "target port groups", "the kernel "} {
		if strings.HasPrefix(note, start) {
			return true
		}
	}
	return false
}

// placeOf finds the place of a value that another keyword's line gave: uid_attrs
// gives uid_attribute, features gives no_path_retry.
func (r *resolver) placeOf(o Origin) Place {
	place := PlaceDerived
	for _, name := range []string{"features", "uid_attrs"} {
		for _, f := range r.candidates(Keyword{Name: name}, "") {
			if f.Origin.File == o.File && f.Origin.Line == o.Line && f.Origin.Column == o.Column {
				place = f.Place
			}
		}
	}
	return place
}

// Matches gives the device entries that fit a device, most significant first.
func (c *Compiled) Matches(id scsi.Identity) []Device {
	var out []Device
	for _, d := range c.matchDevices(id) {
		out = append(out, d.Device)
	}
	return out
}
