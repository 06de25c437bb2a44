package policy

import (
	"slices"
	"strconv"
	"strings"

	"pathkeeper/scsi"
)

// Problem is something wrong with a configuration that only shows when it is
// compiled.
type Problem struct {
	Origin Origin
	Text   string
	Fatal  bool // the configuration must not be used
}

// Compiled is a configuration made ready for thousands of decisions. It is
// immutable and safe for concurrent use.
type Compiled struct {
	config     Config
	devices    []compiledDevice
	blacklist  blacklist
	multipaths map[string][]int  // by wwid text: indices into config.Multipaths, ascending
	aliases    map[string]string // alias -> wwid text of the entry that has it
	singles    singles
}

// Compile reads the expressions of a configuration and adds the built-in
// blacklist. Problems come in the order of the configuration; with a fatal one
// the result must not be used.
func Compile(cfg Config) (*Compiled, []Problem) {
	c := &Compiled{config: cfg}
	var problems, more []Problem
	devices := enabled(cfg.Devices)
	builtinBlacklist, builtinExceptions := BuiltinRules(devices, cfg.NVMeNativeMultipath)
	c.blacklist.rules, more = compileRules("blacklist", cfg.Blacklist, builtinBlacklist)
	problems = append(problems, more...)
	c.blacklist.exceptions, more = compileRules("blacklist_exceptions", cfg.Exceptions, builtinExceptions)
	problems = append(problems, more...)
	c.devices, more = compileDevices(devices)
	problems = append(problems, more...)
	problems = append(problems, c.compileMultipaths()...)
	return c, append(problems, c.compileDisks()...)
}

// enabled leaves out the entries that are switched off.
func enabled(devices []Device) []Device {
	return slices.DeleteFunc(slices.Clone(devices), func(d Device) bool { return d.Disabled })
}

// maxMapName is the longest name of a dm device (DM_NAME_LEN less the NUL,
// include/uapi/linux/dm-ioctl.h).
const maxMapName = 127

// compileMultipaths indexes the entries. An alias belongs to the first LUN that
// has it: two maps cannot share a name.
func (c *Compiled) compileMultipaths() (problems []Problem) {
	c.multipaths = make(map[string][]int, len(c.config.Multipaths))
	c.aliases = make(map[string]string, len(c.config.Multipaths))
	for i, m := range c.config.Multipaths {
		c.multipaths[m.WWID] = append(c.multipaths[m.WWID], i)
	}
	for _, m := range c.config.Multipaths {
		// Of several aliases that one LUN is given the last counts.
		alias, ok := c.aliasSetting(m.WWID)
		if !ok {
			continue
		}
		switch holder, taken := c.aliases[alias.Value]; {
		case taken && holder != m.WWID:
			problems = append(problems, Problem{
				Origin: alias.Origin,
				Text:   "alias " + alias.Value + " is already given to " + holder + "; " + m.WWID + " goes without",
			})
		case taken:
		case badMapName(alias.Value):
			problems = append(problems, Problem{
				Origin: alias.Origin,
				Text:   "alias " + strconv.Quote(alias.Value) + " cannot be a map's name (1 to 127 bytes, no slash or control byte, not control, . or ..); " + m.WWID + " goes without",
			})
		default:
			c.aliases[alias.Value] = m.WWID
		}
	}
	return problems
}

// badMapName says what device-mapper, or its directory /dev/mapper, does not take.
func badMapName(name string) bool {
	return name == "" || len(name) > maxMapName || strings.Contains(name, "/") || name == "." || name == ".." || name == "control" ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// aliasSetting is the alias that the multipaths section gives to an id text,
// whether or not another one has it already.
func (c *Compiled) aliasSetting(wwid string) (Setting, bool) {
	for _, entry := range c.entries(wwid) {
		if s, ok := entry.Layer.Lookup("alias"); ok {
			return s, true
		}
	}
	return Setting{}, false
}

// Config is what was compiled. It must not be changed.
func (c *Compiled) Config() Config { return c.config }

// tracer collects the steps of one decision.
type tracer struct{ steps []Trace }

func (t *tracer) add(step, text string, origin Origin) {
	t.steps = append(t.steps, Trace{Step: step, Text: text, Origin: origin})
}

func (t *tracer) decide(step, text string, origin Origin) {
	t.steps = append(t.steps, Trace{Step: step, Text: text, Origin: origin, Decided: true})
}

// Decide says what happens to a device: whether it becomes a path, what udev is
// told, and the settings of path and map. The udev hook and the daemon both call
// it, so that they cannot disagree. It depends on nothing but its arguments.
func (c *Compiled) Decide(id scsi.Identity, f Facts, st State) Decision {
	t := &tracer{}
	traceIdentity(t, id)
	n := c.named(id, st, t)
	r := c.resolver(id, n, t)
	facts := claimFacts{
		mode: r.findMultipaths().V, identified: id.WWID != "", infoReason: id.Problem,
		noDaemon: f.NoDaemon, failed: f.Failed, inUse: f.InUse,
		inWWIDs: f.InWWIDs, mapExists: f.MapExists, released: f.Released, otherPaths: f.OtherPaths,
	}
	if f.DevType != "" && f.DevType != "disk" {
		facts.notDisk = f.DevType
	}
	var origin Origin
	facts.positive, origin = c.positive(n)

	admission, deciding := c.admission(id, f, n, r, t)
	if admission != "" {
		facts.info, facts.infoReason = pathSkipped, admission
		origin = deciding
	}
	member := memberOf(f.MemberOf, id)
	facts.member = f.MemberOf != ""

	d := Decision{RecordOldIDs: n.record}
	a := claimFirst(facts)
	d.Skipped = admission != ""
	d.Verdict, d.Reason = verdictOf(a, facts)
	claim, after := claimAfter(a.claim, facts)
	d.Claim = claim
	switch {
	case facts.member && a.claim == ClaimFinal && !member:
		// It stays claimed: the map that holds it is another LUN's.
		d.Verdict, d.Reason = VerdictReject, "is held by the map "+f.MemberOf+", which is not its LUN's"
	case facts.member && a.claim == ClaimFinal && admission != "":
		d.Verdict, d.Reason = VerdictReject, admission+"; still a path of a running map"
	}
	d.Origin = c.deciding(d, a, facts, origin, r)
	t.decide("claim", d.Verdict.String()+": "+d.Reason, d.Origin)
	claimText := "udev is told " + d.Claim.String()
	if after != "" {
		claimText += ": " + after
	}
	t.add("claim", claimText, Origin{})
	d.Single = c.single(id, f, d, st, t)
	d.Settings = r.settings(id, f, st.Kernel)
	d.Trace = t.steps
	return d
}

// deciding is the origin of what decided, "" where that is no line of a file.
func (c *Compiled) deciding(d Decision, a claimAnswer, f claimFacts, origin Origin, r *resolver) Origin {
	switch {
	case f.member && a.claim == ClaimFinal && d.Verdict == VerdictReject && f.info == pathSkipped:
		return origin
	case f.member || f.noDaemon != "" || f.notDisk != "" || !f.identified:
		return Origin{}
	case f.info == pathSkipped:
		return origin
	case f.failed || f.inUse != "":
		return Origin{}
	case f.positive != "":
		return origin
	case a.byMode || f.mode == findGreedy:
		return r.findMultipaths().Origin
	case f.inWWIDs:
		return Origin{Note: "wwids"}
	default:
		return Origin{}
	}
}

// positive says why the configuration itself identifies the LUN: a multipaths
// entry always, a bindings line where the configuration is from a time when
// listing was not needed.
func (c *Compiled) positive(n named) (string, Origin) {
	switch {
	case n.entries != nil:
		return "named in the multipaths section as " + n.id.Value, n.entries[0].Origin
	case n.binding != "" && len(c.config.OldKeywords) > 0:
		old := c.config.OldKeywords[0]
		return "named in the bindings file as " + n.bindingID.Value + ", which counts because the configuration uses " +
			old.Keyword + " from before find_multipaths", old.Origin
	default:
		return "", Origin{}
	}
}

// admission gives the reason why a device is no path whatever the mode, "" if it
// may be one.
func (c *Compiled) admission(id scsi.Identity, f Facts, n named, r *resolver, t *tracer) (reason string, origin Origin) {
	if f.Hidden {
		return "hidden by the kernel (sysfs hidden=1)", Origin{}
	}
	if f.USB {
		allow := r.allowUSB()
		if !allow.V {
			return "USB disk, and allow_usb_devices is no", allow.Origin
		}
	}
	uid := r.uidAttribute(f.Devnode)
	s := subject{
		devnode: f.Devnode, vendor: id.Vendor, product: id.Model, protocol: f.Protocol,
		properties: f.Properties, uidAttribute: uid.V,
	}
	for _, key := range keys(id) {
		s.wwids = append(s.wwids, key.Value)
	}
	refusal, rival := c.refused(n, t)
	// A missing property is a guess about disks that nobody spoke of; it neither
	// turns a named LUN away nor hides a better reason.
	forgive, _ := c.positive(n)
	switch {
	case refusal != "":
		forgive = "refused in any case"
	case id.WWID == "":
		forgive = "not identified in any case"
	}
	_, each := c.blacklist.filterAll(s, forgive != "")
	for i, h := range each {
		class := filterOrder()[i].String()
		switch {
		case h.missing && forgive != "":
			t.add("blacklist", class+": none of blacklist_exceptions is there, which does not count: "+forgive, Origin{})
		case h.blacklists():
			t.add("blacklist", h.reason(), h.rule.Origin)
			return h.reason(), h.rule.Origin
		case h.exception:
			t.add("blacklist", class+": passes by blacklist_exceptions "+quoteRule(h.rule)+", which hits "+h.on, h.rule.Origin)
		default:
			t.add("blacklist", class+": no rule hits", Origin{})
		}
	}
	return refusal, rival
}

// refused turns a second claimant away: a LUN that only an old id connects with
// an entry, where that old id is recorded for another LUN. It stays so whichever
// of the two comes first.
func (c *Compiled) refused(n named, t *tracer) (string, Origin) {
	if n.rival == nil {
		return "", Origin{}
	}
	text := "its old id " + n.rival.Old + " stands for " + n.rival.Canonical + " since its first match"
	counts := n.rivalEntry || n.binding == "" && len(c.config.OldKeywords) > 0
	if n.entries != nil || !counts {
		t.add("match", text+": the line with it is not this LUN's", n.rivalOrigin)
		return "", Origin{}
	}
	return text, n.rivalOrigin
}

// memberOf reports whether a dm UUID is that of a multipath map of this LUN,
// under whatever id of it.
func memberOf(uuid string, id scsi.Identity) bool {
	wwid, ok := strings.CutPrefix(uuid, mapUUIDPrefix)
	if !ok || wwid == "" {
		return false
	}
	for _, i := range id.IDs {
		if i.Value == wwid {
			return true
		}
	}
	return wwid == id.WWID
}

func traceIdentity(t *tracer, id scsi.Identity) {
	if id.WWID == "" {
		t.add("identity", "no WWID: "+id.Problem, Origin{})
	} else {
		t.add("identity", "WWID "+id.WWID+" ("+id.Vendor+","+id.Model+")", Origin{})
	}
	for _, i := range id.IDs {
		if i.Value == id.WWID {
			continue
		}
		text := "also " + i.Value + ", " + kindText(i.Kind)
		if !id.Libata && (i.Kind == scsi.IDScsiID80 || i.Kind == scsi.IDOldS) {
			text += "; not used for look-ups, the device is not behind libata"
		}
		t.add("identity", text, Origin{})
	}
}

// String gives "admit", "reject", "maybe" or "unknown".
func (v Verdict) String() string {
	switch v {
	case VerdictAdmit:
		return "admit"
	case VerdictReject:
		return "reject"
	case VerdictMaybe:
		return "maybe"
	default:
		return "unknown"
	}
}

// AliasHolder gives the id text of the multipaths entry that an alias belongs to.
func (c *Compiled) AliasHolder(alias string) (wwid string, ok bool) {
	wwid, ok = c.aliases[alias]
	return wwid, ok
}
