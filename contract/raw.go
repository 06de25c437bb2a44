package contract

import (
	"encoding/binary"

	"pathkeeper/dmmap"
)

// raw is a device-mapper call that our own encoders refuse to make: struct
// dm_ioctl of include/uapi/linux/dm-ioctl.h, field by field.
type raw struct {
	nr         uint32 // number of the call
	major      uint32 // version[0]; 0 means the right one
	minorV     uint32 // version[1]
	size       uint32 // data_size; 0 means the whole buffer
	start      uint32 // data_start; 0 means behind the header
	targets    uint32
	flags      uint32
	event      uint32
	dev        uint64
	name, uuid string
	payload    []byte
}

// Numbers of calls and flags of dm-ioctl.h.
const (
	nrVersion   = 0
	nrRemoveAll = 1
	nrList      = 2
	nrCreate    = 3
	nrRemove    = 4
	nrRename    = 5
	nrSuspend   = 6
	nrStatus    = 7
	nrLoad      = 9
	nrDeps      = 11
	nrTable     = 12
	nrMessage   = 14

	flagPersistent = 1 << 3
	flagTable      = 1 << 4
	flagNoFlush    = 1 << 11
	flagUUID       = 1 << 14
)

// buffer lays the call out.
func (r raw) buffer() []byte {
	b := make([]byte, dmmap.HeaderBytes, dmmap.HeaderBytes+len(r.payload))
	order := binary.NativeEndian
	if r.major == 0 {
		r.major = 4
	}
	b = append(b, r.payload...)
	if r.size == 0 {
		r.size = uint32(len(b))
	}
	if r.start == 0 {
		r.start = dmmap.HeaderBytes
	}
	order.PutUint32(b, r.major)
	order.PutUint32(b[4:], r.minorV)
	order.PutUint32(b[12:], r.size)
	order.PutUint32(b[16:], r.start)
	order.PutUint32(b[20:], r.targets)
	order.PutUint32(b[28:], r.flags)
	order.PutUint32(b[32:], r.event)
	order.PutUint64(b[40:], r.dev)
	copy(b[48:176], r.name)
	copy(b[176:305], r.uuid)
	return b
}

// raw makes a call and tells its errno alone.
func (c *Case) raw(asked string, r raw) []byte {
	const command = 3<<30 | dmmap.HeaderBytes<<16 | 0xfd<<8
	out, errno := c.p.DM.Ioctl(command|r.nr, r.buffer())
	c.line(asked, errnoName(errno))
	if errno != 0 {
		return nil
	}
	return out
}

// spec is a struct dm_target_spec with its parameters.
func spec(start, length uint64, next uint32, kind, params string) []byte {
	b := make([]byte, 40)
	binary.NativeEndian.PutUint64(b, start)
	binary.NativeEndian.PutUint64(b[8:], length)
	binary.NativeEndian.PutUint32(b[20:], next)
	copy(b[24:40], kind)
	b = append(append(b, params...), 0)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// full reads DM_BUFFER_FULL_FLAG.
func full(b []byte) bool { return binary.NativeEndian.Uint32(b[28:])&(1<<8) != 0 }
