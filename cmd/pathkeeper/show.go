package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"pathkeeper/mpath"
	"pathkeeper/show"
)

func showCommand(at *places, std streams) *cobra.Command {
	c := &cobra.Command{
		Use: "show", Aliases: []string{"list"}, Short: "Show maps and paths",
		Long: `Show maps and paths as the daemon knows them; without it, as sysfs and
device-mapper say, with one question to each path.`,
		Args: cobra.ArbitraryArgs, RunE: subcommand,
	}
	c.AddCommand(
		viewCommand(at, std, &cobra.Command{
			Use: "topology [MAP|PATH]", Short: "Maps with their groups and paths",
			Long: `Maps with their groups and paths, in the layout of multipath -ll. A line that
begins with "  ! " says what is not as it should be: a path that belongs to the
map and stands in none of its groups, with the reason.`,
		}, view{section: show.SectionTopology, text: func(s mpath.Snapshot, _ []mpath.NodeSeen) string {
			return show.Topology(s, show.TopologyOptions{Native: true})
		}}),
		viewCommand(at, std, &cobra.Command{
			Use: "maps [MAP|PATH]", Short: "Maps: paths, state, queueing, owner wanted and found",
		}, view{section: show.SectionMaps, text: show.Maps}),
		pathsCommand(at, std),
	)
	return c
}

func pathsCommand(at *places, std streams) *cobra.Command {
	all := false
	c := viewCommand(at, std, &cobra.Command{
		Use: "paths [MAP|PATH]", Short: "Paths: state by kernel, checker and device, and why",
	}, view{
		section: show.SectionPaths,
		sections: func() show.Section {
			return map[bool]show.Section{true: show.SectionAllPaths, false: show.SectionPaths}[all]
		},
		text: func(s mpath.Snapshot, _ []mpath.NodeSeen) string { return show.Paths(s, all) },
	})
	c.Flags().BoolVar(&all, "all", false, "also devices that are no paths, with the reason")
	return c
}

// view is one way to print a snapshot.
type view struct {
	section  show.Section
	sections func() show.Section // nil: section
	text     func(mpath.Snapshot, []mpath.NodeSeen) string
}

func viewCommand(at *places, std streams, c *cobra.Command, v view) *cobra.Command {
	asJSON := false
	c.Args = takes(0, 1, "at most one map or path")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := at.on.snapshot(c.Context(), *at, true, func(text string) { fmt.Fprintln(std.err, "pathkeeper: "+show.Safe(text)) })
		if err != nil {
			return err
		}
		if len(args) == 1 {
			one, ok := show.Select(s, args[0])
			if !ok {
				return fmt.Errorf("%s is no map and no path; `pathkeeper show paths --all` says why a device is none", args[0])
			}
			s = one
		}
		nodes := nodesOf(s, at.on.nodes())
		if asJSON {
			section := v.section
			if v.sections != nil {
				section = v.sections()
			}
			_, err = std.out.Write(show.NewDocument(s, section, nodes).JSON())
			return err
		}
		_, err = io.WriteString(std.out, v.text(s, nodes))
		return err
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}
