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

// Plan is what `pathkeeper plan` asks of the daemon. running: there is one.
func (s *Session) Plan(place string) (p mpath.Plan, warnings []string, running bool, err error) {
	switch {
	case !s.d.running:
		return p, nil, false, nil
	case s.d.stopped:
		return p, nil, true, ErrSilent
	}
	cfg, messages, err := s.loadConfig(place)
	if err != nil {
		return p, nil, true, err
	}
	p, err = s.d.Plan(cfg)
	p.Config.Place = place
	return p, texts(messages), true, err
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
