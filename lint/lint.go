// Package lint finds what a configuration says and cannot mean: contradictions,
// lines without effect, entries that hit too much or nothing, settings that hurt
// in the one night when the storage fails. It is pure: it looks at what was read,
// and at what the machine has where somebody tells it.
package lint

import (
	"cmp"
	"fmt"
	"slices"

	"pathkeeper/configs"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// Severity says how bad a finding is.
type Severity uint8

// Severities.
const (
	SeverityUnknown Severity = iota
	Hint                     // harmless, or a matter of taste: worth a look
	Warning                  // something has no effect, or another one than it seems
	Error                    // it will not work, or it loses data
)

// String gives "hint", "warning" or "error".
func (s Severity) String() string {
	switch s {
	case Hint:
		return "hint"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return "unknown"
}

// Rule is one thing that is looked for.
type Rule struct {
	ID       string // stable; scripts and comments name it
	Severity Severity
	Summary  string // one line: what is wrong
	Why      string // what happens to whom, in sentences
	Fix      string // what to do
	Parser   bool   // told by the reader of the files; ID is its Kind
	Machine  bool   // needs to know the machine
	check    func(*run)
}

// Related is another place that a finding is about.
type Related struct {
	Origin policy.Origin
	Text   string
}

// Finding is one mistake in one place.
type Finding struct {
	ID       string
	Severity Severity
	Origin   policy.Origin // Line 0: of the file as a whole
	Text     string
	Fix      string
	Related  []Related
}

// String gives "file:line:col: severity: text [id]".
func (f Finding) String() string {
	at := f.Origin.File
	if f.Origin.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", f.Origin.File, f.Origin.Line, f.Origin.Column)
	}
	if at != "" {
		at += ": "
	}
	return fmt.Sprintf("%s%s: %s [%s]", at, f.Severity, f.Text, f.ID)
}

// Input is what is looked at.
type Input struct {
	Config   policy.Config
	Messages []configs.Message // what the reader of the files said
	Machine  *Machine          // nil: not known
}

// Machine is what of the host a configuration can be held against.
type Machine struct {
	Devices  []Device
	Bindings policy.Bindings // the bindings file
	Kernel   policy.Kernel   // selectors and handlers that it has; nil: not known
	// NoUsers and NoGroups are the names in the configuration that the machine's
	// user database does not have.
	NoUsers, NoGroups []string
	NoPRKeys          bool // the prkeys file was looked at and has no key
}

// Device is one block device that is there.
type Device struct {
	Identity scsi.Identity
	Facts    policy.Facts
}

// Check finds everything, in the order of the files, their lines and columns.
// Where a file could not be read at all only the reader's messages come back.
func Check(in Input) []Finding {
	r := newRun(in)
	rules := Rules()
	broken := false
	for _, m := range in.Messages {
		r.message(m, rules)
		broken = broken || m.Level == configs.LevelError
	}
	if !broken {
		r.fatal()
		for _, rule := range rules {
			if rule.check == nil || rule.Machine && in.Machine == nil {
				continue
			}
			r.rule = rule
			rule.check(r)
		}
	}
	return r.sorted()
}

// fatal tells what forbids the use of a configuration, where the reader has not.
func (r *run) fatal() {
	_, problems := policy.Compile(*r.config)
	for _, p := range problems {
		r.rule, _ = Lookup(string(configs.Rejected))
		if p.Fatal {
			r.report(p.Origin, p.Text)
		}
	}
}

// message makes a finding of what the reader said.
func (r *run) message(m configs.Message, rules []Rule) {
	f := Finding{ID: string(m.Kind), Origin: m.Origin, Text: m.Text}
	switch m.Level {
	case configs.LevelError:
		f.Severity = Error
	case configs.LevelWarning:
		f.Severity = Warning
	default:
		f.Severity = Hint
	}
	if m.Kind == configs.AliasTwice && r.oneLUN(m.Word) {
		return // lun-twice says what there is to say
	}
	if m.Suggest != "" {
		f.Text += " (did you mean " + m.Suggest + "?)"
	}
	if i := slices.IndexFunc(rules, func(rule Rule) bool { return rule.ID == f.ID }); i >= 0 {
		f.Fix = rules[i].Fix
		if rules[i].Severity == Error {
			f.Severity = Error // the daemon goes on, and whoever asks for a check should not
		}
	}
	r.found = append(r.found, f)
}

// sorted puts the findings in the order of the files.
func (r *run) sorted() []Finding {
	order := map[string]int{}
	for i, f := range r.in.Config.Files {
		order[f] = i
	}
	slices.SortStableFunc(r.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(order[a.Origin.File], order[b.Origin.File]), cmp.Compare(a.Origin.File, b.Origin.File),
			cmp.Compare(a.Origin.Line, b.Origin.Line), cmp.Compare(a.Origin.Column, b.Origin.Column))
	})
	return r.found
}

// Rules gives all rules: those that look at meaning first, then the reader's.
func Rules() []Rule {
	return slices.Concat(queueRules(), timeoutRules(), groupRules(), prioRules(), deviceRules(), builtinRules(), pathHealthRules(),
		blacklistRules(), exceptionRules(), aliasRules(), wwidRules(), ownerRules(), claimRules(), daemonRules(), parserRules())
}

// Lookup finds a rule by its id.
func Lookup(id string) (Rule, bool) {
	for _, r := range Rules() {
		if r.ID == id {
			return r, true
		}
	}
	return Rule{}, false
}
