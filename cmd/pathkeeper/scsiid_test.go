package main

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pathkeeper/scsi"
)

// fakePort answers INQUIRY as a disk behind libata does.
type fakePort struct {
	t         *testing.T
	attention int // unit attentions that come first
	errno     unix.Errno
	long      bool // page 0x83 does not fit into the first answer
}

func (f *fakePort) Do(device string, req scsi.Request) scsi.Response {
	if device != "sda" || req.CDB[0] != 0x12 {
		f.t.Errorf("%s: % x", device, req.CDB)
	}
	if f.errno != 0 {
		return scsi.Response{Errno: uint32(f.errno)}
	}
	if f.attention > 0 {
		f.attention--
		return scsi.Response{Status: scsi.StatusCheckCondition, Sense: []byte{0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0}}
	}
	data := make([]byte, 36)
	data[2], data[4] = 5, 31
	copy(data[8:], "ATA     VBOX HARDDISK   1.0 ")
	if req.CDB[1]&1 != 0 {
		switch req.CDB[2] {
		case 0x00:
			data = []byte{0, 0, 0, 3, 0, 0x80, 0x83}
		case 0x80:
			data = append([]byte{0, 0x80, 0, 20}, "VB5a531910-25f4eb9a "...)
		case 0x83:
			if !f.long {
				return scsi.Response{Status: scsi.StatusCheckCondition, Sense: []byte{0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0, 0, 0, 0, 0}}
			}
			filler := append([]byte{2, 0, 0, 250}, make([]byte, 250)...)
			naa, _ := hex.DecodeString(testWWID[1:])
			page := append(append(filler, 1, 3, 0, 16), naa...)
			data = append([]byte{0, 0x83, byte(len(page) >> 8), byte(len(page))}, page...)
		}
	}
	return scsi.Response{Data: data[:min(len(data), int(req.InLen))]}
}

func TestReadIDs(t *testing.T) {
	raw, err := readIDs(&fakePort{t: t, attention: 3}, "/dev/sda")
	if err != nil || raw.VPD83 != nil || len(raw.VPD80) != 24 {
		t.Fatalf("%+v %v", raw, err)
	}
	for _, c := range []struct {
		o    scsiIDOptions
		want string
	}{
		{scsiIDOptions{}, "SATA     VBOX HARDDISK   VB5a531910-25f4eb9a \n"},
		{scsiIDOptions{underscores: true}, "SATA_VBOX_HARDDISK_VB5a531910-25f4eb9a\n"},
	} {
		var out, talk bytes.Buffer
		if code := printScsiID(streams{&out, &talk}, raw, c.o); code != exitDone || out.String() != c.want {
			t.Errorf("%+v: %d %q %q", c.o, code, out.String(), talk.String())
		}
	}
	var out, talk bytes.Buffer
	if err := printIDs(streams{&out, &talk}, "/dev/sda", raw, scsi.ScsiIDAuto, true, false); err != nil || !strings.Contains(out.String(), "ID_SERIAL=SATA_VBOX_HARDDISK_VB5a531910-25f4eb9a\n") {
		t.Errorf("%v %s", err, out.String())
	}
	out.Reset()
	if err := printIDs(streams{&out, &talk}, "/dev/sda", raw, scsi.ScsiIDAuto, false, true); err != nil || !strings.Contains(out.String(), " old-scsi_id-page-0x80\n") {
		t.Errorf("%v %s", err, out.String())
	}
	// A page longer than the first answer is read whole.
	raw, err = readIDs(&fakePort{t: t, long: true}, "sda")
	if id := scsi.Identify(raw); err != nil || id.WWID != testWWID {
		t.Errorf("%v %+v", err, id)
	}
	for errno, want := range map[unix.Errno]string{unix.ENXIO: "no such device", unix.EPERM: "needs root", unix.ENOTTY: "no SCSI device"} {
		if _, err := readIDs(&fakePort{t: t, errno: errno}, "sda"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", errno, err)
		}
	}
	if _, err := readIDs(&fakePort{t: t, attention: 99}, "sda"); err == nil || !strings.Contains(err.Error(), "INQUIRY of sda") {
		t.Errorf("endless unit attentions: %v", err)
	}
}
