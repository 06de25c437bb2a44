package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"pathkeeper/server"
	"pathkeeper/show"
)

func reloadCommand(at *places, std streams) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Have the daemon read its configuration again",
		Long: `Have the daemon read its configuration again and bring all maps into line with
it, adopted ones too. A configuration with an error is refused, with file, line
and column, and the one in force stays. Waits until it is done. Needs root.`,
		Args: takes(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := at.on.reload(c.Context(), *at)
			switch {
			case errors.Is(err, server.ErrNotRunning):
				return fmt.Errorf("%w; it reads its configuration when it starts: `systemctl start pathkeeper`", err)
			case err != nil:
				return err
			}
			for _, w := range r.Warnings {
				fmt.Fprintln(std.err, show.Safe(w))
			}
			return nil
		},
	}
}
