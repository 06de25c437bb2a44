package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"pathkeeper/blockio"
	"pathkeeper/configs"
	"pathkeeper/daemon"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/server"
)

const notRunning = "the daemon is not running: this is what sysfs and device-mapper say"

// look gets the snapshot of the daemon, or without one makes the same from sysfs
// and device-mapper. checks asks the paths, where nobody has done so. talk takes
// what the user should know about what is shown.
func look(ctx context.Context, at places, checks bool, talk func(string)) (mpath.Snapshot, error) {
	s, running, err := server.NewClient(at.socket).Snapshot(ctx)
	if err == nil || !errors.Is(err, server.ErrNotRunning) {
		warnOf(s, running, err, talk)
		return s, err
	}
	if err := at.named(); err != nil {
		return s, err
	}
	talk(notRunning)
	return daemon.Observe(ctx, observeOptions(at, checks))
}

// lookDeep is look with what is decided from. A host without device-mapper has no maps
// and is looked at all the same: its disks and its files still speak.
func lookDeep(ctx context.Context, at places, talk func(string)) (mpath.Snapshot, mpath.Basis, error) {
	s, b, running, err := server.NewClient(at.socket).Basis(ctx)
	if err == nil || !errors.Is(err, server.ErrNotRunning) {
		warnOf(s, running, err, talk)
		return s, b, err
	}
	if err := at.named(); err != nil {
		return s, b, err
	}
	talk(notRunning)
	opt := observeOptions(at, true)
	opt.Missing = func(err error) {
		talk(err.Error() + "; what follows goes by the disks and the files alone, as if there were no map")
	}
	return daemon.ObserveBasis(ctx, opt)
}

// named says where the file of --config is not there. The system's own may be absent,
// and then what is built in counts; whoever names a file means one.
func (p places) named() error {
	if p.configFile == "" {
		return nil
	}
	if _, err := os.Stat(p.configFile); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the configuration that --config names: %w", err)
	}
	return nil
}

// load reads the configuration of this host.
func (p places) load() (policy.Config, []configs.Message, error) {
	if err := p.named(); err != nil {
		return policy.Config{}, nil, err
	}
	return configs.Load(configs.PathsAt(p.configFile, p.configDir))
}

// loadFiles reads files of the host that is worked on: the first as the main file, the
// others over it.
func (p places) loadFiles(names []string) (policy.Config, []configs.Message, error) {
	if _, ours := p.on.(thisMachine); ours {
		return configs.LoadFiles(names)
	}
	var files []configs.File
	for i, name := range names {
		data, err := p.on.readFile(name)
		if err != nil {
			return policy.Config{}, nil, fmt.Errorf("reading the configuration: %w", err)
		}
		files = append(files, configs.File{Path: name, Data: data, DropIn: i > 0})
	}
	return configs.Parse(files)
}

func observeOptions(at places, checks bool) daemon.ObserveOptions {
	return daemon.ObserveOptions{
		Options: daemon.Options{ConfigFile: at.configFile, ConfigDir: at.configDir, Version: version},
		Checks:  checks,
	}
}

// warnOf says what is odd about the daemon that has answered.
func warnOf(s mpath.Snapshot, running string, err error, talk func(string)) {
	if err != nil {
		return
	}
	if running != version {
		talk(fmt.Sprintf("the daemon is of version %s, this command of %s", running, version))
	}
	if !s.Started {
		talk("the daemon is still starting: this is not complete")
	}
}

// nodesOf looks at the nodes of all maps, as they are now.
func nodesOf(s mpath.Snapshot, port blockio.NodePort) []mpath.NodeSeen {
	nodes := []mpath.NodeSeen{}
	for _, m := range s.Maps {
		if !m.Known {
			continue
		}
		n, errno := port.Node(fmt.Sprintf("dm-%d", m.Truth.Dev.Minor))
		if errno == 0 && n.Major == m.Truth.Dev.Major && n.Minor == m.Truth.Dev.Minor {
			nodes = append(nodes, mpath.NodeSeen{Dev: m.Truth.Dev, UID: n.UID, GID: n.GID, Mode: n.Mode})
		}
	}
	return nodes
}
