package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
)

// unit answers for one disk, "sdb", and writes down what it was asked.
type unit struct {
	t       *testing.T
	pages   map[uint8][]byte // VPD pages
	status  map[string]scsi.Status
	product string // vendor, model and revision as INQUIRY has them
	attrs   map[string]string
	disk    sysfs.Disk
	port    sysfs.Port
	read    Answer
	said    []string
	ids     []mpath.PathID
}

var sdb = mpath.PathID{Dev: table.DevNum{Major: 8, Minor: 16}, Diskseq: 7}

func newUnit(t *testing.T, supported ...byte) *unit {
	naa := []byte{0x60, 0x01, 0x40, 0x50, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x51, 0}
	vpd := func(code byte, body []byte) []byte { return append([]byte{0, code, 0, byte(len(body))}, body...) }
	return &unit{
		t: t, status: map[string]scsi.Status{}, product: "SIMULATEARRAY           0001",
		pages: map[uint8][]byte{
			0x00: vpd(0x00, append([]byte{0x00, 0x80, 0x83}, supported...)), 0x80: vpd(0x80, []byte("SN1")),
			0x83: vpd(0x83, append([]byte{1, 3, 0, 16}, naa...)),
		},
		attrs: map[string]string{"block/sdb/device/state": "running\n"},
		disk: sysfs.Disk{
			Name: "sdb", Major: 8, Minor: 16, Diskseq: 7, Sectors: 1 << 20, IsSCSI: true,
			SCSI: sysfs.SCSI{Host: 2, LUN: 1, State: "running", SG: "sg1", AccessState: "standby"},
		},
	}
}

func (u *unit) run(s Step) mpath.Event {
	u.t.Helper()
	for range 100 {
		if s.Next == nil {
			return s.Event
		}
		s = s.Next(u.answer(s.Ask))
	}
	u.t.Fatal("the operation does not end")
	return nil
}

func (u *unit) answer(a Ask) Answer {
	switch a.Kind {
	case KindDisk:
		return Answer{Disk: u.disk, Port: u.port}
	case KindAttr:
		u.said = append(u.said, a.Path)
		v, ok := u.attrs[a.Path]
		if !ok {
			return Answer{Errno: eNOENT}
		}
		return Answer{Bytes: []byte(v)}
	case KindReadDisk:
		u.said = append(u.said, fmt.Sprintf("read %d at %d", a.Length, a.Offset))
		u.ids = append(u.ids, a.ID)
		return u.read
	case KindSCSI:
		u.ids = append(u.ids, a.ID)
		r := u.command(a.SCSI)
		return Answer{SCSI: r}
	}
	return Answer{}
}

func (u *unit) command(q scsi.Request) scsi.Response {
	text := fmt.Sprintf("%02x", q.CDB[0])
	if q.CDB[0] == 0x12 && q.CDB[1] == 1 {
		text += fmt.Sprintf(" page %02x", q.CDB[2])
	}
	u.said = append(u.said, text)
	if s := u.status[text]; s != scsi.StatusGood {
		return scsi.Response{Status: s}
	}
	var data []byte
	switch {
	case text == "12":
		data = make([]byte, 36)
		copy(data[8:], u.product)
	case q.CDB[0] == 0x12:
		page, ok := u.pages[q.CDB[2]]
		if !ok { // invalid field in CDB
			return scsi.Response{Status: scsi.StatusCheckCondition, Sense: []byte{0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0, 0, 0, 0, 0}}
		}
		data = page
	}
	return scsi.Response{Data: data[:min(len(data), int(q.InLen))]}
}

func (u *unit) check(a mpath.StartCheck) mpath.CheckDone {
	u.t.Helper()
	a.Seq, a.Path, a.Name, a.TimeoutMS = 1, sdb, "sdb", 1000
	a.Expect = "360014050000000010000000000005100"
	ev, ok := u.run(testEngine().check(a)).(mpath.CheckDone)
	if !ok {
		u.t.Fatal("a check ends in something else")
	}
	for _, id := range u.ids {
		if id != sdb {
			u.t.Errorf("a request is for %v", id)
		}
	}
	return ev
}

// An RDAC array is told by its own page, which is asked for only where the device
// says that it has it; a page that cannot be read changes nothing else.
func TestIdentifyRDAC(t *testing.T) {
	vac := append([]byte{0, 0xc9, 0, 0x2c}, []byte("vac1")...)
	for _, tt := range []struct {
		name      string
		supported []byte
		page      []byte
		want      bool
	}{
		{"it is", []byte{0xc9}, vac, true},
		{"another page of that number", []byte{0xc9}, []byte{0, 0xc9, 0, 4, 'x', 'x', 'x', 'x'}, false},
		{"it says that it has it, and refuses", []byte{0xc9}, nil, false},
		{"it does not say so", nil, vac, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := newUnit(t, tt.supported...)
			if tt.page != nil {
				u.pages[0xc9] = tt.page
			}
			ev, ok := u.run(testEngine().identify(mpath.Identify{Seq: 1, Name: "sdb"})).(mpath.PathSeen)
			if !ok || !ev.Fresh || ev.ID != sdb || ev.Identity.WWID != "360014050000000010000000000005100" {
				t.Fatalf("%+v", ev)
			}
			if ev.Facts.RDAC != tt.want || ev.Facts.AccessState != "standby" {
				t.Errorf("RDAC %v, access state %q", ev.Facts.RDAC, ev.Facts.AccessState)
			}
			if asked := slices.Contains(u.said, "12 page c9"); asked != (tt.supported != nil) {
				t.Errorf("asked for page c9: %v", asked)
			}
		})
	}
}

// What is only printed of a path comes with its identity: the names of its ports,
// and of a 3PAR's volume the name, from a page that other arrays use for other things.
func TestIdentifyNames(t *testing.T) {
	page := make([]byte, 56)
	copy(page, []byte{0, 0xc0, 0, 52, 4})
	page[43] = 12
	copy(page[44:], "vol.prod.01")
	for _, tt := range []struct{ product, want string }{
		{"3PARdataVV              3213", "vol.prod.01"},
		{"SIMULATEARRAY           0001", ""},
	} {
		u := newUnit(t, 0xc0)
		u.product, u.pages[0xc0] = tt.product, page
		u.port = sysfs.Port{HostNode: "n", HostPort: "p", TargetPort: "t", Adapter: "a", MaxSectorsKB: 512}
		ev, ok := u.run(testEngine().identify(mpath.Identify{Seq: 1, Name: "sdb"})).(mpath.PathSeen)
		if !ok || ev.PageData != tt.want {
			t.Errorf("%s: %+v", tt.product, ev)
		}
		if ev.Port != (mpath.PortNames{HostNode: "n", HostPort: "p", TargetPort: "t", Adapter: "a"}) || ev.MaxSectorsKB != 512 {
			t.Errorf("ports: %+v, %d", ev.Port, ev.MaxSectorsKB)
		}
	}
}

// An INQUIRY that finds no room says nothing about who the device is: the check
// told nothing, and the path is not taken for one that cannot say.
func TestIdentityWithoutRoom(t *testing.T) {
	for _, s := range []scsi.Status{scsi.StatusBusy, scsi.StatusTaskSetFull} {
		u := newUnit(t)
		u.status["12"] = s
		ev := u.check(mpath.StartCheck{Checker: "tur", Identify: true})
		if v := ev.Verdict; !v.Inconclusive || v.State != pathcheck.StatePending || ev.Identified {
			t.Errorf("%s: %+v", s, ev)
		}
	}
	u := newUnit(t)
	if ev := u.check(mpath.StartCheck{Checker: "tur", Identify: true}); !ev.Identified || !ev.Same || ev.Verdict.State != pathcheck.StateUp {
		t.Errorf("with room: %+v", ev)
	}
}

// directio goes by the block device; who the device is, is asked by command.
func TestDirectIO(t *testing.T) {
	u := newUnit(t)
	u.read = Answer{N: 4096}
	ev := u.check(mpath.StartCheck{Checker: "directio", Identify: true})
	if ev.Verdict.State != pathcheck.StateUp || !ev.Identified || u.said[1] != "read 4096 at 0" {
		t.Errorf("%+v after %v", ev, u.said)
	}
	u = newUnit(t)
	u.read = Answer{Errno: eIO}
	ev = u.check(mpath.StartCheck{Checker: "directio", Identify: true})
	if ev.Verdict.State != pathcheck.StateDown || ev.Identified || len(u.said) != 2 || !strings.Contains(ev.Verdict.Message, "EIO") {
		t.Errorf("%+v after %v", ev, u.said)
	}
}

// prio sysfs costs no command.
func TestSysfsPriority(t *testing.T) {
	u := newUnit(t)
	u.attrs["block/sdb/device/access_state"], u.attrs["block/sdb/device/preferred_path"] = "active/non-optimized\n", "1\n"
	ev := u.check(mpath.StartCheck{Checker: "none", Prio: "sysfs", TPGS: 1, PortGroup: 3})
	if !ev.PrioAsked || !ev.Prio.OK || ev.Prio.Priority != 90 || ev.Prio.TPG != 3 || len(u.ids) != 0 {
		t.Errorf("%+v, %d commands", ev.Prio, len(u.ids))
	}
	delete(u.attrs, "block/sdb/device/access_state")
	if ev := u.check(mpath.StartCheck{Checker: "none", Prio: "sysfs"}); ev.Prio.OK {
		t.Errorf("without the attribute: %+v", ev.Prio)
	}
}
