package sysfs

import (
	"errors"
	"slices"
	"strings"
)

// BootPoints are the mount points that a machine needs to come up: what is below
// them is found by the initramfs, or by who loads it.
func BootPoints() []string { return []string{"/", "/usr", "/boot", "/boot/efi"} }

// Foundation is a device-mapper device on which one of the BootPoints stands,
// itself or through partitions, LVM, LUKS or MD.
type Foundation struct {
	Major, Minor uint32
	Name         string // kernel name, "dm-3"
	Points       []string
}

// Foundations finds them, by kernel name. A disk that leaves meanwhile is none.
func Foundations(t Tree, mounts []Mount) ([]Foundation, error) {
	names, disks, err := stacked(t)
	if err != nil {
		return nil, err
	}
	var found []Foundation
	for _, n := range names {
		d, ok := disks[n]
		if !ok {
			continue
		}
		for _, m := range mounts {
			if slices.Contains(BootPoints(), m.Point) && mountedOn(m, d) {
				found = stand(found, disks, n, m.Point, 0)
			}
		}
	}
	slices.SortFunc(found, func(a, b Foundation) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// stacked reads the devices that may stand on others.
func stacked(t Tree) (names []string, disks map[string]Disk, err error) {
	names, err = ListBlock(t)
	if err != nil {
		return nil, nil, err
	}
	disks = map[string]Disk{}
	for _, n := range names {
		if strings.HasPrefix(n, "sd") {
			continue // paths and single disks stand on nothing, and there may be thousands
		}
		d, err := ReadDisk(t, n)
		if errors.Is(err, ErrAbsent) || errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		disks[n] = d
	}
	return names, disks, nil
}

// mountedOn says whether a mount is of a disk or of a partition of it. Anonymous
// file systems (btrfs) have major 0: only the source tells.
func mountedOn(m Mount, d Disk) bool {
	if m.Major != 0 {
		return m.Major == d.Major && m.Minor == d.Minor ||
			slices.ContainsFunc(d.Partitions, func(p Partition) bool { return p.Major == m.Major && p.Minor == m.Minor })
	}
	return m.Source == "/dev/"+NodeName(d.Name) || d.DM.Name != "" && m.Source == "/dev/mapper/"+d.DM.Name
}

// maxStack bounds how many devices may stand on each other.
const maxStack = 32

// stand notes a point at a device and at all that is below it.
func stand(found []Foundation, disks map[string]Disk, name, point string, depth int) []Foundation {
	d, ok := disks[name]
	if !ok || depth > maxStack {
		return found
	}
	if d.DM.UUID != "" || strings.HasPrefix(name, "dm-") {
		i := slices.IndexFunc(found, func(f Foundation) bool { return f.Name == name })
		if i < 0 {
			i = len(found)
			found = append(found, Foundation{Major: d.Major, Minor: d.Minor, Name: name})
		}
		if !slices.Contains(found[i].Points, point) {
			found[i].Points = append(found[i].Points, point)
		}
	}
	for _, s := range d.Slaves {
		found = stand(found, disks, s, point, depth+1)
	}
	return found
}
