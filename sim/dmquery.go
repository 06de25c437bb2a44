package sim

import (
	"slices"
	"strconv"
	"strings"
)

func utoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func pad8(b []byte) []byte {
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// dmList is list_devices: struct dm_name_list, event number, flags, UUID.
func (w *World) dmList(c *ioctl) uint32 {
	byName := slices.SortedFunc(slices.Values(w.maps), func(a, b *Map) int { return strings.Compare(a.name, b.name) })
	var out []byte
	for i, m := range byName {
		var e []byte
		e = native.AppendUint64(e, devNumber(m.minor))
		e = native.AppendUint32(e, 0)
		e = pad8(append(append(e, m.name...), 0))
		e = native.AppendUint32(e, m.eventNr)
		switch {
		case c.flags&fUUID == 0:
			e = native.AppendUint32(e, 0)
		case m.uuid == "":
			e = native.AppendUint32(e, 2)
		default:
			e = native.AppendUint32(e, 1)
			e = pad8(append(append(e, m.uuid...), 0))
		}
		if i < len(byName)-1 {
			native.PutUint32(e[8:], uint32(len(e)))
		}
		out = append(out, e...)
	}
	if c.room() < max(len(out), 8) {
		c.full = true
		return 0
	}
	if len(out) == 0 {
		// Nothing is written but a zero behind the header, of which data_size
		// does not tell.
		clear(c.buf[ioctlBytes : ioctlBytes+8])
		return 0
	}
	c.out = out
	return 0
}

// dmTargets is list_versions and get_target_version.
func (w *World) dmTargets(c *ioctl, one bool) uint32 {
	type version struct {
		name string
		v    [3]uint32
	}
	all := []version{{"linear", [3]uint32{1, 4, 0}}, {"multipath", [3]uint32{1, 14, 0}}}
	if one {
		all = slices.DeleteFunc(all, func(v version) bool { return v.name != c.name })
		if len(all) == 0 {
			return eINVAL
		}
	}
	var out []byte
	for i, v := range all {
		var e []byte
		e = native.AppendUint32(e, 0)
		for _, n := range v.v {
			e = native.AppendUint32(e, n)
		}
		e = pad8(append(append(e, v.name...), 0))
		if i < len(all)-1 {
			native.PutUint32(e, uint32(len(e)))
		}
		out = append(out, e...)
	}
	if c.room() < len(out) {
		c.full = true
		return 0
	}
	c.out = out
	return 0
}

// status is table_status and retrieve_status.
func (m *Map) status(c *ioctl) uint32 {
	m.fill(c)
	t := m.live
	if c.flags&fQueryIn != 0 {
		t = m.inactive
	}
	if t == nil {
		return 0
	}
	var out []byte
	for _, target := range t.targets {
		if c.room()-len(out) <= specSize {
			c.full = true
			return 0
		}
		e := native.AppendUint64(nil, target.start)
		e = native.AppendUint64(e, target.length)
		e = native.AppendUint32(e, 0)
		e = native.AppendUint32(e, 0)
		e = append(e, make([]byte, 16)...)
		copy(e[24:], target.kind)
		words := target.text(c.flags&fTable != 0)
		if len(words)+1 >= c.room()-len(out)-specSize {
			c.full = true
			return 0
		}
		e = append(append(e, words...), 0)
		used := len(out) + len(e)
		e = pad8(e)
		native.PutUint32(e[20:], uint32(len(out)+len(e)))
		out = append(out, e...)
		c.out = out[:used]
	}
	c.count = uint32(len(t.targets))
	return 0
}

// deps is table_deps: struct dm_target_deps.
func (m *Map) deps(c *ioctl) uint32 {
	m.fill(c)
	t := m.live
	if c.flags&fQueryIn != 0 {
		t = m.inactive
	}
	if t == nil {
		return 0
	}
	var devs []uint64
	// dm_get_device puts each at the head of the list; a table has not both here.
	for _, d := range slices.Backward(t.disks) {
		devs = append(devs, uint64(d.Minor&0xff)|uint64(d.Major)<<8|uint64(d.Minor&^0xff)<<12)
	}
	for _, o := range slices.Backward(t.maps) {
		devs = append(devs, devNumber(o.minor))
	}
	out := native.AppendUint32(nil, uint32(len(devs)))
	out = native.AppendUint32(out, 0)
	for _, d := range devs {
		out = native.AppendUint64(out, d)
	}
	if c.room() < len(out) {
		c.full = true
		return 0
	}
	c.out = out
	return 0
}
