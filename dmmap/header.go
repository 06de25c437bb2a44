package dmmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"pathkeeper/dmmap/table"
)

// The kernel's truth, include/uapi/linux/dm-ioctl.h. All numbers are in the
// machine's byte order.
//
//	struct dm_ioctl {
//		__u32 version[3];	/* in/out */          0
//		__u32 data_size;	/* total size of data passed in, including this struct */  12
//		__u32 data_start;	/* offset to start of data relative to start of this struct */  16
//		__u32 target_count;	/* in/out */          20
//		__s32 open_count;	/* out */             24
//		__u32 flags;		/* in/out */          28
//		__u32 event_nr;      	/* in/out */          32
//		__u32 padding;                                36
//		__u64 dev;		/* in/out */          40
//		char name[DM_NAME_LEN];	/* device name */     48
//		char uuid[DM_UUID_LEN];                       176
//		char data[7];		/* padding or data */ 305
//	};                                                    312
const (
	offVersion     = 0
	offDataSize    = 12
	offDataStart   = 16
	offTargetCount = 20
	offOpenCount   = 24
	offFlags       = 28
	offEventNr     = 32
	offDev         = 40
	offName        = 48
	offUUID        = 176
	offData        = 305

	nameLen = 128 // DM_NAME_LEN
	uuidLen = 129 // DM_UUID_LEN

	// HeaderBytes is sizeof(struct dm_ioctl); payloads begin there.
	HeaderBytes = 312
	// MinBytes is offsetof(struct dm_ioctl, data): the least that the kernel takes
	// and the least that it returns.
	MinBytes = offData
	// MaxBufferBytes is the most that a buffer may grow to: the tables of some
	// hundred thousand paths.
	MaxBufferBytes = 16 << 20

	versionMajor = 4 // DM_VERSION_MAJOR; the kernel refuses any other
)

// Command numbers: _IOWR(0xfd, nr, struct dm_ioctl). The direction bits come out
// alike on all architectures of Linux.
const (
	cmdBase uint32 = 3<<30 | HeaderBytes<<16 | 0xfd<<8

	CmdVersion       = cmdBase      // DM_VERSION, number 0
	CmdList          = cmdBase | 2  // DM_LIST_DEVICES
	CmdCreate        = cmdBase | 3  // DM_DEV_CREATE
	CmdRemove        = cmdBase | 4  // DM_DEV_REMOVE
	CmdRename        = cmdBase | 5  // DM_DEV_RENAME
	CmdSuspend       = cmdBase | 6  // DM_DEV_SUSPEND, which also resumes
	CmdInfo          = cmdBase | 7  // DM_DEV_STATUS
	CmdLoad          = cmdBase | 9  // DM_TABLE_LOAD
	CmdClear         = cmdBase | 10 // DM_TABLE_CLEAR
	CmdDeps          = cmdBase | 11 // DM_TABLE_DEPS
	CmdStatus        = cmdBase | 12 // DM_TABLE_STATUS
	CmdListTargets   = cmdBase | 13 // DM_LIST_VERSIONS
	CmdMessage       = cmdBase | 14 // DM_TARGET_MSG
	CmdSetGeometry   = cmdBase | 15 // DM_DEV_SET_GEOMETRY
	CmdArmPoll       = cmdBase | 16 // DM_DEV_ARM_POLL
	CmdTargetVersion = cmdBase | 17 // DM_GET_TARGET_VERSION
)

// Flags of struct dm_ioctl.
const (
	flagReadOnly        uint32 = 1 << 0  // DM_READONLY_FLAG, in/out
	flagSuspend         uint32 = 1 << 1  // DM_SUSPEND_FLAG, in/out
	flagStatusTable     uint32 = 1 << 4  // DM_STATUS_TABLE_FLAG, in
	flagActivePresent   uint32 = 1 << 5  // DM_ACTIVE_PRESENT_FLAG, out
	flagInactivePresent uint32 = 1 << 6  // DM_INACTIVE_PRESENT_FLAG, out
	flagBufferFull      uint32 = 1 << 8  // DM_BUFFER_FULL_FLAG, out
	flagSkipLockFS      uint32 = 1 << 10 // DM_SKIP_LOCKFS_FLAG, in
	flagNoFlush         uint32 = 1 << 11 // DM_NOFLUSH_FLAG, in
	flagQueryInactive   uint32 = 1 << 12 // DM_QUERY_INACTIVE_TABLE_FLAG, in
	flagUeventGenerated uint32 = 1 << 13 // DM_UEVENT_GENERATED_FLAG, out
	flagUUID            uint32 = 1 << 14 // DM_UUID_FLAG, in
	flagDeferredRemove  uint32 = 1 << 17 // DM_DEFERRED_REMOVE, in/out
	flagInternalSuspend uint32 = 1 << 18 // DM_INTERNAL_SUSPEND_FLAG, out
)

var order = binary.NativeEndian

// header is an answer's struct dm_ioctl and the payload that came with it.
type header struct {
	version     [3]uint32
	targetCount uint32
	openCount   int32
	flags       uint32
	eventNr     uint32
	dev         table.DevNum
	name        string
	uuid        string
	payload     []byte // from data_start to data_size, empty if there is none
}

// decodeHeader reads an answer. The kernel's numbers are not trusted further than
// the buffer goes.
func decodeHeader(buf []byte) (header, error) {
	if len(buf) < MinBytes {
		return header{}, fmt.Errorf("dm answer of %d bytes, struct dm_ioctl has %d", len(buf), MinBytes)
	}
	h := header{
		version:     [3]uint32{order.Uint32(buf), order.Uint32(buf[4:]), order.Uint32(buf[8:])},
		targetCount: order.Uint32(buf[offTargetCount:]),
		openCount:   int32(order.Uint32(buf[offOpenCount:])),
		flags:       order.Uint32(buf[offFlags:]),
		eventNr:     order.Uint32(buf[offEventNr:]),
		dev:         table.DecodeDev(order.Uint64(buf[offDev:])),
	}
	if h.version[0] != versionMajor {
		return header{}, fmt.Errorf("dm answer of interface version %d, want %d", h.version[0], versionMajor)
	}
	var ok bool
	if h.name, ok = cstring(buf[offName : offName+nameLen]); !ok {
		return header{}, errors.New("dm answer: name without end")
	}
	if h.uuid, ok = cstring(buf[offUUID : offUUID+uuidLen]); !ok {
		return header{}, errors.New("dm answer: UUID without end")
	}
	size, start := order.Uint32(buf[offDataSize:]), order.Uint32(buf[offDataStart:])
	if uint64(size) > uint64(len(buf)) {
		return header{}, fmt.Errorf("dm answer: data_size %d in a buffer of %d bytes", size, len(buf))
	}
	if start >= MinBytes && start < size {
		h.payload = buf[start:size:size]
	}
	return h, nil
}

// cstring is the text before the first NUL; false if there is no NUL.
func cstring(b []byte) (string, bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return "", false
	}
	return string(b[:i]), true
}

// align8 rounds up to the kernel's ALIGN_MASK, 8 bytes (drivers/md/dm-ioctl.c).
func align8(n int) int { return (n + 7) &^ 7 }
