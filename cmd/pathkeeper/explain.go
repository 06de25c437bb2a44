package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/show"
	"pathkeeper/why"
)

func explainCommand(at *places, std streams) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use: "explain DEVICE|WWID|MAP", Short: "Why a device is a path or none, and why a map is as it is",
		Long: `Why a device is a path or is left alone: what it says who it is, which rules were
asked, which one decided with its file and line, what each mode of find_multipaths
would do, and what would change the outcome: each change that is told has been
tried on a copy of the configuration. Of a map: why it has its name, its groups,
its settings, and what becomes of I/O without a path. A WWID that no device here
has is explained too, as far as the configuration speaks of it.

With the daemon it is the configuration that the daemon has read; without, or with
--config, that of the files.`,
		Args: takes(1, 1, "one device, map or WWID"),
		RunE: func(c *cobra.Command, args []string) error {
			return explain(c.Context(), *at, args[0], c.Flags().Changed("config"), asJSON, std)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func explain(ctx context.Context, at places, name string, chosen, asJSON bool, std streams) error {
	talk := func(text string) { fmt.Fprintln(std.err, "pathkeeper: "+show.Safe(text)) }
	snap, basis, err := at.on.basis(ctx, at, talk)
	if err != nil {
		return err
	}
	cfg, _, err := at.on.config(at)
	switch {
	case err == nil && chosen:
		if err := refused(cfg); err != nil {
			return err
		}
		basis.Config = cfg
	case chosen:
		return err
	case readBy(basis.Config, at):
		tellDrift(snap, basis, name, cfg, err, talk)
	}
	e, ok := why.Explain(snap, basis, name)
	if !ok {
		return fmt.Errorf("%s is no device, map, name or WWID that this host or its configuration knows; `pathkeeper show paths --all` lists the devices", name)
	}
	if asJSON {
		_, err = std.out.Write(show.JSON(e))
	} else {
		_, err = io.WriteString(std.out, e.Text())
	}
	return err
}

// refused says what forbids the use of a configuration.
func refused(cfg policy.Config) error {
	_, err := compiled(cfg, func(string) {})
	return err
}

// readBy says whether a configuration was read from these places: a daemon may have
// been given others.
func readBy(cfg policy.Config, at places) bool {
	p := configs.PathsAt(at.configFile, at.configDir)
	for _, name := range cfg.Files {
		dir := filepath.Dir(name)
		if name != p.Main && name != p.Native && dir != filepath.Clean(p.Dir) && dir != filepath.Clean(p.NativeDir) {
			return false
		}
	}
	return true
}

// tellDrift says where the files of the host, as they are now, would give another
// answer than the configuration that the daemon has read.
func tellDrift(snap mpath.Snapshot, basis mpath.Basis, name string, cfg policy.Config, err error, talk func(string)) {
	if err == nil {
		err = refused(cfg)
	}
	if err != nil {
		talk("the configuration on disk cannot be used, a reload would refuse it: " + err.Error())
		return
	}
	now := basis
	now.Config = cfg
	old, known := why.Explain(snap, basis, name)
	fresh, _ := why.Explain(snap, now, name)
	if known && (old.Verdict != fresh.Verdict || old.Origin != fresh.Origin) {
		talk(fmt.Sprintf("the files have changed since the daemon read them; after `pathkeeper reload`: %s", fresh.Answer))
	}
}
