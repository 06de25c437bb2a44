package sim

import (
	"errors"

	"pathkeeper/configs"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// ErrSilent is what a command gets from a daemon that is stopped (SIGSTOP).
var ErrSilent = errors.New("the daemon does not answer: it is paused (`daemon resume` lets it go on)")

// Snapshot is what a command shows of the host: what its daemon knows, or without
// one what the kernel says. checks asks the paths then.
func (s *Session) Snapshot(checks bool) (snap mpath.Snapshot, running bool, err error) {
	switch {
	case s.d.running && s.d.stopped:
		return snap, true, ErrSilent
	case s.d.running:
		return s.d.Snapshot(), true, nil
	}
	cfg, _, err := s.loadConfig("")
	if err != nil {
		return snap, false, err
	}
	return s.w.observe(cfg, s.d.ports, checks).Snapshot(), false, nil
}

// Observed is what a command that does without the daemon shows of the host.
func (s *Session) Observed(checks bool) (snap mpath.Snapshot, err error) {
	cfg, _, err := s.loadConfig("")
	if err != nil {
		return snap, err
	}
	return s.w.observe(cfg, s.d.ports, checks).Snapshot(), nil
}

// Basis is what the daemon decides from, or without one an observer.
func (s *Session) Basis() (snap mpath.Snapshot, b mpath.Basis, running bool, err error) {
	switch {
	case s.d.running && s.d.stopped:
		return snap, b, true, ErrSilent
	case s.d.running:
		return s.d.Snapshot(), s.d.core.Basis(), true, nil
	}
	cfg, _, err := s.loadConfig("")
	if err != nil {
		return snap, b, false, err
	}
	core := s.w.observe(cfg, s.d.ports, true)
	return core.Snapshot(), core.Basis(), false, nil
}

// observe does for a simulated host what daemon.Observe does for a real one: the
// core looks at everything once and changes nothing. No time passes meanwhile.
func (w *World) observe(cfg policy.Config, ports engine.Ports, checks bool) *mpath.Machine {
	core := mpath.New()
	eng := &engine.Engine{Files: engine.DefaultFiles(), BootID: BootID, ReadOnly: true, Quiet: !checks}
	var todo []engine.Step
	ports.Write, ports.Nodes = nil, nil
	step := func(ev mpath.Event) {
		acts, _ := core.Step(w.now, ev)
		for _, a := range acts {
			if _, ok := a.(mpath.Note); !ok {
				todo = append(todo, eng.Start(a))
			}
		}
	}
	todo = append(todo, eng.LoadState(policy.Kernel{}, func(string) {}))
	step(mpath.Configured{Config: cfg})
	for len(todo) > 0 && !core.Complete(checks) {
		next := todo[0]
		todo = todo[1:]
		switch {
		case next.Next != nil:
			todo = append(todo, next.Next(ports.Perform(next.Ask)))
		case next.Event != nil:
			step(next.Event)
		}
	}
	w.took = 0
	return core
}

// loadConfig reads the host's configuration, or that at a place, as package daemon
// does.
func (s *Session) loadConfig(place string) (policy.Config, []configs.Message, error) {
	main, dir := "/etc/multipath.conf", "/etc/multipath/conf.d"
	if _, native := find(s.w.Files.files, configs.SystemPaths().Native); native {
		main, dir = configs.SystemPaths().Native, configs.SystemPaths().NativeDir
	}
	if _, file := find(s.w.Files.files, place); file {
		main = place
	} else if place != "" {
		main, dir = place+"/pathkeeper.yaml", place+"/conf.d"
		if _, native := find(s.w.Files.files, main); !native {
			main = place + "/multipath.conf"
		}
		if _, ok := find(s.w.Files.files, main); !ok {
			return policy.Config{}, nil, errors.New("reading the configuration: there is no file " + place + " and none " + main)
		}
	}
	var files []configs.File
	if text, ok := find(s.w.Files.files, main); ok {
		files = append(files, configs.File{Path: main, Data: []byte(text)})
	}
	for _, f := range s.w.Files.files { // sorted by path
		if len(f.path) > len(dir)+6 && f.path[:len(dir)+1] == dir+"/" && (configs.IsNative(f.path) || f.path[len(f.path)-5:] == ".conf") && configs.IsNative(f.path) == configs.IsNative(main) {
			files = append(files, configs.File{Path: f.path, Data: []byte(f.data), DropIn: true})
		}
	}
	cfg, messages, err := configs.Parse(files)
	if err != nil {
		return cfg, messages, err
	}
	_, problems := policy.Compile(cfg)
	for _, p := range problems {
		if p.Fatal {
			return cfg, messages, errors.New(p.Origin.String() + ": " + p.Text)
		}
	}
	return cfg, messages, nil
}
