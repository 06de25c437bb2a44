package sim

import (
	"fmt"
	"strings"

	"pathkeeper/uevent"
)

// Uevent is what the kernel tells of a device.
type Uevent struct {
	Action  string // "add", "change", "remove"
	Name    string // kernel name of the device: "sda", "sda1", "dm-3", or "2:0:0:1"
	Major   uint32
	Minor   uint32
	Diskseq uint64
	Text    string // further properties, "SDEV_UA=..." or "DM_ACTION=PATH_FAILED ..."
	// Flags are the udev flags of a device-mapper event (upper half of DM_COOKIE).
	Flags uint16

	Subsystem string // "block"; "scsi" for a SCSI device
	DevType   string // "disk", "partition", "scsi_device"
	Devpath   string // below /sys, with a leading slash
	Seqnum    uint64

	disk   *Disk
	part   uint32
	mapped *Map
	cookie uint32
}

// scsiEvent is an event of the SCSI device below a disk.
func (d *Disk) scsiEvent(action, text string) Uevent {
	return Uevent{
		Action: action, Name: d.HCTL(), Subsystem: "scsi", DevType: "scsi_device", Devpath: "/" + d.device(), Text: text, disk: d,
		Diskseq: d.Diskseq,
	}
}

func (d *Disk) partEvent(action string, p Part) Uevent {
	e := d.event(action, "")
	e.Name, e.Minor, e.DevType, e.part = fmt.Sprintf("%s%d", d.Name, p.Number), d.Minor+p.Number, "partition", p.Number
	e.Devpath = fmt.Sprintf("/%s/block/%s/%s", d.device(), d.Name, e.Name)
	return e
}

// uevent tells the listeners.
func (w *World) uevent(e Uevent) {
	w.seqnum++
	e.Seqnum = w.seqnum
	if e.Subsystem == "" {
		e.Subsystem = "block"
	}
	if e.DevType == "" {
		e.DevType = "disk"
	}
	switch {
	case e.Devpath != "":
	case e.mapped != nil:
		e.Devpath = "/devices/virtual/block/" + e.Name
	case e.disk != nil:
		e.Devpath = "/" + e.disk.device() + "/block/" + e.disk.Name
	}
	for _, f := range w.uevents {
		f(e)
	}
}

// Listen has every event of the kernel handed over as it happens, in the kernel's
// order.
func (w *World) Listen(f func(Uevent)) { w.uevents = append(w.uevents, f) }

// Props are the event's properties in the kernel's order (lib/kobject_uevent.c
// kobject_uevent_env, drivers/base/core.c dev_uevent, block/genhd.c block_uevent).
func (e Uevent) Props() []string {
	out := []string{"ACTION=" + e.Action, "DEVPATH=" + e.Devpath, "SUBSYSTEM=" + e.Subsystem}
	if e.cookie != 0 {
		out = append(out, fmt.Sprintf("DM_COOKIE=%d", e.cookie))
	}
	if e.Text != "" {
		out = append(out, strings.Split(e.Text, " ")...)
	}
	if e.mapped != nil && strings.Contains(e.Text, "DM_ACTION=") { // dm_path_uevent
		out = append(out, "DM_NAME="+e.mapped.name, "DM_UUID="+e.mapped.uuid)
	}
	if e.Subsystem == "scsi" {
		out = append(out, "DEVTYPE="+e.DevType, "DRIVER=sd", "MODALIAS=scsi:t-0x00")
	} else {
		out = append(out, fmt.Sprintf("MAJOR=%d", e.Major), fmt.Sprintf("MINOR=%d", e.Minor), "DEVNAME="+e.Name, "DEVTYPE="+e.DevType)
		if e.Diskseq != 0 {
			out = append(out, fmt.Sprintf("DISKSEQ=%d", e.Diskseq))
		}
		if e.part != 0 {
			out = append(out, fmt.Sprintf("PARTN=%d", e.part))
		}
	}
	return append(out, fmt.Sprintf("SEQNUM=%d", e.Seqnum))
}

// Datagram is the event as the kernel multicasts it.
func (e Uevent) Datagram() uevent.Datagram {
	data := e.Action + "@" + e.Devpath + "\x00" + strings.Join(e.Props(), "\x00") + "\x00"
	return uevent.Datagram{Data: []byte(data), Group: uevent.GroupKernel, HasUID: true}
}
