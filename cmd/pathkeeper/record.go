package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"pathkeeper/record"
	"pathkeeper/show"
)

// recorderDir is where the daemon records.
const recorderDir = "/run/pathkeeper/recorder"

func recordCommand(std streams) *cobra.Command {
	c := &cobra.Command{
		Use: "record", Short: "Keep the daemon's recording on disk",
		Long: `The daemon records what it is told and what it decides, in memory. This keeps a
copy on disk, for "pathkeeper replay" and "pathkeeper history --file". A bug that
the daemon finds in itself keeps one too.`,
		Args: cobra.ArbitraryArgs, RunE: subcommand,
	}
	var ring, dir string
	c.PersistentFlags().StringVar(&ring, "ring", recorderDir, "where the daemon records")
	c.PersistentFlags().StringVar(&dir, "dir", record.CopiesDir, "where copies are kept")
	save := &cobra.Command{
		Use: "save [NAME]", Short: "Copy the recording to disk",
		Long: fmt.Sprintf(`Copy the recording to disk, also that of a daemon that has ended, and print where
it is. Of all copies the newest %d are kept, %d MiB at most. Needs root.`, record.Copies, record.CopyBytes>>20),
		Args: takes(0, 1, "at most a name for the copy"),
		RunE: func(_ *cobra.Command, args []string) error {
			name := record.NewName(time.Now(), "asked")
			if len(args) == 1 {
				name = args[0]
			}
			if err := record.CheckName(name); err != nil {
				return usageError{err.Error()}
			}
			path, err := record.SaveRing(ring, dir, name, "pathkeeper record save")
			if errors.Is(err, fs.ErrNotExist) {
				return noRecording(ring, err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(std.out, path)
			return nil
		},
	}
	asJSON := false
	list := &cobra.Command{
		Use: "list", Short: "List the copies on disk", Args: takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			all, err := record.List(dir)
			if err != nil {
				return err
			}
			if asJSON {
				if all == nil {
					all = []record.Copied{}
				}
				return json.NewEncoder(std.out).Encode(all)
			}
			for _, r := range all {
				fmt.Fprintf(std.out, "%s  %8d KiB  %s\n", clock(r.Time), (r.Bytes+1023)>>10, show.Safe(r.Name))
			}
			return nil
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.AddCommand(save, list)
	return c
}
