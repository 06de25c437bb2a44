package dmmap

import (
	"errors"
	"fmt"
	"strings"

	"pathkeeper/dmmap/table"
)

// Create makes an empty, suspended map. It sends no uevent of its own beyond the
// kernel's add; the map is of use after Load and Resume. EBUSY: the name or the
// UUID is taken.
type Create struct {
	Name table.Name
	UUID table.UUID // zero: none, for ever
}

// Encode makes the call. Answer: DecodeInfo, with the new map's number.
func (r Create) Encode() (Call, error) {
	if r.Name.IsZero() {
		return Call{}, errors.New("create map: no name given")
	}
	return newCall(CmdCreate, "create map", Ref{name: r.Name, uuid: r.UUID}, 0, 0), nil
}

// Load puts a table into the map's inactive slot, in place of one that is there;
// Resume swaps it in. EROFS: a path is read-only, load with ReadOnly.
type Load struct {
	Map      Ref
	ReadOnly bool
	Lines    []table.Line
}

// The payload, include/uapi/linux/dm-ioctl.h. Each spec is followed by its
// parameters and NUL, and begins at a multiple of 8.
//
//	struct dm_target_spec {
//		__u64 sector_start;               0
//		__u64 length;                     8
//		__s32 status;	/* used when reading from kernel only */   16
//		__u32 next;                       20
//		char target_type[DM_MAX_TYPE_NAME]; 24
//	};                                        40
//
// In a load, next counts from the start of this spec; in an answer, from the start
// of the first.
const (
	specLength = 8
	specNext   = 20
	specType   = 24
	specBytes  = 40
)

// Encode makes the call; the lines must follow each other without gaps from sector
// 0. Answer: DecodeInfo.
func (r Load) Encode() (Call, error) {
	if err := r.Map.check("load table"); err != nil {
		return Call{}, err
	}
	if len(r.Lines) == 0 {
		return Call{}, fmt.Errorf("load table of %s: no target given", r.Map)
	}
	room, next := 0, table.Sectors(0)
	for _, l := range r.Lines {
		if err := l.Check(); err != nil {
			return Call{}, fmt.Errorf("load table of %s: %w", r.Map, err)
		}
		if l.Start != next {
			return Call{}, fmt.Errorf("load table of %s: target %s begins at sector %d, want %d", r.Map, l.Target, l.Start, next)
		}
		next = l.Start + l.Length
		room += align8(specBytes + len(l.Params) + 1)
	}
	if HeaderBytes+room > MaxBufferBytes {
		return Call{}, fmt.Errorf("load table of %s: %d bytes, more than %d", r.Map, HeaderBytes+room, MaxBufferBytes)
	}
	var flags uint32
	if r.ReadOnly {
		flags |= flagReadOnly
	}
	c := newCall(CmdLoad, "load table", r.Map, flags, room)
	order.PutUint32(c.Buf[offTargetCount:], uint32(len(r.Lines)))
	at := HeaderBytes
	for _, l := range r.Lines {
		spec := c.Buf[at:]
		size := align8(specBytes + len(l.Params) + 1)
		order.PutUint64(spec, uint64(l.Start))
		order.PutUint64(spec[specLength:], uint64(l.Length))
		order.PutUint32(spec[specNext:], uint32(size))
		copy(spec[specType:specType+table.MaxTargetBytes], l.Target)
		copy(spec[specBytes:], l.Params)
		at += size
	}
	return c, nil
}

// Resume makes the loaded table live, if there is one, and lets I/O flow. If the
// map runs, the kernel suspends it within the same call, as Flush and LockFS say.
//
// If it fails, the loaded table is gone and the map may stand suspended with the
// table it had: resume once more to bring that one back (dm-ioctl.c, do_resume).
//
// The zero value is the safe one. With Flush the multipath target switches
// queue_if_no_path off and I/O that waits for a path gets EIO: it is for a change of
// size alone.
type Resume struct {
	Map    Ref
	Udev   Udev
	Flush  bool // wait for I/O in flight (no DM_NOFLUSH_FLAG)
	LockFS bool // freeze the file system first (no DM_SKIP_LOCKFS_FLAG)
}

// Encode makes the call. Answer: DecodeInfo, with UeventGenerated.
func (r Resume) Encode() (Call, error) {
	if err := r.Map.check("resume map"); err != nil {
		return Call{}, err
	}
	c := newCall(CmdSuspend, "resume map", r.Map, suspendFlags(r.Flush, r.LockFS), 0)
	order.PutUint32(c.Buf[offEventNr:], r.Udev.EventNr())
	return c, nil
}

// Suspend stops I/O until Resume: whoever asks for it must have arranged for the
// resume before. Flush and LockFS are as for Resume.
type Suspend struct {
	Map    Ref
	Flush  bool
	LockFS bool
}

// Encode makes the call. Answer: DecodeInfo.
func (r Suspend) Encode() (Call, error) {
	if err := r.Map.check("suspend map"); err != nil {
		return Call{}, err
	}
	return newCall(CmdSuspend, "suspend map", r.Map, flagSuspend|suspendFlags(r.Flush, r.LockFS), 0), nil
}

func suspendFlags(flush, lockFS bool) uint32 {
	var f uint32
	if !flush {
		f |= flagNoFlush
	}
	if !lockFS {
		f |= flagSkipLockFS
	}
	return f
}

// Remove takes a map away. EBUSY if it is open, unless Deferred: then it goes at
// the last close, and the answer says so (Info.DeferredRemove); the message
// @cancel_deferred_remove calls that off.
type Remove struct {
	Map      Ref
	Udev     Udev
	Deferred bool
}

// Encode makes the call. Answer: DecodeInfo: DeferredRemove and UeventGenerated are
// meaningful, the map's state is not.
func (r Remove) Encode() (Call, error) {
	if err := r.Map.check("remove map"); err != nil {
		return Call{}, err
	}
	var flags uint32
	if r.Deferred {
		flags |= flagDeferredRemove
	}
	c := newCall(CmdRemove, "remove map", r.Map, flags, 0)
	order.PutUint32(c.Buf[offEventNr:], r.Udev.EventNr())
	return c, nil
}

// Rename gives a map another name; UUID, number and openers stay. The kernel sends a
// change uevent at once. Resume a suspended map before: udev's rules leave a
// suspended map alone, and its links would keep the former name. EBUSY: the new name
// is taken.
type Rename struct {
	Map  Ref
	To   table.Name
	Udev Udev
}

// Encode makes the call. Answer: DecodeInfo, with UeventGenerated.
func (r Rename) Encode() (Call, error) {
	if err := r.Map.check("rename map"); err != nil {
		return Call{}, err
	}
	if r.Map.name.IsZero() {
		// dm_hash_rename (drivers/md/dm-ioctl.c) looks by name alone: ENXIO.
		return Call{}, fmt.Errorf("rename map %s: the kernel finds a map to rename only by its name", r.Map)
	}
	if r.To.IsZero() {
		return Call{}, fmt.Errorf("rename map %s: no new name given", r.Map)
	}
	c := newCall(CmdRename, "rename map", r.Map, 0, align8(len(r.To.Kernel())+1))
	copy(c.Buf[HeaderBytes:], r.To.Kernel())
	order.PutUint32(c.Buf[offEventNr:], r.Udev.EventNr())
	return c, nil
}

// Clear throws the loaded, not yet live table away.
type Clear struct {
	Map Ref
}

// Encode makes the call. Answer: DecodeInfo.
func (r Clear) Encode() (Call, error) {
	if err := r.Map.check("clear inactive table"); err != nil {
		return Call{}, err
	}
	return newCall(CmdClear, "clear inactive table", r.Map, 0, 0), nil
}

// MaxMessageBytes is the longest message; the longest of ours has some twenty.
const MaxMessageBytes = 4096

// Message sends words to the target that serves Sector: "fail_path 8:16",
// "queue_if_no_path". EBUSY: the map is suspended.
type Message struct {
	Map    Ref
	Sector table.Sectors
	Text   string
}

// Messages of the multipath target (drivers/md/dm-mpath.c, multipath_message).
const (
	MessageQueue                = "queue_if_no_path"
	MessageFail                 = "fail_if_no_path"
	MessageCancelDeferredRemove = "@cancel_deferred_remove" // of dm itself
)

// FailPath takes a path out of use until ReinstatePath.
func FailPath(d table.DevNum) string { return "fail_path " + d.String() }

// ReinstatePath brings a failed path back.
func ReinstatePath(d table.DevNum) string { return "reinstate_path " + d.String() }

// SwitchGroup makes group n, from 1, the next to be used.
func SwitchGroup(n int) string { return fmt.Sprintf("switch_group %d", n) }

// EnableGroup lets group n, from 1, be used again.
func EnableGroup(n int) string { return fmt.Sprintf("enable_group %d", n) }

// DisableGroup leaves group n, from 1, for when nothing else works.
func DisableGroup(n int) string { return fmt.Sprintf("disable_group %d", n) }

// Encode makes the call. Answer: DecodeInfo.
//
//	struct dm_target_msg {
//		__u64 sector;	/* Device sector */
//		char message[];
//	};
func (r Message) Encode() (Call, error) {
	if err := r.Map.check("message"); err != nil {
		return Call{}, err
	}
	switch {
	case r.Text == "" || strings.IndexByte(r.Text, 0) >= 0:
		return Call{}, fmt.Errorf("message to %s: %q is empty or has a NUL", r.Map, r.Text)
	case len(r.Text) > MaxMessageBytes:
		return Call{}, fmt.Errorf("message to %s: %d bytes, more than %d", r.Map, len(r.Text), MaxMessageBytes)
	}
	c := newCall(CmdMessage, "message "+r.Text+" to map", r.Map, 0, align8(8+len(r.Text)+1))
	order.PutUint64(c.Buf[HeaderBytes:], uint64(r.Sector))
	copy(c.Buf[HeaderBytes+8:], r.Text)
	return c, nil
}

// SetGeometry gives a map the geometry that old partition tools ask for.
type SetGeometry struct {
	Map                       Ref
	Cylinders, Heads, Sectors uint32
	Start                     table.Sectors // where the map begins on its disk
}

// Encode makes the call. There is no answer beyond the errno. Limits are the
// kernel's (drivers/md/dm-ioctl.c, dev_set_geometry).
func (r SetGeometry) Encode() (Call, error) {
	if err := r.Map.check("set geometry"); err != nil {
		return Call{}, err
	}
	if r.Cylinders > 65535 || r.Heads > 255 || r.Sectors > 255 {
		return Call{}, fmt.Errorf("set geometry of %s: %d cylinders, %d heads, %d sectors: over 65535, 255, 255", r.Map, r.Cylinders, r.Heads, r.Sectors)
	}
	text := fmt.Sprintf("%d %d %d %d", r.Cylinders, r.Heads, r.Sectors, uint64(r.Start))
	c := newCall(CmdSetGeometry, "set geometry of map", r.Map, 0, align8(len(text)+1))
	copy(c.Buf[HeaderBytes:], text)
	return c, nil
}
