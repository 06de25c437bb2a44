package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"pathkeeper/statefile"
)

// namesCommand holds what is done with the names of maps and disks; each command
// below it has a file of its own, names_NAME.go.
func namesCommand(at *places, std streams) *cobra.Command {
	n := &namesPlaces{places: at}
	c := &cobra.Command{
		Use: "names", Short: "Names of maps and disks: compare nodes, carry them over, take udev rules over",
		Args: cobra.ArbitraryArgs, RunE: subcommand,
	}
	c.PersistentFlags().StringVar(&n.bindings, "bindings", statefile.BindingsPath, "bindings file")
	c.AddCommand(namesExportCommand(n, std), namesCompareCommand(n, std), namesImportCommand(n, std), namesImportUdevCommand(n, std))
	return c
}

// namesPlaces are where names stand on this host.
type namesPlaces struct {
	*places
	bindings string
}

// readBindings reads the bindings file; one that is not there is empty.
func (n *namesPlaces) readBindings() (statefile.Bindings, []statefile.Problem, error) {
	data, err := n.on.stateFiles().Read(absolute(n.bindings))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return statefile.Bindings{}, nil, fmt.Errorf("the bindings file: %w", err)
	}
	b, problems := statefile.ParseBindings(data)
	return b, problems, nil
}

// absolute is a path as the state files' port wants it.
func absolute(name string) string {
	if full, err := filepath.Abs(name); err == nil {
		return full
	}
	return name
}
