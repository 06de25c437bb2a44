package why

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

// What would change an outcome is found by trying: each candidate is made on a copy
// of the configuration and of the facts, and decided again. Only what really leads
// to another verdict is told.

// trial is one change that could be made.
type trial struct {
	do    string
	apply func(cfg *policy.Config, t *policy.Target)
}

// mostChanges bounds what is told, mostTogether how many changes are tried at once.
const (
	mostChanges  = 6
	mostTogether = 4
)

// decideWith decides on a configuration and facts with changes made to them.
func decideWith(cfg policy.Config, t policy.Target, changes ...trial) policy.Decision {
	for _, c := range changes {
		c.apply(&cfg, &t)
	}
	rules, _ := policy.Compile(cfg)
	return rules.Decide(t.Identity, t.Facts, t.State)
}

// changes finds what would make a path of a device that is none, and what would
// have a path left alone.
func (x *explainer) changes(t policy.Target) {
	cfg := x.rules.Config()
	was := decideWith(cfg, t)
	want := policy.VerdictAdmit
	candidates := admitTrials(cfg, t, was)
	if was.Verdict == policy.VerdictAdmit {
		want, candidates = policy.VerdictReject, rejectTrials(cfg, t, was)
	}
	for _, c := range candidates {
		if d := decideWith(cfg, t, c); d.Verdict == want && len(x.e.Changes) < mostChanges {
			x.e.Changes = append(x.e.Changes, Change{Do: []string{c.do}, Then: d.Reason})
		}
	}
	if len(x.e.Changes) == 0 && want == policy.VerdictAdmit {
		x.together(cfg, t, was)
	}
}

// together looks for several changes that help only as a whole: each step takes
// the first candidate that brings another reason.
func (x *explainer) together(cfg policy.Config, t policy.Target, was policy.Decision) {
	var done []trial
	for range mostTogether {
		now := cfg
		target := t
		for _, c := range done {
			c.apply(&now, &target)
		}
		found := false
		for _, c := range admitTrials(now, target, was) {
			d := decideWith(now, target, c)
			if d.Verdict == policy.VerdictAdmit || d.Reason != was.Reason && !slices.ContainsFunc(done, func(o trial) bool { return o.do == c.do }) {
				done, was, found = append(done, c), d, true
				break
			}
		}
		if !found {
			return
		}
		if was.Verdict == policy.VerdictAdmit {
			change := Change{Then: was.Reason}
			for _, c := range done {
				change.Do = append(change.Do, c.do)
			}
			x.e.Changes = append(x.e.Changes, change)
			return
		}
	}
}

// admitTrials are the changes that could make the device a path, the ones that an
// administrator would think of first before the others.
func admitTrials(cfg policy.Config, t policy.Target, was policy.Decision) []trial {
	var out []trial
	if t.Facts.InUse != "" {
		out = append(out, trial{"end that use of the disk: " + t.Facts.InUse, func(_ *policy.Config, t *policy.Target) { t.Facts.InUse = "" }})
	}
	if t.Facts.USB {
		out = append(out, setDefault("allow_usb_devices", "yes"))
	}
	out = append(out, removals(cfg, was)...)
	out = append(out, exceptions(t)...)
	if t.Identity.WWID == "" {
		return out // no line names a device that does not say who it is
	}
	mode := was.Settings.FindMultipaths.V
	if t.Facts.OtherPaths == 0 {
		out = append(out, trial{"a second path to the LUN appears (find_multipaths is " + mode + ")", secondPath})
	}
	out = append(out, nameLUN(cfg, t.Identity.WWID), trial{
		"list it in /etc/multipath/wwids, as the line /" + t.Identity.WWID + "/",
		func(_ *policy.Config, t *policy.Target) { t.Facts.InWWIDs = true },
	})
	for _, m := range []string{"on", "smart"} {
		if m != mode && t.Facts.OtherPaths == 0 {
			set := setDefault("find_multipaths", m)
			out = append(out, trial{set.do + ", and a second path to the LUN appears", func(c *policy.Config, t *policy.Target) {
				set.apply(c, t)
				secondPath(c, t)
			}})
		} else if m != mode {
			out = append(out, setDefault("find_multipaths", m))
		}
	}
	return append(out, setDefault("find_multipaths", "greedy"))
}

func secondPath(_ *policy.Config, t *policy.Target) { t.Facts.OtherPaths++ }

// nameLUN gives a LUN an entry of its own, in the form that the files have.
func nameLUN(cfg policy.Config, wwid string) trial {
	text := `name it: multipaths { multipath { wwid "` + wwid + `" } }`
	if len(cfg.Files) > 0 && strings.HasSuffix(cfg.Files[0], ".yaml") {
		text = `name it below multipaths: - wwid: "` + wwid + `"`
	}
	return trial{
		text,
		func(c *policy.Config, _ *policy.Target) {
			c.Multipaths = append(slices.Clone(c.Multipaths), policy.Multipath{WWID: wwid, Origin: tried()})
		},
	}
}

// tried is where a line stands that is only tried.
func tried() policy.Origin { return policy.Origin{Note: "the new line"} }

// setDefault sets a keyword of defaults.
func setDefault(keyword, value string) trial {
	return trial{
		fmt.Sprintf("set %s %s in defaults", keyword, value),
		func(c *policy.Config, _ *policy.Target) {
			c.Defaults = append(slices.Clone(c.Defaults), policy.Setting{Keyword: keyword, Value: value, Origin: tried()})
		},
	}
}

// removals take out the lines that the decision came from: blacklist rules, and
// entries that name another LUN.
func removals(cfg policy.Config, was policy.Decision) []trial {
	var out []trial
	for _, step := range was.Trace {
		for _, r := range cfg.Blacklist {
			if r.Origin.File == "" || r.Origin != step.Origin || step.Step != "blacklist" {
				continue
			}
			out = append(out, trial{
				fmt.Sprintf("remove %s (%s)", lineOf(r.Origin), ruleText(r)),
				func(c *policy.Config, _ *policy.Target) {
					c.Blacklist = slices.DeleteFunc(slices.Clone(c.Blacklist), func(o policy.Rule) bool { return o == r })
				},
			})
		}
	}
	return out
}

func lineOf(o policy.Origin) string { return fmt.Sprintf("line %d of %s", o.Line, o.File) }

func ruleText(r policy.Rule) string {
	if r.Class == policy.ClassDevice {
		return fmt.Sprintf("device { vendor %q product %q }", r.Pattern, r.Product)
	}
	return fmt.Sprintf("%s %q", r.Class, r.Pattern)
}

// exceptions are lines of blacklist_exceptions that hit the device and as little
// else as possible.
func exceptions(t policy.Target) []trial {
	var rules []policy.Rule
	add := func(class policy.RuleClass, pattern, product string) {
		if pattern != "" {
			rules = append(rules, policy.Rule{Class: class, Pattern: pattern, Product: product, Origin: tried()})
		}
	}
	add(policy.ClassWWID, exactly(t.Identity.WWID), "")
	add(policy.ClassDevnode, exactly(t.Facts.Devnode), "")
	if t.Identity.Vendor != "" && t.Identity.Model != "" {
		add(policy.ClassDevice, exactly(t.Identity.Vendor), exactly(t.Identity.Model))
	}
	for _, name := range []string{"ID_WWN", "ID_SERIAL", "ID_SERIAL_SHORT"} {
		if slices.Contains(t.Facts.Properties, name) {
			add(policy.ClassProperty, exactly(name), "")
		}
	}
	add(policy.ClassProtocol, exactly(t.Facts.Protocol), "")
	var out []trial
	for _, r := range rules {
		out = append(out, trial{
			"add to blacklist_exceptions: " + ruleText(r),
			func(c *policy.Config, _ *policy.Target) {
				c.Exceptions = append(slices.Clone(c.Exceptions), r)
			},
		})
	}
	return out
}

// exactly is the expression that only this text fits.
func exactly(text string) string {
	if text == "" {
		return ""
	}
	var b strings.Builder
	b.WriteByte('^')
	for _, c := range []byte(text) {
		if strings.IndexByte(`\^$.[]|()*+?{}`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String() + "$"
}

// rejectTrials are what would have a path left alone.
func rejectTrials(cfg policy.Config, t policy.Target, was policy.Decision) []trial {
	var out []trial
	for i, m := range cfg.Multipaths {
		if m.Origin == was.Origin && m.Origin.File != "" {
			out = append(out, trial{
				"remove the multipaths entry at " + lineOf(m.Origin),
				func(c *policy.Config, _ *policy.Target) {
					c.Multipaths = slices.Delete(slices.Clone(c.Multipaths), i, i+1)
				},
			})
		}
	}
	if id := t.Identity.WWID; id != "" {
		r := policy.Rule{Class: policy.ClassWWID, Pattern: exactly(id), Origin: tried()}
		out = append(out, trial{
			"add to blacklist: " + ruleText(r),
			func(c *policy.Config, _ *policy.Target) { c.Blacklist = append(slices.Clone(c.Blacklist), r) },
		})
	}
	return out
}
