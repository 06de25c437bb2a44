package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"pathkeeper/server"
	"pathkeeper/show"
)

func applyCommand(at *places, std streams) *cobra.Command {
	return &cobra.Command{
		Use: "apply PLAN", Short: "Do exactly what a plan says, or refuse",
		Long: `Do what a plan of ` + "`plan --out`" + ` says: exactly that, or nothing. Refused, and nothing
touched, if the configuration has changed since the plan was made, or if the world
has moved: a map is another one, a path came, left, failed or came back. Standard
error says what; plan again then.

Before each load every path of the new table is asked how it is and who it is. A map
whose new table would not be the planned one any more keeps its table, its name and
its settings until the next reload or apply; the others go on. For 30 seconds each new table is
watched: if a path that worked before is lost though its device answers, the former
table is loaded again, once. What became of each map is printed. Needs root.

Exit codes: 0 done as planned; 1 refused, or a map is not as planned, standard error
says why; 2 the command line is wrong.`,
		Args: takes(1, 1, "a plan, from `plan --out`"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := readPlan(args[0], at.on.readFile)
			if err != nil {
				return err
			}
			r, err := at.on.apply(c.Context(), *at, p)
			switch {
			case errors.Is(err, server.ErrNotRunning):
				return fmt.Errorf("%w; only it changes maps: `systemctl start pathkeeper`", err)
			case err != nil:
				return err
			}
			for _, m := range r.Maps {
				text := m.Result
				if m.Text != "" {
					text += ": " + m.Text
				}
				fmt.Fprintf(std.out, "%s (%s): %s\n", show.Safe(m.Name), show.Safe(m.WWID), show.Safe(text))
			}
			if !r.OK {
				return fmt.Errorf("%s: %w", show.Safe(r.Text), errOperator)
			}
			fmt.Fprintln(std.err, show.Safe(r.Text))
			return nil
		},
	}
}
