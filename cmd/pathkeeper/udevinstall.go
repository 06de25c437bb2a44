package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pathkeeper/rules"
)

// udevInstallCommand writes the shipped rules into a directory, for `make
// install` and packages.
func udevInstallCommand() *cobra.Command {
	var program, as string
	var force bool
	c := &cobra.Command{
		Use: "install DIR", Short: "Write the udev rules into a directory", Args: takes(1, 1, "DIR, for example /usr/lib/udev/rules.d"),
		Long: `Write the udev rules into a directory, made if it is missing. Only files under
our own names are written; nothing of multipath-tools is touched.

With --as multipath-tools they get the names that multipath-tools uses, upstream
and on Debian: in /etc/udev/rules.d they take the place of its own. Where one of
these files is there already nothing is written, without --force.`,
		RunE: func(_ *cobra.Command, args []string) error {
			files := rules.Files(program)
			switch as {
			case "pathkeeper":
			case "multipath-tools":
				files = rules.FilesAsMultipathTools(program)
				if there := alreadyThere(args[0], files); len(there) > 0 && !force {
					return fmt.Errorf("%s has %s already, and nothing was written: --force writes over them", args[0], strings.Join(there, ", "))
				}
			default:
				return usagef("--as %q: pathkeeper or multipath-tools", as)
			}
			return installRules(args[0], files)
		},
	}
	c.Flags().StringVar(&program, "program", rules.DefaultProgram, "where the rules find pathkeeper")
	c.Flags().StringVar(&as, "as", "pathkeeper", "whose names the files get: pathkeeper, or multipath-tools")
	c.Flags().BoolVar(&force, "force", false, "with --as multipath-tools: write over files that are there")
	return c
}

// alreadyThere gives the files of which something is there, a link to /dev/null too:
// that is how an administrator switches rules off.
func alreadyThere(dir string, files []rules.File) (names []string) {
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.Name)); !errors.Is(err, fs.ErrNotExist) {
			names = append(names, f.Name)
		}
	}
	return names
}

// installRules writes each file to another name first: a link in the place of one
// is replaced, and not followed.
func installRules(dir string, files []rules.File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	for _, f := range files {
		at := filepath.Join(dir, f.Name)
		if err := os.WriteFile(at+".new", []byte(f.Content), 0o644); err != nil {
			return fmt.Errorf("writing the rules: %w", err)
		}
		if err := os.Rename(at+".new", at); err != nil {
			return fmt.Errorf("writing the rules: %w", err)
		}
	}
	return nil
}
