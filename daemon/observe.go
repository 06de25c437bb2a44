package daemon

import (
	"context"
	"fmt"
	"io"

	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// ObserveOptions say how far an observer goes.
type ObserveOptions struct {
	Options
	// Checks asks every path; without it nothing is sent to any device.
	Checks bool
}

// Observe builds, without the daemon, the snapshot that the daemon would have:
// the same core with the same configuration, fed by sysfs and device-mapper.
// It changes nothing.
func Observe(ctx context.Context, opt ObserveOptions) (mpath.Snapshot, error) {
	opt.Options = opt.Options.withDefaults()
	loader := newConfigLoader(opt.Options)
	first, err := loader.load()
	if err != nil {
		return mpath.Snapshot{}, err
	}
	d := &Daemon{opt: opt.Options, log: newJournal(mpath.LevelError, false)}
	go d.log.write(io.Discard)
	defer d.end()
	if _, err := d.openPorts(true); err != nil {
		return mpath.Snapshot{}, err
	}
	eng, err := d.newEngine()
	if err != nil {
		return mpath.Snapshot{}, err
	}
	eng.ReadOnly, eng.Quiet = true, !opt.Checks
	d.loop = newLoop(eng, d.work, d.log)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := ctx
	d.begin(first.event(false), policy.Kernel{})
	d.loop.run(ctx, func() {
		if d.loop.core.Complete(opt.Checks) {
			d.loop.publish()
			cancel()
		}
	})
	if err := asked.Err(); err != nil && !d.loop.core.Complete(opt.Checks) {
		return d.loop.fresh(), fmt.Errorf("looking at the devices: %w", err)
	}
	return d.loop.fresh(), nil
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
