package dmmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pathkeeper/dmmap/table"
)

var (
	mpatha = table.MustName("mpatha")
	byName = ByName(mpatha)
)

func mapUUID(t *testing.T, wwid string) table.UUID {
	t.Helper()
	u, err := table.MapUUID(wwid)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

var uuid3600, _ = table.MapUUID("3600")

func TestHeaders(t *testing.T) {
	udev := MapUdev(true, false, true)
	const event = 0x0020<<16 | 0x0040<<16 | 0x0100<<16 | 0x0400<<16
	uuid := mapUUID(t, "3600a0b8")
	const noflush, skip = unix.DM_NOFLUSH_FLAG, unix.DM_SKIP_LOCKFS_FLAG
	tests := []struct {
		name  string
		req   interface{ Encode() (Call, error) }
		cmd   uint32
		flags uint32
		event uint32
		ref   string // which field of the header names the map
	}{
		{"create", Create{mpatha, uuid}, unix.DM_DEV_CREATE, 0, 0, "name uuid"},
		{"create without UUID", Create{Name: mpatha}, unix.DM_DEV_CREATE, 0, 0, "name"},
		{"resume", Resume{Map: byName, Udev: udev}, unix.DM_DEV_SUSPEND, noflush | skip, event, "name"},
		{"resume with a cookie", Resume{Map: byName, Udev: Udev{Cookie: 0xbeef}}, unix.DM_DEV_SUSPEND, noflush | skip, 0x0040beef, "name"},
		{"resume to resize", Resume{Map: byName, Udev: udev, Flush: true}, unix.DM_DEV_SUSPEND, skip, event, "name"},
		{"suspend", Suspend{Map: byName}, unix.DM_DEV_SUSPEND, unix.DM_SUSPEND_FLAG | noflush | skip, 0, "name"},
		{"suspend and flush", Suspend{Map: byName, Flush: true, LockFS: true}, unix.DM_DEV_SUSPEND, unix.DM_SUSPEND_FLAG, 0, "name"},
		{"remove", Remove{Map: ByUUID(uuid), Udev: udev}, unix.DM_DEV_REMOVE, 0, event, "uuid"},
		{"remove deferred", Remove{Map: byName, Deferred: true}, unix.DM_DEV_REMOVE, unix.DM_DEFERRED_REMOVE, 0x00400000, "name"},
		{"clear", Clear{byName}, unix.DM_TABLE_CLEAR, 0, 0, "name"},
		{"info by number", QueryInfo{ByDev(table.DevNum{Major: 254, Minor: 3})}, unix.DM_DEV_STATUS, 0, 0, "dev"},
		{"table", QueryTable{Map: byName}, unix.DM_TABLE_STATUS, unix.DM_STATUS_TABLE_FLAG | noflush, 0, "name"},
		{"inactive table", QueryTable{byName, true}, unix.DM_TABLE_STATUS, unix.DM_STATUS_TABLE_FLAG | noflush | unix.DM_QUERY_INACTIVE_TABLE_FLAG, 0, "name"},
		{"status", QueryStatus{byName}, unix.DM_TABLE_STATUS, noflush, 0, "name"},
		{"deps", QueryDeps{byName}, unix.DM_TABLE_DEPS, 0, 0, "name"},
		{"list", QueryList{}, unix.DM_LIST_DEVICES, unix.DM_UUID_FLAG, 0, ""},
		{"targets", QueryTargets{}, unix.DM_LIST_VERSIONS, 0, 0, ""},
		{"version", QueryVersion{}, unix.DM_VERSION, 0, 0, ""},
		{"arm", ArmPoll{}, unix.DM_DEV_ARM_POLL, 0, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tt.req.Encode()
			h, _ := kernelView(t, c, err)
			if c.Cmd != tt.cmd || h.Flags != tt.flags || h.Event_nr != tt.event {
				t.Errorf("cmd %#x flags %#x event %#x, want %#x %#x %#x", c.Cmd, h.Flags, h.Event_nr, tt.cmd, tt.flags, tt.event)
			}
			var ref []string
			if text(h.Name[:]) == "mpatha" {
				ref = append(ref, "name")
			}
			if text(h.Uuid[:]) == "mpath-3600a0b8" {
				ref = append(ref, "uuid")
			}
			if h.Dev == 0xfe03 {
				ref = append(ref, "dev")
			}
			if s := strings.Join(ref, " "); s != tt.ref {
				t.Errorf("map given by %q, want %q", s, tt.ref)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	lines := []table.Line{
		{Length: 2048, Target: "multipath", Params: "0 0 1 1 round-robin 0 2 1 8:0 1 65:16 1"},
		{Start: 2048, Length: 8, Target: "linear", Params: "254:1 0"},
		{Start: 2056, Length: 8, Target: "error"},
	}
	c, err := Load{Map: byName, ReadOnly: true, Lines: lines}.Encode()
	h, data := kernelView(t, c, err)
	if h.Target_count != 3 || h.Flags != unix.DM_READONLY_FLAG {
		t.Errorf("%d targets, flags %#x", h.Target_count, h.Flags)
	}
	// As next_target walks: next counts from the start of this spec, aligned.
	var have []table.Line
	for range h.Target_count {
		var spec unix.DmTargetSpec
		if err := binary.Read(bytes.NewReader(data), binary.NativeEndian, &spec); err != nil {
			t.Fatal(err)
		}
		params, end, ok := bytes.Cut(data[unix.SizeofDmTargetSpec:], []byte{0})
		if !ok || spec.Next%8 != 0 || int(spec.Next) < unix.SizeofDmTargetSpec+len(params)+1 {
			t.Fatalf("spec %+v, %d bytes behind", spec, len(end))
		}
		have = append(have, table.Line{
			Start: table.Sectors(spec.Sector_start), Length: table.Sectors(spec.Length), Target: text(spec.Target_type[:]), Params: string(params),
		})
		data = data[spec.Next:]
	}
	diff(t, lines, have)
	if len(data) != 0 {
		t.Errorf("%d bytes behind the last target", len(data))
	}
}

func TestPayloads(t *testing.T) {
	t.Run("rename", func(t *testing.T) {
		for _, to := range []string{"b", "voting1", strings.Repeat("n", 127)} {
			c, err := Rename{Map: byName, To: table.MustName(to), Udev: Udev{Flags: UdevNoKpartx}}.Encode()
			h, data := kernelView(t, c, err)
			if text(data) != to || !bytes.Contains(data, []byte{0}) || h.Flags != 0 || h.Event_nr != 0x02400000 {
				t.Errorf("%q: %q, flags %#x, event %#x", to, data, h.Flags, h.Event_nr)
			}
		}
	})
	t.Run("message", func(t *testing.T) {
		c, err := Message{Map: byName, Sector: 7, Text: FailPath(table.DevNum{Major: 8, Minor: 16})}.Encode()
		_, data := kernelView(t, c, err)
		if binary.NativeEndian.Uint64(data) != 7 || text(data[8:]) != "fail_path 8:16" {
			t.Errorf("%q", data)
		}
	})
	t.Run("message texts", func(t *testing.T) {
		have := []string{ReinstatePath(table.DevNum{Major: 8, Minor: 32}), SwitchGroup(2), EnableGroup(1), DisableGroup(3)}
		diff(t, []string{"reinstate_path 8:32", "switch_group 2", "enable_group 1", "disable_group 3"}, have)
	})
	t.Run("geometry", func(t *testing.T) {
		c, err := SetGeometry{byName, 1024, 255, 63, 2048}.Encode()
		_, data := kernelView(t, c, err)
		if text(data) != "1024 255 63 2048" {
			t.Errorf("%q", data)
		}
	})
	t.Run("target", func(t *testing.T) {
		c, err := QueryTarget{"multipath"}.Encode()
		h, _ := kernelView(t, c, err)
		if text(h.Name[:]) != "multipath" {
			t.Errorf("%q", h.Name)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	line := table.Line{Length: 8, Target: "error"}
	for _, tt := range []struct {
		name string
		req  interface{ Encode() (Call, error) }
		want string
	}{
		{"create", Create{}, "no name"},
		{"load without map", Load{Lines: []table.Line{line}}, "no map given"},
		{"load nothing", Load{Map: byName}, "no target"},
		{"load a gap", Load{Map: byName, Lines: []table.Line{line, {Start: 16, Length: 8, Target: "error"}}}, "begins at sector 16, want 8"},
		{"load no length", Load{Map: byName, Lines: []table.Line{{Target: "error"}}}, "length 0"},
		{"load a long type", Load{Map: byName, Lines: []table.Line{{Length: 8, Target: "sixteen-letters-"}}}, "16 bytes"},
		{"resume", Resume{}, "no map"},
		{"suspend", Suspend{}, "no map"},
		{"remove", Remove{}, "no map"},
		{"rename", Rename{To: mpatha}, "no map"},
		{"rename by UUID", Rename{Map: ByUUID(uuid3600), To: mpatha}, "only by its name"},
		{"rename to nothing", Rename{Map: byName}, "no new name"},
		{"clear", Clear{}, "no map"},
		{"message", Message{Text: "x"}, "no map"},
		{"empty message", Message{Map: byName}, "is empty"},
		{"NUL in message", Message{Map: byName, Text: "a\x00b"}, "NUL"},
		{"long message", Message{Map: byName, Text: strings.Repeat("x", MaxMessageBytes+1)}, "more than"},
		{"geometry", SetGeometry{Map: byName, Heads: 256}, "over 65535, 255, 255"},
		{"target", QueryTarget{strings.Repeat("x", 16)}, "16 bytes"},
		{"target empty", QueryTarget{}, "empty"},
		{"info", QueryInfo{}, "no map"},
		{"table", QueryTable{}, "no map"},
		{"status", QueryStatus{}, "no map"},
		{"deps", QueryDeps{}, "no map"},
	} {
		if _, err := tt.req.Encode(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestGrow(t *testing.T) {
	c, err := QueryTable{Map: byName}.Encode()
	first, _ := kernelView(t, c, err)
	for i := range c.Buf { // the kernel may have written over all of it
		c.Buf[i] = 0xff
	}
	sizes := 0
	for {
		d, err := c.Grow()
		if err != nil {
			if !errors.Is(err, ErrBufferFull) || len(c.Buf) < MaxBufferBytes/2-HeaderBytes {
				t.Errorf("stopped at %d bytes: %v", len(c.Buf), err)
			}
			break
		}
		h, _ := kernelView(t, d, nil)
		if len(d.Buf) <= len(c.Buf) || len(d.Buf) > MaxBufferBytes || h.Flags != first.Flags || h.Name != first.Name {
			t.Fatalf("from %d to %d bytes, flags %#x, name %q", len(c.Buf), len(d.Buf), h.Flags, text(h.Name[:]))
		}
		c = d
		if sizes++; sizes > 20 {
			t.Fatal("grows for ever")
		}
	}
	if c, err = (Clear{byName}).Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Grow(); err == nil {
		t.Error("a call that is no query grew")
	}
}

func TestUdev(t *testing.T) {
	for _, tt := range []struct {
		udev Udev
		want uint32
	}{
		{Udev{}, 0x00400000},
		{MapUdev(false, false, false), 0x00600000},
		{MapUdev(true, false, false), 0x01600000},
		{MapUdev(false, true, false), 0x02600000},
		{MapUdev(false, false, true), 0x04600000},
		{NodeUdev(), 0x00600000},
		{Udev{Cookie: 0x1234}, 0x00401234},
	} {
		n := tt.udev.EventNr()
		if n != tt.want {
			t.Errorf("%+v: %#x, want %#x", tt.udev, n, tt.want)
		}
		back := SplitEventNr(n)
		if back.Cookie != tt.udev.Cookie || back.Flags != tt.udev.Flags|UdevPrimarySource {
			t.Errorf("%#x is %+v", n, back)
		}
	}
	if k := CookieKey(0x1234); k != 0x0d4d1234 {
		t.Errorf("%#x", k)
	}
}

func TestCallError(t *testing.T) {
	call := func(r interface{ Encode() (Call, error) }) Call {
		c, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	line := []table.Line{{Length: 8, Target: "error"}}
	for _, tt := range []struct {
		call  Call
		errno uint32
		is    Errno
		want  string
	}{
		{call(Load{Map: byName, Lines: line}), 16, ErrBusy, `load table "mpatha": EBUSY (device or resource busy): a path device is in use`},
		{call(Load{Map: byName, Lines: line}), 30, ErrReadOnly, "load the table read-only"},
		{call(Message{Map: byName, Text: "fail_if_no_path"}), 16, ErrBusy, `message fail_if_no_path to map "mpatha": EBUSY (device or resource busy): the map is suspended`},
		{call(Remove{Map: byName}), 16, ErrBusy, "the map is open"},
		{call(QueryInfo{byName}), 6, ErrNotFound, "no such map"},
		{call(QueryVersion{}), 13, ErrAccess, "read dm version: EACCES (permission denied): needs root"},
		{call(ArmPoll{}), 25, ErrNotTTY, "too old"},
		{call(QueryTarget{"multipath"}), 22, ErrInvalid, "modprobe dm-multipath"},
		{call(QueryInfo{byName}), 200, Errno(200), `read map "mpatha": errno 200`},
	} {
		err := tt.call.Err(tt.errno)
		var ce *CallError
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, tt.is) || !errors.As(err, &ce) {
			t.Errorf("%v\nwant %q", err, tt.want)
		}
	}
	if err := call(QueryVersion{}).Err(0); err != nil {
		t.Error(err)
	}
}
