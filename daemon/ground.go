package daemon

import (
	"errors"
	"io/fs"
	"os"

	"pathkeeper/mpath"
	"pathkeeper/sysfs"
)

// ground is what the running system stands on, among the maps without a path.
type ground struct {
	maps    map[string]bool // their WWIDs
	unknown bool            // any map may be
	// hangs: I/O to it waits, or there is nothing else left below the system.
	hangs bool
}

// groundOf reads nothing from a disk, and what the running system stands on but once:
// when a map has lost its paths. Later a mount that hangs may hold the list of mounts.
func (d *Daemon) groundOf(lost []mpath.Pathless) (ground, error) {
	on := d.standsOn.Load()
	if on == nil {
		found, err := runningOn(d.opt.SysDir)
		if err != nil {
			return ground{}, err
		}
		on = &found
		d.standsOn.Store(on)
	}
	return groundAmong(*on, lost), nil
}

func groundAmong(on sysfs.Ground, lost []mpath.Pathless) ground {
	g := ground{maps: map[string]bool{}, unknown: on.Unknown}
	whole := len(on.Maps) > 0
	for _, f := range on.Maps {
		found := false
		for _, m := range lost {
			if m.Dev.Major == f.Major && m.Dev.Minor == f.Minor {
				found, g.maps[m.WWID] = true, true
				g.hangs = g.hangs || m.Queues
			}
		}
		whole = whole && found
	}
	g.hangs = g.hangs || whole
	return g
}

// RunningOn is what the running system of this host stands on.
func RunningOn() (sysfs.Ground, error) { return runningOn(Options{}.withDefaults().SysDir) }

func runningOn(sysDir string) (sysfs.Ground, error) {
	tree, err := sysfs.OpenRoot(sysDir)
	if err != nil {
		return sysfs.Ground{}, err
	}
	defer tree.Close()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return sysfs.Ground{}, err
	}
	mounts, err := sysfs.ParseMountinfo(text)
	if err != nil {
		return sysfs.Ground{}, err
	}
	text, err = os.ReadFile("/proc/swaps")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return sysfs.Ground{}, err
	}
	swaps, err := sysfs.ParseSwaps(text)
	if err != nil {
		return sysfs.Ground{}, err
	}
	return sysfs.RunningOn(tree, mounts, swaps)
}
