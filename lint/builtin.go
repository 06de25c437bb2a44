package lint

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

func builtinRules() []Rule {
	return []Rule{
		{
			ID: "default-repeated", Severity: Hint, Summary: "defaults that say what would be so anyway",
			Why: "A line that repeats the built-in default hides the lines that matter, and freezes the value when a later release knows a better one.",
			Fix: "Leave the lines out.", check: defaultRepeated,
		},
		{
			ID: "builtin-repeated", Severity: Hint, Summary: "a device entry that repeats the built-in one",
			Why: "The hardware table has the array already. A copy is right today and stays behind when the table is corrected: most entries of this kind are years old.",
			Fix: "Leave out the settings that are equal, or the whole entry.", check: builtinRepeated,
		},
		{
			ID: "builtin-overruled", Severity: Warning, Summary: "a device entry that contradicts the built-in one",
			Why: "Grouping, prioritizer and checker in the hardware table come from the array's maker. An entry from an old guide stands behind the table and wins: the wrong controller gets " +
				"the I/O, or a healthy path counts as dead.",
			Fix: "Leave these lines out, unless the maker's current guide asks for them.", check: builtinOverruled,
		},
		{
			ID: "blob-from-old-guide", Severity: Hint, Summary: "the file was written for multipath-tools of before 2012",
			Why: "Keywords of that time are translated, and what they meant then is not always right now: default_*, prio_callout, getuid_callout. Lines of the bindings file then also count as " +
				"the administrator's word that a disk is to be multipathed.",
			Fix: "Start from an empty file and add back what is really meant: usually names, owners and no_path_retry.", check: func(r *run) {
				if old := r.config.OldKeywords; len(old) > 1 {
					var words []string
					for _, s := range old {
						if !slices.Contains(words, s.Keyword) {
							words = append(words, s.Keyword)
						}
					}
					r.report(old[0].Origin, "written for a version of before 2012: "+list(words))
				}
			},
		},
		{
			ID: "retain-no-effect", Severity: Warning, Summary: "retain_attached_hw_handler no",
			Why: "Since Linux 4.3 the attached handler is always kept. Who sets it to no to get rid of a handler does not.",
			Fix: "Leave the line out.", check: func(r *run) {
				r.eachWritten(func(s policy.Setting) {
					if s.Keyword == "retain_attached_hw_handler" && s.Value == "no" {
						r.report(s.Origin, "retain_attached_hw_handler no has no effect since Linux 4.3")
					}
				})
			},
		},
	}
}

// defaultRepeated tells all of one file in one finding: a dump that became a
// configuration has a hundred of them.
func defaultRepeated(r *run) {
	defaults := map[string]string{}
	for _, k := range policy.Keywords() {
		if k.Sections&policy.SectionDefaults != 0 && k.Default != "" {
			defaults[k.Name] = k.Default
		}
	}
	var files []string
	at := map[string]policy.Origin{}
	words := map[string][]string{}
	for _, s := range r.config.Defaults {
		if d, ok := defaults[s.Keyword]; !ok || d != s.Value {
			continue
		}
		if _, ok := at[s.Origin.File]; !ok {
			files, at[s.Origin.File] = append(files, s.Origin.File), s.Origin
		}
		words[s.Origin.File] = append(words[s.Origin.File], s.Keyword)
	}
	for _, f := range files {
		r.report(at[f], "what the built-in defaults are anyway: "+strings.Join(words[f], " "))
	}
}

// technical are the settings that follow from how an array is built.
func technical(keyword string) bool {
	return slices.Contains([]string{"path_grouping_policy", "prio", "path_checker"}, keyword)
}

// builtinRepeated tells each entry; of a file that is a copy of the table only how
// many there are.
func builtinRepeated(r *run) {
	const most = 5
	told := map[string]int{}
	var repeats []scope
	var texts []string
	for _, s := range r.scopes {
		if text := r.repetition(s); text != "" {
			repeats, texts = append(repeats, s), append(texts, text)
			told[s.origin.File]++
		}
	}
	for i, s := range repeats {
		switch n := told[s.origin.File]; {
		case n <= most:
			if n > 0 {
				r.report(s.origin, texts[i])
			}
		default:
			r.report(s.origin, fmt.Sprintf("%d device entries of this file repeat the built-in ones, from %s on", n, s.name))
			told[s.origin.File] = -1
		}
	}
}

// repetition says what of an entry the built-in one has already, "" nothing.
func (r *run) repetition(s scope) string {
	if s.kind != scopeDevice || len(s.rows) == 0 {
		return ""
	}
	var same []string
	written := 0
	for _, v := range s.own {
		if v.Origin.File == "" {
			continue
		}
		written++
		if theirs, ok := layered(s.rows, v.Keyword); ok && theirs.Value == v.Value {
			same = append(same, v.Keyword)
		}
	}
	switch {
	case len(same) == 0:
		return ""
	case len(same) == written:
		return s.name + " repeats the built-in entry and says nothing else"
	}
	return s.name + " repeats of the built-in entry: " + strings.Join(same, " ")
}

func layered(rows []policy.Device, keyword string) (policy.Setting, bool) {
	for _, row := range rows {
		if s, ok := row.Layer.Lookup(keyword); ok {
			return s, true
		}
	}
	return policy.Setting{}, false
}

func builtinOverruled(r *run) {
	for _, s := range r.scopes {
		if s.kind != scopeDevice {
			continue
		}
		for _, v := range s.own {
			theirs, ok := layered(s.rows, v.Keyword)
			if v.Origin.File == "" || !ok || theirs.Value == v.Value || !technical(v.Keyword) {
				continue
			}
			switch {
			case v.Value == "multibus" && s.alua(), v.Keyword == "path_grouping_policy" && s.alua() && s.detects("detect_pgpolicy"),
				v.Keyword == "prio" && s.alua() && s.detects("detect_prio"), v.Keyword == "path_checker" && s.alua() && s.detects("detect_checker"):
				continue // other rules say more
			case v.Keyword == "prio" && (v.Value == "alua" || v.Value == "sysfs"), v.Value == "tur":
				continue // what detection comes to anyway, or the better of the two
			}
			r.report(v.Origin, fmt.Sprintf("%s %s for %s; the built-in entry has %s", v.Keyword, v.Value, s.name, theirs.Value))
		}
	}
}
