package lint

import (
	"slices"
	"strconv"
	"strings"

	"pathkeeper/policy"
	"pathkeeper/policy/ere"
)

// run is one check of one configuration.
type run struct {
	in       Input
	config   *policy.Config
	rule     Rule // the one that is running
	found    []Finding
	told     map[place]bool
	exprs    map[string]*ere.Expr // nil: it does not compile
	plain    map[string]plain
	examples map[string][]string // texts that an expression matches
	scopes   []scope
	bearers  map[string][]Device           // by each of their ids
	entries  map[string][]policy.Multipath // by wwid
	builtin  []policy.Device
}

type place struct {
	id, file     string
	line, column int
}

// scope is a set of devices that the configuration treats alike, with the layers
// that they get their settings from, most significant first.
type scope struct {
	kind   scopeKind
	name   string // "device NETAPP,LUN"
	origin policy.Origin
	own    policy.Layer // what the entry itself says, nil for general
	layers []policy.Layer
	rows   []policy.Device // built-in entries for these devices, most significant first
	tpgs   bool            // a present device of it reports target port groups
	all    bool            // its expressions hit every device
}

type scopeKind uint8

const (
	scopeGeneral   scopeKind = iota // a device of which nothing is known
	scopeDevice                     // an entry of the devices section
	scopeMultipath                  // an entry of the multipaths section
	scopePresent                    // a kind of device that is there
)

func newRun(in Input) *run {
	r := &run{in: in, config: &in.Config, told: map[place]bool{}, exprs: map[string]*ere.Expr{}, plain: map[string]plain{}, examples: map[string][]string{}, bearers: map[string][]Device{}, entries: map[string][]policy.Multipath{}, builtin: policy.BuiltinDevices()}
	c := r.config
	for _, d := range r.devices() {
		for _, id := range d.ids() {
			r.bearers[id] = append(r.bearers[id], d)
		}
	}
	for _, m := range c.Multipaths {
		r.entries[m.WWID] = append(r.entries[m.WWID], m)
	}
	r.scopes = append(r.scopes, scope{kind: scopeGeneral, name: "disks in general", layers: []policy.Layer{c.Overrides, c.Defaults}})
	for _, d := range c.Devices {
		if !d.BuiltIn && !d.Disabled {
			r.scopes = append(r.scopes, r.deviceScope(d))
		}
	}
	for _, m := range c.Multipaths {
		if s, ok := r.multipathScope(m); ok {
			r.scopes = append(r.scopes, s)
		}
	}
	if in.Machine != nil {
		r.presentScopes()
	}
	return r
}

func (r *run) deviceScope(d policy.Device) scope {
	s := scope{kind: scopeDevice, name: "device " + d.Vendor + "," + d.Product, origin: d.Origin, own: d.Layer, all: r.matchesAny(d.Vendor) && r.matchesAny(d.Product)}
	if !s.all {
		s.rows = r.rowsOf(d)
	}
	s.layers = []policy.Layer{r.config.Overrides, d.Layer}
	for _, row := range s.rows {
		s.layers = append(s.layers, row.Layer)
	}
	s.layers = append(s.layers, r.config.Defaults)
	for _, present := range r.devices() {
		if present.Identity.TPGS != 0 && r.fits(d, present) {
			s.tpgs = true
		}
	}
	return s
}

// multipathScope leaves out the entries that say no more than a name.
func (r *run) multipathScope(m policy.Multipath) (scope, bool) {
	if !slices.ContainsFunc(m.Layer, func(s policy.Setting) bool { return s.Keyword != "alias" }) {
		return scope{}, false
	}
	s := scope{kind: scopeMultipath, name: "multipath " + label(m), origin: m.Origin, own: m.Layer, layers: []policy.Layer{m.Layer, r.config.Overrides}}
	for i, present := range r.bearers[m.WWID] {
		s.tpgs = s.tpgs || present.Identity.TPGS != 0
		if i > 0 {
			continue
		}
		s.rows = r.entriesOf(present)
		for _, row := range s.rows {
			s.layers = append(s.layers, row.Layer)
		}
	}
	s.layers = append(s.layers, r.config.Defaults)
	return s, true
}

func (r *run) presentScopes() {
	type model struct{ vendor, product, revision, protocol string }
	at := map[model]int{}
	for _, d := range r.devices() {
		key := model{d.Identity.Vendor, d.Identity.Model, d.Identity.Rev, d.Facts.Protocol}
		if i, ok := at[key]; ok {
			r.scopes[i].tpgs = r.scopes[i].tpgs || d.Identity.TPGS != 0
			continue
		}
		at[key] = len(r.scopes)
		s := scope{kind: scopePresent, name: d.Identity.Vendor + "," + d.Identity.Model, tpgs: d.Identity.TPGS != 0}
		for _, p := range r.config.Protocols {
			if p.Type == d.Facts.Protocol {
				s.layers = append(s.layers, p.Layer)
			}
		}
		s.layers = append(s.layers, r.config.Overrides)
		s.rows = r.entriesOf(d)
		for _, row := range s.rows {
			s.layers = append(s.layers, row.Layer)
		}
		s.layers = append(s.layers, r.config.Defaults)
		r.scopes = append(r.scopes, s)
	}
}

// label names a multipaths entry for people.
func label(m policy.Multipath) string {
	if s, ok := m.Layer.Lookup("alias"); ok && s.Value != "" {
		return s.Value
	}
	return m.WWID
}

// get finds what the files or the built-in table say of a keyword.
func (s scope) get(keyword string) (policy.Setting, bool) {
	for _, l := range s.layers {
		if v, ok := l.Lookup(keyword); ok {
			return v, true
		}
	}
	return policy.Setting{}, false
}

// value is what counts in the end.
func (s scope) value(keyword, builtIn string) string {
	if v, ok := s.get(keyword); ok {
		return v.Value
	}
	return builtIn
}

// number is value for numbers; 0 for words.
func (s scope) number(keyword string, builtIn int) int {
	v, ok := s.get(keyword)
	if !ok {
		return builtIn
	}
	n, err := strconv.Atoi(v.Value)
	if err != nil {
		return 0
	}
	return n
}

// written is get, if it stands in a file.
func (s scope) written(keyword string) (policy.Setting, bool) {
	v, ok := s.get(keyword)
	return v, ok && v.Origin.File != ""
}

// alua says whether these devices have target port groups: by what they report
// themselves, else by what the built-in table says of their kind.
func (s scope) alua() bool {
	if s.tpgs {
		return true
	}
	for _, row := range s.rows {
		if p, ok := row.Layer.Lookup("prio"); ok {
			return row.BuiltIn && (p.Value == "alua" || p.Value == "ontap")
		}
	}
	return false
}

// detects says whether auto-detection has the last word.
func (s scope) detects(keyword string) bool { return s.value(keyword, "yes") == "yes" }

// prio is the prioritizer that counts, detection included.
func (s scope) prio() string {
	if s.alua() && s.detects("detect_prio") {
		return "alua"
	}
	return s.value("prio", "const")
}

// grouping is the path_grouping_policy that counts, detection included.
func (s scope) grouping() string {
	if p := s.prio(); s.alua() && (p == "alua" || p == "sysfs") && s.detects("detect_pgpolicy") {
		if s.value("detect_pgpolicy_use_tpg", "no") == "yes" {
			return "group_by_tpg"
		}
		return "group_by_prio"
	}
	return s.value("path_grouping_policy", "failover")
}

// poll is the shortest interval of checks and the longest, in seconds.
func (s scope) poll() (least, most int) {
	least, most = s.number("polling_interval", 0), s.number("max_polling_interval", 0)
	switch {
	case least == 0 && most == 0:
		return 5, 20
	case most == 0:
		return least, 4 * min(least, 1<<28)
	case least == 0:
		return max(most/4, 1), most
	}
	return min(least, most), most
}

// retry is what is done without any path: the word or the checks, and where it
// stands. ok is false where nobody says anything: then I/O fails.
func (s scope) retry() (policy.Setting, bool) {
	if v, ok := s.get("no_path_retry"); ok {
		return v, true
	}
	if f, ok := s.get("features"); ok && slices.Contains(strings.Fields(f.Value), "queue_if_no_path") {
		f.Value = "queue"
		return f, true
	}
	return policy.Setting{}, false
}

// report adds a finding of the running rule. A place that no file has is told as
// nobody's mistake; a place that was told already is not told twice.
func (r *run) report(o policy.Origin, text string, related ...Related) {
	r.reportFix(o, text, r.rule.Fix, related...)
}

func (r *run) reportFix(o policy.Origin, text, fix string, related ...Related) {
	key := place{r.rule.ID, o.File, o.Line, o.Column}
	if o.File == "" || r.told[key] || r.rule.Severity == Hint && strings.HasPrefix(o.Note, "profile ") {
		return // what a profile says is nobody's slip of the pen
	}
	r.told[key] = true
	o.Note = ""
	r.found = append(r.found, Finding{ID: r.rule.ID, Severity: r.rule.Severity, Origin: o, Text: text, Fix: fix, Related: related})
}

// here points at a setting in words.
func here(s policy.Setting) Related {
	return Related{Origin: s.Origin, Text: s.Keyword + " " + s.Value}
}

func (r *run) devices() []Device {
	if r.in.Machine == nil {
		return nil
	}
	return r.in.Machine.Devices
}

// ids gives all ids of a device, each once.
func (d Device) ids() []string {
	var out []string
	if d.Identity.WWID != "" {
		out = append(out, d.Identity.WWID)
	}
	for _, i := range d.Identity.IDs {
		if i.Value != "" && !slices.Contains(out, i.Value) {
			out = append(out, i.Value)
		}
	}
	return out
}

// named gives the multipaths entries of a device, by all its ids.
func (r *run) named(d Device) []policy.Multipath {
	var out []policy.Multipath
	for _, id := range d.ids() {
		out = append(out, r.entries[id]...)
	}
	return out
}
