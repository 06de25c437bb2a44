package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"pathkeeper/mpath"
	"pathkeeper/show"
	"pathkeeper/sysfs"
	"pathkeeper/why"
)

func timeoutsCommand(at *places, std streams) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use: "timeouts MAP", Short: "How long a failure can go unnoticed, and which knob makes it so",
		Long: `How long it takes at worst until a failed path is seen, until I/O on it goes to
another path, and until I/O fails when all are lost: from the knobs of every layer
(checks, SCSI, transport, device-mapper) as they are now, with the one that adds
most. If the configuration has a deadline of a cluster (ha), it says whether that is
kept, and if not, what to change. It is arithmetic; nothing is measured.`,
		Args: takes(1, 1, "one map"),
		RunE: func(c *cobra.Command, args []string) error {
			return timeouts(c.Context(), *at, args[0], asJSON, std)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func timeouts(ctx context.Context, at places, name string, asJSON bool, std streams) error {
	talk := func(text string) { fmt.Fprintln(std.err, "pathkeeper: "+show.Safe(text)) }
	snap, basis, err := at.on.basis(ctx, at, talk)
	if err != nil {
		return err
	}
	one, ok := show.Select(snap, name)
	if !ok || len(one.Maps) == 0 {
		return fmt.Errorf("%s is no map and no path of one; `pathkeeper show maps` lists them", name)
	}
	m := one.Maps[0]
	in := why.TimesInput{Map: called(m), Settings: m.Settings, Queueing: m.Queueing.On, HA: basis.Config.HA}
	tree, end, err := at.on.tree()
	if err != nil {
		return err
	}
	defer end()
	for _, p := range one.Paths {
		if p.Odd != "" || !p.InTable {
			continue
		}
		t, err := sysfs.ReadTimeouts(tree, p.Name)
		if err != nil {
			talk(fmt.Sprintf("%s is left out: %v", p.Name, err))
			continue
		}
		in.Paths = append(in.Paths, pathTimes(p.Name, t))
	}
	if len(in.Paths) == 0 {
		return fmt.Errorf("%s has no path now: there is nothing to reckon with", called(m))
	}
	in.Kept = kept(tree, snap.Knobs, one.Paths)
	b := why.Budgeted(in)
	if asJSON {
		_, err = std.out.Write(show.JSON(b))
	} else {
		_, err = io.WriteString(std.out, b.Text())
	}
	return err
}

// pathTimes reads what the kernel shows.
func pathTimes(name string, t sysfs.Timeouts) why.PathTimes {
	return why.PathTimes{
		Path: name, Protocol: t.Protocol, Command: knob(t.Command), Retries: knob(t.Retries), EHDeadline: knob(t.EHDeadline),
		FastIOFail: knob(t.FastIOFail), DevLoss: knob(t.DevLoss),
		Recovery: knob(t.Recovery), NoopInterval: knob(t.NoopInterval), NoopTimeout: knob(t.NoopTimeout),
	}
}

// knob reads a number of seconds, "off", or a number below 0, which means for ever.
func knob(k sysfs.Knob) why.Knob {
	out := why.Knob{Origin: "/sys/" + k.Path}
	if k.Text == "off" {
		out.Known, out.Off = true, true
		return out
	}
	n, err := strconv.Atoi(k.Text)
	if err != nil {
		return out
	}
	out.Known, out.Off, out.Seconds = true, n < 0, max(n, 0)
	return out
}

// kept compares what the daemon writes for a map's paths with what the kernel has now.
func kept(tree sysfs.Tree, knobs []mpath.KnobView, paths []mpath.PathView) []why.Kept {
	var out []why.Kept
	for _, v := range knobs {
		if !slices.ContainsFunc(paths, func(p mpath.PathView) bool { return p.InTable && slices.Contains(p.Seen.Knobs(), v.Dir) }) {
			continue
		}
		for _, k := range v.Want {
			text, err := tree.ReadAttr(v.Dir+"/"+k.Name, sysfs.MaxAttr)
			has := strings.TrimSpace(string(text))
			out = append(out, why.Kept{
				Object: v.Object(), Knob: k.Name, Wanted: k.Value, Least: k.Raise, Kernel: has, Origin: v.Why,
				As: err == nil && k.Holds(has), Trouble: v.Trouble,
			})
		}
	}
	return out
}
