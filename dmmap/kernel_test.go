package dmmap

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"pathkeeper/dmmap/table"
)

// Our numbers against those that x/sys took from the kernel's headers.
func TestConstants(t *testing.T) {
	for _, tt := range []struct {
		name       string
		have, want uint64
	}{
		{"sizeof(struct dm_ioctl)", HeaderBytes, unix.SizeofDmIoctl},
		{"sizeof(struct dm_target_spec)", specBytes, unix.SizeofDmTargetSpec},
		{"offsetof(data)", offData, unix.SizeofDmIoctl - uint64(len(unix.DmIoctl{}.Data))},
		{"DM_NAME_LEN", nameLen, unix.DM_NAME_LEN},
		{"DM_UUID_LEN", uuidLen, unix.DM_UUID_LEN},
		{"MaxNameBytes", table.MaxNameBytes + 1, unix.DM_NAME_LEN},
		{"MaxUUIDBytes", table.MaxUUIDBytes + 1, unix.DM_UUID_LEN},
		{"MaxTargetBytes", table.MaxTargetBytes + 1, unix.DM_MAX_TYPE_NAME},
		{"major version", versionMajor, unix.DM_VERSION_MAJOR},
		{"DM_VERSION", uint64(CmdVersion), unix.DM_VERSION},
		{"DM_LIST_DEVICES", uint64(CmdList), unix.DM_LIST_DEVICES},
		{"DM_DEV_CREATE", uint64(CmdCreate), unix.DM_DEV_CREATE},
		{"DM_DEV_REMOVE", uint64(CmdRemove), unix.DM_DEV_REMOVE},
		{"DM_DEV_RENAME", uint64(CmdRename), unix.DM_DEV_RENAME},
		{"DM_DEV_SUSPEND", uint64(CmdSuspend), unix.DM_DEV_SUSPEND},
		{"DM_DEV_STATUS", uint64(CmdInfo), unix.DM_DEV_STATUS},
		{"DM_TABLE_LOAD", uint64(CmdLoad), unix.DM_TABLE_LOAD},
		{"DM_TABLE_CLEAR", uint64(CmdClear), unix.DM_TABLE_CLEAR},
		{"DM_TABLE_DEPS", uint64(CmdDeps), unix.DM_TABLE_DEPS},
		{"DM_TABLE_STATUS", uint64(CmdStatus), unix.DM_TABLE_STATUS},
		{"DM_LIST_VERSIONS", uint64(CmdListTargets), unix.DM_LIST_VERSIONS},
		{"DM_TARGET_MSG", uint64(CmdMessage), unix.DM_TARGET_MSG},
		{"DM_DEV_SET_GEOMETRY", uint64(CmdSetGeometry), unix.DM_DEV_SET_GEOMETRY},
		{"DM_DEV_ARM_POLL", uint64(CmdArmPoll), unix.DM_DEV_ARM_POLL},
		{"DM_GET_TARGET_VERSION", uint64(CmdTargetVersion), unix.DM_GET_TARGET_VERSION},
		{"DM_READONLY_FLAG", uint64(flagReadOnly), unix.DM_READONLY_FLAG},
		{"DM_SUSPEND_FLAG", uint64(flagSuspend), unix.DM_SUSPEND_FLAG},
		{"DM_STATUS_TABLE_FLAG", uint64(flagStatusTable), unix.DM_STATUS_TABLE_FLAG},
		{"DM_ACTIVE_PRESENT_FLAG", uint64(flagActivePresent), unix.DM_ACTIVE_PRESENT_FLAG},
		{"DM_INACTIVE_PRESENT_FLAG", uint64(flagInactivePresent), unix.DM_INACTIVE_PRESENT_FLAG},
		{"DM_BUFFER_FULL_FLAG", uint64(flagBufferFull), unix.DM_BUFFER_FULL_FLAG},
		{"DM_SKIP_LOCKFS_FLAG", uint64(flagSkipLockFS), unix.DM_SKIP_LOCKFS_FLAG},
		{"DM_NOFLUSH_FLAG", uint64(flagNoFlush), unix.DM_NOFLUSH_FLAG},
		{"DM_QUERY_INACTIVE_TABLE_FLAG", uint64(flagQueryInactive), unix.DM_QUERY_INACTIVE_TABLE_FLAG},
		{"DM_UEVENT_GENERATED_FLAG", uint64(flagUeventGenerated), unix.DM_UEVENT_GENERATED_FLAG},
		{"DM_UUID_FLAG", uint64(flagUUID), unix.DM_UUID_FLAG},
		{"DM_DEFERRED_REMOVE", uint64(flagDeferredRemove), unix.DM_DEFERRED_REMOVE},
		{"DM_INTERNAL_SUSPEND_FLAG", uint64(flagInternalSuspend), unix.DM_INTERNAL_SUSPEND_FLAG},
		{"DM_NAME_LIST_FLAG_HAS_UUID", listHasUUID, unix.DM_NAME_LIST_FLAG_HAS_UUID},
		{"DM_NAME_LIST_FLAG_DOESNT_HAVE_UUID", listNoUUID, unix.DM_NAME_LIST_FLAG_DOESNT_HAVE_UUID},
	} {
		if tt.have != tt.want {
			t.Errorf("%s is %#x here, %#x in the kernel", tt.name, tt.have, tt.want)
		}
	}
	for want, have := range map[unix.Errno]Errno{
		unix.EPERM: ErrPerm, unix.ENOENT: ErrNoEntry, unix.EINTR: ErrInterrupt, unix.EIO: ErrIO, unix.ENXIO: ErrNotFound,
		unix.EAGAIN: ErrAgain, unix.ENOMEM: ErrNoMemory, unix.EACCES: ErrAccess, unix.EFAULT: ErrFault, unix.EBUSY: ErrBusy,
		unix.EEXIST: ErrExists, unix.ENODEV: ErrNoDevice, unix.EINVAL: ErrInvalid, unix.ENOTTY: ErrNotTTY, unix.ENOSPC: ErrNoSpace,
		unix.EROFS: ErrReadOnly, unix.EOPNOTSUPP: ErrNotSupport, unix.ETIMEDOUT: ErrTimeout,
	} {
		if uint32(want) != uint32(have) || ErrnoName(uint32(want)) != unix.ErrnoName(want) && want != unix.EOPNOTSUPP /* 95 has two names */ {
			t.Errorf("%s: %d %s here, %d %s in the kernel", want, have, ErrnoName(uint32(have)), want, unix.ErrnoName(want))
		}
	}
}

// kernelView is a request as the kernel sees it, read with x/sys's struct.
func kernelView(t *testing.T, c Call, err error) (unix.DmIoctl, []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var h unix.DmIoctl
	if err := binary.Read(bytes.NewReader(c.Buf), binary.NativeEndian, &h); err != nil {
		t.Fatal(err)
	}
	if int(h.Data_size) != len(c.Buf) || h.Version != [3]uint32{4, 0, 0} || h.Data_start != HeaderBytes {
		t.Errorf("%s: data_size %d of %d, data_start %d, version %v", c.What, h.Data_size, len(c.Buf), h.Data_start, h.Version)
	}
	return h, c.Buf[HeaderBytes:]
}

func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// answer is what a kernel returns: a header and its payload, in a buffer that may
// have room left over. Offsets come from x/sys's struct, not from ours.
func answer(t testing.TB, set func(*unix.DmIoctl), payload []byte, room int) []byte {
	t.Helper()
	h := unix.DmIoctl{Version: [3]uint32{4, 47, 0}, Data_start: 312, Data_size: uint32(312 + len(payload))}
	if set != nil {
		set(&h)
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.NativeEndian, &h); err != nil {
		t.Fatal(err)
	}
	b.Write(payload)
	b.Write(make([]byte, room))
	return b.Bytes()
}

func pad8(b []byte) []byte {
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// kernelLines packs targets as retrieve_status does: next counts from the start.
func kernelLines(t testing.TB, lines ...table.Line) []byte {
	t.Helper()
	var out []byte
	for _, l := range lines {
		spec := unix.DmTargetSpec{Sector_start: uint64(l.Start), Length: uint64(l.Length)}
		copy(spec.Target_type[:], l.Target)
		var b bytes.Buffer
		b.Write(out)
		size := unix.SizeofDmTargetSpec + len(l.Params) + 1
		spec.Next = uint32(len(pad8(make([]byte, len(out)+size))))
		if err := binary.Write(&b, binary.NativeEndian, &spec); err != nil {
			t.Fatal(err)
		}
		b.WriteString(l.Params + "\x00")
		out = pad8(b.Bytes())
	}
	return out
}

type listed struct {
	dev   table.DevNum
	name  string
	event uint32
	flags uint32
	uuid  string
}

// kernelList packs the list of maps as list_devices of Linux 5.13 does; before
// that, uuids is off and the flags' word is whatever was in memory.
func kernelList(uuids bool, maps ...listed) []byte {
	ne := binary.NativeEndian
	var out []byte
	for i, m := range maps {
		b := ne.AppendUint64(nil, m.dev.Encode())
		b = ne.AppendUint32(b, 0)
		b = pad8(append(append(b, m.name...), 0))
		b = ne.AppendUint32(b, m.event)
		b = ne.AppendUint32(b, m.flags)
		if uuids && m.uuid != "" {
			b = pad8(append(append(b, m.uuid...), 0))
		}
		if i < len(maps)-1 {
			ne.PutUint32(b[8:], uint32(len(b)))
		}
		out = append(out, b...)
	}
	return out
}

func diff(t *testing.T, want, have any) {
	t.Helper()
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("(-want +have)\n%s", d)
	}
}
