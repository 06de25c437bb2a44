package lint

import (
	"strings"

	"pathkeeper/policy"
)

func pathHealthRules() []Rule {
	return []Rule{
		{
			ID: "san-path-err-half", Severity: Warning, Summary: "san_path_err_* without all three of them",
			Why: "Flaky paths are kept out only when threshold, forget_rate and recovery_time are all set. With two of them nothing happens, and a path that comes and goes every minute stays in use.",
			Fix: "Set all three, or none.", check: func(r *run) { r.half(sanPathErr(), "san_path_err_*") },
		},
		{
			ID: "marginal-half", Severity: Warning, Summary: "marginal_path_* without all four of them",
			Why: "The test of doubtful paths starts only when all four are set. With some of them nothing happens.",
			Fix: "Set double_failed_time, sample_time (120 or more), rate_threshold and recheck_gap_time, or none.", check: func(r *run) { r.half(marginalPath(), "marginal_path_*") },
		},
		{
			ID: "marginal-with-san", Severity: Warning, Summary: "two detectors of flaky paths at once",
			Why: "marginal_path_* switches san_path_err_* off: only one of the two can judge a path. Who reads the file cannot know which threshold counted.",
			Fix: "Keep marginal_path_*, or san_path_err_*.", check: func(r *run) {
				r.both(marginalPath(), sanPathErr(), "marginal_path_* is set too, and san_path_err_* does not count")
			},
		},
		{
			ID: "delay-with-others", Severity: Warning, Summary: "delay_*_checks together with a newer detector",
			Why: "delay_watch_checks and delay_wait_checks are translated into san_path_err_*. Beside those, or beside marginal_path_*, they do not count.",
			Fix: "Remove the delay_* lines.", check: func(r *run) {
				newer := append(sanPathErr(), marginalPath()...)
				r.both(newer, delayChecks(), "san_path_err_* or marginal_path_* is set too, and delay_*_checks does not count")
			},
		},
		{
			ID: "delay-old-form", Severity: Warning, Summary: "delay_watch_checks and delay_wait_checks are of the past",
			Why: "They are kept for old files and translated into san_path_err_*, which counts differently: one error is enough to keep a path out.",
			Fix: "Write san_path_err_threshold, san_path_err_forget_rate and san_path_err_recovery_time.", check: func(r *run) {
				for _, s := range r.scopes {
					for _, k := range delayChecks() {
						v, ok := s.written(k)
						if ok && v.Value != "no" && !s.anySet(sanPathErr()) && !s.anySet(marginalPath()) {
							r.report(v.Origin, k+" is the old form of san_path_err_*")
						}
					}
				}
			},
		},
		{
			ID: "marginal-groups-alone", Severity: Warning, Summary: "marginal_pathgroups without anything that finds marginal paths",
			Why: "It says what to do with a path that is marginal; without marginal_path_* or san_path_err_* no path ever is.",
			Fix: "Set the four marginal_path_* keywords, or leave the line out.", check: func(r *run) {
				s, ok := r.config.Defaults.Lookup("marginal_pathgroups")
				if !ok || s.Value == "off" {
					return
				}
				for _, x := range r.scopes {
					if x.anySet(sanPathErr()) || x.anySet(marginalPath()) || x.anySet(delayChecks()) {
						return
					}
				}
				r.report(s.Origin, "marginal_pathgroups "+s.Value+", and nothing finds marginal paths")
			},
		},
	}
}

func sanPathErr() []string {
	return []string{"san_path_err_threshold", "san_path_err_forget_rate", "san_path_err_recovery_time"}
}

func marginalPath() []string {
	return []string{"marginal_path_double_failed_time", "marginal_path_err_sample_time", "marginal_path_err_rate_threshold", "marginal_path_err_recheck_gap_time"}
}

func delayChecks() []string { return []string{"delay_watch_checks", "delay_wait_checks"} }

// set gives those of the keywords that are switched on, and those that are not.
func (s scope) set(keywords []string) (on []policy.Setting, missing []string) {
	for _, k := range keywords {
		if v, ok := s.get(k); ok && v.Value != "no" {
			on = append(on, v)
		} else {
			missing = append(missing, k)
		}
	}
	return on, missing
}

func (s scope) anySet(keywords []string) bool {
	on, _ := s.set(keywords)
	return len(on) > 0
}

// half reports where some of the keywords are set and some are not.
func (r *run) half(keywords []string, name string) {
	for _, s := range r.scopes {
		if on, missing := s.set(keywords); len(on) > 0 && len(missing) > 0 {
			r.report(on[0].Origin, name+" has no effect: "+strings.Join(missing, ", ")+" missing")
		}
	}
}

// both reports the first of the losers where one of the winners is set too.
func (r *run) both(winners, losers []string, text string) {
	for _, s := range r.scopes {
		won, _ := s.set(winners)
		lost, _ := s.set(losers)
		if len(won) > 0 && len(lost) > 0 {
			r.report(lost[0].Origin, text, here(won[0]))
		}
	}
}
