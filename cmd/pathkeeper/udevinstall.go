package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pathkeeper/rules"
)

// udevInstallCommand writes the shipped rules into a directory, for `make
// install` and packages.
func udevInstallCommand() *cobra.Command {
	var program string
	c := &cobra.Command{
		Use: "install DIR", Short: "Write the udev rules into a directory", Args: takes(1, 1, "DIR, for example /usr/lib/udev/rules.d"),
		Long: `Write the udev rules into a directory, made if it is missing. Only files under
our own names are written; nothing of multipath-tools is touched.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("making %s: %w", args[0], err)
			}
			for _, f := range rules.Files(program) {
				if err := os.WriteFile(filepath.Join(args[0], f.Name), []byte(f.Content), 0o644); err != nil {
					return fmt.Errorf("writing the rules: %w", err)
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&program, "program", rules.DefaultProgram, "where the rules find pathkeeper")
	return c
}
