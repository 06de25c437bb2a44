package sysfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Disk is what the kernel says of one whole block device.
type Disk struct {
	Name       string // kernel name, "sda"
	Major      uint32
	Minor      uint32
	Diskseq    uint64 // unique over all devices since boot; 0: kernel older than 5.15
	Sectors    uint64 // size in units of 512 bytes, whatever the block size
	ReadOnly   bool
	Hidden     bool // no device node (a path below native NVMe multipath)
	Removable  bool
	Capability uint32 // GENHD_FL_* (include/linux/blkdev.h), 0 where the kernel shows none
	Path       string // place in the tree: "devices/.../block/sda"
	Protocol   string // "scsi:fcp", "nvme:tcp", ... see Protocol constants
	TargetNode string // name of the target behind the path, "" unknown
	Nexus      string // what the kernel calls the way to it: "rport-1:0-2", "session3", "end_device-0:1"; "" where it has no name
	Holders    []Holder
	Slaves     []string // kernel names of what this device is made of
	Partitions []Partition
	DM         DM   // zero unless a device-mapper device
	SCSI       SCSI // zero unless IsSCSI
	IsSCSI     bool
}

// DM is the device-mapper part of a Disk (drivers/md/dm-sysfs.c).
type DM struct {
	Name      string
	UUID      string
	Suspended bool
}

// Holder is a device that sits on a disk or partition.
type Holder struct {
	Name   string // kernel name, "dm-3", "md0"
	DMName string // for device-mapper devices
	DMUUID string
}

// Partition is one partition as the kernel knows it.
type Partition struct {
	Name    string // "sda1"
	Number  uint32
	Major   uint32
	Minor   uint32
	Start   uint64 // first sector, units of 512 bytes
	Sectors uint64
	Holders []Holder
}

// SCSI is the SCSI device below a Disk. Identification data are the kernel's
// cache of what the device said when it was scanned; they may be out of date.
type SCSI struct {
	Host, Channel, Target uint32
	LUN                   uint64 // as the kernel numbers it (scsilun_to_int)
	Vendor                string // 8 characters, blanks kept
	Model                 string // 16 characters, blanks kept
	Rev                   string // 4 characters, blanks kept
	State                 string // "running", "offline", "transport-offline", "blocked", ...
	Type                  uint8  // peripheral device type
	TimeoutS              uint32 // command time-out, seconds
	AccessState           string // "active/optimized", ...; "" without a device handler
	PreferredPath         bool
	Inquiry               []byte // standard INQUIRY data; nil: the kernel has none
	VPD00, VPD80, VPD83   []byte // whole pages with header; nil: the kernel has none
	SG                    string // generic device, "sg4"; "" without the sg module
}

// ReadDisk reads one whole disk. ErrAbsent or ErrGone: there is no such disk,
// or it left or was replaced meanwhile; nothing that was read counts then.
func ReadDisk(t Tree, name string) (Disk, error) { return readDisk(t, name, false) }

// ReadFacts is ReadDisk without what no decision goes by: it serves FactsOf and
// CachedIdentity of engine, with half of the system calls. Diskseq, Removable,
// Capability, where partitions lie, and of SCSI all but the address, the state, the
// access state and the identification data stay zero.
func ReadFacts(t Tree, name string) (Disk, error) { return readDisk(t, name, true) }

func readDisk(t Tree, name string, facts bool) (Disk, error) {
	if err := checkName(name); err != nil {
		return Disk{}, err
	}
	real, err := resolve(t, "block", name)
	if err != nil {
		return Disk{}, fmt.Errorf("find disk %s: %w", name, err)
	}
	d := Disk{Name: name, Path: real}
	sub, done, err := subtree(t, real)
	if err != nil {
		return Disk{}, fmt.Errorf("find disk %s: %w", name, err)
	}
	defer done()
	w := walker{t: sub.tree, dir: sub.dir, facts: facts}
	dev := w.line("dev")
	// An open directory belongs to one device: no successor to look out for.
	if !facts || !sub.own {
		d.Diskseq = w.number("diskseq", 10, 64)
	}
	w.readBlock(&d)
	if w.err == nil {
		w.err = readHolders(t, &w, &d)
	}
	if w.err == nil {
		w.err = w.readAttached(t, &d)
	}
	// The last look decides: attributes that were missing above may have been
	// missing because the device was on its way out.
	lastDev, lastSeq := w.line("dev"), d.Diskseq
	if !facts || !sub.own {
		lastSeq = w.number("diskseq", 10, 64)
	}
	switch {
	case w.err != nil:
		return Disk{}, fmt.Errorf("read disk %s: %w", name, w.err)
	case dev == "" || lastDev != dev || lastSeq != d.Diskseq:
		return Disk{}, fmt.Errorf("read disk %s: it left or was replaced meanwhile: %w", name, ErrGone)
	}
	if facts {
		d.Diskseq = 0
	}
	if d.Major, d.Minor, err = ParseDevNum(dev); err != nil {
		return Disk{}, fmt.Errorf("read disk %s: device number: %w", name, err)
	}
	return d, nil
}

// Holders returns what sits on a disk itself, without its partitions.
func Holders(t Tree, name string) ([]Holder, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	names, err := t.ReadDir(path.Join("block", name, "holders"))
	if err != nil {
		return nil, fmt.Errorf("holders of %s: %w", name, err)
	}
	return describe(t, names)
}

// TriggerUevent asks the kernel for a synthetic uevent of a disk or partition
// ("add", "change", "remove", ...), as `udevadm trigger` does. name is the
// kernel name (Documentation/ABI/testing/sysfs-uevent).
func TriggerUevent(w Writer, name, action string) error {
	if err := checkName(name); err != nil {
		return err
	}
	switch action {
	case "add", "remove", "change", "move", "online", "offline", "bind", "unbind":
	default:
		return fmt.Errorf("trigger uevent %q on %s: the kernel knows add, change, remove, move, online, offline, bind, unbind", action, name)
	}
	return w.WriteAttr(path.Join("class/block", name, "uevent"), action)
}

func checkName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%q is not a kernel device name: %w", name, ErrAbsent)
	}
	return nil
}

// readBlock reads the attributes of the gendisk (block/genhd.c).
func (w *walker) readBlock(d *Disk) {
	d.Sectors = w.number("size", 10, 64)
	d.ReadOnly = w.flag("ro")
	d.Hidden = w.flag("hidden")
	if !w.facts {
		d.Removable = w.flag("removable")
		d.Capability = uint32(w.number("capability", 16, 32))
	}
	if !w.facts {
		w.readDM(d)
	}
	entries := w.names(".")
	if w.facts && slices.Contains(entries, "dm") {
		w.readDM(d)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry, d.Name) {
			continue
		}
		p := walker{t: w.t, dir: path.Join(w.dir, entry), err: w.err}
		number := p.number("partition", 10, 32)
		dev := p.line("dev")
		part := Partition{Name: entry, Number: uint32(number)}
		if !w.facts {
			part.Start, part.Sectors = p.number("start", 10, 64), p.number("size", 10, 64)
		}
		w.err = p.err
		if number == 0 || dev == "" { // no partition, or one that is being deleted
			continue
		}
		major, minor, err := ParseDevNum(dev)
		if err != nil {
			w.err = fmt.Errorf("partition %s: %w", entry, err)
			return
		}
		part.Major, part.Minor = major, minor
		d.Partitions = append(d.Partitions, part)
	}
}

func (w *walker) readDM(d *Disk) {
	d.Slaves = w.names("slaves")
	d.DM = DM{Name: w.line("dm/name"), UUID: w.line("dm/uuid"), Suspended: w.flag("dm/suspended")}
}

// readHolders names what sits on the disk and on its partitions.
func readHolders(t Tree, w *walker, d *Disk) (err error) {
	if d.Holders, err = describe(t, w.names("holders")); err != nil {
		return err
	}
	for i := range d.Partitions {
		p := &d.Partitions[i]
		if p.Holders, err = describe(t, w.names(path.Join(p.Name, "holders"))); err != nil {
			return err
		}
	}
	return nil
}

// describe adds the device-mapper name and UUID to holders. A holder that has
// just left is still listed, nameless: reporting one too many is the safe side.
func describe(t Tree, names []string) ([]Holder, error) {
	var out []Holder
	for _, n := range names {
		h := Holder{Name: n}
		if strings.HasPrefix(n, "dm-") {
			w := walker{t: t, dir: path.Join("block", n, "dm")}
			h.DMName, h.DMUUID = w.line("name"), w.line("uuid")
			if w.err != nil && !errors.Is(w.err, ErrGone) {
				return nil, w.err
			}
		}
		out = append(out, h)
	}
	return out, nil
}

// readAttached reads the device that the disk belongs to. The walker stands in the
// disk's directory of the tree t.
func (at *walker) readAttached(t Tree, d *Disk) error {
	dev, err := follow(at.t, at.dir, d.Path, "device")
	if errors.Is(err, ErrAbsent) { // virtual: dm, md, loop
		d.Protocol = ProtocolUndef
		return nil
	}
	if err != nil {
		return err
	}
	s, ok := parseHCTL(path.Base(dev))
	if !ok {
		w := walker{t: t, dir: dev}
		d.Protocol = w.otherProtocol(d.Name)
		return w.err
	}
	sub, done, err := subtree(t, dev)
	if err != nil {
		return err
	}
	defer done()
	w := walker{t: sub.tree, dir: sub.dir, facts: at.facts}
	w.readSCSI(&s)
	top := walker{t: t, err: w.err}
	d.Protocol, d.TargetNode, d.Nexus = top.transport(strings.Split(dev, "/"))
	d.SCSI, d.IsSCSI = s, true
	return top.err
}

// readSCSI reads the attributes of drivers/scsi/scsi_sysfs.c.
func (w *walker) readSCSI(s *SCSI) {
	if !w.facts {
		s.Vendor, s.Model, s.Rev = w.line("vendor"), w.line("model"), w.line("rev")
	}
	s.State = w.line("state")
	if !w.facts {
		s.Type = uint8(w.number("type", 10, 8))
		s.TimeoutS = uint32(w.number("timeout", 10, 32))
	}
	s.AccessState = w.line("access_state")
	if !w.facts {
		s.PreferredPath = w.flag("preferred_path")
	}
	s.Inquiry = w.raw("inquiry", MaxPage)
	s.VPD00 = w.raw("vpd_pg0", MaxPage)
	s.VPD80 = w.raw("vpd_pg80", MaxPage)
	s.VPD83 = w.raw("vpd_pg83", MaxPage)
	if w.facts {
		return
	}
	for _, name := range w.names("scsi_generic") {
		s.SG = name
	}
}

// parseHCTL parses "2:0:1:5", the name of a SCSI device.
func parseHCTL(s string) (SCSI, bool) {
	f := strings.Split(s, ":")
	if len(f) != 4 {
		return SCSI{}, false
	}
	h, err0 := strconv.ParseUint(f[0], 10, 32)
	c, err1 := strconv.ParseUint(f[1], 10, 32)
	t, err2 := strconv.ParseUint(f[2], 10, 32)
	l, err3 := strconv.ParseUint(f[3], 10, 64)
	if err0 != nil || err1 != nil || err2 != nil || err3 != nil {
		return SCSI{}, false
	}
	return SCSI{Host: uint32(h), Channel: uint32(c), Target: uint32(t), LUN: l}, true
}

// opened is a directory of a tree, seen from its own or from the whole tree.
type opened struct {
	tree Tree
	dir  string
	own  bool
}

// subtree opens dir as a tree of its own where the Tree can do that: one open
// instead of one for each component of a long path and each attribute, and no
// attribute of a successor can slip in.
func subtree(t Tree, dir string) (opened, func(), error) {
	r, ok := t.(interface {
		Sub(path string) (SubTree, error)
	})
	if !ok {
		return opened{tree: t, dir: dir}, func() {}, nil
	}
	sub, err := r.Sub(dir)
	if err != nil {
		return opened{}, nil, err
	}
	return opened{tree: sub, dir: ".", own: true}, func() { _ = sub.Close() }, nil
}
