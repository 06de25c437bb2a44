package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"pathkeeper/mpath"
	"pathkeeper/server"
	"pathkeeper/show"
)

// operator makes the commands by which an operator steers the daemon.
type operator struct {
	at  *places
	std streams
}

func operatorCommands(at *places, std streams) []*cobra.Command {
	o := operator{at, std}
	paths := &cobra.Command{Use: "path", Short: "Fail, reinstate, add or remove a path", Args: cobra.ArbitraryArgs, RunE: subcommand}
	paths.AddCommand(
		o.path("fail", "Use a path no more until it is reinstated", mpath.CommandFailPath,
			"The path stays failed until it is reinstated, or until it has failed by itself\nand its checker finds it well again, or until `reload`."),
		o.path("reinstate", "Use a failed path again", mpath.CommandReinstatePath, "Refused, with the reason, where its checker or its identity says no."),
		o.path("add", "Have the daemon look at a device, and take back `path remove`", mpath.CommandAddPath, ""),
		o.path("remove", "Take a path out of its map", mpath.CommandRemovePath, "It stays out until `path add` or `reload`. The last usable path is not removed."),
	)
	maps := &cobra.Command{Use: "map", Short: "Resize, remove, suspend, switch a map", Args: cobra.ArbitraryArgs, RunE: subcommand}
	resize := o.one("resize", "Make a map as large as its paths", mpath.CommandResizeMap,
		"Every path is rescanned first, and must work and show the same size. A map does\nnot become smaller than what is in use of it.")
	resize.Flags().Bool("force", false, "shrink it although somebody may use what is cut off")
	remove := o.one("remove", "Remove a map that nobody uses", mpath.CommandRemoveMap, "Its partition maps go with it. It is not made again until `map add` or `reload`.")
	remove.Flags().Bool("deferred", false, "if it is open, remove it at its last close")
	maps.AddCommand(
		o.one("add", "Make a map again that was removed", mpath.CommandAddMap, ""), remove, resize,
		o.one("reload", "Load a map's table anew", mpath.CommandReloadMap, "What the configuration wants otherwise of an adopted map comes with it."),
		o.one("rename", "Give a map its configured name", mpath.CommandRenameMap, ""),
		o.one("suspend", "Hold a map's I/O until it is resumed", mpath.CommandSuspendMap, ""),
		o.one("resume", "Let a suspended map's I/O flow", mpath.CommandResumeMap, ""),
		o.group(),
		o.many("disable-queueing", "Do not queue I/O without a path, whatever is configured", mpath.CommandDisableQueueing),
		o.many("restore-queueing", "Queue as configured again", mpath.CommandRestoreQueueing),
		o.keepQueueing(),
		o.many("reset-counts", "Count loads, switches and faults from 0 again", mpath.CommandResetStats),
		o.unused(),
	)
	return []*cobra.Command{paths, maps}
}

func (o operator) path(word, short string, kind mpath.CommandKind, long string) *cobra.Command {
	return &cobra.Command{
		Use: word + " DEVICE", Short: short, Long: long, Args: takes(1, 1, "a device: its kernel name or number"),
		RunE: func(c *cobra.Command, args []string) error { return o.do(c, mpath.Command{Kind: kind, Path: args[0]}) },
	}
}

func (o operator) one(word, short string, kind mpath.CommandKind, long string) *cobra.Command {
	return &cobra.Command{
		Use: word + " MAP", Short: short, Long: long, Args: takes(1, 1, "a map: its name, WWID or dm-N"),
		RunE: func(c *cobra.Command, args []string) error {
			cmd := mpath.Command{Kind: kind, Map: args[0]}
			if f := c.Flags().Lookup("force"); f != nil {
				cmd.Force = f.Value.String() == "true"
			}
			if f := c.Flags().Lookup("deferred"); f != nil && f.Value.String() == "true" {
				cmd.Arg = "deferred"
			}
			return o.do(c, cmd)
		},
	}
}

func (o operator) many(word, short string, kind mpath.CommandKind) *cobra.Command {
	cmd := &cobra.Command{
		Use: word + " MAP|--all", Short: short, Args: takes(0, 1, "a map, or --all"),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := c.Flags().GetBool("all")
			switch {
			case err != nil:
				return err
			case all == (len(args) == 1):
				return usagef("`%s` wants a map, or --all", c.CommandPath())
			case all:
				return o.do(c, mpath.Command{Kind: kind})
			}
			return o.do(c, mpath.Command{Kind: kind, Map: args[0]})
		},
	}
	cmd.Flags().Bool("all", false, "all maps")
	return cmd
}

func (o operator) group() *cobra.Command {
	return &cobra.Command{
		Use: "switch MAP GROUP", Short: "Use a path group", Args: takes(2, 2, "a map and the number of a path group, from 1"),
		Long: "The choice holds until a path of the map fails or comes back, or a priority changes.",
		RunE: func(c *cobra.Command, args []string) error {
			return o.do(c, mpath.Command{Kind: mpath.CommandSwitchGroup, Map: args[0], Arg: args[1]})
		},
	}
}

// keepQueueing is multipathd's `forcequeueing daemon`: it is about the daemon's end, and
// lasts as long as the daemon does.
func (o operator) keepQueueing() *cobra.Command {
	off := false
	c := &cobra.Command{
		Use: "keep-queueing", Short: "Leave queueing as it is when the daemon stops", Args: takes(0, 0, ""),
		Long: `Leave queueing as it is on every map when the daemon stops, whatever
queue_without_daemon says: where another daemon follows at once, no I/O fails between
the two. It holds until the daemon's end.`,
		RunE: func(c *cobra.Command, _ []string) error {
			kind := mpath.CommandForceQueueing
			if off {
				kind = mpath.CommandUnforceQueueing
			}
			return o.do(c, mpath.Command{Kind: kind})
		},
	}
	c.Flags().BoolVar(&off, "off", false, "go by queue_without_daemon again")
	return c
}

func (o operator) unused() *cobra.Command {
	return &cobra.Command{
		Use: "remove-unused", Short: "Remove every map that nobody uses", Args: takes(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return o.do(c, mpath.Command{Kind: mpath.CommandRemoveUnused})
		},
	}
}

// errOperator is what a command ends with that the daemon did not carry out.
var errOperator = errors.New("not done")

func (o operator) do(c *cobra.Command, cmd mpath.Command) error {
	r, err := o.at.on.command(c.Context(), *o.at, cmd)
	switch {
	case errors.Is(err, server.ErrNotRunning):
		return fmt.Errorf("%w; only it steers maps: `systemctl start pathkeeper`", err)
	case err != nil:
		return err
	case !r.OK:
		return fmt.Errorf("%s: %w (%s)", show.Safe(r.Text), errOperator, r.Code)
	}
	fmt.Fprintln(o.std.err, show.Safe(r.Text))
	return nil
}
