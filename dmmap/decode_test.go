package dmmap

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pathkeeper/dmmap/table"
)

func TestDecodeInfo(t *testing.T) {
	buf := answer(t, func(h *unix.DmIoctl) {
		copy(h.Name[:], `a\x20b`)
		copy(h.Uuid[:], "mpath-3600a0b8")
		h.Dev, h.Event_nr, h.Open_count, h.Target_count = 0xfe03, 7, 2, 1
		h.Flags = unix.DM_READONLY_FLAG | unix.DM_SUSPEND_FLAG | unix.DM_ACTIVE_PRESENT_FLAG | unix.DM_INACTIVE_PRESENT_FLAG |
			unix.DM_UEVENT_GENERATED_FLAG | unix.DM_DEFERRED_REMOVE | unix.DM_INTERNAL_SUSPEND_FLAG
	}, nil, 0)
	want := Info{
		Version: Version{4, 47, 0}, Name: table.MustName("a b"), UUID: mapUUID(t, "3600a0b8"), Dev: table.DevNum{Major: 254, Minor: 3},
		OpenCount: 2, EventNr: 7, TargetCount: 1,
		ReadOnly: true, Suspended: true, InternalSuspend: true, LiveTable: true, InactiveTable: true, DeferredRemove: true, UeventGenerated: true,
	}
	have, err := DecodeInfo(buf)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, want, have)

	// Without payload the kernel returns no more than up to the data member.
	binary.NativeEndian.PutUint32(buf[12:], 305)
	if have, err = DecodeInfo(buf[:305]); err != nil {
		t.Fatal(err)
	}
	diff(t, want, have)

	plain, err := DecodeInfo(answer(t, nil, nil, 0))
	if err != nil {
		t.Fatal(err)
	}
	diff(t, Info{Version: Version{4, 47, 0}}, plain)
}

func TestDecodeLines(t *testing.T) {
	const status = "2 0 0 0 1 1 A 0 1 2 8:16 A 0 0 1"
	payload := kernelLines(t,
		table.Line{Length: 2048, Target: "multipath", Params: status + " "},
		table.Line{Start: 2048, Length: 8, Target: "error"})
	set := func(h *unix.DmIoctl) { h.Target_count = 2 }
	for _, room := range []int{0, 4096} {
		_, lines, err := DecodeLines(answer(t, set, payload, room))
		if err != nil {
			t.Fatal(err)
		}
		diff(t, []table.Line{{Length: 2048, Target: "multipath", Params: status}, {Start: 2048, Length: 8, Target: "error"}}, lines)
	}
	info, lines, err := DecodeLines(answer(t, nil, nil, 16384))
	if err != nil || lines != nil || info.LiveTable {
		t.Errorf("a map without a table: %v, %v, %v", info, lines, err)
	}
	_, _, err = DecodeLines(answer(t, func(h *unix.DmIoctl) { h.Flags, h.Target_count = unix.DM_BUFFER_FULL_FLAG, 2 }, payload, 0))
	var full *BufferFullError
	if !errors.Is(err, ErrBufferFull) || !errors.As(err, &full) || full.HaveBytes != HeaderBytes+len(payload) || full.TryBytes != HeaderBytes+2*len(payload) {
		t.Errorf("full buffer: %v", err)
	}
}

func TestDecodeDeps(t *testing.T) {
	ne := binary.NativeEndian
	payload := ne.AppendUint64(ne.AppendUint64(ne.AppendUint64(nil, 0), 0x810), 0x820)
	ne.PutUint32(payload, 2)
	devs, err := DecodeDeps(answer(t, nil, payload, 100))
	if err != nil {
		t.Fatal(err)
	}
	diff(t, []table.DevNum{{Major: 8, Minor: 16}, {Major: 8, Minor: 32}}, devs)
	ne.PutUint32(payload, 3)
	if _, err := DecodeDeps(answer(t, nil, payload, 100)); err == nil {
		t.Error("three dependencies were found in the room of two")
	}
	if devs, err := DecodeDeps(answer(t, nil, nil, 100)); err != nil || devs != nil {
		t.Errorf("no table: %v, %v", devs, err)
	}
}

func TestDecodeList(t *testing.T) {
	dev := func(minor uint32) table.DevNum { return table.DevNum{Major: 254, Minor: minor} }
	maps := []listed{
		{dev(0), "mpatha", 3, listHasUUID, "mpath-3600a0b8"},
		{dev(1), "x", 4, listNoUUID, ""},
		{dev(70000), "a map of somebody else", 5, listHasUUID, "LVM-abc"},
	}
	entry := func(m listed) Entry {
		n, err := table.KernelName(m.name)
		if err != nil {
			t.Fatal(err)
		}
		return Entry{Dev: m.dev, Name: n}
	}
	version := func(minor uint32) func(*unix.DmIoctl) {
		return func(h *unix.DmIoctl) { h.Version[1] = minor }
	}
	var bare, events, all []Entry
	for _, m := range maps {
		e := entry(m)
		bare = append(bare, e)
		e.EventNr, e.HasEventNr = m.event, true
		events = append(events, e)
		u, err := table.ParseUUID(m.uuid)
		if err != nil {
			t.Fatal(err)
		}
		e.UUID, e.HasUUID = u, true
		all = append(all, e)
	}
	for _, tt := range []struct {
		name    string
		minor   uint32
		payload []byte
		want    []Entry
	}{
		{"Linux 6.1", 47, kernelList(true, maps...), all},
		{"Linux 5.13", 44, kernelList(true, maps...), all},
		{"Linux 5.10, garbage behind the event number", 43, kernelList(false, maps...), events},
		{"Linux 4.13", 36, kernelList(false, maps...), bare},
		{"one map", 47, kernelList(true, maps[1]), all[1:2]},
		{"no map", 47, nil, nil},
		{"no map, marked", 47, make([]byte, 16), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, room := range []int{0, 1000} {
				have, err := DecodeList(answer(t, version(tt.minor), tt.payload, room))
				if err != nil {
					t.Fatal(err)
				}
				diff(t, tt.want, have)
			}
		})
	}
	_, err := DecodeList(answer(t, func(h *unix.DmIoctl) { h.Flags = unix.DM_BUFFER_FULL_FLAG }, nil, 0))
	if !errors.Is(err, ErrBufferFull) {
		t.Error(err)
	}
}

func TestDecodeTargets(t *testing.T) {
	ne := binary.NativeEndian
	one := func(next uint32, name string, v ...uint32) []byte {
		b := ne.AppendUint32(nil, next)
		for _, n := range v {
			b = ne.AppendUint32(b, n)
		}
		return pad8(append(append(b, name...), 0))
	}
	payload := append(one(32, "multipath", 1, 14, 0), one(0, "error", 1, 5, 0)...)
	have, err := DecodeTargets(answer(t, nil, payload, 50))
	if err != nil {
		t.Fatal(err)
	}
	diff(t, []Target{{"multipath", Version{1, 14, 0}}, {"error", Version{1, 5, 0}}}, have)
	if v := have[0].Version; !v.AtLeast(1, 14) || v.AtLeast(1, 15) || !v.AtLeast(0, 20) || v.String() != "1.14.0" {
		t.Error(v)
	}
	for _, next := range []uint32{1, 16, 1 << 30, 0xffffffff} {
		if _, err := DecodeTargets(answer(t, nil, one(next, "multipath", 1, 14, 0), 0)); err == nil {
			t.Errorf("next %d was taken", next)
		}
	}
}

// Answers that no kernel gives; nothing may be read beyond what is there.
func TestDecodeNonsense(t *testing.T) {
	good := answer(t, func(h *unix.DmIoctl) { h.Target_count = 1 }, kernelLines(t, table.Line{Length: 8, Target: "linear", Params: "8:0 0"}), 0)
	spoil := func(f func(b []byte)) []byte {
		b := append([]byte(nil), good...)
		f(b)
		return b
	}
	put := func(at int, n uint32) []byte {
		return spoil(func(b []byte) { binary.NativeEndian.PutUint32(b[at:], n) })
	}
	fill := func(at, n int) []byte {
		return spoil(func(b []byte) { copy(b[at:at+n], strings.Repeat("x", n)) })
	}
	for _, tt := range []struct {
		name, want string
		buf        []byte
	}{
		{"nothing", "answer of 0 bytes", nil},
		{"short", "answer of 304 bytes", good[:304]},
		{"version", "interface version 3", put(0, 3)},
		{"data_size", "data_size 4294967295", put(12, 0xffffffff)},
		{"data_start behind the end", "1 targets in 0 bytes", put(16, 10000)},
		{"data_start in the header", "1 targets in 0 bytes", put(16, 8)},
		{"target count", "4294967295 targets", put(20, 0xffffffff)},
		{"name", "name without end", fill(48, 128)},
		{"slash in name", "'/'", spoil(func(b []byte) { copy(b[48:], "a/b") })},
		{"uuid", "UUID without end", fill(176, 129)},
		{"type", "type without end", fill(312+24, 16)},
		{"params", "parameters without end", fill(312+40, len(good)-352)},
	} {
		_, _, err := DecodeLines(tt.buf)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(answer(f, nil, nil, 0))
	f.Add(answer(f, func(h *unix.DmIoctl) { h.Target_count = 2 }, kernelLines(f,
		table.Line{Length: 8, Target: "multipath", Params: "0 0 0 0"}, table.Line{Start: 8, Length: 8, Target: "error"}), 0))
	f.Add(answer(f, nil, kernelList(true,
		listed{table.DevNum{Major: 254}, "mpatha", 3, listHasUUID, "mpath-3600a0b8"},
		listed{table.DevNum{Major: 254, Minor: 1}, "b", 3, listNoUUID, ""}), 8))
	f.Add(answer(f, func(h *unix.DmIoctl) { h.Flags = unix.DM_BUFFER_FULL_FLAG }, nil, 0))
	f.Fuzz(func(t *testing.T, buf []byte) {
		if i, err := DecodeInfo(buf); err == nil && len(i.Name.Kernel()) > table.MaxNameBytes {
			t.Fatal(i.Name)
		}
		if _, lines, err := DecodeLines(buf); err == nil && len(lines)*specBytes > len(buf) {
			t.Fatalf("%d targets in %d bytes", len(lines), len(buf))
		}
		if devs, err := DecodeDeps(buf); err == nil && 8*len(devs) > len(buf) {
			t.Fatalf("%d dependencies in %d bytes", len(devs), len(buf))
		}
		if list, err := DecodeList(buf); err == nil && listName*len(list) > len(buf) {
			t.Fatalf("%d maps in %d bytes", len(list), len(buf))
		}
		if targets, err := DecodeTargets(buf); err == nil && 16*len(targets) > len(buf) {
			t.Fatalf("%d targets in %d bytes", len(targets), len(buf))
		}
		_, _ = DecodeVersion(buf)
	})
}
