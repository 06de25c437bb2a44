package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"pathkeeper/daemon"
)

func daemonCommand(at *places) *cobra.Command {
	limit := daemon.DeadRootLimit
	c := &cobra.Command{
		Use: "daemon", Short: "Run the daemon in the foreground", Args: takes(0, 0, ""),
		Long: `Run the daemon in the foreground, as systemd does. It refuses to start beside
another manager of multipath maps, and with a configuration that has an error:
nothing is touched then.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 0 {
				return fmt.Errorf("--dead-root-limit %s: it cannot be less than 0, which is never", limit)
			}
			return daemon.Run(c.Context(), daemon.Options{ConfigFile: at.configFile, ConfigDir: at.configDir, Version: version, DeadRootLimit: limit})
		},
	}
	c.Flags().DurationVar(&limit, "dead-root-limit", limit, "how long a host may take to go down whose root file system has lost its paths, before the daemon ends it; 0: it never does")
	return c
}
