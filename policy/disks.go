package policy

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/scsi"
)

// Single is what a `names:` entry gives a disk that stays single: the zero value
// where no entry names the disk.
type Single struct {
	Name         string // of the link below /dev; "" none is given
	Owner, Group string // name or number; "" unset
	Mode         int    // -1 unset, else 0..0777; 0 only in the zero value
	ID           string // the id of the entry that matched, as written
	Kind         scsi.IDKind
	Refused      string // why an entry that names the disk gives it nothing; "" it gives
	Origin       Origin // of the entry
}

// Named reports whether the disk gets what its entry says.
func (s Single) Named() bool { return s.ID != "" && s.Refused == "" }

// maxDiskName is the longest name of a link that is taken, in bytes. udev cuts
// nothing below that (UDEV_NAME_SIZE), and it leaves room for "-part128".
const maxDiskName = 127

// CheckDiskName says why a name cannot be that of a link below /dev, "" if it
// can. It may have slashes; what the kernel and udev call their own is refused.
func CheckDiskName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > maxDiskName:
		return fmt.Sprintf("has %d bytes, %d are the most", len(name), maxDiskName)
	case strings.HasPrefix(name, "/dev/"):
		return "begins with /dev/: a name is given as it stands below /dev, " + strconv.Quote(strings.TrimPrefix(name, "/dev/"))
	case name[0] == '/':
		return "is a path: a name stands below /dev and begins without a slash"
	}
	for i := 0; i < len(name); i++ {
		if !diskNameByte(name[i]) {
			return fmt.Sprintf("has a %q: letters, digits and _ - . + : @ = # are allowed, and / between", name[i])
		}
	}
	parts := strings.Split(name, "/")
	for _, p := range parts {
		switch p {
		case "":
			return "has an empty part: two slashes, or one at the end"
		case ".", "..":
			return "has the part " + p + ", which would leave its place"
		}
	}
	if i := strings.LastIndex(name, partitionMark); i >= 0 && isDigits(name[i+len(partitionMark):]) {
		return "ends like the link of a partition (" + partitionMark + "N)"
	}
	return ownedByOthers(parts)
}

// partitionMark stands before a partition's number in the name of its link, as in
// udev's own.
const partitionMark = "-part"

func diskNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-.+:@=#/", c) >= 0
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// ownedByOthers refuses what kernel and udev put into /dev themselves
// (Documentation/admin-guide/devices.txt, and the rules of udev, lvm2 and
// multipath-tools).
func ownedByOthers(parts []string) string {
	first := parts[0]
	if len(parts) > 1 {
		if contains(ownedDirectories(), first) {
			return "lies in /dev/" + first + ", which is the kernel's or udev's"
		}
		return ""
	}
	if contains(ownedDirectories(), first) || contains(ownedNodes(), first) {
		return "is a name of the kernel's or udev's in /dev"
	}
	for _, stem := range letteredNodes() {
		// sda, sda1, sdaa12
		rest, ok := strings.CutPrefix(first, stem)
		letters := strings.TrimRight(rest, "0123456789")
		if ok && letters != "" && strings.Trim(letters, "abcdefghijklmnopqrstuvwxyz") == "" {
			return "is a kernel name of a disk or partition"
		}
	}
	for _, stem := range numberedNodes() {
		// dm-0, nvme0n1p2, loop3: a digit right behind the stem
		if rest, ok := strings.CutPrefix(first, stem); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return "is a kernel name of a device"
		}
	}
	return ""
}

func letteredNodes() []string { return []string{"sd", "hd", "vd", "xvd", "ubd"} }

func numberedNodes() []string {
	return []string{
		"dm-", "nvme", "loop", "md", "md_d", "ram", "zram", "sr", "scd", "sg", "st", "nst", "osst", "nbd", "mmcblk", "pmem", "rbd", "drbd", "bcache", "dasd",
		"raw", "tty", "ttyS", "ttyUSB", "ttyACM", "pts", "vcs", "vcsa", "vcsu", "lp", "fb", "rtc", "tpm", "hvc", "vport", "hidraw", "i2c-", "watchdog", "fd", "ptp", "pps", "mtd", "ubi", "bsg", "ng",
	}
}

func ownedDirectories() []string {
	return []string{
		"block", "bsg", "bus", "char", "cpu", "disk", "dma_heap", "dri", "fd", "hugepages", "infiniband", "input", "mapper", "md", "mqueue", "net", "pts", "rdma_cm", "serial", "shm", "snd", "usb", "vfio",
		".udev", ".mount", "raw", "cciss", "ida", "rd", "etherd", "zvol",
	}
}

func ownedNodes() []string {
	return []string{
		"autofs", "btrfs-control", "cdrom", "console", "core", "cuse", "dvd", "full", "fuse", "gpt-auto-root", "hpet", "hwrng", "initctl", "kmsg", "kvm", "log", "loop-control", "mem", "null",
		"nvram", "port", "ppp", "ptmx", "random", "root", "rtc", "snapshot", "stderr", "stdin", "stdout", "tty", "uhid", "uinput", "urandom", "userfaultfd", "vcs", "vcsa", "vcsu", "vga_arbiter",
		"vhost-net", "vhost-scsi", "vhost-vsock", "watchdog", "zero",
	}
}

// singles are the entries that give names, by the id text that they match.
type singles struct {
	byID map[string]int // index into Config.Disks
	bad  map[int]string // those that give nothing, and why
}

// compileDisks indexes the entries. A name belongs to the first LUN that has it,
// and of two entries of one id the first counts: which of two links udev keeps
// would depend on the order of its events.
func (c *Compiled) compileDisks() (problems []Problem) {
	c.singles = singles{byID: make(map[string]int, len(c.config.Disks)), bad: map[int]string{}}
	names, folders := map[string]Disk{}, map[string]Disk{}
	say := func(d Disk, text string) { problems = append(problems, Problem{Origin: d.Origin, Text: text}) }
	for i, d := range c.config.Disks {
		if first, twice := c.singles.byID[d.WWID]; twice {
			say(d, "names entry of "+d.WWID+": it has one already at "+c.config.Disks[first].Origin.String()+", which counts")
			continue
		}
		c.singles.byID[d.WWID] = i
		why := diskProblem(d)
		if why == "" {
			why = clash(d, names, folders)
		}
		if why != "" {
			c.singles.bad[i] = why
			say(d, "names entry of "+d.WWID+": "+why+"; the disk goes without")
			continue
		}
		names[d.Name] = d
		for at := strings.IndexByte(d.Name, '/'); at >= 0 && at < len(d.Name); {
			if _, known := folders[d.Name[:at]]; !known {
				folders[d.Name[:at]] = d
			}
			next := strings.IndexByte(d.Name[at+1:], '/')
			if next < 0 {
				break
			}
			at += 1 + next
		}
		if _, both := c.multipaths[d.WWID]; both {
			say(d, "names entry of "+d.WWID+": the multipaths section has it too; the entry counts only while the disk is no path of a map")
		}
	}
	return problems
}

// UnusedDisk says why entry i of Config.Disks gives nothing, such as a name that an
// earlier one has; "" it counts.
func (c *Compiled) UnusedDisk(i int) string { return c.singles.bad[i] }

func diskProblem(d Disk) string {
	switch bad := CheckDiskName(d.Name); {
	case d.WWID == "":
		return "no wwid"
	case d.Name == "" && d.Owner == "" && d.Group == "" && d.Mode < 0:
		return "it says nothing: neither name nor owner, group or mode"
	case d.Name != "" && bad != "":
		return "name " + strconv.Quote(d.Name) + " " + bad
	case d.Mode > 0o777:
		return "mode " + strconv.FormatInt(int64(d.Mode), 8) + " is above 0777"
	}
	return ""
}

// clash says who has a name already: as the same link, as a directory above it,
// or as a link where it wants a directory.
func clash(d Disk, names, folders map[string]Disk) string {
	if d.Name == "" {
		return ""
	}
	if other, ok := names[d.Name]; ok {
		return "name " + d.Name + " is already given to " + other.WWID
	}
	if other, ok := folders[d.Name]; ok {
		return "name " + d.Name + " is the directory of " + other.Name + ", the name of " + other.WWID
	}
	for at, c := range d.Name {
		if other, ok := names[d.Name[:at]]; c == '/' && ok {
			return "name " + d.Name + " lies below " + other.Name + ", which is the name of " + other.WWID + " and no directory"
		}
	}
	return ""
}

// single finds the names entry of a disk by any of its ids, and says why it
// gives nothing where that is so.
func (c *Compiled) single(id scsi.Identity, f Facts, d Decision, st State, t *tracer) Single {
	if len(c.singles.byID) == 0 {
		return Single{}
	}
	for _, key := range keys(id) {
		i, ok := c.singles.byID[key.Value]
		if !ok {
			continue
		}
		entry := c.config.Disks[i]
		holder, recorded := st.OldIDs.Holder(key.Value)
		if key.Value != id.WWID && recorded && holder != id.WWID {
			t.add("disk", "names entry "+key.Value+": this id stands for "+holder+" since its first match: not this disk's", entry.Origin)
			continue
		}
		s := Single{ID: entry.WWID, Kind: key.Kind, Origin: entry.Origin, Mode: -1}
		s.Refused = c.singles.bad[i]
		switch {
		case s.Refused != "":
		case f.DevType != "" && f.DevType != "disk":
			s.Refused = "it is no whole disk: " + f.DevType
		case f.MemberOf != "" || d.Verdict == VerdictAdmit || d.Claim == ClaimYes || d.Claim == ClaimFinal:
			s.Refused = "it is taken as a path of a multipath map (" + d.Reason + "): the map's name and owner are those of the multipaths section"
		}
		text := "names entry " + entry.WWID + ", by " + kindText(key.Kind)
		if s.Refused != "" {
			t.add("disk", text+", gives nothing: "+s.Refused, entry.Origin)
			return s
		}
		s.Name, s.Owner, s.Group, s.Mode = entry.Name, entry.Owner, entry.Group, entry.Mode
		t.add("disk", text+": "+s.String(), entry.Origin)
		return s
	}
	return Single{}
}

// String gives "link /dev/oracleasm/ocr1, owner oracle, group dba, mode 0660".
func (s Single) String() string {
	var parts []string
	for _, p := range []struct{ what, value string }{{"link /dev/", s.Name}, {"owner ", s.Owner}, {"group ", s.Group}} {
		if p.value != "" {
			parts = append(parts, p.what+p.value)
		}
	}
	if s.Mode >= 0 && s.ID != "" && s.Refused == "" {
		parts = append(parts, "mode "+FormatMode(s.Mode))
	}
	return strings.Join(parts, ", ")
}

// FormatMode gives "0660".
func FormatMode(mode int) string { return fmt.Sprintf("%04o", mode) }
