package daemon

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/server"
	"pathkeeper/show"
)

// source is what the daemon offers to its sockets. It never waits for the loop
// but to reload.
type source struct{ d *Daemon }

func (s source) Snapshot() mpath.Snapshot {
	snap := s.d.loop.current()
	snap.Now = now()
	return snap
}

func (s source) Basis(ctx context.Context) (snap mpath.Snapshot, b mpath.Basis, err error) {
	err = s.d.loop.call(ctx, func() { snap, b = s.d.loop.core.Snapshot(), s.d.loop.core.Basis() })
	return snap, b, err
}

func (s source) Status() server.Status {
	snap := s.d.loop.current()
	st := server.Status{
		Version: s.d.opt.Version, PID: os.Getpid(), UptimeS: int64(time.Since(s.d.begun).Seconds()), State: server.StateStarting, Lost: s.d.log.lost.Load(),
		Bugs: s.d.loop.bugs.count.Load(),
	}
	r := s.d.loop.recorder.Stats()
	st.RecordLost, st.RecordFailed = r.Lost, r.Failed+r.Missed
	switch r := &s.d.reloads; {
	case r.stopping.Load():
		st.State = server.StateStopping
	case r.running.Load() > 0:
		st.State = server.StateConfiguring
	case snap.Started:
		st.State = server.StateRunning
	}
	st.ReloadPending = s.d.reloads.pending()
	st.Busy = snap.Looking > 0
	for _, m := range snap.Maps {
		if m.Known {
			st.Maps++
		}
	}
	for _, p := range snap.Paths {
		switch {
		case p.WWID == "":
			st.Rejected++
		default:
			st.Paths++
			if p.State.Usable() {
				st.Up++
			}
		}
	}
	return st
}

func (s source) Reload(ctx context.Context) (server.ReloadResult, error) {
	l, err := s.d.reload(ctx)
	return server.ReloadResult{Files: l.config.Files, Warnings: l.said()}, err
}

func (s source) Plan(ctx context.Context, place string) (server.PlanResult, error) {
	p, l, err := s.d.plan(ctx, place)
	return server.PlanResult{Plan: p, Warnings: l.said()}, err
}

func (s source) Apply(ctx context.Context, p mpath.Plan) (mpath.Applied, error) {
	return s.d.apply(ctx, p)
}

func (s source) Command(ctx context.Context, c mpath.Command) (mpath.Reply, error) {
	return s.d.loop.command(ctx, c)
}

func (s source) Rules() *policy.Compiled { return s.d.loop.rules.Load() }

func (s source) Reconfigure(all bool) { s.d.reloads.ask(all) }

func (s source) Quit() { s.d.quit() }

// bugWait bounds how long somebody who survived a panic waits to say so.
const bugWait = 5 * time.Second

func (s source) Bug(text string) {
	ctx, cancel := context.WithTimeout(context.Background(), bugWait)
	defer cancel()
	if s.d.loop.call(ctx, func() { s.d.loop.bug(text) }) != nil {
		s.d.log.printf(mpath.LevelError, "bug", "%s: please report it", text)
	}
}

// BlockDevices lists what sysfs has below block; nothing where it cannot be read.
func (s source) BlockDevices() []show.BlockDevice {
	dir := filepath.Join(s.d.opt.SysDir, "block")
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.d.log.printf(mpath.LevelWarning, "sysfs", "list the block devices: %v", err)
		return nil
	}
	var out []show.BlockDevice
	for _, e := range entries {
		hidden, _ := os.ReadFile(filepath.Join(dir, e.Name(), "hidden"))
		out = append(out, show.BlockDevice{Name: e.Name(), Hidden: strings.TrimSpace(string(hidden)) == "1"})
	}
	return out
}

func (s source) Subscribe(buf int) (<-chan server.Event, func()) { return s.d.log.hub.Subscribe(buf) }
