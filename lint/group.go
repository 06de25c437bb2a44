package lint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/policy"
)

func groupRules() []Rule {
	return []Rule{
		{
			ID: "multibus-on-alua", Severity: Warning, Summary: "multibus for an array whose paths are not equal",
			Why: "Half of the paths lead to the controller that does not own the LUN. With multibus every second request goes the slow way, or makes the controllers take the LUN from each " +
				"other. Where the paths report target port groups detect_pgpolicy overrules the line; elsewhere, and in other versions, it counts.",
			Fix: "Leave the line out, or write `path_grouping_policy group_by_prio`.", check: multibusOnALUA,
		},
		{
			ID: "group-by-prio-without-prio", Severity: Warning, Summary: "group_by_prio with a prioritizer that gives all paths one priority",
			Why: "With prio const all paths are equal and form one group: it is multibus under another name, and on an array with two kinds of paths as bad.",
			Fix: "Choose a prioritizer that can tell the paths apart (`prio alua`), or leave detect_prio on.", check: groupWithoutPrio,
		},
		{
			ID: "group-by-tpg-without-alua", Severity: Warning, Summary: "group_by_tpg without prio alua or sysfs",
			Why: "Target port groups are known only through these prioritizers. Without them the map falls back to failover, one path at a time.",
			Fix: "Write `prio alua`, or group_by_prio.", check: func(r *run) {
				for _, s := range r.scopes {
					at, ok := s.written("path_grouping_policy")
					if ok && at.Value == "group_by_tpg" && !slices.Contains([]string{"alua", "sysfs"}, s.prio()) && (s.kind != scopeGeneral || !s.detects("detect_prio")) {
						r.report(at.Origin, "group_by_tpg needs prio alua or sysfs, and it is "+s.prio()+": failover is used")
					}
				}
			},
		},
		{
			ID: "failback-followover", Severity: Warning, Summary: "failback followover where no group has a rank",
			Why: "followover goes back when a path of the best group returns, so that the nodes of a cluster do not pull the LUN to and fro. With one group, or groups of one path each, " +
				"there is nothing to follow.",
			Fix: "Use it with group_by_prio on active/passive arrays; elsewhere `immediate` or `manual`.", check: func(r *run) {
				for _, s := range r.scopes {
					at, ok := s.written("failback")
					if g := s.grouping(); ok && at.Value == "followover" && slices.Contains([]string{"multibus", "failover", "group_by_serial"}, g) && (s.kind != scopeGeneral || len(s.config("path_grouping_policy")) > 0) {
						r.report(at.Origin, "failback followover needs groups by priority; path_grouping_policy is "+g)
					}
				}
			},
		},
		{
			ID: "failback-one-group", Severity: Hint, Summary: "failback with multibus has nothing to go back to",
			Why: "multibus has one group: there is no other one to come back from. The line is harmless and tells the reader something that is not so.",
			Fix: "Leave failback out, or check whether multibus is meant.", check: func(r *run) {
				r.eachLayer(func(l policy.Layer) {
					back, ok := l.Lookup("failback")
					group, found := l.Lookup("path_grouping_policy")
					if ok && found && group.Value == "multibus" && back.Value != "manual" && back.Value != "followover" {
						r.report(back.Origin, "failback "+back.Value+" has no effect with multibus: there is one group", here(group))
					}
				})
			},
		},
		{
			ID: "failover-policy-for-all", Severity: Hint, Summary: "path_grouping_policy failover as the general rule",
			Why: "In overrides it outranks the array's own entry: one path carries everything and the others idle, except where detect_pgpolicy finds target port groups. Half of the bandwidth that was paid for is unused.",
			Fix: "Leave the line out: what no entry says is failover anyway.", check: func(r *run) {
				if s, ok := r.config.Overrides.Lookup("path_grouping_policy"); ok && s.Value == "failover" {
					r.report(s.Origin, "path_grouping_policy failover in overrides: every array is used one path at a time")
				}
			},
		},
		{
			ID: "rr-weight-ignored", Severity: Warning, Summary: "rr_weight priorities has no effect",
			Why: "It multiplies the number of requests per path by its priority. Since Linux 4.6 every selector uses 1 there whatever it is given; before that only round-robin looked at it.",
			Fix: "Leave rr_weight out; group_by_prio is what makes better paths preferred.", check: func(r *run) {
				for _, s := range r.scopes {
					at, ok := s.written("rr_weight")
					if ok && at.Value == "priorities" {
						selector, _, _ := strings.Cut(s.value("path_selector", "service-time 0"), " ")
						text := "rr_weight priorities has no effect: Linux 4.6 and later send one request per path in turn"
						if selector != "round-robin" {
							text = "rr_weight priorities has no effect: the selector " + selector + " does not count requests"
						}
						r.report(at.Origin, text)
					}
				}
			},
		},
		{
			ID: "min-io-ignored", Severity: Hint, Summary: "rr_min_io_rq above 1 has no effect",
			Why: "Since Linux 4.6 the kernel's selectors use 1 whatever they are given, and say so in the kernel log at each table load.",
			Fix: "Leave rr_min_io_rq out.", check: func(r *run) {
				r.eachWritten(func(s policy.Setting) {
					if n, err := strconv.Atoi(s.Value); s.Keyword == "rr_min_io_rq" && err == nil && n > 1 {
						r.report(s.Origin, fmt.Sprintf("rr_min_io_rq %d: Linux 4.6 and later use 1", n))
					}
				})
			},
		},
		{
			ID: "overrides-hide", Severity: Warning, Summary: "overrides hides what a device entry says",
			Why: "overrides stands above the devices section: the entry's own line never counts. Who edits the entry later sees no change and looks for the reason elsewhere.",
			Fix: "Say it in one place: take the line out of overrides, or out of the device entry.", check: overridesHide,
		},
		{
			ID: "overrides-arrays", Severity: Warning, Summary: "overrides flattens what differs from array to array",
			Why: "Grouping, prioritizer and checker belong to the kind of array. In overrides they hold for every one of them, also for the next that is bought.",
			Fix: "Move the line into a device entry of that array; defaults is the place for what no entry says.", check: func(r *run) {
				for _, keyword := range []string{"path_grouping_policy", "prio", "path_checker"} {
					if s, ok := r.config.Overrides.Lookup(keyword); ok && !(keyword == "path_grouping_policy" && s.Value == "failover") {
						r.report(s.Origin, fmt.Sprintf("%s %s in overrides holds for every array, against what the hardware table knows", s.Keyword, s.Value))
					}
				}
			},
		},
	}
}

// config gives the settings of a keyword that stand in files, most significant
// first.
func (s scope) config(keyword string) []policy.Setting {
	var out []policy.Setting
	for _, l := range s.layers {
		if v, ok := l.Lookup(keyword); ok && v.Origin.File != "" {
			out = append(out, v)
		}
	}
	return out
}

func multibusOnALUA(r *run) {
	for _, s := range r.scopes {
		at, ok := s.written("path_grouping_policy")
		if !ok || at.Value != "multibus" || !s.alua() {
			continue
		}
		text := "multibus for " + s.name + ", whose paths are of two kinds"
		switch {
		case s.grouping() != "multibus" && s.tpgs:
			text += ": they report target port groups, so detect_pgpolicy chooses " + s.grouping() + " and the line does not count"
		case s.grouping() != "multibus":
			text += ": where they report target port groups detect_pgpolicy chooses " + s.grouping() + ", elsewhere the slow ones are used like the fast"
		default:
			text += ": every second request takes the slow way"
		}
		r.report(at.Origin, text)
	}
}

func groupWithoutPrio(r *run) {
	for _, s := range r.scopes {
		group, ok := s.written("path_grouping_policy")
		if !ok || group.Value != "group_by_prio" || s.prio() != "const" || s.alua() && s.detects("detect_prio") {
			continue
		}
		prio, explicit := s.written("prio")
		switch {
		case explicit && prio.Value == "const" && s.sameLayer(group, prio):
			r.report(group.Origin, "group_by_prio with prio const: all paths have one priority and form one group, where detect_prio finds nothing better", here(prio))
		case !s.detects("detect_prio"):
			r.report(group.Origin, "group_by_prio without a prio, and detect_prio is no: all paths form one group")
		}
	}
}

// overridesHide tells all entries in one finding, and passes over those that only
// repeat the built-in table: a dump that became a configuration has them all.
func overridesHide(r *run) {
	for _, above := range r.config.Overrides {
		var hidden []string
		var related []Related
		for _, s := range r.scopes {
			v, ok := s.own.Lookup(above.Keyword)
			theirs, repeats := layered(s.rows, above.Keyword)
			if s.kind != scopeDevice || !ok || v.Origin.File == "" || v.Value == above.Value || repeats && theirs.Value == v.Value {
				continue
			}
			hidden = append(hidden, fmt.Sprintf("%s of %s", v.Value, s.name))
			related = append(related, here(v))
		}
		if len(hidden) > 0 {
			r.report(above.Origin, fmt.Sprintf("%s %s hides %s", above.Keyword, above.Value, strings.Join(hidden[:min(len(hidden), 4)], ", ")), related[:min(len(related), 4)]...)
		}
	}
}
