package main

import (
	"github.com/spf13/cobra"

	"pathkeeper/sim"
)

func simCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use: "sim", Short: "Show how it works, against a simulated kernel", Args: takes(0, 0, ""),
		Long: `Tell a story against a simulated kernel, SAN and clock: the disks of an Oracle RAC
host come up with their names, a two-controller LUN loses paths under I/O, fails
over and fails back. The real core and the real encoding of every call take part;
nothing of this machine is touched, and no privilege is needed.`,
		RunE: func(*cobra.Command, []string) error { return sim.Story(std.out) },
	}
}
