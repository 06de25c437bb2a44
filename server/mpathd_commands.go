package server

import "context"

// handler carries out a command.
type handler func(context.Context, *request) reply

// mpathdCommand is one of multipathd's commands.
type mpathdCommand struct {
	shape shape
	run   handler
}

// commands gives all of them, as multipath-tools 0.14.3 has them.
func commands() []mpathdCommand {
	return []mpathdCommand{
		{shape{kwList, kwPaths}, read(showPaths)},
		{shape{kwList, kwPaths, kwFormat}, read(showPathsFormat)},
		{shape{kwList, kwPaths, kwRaw, kwFormat}, read(showPathsRaw)},
		{shape{kwList, kwPath}, read(showPath)},
		{shape{kwList, kwMaps}, read(showMaps)},
		{shape{kwList, kwMaps, kwStatus}, read(showMapsStatus)},
		{shape{kwList, kwMaps, kwStats}, read(showMapsStats)},
		{shape{kwList, kwMaps, kwFormat}, read(showMapsFormat)},
		{shape{kwList, kwMaps, kwRaw, kwFormat}, read(showMapsRaw)},
		{shape{kwList, kwMaps, kwTopology}, read(showTopology)},
		{shape{kwList, kwTopology}, read(showTopology)},
		{shape{kwList, kwMaps, kwJSON}, read(showMapsJSON)},
		{shape{kwList, kwMap, kwTopology}, read(showMapTopology)},
		{shape{kwList, kwMap, kwFormat}, read(showMapFormat)},
		{shape{kwList, kwMap, kwRaw, kwFormat}, read(showMapFormat)},
		{shape{kwList, kwMap, kwJSON}, read(showMapJSON)},
		{shape{kwList, kwStatus}, read(showStatus)},
		{shape{kwList, kwDaemon}, read(showDaemon)},
		{shape{kwList, kwConfig}, read(showConfig)},
		{shape{kwList, kwConfig, kwLocal}, read(showConfigLocal)},
		{shape{kwList, kwBlacklist}, read(showBlacklist)},
		{shape{kwList, kwDevices}, read(showDevices)},
		{shape{kwList, kwWildcards}, read(showWildcards)},

		{shape{kwReset, kwMaps, kwStats}, resetStats},
		{shape{kwReset, kwMap, kwStats}, resetStats},
		{shape{kwAdd, kwPath}, addPath},
		{shape{kwRemove, kwPath}, removePath},
		{shape{kwAdd, kwMap}, addMap},
		{shape{kwRemove, kwMap}, removeMap},
		{shape{kwRemove, kwMaps}, removeMaps},
		{shape{kwSwitch, kwMap, kwGroup}, switchGroup},
		{shape{kwReconfigure}, reconfigure},
		{shape{kwReconfigure, kwAll}, reconfigureAll},
		{shape{kwSuspend, kwMap}, suspendMap},
		{shape{kwResume, kwMap}, resumeMap},
		{shape{kwResize, kwMap}, resizeMap},
		{shape{kwReset, kwMap}, resetMap},
		{shape{kwReload, kwMap}, reloadMap},
		{shape{kwFail, kwPath}, failPath},
		{shape{kwReinstate, kwPath}, reinstatePath},
		{shape{kwDisableQueueing, kwMap}, disableQueueing},
		{shape{kwDisableQueueing, kwMaps}, disableQueueing},
		{shape{kwRestoreQueueing, kwMap}, restoreQueueing},
		{shape{kwRestoreQueueing, kwMaps}, restoreQueueing},
		{shape{kwForceQueueing, kwDaemon}, forceQueueing},
		{shape{kwRestoreQueueing, kwDaemon}, unforceQueueing},

		{shape{kwGetPRStatus, kwMap}, getPRStatus},
		{shape{kwSetPRStatus, kwMap}, setPRStatus},
		{shape{kwSetPRStatus, kwMap, kwPathlist}, setPRStatus},
		{shape{kwUnsetPRStatus, kwMap}, unsetPRStatus},
		{shape{kwGetPRKey, kwMap}, getPRKey},
		{shape{kwSetPRKey, kwMap, kwKey}, setPRKey},
		{shape{kwUnsetPRKey, kwMap}, unsetPRKey},
		{shape{kwGetPRHold, kwMap}, getPRHold},
		{shape{kwSetPRHold, kwMap}, setPRHold},
		{shape{kwUnsetPRHold, kwMap}, unsetPRHold},
		{shape{kwSetMarginal, kwPath}, setMarginal},
		{shape{kwUnsetMarginal, kwPath}, unsetMarginal},
		{shape{kwUnsetMarginal, kwMap}, unsetMarginal},

		{shape{kwQuit}, quit},
		{shape{kwShutdown}, quit},
	}
}

// handlerOf finds the handler of a command, nil: there is none.
func handlerOf(cmd []said) handler {
	s, ok := shapeOf(cmd)
	if !ok {
		return nil
	}
	for _, c := range commands() {
		if c.shape == s {
			return c.run
		}
	}
	return nil
}
