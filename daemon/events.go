package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"pathkeeper/blockio"
	"pathkeeper/dmmap"
	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/dmmap/table"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/uevent"
)

// watchUevents turns uevents into hints: udevd's processed ones where udevd
// runs, else the kernel's.
func (d *Daemon) watchUevents(ctx context.Context, r uevent.Port) error {
	for {
		dg, err := r.Receive()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if dg.Overrun {
			d.loop.send(ctx, mpath.Overrun{})
			continue
		}
		ev, err := uevent.Parse(dg.Data)
		switch {
		case err != nil || ev.DevType == "partition":
		case ev.Subsystem == "block":
			d.takeUevent(ctx, ev)
		case ev.Subsystem == "scsi":
			if h, ok := attentionOf(ev); ok {
				d.loop.send(ctx, h)
			}
		}
	}
}

func (d *Daemon) takeUevent(ctx context.Context, ev uevent.Event) {
	name := ev.SysName()
	dev, ok := devNum(ev)
	if !ok {
		return
	}
	if strings.HasPrefix(name, "dm-") {
		d.loop.send(ctx, mpath.MapEvent{Dev: dev})
		if ev.Action != "remove" {
			d.lookAtNode(ctx, dev)
		}
		return
	}
	if !engine.Candidate(name) {
		return
	}
	if ev.Action == "remove" {
		// Linux 5.15 and later say which device of that name it was; 0 before.
		seq, _ := strconv.ParseUint(ev.Props.Value("DISKSEQ"), 10, 64)
		d.work.forget(name, seq)
	}
	d.loop.send(ctx, mpath.DeviceHint{Name: name, Dev: dev, Remove: ev.Action == "remove", FromUdev: ev.FromUdev})
}

// attentionOf is the hint of a unit attention that the kernel tells of: a change
// event of the SCSI device, "2:0:0:1", with SDEV_UA (drivers/scsi/scsi_lib.c).
func attentionOf(ev uevent.Event) (mpath.DeviceHint, bool) {
	a := mpath.ParseAttention(ev.Props.Value("SDEV_UA"))
	if ev.DevType != "scsi_device" || ev.Action != "change" || a == mpath.AttentionNone {
		return mpath.DeviceHint{}, false
	}
	return mpath.DeviceHint{HCTL: ev.SysName(), FromUdev: ev.FromUdev, Attention: a}, true
}

func devNum(ev uevent.Event) (table.DevNum, bool) {
	major, err1 := strconv.ParseUint(ev.Props.Value("MAJOR"), 10, 32)
	minor, err2 := strconv.ParseUint(ev.Props.Value("MINOR"), 10, 32)
	return table.DevNum{Major: uint32(major), Minor: uint32(minor)}, err1 == nil && err2 == nil
}

// lookAtNode tells the core owner and mode of a map's node, after each event
// that udevd has processed: its rules may have set them.
func (d *Daemon) lookAtNode(ctx context.Context, dev table.DevNum) {
	n, errno := d.nodes.Node("dm-" + strconv.FormatUint(uint64(dev.Minor), 10))
	if errno != 0 || n.Major != dev.Major || n.Minor != dev.Minor {
		return
	}
	d.loop.send(ctx, mpath.NodeSeen{Dev: dev, UID: n.UID, GID: n.GID, Mode: n.Mode})
}

// lookAtAllNodes does so for every map, at the start.
func (d *Daemon) lookAtAllNodes(ctx context.Context) {
	entries, err := os.ReadDir(d.opt.DevDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if minor, ok := strings.CutPrefix(e.Name(), "dm-"); ok {
			var st unix.Stat_t
			if _, err := strconv.ParseUint(minor, 10, 32); err != nil || unix.Lstat(filepath.Join(d.opt.DevDir, e.Name()), &st) != nil {
				continue
			}
			d.lookAtNode(ctx, table.DevNum{Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev)})
		}
	}
}

// watchMaps waits for device-mapper events of all maps on one descriptor.
func (d *Daemon) watchMaps(ctx context.Context, c *dmioctl.Control) error {
	for {
		call, err := dmmap.ArmPoll{}.Encode()
		if err != nil {
			return err
		}
		if _, errno := c.Ioctl(call.Cmd, call.Buf); errno != 0 {
			return call.Err(errno)
		}
		d.loop.send(ctx, mpath.MapEvent{})
		if err := c.WaitEvent(ctx); err != nil {
			if ctx.Err() != nil || errors.Is(err, os.ErrClosed) {
				return nil
			}
			return err
		}
	}
}

var _ blockio.NodePort = (*blockio.Devices)(nil)
