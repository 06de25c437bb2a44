package main

import (
	"context"
	"errors"
	"fmt"

	"pathkeeper/blockio"
	"pathkeeper/daemon"
	"pathkeeper/mpath"
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
	talk(notRunning)
	return daemon.Observe(ctx, observeOptions(at, checks))
}

// lookDeep is look with what is decided from.
func lookDeep(ctx context.Context, at places, talk func(string)) (mpath.Snapshot, mpath.Basis, error) {
	s, b, running, err := server.NewClient(at.socket).Basis(ctx)
	if err == nil || !errors.Is(err, server.ErrNotRunning) {
		warnOf(s, running, err, talk)
		return s, b, err
	}
	talk(notRunning)
	return daemon.ObserveBasis(ctx, observeOptions(at, true))
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
