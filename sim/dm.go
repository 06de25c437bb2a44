package sim

import (
	"cmp"
	"encoding/binary"
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
	noflush   bool // the suspension under way is one
	deferred  bool // to be removed at the last close
	live      *dmTable
	inactive  *dmTable
	waiting   []*IO // while it is suspended
	inFlight  int

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

// Open opens the map, as a file system or database would.
func (m *Map) Open() { m.open++ }

// Close ends Open.
func (m *Map) Close() {
	m.open--
	if m.open == 0 && m.deferred {
		m.drop(0)
	}
}

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

// mishap is a call that goes wrong by chance (World.FailDM), without any effect
// but one: a resume that cannot swap the loaded table in throws it away and
// leaves the map suspended (do_resume).
func (w *World) mishap(nr uint32, c *ioctl) uint32 {
	if w.FailDM == 0 || w.rand.IntN(1000) >= w.FailDM {
		return 0
	}
	const resume = 6
	if m := w.dmFind(c); nr == resume && m != nil && m.inactive != nil && c.flags&fSuspend == 0 {
		if !m.suspended {
			m.suspend(c.flags&fNoFlush != 0)
		}
		m.inactive = nil
		w.sweep()
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
	if nr == 3 {
		return w.dmCreate(c)
	}
	if c.name != "" && c.uuid != "" {
		return eINVAL
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
	case 5:
		return m.rename(c)
	case 6:
		return m.suspendOrResume(c)
	case 7:
		m.fill(c)
		return 0
	case 9:
		return m.load(c)
	case 10:
		m.inactive = nil
		w.sweep()
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
	native.PutUint32(c.buf[24:], uint32(m.open))
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
	for _, m := range w.maps {
		switch {
		case c.uuid != "":
			if c.dev == 0 && m.uuid == c.uuid {
				return m
			}
		case c.name != "":
			if c.dev == 0 && m.name == c.name {
				return m
			}
		case c.dev != 0 && devNumber(m.minor) == c.dev:
			return m
		}
	}
	return nil
}

func (w *World) dmCreate(c *ioctl) uint32 {
	if c.name == "" || strings.Contains(c.name, "/") {
		return eINVAL
	}
	for _, m := range w.maps {
		if m.name == c.name || c.uuid != "" && m.uuid == c.uuid {
			return eBUSY
		}
	}
	m := w.addMap(c.name, c.uuid)
	c.flags &^= fInactive
	m.fill(c)
	w.dmEvent()
	return 0
}

// addMap makes an empty device.
func (w *World) addMap(name, uuid string) *Map {
	minor := uint32(0)
	for slices.ContainsFunc(w.maps, func(m *Map) bool { return m.minor == minor }) {
		minor++
	}
	w.diskseq++
	m := &Map{w: w, name: name, uuid: uuid, minor: minor, diskseq: w.diskseq}
	m.Node = blockio.Node{Major: dmMajor, Minor: minor, Mode: 0o600}
	w.maps = append(w.maps, m)
	slices.SortFunc(w.maps, func(a, b *Map) int { return cmp.Compare(a.minor, b.minor) })
	w.uevent(m.event("add", "", 0))
	return m
}

func (m *Map) event(action, text string, cookie uint32) Uevent {
	return Uevent{
		Action: action, Name: m.kernelName(), Major: dmMajor, Minor: m.minor, Diskseq: m.diskseq, Text: text, Flags: uint16(cookie >> 16),
	}
}

// news is dm_table_event: one more event, of which the pollers hear.
func (m *Map) news(text string) {
	m.eventNr++
	m.w.uevent(m.event("change", text, 0))
	m.w.dmEvent()
}

func (m *Map) remove(c *ioctl) uint32 {
	if m.open > 0 {
		if c.flags&fDeferred != 0 {
			m.deferred = true
			m.fill(c)
			return 0
		}
		return eBUSY
	}
	c.flags = c.flags&^fDeferred | fUevent
	m.drop(c.event)
	c.name, c.uuid = m.name, m.uuid
	m.w.dmEvent()
	return 0
}

func (m *Map) drop(cookie uint32) {
	m.w.maps = slices.DeleteFunc(m.w.maps, func(o *Map) bool { return o == m })
	m.live, m.inactive = nil, nil
	m.w.sweep()
	m.w.uevent(m.event("remove", "", cookie))
}

func (m *Map) rename(c *ioctl) uint32 {
	to := text(c.payload())
	if c.name != m.name { // dm_hash_rename looks only by name
		return eNXIO
	}
	if to == "" || len(to) > 127 || strings.Contains(to, "/") {
		return eINVAL
	}
	if m.w.Map(to) != nil {
		return eBUSY
	}
	m.name = to
	c.flags |= fUevent
	m.fill(c)
	m.w.uevent(m.event("change", "", c.event))
	m.w.dmEvent()
	return 0
}

func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
