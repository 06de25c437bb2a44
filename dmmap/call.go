package dmmap

import (
	"fmt"

	"pathkeeper/dmmap/table"
)

// Call is one ioctl, ready for a Port. The Port may answer into the same buffer, so
// a call is made once: encode it again, or Grow it, for a second try.
type Call struct {
	Cmd  uint32
	Buf  []byte
	What string // "load table", for errors
	Map  string // the map's name, UUID or number for errors; empty if no map is meant

	ref   Ref
	flags uint32
	query bool // sends nothing but its header: can grow
}

// Err is nil for errno 0, else the *CallError of this call.
func (c Call) Err(errno uint32) error {
	if errno == 0 {
		return nil
	}
	return &CallError{Cmd: c.Cmd, What: c.What, Map: c.Map, Errno: Errno(errno)}
}

// Grow is the same query with a new buffer of twice the size, for when its decoder
// said ErrBufferFull. It is an error for a call that is no query and beyond
// MaxBufferBytes.
func (c Call) Grow() (Call, error) {
	room := 2 * (len(c.Buf) - HeaderBytes)
	switch {
	case !c.query:
		return Call{}, fmt.Errorf("%s: has no answer that could need more room", c.What)
	case HeaderBytes+room > MaxBufferBytes:
		return Call{}, fmt.Errorf("%s %s: the answer does not fit in %d bytes: %w", c.What, c.Map, len(c.Buf), ErrBufferFull)
	}
	return newQuery(c.Cmd, c.What, c.ref, c.flags, room), nil
}

// newCall makes a header for ref with room bytes of payload behind it.
func newCall(cmd uint32, what string, ref Ref, flags uint32, room int) Call {
	buf := make([]byte, HeaderBytes+room)
	order.PutUint32(buf[offVersion:], versionMajor) // minor 0: every kernel with 4.x takes it
	order.PutUint32(buf[offDataSize:], uint32(len(buf)))
	order.PutUint32(buf[offDataStart:], HeaderBytes)
	order.PutUint32(buf[offFlags:], flags)
	order.PutUint64(buf[offDev:], ref.dev.Encode())
	copy(buf[offName:offName+nameLen-1], ref.name.Kernel())
	copy(buf[offUUID:offUUID+uuidLen-1], ref.uuid.Kernel())
	return Call{Cmd: cmd, Buf: buf, What: what, Map: ref.String(), ref: ref, flags: flags}
}

// newQuery is newCall for a call that sends no payload and gets one back.
func newQuery(cmd uint32, what string, ref Ref, flags uint32, room int) Call {
	c := newCall(cmd, what, ref, flags, room)
	c.query = true
	return c
}

// Ref says which map is meant: by name, UUID or device number. The zero Ref means
// none and is refused by every call that needs one.
type Ref struct {
	name table.Name
	uuid table.UUID
	dev  table.DevNum
}

// ByName means the map of that name.
func ByName(n table.Name) Ref { return Ref{name: n} }

// ByUUID means the map with that UUID, whatever its name: renames cannot mislead it.
func ByUUID(u table.UUID) Ref { return Ref{uuid: u} }

// ByDev means the map with that number, which the kernel may have given to another
// map since it was read.
func ByDev(d table.DevNum) Ref { return Ref{dev: d} }

// IsZero reports a Ref that means no map.
func (r Ref) IsZero() bool { return r == Ref{} }

// String is the name, the UUID or the number.
func (r Ref) String() string {
	switch {
	case !r.name.IsZero():
		return r.name.String()
	case !r.uuid.IsZero():
		return r.uuid.String()
	case !r.dev.IsZero():
		return r.dev.String()
	}
	return ""
}

func (r Ref) check(what string) error {
	if r.IsZero() {
		return fmt.Errorf("%s: no map given", what)
	}
	return nil
}
