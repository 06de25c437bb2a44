package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/daemon"
	"pathkeeper/lint"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/show"
	"pathkeeper/statefile"
)

// Exit codes of `config check`: 2 is free for warnings only because a wrong
// command line has sysexits' EX_USAGE here.
const (
	exitWarnings   = 2
	exitCheckUsage = 64
)

// ending ends a command with an exit code of its own; without err there is no more
// to say.
type ending struct {
	code int
	err  error
}

func (e ending) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// checkOptions are the flags of `config check`.
type checkOptions struct {
	strict, offline, asJSON, noHints bool
}

func configCheckCommand(at *places, std streams) *cobra.Command {
	var opt checkOptions
	c := &cobra.Command{
		Use: "check [FILE..]", Short: "Find what is wrong with a configuration, before it hurts",
		Long: `Find what is wrong with a configuration: what the reader leaves out, and what is
read well and cannot be meant. Without FILE it is this machine's configuration,
drop-ins included; each FILE is checked by itself. Where the machine's disks can be
seen (by the daemon, else in sysfs) the file is held against them too.

Each finding names its rule in brackets; ` + "`pathkeeper config rules ID`" + ` explains it.
Hints are harmless and do not count.

Exit codes: 0 nothing, or hints only; 1 errors, with --strict warnings too; 2 warnings;
64 the command line is wrong.`,
		RunE: func(c *cobra.Command, args []string) error {
			return configCheck(c.Context(), at, std, args, opt)
		},
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return ending{exitCheckUsage, usagef("%v; see `%s --help`", err, c.CommandPath())}
	})
	f := c.Flags()
	f.BoolVar(&opt.strict, "strict", false, "refuse warnings as well")
	f.BoolVar(&opt.offline, "offline", false, "look at the files alone, not at this machine")
	f.BoolVar(&opt.noHints, "no-hints", false, "leave hints out")
	f.BoolVar(&opt.asJSON, "json", false, "as JSON")
	return c
}

// checked is one configuration and what was found in it.
type checked struct {
	name     string
	findings []lint.Finding
	files    []configs.File // their texts, for the lines
}

func configCheck(ctx context.Context, at *places, std streams, args []string, opt checkOptions) error {
	talk := func(text string) { fmt.Fprintln(std.err, "pathkeeper: "+show.Safe(text)) }
	var all []checked
	var machine *lint.Machine
	seen := "without a look at this machine"
	if !opt.offline {
		machine, seen = present(ctx, at)
	}
	if len(args) == 0 {
		all = append(all, checkSystem(at, machine))
	}
	for _, name := range args {
		all = append(all, checkFile(at, name, machine))
	}
	count := map[lint.Severity]int{}
	for i := range all {
		all[i].findings = keep(all[i].findings, opt.noHints)
		for _, f := range all[i].findings {
			count[f.Severity]++
		}
	}
	if err := printChecked(std.out, all, count, opt); err != nil {
		return err
	}
	talk(fmt.Sprintf("%s: %s (%s)", namesOf(all), counted(count), seen))
	if c := all[0]; len(args) == 0 && len(c.files) == 0 && len(c.findings) == 0 {
		talk(c.name + " is not there, nor a drop-in: what is built in counts, `pathkeeper config show` prints it")
	}
	switch {
	case count[lint.Error] > 0, opt.strict && count[lint.Warning] > 0:
		return ending{code: exitError}
	case count[lint.Warning] > 0:
		return ending{code: exitWarnings}
	}
	return nil
}

func keep(findings []lint.Finding, noHints bool) []lint.Finding {
	out := []lint.Finding{}
	for _, f := range findings {
		if !noHints || f.Severity != lint.Hint {
			out = append(out, f)
		}
	}
	return out
}

func namesOf(all []checked) string {
	if len(all) == 1 {
		return all[0].name
	}
	return fmt.Sprintf("%d files", len(all))
}

func counted(count map[lint.Severity]int) string {
	var parts []string
	for _, s := range []lint.Severity{lint.Error, lint.Warning, lint.Hint} {
		switch n := count[s]; {
		case n == 1:
			parts = append(parts, "1 "+s.String())
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s))
		}
	}
	if len(parts) == 0 {
		return "nothing found"
	}
	return strings.Join(parts, ", ")
}

// checkSystem checks what the daemon would read.
func checkSystem(at *places, machine *lint.Machine) checked {
	cfg, messages, err := at.on.config(*at)
	main, _ := configs.PathsAt(at.configFile, at.configDir).InForce()
	return checkConfig(at, main, cfg, messages, err, machine)
}

// checkFile checks one file by itself.
func checkFile(at *places, name string, machine *lint.Machine) checked {
	cfg, messages, err := at.loadFiles([]string{name})
	return checkConfig(at, name, cfg, messages, err, machine)
}

// checkConfig looks at what was read; an error that is no message is of the file
// itself.
func checkConfig(at *places, name string, cfg policy.Config, messages []configs.Message, err error, machine *lint.Machine) checked {
	c := checked{name: name}
	var told *configs.Error
	if err != nil && !errors.As(err, &told) {
		c.findings = []lint.Finding{unreadable(name, err)}
		return c
	}
	names := cfg.Files
	if told != nil {
		names = []string{told.Message.Origin.File}
	}
	for _, n := range names {
		if data, err := at.on.readFile(n); err == nil {
			c.files = append(c.files, configs.File{Path: n, Data: data})
		}
	}
	if _, ours := at.on.(thisMachine); ours {
		machine = withNames(machine, cfg)
	}
	c.findings = lint.Check(lint.Input{Config: cfg, Messages: messages, Machine: machine})
	return c
}

func unreadable(name string, err error) lint.Finding {
	return lint.Finding{
		ID: string(configs.UnreadableFile), Severity: lint.Error, Origin: policy.Origin{File: name}, Text: err.Error(),
		Fix: "Name a regular file that can be read.",
	}
}

// present looks at the machine, and says in words how much of it was seen.
func present(ctx context.Context, at *places) (*lint.Machine, string) {
	m := &lint.Machine{}
	if _, ours := at.on.(thisMachine); ours {
		m.Kernel = daemon.KernelOffers("/")
	}
	if data, err := at.on.readFile(statefile.BindingsPath); err == nil {
		b, _ := statefile.ParseBindings(data)
		for _, line := range b.Lines() {
			m.Bindings = append(m.Bindings, policy.Binding{Alias: line.Alias, WWID: line.WWID})
		}
	}
	data, err := at.on.readFile(statefile.PRKeysPath)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		keys, _ := statefile.ParsePRKeys(data)
		m.NoPRKeys = len(keys.All()) == 0
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	s, err := at.on.snapshot(ctx, *at, false, func(string) {})
	if err != nil {
		text := strings.Join(strings.Fields(err.Error()), " ")
		var broken *configs.Error
		if errors.As(err, &broken) {
			text = "its configuration cannot be used"
		}
		return m, "without this machine's disks: " + text
	}
	m.Devices = devicesOf(at, s)
	return m, fmt.Sprintf("held against the %d disks of this machine", len(m.Devices))
}

// devicesOf gives the disks of a snapshot with what the state files and the kernel
// say of their LUNs.
func devicesOf(at *places, s mpath.Snapshot) []lint.Device {
	var listed statefile.WWIDs
	if data, err := at.on.readFile(statefile.WWIDsPath); err == nil {
		listed, _ = statefile.ParseWWIDs(data)
	}
	mapped := map[string]bool{}
	for _, m := range s.Maps {
		mapped[m.WWID] = mapped[m.WWID] || m.Known
	}
	var out []lint.Device
	for _, p := range s.Paths {
		if p.Odd != "" {
			continue
		}
		d := lint.Device{Identity: p.Seen.Identity, Facts: p.Seen.Facts}
		for _, id := range d.Identity.IDs {
			d.Facts.InWWIDs = d.Facts.InWWIDs || listed.Has(id.Value)
			d.Facts.MapExists = d.Facts.MapExists || mapped[id.Value]
		}
		out = append(out, d)
	}
	return out
}

// withNames adds which owners of a configuration the machine does not know.
func withNames(m *lint.Machine, cfg policy.Config) *lint.Machine {
	if m == nil {
		return nil
	}
	out := *m
	out.NoUsers, out.NoGroups = daemon.UnknownNames(cfg)
	return &out
}

func printChecked(w io.Writer, all []checked, count map[lint.Severity]int, opt checkOptions) error {
	doc := checkDocument{
		Version: 1, Strict: opt.strict, Errors: count[lint.Error], Warnings: count[lint.Warning], Hints: count[lint.Hint],
		Files: []string{}, Findings: []checkFinding{},
	}
	for _, c := range all {
		doc.Files = append(doc.Files, c.name)
		for i, f := range c.findings {
			x := newCheckFinding(f, c.files)
			if opt.asJSON {
				doc.Findings = append(doc.Findings, x)
				continue
			}
			if i > 0 {
				fmt.Fprintln(w)
			}
			if _, err := io.WriteString(w, x.text(f)); err != nil {
				return err
			}
		}
	}
	if !opt.asJSON {
		return nil
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

// checkDocument is the JSON form.
type checkDocument struct {
	Version  int            `json:"version"`
	Files    []string       `json:"files"`
	Strict   bool           `json:"strict"`
	Errors   int            `json:"errors"`
	Warnings int            `json:"warnings"`
	Hints    int            `json:"hints"`
	Findings []checkFinding `json:"findings"`
}

type checkFinding struct {
	ID       string       `json:"id"`
	Severity string       `json:"severity"`
	File     string       `json:"file"`
	Line     int          `json:"line"`
	Column   int          `json:"column"`
	Text     string       `json:"text"`
	Fix      string       `json:"fix"`
	Source   string       `json:"source"`
	Related  []checkPlace `json:"related"`
	excerpt  string
}

type checkPlace struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

func newCheckFinding(f lint.Finding, files []configs.File) checkFinding {
	o := f.Origin
	x := checkFinding{
		ID: f.ID, Severity: f.Severity.String(), File: o.File, Line: o.Line, Column: o.Column,
		Text: f.Text, Fix: f.Fix, Related: []checkPlace{},
	}
	for _, file := range files {
		if file.Path == o.File {
			m := []configs.Message{{Origin: o}}
			configs.WithSource(m, file.Path, file.Data)
			x.Source, x.excerpt = m[0].Source, m[0].Excerpt()
		}
	}
	for _, r := range f.Related {
		if r.Origin.File != "" {
			x.Related = append(x.Related, checkPlace{r.Origin.File, r.Origin.Line, r.Origin.Column, r.Text})
		}
	}
	return x
}

// text is a finding for people: the place, the line, what to do.
func (x checkFinding) text(f lint.Finding) string {
	var b strings.Builder
	b.WriteString(show.Safe(f.String()) + "\n" + x.excerpt)
	if x.Fix != "" {
		fmt.Fprintf(&b, "        fix: %s\n", show.Safe(x.Fix))
	}
	for _, p := range x.Related {
		fmt.Fprintf(&b, "        see: %s:%d:%d: %s\n", show.Safe(p.File), p.Line, p.Column, show.Safe(p.Text))
	}
	return b.String()
}
