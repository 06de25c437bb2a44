package uevent

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kernelAdd is what Linux 6.1 sends for a disk.
const kernelAdd = "add@/devices/tcm_loop_0/tcm_loop_adapter_0/host2/target2:0:1/2:0:1:3/block/sda\x00" +
	"ACTION=add\x00DEVPATH=/devices/tcm_loop_0/tcm_loop_adapter_0/host2/target2:0:1/2:0:1:3/block/sda\x00SUBSYSTEM=block\x00" +
	"MAJOR=8\x00MINOR=0\x00DEVNAME=sda\x00DEVTYPE=disk\x00DISKSEQ=17\x00SEQNUM=2345\x00"

// udevMessage frames properties as systemd-udevd does.
func udevMessage(subsystem string, props ...string) []byte {
	body := strings.Join(props, "\x00") + "\x00"
	b := []byte(udevPrefix)
	b = binary.BigEndian.AppendUint32(b, udevMagic)
	b = binary.NativeEndian.AppendUint32(b, udevHeaderSize)
	b = binary.NativeEndian.AppendUint32(b, udevHeaderSize)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(body)))
	b = binary.BigEndian.AppendUint32(b, subsystemHash(subsystem))
	b = append(b, make([]byte, 12)...)
	return append(b, body...)
}

func TestParse(t *testing.T) {
	udev := udevMessage("block", "ACTION=change", "DEVPATH=/devices/platform/soc@0/host0/block/cciss!c0d0",
		"SUBSYSTEM=block", "DEVNAME=/dev/cciss/c0d0", "DEVTYPE=disk", "SEQNUM=7", "ID_SERIAL=3600", "DM_OPTS=a=b=c", "EMPTY=", "ID_SERIAL=3601")
	for _, tc := range []struct {
		name string
		data []byte
		want Event
	}{
		{"kernel", []byte(kernelAdd), Event{
			Action: "add", Devpath: "/devices/tcm_loop_0/tcm_loop_adapter_0/host2/target2:0:1/2:0:1:3/block/sda",
			Subsystem: "block", DevName: "sda", DevType: "disk", Seqnum: 2345,
			Props: Props{
				{"ACTION", "add"},
				{"DEVPATH", "/devices/tcm_loop_0/tcm_loop_adapter_0/host2/target2:0:1/2:0:1:3/block/sda"},
				{"SUBSYSTEM", "block"},
				{"MAJOR", "8"},
				{"MINOR", "0"},
				{"DEVNAME", "sda"},
				{"DEVTYPE", "disk"},
				{"DISKSEQ", "17"},
				{"SEQNUM", "2345"},
			},
		}},
		{"udev", udev, Event{
			Action: "change", Devpath: "/devices/platform/soc@0/host0/block/cciss!c0d0", Subsystem: "block",
			DevName: "cciss/c0d0", DevType: "disk", Seqnum: 7, FromUdev: true,
			Props: Props{
				{"ACTION", "change"},
				{"DEVPATH", "/devices/platform/soc@0/host0/block/cciss!c0d0"},
				{"SUBSYSTEM", "block"},
				{"DEVNAME", "/dev/cciss/c0d0"},
				{"DEVTYPE", "disk"},
				{"SEQNUM", "7"},
				{"ID_SERIAL", "3600"},
				{"DM_OPTS", "a=b=c"},
				{"EMPTY", ""},
				{"ID_SERIAL", "3601"},
			},
		}},
		{"unit attention, at sign, no last NUL", []byte("change@/devices/soc@0/host0/target0:0:0/0:0:0:0\x00ACTION=change\x00DEVPATH=/devices/soc@0/host0/target0:0:0/0:0:0:0\x00SUBSYSTEM=scsi\x00SDEV_UA=CAPACITY_DATA_HAS_CHANGED"), Event{
			Action: "change", Devpath: "/devices/soc@0/host0/target0:0:0/0:0:0:0", Subsystem: "scsi",
			Props: Props{{"ACTION", "change"}, {"DEVPATH", "/devices/soc@0/host0/target0:0:0/0:0:0:0"}, {"SUBSYSTEM", "scsi"}, {"SDEV_UA", "CAPACITY_DATA_HAS_CHANGED"}},
		}},
	} {
		got, err := Parse(tc.data)
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", tc.name, err, diff)
		}
	}
	ev, _ := Parse(udev)
	if v, ok := ev.Props.Lookup("ID_SERIAL"); v != "3601" || !ok {
		t.Errorf("Lookup: %q %v, the last one counts", v, ok)
	}
	if v, ok := ev.Props.Lookup("NONE"); v != "" || ok || ev.Props.Value("EMPTY") != "" {
		t.Errorf("Lookup: %q %v", v, ok)
	}
	if got := ev.SysName(); got != "cciss!c0d0" {
		t.Errorf("SysName = %q", got)
	}
}

func TestParseMalformed(t *testing.T) {
	good := udevMessage("block", "ACTION=add", "DEVPATH=/x", "SUBSYSTEM=block")
	edit := func(off int, v uint32) []byte {
		b := append([]byte(nil), good...)
		binary.NativeEndian.PutUint32(b[off:], v)
		return b
	}
	for name, data := range map[string][]byte{
		"empty":           nil,
		"no NUL":          []byte("add@/x"),
		"no at":           []byte("add\x00ACTION=add\x00"),
		"relative":        []byte("add@x\x00ACTION=add\x00DEVPATH=x\x00SUBSYSTEM=block\x00"),
		"header lies":     []byte("add@/x\x00ACTION=remove\x00DEVPATH=/x\x00SUBSYSTEM=block\x00"),
		"no subsystem":    []byte("add@/x\x00ACTION=add\x00DEVPATH=/x\x00"),
		"no equals":       []byte("add@/x\x00ACTION=add\x00DEVPATH=/x\x00SUBSYSTEM=block\x00WHAT\x00"),
		"empty key":       []byte("add@/x\x00ACTION=add\x00DEVPATH=/x\x00SUBSYSTEM=block\x00=1\x00"),
		"bad seqnum":      []byte("add@/x\x00ACTION=add\x00DEVPATH=/x\x00SUBSYSTEM=block\x00SEQNUM=-1\x00"),
		"too many":        []byte("add@/x\x00ACTION=add\x00DEVPATH=/x\x00SUBSYSTEM=block\x00" + strings.Repeat("A=\x00", MaxProps)),
		"too long":        []byte("add@/x\x00ACTION=add\x00DEVPATH=/x\x00SUBSYSTEM=block\x00A=" + strings.Repeat("a", MaxDatagram)),
		"short header":    good[:udevHeaderSize-1],
		"magic":           edit(8, 1),
		"offset in head":  edit(16, 8),
		"offset past end": edit(16, 1000),
		"length past end": edit(20, 1000),
		"overflow":        edit(20, 0xffffffff),
		"no properties":   edit(20, 0),
	} {
		if ev, err := Parse(data); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, ev, err)
		}
	}
	if _, err := Parse(good); err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		d    Datagram
		want bool
	}{
		{Datagram{Group: GroupKernel}, true},
		{Datagram{Group: GroupKernel, HasUID: true}, true},
		{Datagram{Group: GroupKernel, PortID: 77, HasUID: true}, false},               // a process, even root's
		{Datagram{Group: GroupKernel, UID: 1000, HasUID: true}, false},                // a container's kernel events
		{Datagram{Group: GroupUdev, PortID: 77, HasUID: true}, true},                  // udevd
		{Datagram{Group: GroupUdev, PortID: 77, UID: 1000, HasUID: true}, false},      // a user
		{Datagram{Group: GroupUdev, PortID: 77}, false},                               // nobody vouches
		{Datagram{Group: 0, PortID: 77, HasUID: true}, false},                         // sent to us alone
		{Datagram{Group: 0, HasUID: true}, false},                                     //
		{Datagram{Group: 4, HasUID: true}, false},                                     // no such group
		{Datagram{Group: GroupKernel | GroupUdev, HasUID: true}, false},               //
		{Datagram{Group: GroupUdev, PortID: 1, UID: ^uint32(0), HasUID: true}, false}, // nobody
	} {
		if err := tc.d.Check(); (err == nil) != tc.want || (err != nil && !errors.Is(err, ErrSender)) {
			t.Errorf("%+v: %v", tc.d, err)
		}
	}
}

func TestConcerns(t *testing.T) {
	for _, tc := range []struct {
		data string
		want bool
	}{
		{kernelAdd, true},
		{"add@/x\x00ACTION=add\x00SUBSYSTEM=sound\x00", false},
		{"add@/x\x00ACTION=add\x00SUBSYSTEM=blocks\x00", false},
		{"add@/x\x00ACTION=add\x00SUBSYSTEM=scsi", true},
		{"add@/x\x00ACTION=add\x00", true},
		{"", true},
	} {
		if got := Concerns([]byte(tc.data), "block", "scsi"); got != tc.want {
			t.Errorf("%q: %v", tc.data, got)
		}
	}
}

// Two allocations: one string, one slice. A storm of 10,000 events must not
// become a storm of garbage.
func TestParseAllocations(t *testing.T) {
	data := []byte(kernelAdd)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Parse(data); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("Parse makes %v allocations, want at most 2", n)
	}
	if n := testing.AllocsPerRun(100, func() { Concerns(data, "block", "scsi") }); n > 0 {
		t.Errorf("Concerns makes %v allocations, want none", n)
	}
}

func BenchmarkParse(b *testing.B) {
	data := []byte(kernelAdd)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestParseRecord(t *testing.T) {
	text := "S:disk/by-id/scsi-3600\nS:disk/by-path/pci-0000:00:05.0-scsi-0:0:0:1\nL:-100\nI:1234567\nE:ID_SERIAL=3600\nE:ID_X=a=b\nG:systemd\nQ:systemd\nV:1\n"
	want := Record{
		Props: Props{{"ID_SERIAL", "3600"}, {"ID_X", "a=b"}},
		Links: []string{"disk/by-id/scsi-3600", "disk/by-path/pci-0000:00:05.0-scsi-0:0:0:1"},
		Tags:  []string{"systemd"}, LinkPriority: -100, InitUsec: 1234567, Initialized: true,
	}
	got, err := ParseRecord([]byte(text))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got, err := ParseRecord(nil); err != nil || got.Initialized {
		t.Error(got, err)
	}
	for _, bad := range []string{"x", "E:NOVALUE", "E:=x", "I:soon", "L:high", strings.Repeat("E:A=b\n", MaxDatagram)} {
		if got, err := ParseRecord([]byte(bad)); err == nil {
			t.Errorf("%.20q: %+v", bad, got)
		}
	}
	if got := RecordName(8, 16); got != "data/b8:16" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(kernelAdd))
	f.Add([]byte("add@/x"))
	f.Add([]byte("add@/x\x00ACTION=add\x00DEVPATH=/x\x00SUBSYSTEM=block\x00A=b=c\x00"))
	f.Add(udevMessage("block", "ACTION=add", "DEVPATH=/x", "SUBSYSTEM=block", "ID_SERIAL=3600"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ev, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%v", err)
			}
			return
		}
		if ev.Props.Value("ACTION") != ev.Action || ev.Props.Value("DEVPATH") != ev.Devpath || ev.Props.Value("SUBSYSTEM") != ev.Subsystem {
			t.Errorf("event and properties disagree: %+v", ev)
		}
		if !ev.FromUdev && !Concerns(data, ev.Subsystem) {
			t.Errorf("quick look misses %q", ev.Subsystem)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte("S:disk/by-id/x\nI:1\nE:ID_SERIAL=3600\nG:systemd\nL:1\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = ParseRecord(text) })
}
