package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/show"
)

// exitLost is the exit code of `config convert` when the text is written and
// something could not be said in it.
const exitLost = 3

func configConvertCommand(at *places, std streams) *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "convert --to yaml|multipath.conf [FILE..]", Short: "Turn multipath.conf into pathkeeper.yaml, or back",
		Long: `Write what a configuration says in the other form, on standard output; no file is
changed. Without FILE: the configuration of this host with its drop-ins. With
several, a later one is laid over an earlier one. What is built in is left out, and
so are comments.

Both forms say the same, but for a few things: multipath.conf has no names of
single disks, no ha, no expected_paths and cannot switch an entry off; pathkeeper.yaml
takes no value that multipath.conf takes only with a warning. Such things are told
with their place and stand as comments in the text. The text is read again before it
is printed, and compared. A profile becomes its settings in multipath.conf.

Exit codes: 0 nothing is lost; 1 it could not be done; 2 the command line is wrong;
3 it is written, and something could not be said.`,
		RunE: func(_ *cobra.Command, files []string) error {
			talk := func(text string) { fmt.Fprintln(std.err, "pathkeeper: "+show.Safe(text)) }
			if to != "yaml" && to != "multipath.conf" {
				return usagef("`pathkeeper config convert` wants --to yaml or --to multipath.conf")
			}
			cfg, err := readConfig(*at, files, talk)
			if err != nil {
				return err
			}
			text, lost := configs.Convert(cfg, to == "yaml")
			if _, err := std.out.Write(text); err != nil {
				return err
			}
			for _, l := range lost {
				talk(l.String())
			}
			if len(lost) > 0 {
				return ending{code: exitLost}
			}
			return nil
		},
	}
	c.Flags().StringVar(&to, "to", "", "the form to write: yaml or multipath.conf")
	return c
}
