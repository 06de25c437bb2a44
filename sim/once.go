package sim

import (
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// Once does for a simulated host without a daemon what daemon.Once does for a real one,
// and lets the time pass that it takes.
func (s *Session) Once(o *mpath.Once, only *engine.Only, edit func(*policy.Config)) (snap mpath.Snapshot, err error) {
	cfg, _, err := s.loadConfig("")
	if err != nil {
		return snap, err
	}
	if edit != nil {
		edit(&cfg)
	}
	d := s.d
	o.Config = mpath.Configured{Config: cfg}
	d.took = o.Took
	defer func() { d.took = nil }()
	d.start(cfg, &engine.Engine{Files: engine.DefaultFiles(), BootID: BootID, Only: only})
	for d.Err == nil {
		ev, narrow, done := o.Next(d.core, d.w.now)
		if narrow != nil {
			d.eng.Only = &engine.Only{Maps: narrow}
		}
		switch {
		case done:
			snap = d.Snapshot()
			d.Kill()
			return snap, nil
		case ev != nil:
			d.step(ev)
		default:
			if err := s.run(onceTurn); err != nil {
				return snap, err
			}
		}
	}
	return snap, d.Err
}

// onceTurn is how often it is looked whether all is done.
const onceTurn = 20 * mpath.Millisecond

// Paused says whether the process is there and does not run.
func (s *Session) Paused() bool { return s.d.running && s.d.stopped }

// Sleep lets the time pass, for a command that waits.
func (s *Session) Sleep(t mpath.Span) { _ = s.run(t) }
