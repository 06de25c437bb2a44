package daemon

import (
	"context"
	"sync"
	"sync/atomic"

	"pathkeeper/mpath"
)

// reloads are the readings of the configuration that were asked for by who does not
// wait for them: SIGHUP and `reconfigure`. Several that wait are one.
type reloads struct {
	mu     sync.Mutex
	asked  bool
	all    bool          // every table is to be loaded anew
	wanted chan struct{} // 1: somebody has asked

	running  atomic.Int32 // readings that are under way, asked for by whomever
	stopping atomic.Bool
}

func newReloads() reloads { return reloads{wanted: make(chan struct{}, 1)} }

// ask never waits.
func (r *reloads) ask(all bool) {
	r.mu.Lock()
	r.asked = true
	r.all = r.all || all
	r.mu.Unlock()
	select {
	case r.wanted <- struct{}{}:
	default:
	}
}

func (r *reloads) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// take gives what was asked for, and forgets it.
func (r *reloads) take() (all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all = r.all
	r.asked, r.all = false, false
	return all
}

// serveReloads does what is asked for, until ctx ends.
func (d *Daemon) serveReloads(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.reloads.wanted:
		}
		all := d.reloads.take()
		if _, err := d.reload(ctx); err != nil {
			d.log.printf(mpath.LevelError, "reload", "%v: the former configuration stays", err)
			continue
		}
		if !all {
			continue
		}
		r, err := d.loop.command(ctx, mpath.Command{Kind: mpath.CommandReloadMap})
		switch {
		case err != nil:
			d.log.printf(mpath.LevelError, "reload", "all tables anew: %v", err)
		case !r.OK:
			d.log.printf(mpath.LevelWarning, "reload", "all tables anew: %s", r.Text)
		}
	}
}
