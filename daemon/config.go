package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pathkeeper/configs"
	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// configLoader reads the configuration files and resolves what only the host
// can: user and group names.
type configLoader struct {
	paths configs.Paths
}

// loaded is one reading of the configuration.
type loaded struct {
	config   policy.Config
	messages []configs.Message
	users    []mpath.NameID
	groups   []mpath.NameID
	warnings []string
}

func newConfigLoader(opt Options) *configLoader {
	return &configLoader{paths: configs.PathsAt(opt.ConfigFile, opt.ConfigDir)}
}

// load reads everything, or says with file, line and column what is wrong.
func (c *configLoader) load() (loaded, error) {
	cfg, messages, err := configs.Load(c.paths)
	if err != nil {
		return loaded{messages: messages}, err
	}
	l := loaded{config: cfg, messages: messages}
	l.users, l.groups = resolveNames(cfg, func(o policy.Origin, text string) {
		l.warnings = append(l.warnings, o.String()+": "+text)
	})
	if _, problems := policy.Compile(cfg); len(problems) > 0 {
		for _, p := range problems {
			if p.Fatal {
				return l, fmt.Errorf("%s: %s", p.Origin, p.Text)
			}
		}
	}
	return l, nil
}

// said is what was found wrong or out of date in the files.
func (l loaded) said() []string {
	out := slices.Clone(l.warnings)
	for _, m := range l.messages {
		out = append(out, m.String())
	}
	return out
}

// at is the loader of another place: a file instead of the main one, or a directory
// with pathkeeper.yaml or multipath.conf, and conf.d. "" is this one.
func (c *configLoader) at(place string) (*configLoader, error) {
	if place == "" {
		return c, nil
	}
	if !filepath.IsAbs(place) {
		return nil, fmt.Errorf("%s: the daemon needs the whole path", place)
	}
	st, err := os.Stat(place)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if st.IsDir() {
		return &configLoader{paths: configs.PathsBelow(place)}, nil
	}
	p := c.paths
	if main, dir := p.InForce(); configs.IsNative(main) == configs.IsNative(place) {
		p.Dir = dir // a file instead of the main one, with the same drop-ins
	} else {
		p.Dir = configs.PathsAt(place, "").Dir
	}
	p.Main, p.Native = place, ""
	return &configLoader{paths: p}, nil
}

func (l loaded) event(reconfigure bool) mpath.Configured {
	return mpath.Configured{Config: l.config, Users: l.users, Groups: l.groups, Reconfigure: reconfigure}
}

// reportConfig logs what was found wrong or out of date in the files.
func (d *Daemon) reportConfig(l loaded) {
	for _, m := range l.messages {
		level := mpath.LevelWarning
		if m.Level == configs.LevelError {
			level = mpath.LevelError
		}
		d.log.printf(level, "config", "%s", m.String())
	}
	for _, w := range l.warnings {
		d.log.printf(mpath.LevelWarning, "config", "%s", w)
	}
}

// reportMistake logs the line that a refused file has wrong, marked; what is wrong
// with it is told by whoever asked.
func (d *Daemon) reportMistake(err error) {
	var bad *configs.Error
	if !errors.As(err, &bad) {
		return
	}
	for line := range strings.Lines(bad.Message.Excerpt()) {
		d.log.printf(mpath.LevelError, "config", "%s", strings.TrimRight(strings.ReplaceAll(line, "\t", " "), "\n"))
	}
}

// reload reads the configuration again and gives it to the core, with all that
// it changes. A bad one changes nothing.
func (d *Daemon) reload(ctx context.Context) (loaded, error) {
	d.reloads.running.Add(1)
	defer d.reloads.running.Add(-1)
	l, err := d.config.load()
	if err != nil {
		d.reportMistake(err)
		return l, err
	}
	d.reportConfig(l)
	if p, err := d.foresee(ctx, l, ""); err == nil {
		d.reportPlan(p)
	}
	if err := d.loop.call(ctx, func() { d.loop.step(l.event(true)) }); err != nil {
		return l, fmt.Errorf("giving the configuration to the daemon's loop: %w", err)
	}
	d.lookAtAllNodes(ctx)
	d.log.printf(mpath.LevelNotice, "", "configuration read again: %s", d.loop.current().Summary())
	return l, nil
}

// reportPlan logs what a reload is about to do.
func (d *Daemon) reportPlan(p mpath.Plan) {
	for _, m := range p.Maps {
		for _, n := range m.Needs {
			d.log.printf(mpath.LevelWarning, m.Name, "needs %s: %s", n.Kind, n.Reason)
		}
	}
	d.log.printf(mpath.LevelNotice, "", "the plan of this configuration: %s", p.Summary())
}
