package why

import (
	"fmt"
	"strings"

	"pathkeeper/policy"
	"pathkeeper/show"
)

// Text prints an explanation for a person: the answer first, then how it came to
// that, then what would change it.
func (e Explanation) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(show.Safe(fmt.Sprintf(format, args...)) + "\n") }
	line("%s", e.Answer)
	if e.Origin != "" && e.Kind != "map" {
		line("  decided by %s", e.Origin)
	}
	if e.Kind != "map" && e.Claim != "" {
		line("  udev is told: %s", claimWords(e.Claim))
	}
	for _, n := range e.Notes {
		line("  note: %s", n)
	}
	for _, f := range e.Facts {
		line("%-9s %s", f.What, f.Text)
		for _, l := range f.Lines {
			line("%-9s %s", "", l)
		}
	}
	if len(e.Paths) > 0 {
		line("")
		line("Paths:")
		for _, p := range e.Paths {
			line("  %-7s %s", p.Name, p.Text)
		}
	}
	e.steps(line)
	if len(e.Modes) > 0 {
		line("")
		line("find_multipaths, mode by mode:")
		for _, m := range e.Modes {
			mark := " "
			if m.Now {
				mark = "*"
			}
			reason := strings.TrimPrefix(strings.TrimPrefix(m.Reason, "find_multipaths "+m.Mode), ": ")
			if m.SecondPath {
				reason += "; with a second path: a path"
			}
			line(" %s %-7s %s: %s", mark, m.Mode, verdictWords(m.Verdict), strings.TrimSpace(reason))
		}
	}
	for i, w := range e.Warnings {
		if i == 0 {
			line("")
			line("Not used as written:")
		}
		line("  %s%s", w.Text, inBrackets(w.Origin))
	}
	if len(e.effective) > 0 {
		b.WriteString("\nSettings that are not at their built-in default:\n" + show.Effective(e.effective, true))
		b.WriteString(show.Matches(e.matches))
	}
	e.changes(line)
	return b.String()
}

// steps prints the way to the decision; the step that decided has an arrow.
func (e Explanation) steps(line func(string, ...any)) {
	for i, s := range e.Steps {
		if i == 0 {
			line("")
			line("How it was decided%s:", e.of)
		}
		mark := "  "
		if s.Decided {
			mark = "=>"
		}
		line("%s %-9s %s%s", mark, s.Step, s.Text, inBrackets(s.Origin))
	}
}

func (e Explanation) changes(line func(string, ...any)) {
	switch {
	case e.Kind == "map":
	case len(e.Changes) > 0:
		line("")
		if e.Verdict == policy.VerdictAdmit.String() {
			line("To have it left alone, one of:")
		} else {
			line("To make it a path, one of (each was tried on a copy of the configuration):")
		}
	case e.Verdict == policy.VerdictReject.String():
		line("")
		line("No line of the configuration would make it a path.")
	}
	for _, c := range e.Changes {
		for i, do := range c.Do {
			mark := "-"
			if i > 0 {
				mark = " and"
			}
			line("  %s %s", mark, do)
		}
		line("      then: %s", c.Then)
	}
}

func inBrackets(origin string) string {
	if origin == "" {
		return ""
	}
	return "  [" + origin + "]"
}

func claimWords(claim string) string {
	switch claim {
	case "yes", "yes-final":
		return "it is multipath's, others keep off"
	case "maybe":
		return "perhaps multipath's, wait"
	case "no":
		return "it is not multipath's, others may use it"
	default:
		return "nothing new: what it was told before stays"
	}
}

func verdictWords(verdict string) string {
	switch verdict {
	case "admit":
		return "a path"
	case "maybe":
		return "waited for"
	case "reject":
		return "left alone"
	default:
		return "cannot be said"
	}
}
