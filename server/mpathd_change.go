package server

import (
	"context"
	"strings"

	"pathkeeper/mpath"
)

// The commands that change something. The core decides; what it refuses is refused
// here too, with its reason behind the word that programs look at.

// trimDev takes the way to a node off, and writes a slash in a device's name as the
// kernel does.
func trimDev(name string) string {
	for _, prefix := range []string{"/dev/mapper/", "/dev/"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			name = rest
			break
		}
	}
	if rest, ok := strings.CutPrefix(name, "cciss/"); ok {
		return "cciss!" + rest
	}
	return name
}

func (r *request) onMap(ctx context.Context, c mpath.Command) reply {
	if c.Map = trimDev(r.arg(kwMap)); c.Map == "" && r.has(kwMap) {
		return failed(failDevice) // "" would be all maps
	}
	_, rep := r.command(ctx, c)
	return rep
}

func (r *request) onPath(ctx context.Context, c mpath.Command) reply {
	c.Path = trimDev(r.arg(kwPath))
	_, rep := r.command(ctx, c)
	return rep
}

func resetStats(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandResetStats})
}

// addPath says `blacklisted` where a rule keeps the device out: that is success.
func addPath(ctx context.Context, r *request) reply {
	name := trimDev(r.arg(kwPath))
	got, rep := r.command(ctx, mpath.Command{Kind: mpath.CommandAddPath, Path: name})
	if got.Code != mpath.ReplyRefused {
		return rep
	}
	for _, p := range r.src.Snapshot().Paths {
		if (p.Name == name || p.ID.Dev.String() == name) && p.Decision.Blacklisted() {
			return reply{text: "blacklisted\n"}
		}
	}
	return rep
}

// removePath says `delayed` where it is not done yet.
func removePath(ctx context.Context, r *request) reply {
	got, rep := r.command(ctx, mpath.Command{Kind: mpath.CommandRemovePath, Path: trimDev(r.arg(kwPath))})
	if got.Code == mpath.ReplyDeferred {
		return reply{text: "delayed\n"}
	}
	return rep
}

func failPath(ctx context.Context, r *request) reply {
	return r.onPath(ctx, mpath.Command{Kind: mpath.CommandFailPath})
}

func reinstatePath(ctx context.Context, r *request) reply {
	return r.onPath(ctx, mpath.Command{Kind: mpath.CommandReinstatePath})
}

func addMap(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandAddMap})
}

func removeMap(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandRemoveMap})
}

func removeMaps(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandRemoveUnused})
}

func switchGroup(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandSwitchGroup, Arg: r.arg(kwGroup)})
}

func suspendMap(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandSuspendMap})
}

func resumeMap(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandResumeMap})
}

func resizeMap(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandResizeMap})
}

func resetMap(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandReassign})
}

func reloadMap(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandReloadMap})
}

func disableQueueing(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandDisableQueueing})
}

func restoreQueueing(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandRestoreQueueing})
}

func forceQueueing(ctx context.Context, r *request) reply {
	_, rep := r.command(ctx, mpath.Command{Kind: mpath.CommandForceQueueing})
	return rep
}

func unforceQueueing(ctx context.Context, r *request) reply {
	_, rep := r.command(ctx, mpath.Command{Kind: mpath.CommandUnforceQueueing})
	return rep
}

func setMarginal(ctx context.Context, r *request) reply {
	return r.onPath(ctx, mpath.Command{Kind: mpath.CommandSetMarginal})
}

func unsetMarginal(ctx context.Context, r *request) reply {
	if r.cmd[1].kw == kwPath {
		return r.onPath(ctx, mpath.Command{Kind: mpath.CommandUnsetMarginal})
	}
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandUnsetMarginal})
}

// reconfigure and reconfigureAll only ask for it: who wants to see it done asks
// `show daemon`.
func reconfigure(_ context.Context, r *request) reply {
	r.src.Reconfigure(false)
	return ok()
}

func reconfigureAll(_ context.Context, r *request) reply {
	r.src.Reconfigure(true)
	return ok()
}

// quit answers first, then the daemon ends.
func quit(_ context.Context, r *request) reply { return reply{then: r.src.Quit} }

// ofReservation answers with what is known of a map's reservation.
func ofReservation(r *request, text func(mpath.ReservationView) string) reply {
	m := mapView(r.src.Snapshot(), r.arg(kwMap))
	if m == nil {
		return failed(failDevice)
	}
	return reply{text: text(m.Reservation) + "\n"}
}

func getPRStatus(_ context.Context, r *request) reply {
	return ofReservation(r, func(v mpath.ReservationView) string { return v.Status.String() })
}

func getPRHold(_ context.Context, r *request) reply {
	return ofReservation(r, func(v mpath.ReservationView) string { return v.Hold.String() })
}

func getPRKey(_ context.Context, r *request) reply {
	return ofReservation(r, func(v mpath.ReservationView) string { return v.Key.String() })
}

func setPRStatus(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandSetPRStatus, Arg: r.arg(kwPathlist)})
}

func unsetPRStatus(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandUnsetPRStatus})
}

func setPRKey(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandSetPRKey, Arg: r.arg(kwKey)})
}

func unsetPRKey(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandUnsetPRKey})
}

func setPRHold(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandSetPRHold})
}

func unsetPRHold(ctx context.Context, r *request) reply {
	return r.onMap(ctx, mpath.Command{Kind: mpath.CommandUnsetPRHold})
}
