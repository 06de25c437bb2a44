package daemon

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// OnceOptions say what is done once, where no daemon runs.
type OnceOptions struct {
	Options
	// Edit changes the configuration that was read, as the command line says.
	Edit func(*policy.Config)
	// Only, if set, is all that is looked at and changed.
	Only *engine.Only
	// Commands are carried out; none: maps are made, and brought into line with the
	// configuration.
	Commands []mpath.Command
	Reload   bool // every map gets a new table
	QueueOff bool // switch queueing off on what was made or loaded
	Retries  int  // of removals of maps that are in use
	Limit    time.Duration
	// Warn takes what was found wrong in the files.
	Warn func(string)
}

// OnceResult is what became of it.
type OnceResult struct {
	Snapshot mpath.Snapshot
	Did      []mpath.OnceDid
	Replies  []mpath.Reply
	Left     string // what was not done in time, "" nothing
}

func (r OnceResult) did(wwid, what string) bool {
	return slices.Contains(r.Did, mpath.OnceDid{WWID: wwid, What: what})
}

// NodeLimit is how long the nodes of new maps are waited for.
const NodeLimit = 10 * time.Second

// Once does what the daemon would do until nothing is left to do, and ends: the same
// core and the same engine, under the same lock, so that no manager runs beside it.
// Whoever holds the lock is named in the error, and nothing is touched.
func Once(ctx context.Context, opt OnceOptions) (res OnceResult, err error) {
	opt.Options = opt.withDefaults()
	d := &Daemon{opt: opt.Options, begun: time.Now()}
	first, err := newConfigLoader(opt.Options).load()
	if err != nil {
		return res, err
	}
	for _, w := range first.said() {
		opt.Warn(w)
	}
	if opt.Edit != nil {
		opt.Edit(&first.config)
	}
	if err := Preflight(); err != nil {
		return res, err
	}
	pid, _, err := lockManager(opt.PidFile)
	if err != nil {
		return res, err
	}
	d.close = append(d.close, func() { UnlockManager(pid) })
	defer d.end()
	d.log = newJournal(opt.Level, false)
	go d.log.write(opt.Log)
	defer d.log.flush(time.Second)
	if _, err := d.openPorts(false); err != nil {
		return res, err
	}
	if err := os.MkdirAll(opt.RunDir, 0o755); err != nil {
		return res, fmt.Errorf("making %s: %w", opt.RunDir, err)
	}
	eng, err := d.newEngine()
	if err != nil {
		return res, err
	}
	eng.Only = opt.Only
	d.loop = newLoop(eng, d.work, d.log)
	once := &mpath.Once{
		Commands: opt.Commands, Config: first.event(true), Reload: opt.Reload, QueueOff: opt.QueueOff, Retries: opt.Retries, Limit: mpath.Span(opt.Limit),
	}
	if opt.Only != nil {
		once.Only = opt.Only.Maps
	}
	d.runOnce(ctx, once, first)
	res = OnceResult{Snapshot: d.loop.last(), Did: once.Did, Replies: once.Replies, Left: once.Left}
	if d.loop.unsound != nil {
		return res, d.loop.unsound
	}
	d.nodesOf(res)
	return res, nil
}

// runOnce runs the loop until once says that it is enough. The end of ctx, or a signal,
// ends it before its time, when the kernel has answered what it was asked.
func (d *Daemon) runOnce(ctx context.Context, once *mpath.Once, first loaded) {
	asked, stop := signal.NotifyContext(ctx, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	defer stop()
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	d.loop.took = once.Took
	d.begin(first.event(false), KernelOffers("/"))
	d.loop.run(inner, func() {
		for {
			if asked.Err() != nil {
				if ev := once.Stop(d.loop.core, now(), "it was interrupted"); ev != nil {
					d.loop.step(ev)
				}
			}
			ev, only, done := once.Next(d.loop.core, now())
			if only != nil {
				d.loop.engine.Only = &engine.Only{Maps: only}
			}
			if done {
				d.loop.publish()
				cancel()
			}
			if ev == nil {
				return
			}
			d.loop.step(ev)
		}
	})
}

// nodesOf waits until udevd has made the nodes of the maps that were made, as programs
// expect that come next, and sees to owner and mode of all.
func (d *Daemon) nodesOf(res OnceResult) {
	if _, err := os.Stat(filepath.Join(d.opt.UdevDir, "control")); err != nil {
		return // nobody makes them
	}
	until := time.Now().Add(NodeLimit)
	for _, m := range res.Snapshot.Maps {
		if !m.Known {
			continue
		}
		for res.did(m.WWID, "create") || res.did(m.WWID, "rename") {
			if _, err := os.Stat(filepath.Join(d.opt.DevDir, "mapper", m.Name)); err == nil || time.Now().After(until) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		name := fmt.Sprintf("dm-%d", m.Truth.Dev.Minor)
		n, errno := d.nodes.Node(name)
		o := m.Owner
		if errno != 0 || n.Major != m.Truth.Dev.Major || n.Minor != m.Truth.Dev.Minor || !o.Set() ||
			(o.UID < 0 || uint32(o.UID) == n.UID) && (o.GID < 0 || uint32(o.GID) == n.GID) && (o.Mode < 0 || uint32(o.Mode) == n.Mode) {
			continue
		}
		if a := d.work.ports.Perform(engine.Ask{Kind: engine.KindOwner, Dev: m.Truth.Dev, Owner: o}); a.Errno != 0 {
			d.log.printf(mpath.LevelWarning, m.Name, "owner %s: %s", o, a.Detail)
		}
	}
}
