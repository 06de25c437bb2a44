package daemon

import (
	"context"
	"fmt"
	"io"

	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/server"
)

// ObserveOptions say how far an observer goes.
type ObserveOptions struct {
	Options
	// Checks asks every path; without it nothing is sent to any device.
	Checks bool
	// Missing takes the error of a kernel without device-mapper: what can be said
	// without maps is said then. nil: that is an error like any other.
	Missing func(error)

	openDM func() (*dmioctl.Control, error) // nil: the kernel's
}

// Observe builds, without the daemon, the snapshot that the daemon would have:
// the same core with the same configuration, fed by sysfs and device-mapper.
// It changes nothing.
func Observe(ctx context.Context, opt ObserveOptions) (mpath.Snapshot, error) {
	var s mpath.Snapshot
	err := observe(ctx, opt, func(mc *mpath.Machine) bool { return mc.Complete(opt.Checks) }, func(d *Daemon) error {
		s = d.loop.fresh()
		return nil
	})
	return s, err
}

// ObserveBasis is Observe with what the core decided from.
func ObserveBasis(ctx context.Context, opt ObserveOptions) (s mpath.Snapshot, b mpath.Basis, err error) {
	err = observe(ctx, opt, func(mc *mpath.Machine) bool { return mc.Complete(opt.Checks) }, func(d *Daemon) error {
		s, b = d.loop.fresh(), d.loop.core.Basis()
		return nil
	})
	return s, b, err
}

// ObservePlan says, without the daemon, what it would do if it were started with the
// system's configuration and then given the one at a place, "" the system's: what a
// start changes nothing of, and a reload does. It asks every path and changes nothing.
func ObservePlan(ctx context.Context, opt Options, place string) (res server.PlanResult, err error) {
	err = observe(ctx, ObserveOptions{Options: opt, Checks: true}, func(mc *mpath.Machine) bool { return mc.Complete(true) && mc.Started() }, func(d *Daemon) error {
		loader, err := d.config.at(place)
		if err != nil {
			return err
		}
		l, err := loader.load()
		if err != nil {
			return err
		}
		res.Warnings = l.said()
		res.Plan, err = d.foreseeFrom(d.loop.core.Checkpoint(), l, place)
		return err
	})
	return res, err
}

// observe has a core look at everything until it is complete, then hands it over.
func observe(ctx context.Context, opt ObserveOptions, complete func(*mpath.Machine) bool, then func(*Daemon) error) error {
	opt.Options = opt.Options.withDefaults()
	d := &Daemon{opt: opt.Options, log: newJournal(mpath.LevelError, false), config: newConfigLoader(opt.Options), missing: opt.Missing, openDM: opt.openDM}
	first, err := d.config.load()
	if err != nil {
		return err
	}
	go d.log.write(io.Discard)
	defer d.end()
	if _, err := d.openPorts(true); err != nil {
		return err
	}
	eng, err := d.newEngine()
	if err != nil {
		return err
	}
	eng.ReadOnly, eng.Quiet = true, !opt.Checks
	d.loop = newLoop(eng, d.work, d.log)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := ctx
	d.begin(first.event(false), policy.Kernel{})
	d.loop.run(ctx, func() {
		if complete(d.loop.core) {
			d.loop.publish()
			cancel()
		}
	})
	if err := then(d); err != nil {
		return err
	}
	if err := asked.Err(); err != nil && !complete(d.loop.core) {
		return fmt.Errorf("looking at the devices: %w", err)
	}
	return nil
}

// Preflight says in one line what keeps the daemon or an observer from working:
// no root, no device-mapper.
func Preflight() error {
	c, err := dmioctl.Open()
	if err != nil {
		return err
	}
	return c.Close()
}
