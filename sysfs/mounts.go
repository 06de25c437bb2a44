package sysfs

import (
	"bytes"
	"fmt"
	"strings"
)

// Mount is one line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type Mount struct {
	Major  uint32
	Minor  uint32 // of st_dev; a file system over several devices has an anonymous 0:N
	Point  string
	FSType string
	Source string // as given to mount(2), often "/dev/sda1"
	// Below are the directories that an overlay is made of, as they were named at its
	// mount.
	Below []string
}

// Swap is one line of /proc/swaps.
type Swap struct {
	Path string // "/dev/sda2", or a file
	Type string // "partition" (any block device) or "file"
}

// ParseMountinfo parses /proc/self/mountinfo. A line that cannot be read is an
// error: what is not understood may be a mount of the disk in question.
func ParseMountinfo(text []byte) ([]Mount, error) {
	var out []Mount
	for n, line := range lines(text) {
		// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
		head, tail, ok := strings.Cut(line, " - ")
		h, t := strings.Split(head, " "), strings.Split(tail, " ")
		if !ok || len(h) < 6 || len(t) < 2 {
			return nil, fmt.Errorf("mountinfo line %d: %q is not a mount", n+1, line)
		}
		major, minor, err := ParseDevNum(h[2])
		if err != nil {
			return nil, fmt.Errorf("mountinfo line %d: %w", n+1, err)
		}
		out = append(out, Mount{Major: major, Minor: minor, Point: unescape(h[4]), FSType: unescape(t[0]), Source: unescape(t[1]), Below: overlaid(t)})
	}
	return out, nil
}

// overlaid takes a mount's type, source and options (Documentation/filesystems/overlayfs.rst).
func overlaid(t []string) (dirs []string) {
	if len(t) < 3 || t[0] != "overlay" {
		return nil
	}
	for _, o := range strings.Split(unescape(t[2]), ",") {
		switch key, value, _ := strings.Cut(o, "="); key {
		case "lowerdir", "lowerdir+", "datadir+", "upperdir":
			for _, dir := range strings.Split(value, ":") {
				if strings.HasPrefix(dir, "/") {
					dirs = append(dirs, dir)
				}
			}
		}
	}
	return dirs
}

// ParseSwaps parses /proc/swaps (mm/swapfile.c swap_show).
func ParseSwaps(text []byte) ([]Swap, error) {
	var out []Swap
	for n, line := range lines(text) {
		f := strings.Fields(line)
		if n == 0 && len(f) > 0 && f[0] == "Filename" {
			continue
		}
		if len(f) < 5 {
			return nil, fmt.Errorf("swaps line %d: %q is not a swap area", n+1, line)
		}
		out = append(out, Swap{Path: unescape(f[0]), Type: f[1]})
	}
	return out, nil
}

// InUse says who else uses a disk, in words, or "" if nobody is seen to:
// "mounted on /boot (partition sda1)", "swap (partition sda2)", "holder md0
// (partition sda2)". Multipath maps and their partitions are no use by others:
// see MemberOf. What it cannot see (a raw open, a second device of btrfs, ZFS) an
// exclusive open does.
func InUse(d Disk, mounts []Mount, swaps []Swap) string {
	if use := usedBy(d.Name, d.Major, d.Minor, d.Holders, mounts, swaps); use != "" {
		return use
	}
	for _, p := range d.Partitions {
		if use := usedBy(p.Name, p.Major, p.Minor, p.Holders, mounts, swaps); use != "" {
			return use + " (partition " + p.Name + ")"
		}
	}
	return ""
}

// MemberOf returns the multipath maps, and partition maps on them, that hold a
// disk or one of its partitions.
func MemberOf(d Disk) []Holder {
	var out []Holder
	for _, h := range d.Holders {
		if IsMultipath(h.DMUUID) {
			out = append(out, h)
		}
	}
	for _, p := range d.Partitions {
		for _, h := range p.Holders {
			if IsMultipath(h.DMUUID) {
				out = append(out, h)
			}
		}
	}
	return out
}

// IsMultipath says whether a device-mapper UUID is that of a multipath map
// ("mpath-WWID") or of a partition on one ("part1-mpath-WWID").
func IsMultipath(uuid string) bool {
	if number, rest, ok := strings.Cut(uuid, "-"); ok && strings.HasPrefix(number, "part") && len(number) > len("part") {
		if strings.Trim(number[len("part"):], "0123456789") == "" {
			uuid = rest
		}
	}
	return len(uuid) > len("mpath-") && strings.HasPrefix(uuid, "mpath-")
}

func usedBy(name string, major, minor uint32, holders []Holder, mounts []Mount, swaps []Swap) string {
	node := "/dev/" + NodeName(name)
	for _, m := range mounts {
		// Anonymous file systems (btrfs, overlay) have major 0: only the source tells.
		if (m.Major == major && m.Minor == minor && major != 0) || m.Source == node {
			return "mounted on " + m.Point
		}
	}
	for _, s := range swaps {
		if strings.TrimSuffix(s.Path, " (deleted)") == node {
			return "swap"
		}
	}
	for _, h := range holders {
		switch {
		case IsMultipath(h.DMUUID):
		case h.DMName != "":
			return "holder " + h.Name + " (" + h.DMName + ")"
		default:
			return "holder " + h.Name
		}
	}
	return ""
}

// lines splits text; an empty last line is none.
func lines(text []byte) []string {
	text = bytes.TrimSuffix(text, []byte("\n"))
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\n")
}

// unescape undoes the kernel's mangle(): blank, tab, newline, backslash and '#'
// stand as a backslash and three octal digits (fs/proc_namespace.c).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1], '3') && isOctal(s[i+2], '7') && isOctal(s[i+3], '7') {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isOctal(c, top byte) bool { return '0' <= c && c <= top }
