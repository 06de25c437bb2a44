package main

import (
	"io"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/policy"
	"pathkeeper/show"
)

func configDumpCommand(at *places, std streams) *cobra.Command {
	return &cobra.Command{
		Use: "dump [FILE..]", Short: "The whole configuration in force, as multipath -t prints it",
		Long: `The whole configuration in force, what is built in included, as multipath -t
prints it. It can be read again with the same meaning. Without FILE: the
configuration of this host. With several, a later one is laid over an earlier one.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, files []string) error {
			if len(files) == 0 {
				return dumpHost(at, std)
			}
			c, messages, err := at.loadFiles(files)
			return dump(std, c, messages, err)
		},
	}
}

func dumpHost(at *places, std streams) error {
	c, messages, err := at.on.config(*at)
	return dump(std, c, messages, err)
}

func dump(std streams, c policy.Config, messages []configs.Message, err error) error {
	if err != nil {
		return err
	}
	return dumpKept(std, c, messages, nil)
}

// dumpKept prints a configuration with the device entries that are kept; nil: all.
func dumpKept(std streams, c policy.Config, messages []configs.Message, keep func(policy.Device) bool) error {
	for _, m := range messages {
		io.WriteString(std.err, show.Safe(m.String())+"\n"+m.Excerpt())
	}
	_, err := std.out.Write(configs.Dump(c, keep))
	return err
}
