package sim

import (
	"encoding/binary"
	"fmt"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/uevent"
)

// Udevd stands beside the kernel: it takes the kernel's events, asks the devices
// who they are, keeps its database, and hands the events on with what it knows.
// Events of one device are processed one after the other, those of others at the
// same time: between devices the order is lost.
type Udevd struct {
	w *World

	// Lose is the chance out of 1000 that it misses an event of the kernel: its
	// database does not learn of it either.
	Lose int
	// Least and Most bound how long an event takes.
	Least, Most mpath.Span

	// Rules, if set, are the product's: they get an event of a block device with
	// what udevd's own have found, and give that with what they add.
	Rules func(e Uevent, found []string) []string

	held  []Uevent // that came while it was stopped
	stop  bool
	done  map[string]mpath.Instant // by device: when it is through with the last event
	heard []func(uevent.Datagram)
}

func newUdevd(w *World) *Udevd {
	u := &Udevd{w: w, Least: 2 * mpath.Millisecond, Most: 40 * mpath.Millisecond, done: map[string]mpath.Instant{}}
	w.Listen(u.take)
	return u
}

// Listen has every processed event handed over as udevd multicasts it.
func (u *Udevd) Listen(f func(uevent.Datagram)) { u.heard = append(u.heard, f) }

// Stop stops udevd; events wait in its socket.
func (u *Udevd) Stop() { u.stop = true }

// Continue ends Stop.
func (u *Udevd) Continue() {
	u.stop = false
	held := u.held
	u.held = nil
	for _, e := range held {
		u.take(e)
	}
}

func (u *Udevd) take(e Uevent) {
	if u.stop {
		u.held = append(u.held, e)
		return
	}
	if u.Lose > 0 && u.w.rand.IntN(1000) < u.Lose {
		return
	}
	key := e.Name
	if e.disk != nil {
		key = e.disk.HCTL() // a parent's event before its children's
	}
	takes := u.w.between(u.Least, u.Most)
	if d := e.disk; d != nil && !d.gone && e.Subsystem == "block" && e.Action != "remove" && (d.waits() || d.fault == Hung) {
		takes += timeoutS * mpath.Second // its programs wait for the device
	}
	at := max(u.w.now, u.done[key]).After(takes)
	u.done[key] = at
	u.w.after(at.Since(u.w.now), func() {
		if u.done[key] == at {
			delete(u.done, key)
		}
		u.process(e)
	})
}

// process is what the rules do, and the datagram at their end.
func (u *Udevd) process(e Uevent) {
	props := e.Props()
	record := "/run/udev/" + uevent.RecordName(e.Major, e.Minor)
	if e.Subsystem == "block" {
		for i, p := range props {
			if name, ok := strings.CutPrefix(p, "DEVNAME="); ok {
				props[i] = "DEVNAME=/dev/" + name
			}
		}
		if e.Action == "remove" {
			for _, line := range strings.Split(u.w.Files.udevRecord(record), "\n") {
				if kv, ok := strings.CutPrefix(line, "E:"); ok {
					props = append(props, kv)
				}
			}
			remove(&u.w.Files.udev, record)
		} else {
			mine := u.identify(e)
			if u.Rules != nil {
				mine = u.Rules(e, mine)
			}
			props = append(props, mine...)
			put(&u.w.Files.udev, record, "I:1\nE:"+strings.Join(mine, "\nE:")+"\n")
		}
	}
	dg := processed(e.Subsystem, e.DevType, props)
	for _, f := range u.heard {
		f(dg)
	}
}

// identify is what udev's rules find out: of a disk by scsi_id or ata_id, which
// ask the device; of a map by dmsetup.
func (u *Udevd) identify(e Uevent) []string {
	if e.mapped != nil {
		return []string{
			"DM_NAME=" + e.mapped.name, "DM_UUID=" + e.mapped.uuid, "DM_SUSPENDED=" + strings.TrimSpace(flagText(e.mapped.suspended)),
			fmt.Sprintf("DM_UDEV_PRIMARY_SOURCE_FLAG=%d", e.Flags>>6&1),
		}
	}
	d := e.disk
	if d == nil {
		return []string{"USEC_INITIALIZED=1"}
	}
	out := []string{"USEC_INITIALIZED=1", "ID_PATH=sim-" + d.HCTL()}
	if d.gone || !d.reachable() || d.lun == nil {
		return out // scsi_id fails: none of its properties
	}
	return append(out,
		"ID_SERIAL="+d.lun.udevSerial(), "ID_SERIAL_SHORT="+d.lun.Serial, "ID_WWN=0x"+d.lun.NAA, "ID_BUS=scsi",
		"ID_VENDOR="+d.lun.Vendor, "ID_MODEL="+strings.ReplaceAll(d.lun.Product, " ", "_"))
}

// udevSerial is what udev's ID_SERIAL says: scsi_id's, or ata_id's.
func (l *LUN) udevSerial() string {
	if l.Vendor == "ATA" {
		return strings.ReplaceAll(strings.TrimSpace(l.Product), " ", "_") + "_" + strings.TrimSpace(l.Serial)
	}
	return l.WWID()
}

// processed is udevd's datagram (systemd: struct monitor_netlink_header, then the
// properties).
func processed(subsystem, devtype string, props []string) uevent.Datagram {
	const header = 40
	body := strings.Join(props, "\x00") + "\x00"
	b := make([]byte, header, header+len(body))
	copy(b, "libudev\x00")
	binary.BigEndian.PutUint32(b[8:], 0xfeedcafe)
	for i, n := range []int{header, header, len(body)} {
		native.PutUint32(b[12+4*i:], uint32(n))
	}
	binary.BigEndian.PutUint32(b[24:], murmur(subsystem))
	binary.BigEndian.PutUint32(b[28:], murmur(devtype))
	return uevent.Datagram{Data: append(b, body...), Group: uevent.GroupUdev, PortID: 1, HasUID: true}
}

// murmur is the hash of subsystem and type in the header: MurmurHash2, seed 0.
func murmur(s string) uint32 {
	const m = 0x5bd1e995
	h := uint32(len(s))
	for ; len(s) >= 4; s = s[4:] {
		k := binary.LittleEndian.Uint32([]byte(s)) * m
		h = h*m ^ (k^k>>24)*m
	}
	for i := len(s) - 1; i >= 0; i-- {
		h ^= uint32(s[i]) << (8 * i)
	}
	if len(s) > 0 {
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
