package show

import (
	"fmt"
	"strings"

	"pathkeeper/mpath"
)

// Plan prints what a configuration would do to the maps, for a person:
//
//	mysql1 (3600...): reload, rename
//	  reload    selector: want "queue-length", have "service-time"
//	  rename    to db1: alias of 3600... (/etc/multipath.conf:12:3)
//	  setting   path_selector: service-time 0 (built-in default) -> queue-length 0 (/etc/multipath.conf:3:2)
//	  table   - 0 1 alua 1 1 service-time 0 2 1 8:16 1 8:32 1
//	  table   + 0 1 alua 1 1 queue-length 0 2 1 8:16 1 8:32 1
//
// and, last, how many maps change.
func Plan(p mpath.Plan) string {
	var b strings.Builder
	line := func(word, format string, args ...any) {
		fmt.Fprintf(&b, "  %-9s %s\n", word, Safe(fmt.Sprintf(format, args...)))
	}
	for _, m := range p.Maps {
		fmt.Fprintf(&b, "%s (%s): %s\n", Safe(m.Name), Safe(m.WWID), m.Kinds())
		for _, s := range m.Steps {
			if s.Kind == mpath.PlanRename && m.To != "" {
				line(string(s.Kind), "to %s: %s", m.To, s.Reason)
				continue
			}
			line(string(s.Kind), "%s", s.Reason)
		}
		for _, s := range m.Settings {
			line("setting", "%s: %s (%s) -> %s (%s)", s.Keyword, unset(s.Before), s.BeforeFrom, unset(s.After), s.AfterFrom)
		}
		if m.After != "" {
			if m.Before != "" {
				line("table   -", "%s", m.Before)
			}
			line("table   +", "%s", m.After)
		}
		for _, j := range m.Join {
			line("joins", "%s", j)
		}
		for _, l := range m.Leave {
			line("leaves", "%s", l)
		}
		for _, s := range m.Needs {
			line("needs", "%s: %s", s.Kind, s.Reason)
		}
		for _, w := range m.Warnings {
			line("note", "%s", w)
		}
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "note: %s\n", Safe(w))
	}
	fmt.Fprintf(&b, "%s\n", p.Summary())
	return b.String()
}

func unset(s string) string {
	if s == "" {
		return "unset"
	}
	return s
}
