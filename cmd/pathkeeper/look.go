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
	switch {
	case err == nil:
		if running != version {
			talk(fmt.Sprintf("the daemon is of version %s, this command of %s", running, version))
		}
		if !s.Started {
			talk("the daemon is still starting: this is not complete")
		}
		return s, nil
	case !errors.Is(err, server.ErrNotRunning):
		return s, err
	}
	talk(notRunning)
	return daemon.Observe(ctx, daemon.ObserveOptions{
		Options: daemon.Options{ConfigFile: at.configFile, ConfigDir: at.configDir, Version: version},
		Checks:  checks,
	})
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
