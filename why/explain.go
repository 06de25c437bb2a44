package why

import (
	"slices"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/show"
)

// Explanation is why a device, a map or a LUN is treated as it is. Its JSON form
// has the same rules as show.Document: fields are only added under one number,
// null is "does not apply", lists are never null.
type Explanation struct {
	Pathkeeper int    `json:"pathkeeper"`
	Asked      string `json:"asked"`
	Kind       string `json:"kind"`   // device, map or wwid: what the name was found to be
	Name       string `json:"name"`   // kernel name, map's name, or the id
	WWID       string `json:"wwid"`   // "" not identified
	Answer     string `json:"answer"` // one sentence
	Verdict    string `json:"verdict"`
	Claim      string `json:"claim"` // what udev is told: no maybe yes yes-final unknown
	Origin     string `json:"decided_by"`

	Steps    []Step              `json:"steps"`    // how it was decided, in order
	Modes    []Mode              `json:"modes"`    // what each mode of find_multipaths would do; empty where the mode does not matter
	Facts    []Fact              `json:"facts"`    // of a map or path: name, groups, queueing, state
	Warnings []Step              `json:"warnings"` // settings that could not be used as they stand
	Settings []show.KeywordValue `json:"settings"` // those that are not at their built-in default
	Matches  []show.DeviceEntry  `json:"matches"`  // entries of the hardware table that fit, most significant first
	Paths    []Line              `json:"paths"`    // of a map or LUN
	Changes  []Change            `json:"changes"`  // what would change the outcome: each has been tried
	Notes    []string            `json:"notes"`

	of        string // which device's decision the steps of a map are
	effective []policy.Effective
	matches   []policy.Device
}

// Step is one step of a decision.
type Step struct {
	Step    string `json:"step"`
	Text    string `json:"text"`
	Origin  string `json:"origin"`
	Decided bool   `json:"decided"`
}

// Mode is what one mode of find_multipaths would do with the device.
type Mode struct {
	Mode    string `json:"mode"`
	Verdict string `json:"verdict"`
	Claim   string `json:"claim"`
	Reason  string `json:"reason"`
	Now     bool   `json:"now"` // it is the configured one
	// SecondPath: with a second path to its LUN the device would be a path.
	SecondPath bool `json:"second_path_helps"`
}

// Fact is one answer about a map or path: "Name", "Groups"...
type Fact struct {
	What  string   `json:"what"`
	Text  string   `json:"text"`
	Lines []string `json:"lines"`
}

// Line is one device of a map or LUN.
type Line struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Change is something that would change the outcome.
type Change struct {
	Do   []string `json:"do"`   // all of it
	Then string   `json:"then"` // what is decided then
}

// Explain explains a name: of a device, a map, or a LUN's id. The basis may bear
// another configuration than the one that the snapshot was made with. false: nobody
// knows the name.
func Explain(s mpath.Snapshot, b mpath.Basis, name string) (Explanation, bool) {
	sub, ok := find(s, b, name)
	if !ok {
		return Explanation{}, false
	}
	e := Explanation{
		Pathkeeper: show.DocumentVersion, Asked: name, WWID: sub.id, Steps: []Step{}, Modes: []Mode{}, Facts: []Fact{}, Warnings: []Step{},
		Settings: []show.KeywordValue{}, Matches: []show.DeviceEntry{}, Paths: []Line{}, Changes: []Change{}, Notes: []string{},
	}
	x := &explainer{s: s, b: b, sub: sub, e: &e}
	switch {
	case sub.device != nil && sub.device.Odd != "":
		e.Kind, e.Name, e.WWID = "device", sub.device.Name, ""
		e.Answer, e.Verdict = sub.device.Name+" is left alone: "+sub.device.Odd, policy.VerdictUnknown.String()
	case sub.device != nil:
		x.device(sub.device)
	case sub.mp != nil:
		x.aMap(sub.mp)
	case len(sub.devices) > 0:
		x.lun()
	default:
		x.nobody()
	}
	return e, true
}

// explainer fills an Explanation.
type explainer struct {
	s     mpath.Snapshot
	b     mpath.Basis
	sub   subject
	e     *Explanation
	rules *policy.Compiled
}

// compile makes the configuration ready. What is fatal in it was told before.
func (x *explainer) compile(cfg policy.Config) {
	x.rules, _ = policy.Compile(cfg)
}

func (x *explainer) note(text string) { x.e.Notes = append(x.e.Notes, text) }

func (x *explainer) fact(what, text string, lines ...string) {
	x.e.Facts = append(x.e.Facts, Fact{What: what, Text: text, Lines: slices.Concat([]string{}, lines)})
}

// device explains one device of the host.
func (x *explainer) device(p *mpath.PathView) {
	e := x.e
	e.Kind, e.Name = "device", p.Name
	x.compile(x.b.Config)
	t := x.sub.target(x.b)
	if x.sub.part {
		x.note(shorten(x.sub.asked) + " is a partition: what is decided is decided of the whole disk, " + p.Name)
	}
	x.decide(t)
	x.udev(t)
	if x.again(p) && p.WWID != "" && x.sub.mp != nil {
		x.fact("Path", pathText(x.s.Now, *p), pathNext(*p)...)
		x.settings(t)
	}
	x.changes(t)
}

// again compares with what the daemon decided; false: as things are, the device is
// no path.
func (x *explainer) again(p *mpath.PathView) bool {
	was, is := p.Decision, x.e.Verdict
	if was.Verdict.String() != is {
		x.note("so it is decided now; what was decided when the device was last looked at: " + was.Verdict.String() + ", " + was.Reason)
	}
	return is == policy.VerdictAdmit.String() || p.WWID != ""
}

// decide asks policy again, and writes the verdict and how it came to it.
func (x *explainer) decide(t policy.Target) {
	e := x.e
	d := x.rules.Decide(t.Identity, t.Facts, t.State)
	e.Verdict, e.Claim, e.Origin = d.Verdict.String(), d.Claim.String(), d.Origin.String()
	if d.Origin == (policy.Origin{}) {
		e.Origin = ""
	}
	e.Answer = x.answer(d)
	for i, step := range d.Trace {
		out := Step{Step: step.Step, Text: step.Text, Origin: step.Origin.String(), Decided: step.Decided}
		switch {
		case step.Step == "settings":
			if text, ok := strings.CutPrefix(step.Text, "warning: "); ok {
				out.Step, out.Text = "warning", text
				e.Warnings = append(e.Warnings, out)
			}
			continue
		case i == 0 && step.Step == "identity" && t.Identity.WWID != "":
			out.Text += ", " + idSource(t.Identity.IDs)
		}
		if step.Step == "claim" && !step.Decided && !strings.Contains(step.Text, ": ") {
			continue // the answer says so
		}
		e.Steps = append(e.Steps, out)
	}
	if t.Facts.MemberOf != "" && d.Verdict == policy.VerdictAdmit {
		free := t
		free.Facts.MemberOf, free.Facts.MapExists = "", false
		d := x.rules.Decide(free.Identity, free.Facts, free.State)
		e.Steps = append(e.Steps, Step{Step: "claim", Text: "were it in no map: " + d.Verdict.String() + ": " + d.Reason, Origin: d.Origin.String()})
	}
	x.modes(t)
}

// answer is the one sentence that was asked for.
func (x *explainer) answer(d policy.Decision) string {
	who := x.e.Name
	if x.e.Kind == "wwid" {
		who = "a device with this WWID"
	}
	switch {
	case d.Verdict == policy.VerdictAdmit && x.sub.mp != nil && !x.sub.mp.Known:
		state := "is not made yet"
		if x.sub.mp.LastError != "" {
			state = "could not be made: " + x.sub.mp.LastError
		}
		return who + " is to be a path of " + mapLabel(x.sub.mp) + " (" + d.Reason + "), which " + state
	case d.Verdict == policy.VerdictAdmit && x.sub.mp != nil:
		return who + " is a path of " + mapLabel(x.sub.mp) + ": " + d.Reason
	case d.Verdict == policy.VerdictAdmit && x.e.Kind == "wwid":
		return who + " would be a path: " + d.Reason
	case d.Verdict == policy.VerdictAdmit:
		return who + " is a path: " + d.Reason
	case d.Verdict == policy.VerdictMaybe:
		return who + " is waited for: " + d.Reason
	case d.Verdict == policy.VerdictUnknown:
		return "it cannot be said what " + who + " is: " + d.Reason
	case x.e.Kind == "wwid":
		return who + " would be left alone: " + d.Reason
	default:
		return who + " is left alone: " + d.Reason
	}
}

func mapLabel(m *mpath.MapView) string {
	if m.Name == "" || m.Name == m.WWID {
		return m.WWID
	}
	return m.Name + " (" + m.WWID + ")"
}

// idSource says where a canonical id comes from: its first character is the kind
// of the designator (multipath-tools' and scsi_id's convention).
func idSource(ids []scsi.ID) string {
	if len(ids) == 0 {
		return "from an unknown source"
	}
	if ids[0].Kind == scsi.IDScsiID && strings.HasPrefix(ids[0].Value, "S") {
		return "from the serial number in page 0x80, since page 0x83 gives no id"
	}
	kind := map[byte]string{'3': "an NAA", '2': "an EUI-64", '1': "a T10 vendor", '8': "a SCSI name", '0': "a vendor specific"}[ids[0].Value[0]]
	if kind == "" {
		return "from page 0x83"
	}
	return "from " + kind + " designator in page 0x83"
}

// modes asks each mode of find_multipaths. Where all of them come to the same the
// mode does not matter, and is not spoken of.
func (x *explainer) modes(t policy.Target) {
	now := x.rules.Decide(t.Identity, t.Facts, t.State).Settings.FindMultipaths.V
	differ := false
	var out []Mode
	for _, mode := range []string{"off", "on", "strict", "greedy", "smart"} {
		d := decideWith(x.b.Config, t, setDefault("find_multipaths", mode))
		m := Mode{Mode: mode, Verdict: d.Verdict.String(), Claim: d.Claim.String(), Reason: d.Reason, Now: mode == now}
		second := t
		secondPath(nil, &second)
		if d.Verdict != policy.VerdictAdmit && t.Facts.OtherPaths == 0 {
			m.SecondPath = decideWith(x.b.Config, second, setDefault("find_multipaths", mode)).Verdict == policy.VerdictAdmit
		}
		out = append(out, m)
		differ = differ || out[0].Verdict != d.Verdict.String()
	}
	if differ {
		x.e.Modes = out
	}
}

// udev says where the udev hook comes to another end than the daemon: it leaves a
// LUN alone whose map could not be made, and what it told the system before.
func (x *explainer) udev(t policy.Target) {
	failed := ""
	for _, id := range t.Identity.IDs {
		if slices.Contains(x.b.Failed, id.Value) {
			failed = id.Value
		}
	}
	if failed == "" {
		return
	}
	f := t.Facts
	f.Failed = true
	d := x.rules.Decide(t.Identity, f, t.State)
	x.e.Claim = d.Claim.String()
	x.note("udev is told " + d.Claim.String() + ": " + d.Reason + ". The mark /run/multipath/failed_wwids/" + failed +
		" goes as soon as the daemon can make the map; its log says why it could not")
}

// lun explains a LUN that devices of this host have and that has no map.
func (x *explainer) lun() {
	first := x.sub.devices[0]
	x.e.Kind, x.e.Name, x.e.WWID = "wwid", x.sub.id, first.Seen.Identity.WWID
	x.compile(x.b.Config)
	t := x.sub.target(x.b)
	x.decide(t)
	x.e.Answer = x.e.Name + " has no map: " + first.Name + " is left alone: " + x.rules.Decide(t.Identity, t.Facts, t.State).Reason
	x.named()
	x.udev(t)
	for _, p := range x.sub.devices {
		x.e.Paths = append(x.e.Paths, Line{p.Name, pathText(x.s.Now, *p)})
	}
	x.changes(t)
}

// nobody explains an id that no device of this host bears.
func (x *explainer) nobody() {
	x.e.Kind, x.e.Name = "wwid", x.sub.id
	x.compile(WithoutDevices(x.b.Config))
	t := x.sub.target(x.b)
	x.decide(t)
	x.e.Steps = slices.DeleteFunc(x.e.Steps, func(s Step) bool { return s.Step == "identity" })
	x.e.Answer = "no device here has the WWID " + x.sub.id + "; " + x.e.Answer
	x.named()
	name := x.rules.Name(policy.NameRequest{
		Identity: t.Identity, Settings: x.rules.Decide(t.Identity, t.Facts, t.State).Settings, State: t.State, DMNames: x.b.Names, ReadOnly: x.b.ReadOnly,
	})
	x.fact("Name", "its map would be called "+name.Name+": "+withOrigin(name.Reason, name.Origin))
	x.note("decided without its vendor, product and udev properties: rules for those are not looked at; as if its disk were called " + imaginedNode)
	x.changes(t)
}

// named tells which lines of files know the LUN.
func (x *explainer) named() {
	var lines []string
	for _, n := range x.sub.named {
		lines = append(lines, withOrigin(n.Text, n.Origin))
	}
	if len(lines) == 0 {
		x.fact("In files", "none names it: multipaths section, bindings, wwids")
		return
	}
	x.fact("In files", lines[0], lines[1:]...)
}

// withOrigin adds where a text comes from.
func withOrigin(text string, o policy.Origin) string {
	if o == (policy.Origin{}) {
		return text
	}
	return text + " (" + o.String() + ")"
}

// settings are the effective ones that do not stand at their built-in default, or
// that beat something.
func (x *explainer) settings(t policy.Target) {
	for _, v := range x.rules.Effective(t) {
		always := v.Keyword == "retain_attached_hw_handler" && len(v.Beat) == 0 // of every device of every kernel
		if !always && (v.Place != policy.PlaceBuiltIn || len(v.Beat) > 0) {
			x.e.effective = append(x.e.effective, v)
		}
	}
	x.e.Settings = show.EffectiveDoc(x.e.effective)
	x.e.matches = x.rules.Matches(t.Identity)
	x.e.Matches = show.DeviceEntries(x.e.matches)
}

func usable(p mpath.PathView) bool {
	return (p.State == pathcheck.StateUp || p.State == pathcheck.StateGhost) && p.Stranger == "" && !p.KernelFailed
}
