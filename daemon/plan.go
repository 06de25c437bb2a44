package daemon

import (
	"context"
	"fmt"
	"time"

	"pathkeeper/dmmap/table"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/sysfs"
)

// plan says what the configuration at a place would do, "" the system's. The loop
// only copies the core; all the rest is the caller's work.
func (d *Daemon) plan(ctx context.Context, place string) (mpath.Plan, loaded, error) {
	loader, err := d.config.at(place)
	if err != nil {
		return mpath.Plan{}, loaded{}, err
	}
	l, err := loader.load()
	if err != nil {
		return mpath.Plan{}, l, err
	}
	p, err := d.foresee(ctx, l, place)
	return p, l, err
}

// foresee makes the plan of a configuration that was read.
func (d *Daemon) foresee(ctx context.Context, l loaded, place string) (mpath.Plan, error) {
	var copied *mpath.Checkpoint
	if err := d.loop.call(ctx, func() { copied = d.loop.core.Checkpoint() }); err != nil {
		return mpath.Plan{}, fmt.Errorf("making the plan: %w", err)
	}
	return d.foreseeFrom(copied, l, place)
}

// foreseeFrom uses a copy of the core up. A panic in it is a bug, and no reason to
// end.
func (d *Daemon) foreseeFrom(copied *mpath.Checkpoint, l loaded, place string) (p mpath.Plan, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("making the plan: a bug of Pathkeeper's, please report it: %v", cause)
		}
	}()
	clone, err := copied.Machine()
	if err != nil {
		return p, fmt.Errorf("making the plan: %w", err)
	}
	holds, warning := d.holdings()
	if p, err = clone.Foresee(l.event(true), holds); err != nil {
		return p, fmt.Errorf("making the plan: %w", err)
	}
	if warning != "" {
		p.Warnings = append(p.Warnings, warning)
	}
	p.Made, p.Config.Place = time.Now().Format(time.RFC3339), place
	return p, nil
}

// holdings are the maps that the system itself stands on.
func (d *Daemon) holdings() (out []mpath.Holding, warning string) {
	text, err := d.work.ports.Files.Read(engine.DefaultFiles().Mounts)
	if err != nil {
		return nil, fmt.Sprintf("which maps hold the system is not known: %v", err)
	}
	mounts, err := sysfs.ParseMountinfo(text)
	if err == nil {
		var found []sysfs.Foundation
		found, err = sysfs.Foundations(d.work.ports.Sysfs, mounts)
		for _, f := range found {
			for _, what := range f.Points {
				out = append(out, mpath.Holding{Dev: table.DevNum{Major: f.Major, Minor: f.Minor}, What: what})
			}
		}
	}
	if err != nil {
		return out, fmt.Sprintf("which maps hold the system is not known: %v", err)
	}
	return out, ""
}

// apply does what a plan says, if the configuration and the world are what it was
// made from, and the same plan would be made now.
func (d *Daemon) apply(ctx context.Context, p mpath.Plan) (mpath.Applied, error) {
	again, l, err := d.plan(ctx, p.Config.Place)
	if err != nil {
		return mpath.Applied{}, err
	}
	if text := mpath.PlansDiffer(p, again); text != "" {
		d.log.printf(mpath.LevelWarning, "apply", "refused: %s", text)
		return mpath.Applied{Text: "refused, nothing was touched: " + text}, nil
	}
	e := l.event(true)
	r, err := d.loop.apply(ctx, mpath.Apply{Config: e.Config, Users: e.Users, Groups: e.Groups, Plan: p})
	if err != nil || len(r.Maps) == 0 && !r.OK {
		return r, err
	}
	d.lookAtAllNodes(ctx)
	if p.Config.Place != "" {
		d.log.printf(mpath.LevelWarning, "config", "%s is in force; a reload or a restart reads the system's files again: put it there", p.Config.Place)
		r.Text += "; " + p.Config.Place + " is in force until the next reload or restart, which read the system's files: put it there"
	}
	return r, nil
}
