package sim

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/sysfs"
)

// Tree is the world's sysfs.Tree and sysfs.Writer.
type Tree struct{ w *World }

// directory is one directory of sysfs.
type directory interface {
	attr(name string) (string, bool)
	link(name string) (string, bool)
	names() []string // of attributes, links and subdirectories, in any order
}

// listing is a directory that is known as a whole.
type listing struct {
	attrs map[string]string
	links map[string]string
	dirs  []string
}

func (d listing) attr(n string) (string, bool) { s, ok := d.attrs[n]; return s, ok }
func (d listing) link(n string) (string, bool) { s, ok := d.links[n]; return s, ok }

func (d listing) names() []string {
	out := slices.Clone(d.dirs)
	for n := range d.attrs {
		out = append(out, n)
	}
	for n := range d.links {
		out = append(out, n)
	}
	return out
}

// ReadAttr implements sysfs.Tree.
func (t Tree) ReadAttr(p string, limit int) ([]byte, error) {
	p = path.Clean(p)
	t.w.cost(5*mpath.Millisecond/1000, 40*mpath.Millisecond/1000)
	s, ok := "", false
	broken, err := t.w.sysfsFault("read", p)
	if err != nil {
		return nil, err
	}
	if dir, there := t.dir(path.Dir(p)); there {
		s, ok = dir.attr(path.Base(p))
	}
	if broken != nil {
		s, ok = *broken, true
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("read %s: %w", p, sysfs.ErrAbsent)
	case len(s) > limit:
		return nil, fmt.Errorf("read %s: %w", p, sysfs.ErrTooLong)
	}
	return []byte(s), nil
}

// ReadDir implements sysfs.Tree.
func (t Tree) ReadDir(p string) ([]string, error) {
	p = path.Clean(p)
	if _, err := t.w.sysfsFault("list", p); err != nil {
		return nil, err
	}
	dir, ok := t.dir(p)
	if !ok {
		return nil, fmt.Errorf("list %s: %w", p, sysfs.ErrAbsent)
	}
	names := dir.names()
	slices.Sort(names)
	return names, nil
}

// ReadLink implements sysfs.Tree.
func (t Tree) ReadLink(p string) (string, error) {
	p = path.Clean(p)
	if _, err := t.w.sysfsFault("read link", p); err != nil {
		return "", err
	}
	if dir, ok := t.dir(path.Dir(p)); ok {
		if target, ok := dir.link(path.Base(p)); ok {
			return target, nil
		}
	}
	return "", fmt.Errorf("read link %s: %w", p, sysfs.ErrAbsent)
}

var (
	errInvalid = fmt.Errorf("%w: invalid argument", sysfs.ErrRefused)
	errBusy    = fmt.Errorf("%w: device or resource busy", sysfs.ErrBusy)
)

// WriteAttr implements sysfs.Writer: uevent, state, rescan and delete of a disk,
// scan of a host, the time-outs of a transport.
func (t Tree) WriteAttr(p, value string) error {
	p = path.Clean(p)
	t.w.cost(20*mpath.Millisecond/1000, mpath.Millisecond)
	if _, err := t.w.sysfsFault("write", p); err != nil {
		return err
	}
	parts := strings.Split(p, "/")
	if parts[0] == "class" && len(parts) == 4 && parts[1] != "block" {
		return t.writeClass(p, parts[1:], value)
	}
	if parts[0] == "class" {
		parts = parts[1:]
	}
	if len(parts) < 3 || parts[0] != "block" {
		return fmt.Errorf("write %s: %w", p, sysfs.ErrAbsent)
	}
	if err := t.write(parts[1], strings.Join(parts[2:], "/"), value); err != nil {
		return fmt.Errorf("write %q to %s: %w", value, p, err)
	}
	return nil
}

func (t Tree) write(name, attr, value string) error {
	d, m := t.w.Disk(name), t.w.mapByNode(name)
	switch {
	case attr == "uevent" && (d != nil || m != nil && m.registered):
		return t.announce(d, m, strings.TrimSuffix(value, "\n"))
	case d == nil:
	case attr == "device/state":
		return d.storeState(value)
	case attr == "device/delete":
		d.Delete()
		return nil
	case attr == "queue/max_sectors_kb":
		return d.storeMaxSectors(value)
	case attr == "device/rescan":
		if d.waits() {
			t.w.took = Forever
			return nil
		}
		d.Rescan()
		return nil
	}
	if dir, ok := t.dir("block/" + path.Dir(name+"/"+attr)); ok {
		if _, readable := dir.attr(path.Base(attr)); readable {
			return fs.ErrPermission
		}
	}
	return sysfs.ErrAbsent
}

// announce is a uevent on demand (lib/kobject_uevent.c kobject_synth_uevent).
func (t Tree) announce(d *Disk, m *Map, action string) error {
	switch {
	case action == "": // nothing was written
	case !slices.Contains(ueventActions(), action):
		return errInvalid
	case d != nil:
		t.w.uevent(d.event(action, "SYNTH_UUID=0"))
	default:
		t.w.uevent(m.event(action, "SYNTH_UUID=0", 0))
	}
	return nil
}

// storeState is store_state_field: the two states that a user may set, with the
// newline that the kernel's comparison counts.
func (d *Disk) storeState(value string) error {
	switch value {
	case "running\n", "offline\n":
		d.SetState(strings.TrimSuffix(value, "\n"))
	case "": // nothing was written
	default:
		return errInvalid
	}
	return nil
}

func ueventActions() []string {
	return []string{"add", "change", "remove", "online", "offline", "bind", "unbind", "move"}
}

// dir finds a directory; links on the way are followed.
func (t Tree) dir(p string) (directory, bool) {
	parts := strings.Split(p, "/")
	switch {
	case p == "block" || p == "class/block":
		return t.blocks(p == "class/block"), true
	case parts[0] == "class" && len(parts) > 2 && parts[1] == "block":
		return t.block(parts[2], parts[3:])
	case parts[0] == "block" && len(parts) > 1:
		return t.block(parts[1], parts[2:])
	case parts[0] == "class":
		return t.class(parts[1:])
	case parts[0] != "devices":
		return nil, false
	}
	i := slices.Index(parts, "block")
	if i > 0 && len(parts) > i+1 {
		return t.block(parts[i+1], parts[i+2:])
	}
	return t.below(parts)
}

// below is a SCSI device's directory, or its scsi_generic.
func (t Tree) below(parts []string) (directory, bool) {
	generic := parts[len(parts)-1] == "scsi_generic"
	if generic {
		parts = parts[:len(parts)-1]
	}
	var host, channel, target uint32
	var number uint64
	if _, err := fmt.Sscanf(parts[len(parts)-1], "%d:%d:%d:%d", &host, &channel, &target, &number); err != nil {
		return nil, false
	}
	d := t.w.address(host, target, number)
	switch {
	case d == nil || d.device() != strings.Join(parts, "/"):
		return nil, false
	case generic:
		return listing{dirs: []string{d.sg()}}, true
	}
	return scsiDir{d}, true
}

// address finds a disk by its SCSI address.
func (w *World) address(host, target uint32, number uint64) *Disk {
	if h := w.HBA(host); h != nil {
		for _, n := range h.nexuses {
			if n.Target == target {
				return n.found[number]
			}
		}
	}
	return nil
}

func (t Tree) blocks(parts bool) directory {
	if parts {
		return blockDir{t.w, "../../", true}
	}
	return blockDir{t.w, "../", false}
}

// blockDir is block, or class/block with the partitions too.
type blockDir struct {
	w     *World
	up    string
	parts bool
}

func (x blockDir) attr(string) (string, bool) { return "", false }

func (x blockDir) link(n string) (string, bool) {
	if m := x.w.mapByNode(n); m != nil {
		return x.up + "devices/virtual/block/" + n, m.registered
	}
	if d := x.w.Disk(n); d != nil {
		return x.up + d.device() + "/block/" + n, true
	}
	d := x.w.Disk(strings.TrimRight(n, "0123456789"))
	if d == nil || !x.parts {
		return "", false
	}
	_, ok := d.part(n)
	return x.up + d.device() + "/block/" + d.Name + "/" + n, ok
}

func (x blockDir) names() []string {
	out := make([]string, 0, len(x.w.disks)+len(x.w.maps))
	for _, d := range x.w.disks {
		out = append(out, d.Name)
		if x.parts {
			for _, p := range d.Parts {
				out = append(out, fmt.Sprintf("%s%d", d.Name, p.Number))
			}
		}
	}
	for _, m := range x.w.maps {
		if m.registered {
			out = append(out, m.kernelName())
		}
	}
	return out
}

// block is a block device's directory or one below it.
func (t Tree) block(name string, rest []string) (directory, bool) {
	below := strings.Join(rest, "/")
	if m := t.w.mapByNode(name); m != nil {
		return t.mapDir(m, below)
	}
	d := t.w.Disk(name)
	if d == nil {
		return nil, false
	}
	switch below {
	case "":
		return diskDir{d}, true
	case "holders":
		out := listing{dirs: slices.Clone(d.holders)}
		for _, m := range t.w.holders(d) {
			out.dirs = append(out.dirs, m.kernelName())
		}
		return out, true
	case "slaves":
		return listing{}, true
	case "queue":
		return listing{attrs: map[string]string{"max_sectors_kb": fmt.Sprintf("%d\n", d.maxSectors()), "max_hw_sectors_kb": fmt.Sprintf("%d\n", maxHWSectorsKB)}}, true
	case "device":
		return scsiDir{d}, true
	case "device/block":
		return listing{dirs: []string{d.Name}}, true
	}
	for _, p := range d.Parts {
		part := fmt.Sprintf("%s%d", d.Name, p.Number)
		if below == part {
			return listing{attrs: map[string]string{
				"partition": fmt.Sprintf("%d\n", p.Number), "dev": fmt.Sprintf("%d:%d\n", d.Major, d.Minor+p.Number),
				"start": fmt.Sprintf("%d\n", p.Start), "size": fmt.Sprintf("%d\n", p.Sectors),
			}, dirs: []string{"holders"}}, true
		}
		if below == part+"/holders" {
			return t.partHolders(d, p), true
		}
	}
	return nil, false
}

func (t Tree) partHolders(d *Disk, p Part) directory {
	var out listing
	for _, m := range t.w.holders(d) {
		on := func(x *target) bool { return x.under.disk == d && x.under.part == p.Number }
		if m.live != nil && slices.ContainsFunc(m.live.targets, on) {
			out.dirs = append(out.dirs, m.kernelName())
		}
	}
	return out
}

// diskDir is block/sda (block/genhd.c).
type diskDir struct{ d *Disk }

func (x diskDir) attr(n string) (string, bool) {
	d := x.d
	switch n {
	case "dev":
		return fmt.Sprintf("%d:%d\n", d.Major, d.Minor), true
	case "diskseq":
		return fmt.Sprintf("%d\n", d.Diskseq), true
	case "size":
		return fmt.Sprintf("%d\n", d.Sectors), true
	case "ro":
		return flagText(d.ReadOnly), true
	case "removable", "hidden", "capability":
		return "0\n", true
	case "uevent":
		return fmt.Sprintf("MAJOR=%d\nMINOR=%d\nDEVNAME=%s\nDEVTYPE=disk\nDISKSEQ=%d\n", d.Major, d.Minor, d.Name, d.Diskseq), true
	}
	return "", false
}

func (x diskDir) link(n string) (string, bool) { return "../../../" + x.d.HCTL(), n == "device" }

func (x diskDir) names() []string {
	out := []string{"capability", "dev", "device", "diskseq", "hidden", "holders", "queue", "removable", "ro", "size", "slaves", "uevent"}
	for _, p := range x.d.Parts {
		out = append(out, fmt.Sprintf("%s%d", x.d.Name, p.Number))
	}
	return out
}

// scsiDir is the SCSI device's directory (drivers/scsi/scsi_sysfs.c).
type scsiDir struct{ d *Disk }

func (x scsiDir) attr(n string) (string, bool) {
	d := x.d
	text := func(from, to int) (string, bool) {
		if len(d.inquiry) < to {
			return "", true
		}
		return string(d.inquiry[from:to]) + "\n", true
	}
	switch n {
	case "state":
		return d.State + "\n", true
	case "type":
		return "0\n", true
	case "timeout":
		return fmt.Sprintf("%d\n", timeoutS), true
	case "vendor":
		return text(8, 16)
	case "model":
		return text(16, 32)
	case "rev":
		return text(32, 36)
	case "inquiry":
		return string(d.inquiry), d.inquiry != nil
	case "vpd_pg0":
		return string(d.vpd00), d.vpd00 != nil
	case "vpd_pg80":
		return string(d.vpd80), d.vpd80 != nil
	case "vpd_pg83":
		return string(d.vpd83), d.vpd83 != nil
	case "dh_state":
		if d.handler == "" {
			return "detached\n", true
		}
		return d.handler + "\n", true
	case "access_state":
		return d.told.access.String() + "\n", d.handler == "alua"
	case "preferred_path":
		return flagText(d.told.pref), d.handler == "alua"
	}
	return "", false
}

func (x scsiDir) link(string) (string, bool) { return "", false }

func (x scsiDir) names() []string {
	out := []string{"scsi_generic", "block"}
	for _, n := range []string{
		"access_state", "dh_state", "inquiry", "model", "preferred_path", "rev", "state", "timeout", "type", "vendor",
		"vpd_pg0", "vpd_pg80", "vpd_pg83",
	} {
		if _, ok := x.attr(n); ok {
			out = append(out, n)
		}
	}
	return out
}

// String is the kernel's word for the state (drivers/scsi/scsi.c,
// scsi_access_state_name).
func (a Access) String() string {
	switch a {
	case Optimized:
		return "active/optimized"
	case NonOptimized:
		return "active/non-optimized"
	case Standby:
		return "standby"
	case Unavailable:
		return "unavailable"
	case Offline:
		return "offline"
	case Transitioning:
		return "transitioning"
	}
	return fmt.Sprintf("state %d", uint8(a))
}

func (t Tree) mapDir(m *Map, below string) (directory, bool) {
	if !m.registered {
		return nil, false
	}
	switch below {
	case "":
		return listing{attrs: map[string]string{
			"dev": fmt.Sprintf("%d:%d\n", dmMajor, m.minor), "size": fmt.Sprintf("%d\n", m.live.sectors()),
			"ro": flagText(m.live.isReadOnly()), "diskseq": fmt.Sprintf("%d\n", m.diskseq), "uevent": "",
		}, dirs: []string{"dm", "holders", "queue", "slaves"}}, true
	case "queue":
		return listing{attrs: map[string]string{"max_sectors_kb": fmt.Sprintf("%d\n", m.maxSectors())}}, true
	case "dm":
		return listing{attrs: map[string]string{"name": m.name + "\n", "uuid": m.uuid + "\n", "suspended": flagText(m.suspended)}}, true
	case "holders":
		var out listing
		for _, o := range owners(m.users) {
			out.dirs = append(out.dirs, o.kernelName())
		}
		return out, true
	case "slaves":
		var out listing
		for _, x := range []*dmTable{m.live, m.inactive} { // bd_link_disk_holder: from the load on
			if x == nil {
				continue
			}
			for _, d := range x.disks {
				out.dirs = append(out.dirs, d.Name)
			}
			for _, o := range x.maps {
				out.dirs = append(out.dirs, o.kernelName())
			}
		}
		slices.Sort(out.dirs)
		out.dirs = slices.Compact(out.dirs)
		return out, true
	}
	return nil, false
}

func flagText(b bool) string {
	if b {
		return "1\n"
	}
	return "0\n"
}
