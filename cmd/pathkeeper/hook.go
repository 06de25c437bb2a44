package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pathkeeper/policy"
	"pathkeeper/rules"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

func udevCommand(std streams) *cobra.Command {
	c := &cobra.Command{Use: "udev", Short: "What the udev rules call", Args: cobra.ArbitraryArgs, RunE: subcommand}
	c.AddCommand(&cobra.Command{
		Use: "hook", Short: "Print the properties of the device of an event", Args: takes(0, 0, ""),
		Long: `Print the properties of the block device that the environment names (DEVPATH or
DEVNAME), as IMPORT{program} of a udev rule reads them: whether a disk is a path
of a multipath map and why, or how a map can be used and who owns it. It decides
as the daemon does and sends nothing to any device. With an error it prints
nothing and exits 1: what was known of the device before stays.`,
		RunE: func(*cobra.Command, []string) error {
			if hookMain(systemHost(), os.Environ(), std) != exitDone {
				return errors.New("the hook could not answer")
			}
			return nil
		},
	})
	c.AddCommand(udevInstallCommand(), udevPartitionsCommand(), udevWaitCommand(), udevWaitHereCommand())
	return c
}

// hookMain answers one event.
func hookMain(h hookHost, environ []string, std streams) int {
	properties, err := hook(h, readEnvironment(environ))
	if err != nil {
		return report(std, "pathkeeper udev hook", err)
	}
	if _, err := io.WriteString(std.out, rules.Format(properties)); err != nil {
		return exitError
	}
	return exitDone
}

// readEnvironment gives the event's properties, sorted by name as udev's database
// has them.
func readEnvironment(environ []string) uevent.Props {
	var props uevent.Props
	for _, e := range environ {
		if key, value, ok := strings.Cut(e, "="); ok && key != "" {
			props = append(props, uevent.KV{Key: key, Value: value})
		}
	}
	slices.SortStableFunc(props, func(a, b uevent.KV) int { return strings.Compare(a.Key, b.Key) })
	return props
}

func hook(h hookHost, env uevent.Props) ([]rules.KV, error) {
	if env.Value("ACTION") == "remove" {
		return nil, h.endWait(env.Value("MAJOR") + ":" + env.Value("MINOR"))
	}
	name := eventDevice(env)
	if name == "" {
		return nil, usageError{"neither DEVPATH nor DEVNAME is set: this is called by udev's rules"}
	}
	d, end, err := newDecider(h)
	if err != nil {
		return nil, err
	}
	defer end()
	disk, err := sysfs.ReadFacts(d.tree, name)
	if err != nil {
		return nil, err
	}
	if disk.DM.UUID != "" {
		if !sysfs.IsMultipath(disk.DM.UUID) {
			return nil, nil
		}
		return rules.MapProperties(d.mapFacts(disk, env)), nil
	}
	return d.pathProperties(disk, env), nil
}

// eventDevice is the kernel's name of the device that an event is about.
func eventDevice(env uevent.Props) string {
	name := env.Value("DEVPATH")
	if name == "" {
		name = strings.ReplaceAll(strings.TrimPrefix(env.Value("DEVNAME"), "/dev/"), "/", "!")
	}
	return name[strings.LastIndexByte(name, '/')+1:]
}

// newDecider reads what every decision of the hook depends on.
func newDecider(h hookHost) (*decider, func(), error) {
	cfg, err := h.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	compiled, problems := policy.Compile(cfg)
	for _, p := range problems {
		if p.Fatal {
			return nil, nil, fmt.Errorf("%s: %s", p.Origin, p.Text)
		}
	}
	tree, end, err := h.openTree()
	if err != nil {
		return nil, nil, err
	}
	return &decider{host: h, tree: tree, rules: compiled, state: readState(h)}, end, nil
}
