package sim

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/mpath"
)

// Fault is what is wrong with the way to a disk.
type Fault uint8

// Faults.
const (
	Healthy   Fault = iota
	NoConnect       // commands come back at once: DID_NO_CONNECT
	Hung            // commands come back only at their time-out
	Disrupted       // commands come back at once: DID_TRANSPORT_DISRUPTED, as those of a tcm_loop port that is offline
	Stuck           // commands do not come back before the fault ends, not even at their time-out
)

// Disk is a SCSI disk as the kernel has it: one path.
type Disk struct {
	w       *World
	Name    string
	Major   uint32
	Minor   uint32
	Diskseq uint64
	Host    uint32
	Target  uint32
	Unit    uint64 // the LUN's number at the target
	TPG     int
	Port    int // relative target port
	Sectors uint64
	Parts   []Part
	// State is sysfs's: "running", "offline", "transport-offline", "blocked".
	State string
	// ReadOnly is the kernel's `ro`, as it was when it last looked.
	ReadOnly bool
	// Exclusive: some program has it open with O_EXCL.
	Exclusive bool
	// FailIO: writes fail, everything else is answered as ever.
	FailIO bool

	index   int // of the name: 0 is sda
	nexus   *Nexus
	lun     *LUN // what is behind it now; nil: nothing
	fault   Fault
	ua      []sense
	quirks  []*Quirk
	gone    bool
	tables  []*dmTable // that hold it
	holders []string   // other holders than device-mapper, by kernel name
	handler string     // device handler that is attached, "alua"
	told    portState  // what the handler was last told of the port group
	parked  []func()   // I/O that waits for a fault to end
	sectors uint32     // max_sectors_kb as somebody set it, 0 nobody did
	retries string     // max_retries as somebody set it, "" nobody did
	// What the kernel remembers from its scan.
	inquiry, vpd00, vpd80, vpd83 []byte
}

// Part is a partition.
type Part struct {
	Number         uint32
	Start, Sectors uint64
}

const (
	sdMinors    = 16
	timeoutS    = 30 // a disk's own command time-out
	commandCost = 2 * mpath.Millisecond
)

// sdNumber is the device number of the disk of an index (drivers/scsi/sd.c,
// sd_major and sd_probe): sixteen disks to a major, sixteen majors, and then the
// upper bits of the minor.
func sdNumber(index int) (major, minor uint32) {
	i := uint32(index)
	switch m := (i & 0xf0) >> 4; {
	case m == 0:
		major = 8
	case m <= 7:
		major = 65 + m - 1
	default:
		major = 128 + m - 8
	}
	return major, (i&0xf)<<4 | i&0xfff00
}

func sdName(i int) string {
	s := ""
	for n := i + 1; n > 0; n = (n - 1) / 26 {
		s = string(rune('a'+(n-1)%26)) + s
	}
	return "sd" + s
}

// AddPath lets the kernel find a LUN at a host and a target port group, by a port
// that only this host reaches: a new disk. Its number and name are the lowest
// free ones. A host that is not there yet is made, of no particular transport.
func (w *World) AddPath(l *LUN, host uint32, tpg int) *Disk {
	h := w.HBA(host)
	if h == nil {
		h = w.addHBA(HBA{Number: host})
	}
	n := h.direct(tpg)
	number := uint64(l.number)
	for n.found[number] != nil { // two paths at one address there cannot be
		number += uint64(len(w.luns))
	}
	n.units = place(n.units, number, l)
	return w.discover(n, unit{number, l})
}

// direct is the nexus to a port of a group that only this host reaches.
func (h *HBA) direct(tpg int) *Nexus {
	for _, n := range h.nexuses {
		if n.Port.array == nil && n.Port.TPG == tpg {
			return n
		}
	}
	return h.login(&Port{TPG: tpg, Rel: int(h.Number)*16 + tpg, Name: FibreChannel.name(0x59, h.Number<<8|uint32(tpg))})
}

// discover makes the kernel's disk of a unit.
func (w *World) discover(n *Nexus, u unit) *Disk {
	w.sweep()
	i := w.index.freeIndex()
	w.diskseq++
	d := &Disk{
		w: w, Name: sdName(i), Diskseq: w.diskseq, Host: n.Host.Number, Target: n.Target, Unit: u.number, TPG: n.Port.TPG, Port: n.Port.Rel,
		State: "running", index: i, nexus: n, lun: u.lun,
	}
	d.Major, d.Minor = sdNumber(i)
	if u.lun != nil {
		u.lun.seen(d.TPG, d.Port)
	}
	d.rescan()
	if u.lun != nil && u.lun.TPGS != 0 && w.autoALUA && slices.Contains(w.Handlers, "alua") {
		d.handler = "alua" // scsi_dh_add_device: the handler of every device with TPGS
		d.rtpg()
	}
	at, _ := slices.BinarySearchFunc(w.disks, i, func(d *Disk, i int) int { return d.index - i })
	w.disks = slices.Insert(w.disks, at, d)
	w.index.addDisk(d)
	n.found[u.number] = d
	w.announce("add", d)
	return d
}

// announce sends the kernel's events of a disk that comes or goes, with those of
// the SCSI device and the partitions around it (scsi_sysfs_add_sdev, device_add_disk,
// del_gendisk).
func (w *World) announce(action string, d *Disk) {
	if action == "remove" {
		for _, p := range d.Parts {
			w.uevent(d.partEvent("remove", p))
		}
		w.uevent(d.event("remove", ""))
		w.uevent(d.scsiEvent("remove", ""))
		return
	}
	w.uevent(d.scsiEvent("add", ""))
	w.uevent(d.event("add", ""))
	for _, p := range d.Parts {
		w.uevent(d.partEvent("add", p))
	}
}

func (d *Disk) event(action, text string) Uevent {
	return Uevent{Action: action, Name: d.Name, Major: d.Major, Minor: d.Minor, Diskseq: d.Diskseq, Text: text, disk: d}
}

// rescan has the kernel ask the device everything and remember it, as at a scan.
func (d *Disk) rescan() {
	d.inquiry, d.vpd00, d.vpd80, d.vpd83 = nil, nil, nil, nil
	if d.lun == nil {
		return
	}
	d.inquiry = d.lun.inquiry()
	d.readPages()
	d.Sectors, d.ReadOnly = d.lun.Sectors, d.lun.ReadOnly
	if !d.sized() {
		d.Sectors = 0
	}
}

// sized says whether the kernel learns the size; where it does not, its disk has
// 0 sectors until somebody rescans it (drivers/scsi/sd.c, read_capacity_error).
func (d *Disk) sized() bool {
	return !d.lun.NoCapacity || d.access() != Unavailable && d.access() != Offline
}

func (d *Disk) readPages() {
	d.vpd00, _ = d.lun.vpd(d, 0x00)
	d.vpd80, _ = d.lun.vpd(d, 0x80)
	d.vpd83, _ = d.lun.vpd(d, 0x83)
}

// Rescan is "1" written to the device's rescan (scsi_rescan_device): the kernel
// reads the pages again, then size and write protection; vendor and model stay
// as they were at the scan. A size that cannot be read becomes 0. A new size is a change event with RESIZE=1 (set_capacity_and_notify), not from or
// to 0; a change of the write protection one with DISK_RO
// (set_disk_ro).
func (d *Disk) Rescan() {
	if d.lun == nil || !d.reachable() {
		return
	}
	d.readPages()
	size, ro := d.Sectors, d.ReadOnly
	if d.Sectors = 0; d.sized() {
		d.Sectors, d.ReadOnly = d.lun.Sectors, d.lun.ReadOnly
	}
	if d.Sectors != size && d.Sectors != 0 && size != 0 {
		d.w.uevent(d.event("change", "RESIZE=1"))
	}
	if d.ReadOnly != ro {
		d.w.uevent(d.event("change", "DISK_RO="+strings.TrimSpace(flagText(d.ReadOnly))))
	}
}

// SetCache puts a page (0x00, 0x80, 0x83) into the kernel's cache that sysfs
// shows, whatever the device says; nil: the kernel has none.
func (d *Disk) SetCache(code uint8, data []byte) {
	switch code {
	case 0x00:
		d.vpd00 = data
	case 0x80:
		d.vpd80 = data
	case 0x83:
		d.vpd83 = data
	}
}

// Break makes the way to the disk faulty, or healthy again.
func (d *Disk) Break(f Fault) {
	d.fault = f
	d.w.thaw()
}

// SetState is a write to the disk's state in sysfs. It sends no uevent.
func (d *Disk) SetState(s string) {
	d.State = s
	d.w.thaw()
}

// Delete takes the disk out of the kernel.
func (d *Disk) Delete() {
	if d.gone {
		return
	}
	d.gone = true
	d.w.disks = slices.DeleteFunc(d.w.disks, func(o *Disk) bool { return o == d })
	d.w.index.removeDisk(d)
	delete(d.nexus.found, d.Unit)
	d.w.dead = append(d.w.dead, d)
	d.w.sweep()
	d.w.announce("remove", d)
	d.w.thaw()
}

// Remap puts another LUN behind the disk, nil for none; the kernel is told
// nothing. With attention the target says so at the next command.
func (d *Disk) Remap(l *LUN, attention bool) {
	d.lun = l
	if l != nil {
		l.seen(d.TPG, d.Port)
		d.nexus.units = place(d.nexus.units, d.Unit, l)
	} else {
		d.nexus.units = slices.DeleteFunc(d.nexus.units, func(u unit) bool { return u.number == d.Unit })
	}
	if attention {
		d.Attention(0x3f, 0x0e)
	}
}

// Announce sends a change uevent of the disk.
func (d *Disk) Announce() { d.w.uevent(d.event("change", "")) }

// LUN is what is behind the disk now, nil if nothing.
func (d *Disk) LUN() *LUN { return d.lun }

// Nexus is the host and the port that the disk is reached by.
func (d *Disk) Nexus() *Nexus { return d.nexus }

// Hold has somebody who is not device-mapper take the disk: an md device, say.
// The name is the holder's kernel name, "md0".
func (d *Disk) Hold(name string) { d.holders = append(d.holders, name) }

// Unhold ends Hold.
func (d *Disk) Unhold(name string) {
	d.holders = slices.DeleteFunc(d.holders, func(h string) bool { return h == name })
}

// HCTL is the SCSI address, "2:0:0:1".
func (d *Disk) HCTL() string { return fmt.Sprintf("%d:0:%d:%d", d.Host, d.Target, d.Unit) }

func (d *Disk) sg() string { return fmt.Sprintf("sg%d", d.index) }

// access is the state of the disk's port group.
func (d *Disk) access() Access {
	if d.lun == nil || d.lun.TPGS == 0 {
		return Optimized
	}
	return d.lun.group(d.TPG).access
}

// online is scsi_device_online: a blocked disk is.
func (d *Disk) online() bool {
	return !d.gone && d.State != "offline" && d.State != "transport-offline"
}

// reachable says whether a command sent now reaches the target and comes back.
func (d *Disk) reachable() bool {
	return d.online() && d.State != "blocked" && d.fault == Healthy && !d.nexus.broken
}

// waits says whether a command sent now is held up until something changes.
func (d *Disk) waits() bool {
	return d.online() && (d.State == "blocked" || d.State == "quiesce" || d.fault == Stuck)
}

// part finds a partition by its kernel name.
func (d *Disk) part(name string) (Part, bool) {
	n, ok := strings.CutPrefix(name, d.Name)
	if !ok {
		return Part{}, false
	}
	for _, p := range d.Parts {
		if fmt.Sprint(p.Number) == n {
			return p, true
		}
	}
	return Part{}, false
}
