package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pathkeeper/server"
)

const rootHelp = `Pathkeeper builds device-mapper multipath maps with stable names, owners and
modes, checks their paths, fails over and back.

Standard output is data, standard error is talk. Exit codes: 0 done; 1 it could
not be done, standard error says why; 2 the command line is wrong, nothing was
done; where a command has others its help says so.

Called as multipath, multipathd, multipathc, kpartx or scsi_id it answers as they do;
"pathkeeper multipath -h" and so on work without a link of that name.`

// places are the flags that say where things are.
type places struct {
	on         machine
	socket     string
	configFile string
	configDir  string
}

// nativeMain runs the native commands.
func nativeMain(args []string, std streams) int {
	root := newRoot(std)
	root.SetArgs(args)
	// No signal is caught here: the daemon has its own handling, and everything
	// else may end at once.
	return report(std, "pathkeeper", root.ExecuteContext(context.Background()))
}

func newRoot(std streams) *cobra.Command {
	root, at := bareRoot(thisMachine{}, std)
	root.AddCommand(daemonCommand(at), showCommand(at, std), scsiIDCommand(at, std), udevCommand(std), manCommand(std), completionCommand(std), reloadCommand(at, std), planCommand(at, std), applyCommand(at, std), simCommand(std),
		replayCommand(std), historyCommand(at, std), recordCommand(std), configCommand(at, std), versionCommand(std))
	root.AddCommand(namesCommand(at, std), explainCommand(at, std), timeoutsCommand(at, std), initramfsCommand(std), hostEndsCommand(at, std))
	root.AddCommand(operatorCommands(at, std)...)
	return root
}

// newRootOn has the commands that work on any machine.
func newRootOn(m machine, std streams) *cobra.Command {
	root, at := bareRoot(m, std)
	root.AddCommand(showCommand(at, std), scsiIDCommand(at, std), reloadCommand(at, std), planCommand(at, std), applyCommand(at, std), configCommand(at, std), explainCommand(at, std), versionCommand(std))
	root.AddCommand(namesCommand(at, std), timeoutsCommand(at, std))
	root.AddCommand(operatorCommands(at, std)...)
	return root
}

func bareRoot(m machine, std streams) (*cobra.Command, *places) {
	at := &places{on: m}
	root := &cobra.Command{
		Use: "pathkeeper", Short: "Multipath maps with stable names", Long: rootHelp,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs, RunE: subcommand,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%v; see `%s --help`", err, c.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVar(&at.socket, "socket", server.SocketPath, "the daemon's API")
	f.StringVar(&at.configFile, "config", "", "configuration file, of YAML if its name ends so (default /etc/pathkeeper/pathkeeper.yaml, else /etc/multipath.conf)")
	f.StringVar(&at.configDir, "config-dir", "", "directory of further configuration files (default /etc/pathkeeper/conf.d or /etc/multipath/conf.d)")
	root.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true})
	return root, at
}

// hasCommand says whether a command has one of that name below it.
func hasCommand(c *cobra.Command, name string) bool {
	return slices.ContainsFunc(c.Commands(), func(s *cobra.Command) bool { return s.Name() == name || s.HasAlias(name) })
}

// subcommand is what a command does that only has commands below it: nothing.
func subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		var names []string
		for _, s := range c.Commands() {
			if s.IsAvailableCommand() {
				names = append(names, s.Name())
			}
		}
		return usagef("say what: %s %s", c.CommandPath(), strings.Join(names, "|"))
	}
	text := fmt.Sprintf("`%s` has no command %q", c.CommandPath(), args[0])
	c.SuggestionsMinimumDistance = 2 // letters wrong or exchanged
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf(", did you mean %s?", strings.Join(near, " or "))
	} else {
		text += fmt.Sprintf("; see `%s --help`", c.CommandPath())
	}
	return usageError{text}
}

// takes checks the number of arguments and says what they are.
func takes(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("`%s` wants %s", c.CommandPath(), what)
		case len(args) > most && most == 0:
			return usagef("`%s` takes no argument, not %q", c.CommandPath(), args[0])
		case len(args) > most:
			return usagef("`%s` takes %s, %q is too much", c.CommandPath(), what, args[most])
		}
		return nil
	}
}
