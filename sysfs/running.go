package sysfs

import (
	"path"
	"slices"
	"strings"
)

// Ground is what the running system stands on: what hangs there hangs init too.
type Ground struct {
	// Maps are the multipath maps below /, /usr, /sysroot and the swap areas.
	Maps []Foundation
	// Unknown: of one of these the devices cannot be told. Any map may be below it.
	Unknown bool
}

// runningPoints are the mount points from which programs are read. /sysroot is where the
// disk is mounted that an image-based system has its root composed of.
func runningPoints() []string { return []string{"/", "/usr", "/sysroot"} }

// RunningOn finds the ground of the running system.
func RunningOn(t Tree, mounts []Mount, swaps []Swap) (Ground, error) {
	var g Ground
	names, disks, err := stacked(t)
	if err != nil {
		return g, err
	}
	var found []Foundation
	for _, m := range running(mounts) {
		before := len(found)
		for _, n := range names {
			if d, ok := disks[n]; ok && mountedOn(m, d) {
				found = stand(found, disks, n, m.Point, 0)
			}
		}
		switch {
		case m.Major != 0:
		case m.FSType == "btrfs": // on all devices of any btrfs: which are whose is not asked
			for _, n := range btrfsDevices(t) {
				found = stand(found, disks, n, m.Point, 0)
			}
		case m.FSType == "zfs" || m.FSType == "bcachefs":
			g.Unknown = g.Unknown || len(found) == before
		}
	}
	for _, s := range swaps {
		for _, n := range names {
			if d, ok := disks[n]; ok && s.Type == "partition" && (s.Path == "/dev/"+NodeName(n) || d.DM.Name != "" && s.Path == "/dev/mapper/"+d.DM.Name) {
				found = stand(found, disks, n, "swap", 0)
			}
		}
	}
	for _, f := range found {
		if strings.HasPrefix(disks[f.Name].DM.UUID, "mpath-") {
			g.Maps = append(g.Maps, f)
		}
	}
	return g, nil
}

// running are the mounts that programs are read from, and those below an overlay of
// them.
func running(mounts []Mount) (out []Mount) {
	for _, m := range mounts {
		if !slices.Contains(runningPoints(), m.Point) {
			continue
		}
		out = append(out, m)
		for _, dir := range m.Below {
			if b, ok := covering(mounts, dir); ok && b.FSType != "overlay" {
				b.Point = m.Point
				out = append(out, b)
			}
		}
	}
	return out
}

// covering is the mount that a directory is in.
func covering(mounts []Mount, dir string) (best Mount, ok bool) {
	for _, m := range mounts {
		in := m.Point == "/" || dir == m.Point || strings.HasPrefix(dir, m.Point+"/")
		if in && len(m.Point) >= len(best.Point) {
			best, ok = m, true // of two at one point the later one is on top
		}
	}
	return best, ok
}

// btrfsDevices are the kernel names of the devices of all btrfs file systems
// (fs/btrfs/sysfs.c).
func btrfsDevices(t Tree) (names []string) {
	all, err := t.ReadDir("fs/btrfs")
	if err != nil {
		return nil
	}
	for _, fs := range all {
		devices, err := t.ReadDir(path.Join("fs/btrfs", fs, "devices"))
		if err == nil {
			names = append(names, devices...)
		}
	}
	return names
}
