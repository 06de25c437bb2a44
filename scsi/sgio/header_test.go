package sgio

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"pathkeeper/scsi"
)

// Offsets as gcc lays struct sg_io_hdr out with 64-bit pointers.
func TestHeaderLayout(t *testing.T) {
	var h header
	if unsafe.Sizeof(h) != headerSize {
		t.Errorf("%d bytes, want %d", unsafe.Sizeof(h), headerSize)
	}
	got := map[string]uintptr{
		"interface_id": unsafe.Offsetof(h.interfaceID), "dxfer_direction": unsafe.Offsetof(h.direction),
		"cmd_len": unsafe.Offsetof(h.cmdLen), "mx_sb_len": unsafe.Offsetof(h.maxSense), "iovec_count": unsafe.Offsetof(h.iovecCount),
		"dxfer_len": unsafe.Offsetof(h.dataLen), "dxferp": unsafe.Offsetof(h.data), "cmdp": unsafe.Offsetof(h.cmd), "sbp": unsafe.Offsetof(h.sense),
		"timeout": unsafe.Offsetof(h.timeoutMS), "flags": unsafe.Offsetof(h.flags), "pack_id": unsafe.Offsetof(h.packID), "usr_ptr": unsafe.Offsetof(h.usrPtr),
		"status": unsafe.Offsetof(h.status), "masked_status": unsafe.Offsetof(h.maskedStatus), "msg_status": unsafe.Offsetof(h.msgStatus),
		"sb_len_wr": unsafe.Offsetof(h.senseWritten), "host_status": unsafe.Offsetof(h.hostStatus), "driver_status": unsafe.Offsetof(h.driverStatus),
		"resid": unsafe.Offsetof(h.resid), "duration": unsafe.Offsetof(h.duration), "info": unsafe.Offsetof(h.info),
	}
	want := map[string]uintptr{
		"interface_id": 0, "dxfer_direction": 4, "cmd_len": 8, "mx_sb_len": 9, "iovec_count": 10, "dxfer_len": 12,
		"dxferp": 16, "cmdp": 24, "sbp": 32, "timeout": 40, "flags": 44, "pack_id": 48, "usr_ptr": 56, "status": 64, "masked_status": 65,
		"msg_status": 66, "sb_len_wr": 67, "host_status": 68, "driver_status": 70, "resid": 72, "duration": 76, "info": 80,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// inquiry is INQUIRY VPD 0x83 for 255 bytes.
var inquiry = scsi.Request{CDB: []byte{0x12, 1, 0x83, 0, 255, 0}, InLen: 255, TimeoutMS: 3000}

func TestPrepareBytes(t *testing.T) {
	ex := prepare(inquiry)
	defer ex.release()
	b := ex.head.bytes()
	if len(b) != headerSize {
		t.Fatalf("%d bytes", len(b))
	}
	le := binary.NativeEndian
	if le.Uint32(b) != 'S' || int32(le.Uint32(b[4:])) != dirFromDevice || b[8] != 6 || b[9] != 252 || le.Uint16(b[10:]) != 0 ||
		le.Uint32(b[12:]) != 255 || le.Uint32(b[40:]) != 3000 || le.Uint32(b[44:]) != 0 {
		t.Errorf("% x", b)
	}
	for off, p := range map[int]unsafe.Pointer{16: unsafe.Pointer(&ex.data[0]), 24: unsafe.Pointer(&ex.cdb[0]), 32: unsafe.Pointer(&ex.sense[0])} {
		if le.Uint64(b[off:]) != uint64(uintptr(p)) {
			t.Errorf("pointer at %d: %#x, want %p", off, le.Uint64(b[off:]), p)
		}
	}
	if string(ex.cdb[:6]) != string(inquiry.CDB) {
		t.Errorf("% x", ex.cdb)
	}

	tur := prepare(scsi.Request{CDB: make([]byte, 6), TimeoutMS: 1})
	defer tur.release()
	if tur.head.direction != dirNone || tur.head.data != nil || tur.head.dataLen != 0 {
		t.Errorf("%+v", tur.head)
	}
	out := []byte{1, 2, 3}
	prout := prepare(scsi.Request{CDB: make([]byte, 10), Out: out, TimeoutMS: 1})
	defer prout.release()
	if prout.head.direction != dirToDevice || prout.head.dataLen != 3 || &prout.data[0] == &out[0] || string(prout.data) != string(out) {
		t.Errorf("%+v", prout.head)
	}
}

func TestResponse(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(*exchange)
		want func(*scsi.Response)
	}{
		{"good and short", func(ex *exchange) { ex.head.resid = 251 }, func(r *scsi.Response) { r.Data = []byte("abcd") }},
		{"nothing came", func(ex *exchange) { ex.head.resid = 255 }, func(r *scsi.Response) { r.Data = []byte{} }},
		{"residual longer than all", func(ex *exchange) { ex.head.resid = 1000 }, func(r *scsi.Response) { r.Data = []byte{} }},
		{"sense", func(ex *exchange) {
			ex.head.status, ex.head.driverStatus, ex.head.senseWritten, ex.head.resid = 2, 8, 3, 255
			copy(ex.sense[:], "\x70\x00\x06")
		}, func(r *scsi.Response) {
			r.Status, r.DriverStatus, r.Sense, r.Data = scsi.StatusCheckCondition, 8, []byte("\x70\x00\x06"), []byte{}
		}},
		{
			"sense length out of bounds", func(ex *exchange) { ex.head.senseWritten, ex.head.resid = 255, 255 },
			func(r *scsi.Response) { r.Sense, r.Data = make([]byte, maxSense), []byte{} },
		},
		{"timed out", func(ex *exchange) { ex.head.hostStatus = 3 }, func(r *scsi.Response) { r.Host = scsi.HostTimeOut }},
	} {
		ex := prepare(inquiry)
		copy(ex.data, "abcd")
		tc.set(ex)
		var want scsi.Response
		tc.want(&want)
		if diff := cmp.Diff(want, ex.response()); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
		ex.release()
	}
}

func TestCheck(t *testing.T) {
	six := make([]byte, 6)
	for name, req := range map[string]scsi.Request{
		"no CDB":      {TimeoutMS: 1},
		"long CDB":    {CDB: make([]byte, 32), TimeoutMS: 1},
		"both ways":   {CDB: six, Out: six, InLen: 1, TimeoutMS: 1},
		"too much":    {CDB: six, InLen: MaxData + 1, TimeoutMS: 1},
		"no time-out": {CDB: six},
	} {
		if err := check(req); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v", name, err)
		}
		if r := NewDevice("/dev").Do("sda", req); r.Errno != uint32(unix.EINVAL) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestDeviceErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sda"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := NewDevice(dir)
	for name, want := range map[string]unix.Errno{"sda": unix.ENOTTY, "sdb": unix.ENOENT, "../sda": unix.ENOENT, "": unix.ENOENT} {
		if r := d.Do(name, inquiry); r.Errno != uint32(want) {
			t.Errorf("%q: %+v, want errno %d", name, r, want)
		}
	}
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	err := Probe(dir)
	if err == nil || !strings.Contains(err.Error(), "modprobe sg") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "class/scsi_generic"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Probe(dir); err != nil {
		t.Error(err)
	}
}

// FuzzResponse gives the kernel's answer any content: nothing is read that is
// not there.
func FuzzResponse(f *testing.F) {
	f.Add(uint32(255), uint8(2), uint8(18), uint16(0), int32(10))
	f.Add(uint32(0), uint8(0), uint8(255), uint16(3), int32(-5))
	f.Fuzz(func(t *testing.T, inLen uint32, status, sense uint8, host uint16, resid int32) {
		req := inquiry
		req.InLen = inLen % 4096
		ex := prepare(req)
		defer ex.release()
		ex.head.status, ex.head.senseWritten, ex.head.hostStatus, ex.head.resid = status, sense, host, resid
		r := ex.response()
		if len(r.Data) > int(req.InLen) || len(r.Sense) > maxSense || (host != 0 && len(r.Data) > 0) {
			t.Errorf("%+v", r)
		}
	})
}
