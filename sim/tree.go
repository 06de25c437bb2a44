package sim

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/sysfs"
)

// Tree is the world's sysfs.Tree and sysfs.Writer.
type Tree struct{ w *World }

// directory is one directory of sysfs: names and contents of its attributes,
// names and targets of its links, and its subdirectories.
type directory struct {
	attrs map[string]string
	links map[string]string
	dirs  []string
}

func (d directory) names() []string {
	out := slices.Clone(d.dirs)
	for n := range d.attrs {
		out = append(out, n)
	}
	for n := range d.links {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// ReadAttr implements sysfs.Tree.
func (t Tree) ReadAttr(p string, limit int) ([]byte, error) {
	t.w.cost(5*mpath.Millisecond/1000, 40*mpath.Millisecond/1000)
	dir, ok := t.dir(path.Dir(path.Clean(p)))
	if !ok {
		return nil, fmt.Errorf("read %s: %w", p, sysfs.ErrAbsent)
	}
	s, ok := dir.attrs[path.Base(p)]
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
	dir, ok := t.dir(path.Clean(p))
	if !ok {
		return nil, fmt.Errorf("list %s: %w", p, sysfs.ErrAbsent)
	}
	return dir.names(), nil
}

// ReadLink implements sysfs.Tree.
func (t Tree) ReadLink(p string) (string, error) {
	dir, ok := t.dir(path.Dir(path.Clean(p)))
	if ok {
		if target, ok := dir.links[path.Base(p)]; ok {
			return target, nil
		}
	}
	return "", fmt.Errorf("read link %s: %w", p, sysfs.ErrAbsent)
}

// WriteAttr implements sysfs.Writer: uevent, state and delete of a disk.
func (t Tree) WriteAttr(p, value string) error {
	t.w.cost(20*mpath.Millisecond/1000, mpath.Millisecond)
	parts := strings.Split(path.Clean(p), "/")
	if parts[0] == "class" {
		parts = parts[1:]
	}
	if len(parts) < 3 || parts[0] != "block" {
		return fmt.Errorf("write %s: %w", p, sysfs.ErrAbsent)
	}
	d := t.w.Disk(parts[1])
	if d == nil {
		return fmt.Errorf("write %s: %w", p, sysfs.ErrGone)
	}
	switch rest := strings.Join(parts[2:], "/"); {
	case rest == "uevent" && slices.Contains([]string{"add", "change", "remove", "online", "offline", "bind", "unbind", "move"}, value):
		t.w.uevent(d.event(value, "SYNTH_UUID=0"))
	case rest == "device/state" && (value == "running" || value == "offline"):
		d.State = value
	case rest == "device/delete" && value == "1":
		d.Delete()
	case rest == "uevent", rest == "device/state":
		return fmt.Errorf("write %s: %w", p, errInvalid)
	default:
		return fmt.Errorf("write %s: %w", p, sysfs.ErrAbsent)
	}
	return nil
}

var errInvalid = errors.New("invalid argument")

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
	case parts[0] == "devices":
		if i := slices.Index(parts, "block"); i > 0 && len(parts) > i+1 {
			return t.block(parts[i+1], parts[i+2:])
		}
		for _, d := range t.w.disks {
			if p == d.device() {
				return d.scsiDir(), true
			}
			if p == d.device()+"/scsi_generic" {
				return directory{dirs: []string{d.sg()}}, true
			}
		}
	}
	return directory{}, false
}

func (t Tree) blocks(parts bool) directory {
	out := directory{links: map[string]string{}}
	up := strings.Repeat("../", 1)
	if parts {
		up = "../../"
	}
	for _, d := range t.w.disks {
		out.links[d.Name] = up + d.device() + "/block/" + d.Name
	}
	for _, m := range t.w.maps {
		out.links[m.kernelName()] = up + "devices/virtual/block/" + m.kernelName()
	}
	return out
}

// device is the SCSI device's directory.
func (d *Disk) device() string {
	return fmt.Sprintf("devices/sim/host%d/target%d:0:%d/%s", d.Host, d.Host, d.Target, d.HCTL())
}

// HCTL is the SCSI address, "2:0:0:1".
func (d *Disk) HCTL() string { return fmt.Sprintf("%d:0:%d:%d", d.Host, d.Target, d.Unit) }

func (d *Disk) sg() string { return fmt.Sprintf("sg%d", d.Minor/sdMinors) }

// block is a block device's directory or one below it.
func (t Tree) block(name string, rest []string) (directory, bool) {
	below := strings.Join(rest, "/")
	for _, m := range t.w.maps {
		if m.kernelName() == name {
			return t.mapDir(m, below)
		}
	}
	d := t.w.Disk(name)
	if d == nil {
		return directory{}, false
	}
	switch {
	case below == "":
		out := directory{
			attrs: map[string]string{
				"dev": fmt.Sprintf("%d:%d\n", d.Major, d.Minor), "diskseq": fmt.Sprintf("%d\n", d.Diskseq),
				"size": fmt.Sprintf("%d\n", d.Sectors), "ro": flagText(d.lun != nil && d.lun.ReadOnly),
				"removable": "0\n", "hidden": "0\n", "capability": "0\n", "uevent": "",
			},
			links: map[string]string{"device": "../../../" + d.HCTL()},
			dirs:  []string{"holders", "slaves"},
		}
		for _, p := range d.Parts {
			out.dirs = append(out.dirs, fmt.Sprintf("%s%d", d.Name, p.Number))
		}
		return out, true
	case below == "holders":
		var out directory
		for _, m := range t.w.holders(d) {
			out.dirs = append(out.dirs, m.kernelName())
		}
		return out, true
	case below == "slaves":
		return directory{}, true
	case below == "device":
		return d.scsiDir(), true
	}
	for _, p := range d.Parts {
		part := fmt.Sprintf("%s%d", d.Name, p.Number)
		if below == part {
			return directory{attrs: map[string]string{
				"partition": fmt.Sprintf("%d\n", p.Number), "dev": fmt.Sprintf("%d:%d\n", d.Major, d.Minor+p.Number),
				"start": fmt.Sprintf("%d\n", p.Start), "size": fmt.Sprintf("%d\n", p.Sectors),
			}, dirs: []string{"holders"}}, true
		}
		if below == part+"/holders" {
			return directory{}, true
		}
	}
	return directory{}, false
}

func (d *Disk) scsiDir() directory {
	a := map[string]string{
		"state": d.State + "\n", "type": "0\n", "timeout": fmt.Sprintf("%d\n", timeoutS),
		"vendor": "", "model": "", "rev": "",
	}
	if d.inquiry != nil {
		a["vendor"], a["model"], a["rev"] = string(d.inquiry[8:16])+"\n", string(d.inquiry[16:32])+"\n", string(d.inquiry[32:36])+"\n"
		a["inquiry"], a["vpd_pg0"], a["vpd_pg80"], a["vpd_pg83"] = string(d.inquiry), string(d.vpd00), string(d.vpd80), string(d.vpd83)
	}
	return directory{attrs: a, dirs: []string{"scsi_generic"}}
}

func (t Tree) mapDir(m *Map, below string) (directory, bool) {
	switch below {
	case "":
		return directory{attrs: map[string]string{
			"dev": fmt.Sprintf("%d:%d\n", dmMajor, m.minor), "size": fmt.Sprintf("%d\n", m.live.sectors()),
			"ro": flagText(m.live != nil && m.live.readOnly), "diskseq": fmt.Sprintf("%d\n", m.diskseq), "uevent": "",
		}, dirs: []string{"dm", "holders", "slaves"}}, true
	case "dm":
		return directory{attrs: map[string]string{"name": m.name + "\n", "uuid": m.uuid + "\n", "suspended": flagText(m.suspended)}}, true
	case "holders":
		return directory{}, true
	case "slaves":
		var out directory
		for _, d := range t.w.disks {
			if m.live.uses(d) {
				out.dirs = append(out.dirs, d.Name)
			}
		}
		return out, true
	}
	return directory{}, false
}

func flagText(b bool) string {
	if b {
		return "1\n"
	}
	return "0\n"
}
