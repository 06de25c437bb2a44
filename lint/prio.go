package lint

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/configs"
	"pathkeeper/policy"
)

func prioRules() []Rule {
	return []Rule{
		{
			ID: "detect-overrides-prio", Severity: Warning, Summary: "detect_prio overrules the prio that is written",
			Why: "On a device with target port groups alua is used whatever the file says, unless detect_prio is no. Who changes prio there changes nothing.",
			Fix: "Leave prio out; or write `detect_prio no` beside it if it must count.", check: detectPrio,
		},
		{
			ID: "detect-overrides-checker", Severity: Hint, Summary: "detect_checker overrules the path_checker that is written",
			Why: "On a device with target port groups tur is used whatever the file says, unless detect_checker is no.",
			Fix: "Leave path_checker out; or write `detect_checker no` beside it if it must count.", check: func(r *run) {
				for _, s := range r.scopes {
					at, ok := s.written("path_checker")
					if ok && s.kind != scopeGeneral && s.alua() && s.detects("detect_checker") && at.Value != "tur" && at.Value != "rdac" && slices.Contains(wordsOf("path_checker"), at.Value) {
						r.report(at.Origin, fmt.Sprintf("path_checker %s does not count for %s where it reports target port groups: detect_checker chooses tur", at.Value, s.name))
					}
				}
			},
		},
		{
			ID: "detect-overrides-grouping", Severity: Hint, Summary: "detect_pgpolicy overrules the path_grouping_policy that is written",
			Why: "Where every path uses alua the paths are grouped by priority whatever the file says, unless detect_pgpolicy is no.",
			Fix: "Leave path_grouping_policy out; or write `detect_pgpolicy no` beside it if it must count.", check: func(r *run) {
				for _, s := range r.scopes {
					at, ok := s.written("path_grouping_policy")
					if ok && s.kind != scopeGeneral && s.alua() && at.Value != "multibus" && at.Value != s.grouping() {
						r.report(at.Origin, fmt.Sprintf("path_grouping_policy %s does not count for %s where it reports target port groups: detect_pgpolicy chooses %s", at.Value, s.name, s.grouping()))
					}
				}
			},
		},
		{
			ID: "detect-off", Severity: Warning, Summary: "detect_prio no without a prio",
			Why: "All paths get one priority then, and on an array with slow and fast paths nobody prefers the fast ones.",
			Fix: "Leave detect_prio on, or write the prio that is meant.", check: func(r *run) {
				for _, s := range r.scopes {
					at, ok := s.written("detect_prio")
					if _, found := s.get("prio"); ok && at.Value == "no" && !found {
						r.report(at.Origin, "detect_prio no, and no prio: every path has the same priority")
					}
				}
			},
		},
		{
			ID: "prio-needs-args", Severity: Warning, Summary: "a prioritizer without the arguments it lives on",
			Why: "Without them it gives every path the same priority, or none: the map looks grouped and is not.",
			Fix: "Give prio_args, in the same section as prio.", check: prioArgs,
		},
		{
			ID: "prio-args-ignored", Severity: Warning, Summary: "prio_args for a prioritizer that takes none",
			Why: "They are passed over. Often they are left from another prioritizer, and the paths are no longer weighed as the line says.",
			Fix: "Leave prio_args out.", check: prioArgsIgnored,
		},
		{
			ID: "prio-args-elsewhere", Severity: Warning, Summary: "prio_args without a prio in the same section",
			Why: "prio and its arguments are taken from one section together. Arguments alone never count.",
			Fix: "Write prio beside prio_args.", check: func(r *run) {
				alone := func(l policy.Layer) {
					args, ok := l.Lookup("prio_args")
					if _, found := l.Lookup("prio"); ok && !found && args.Value != "" {
						r.report(args.Origin, fmt.Sprintf("prio_args %q without a prio in the same section does not count", args.Value))
					}
				}
				alone(r.config.Defaults)
				alone(r.config.Overrides)
				for _, s := range r.scopes {
					// In the hardware table prio may come from the entry below.
					if _, below := layered(s.rows, "prio"); !below {
						alone(s.own)
					}
				}
			},
		},
		{
			ID: "not-supported", Severity: Warning, Summary: "a checker or prioritizer that Pathkeeper replaces",
			Why: "The word is right, and multipath-tools has it; here const or tur takes its place, with a warning. The paths are then not weighed as the file says.",
			Fix: "Use prio alua or weightedpath, checker tur; docs/differences.md has the list.", check: func(r *run) {
				r.eachWritten(func(s policy.Setting) {
					if s.Keyword != "prio" && s.Keyword != "path_checker" {
						return
					}
					known := slices.Contains(wordsOf(s.Keyword), s.Value)
					if here := policy.Supports(s.Keyword, s.Value); known && !here {
						r.report(s.Origin, fmt.Sprintf("%s %s is not built in: %s is used instead", s.Keyword, s.Value, map[string]string{"prio": "const (alua where the device reports target port groups)", "path_checker": "tur"}[s.Keyword]))
					}
				})
			},
		},
		{
			ID: "array-specific-for-all", Severity: Warning, Summary: "a checker or prioritizer of one array family for all disks",
			Why: "It asks every disk for a page that only one family has. On the others the paths get no priority, or count as down.",
			Fix: "Move it into a device entry of that array; the hardware table usually has it already.", check: arraySpecific,
		},
		{
			ID: "checker-readsector0", Severity: Hint, Summary: "path_checker readsector0",
			Why: "It reads a sector where TEST UNIT READY would do: a standby path fails the read and counts as down, and a busy array answers it late.",
			Fix: "Use `path_checker tur` or leave the line out.", check: func(r *run) {
				r.eachWritten(func(s policy.Setting) {
					if s.Keyword == "path_checker" && s.Value == "readsector0" {
						r.report(s.Origin, "path_checker readsector0 is of the past: tur asks less and is not fooled by a standby path")
					}
				})
			},
		},
		{
			ID: "checker-none", Severity: Warning, Summary: "path_checker none: nobody asks the path",
			Why: "A path counts as good as long as the kernel shows its device. One that fails its I/O is taken out by the kernel and put back at the next check, and the next request " +
				"fails on it again: every round is a pause for the application, and the log says that all is well.",
			Fix: "Use tur. none is for NVMe alone.", check: func(r *run) {
				r.eachWritten(func(s policy.Setting) {
					if s.Keyword == "path_checker" && s.Value == "none" && !r.inNVMe(s) {
						r.report(s.Origin, "path_checker none: a path that fails is put back unasked, and fails again")
					}
				})
			},
		},
		{
			ID: "feature-unknown", Severity: Warning, Summary: "a feature that the kernel does not know",
			Why: "multipath-tools passes it on, the kernel refuses the table, and there is no map at all; here it is left out with a warning.",
			Fix: "Features are pg_init_retries, pg_init_delay_msecs and queue_mode; correct or remove the word.", check: featureUnknown,
		},
		{
			ID: "handler-unknown", Severity: Warning, Summary: "a hardware handler that does not exist",
			Why: "The table is loaded without one. An array that needs to be told to switch controllers is then never told.",
			Fix: "Handlers are alua, emc, hp_sw and rdac; usually the kernel attaches the right one by itself.", check: handlerUnknown,
		},
		{
			ID: "kernel-lacks", Severity: Warning, Summary: "a selector or handler that this kernel does not offer", Machine: true,
			Why: "service-time or no handler takes its place, with a warning, so that there is a map at all.",
			Fix: "Load the module (dm-queue-length, scsi_dh_rdac, ...), or choose what the kernel has.", check: kernelLacks,
		},
		{
			ID: "handler-mismatch", Severity: Warning, Summary: "a hardware handler that is not the array's",
			Why: "The kernel attaches the handler that fits when it finds the disk, and keeps it; a line that says otherwise has no effect at best. Old guides for the time before ALUA have such lines.",
			Fix: "Leave hardware_handler out.", check: func(r *run) {
				for _, s := range r.scopes {
					at, ok := s.own.Lookup("hardware_handler")
					if words := strings.Fields(at.Value); ok && s.kind == scopeDevice && at.Origin.File != "" && s.alua() && (len(words) < 2 || words[1] != "alua") {
						r.report(at.Origin, fmt.Sprintf("hardware_handler %q for %s, which the kernel runs with alua", at.Value, s.name))
					}
				}
			},
		},
	}
}

// wordsOf gives the words that the table of keywords knows for one.
func wordsOf(keyword string) []string {
	for _, k := range policy.Keywords() {
		if k.Name == keyword {
			return k.Words
		}
	}
	return nil
}

func detectPrio(r *run) {
	for _, s := range r.scopes {
		at, ok := s.written("prio")
		if !ok || s.kind == scopeGeneral || !s.alua() || !s.detects("detect_prio") || at.Value == "alua" || at.Value == "sysfs" {
			continue
		}
		if _, own := s.own.Lookup("prio"); own || s.tpgs {
			r.report(at.Origin, fmt.Sprintf("prio %s does not count for %s where it reports target port groups: detect_prio chooses alua", at.Value, s.name))
		}
	}
}

func prioArgs(r *run) {
	r.eachLayer(func(l policy.Layer) {
		prio, ok := l.Lookup("prio")
		args, _ := l.Lookup("prio_args")
		if ok && slices.Contains([]string{"weightedpath", "iet", "datacore"}, prio.Value) && strings.TrimSpace(args.Value) == "" {
			r.report(prio.Origin, "prio "+prio.Value+" needs prio_args: without them it cannot tell the paths apart")
		}
	})
}

func prioArgsIgnored(r *run) {
	r.eachLayer(func(l policy.Layer) {
		prio, ok := l.Lookup("prio")
		args, found := l.Lookup("prio_args")
		text := strings.TrimSpace(args.Value)
		if !ok || !found || text == "" || slices.Contains([]string{"weightedpath", "iet", "datacore", "path_latency"}, prio.Value) {
			return
		}
		if text == "exclusive_pref_bit" && (prio.Value == "alua" || prio.Value == "sysfs") {
			return
		}
		r.report(args.Origin, fmt.Sprintf("prio %s knows no arguments %q: they are passed over", prio.Value, text), here(prio))
	})
}

func arraySpecific(r *run) {
	of := map[string][]string{"prio": {"emc", "rdac", "hp_sw", "hds", "ontap", "datacore", "iet"}, "path_checker": {"emc_clariion", "rdac", "hp_sw", "cciss_tur"}}
	for _, l := range []policy.Layer{r.config.Defaults, r.config.Overrides} {
		for _, keyword := range []string{"prio", "path_checker"} {
			if s, ok := l.Lookup(keyword); ok && slices.Contains(of[keyword], s.Value) {
				r.report(s.Origin, fmt.Sprintf("%s %s is made for one family of arrays, and here it is for all disks", keyword, s.Value))
			}
		}
	}
}

// inNVMe says whether a setting stands in an entry for NVMe.
func (r *run) inNVMe(s policy.Setting) bool {
	for _, d := range r.config.Devices {
		if x, ok := d.Layer.Lookup(s.Keyword); ok && x.Origin == s.Origin {
			return strings.Contains(strings.ToUpper(d.Vendor), "NVME")
		}
	}
	return false
}

func featureUnknown(r *run) {
	known := []string{"queue_if_no_path", "retain_attached_hw_handler", "pg_init_retries", "pg_init_delay_msecs", "queue_mode"}
	r.eachWritten(func(s policy.Setting) {
		if s.Keyword != "features" {
			return
		}
		words := strings.Fields(s.Value)
		for i := 1; i < len(words); i++ {
			switch {
			case i > 1 && slices.Contains(known[2:], words[i-1]): // its value
			case !slices.Contains(known, words[i]):
				text := fmt.Sprintf("features: the kernel's multipath target does not know %q", words[i])
				if near := configs.Nearest(words[i], known); near != "" {
					text += " (did you mean " + near + "?)"
				}
				r.report(s.Origin, text)
			case slices.Contains(known[2:], words[i]) && i+1 == len(words):
				r.report(s.Origin, "features: "+words[i]+" lacks its value")
			}
		}
	})
}

// handlers gives the device handlers of the kernel.
func handlers() []string { return []string{"alua", "emc", "hp_sw", "rdac"} }

func handlerUnknown(r *run) {
	r.eachWritten(func(s policy.Setting) {
		words := strings.Fields(s.Value)
		if s.Keyword != "hardware_handler" || len(words) < 2 || slices.Contains(handlers(), words[1]) {
			return
		}
		text := fmt.Sprintf("hardware_handler %q is not known", words[1])
		if near := configs.Nearest(words[1], handlers()); near != "" {
			text += " (did you mean " + near + "?)"
		}
		r.report(s.Origin, text)
	})
}

func kernelLacks(r *run) {
	k := r.in.Machine.Kernel
	r.eachWritten(func(s policy.Setting) {
		words := strings.Fields(s.Value)
		switch {
		case s.Keyword == "path_selector" && len(words) > 0 && k.Selectors != nil && slices.Contains(wordsOf("path_selector"), words[0]) && !slices.Contains(k.Selectors, words[0]):
			r.report(s.Origin, fmt.Sprintf("this kernel has no selector %s: service-time is used", words[0]))
		case s.Keyword == "hardware_handler" && len(words) > 1 && k.Handlers != nil && slices.Contains(handlers(), words[1]) && !slices.Contains(k.Handlers, words[1]):
			r.report(s.Origin, fmt.Sprintf("this kernel has no handler %s: none is used", words[1]))
		}
	})
}
