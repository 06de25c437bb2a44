package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pathkeeper/roff"
)

// manPage is one page, with the name of its file.
type manPage struct {
	name    string
	section int
	text    string
}

func (p manPage) file() string { return fmt.Sprintf("man%d/%s.%d", p.section, p.name, p.section) }

// ours says whether the page has a name of ours, not one of multipath-tools'.
func (p manPage) ours() bool { return strings.HasPrefix(p.name, "pathkeeper") }

// manCommand writes the manual pages, for `make install`. They are made of what the
// program itself goes by: the commands with their flags, the table of keywords.
func manCommand(std streams) *cobra.Command {
	theirs := ""
	c := &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages below a directory", Hidden: true, Args: takes(1, 1, "DIR, for example /usr/share/man"),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, p := range manPages(std) {
				dir := args[0]
				if !p.ours() {
					dir = theirs
				}
				if dir == "" {
					continue
				}
				if err := writeBelow(dir, p.file(), p.text); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&theirs, "theirs", "", "`DIR` for the pages under the names of multipath-tools; without it they are not written")
	return c
}

// writeBelow writes a file and the directories that it needs.
func writeBelow(dir, name, text string) error {
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("making %s: %w", filepath.Dir(file), err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// manPages gives all pages: pathkeeper(8), one for each of its commands, one for each
// program that it stands for, one for each form of the configuration.
func manPages(std streams) []manPage {
	root := newRoot(std)
	var out []manPage
	var commands []*cobra.Command
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			commands = append(commands, c)
		}
	}
	out = append(out, manPage{"pathkeeper", 8, rootPage(root, commands)})
	for _, c := range commands {
		out = append(out, manPage{commandPage(c), 8, commandText(c)})
	}
	for _, p := range personalityPages() {
		out = append(out, manPage{p.name, 8, p.text()})
	}
	return append(out, manPage{"multipath.conf", 5, multipathConfPage()}, manPage{"pathkeeper.yaml", 5, pathkeeperYAMLPage()})
}

func manSource() string { return "pathkeeper " + version }

func commandPage(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// clause is a short text as whatis(1) wants it: no capital that only begins it.
func clause(text string) string {
	if len(text) > 1 && text[1] >= 'a' && text[1] <= 'z' {
		return strings.ToLower(text[:1]) + text[1:]
	}
	return text
}

func rootPage(root *cobra.Command, commands []*cobra.Command) string {
	p := roff.New("pathkeeper", 8, clause(root.Short), manSource())
	p.Section("Synopsis")
	p.Text("`pathkeeper` COMMAND [ARGUMENTS]")
	p.Section("Description")
	p.Text(root.Long)
	p.Section("Commands")
	p.Text("Each has a page of its own, pathkeeper-COMMAND(8), and answers to `--help`.")
	for _, c := range commands {
		p.Item(c.Name(), stop(c.Short))
	}
	p.Section("Options")
	p.Text("Every command takes these.")
	flagItems(p, root.PersistentFlags())
	p.Section("Exit status")
	p.Item("0", "Done.")
	p.Item("1", "Not done; standard error says why.")
	p.Item("2", "The command line is wrong; nothing was done.")
	p.Text("A command that has others says so on its page.")
	filesOf(p)
	see := []string{"multipath(8)", "multipathd(8)", "multipath.conf(5)", "pathkeeper.yaml(5)"}
	for _, c := range commands {
		see = append(see, commandPage(c)+"(8)")
	}
	p.SeeAlso(see...)
	return p.String()
}

// commandText is the page of a command, with the commands below it.
func commandText(c *cobra.Command) string {
	p := roff.New(commandPage(c), 8, clause(c.Short), manSource())
	p.Section("Synopsis")
	var lines []string
	for _, one := range withBelow(c) {
		if one.Runnable() && len(one.Commands()) == 0 || one.HasLocalFlags() && one == c && len(c.Commands()) == 0 {
			lines = append(lines, useLine(one))
		}
	}
	p.Code(strings.Join(lines, "\n"))
	p.Section("Description")
	p.Text(describe(c))
	if len(c.Commands()) == 0 {
		if c.HasAvailableLocalFlags() {
			p.Section("Options")
			flagItems(p, c.LocalNonPersistentFlags())
		}
	} else {
		p.Section("Commands")
		for _, below := range withBelow(c)[1:] {
			if len(below.Commands()) > 0 {
				continue
			}
			p.Sub(useLine(below))
			p.Text(describe(below))
			flagItems(p, below.LocalNonPersistentFlags())
		}
	}
	p.Section("Exit status")
	if strings.Contains(c.Long, "Exit codes") {
		p.Text("As described above; else as of pathkeeper(8).")
	} else {
		p.Text("As of pathkeeper(8).")
	}
	p.SeeAlso("pathkeeper(8)")
	return p.String()
}

// withBelow is a command and those below it that are shown, each before its own.
func withBelow(c *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			out = append(out, withBelow(sub)...)
		}
	}
	return out
}

func useLine(c *cobra.Command) string {
	line := c.CommandPath() + strings.TrimPrefix(c.Use, c.Name())
	if c.LocalNonPersistentFlags().HasAvailableFlags() {
		line += " [OPTIONS]"
	}
	return line
}

// capital makes a clause begin as a sentence does.
func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// stop ends a sentence.
func stop(text string) string {
	if text = strings.TrimSpace(text); strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// describe is the short text, and the long one where it says more.
func describe(c *cobra.Command) string {
	if c.Long == "" {
		return stop(c.Short)
	}
	return stop(c.Short) + "\n\n" + c.Long
}

// flagItems lists flags with their values and defaults.
func flagItems(p *roff.Page, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		term := "--" + f.Name
		if f.Shorthand != "" {
			term = "-" + f.Shorthand + ", " + term
		}
		if value != "" {
			term += " " + strings.ToUpper(value)
		}
		switch f.DefValue {
		case "", "0", "0s", "false", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		p.Item(term, stop(capital(usage)))
	})
}

// filesOf lists what the program reads and writes on a host.
func filesOf(p *roff.Page) {
	p.Section("Files")
	for _, f := range [][2]string{
		{"/etc/multipath.conf, /etc/multipath/conf.d/*.conf", "The configuration, as of multipath.conf(5)."},
		{"/etc/pathkeeper/pathkeeper.yaml, /etc/pathkeeper/conf.d/*.yaml", "The configuration in its native form, pathkeeper.yaml(5); where the first is there it is read instead."},
		{"/etc/multipath/bindings, /etc/multipath/wwids", "The names that maps were given, and the WWIDs that had a map."},
		{"/run/pathkeeper/api.sock", "The daemon's socket."},
		{"/run/multipathd.pid, /run/multipathd.pid.guard", "The lock of the host's one manager of multipath maps, and the lock of who takes it just now."},
		{"/run/pathkeeper/recorder", "What the daemon records, for `pathkeeper history` and `pathkeeper replay`."},
		{"/var/lib/pathkeeper/records", "Copies of it: of `pathkeeper record save`, and of bugs that the daemon found in itself."},
	} {
		p.Item(f[0], f[1])
	}
}
