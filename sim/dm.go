package sim

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/blockio"
	"pathkeeper/mpath"
)

// The kernel's side of device-mapper, after include/uapi/linux/dm-ioctl.h and
// drivers/md/dm-ioctl.c of Linux 6.1.

const (
	dmMajor = 254

	ioctlBytes = 312 // sizeof(struct dm_ioctl)
	ioctlLeast = 305 // offsetof(struct dm_ioctl, data)
	specSize   = 40  // sizeof(struct dm_target_spec)

	fReadOnly  = 1 << 0
	fSuspend   = 1 << 1
	fPersist   = 1 << 3
	fTable     = 1 << 4
	fActive    = 1 << 5
	fInactive  = 1 << 6
	fFull      = 1 << 8
	fNoFlush   = 1 << 11
	fQueryIn   = 1 << 12
	fUevent    = 1 << 13
	fUUID      = 1 << 14
	fDeferred  = 1 << 17
	fInternal  = 1 << 18
	minorLevel = 47 // 4.47.0
)

// Map is a device-mapper device.
type Map struct {
	w         *World
	name      string
	uuid      string
	minor     uint32
	diskseq   uint64
	eventNr   uint32
	open      int
	suspended bool
	draining  *draining // a suspension that waits, nil: none does
	byOther   bool      // that suspension is Suspend's
	deferred  bool      // to be removed at the last close
	live      *dmTable
	inactive  *dmTable
	waiting   []*IO // while it is suspended
	inFlight  int

	registered bool       // the block device is there, since the first load
	kind       string     // of its queue, since the first load
	users      []*dmTable // of other maps, that hold it
	pathEvents int        // DM_SEQNUM

	// Node is its device node.
	Node blockio.Node

	Loads, Suspends int // counted for tests
}

// Name is the map's name.
func (m *Map) Name() string { return m.name }

// UUID is the map's UUID.
func (m *Map) UUID() string { return m.uuid }

// Suspended says whether it is.
func (m *Map) Suspended() bool { return m.suspended }

// Deferred says whether it goes when nobody uses it any more.
func (m *Map) Deferred() bool { return m.deferred }

// EventNr is its event number.
func (m *Map) EventNr() uint32 { return m.eventNr }

// Live says whether it has a live table.
func (m *Map) Live() bool { return m.live != nil }

func (m *Map) kernelName() string { return "dm-" + utoa(m.minor) }

// Table is the live table as DM_TABLE_STATUS prints it, "" for none.
func (m *Map) Table() string {
	if m.live == nil || len(m.live.targets) == 0 {
		return ""
	}
	return strings.TrimSpace(m.live.targets[0].text(true))
}

// Status is the live status, likewise.
func (m *Map) Status() string {
	if m.live == nil || len(m.live.targets) == 0 {
		return ""
	}
	return strings.TrimSpace(m.live.targets[0].text(false))
}

// ioctl is one call as the kernel sees it.
type ioctl struct {
	buf   []byte
	size  uint32 // data_size given
	flags uint32
	name  string
	uuid  string
	dev   uint64
	out   []byte // payload to give back
	full  bool
	count uint32
	event uint32 // event_nr given
}

// DM is the world's dmmap.Port.
type DM struct{ w *World }

var native = binary.NativeEndian

// Ioctl implements dmmap.Port.
func (p DM) Ioctl(cmd uint32, in []byte) ([]byte, uint32) {
	p.w.cost(50*mpath.Millisecond/1000, 2*mpath.Millisecond)
	if cmd>>8 != (3<<30|ioctlBytes<<16|0xfd<<8)>>8 {
		return in, eNOTTY
	}
	if len(in) < ioctlLeast {
		return in, 14 // EFAULT: the kernel reads a whole header
	}
	if native.Uint32(in) != 4 || native.Uint32(in[4:]) > minorLevel {
		return in, eINVAL
	}
	c := &ioctl{buf: slices.Clone(in)}
	c.size = native.Uint32(in[12:])
	if c.size < ioctlLeast || int(c.size) > len(in) {
		return in, eINVAL
	}
	c.flags = native.Uint32(in[28:]) &^ (fFull | fUevent)
	c.event = native.Uint32(in[32:])
	c.dev = native.Uint64(in[40:])
	c.name, c.uuid = text(in[48:176]), text(in[176:305])
	nr := cmd & 0xff
	errno := p.w.mishap(nr, c)
	if errno == 0 {
		errno = p.w.dmCall(nr, c)
	}
	if errno != 0 {
		return in, errno
	}
	return c.answer(), 0
}

// mishap is a call that goes wrong (World.FailDM, World.FailResumes), without any effect
// but one: a resume that cannot swap the loaded table in throws it away and
// leaves the map suspended (do_resume).
func (w *World) mishap(nr uint32, c *ioctl) uint32 {
	const resume = 6
	fails := w.FailDM != 0 && w.rand.IntN(1000) < w.FailDM
	if nr == resume && c.flags&fSuspend == 0 && w.FailResumes > 0 {
		w.FailResumes--
		fails = true
	}
	if !fails {
		return 0
	}
	if m := w.dmFind(c); m != nil && m.busy() && m.draining != nil {
		return 0 // it waits: what goes wrong, goes wrong at its end
	}
	if m := w.dmFind(c); nr == resume && m != nil && !m.busy() {
		switch {
		case m.inactive != nil && c.flags&fSuspend == 0:
			if !m.suspended {
				m.suspend(c.flags&fNoFlush != 0)
			}
			m.setTables(m.live, nil)
		default:
			m.undrain()
		}
	}
	return []uint32{4, eIO, 12, eBUSY, eINVAL}[w.rand.IntN(5)]
}

func (w *World) dmCall(nr uint32, c *ioctl) uint32 {
	switch nr {
	case 0: // DM_VERSION
		return 0
	case 2:
		return w.dmList(c)
	case 13, 17:
		return w.dmTargets(c, nr == 17)
	case 16: // DM_DEV_ARM_POLL
		return 0
	}
	switch {
	case nr == 3:
		return w.dmCreate(c)
	case nr < 4 || nr > 14 || nr == 8 || nr == 13:
		return eNOTTY
	}
	if c.name != "" && c.uuid != "" {
		return eINVAL
	}
	if nr == 5 {
		return w.dmRename(c)
	}
	m := w.dmFind(c)
	if m == nil {
		return eNXIO
	}
	if m.inactive != nil {
		c.flags |= fInactive
	} else {
		c.flags &^= fInactive
	}
	switch nr {
	case 4:
		return m.remove(c)
	case 6:
		return m.suspendOrResume(c)
	case 7:
		m.fill(c)
		return 0
	case 9:
		return m.load(c)
	case 10:
		m.setTables(m.live, nil)
		c.flags &^= fInactive
		m.fill(c)
		return 0
	case 11:
		return m.deps(c)
	case 12:
		return m.status(c)
	case 14:
		return m.message(c)
	}
	return eNOTTY
}

// answer is what is copied back: data_size bytes over the caller's buffer.
func (c *ioctl) answer() []byte {
	b := c.buf
	native.PutUint32(b[4:], minorLevel)
	native.PutUint32(b[8:], 0)
	size := uint32(ioctlLeast)
	if c.full {
		c.flags |= fFull
	}
	if len(c.out) > 0 {
		size = ioctlBytes + uint32(len(c.out))
		copy(b[ioctlBytes:], c.out)
		native.PutUint32(b[16:], ioctlBytes)
	}
	native.PutUint32(b[12:], size)
	native.PutUint32(b[20:], c.count)
	native.PutUint32(b[28:], c.flags)
	clear(b[48:305])
	copy(b[48:175], c.name)
	copy(b[176:304], c.uuid)
	return b
}

// room is how many bytes of payload the caller has.
func (c *ioctl) room() int { return max(0, int(c.size)-ioctlBytes) }

// payload is what the caller sent behind the header.
func (c *ioctl) payload() []byte {
	start := native.Uint32(c.buf[16:])
	if start > c.size {
		return nil
	}
	return c.buf[start:c.size]
}

// fill is __dev_status.
func (m *Map) fill(c *ioctl) {
	c.name, c.uuid = m.name, m.uuid
	c.flags &^= fSuspend | fReadOnly | fActive | fInternal
	if m.suspended {
		c.flags |= fSuspend
	}
	if m.deferred {
		c.flags |= fDeferred
	}
	native.PutUint64(c.buf[40:], devNumber(m.minor))
	native.PutUint32(c.buf[24:], uint32(m.openCount()))
	native.PutUint32(c.buf[32:], m.eventNr)
	c.count = 0
	t := m.live
	if t != nil {
		c.flags |= fActive
		if c.flags&fQueryIn == 0 {
			if t.readOnly {
				c.flags |= fReadOnly
			}
			c.count = uint32(len(t.targets))
		}
	}
	if c.flags&fQueryIn != 0 {
		if t = m.inactive; t != nil {
			if t.readOnly {
				c.flags |= fReadOnly
			}
			c.count = uint32(len(t.targets))
		}
	}
}

// devNumber is huge_encode_dev.
func devNumber(minor uint32) uint64 {
	return uint64(minor&0xff) | uint64(dmMajor)<<8 | uint64(minor&^0xff)<<12
}

// dmFind is __find_device_hash_cell: by UUID, else name, else number.
func (w *World) dmFind(c *ioctl) *Map {
	switch {
	case c.uuid != "" && c.dev == 0:
		return w.index.mapUUIDs[c.uuid]
	case c.uuid == "" && c.name != "" && c.dev == 0:
		return w.index.mapNames[c.name]
	case c.uuid == "" && c.name == "" && c.dev != 0:
		if m := w.index.mapMinors[uint32(c.dev&0xff|c.dev>>12&^0xff)]; m != nil && devNumber(m.minor) == c.dev {
			return m
		}
	}
	return nil
}

// dmCreate is dev_create. udevd hears nothing of it: there is no block device
// yet. Whoever polls does.
func (w *World) dmCreate(c *ioctl) uint32 {
	if c.name == "" || !nameAllowed(c.name) {
		return eINVAL
	}
	if w.index.mapNames[c.name] != nil || c.uuid != "" && w.index.mapUUIDs[c.uuid] != nil {
		return eBUSY
	}
	minor := w.index.nextMinor()
	if c.flags&fPersist != 0 {
		minor = uint32(c.dev&0xff | c.dev>>12&^0xff)
		if w.index.mapMinors[minor] != nil {
			return eNXIO // alloc_dev makes nothing of specific_minor's EBUSY
		}
	}
	m := w.makeMap(c.name, c.uuid, minor)
	c.flags &^= fInactive
	m.fill(c)
	w.dmEvent()
	return 0
}

// nameAllowed is check_name.
func nameAllowed(s string) bool {
	return !strings.Contains(s, "/") && s != "control" && s != "." && s != ".."
}

// addMap makes an empty device.
func (w *World) addMap(name, uuid string) *Map { return w.makeMap(name, uuid, w.index.nextMinor()) }

func (w *World) makeMap(name, uuid string, minor uint32) *Map {
	w.diskseq++
	m := &Map{w: w, name: name, uuid: uuid, minor: minor, diskseq: w.diskseq}
	m.Node = blockio.Node{Major: dmMajor, Minor: minor, Mode: 0o600}
	at, _ := slices.BinarySearchFunc(w.maps, minor, func(m *Map, n uint32) int { return cmp.Compare(m.minor, n) })
	w.maps = slices.Insert(w.maps, at, m)
	w.index.addMap(m)
	return m
}

// AddLinear makes a live linear map as LVM or kpartx would, on a disk, partition
// or map by kernel name, from a sector on. "" for no UUID.
func (w *World) AddLinear(name, uuid, on string, start, sectors uint64) (*Map, error) {
	major, minor, ok := w.numbers(on)
	if !ok || w.Map(name) != nil {
		return nil, fmt.Errorf("linear map %s on %s: no such device, or the name is taken", name, on)
	}
	m := w.addMap(name, uuid)
	t := &dmTable{m: m}
	x := &target{length: sectors, kind: "linear"}
	if errno := m.construct(t, x, []string{utoa(major) + ":" + utoa(minor), fmt.Sprint(start)}); errno != 0 {
		m.drop(0)
		return nil, fmt.Errorf("linear map %s on %s: errno %d", name, on, errno)
	}
	t.targets = []*target{x}
	m.stage(t)
	m.setTables(t, nil)
	w.uevent(m.event("change", "", 0))
	return m, nil
}

// Remove removes the map as `dmsetup remove` would; false: it is in use.
func (m *Map) Remove() bool {
	if m.openCount() > 0 {
		return false
	}
	m.drop(0)
	return true
}

func (m *Map) event(action, text string, cookie uint32) Uevent {
	return Uevent{
		Action: action, Name: m.kernelName(), Major: dmMajor, Minor: m.minor, Diskseq: m.diskseq, Text: text, Flags: uint16(cookie >> 16), cookie: cookie, mapped: m,
	}
}

// news is dm_table_event: one more event, of which the pollers hear. With an
// action the target has a uevent to send as well: dm_path_uevent, for paths that
// fail or come back and for nothing else.
func (m *Map) news(action, more string) {
	if action != "" {
		m.pathEvents++
		m.w.uevent(m.event("change", fmt.Sprintf("DM_TARGET=multipath DM_ACTION=%s DM_SEQNUM=%d %s", action, m.pathEvents, more), 0))
	}
	m.eventNr++
	m.w.dmEvent()
}

// remove is dev_remove.
func (m *Map) remove(c *ioctl) uint32 {
	if m.openCount() > 0 {
		if c.flags&fDeferred != 0 {
			m.deferred = true
			m.fill(c)
			return 0
		}
		return eBUSY
	}
	c.flags &^= fDeferred
	if m.registered {
		c.flags |= fUevent
	}
	m.drop(c.event)
	c.name, c.uuid = m.name, m.uuid
	return 0
}

// drop is the end of a device. With a cookie it was dev_remove, which sends a
// uevent of its own; of the block device's end the kernel tells in any case
// (del_gendisk), without a cookie.
func (m *Map) drop(cookie uint32) {
	m.w.maps = slices.DeleteFunc(m.w.maps, func(o *Map) bool { return o == m })
	m.w.index.removeMap(m)
	m.setTables(nil, nil)
	if m.registered && cookie != 0 {
		m.w.uevent(m.event("remove", "", cookie))
	}
	if m.registered {
		m.w.uevent(m.event("remove", "", 0))
	}
	m.eventNr++
	m.w.dmEvent()
}

// rename is dev_rename and dm_hash_rename: a new name for a map that is found by
// its name alone, or a UUID for one that has none.
func (m *Map) rename(c *ioctl) uint32 {
	to := text(c.payload())
	if c.flags&fUUID != 0 {
		m.w.index.markMap(m, to)
	} else {
		m.w.index.nameMap(m, to)
	}
	if m.live != nil {
		m.news("", "")
	}
	name, uuid := c.name, c.uuid
	m.fill(c)
	c.name, c.uuid = name, uuid // dev_rename answers with what it was asked by
	if m.registered {
		c.flags |= fUevent
		m.w.uevent(m.event("change", "", c.event))
	}
	return 0
}

// dmRename looks at what rename is asked for, in the kernel's order.
func (w *World) dmRename(c *ioctl) uint32 {
	to, whole := ended(c.payload())
	taken, longest := w.index.mapNames, 127
	if c.flags&fUUID != 0 {
		taken, longest = w.index.mapUUIDs, 128
	}
	m := w.index.mapNames[c.name]
	switch {
	case !whole || to == "" || len(to) > longest, c.flags&fUUID == 0 && !nameAllowed(to):
		return eINVAL
	case taken[to] != nil:
		return eBUSY
	case m == nil || c.name == "":
		return eNXIO
	case c.flags&fUUID != 0 && m.uuid != "":
		return eINVAL
	}
	return m.rename(c)
}

// ended is a string that must have its NUL (invalid_str).
func ended(b []byte) (string, bool) {
	s, _, ok := strings.Cut(string(b), "\x00")
	return s, ok
}

func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
