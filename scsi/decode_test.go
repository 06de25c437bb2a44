package scsi

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCDBs(t *testing.T) {
	cases := []struct {
		name string
		req  Request
		cdb  string
		in   uint32
	}{
		{"INQUIRY", Inquiry(7), "120000006000", 96},
		{"INQUIRY VPD 0x83", InquiryVPD(0x83, 0x1234, 7), "120183123400", 0x1234},
		{"TEST UNIT READY", TestUnitReady(7), "000000000000", 0},
		{"READ CAPACITY(10)", ReadCapacity10(7), "25000000000000000000", 8},
		{"READ CAPACITY(16)", ReadCapacity16(7), "9e100000000000000000000000200000", 32},
		{"RTPG", ReportTargetPortGroups(false, 0x1000, 7), "a30a00000000000010000000", 4096},
		{"RTPG extended", ReportTargetPortGroups(true, 0x1000, 7), "a32a00000000000010000000", 4096},
		{"READ(10)", Read10(0x01020304, 8, 512, 7), "28000102030400000800", 4096},
		{"READ(16)", Read16(0x0102030405060708, 1, 4096, 7), "88000102030405060708000000010000", 4096},
	}
	for _, c := range cases {
		if have := hex.EncodeToString(c.req.CDB); have != c.cdb || c.req.InLen != c.in || c.req.TimeoutMS != 7 || c.req.Out != nil {
			t.Errorf("%s: have %s, %+v; want %s, %d bytes", c.name, have, c.req, c.cdb, c.in)
		}
	}
}

func TestDecodeInquiry(t *testing.T) {
	data := stdInquiry("LIO-ORG", "a\x01b\x00cd", "4.0")
	data[0], data[1], data[5], data[6] = 0x34, 0x80, 0x38, 0x10
	have, err := DecodeInquiry(data)
	if err != nil {
		t.Fatal(err)
	}
	want := InquiryData{
		Qualifier: 1, Type: 0x14, Removable: true, Version: 5, TPGS: 3, ThirdParty: true, MultiPort: true,
		VendorField: "LIO-ORG ", ModelField: "a\x01b\x00cd          ", RevField: "4.0 ",
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("-want +have:\n%s", d)
	}
	if have.Vendor() != "LIO-ORG" || have.Model() != "a b" || have.Rev() != "4.0" || !have.IsDisk() {
		t.Errorf("%q %q %q", have.Vendor(), have.Model(), have.Rev())
	}
}

func TestSenseText(t *testing.T) {
	cases := []struct{ sense, want string }{
		{"70000200000000" + "0a" + "00000000" + "040b" + "00000000", "02/04/0b logical unit not accessible, target port in standby state"},
		{"f000060000000006000000002900", "06/29/00 power on, reset, or bus device reset occurred"},
		{"72063f0e00000000", "06/3f/0e reported LUNs data has changed"},
		{"7306290700000000", "06/29/07 I_T nexus loss occurred (deferred)"},
		{"71000300000000" + "0a" + "00000000" + "1100", "03/11/00 unrecovered read error (deferred)"},
		{"700005", "05/00/00 no additional sense information"},
		{"7000040000000004ffffffff1234", "04/00/00 no additional sense information"}, // ends before the ASC
		{"7205991200000000", "05/99/12 illegal request"},
		{"72063fff00000000", "06/3f/ff target operating conditions have changed"},
		{"7202047f00000000", "02/04/7f logical unit not ready, cause not reportable"},
	}
	for _, c := range cases {
		s, err := DecodeSense(unhex(t, c.sense))
		if err != nil || s.String() != c.want {
			t.Errorf("%s: have %q, %v; want %q", c.sense, s, err, c.want)
		}
	}
	for _, bad := range []string{"", "70", "7000", "720204", "00000000", "7f00000000"} {
		if s, err := DecodeSense(unhex(t, bad)); err == nil {
			t.Errorf("%s: have %v, want an error", bad, s)
		}
	}
}

func TestIdentityDoubt(t *testing.T) {
	for sense, want := range map[Sense]bool{
		{Key: KeyUnitAttention, ASC: 0x3f, ASCQ: 0x0e}: true,
		{Key: KeyUnitAttention, ASC: 0x3f, ASCQ: 0x03}: true,
		{Key: KeyUnitAttention, ASC: 0x29, ASCQ: 0x07}: true,
		{Key: KeyUnitAttention, ASC: 0x28}:             true,
		{Key: KeyUnitAttention, ASC: 0x2a, ASCQ: 0x06}: false,
		{Key: KeyNotReady, ASC: 0x29}:                  false,
	} {
		if have := sense.IdentityDoubt(); have != want {
			t.Errorf("%v: %v", sense, have)
		}
	}
}

func TestResponseText(t *testing.T) {
	cases := []struct {
		r    Response
		want string
		ok   bool
	}{
		{Response{}, "GOOD", true},
		{Response{Errno: 6}, "errno 6", false},
		{Response{Host: HostNoConnect}, "DID_NO_CONNECT", false},
		{Response{Host: 0x77}, "host status 0x77", false},
		{Response{Status: StatusTaskSetFull}, "TASK SET FULL", false},
		{Response{Status: StatusCheckCondition}, "CHECK CONDITION, sense: none came: answer is too short", false},
		{Response{Status: StatusCheckCondition, Sense: []byte{0x72, 2, 4, 0x0c}}, "02/04/0c logical unit not accessible, target port in unavailable state", false},
	}
	for _, c := range cases {
		if have := c.r.String(); have != c.want || c.r.OK() != c.ok {
			t.Errorf("have %q %v, want %q %v", have, c.r.OK(), c.want, c.ok)
		}
	}
}

func TestReadCapacity(t *testing.T) {
	for _, c := range []struct {
		hex  string
		want Capacity
		err  error
	}{
		{"000003ff00000200", Capacity{Blocks: 1024, BlockLen: 512}, nil},
		{"ffffffff00001000", Capacity{BlockLen: 4096, TooBig: true}, nil},
		{"000003ff00000000", Capacity{}, ErrInvalid},
		{"000003ff00000201", Capacity{}, ErrInvalid},
		{"000003ff000002", Capacity{}, ErrShort},
	} {
		have, err := DecodeReadCapacity10(unhex(t, c.hex))
		if have != c.want || !errors.Is(err, c.err) {
			t.Errorf("(10) %s: have %+v, %v", c.hex, have, err)
		}
	}
	for _, c := range []struct {
		hex  string
		want Capacity
		err  error
	}{
		{"00000000000003ff00000200", Capacity{Blocks: 1024, BlockLen: 512}, nil},
		{"00000000000003ff00000200" + "03038000", Capacity{Blocks: 1024, BlockLen: 512, PhysicalExp: 3, Provisioned: true, ProtectType: 2}, nil},
		{"ffffffffffffffff00000200", Capacity{}, ErrInvalid},
		{"00000000000003ff000002", Capacity{}, ErrShort},
	} {
		have, err := DecodeReadCapacity16(unhex(t, c.hex))
		if have != c.want || !errors.Is(err, c.err) {
			t.Errorf("(16) %s: have %+v, %v", c.hex, have, err)
		}
	}
}

func TestDecodePortGroups(t *testing.T) {
	const (
		group1 = "80df0001" + "00020001" + "00000001"              // optimized, preferred, port 1
		group2 = "02df0010" + "00000002" + "00000002" + "00000003" // standby, ports 2 and 3
	)
	g1 := PortGroup{ID: 1, State: AccessOptimized, Pref: true, Supported: 0xdf, StatusCode: 2, Ports: []uint16{1}}
	g2 := PortGroup{ID: 16, State: AccessStandby, Supported: 0xdf, Ports: []uint16{2, 3}}
	cases := []struct {
		name, hex string
		want      PortGroups
		err       error
	}{
		{"plain header", "0000001c" + group1 + group2, PortGroups{Groups: []PortGroup{g1, g2}, Need: 32}, nil},
		{"extended header", "00000020" + "101e0000" + group1 + group2, PortGroups{Groups: []PortGroup{g1, g2}, Need: 36, TransitionS: 30}, nil},
		{"more bytes than said", "0000000c" + group1 + group2, PortGroups{Groups: []PortGroup{g1}, Need: 16}, nil},
		{"cut in the second", "0000001c" + group1 + group2[:20], PortGroups{Groups: []PortGroup{g1}, Need: 32, Cut: true}, nil},
		{"ports beyond the end", "00000018" + group1 + group2[:24], PortGroups{Groups: []PortGroup{g1}, Need: 28}, ErrOverrun},
		{"no groups", "00000000", PortGroups{Need: 4}, nil},
		{"three bytes", "000000", PortGroups{}, ErrShort},
		{"absurd length", "ffffffff", PortGroups{}, ErrInvalid},
	}
	for _, c := range cases {
		have, err := DecodePortGroups(unhex(t, c.hex))
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, have); d != "" {
			t.Errorf("%s: -want +have:\n%s", c.name, d)
		}
	}
	all := cases[0].want
	if g, ok := all.Find(16); !ok || g.ID != 16 {
		t.Error("Find")
	}
	if g, ok := all.FindPort(3); !ok || g.ID != 16 {
		t.Error("FindPort")
	}
	if _, ok := all.Find(-1); ok {
		t.Error("found a group -1")
	}
}

func TestDesignators(t *testing.T) {
	page := vpd(0x83, "\x61\x93\x00\x08\x50\x00\xc5\x00\xa1\xb2\xc3\xd5"+"\x02\x01\x00\x0bACME    one"+"\x03\x28\x00\x05naa.5"+"\x01\x03\x00\x10\x60")
	var have []string
	var last error
	for d, err := range Designators(page) {
		if err != nil {
			last = err
			continue
		}
		have = append(have, d.String())
	}
	want := []string{
		"NAA 5 of the target port: 5000c500a1b2c3d5",
		`T10 vendor designator of the logical unit: "ACME    one"`,
		`SCSI name of the target device: "naa.5"`,
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("-want +have:\n%s", d)
	}
	if !errors.Is(last, ErrOverrun) || !strings.Contains(last.Error(), "designator of 16 bytes at byte 40") {
		t.Errorf("overrun: %v", last)
	}
}

func TestVPDHeaders(t *testing.T) {
	if _, err := DecodeVPD00(unhex(t, "00830000")); !errors.Is(err, ErrWrongPage) {
		t.Error(err)
	}
	if _, err := DecodeVPD80(unhex(t, "0080")); !errors.Is(err, ErrShort) {
		t.Error(err)
	}
	have, err := DecodeVPD00(unhex(t, "00000003008083ff"))
	if err != nil || !cmp.Equal(have, []uint8{0, 0x80, 0x83}) {
		t.Error(have, err)
	}
}
