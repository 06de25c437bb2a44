package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

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
			if _, real := at.on.(thisMachine); real {
				if err := trusted(args[0], os.Geteuid()); err != nil {
					return err
				}
			}
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

// trusted refuses a plan that somebody else may have written since it was read by a
// person: it names the configuration that root is going to put in force.
func trusted(name string, euid int) error {
	st, err := os.Stat(name)
	if err != nil || !st.Mode().IsRegular() {
		return nil // reading it says so, and a pipe is somebody's own
	}
	switch sys, ok := st.Sys().(*syscall.Stat_t); {
	case ok && sys.Uid != 0 && int(sys.Uid) != euid:
		return fmt.Errorf("%s belongs to user %d, who may have changed it since it was read: plan again, or look through it and `chown root` it", show.Safe(name), sys.Uid)
	case st.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be written by others (mode %04o), who may have changed it since it was read: plan again, or look through it and `chmod go-w` it", show.Safe(name), st.Mode().Perm())
	}
	return nil
}
