package sim

import (
	"pathkeeper/configs"
	"pathkeeper/dmmap/table"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/sysfs"
)

// Plan says what a configuration would do, as package daemon says it; the core goes
// on as if nobody had asked.
func (d *Daemon) Plan(cfg policy.Config) (mpath.Plan, error) {
	clone, err := d.core.Clone()
	if err != nil {
		return mpath.Plan{}, err
	}
	return clone.Foresee(mpath.Configured{Config: cfg}, d.w.holdings())
}

// holdings are the maps that the host itself stands on.
func (w *World) holdings() (out []mpath.Holding) {
	text, _ := w.Files.Read(engine.DefaultFiles().Mounts)
	mounts, _ := sysfs.ParseMountinfo(text)
	found, _ := sysfs.Foundations(Tree{w}, mounts)
	for _, f := range found {
		for _, what := range f.Points {
			out = append(out, mpath.Holding{Dev: table.DevNum{Major: f.Major, Minor: f.Minor}, What: what})
		}
	}
	w.took = 0
	return out
}

// Plan is what `pathkeeper plan` asks of the daemon, or of an observer where none is
// running.
func (s *Session) Plan(place string) (p mpath.Plan, warnings []string, running bool, err error) {
	running = s.d.running
	if running && s.d.stopped {
		return p, nil, true, ErrSilent
	}
	cfg, messages, err := s.loadConfig(place)
	if err != nil {
		return p, nil, running, err
	}
	if running {
		p, err = s.d.Plan(cfg)
	} else {
		p, err = s.observedPlan(cfg)
	}
	p.Config.Place = place
	return p, texts(messages), running, err
}

// observedPlan is what a daemon would do that is started with the host's files and
// then given a configuration.
func (s *Session) observedPlan(cfg policy.Config) (mpath.Plan, error) {
	own, _, err := s.loadConfig("")
	if err != nil {
		return mpath.Plan{}, err
	}
	core := s.w.observe(own, s.d.ports, true)
	core.Step(s.w.now, mpath.Wake{}) // what it would do now that its picture is complete, nobody carries out
	clone, err := core.Clone()
	if err != nil {
		return mpath.Plan{}, err
	}
	return clone.Foresee(mpath.Configured{Config: cfg}, s.w.holdings())
}

func texts(messages []configs.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, m.String())
	}
	return out
}

// PutFile writes a file of the host.
func (s *Session) PutFile(name, text string) { s.w.Files.Put(name, text) }

// ReadFile reads one.
func (s *Session) ReadFile(name string) ([]byte, error) { return s.w.Files.Read(name) }

// applyWait is longer than an apply takes.
const applyWait = 5 * mpath.Minute

// AskApply sends an Apply and does not wait; it gives its number.
func (d *Daemon) AskApply(cfg policy.Config, p mpath.Plan) (seq uint64) {
	d.lastCommand++
	seq = d.lastCommand
	d.news(d.life, mpath.Apply{Seq: seq, Config: cfg, Plan: p})
	return seq
}

// Applied gives the answers to an Apply so far: there must never be more than one.
func (d *Daemon) Applied(seq uint64) []mpath.Applied { return d.applied[seq] }

// Apply does what a plan says and lets the time pass until that is done or refused.
func (d *Daemon) Apply(cfg policy.Config, p mpath.Plan) (r mpath.Applied, ok bool) {
	seq := d.AskApply(cfg, p)
	for until := d.w.now.After(applyWait); len(d.applied[seq]) == 0 && d.w.now < until && d.Err == nil; {
		if !d.w.step(until) {
			break
		}
	}
	if list := d.applied[seq]; len(list) > 0 {
		return list[0], true
	}
	return r, false
}

// Apply is what `pathkeeper apply` asks of the daemon. running: there is one.
func (s *Session) Apply(p mpath.Plan) (r mpath.Applied, running bool, err error) {
	again, _, running, err := s.Plan(p.Config.Place)
	if err != nil || !running {
		return r, running, err
	}
	if text := mpath.PlansDiffer(p, again); text != "" {
		s.note(mpath.LevelWarning, "apply", "refused: %s", text)
		return mpath.Applied{Text: "refused, nothing was touched: " + text}, true, nil
	}
	cfg, _, err := s.loadConfig(p.Config.Place)
	if err != nil {
		return r, true, err
	}
	r, ok := s.d.Apply(cfg, p)
	if !ok {
		return r, true, ErrSilent
	}
	return r, true, nil
}
