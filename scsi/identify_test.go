package scsi

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// padTo gives s with blanks up to n bytes.
func padTo(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }

// vpd builds a page of a disk.
func vpd(code byte, body string) []byte {
	return append([]byte{0, code, byte(len(body) >> 8), byte(len(body))}, body...)
}

func stdInquiry(vendor, model, rev string) []byte {
	return []byte("\x00\x00\x05\x02\x1f\x10\x00\x02" + padTo(vendor, 8) + padTo(model, 16) + padTo(rev, 4))
}

// libataDisk answers as the kernel's libata does for a disk whose serial has 19
// characters: its ATA field has 20, the last a blank.
func libataDisk(serial string) Raw {
	field := padTo(serial, 20)
	t10 := padTo("ATA", 8) + padTo("VBOX HARDDISK", 40) + field
	return Raw{
		Inquiry: stdInquiry("ATA", "VBOX HARDDISK", "1.0"),
		VPD00:   vpd(0x00, "\x00\x80\x83\x89"),
		VPD80:   vpd(0x80, field),
		VPD83:   vpd(0x83, "\x02\x00\x00\x14"+field+"\x02\x01\x00\x44"+t10),
	}
}

func TestIdentifyLibata(t *testing.T) {
	in := libataDisk("VB0db2f233-269850e0")
	in.UdevSerial = "VBOX_HARDDISK_VB0db2f233-269850e0" // ata_id's
	want := Identity{
		WWID: "1ATA_VBOX_HARDDISK_VB0db2f233-269850e0",
		IDs: []ID{
			{IDWWID, "1ATA_VBOX_HARDDISK_VB0db2f233-269850e0"},
			{IDScsiID80, "SATA_VBOX_HARDDISK_VB0db2f233-269850e0"},
			{IDOldS, "SATA_VBOX_HARDDISK_VB0db2f233-269850e0_"},
			{IDUdevSerial, "VBOX_HARDDISK_VB0db2f233-269850e0"},
		},
		Vendor: "ATA", Model: "VBOX HARDDISK", Rev: "1.0", Serial: "VB0db2f233-269850e0",
		Libata: true, TPGS: 1, PortGroup: -1, RelPort: -1,
	}
	have := Identify(in)
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("-want +have:\n%s", d)
	}
	if kind, ok := have.Has("SATA_VBOX_HARDDISK_VB0db2f233-269850e0_"); !ok || kind != IDOldS {
		t.Errorf("old S form: %v %v", kind, ok)
	}
	if _, ok := have.Has(""); ok {
		t.Error("bears the empty id")
	}
}

// Every id that the RAC host's scsi_id printed in its time is found again.
func TestIdentifyRACHost(t *testing.T) {
	text, err := os.ReadFile("../testdata/oracle-rac/scsi-ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		_, old, ok := strings.Cut(strings.TrimSpace(line), ": ")
		serial, isVBox := strings.CutPrefix(old, "SATA_VBOX_HARDDISK_")
		if !ok || !isVBox {
			continue
		}
		n++
		have := Identify(libataDisk(strings.TrimSuffix(serial, "_")))
		if kind, ok := have.Has(old); !ok || kind != IDOldS {
			t.Errorf("%s: %v %v", old, kind, ok)
		}
	}
	if n < 10 {
		t.Errorf("%d ids in the file", n)
	}
}

func TestIdentifyLIOPath(t *testing.T) {
	body := "\x01\x03\x00\x10\x60\x01\x40\x51\x11\x12\x22\x23\x33\x34\x44\x45\x55\x56\x66\x67" +
		"\x51\x94\x00\x04\x00\x00\x00\x02" + // relative port 2
		"\x51\x95\x00\x04\x00\x00\x00\x10" // target port group 16
	have := Identify(Raw{Inquiry: stdInquiry("LIO-ORG", "disk0", "4.0"), VPD83: vpd(0x83, body)})
	want := Identity{
		WWID: "360014051111222233334444555566667", IDs: []ID{{IDWWID, "360014051111222233334444555566667"}},
		Vendor: "LIO-ORG", Model: "disk0", Rev: "4.0", TPGS: 1, PortGroup: 16, RelPort: 2,
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("-want +have:\n%s", d)
	}
	if !have.SameLUN(want) || have.SameLUN(Identity{}) || (Identity{}).SameLUN(Identity{}) {
		t.Error("SameLUN")
	}
}

func TestIdentifyRefuses(t *testing.T) {
	naa6 := "\x01\x03\x00\x10\x60\x0a\x09\x80\x00\xab\xcd\xef\x00\x11\x22\x33\x44\x55\x66\x77"
	std := stdInquiry("ACME", "Turbo 9000", "0001")
	with := func(b []byte, at int, v byte) []byte {
		b = append([]byte(nil), b...)
		b[at] = v
		return b
	}
	fallback := func(serial string) Raw {
		return Raw{Inquiry: std, VPD00: vpd(0, "\x00\x80"), VPD80: vpd(0x80, serial)}
	}
	cases := map[string]struct {
		in   Raw
		want string // part of Problem
	}{
		"nothing at all":       {Raw{}, "INQUIRY: no answer"},
		"short INQUIRY":        {Raw{Inquiry: std[:20]}, "20 bytes came"},
		"a CD drive":           {Raw{Inquiry: with(std, 0, 5), VPD83: vpd(0x83, naa6)}, "0x05 (CD/DVD) is not a disk"},
		"LUN not connected":    {Raw{Inquiry: with(std, 0, 0x20), VPD83: vpd(0x83, naa6)}, "qualifier 1"},
		"another page":         {Raw{Inquiry: std, VPD83: vpd(0x80, naa6)}, "page code in the answer is 0x80"},
		"INQUIRY as page":      {Raw{Inquiry: std, VPD83: std}, "page code in the answer is 0x00"},
		"page of a tape":       {Raw{Inquiry: std, VPD83: with(vpd(0x83, naa6), 0, 1)}, "device type 0x01"},
		"page of no LUN":       {Raw{Inquiry: std, VPD83: with(vpd(0x83, naa6), 0, 0x60)}, "qualifier 3"},
		"page cut":             {Raw{Inquiry: std, VPD83: vpd(0x83, naa6+naa6)[:24]}, "goes on for 20 bytes"},
		"page of 2 bytes":      {Raw{Inquiry: std, VPD83: []byte{0, 0x83}}, "2 bytes came"},
		"all zeros":            {Raw{Inquiry: std, VPD83: make([]byte, 24)}, "another page"},
		"NAA 6 of zeros":       {Raw{Inquiry: std, VPD83: vpd(0x83, "\x01\x03\x00\x10\x60"+strings.Repeat("\x00", 15))}, "no number behind the NAA digit"},
		"NAA 6, company only":  {Raw{Inquiry: std, VPD83: vpd(0x83, "\x01\x03\x00\x10\x60\x01\x40\x50"+strings.Repeat("\x00", 12))}, "no number behind the company id"},
		"NAA 5 of ones":        {Raw{Inquiry: std, VPD83: vpd(0x83, "\x01\x03\x00\x08\x5f"+strings.Repeat("\xff", 7))}, "no number"},
		"EUI-64 of zeros":      {Raw{Inquiry: std, VPD83: vpd(0x83, "\x01\x02\x00\x08"+strings.Repeat("\x00", 8))}, "all zeros"},
		"T10, vendor only":     {Raw{Inquiry: std, VPD83: vpd(0x83, "\x02\x01\x00\x10"+padTo("IBM", 16))}, "only the vendor"},
		"T10, NUL in vendor":   {Raw{Inquiry: std, VPD83: vpd(0x83, "\x02\x01\x00\x10IBM\x00\x00\x00\x00\x00SN 12345")}, "only the vendor"},
		"empty iqn":            {Raw{Inquiry: std, VPD83: vpd(0x83, "\x03\x08\x00\x08iqn.\x00\x00\x00\x00")}, "empty behind its prefix"},
		"id too long":          {Raw{Inquiry: std, VPD83: vpd(0x83, "\x02\x01\x00\xc8"+strings.Repeat("x", 200))}, "201 bytes, 127 are the most"},
		"no page 0x80 or 0x83": {Raw{Inquiry: std, VPD00: vpd(0, "\x00")}, "no serial number either"},
		"blank serial":         {fallback("        "), "serial number is blank"},
		"serial of zeros":      {fallback("00000000"), "serial number is blank"},
		"serial page lies":     {Raw{Inquiry: std, VPD00: vpd(0, "\x00\x80"), VPD80: vpd(0x80, "SN 123")[:6]}, "goes on for 4 bytes"},
		"serial, no page 0":    {Raw{Inquiry: std, VPD80: vpd(0x80, "SN 123")}, "page 0x00: no answer"},
		"NUL in the model":     {Raw{Inquiry: stdInquiry("ACME", "Tur\x00", ""), VPD00: vpd(0, "\x00\x80"), VPD80: vpd(0x80, "SN 123")}, "no id either"},
		"0x83 listed, silent":  {Raw{Inquiry: std, VPD00: vpd(0, "\x00\x80\x83"), VPD80: vpd(0x80, "SN 123")}, "listed by page 0x00"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			have := Identify(c.in)
			if have.WWID != "" || !strings.Contains(have.Problem, c.want) {
				t.Errorf("WWID %q, problem %q; want %q", have.WWID, have.Problem, c.want)
			}
			for _, id := range have.IDs {
				if _, ok := have.Has(id.Value); ok {
					t.Errorf("bears %v without being identified", id)
				}
			}
		})
	}
}

func TestIdentifyFallsBackToScsiID(t *testing.T) {
	std := stdInquiry("ACME", "Turbo 9000", "0001")
	symmetrix := vpd(0x83, "\x60\x06\x04\x80\x00\x02\x87\x40\x05\x45\x53\x30\x30\x31\x41\x42")
	cases := map[string]struct {
		in   Raw
		want string
	}{
		"page 0x80 alone":       {Raw{Inquiry: std, VPD00: vpd(0, "\x00\x80"), VPD80: vpd(0x80, "  SN 1 ")}, "SACME_Turbo_9000_SN_1"},
		"port designators only": {Raw{Inquiry: std, VPD00: vpd(0, "\x00\x80\x83"), VPD80: vpd(0x80, "SN 1"), VPD83: vpd(0x83, "\x51\x94\x00\x04\x00\x00\x00\x02")}, "SACME_Turbo_9000_SN_1"},
		"old Symmetrix":         {Raw{Inquiry: std, VPD00: vpd(0, "\x00\x80\x83"), VPD80: vpd(0x80, "SN 1"), VPD83: symmetrix}, "360060480000287400545533030314142"},
	}
	for name, c := range cases {
		have := Identify(c.in)
		if have.WWID != c.want {
			t.Errorf("%s: have %q (%s), want %q", name, have.WWID, have.Problem, c.want)
		}
		if len(have.IDs) == 0 || have.IDs[0] != (ID{IDScsiID, c.want}) {
			t.Errorf("%s: ids %v", name, have.IDs)
		}
	}
}

func TestScsiIDByPageCode(t *testing.T) {
	in := libataDisk("VB0db2f233-269850e0")
	symmetrix := in
	symmetrix.VPD83 = vpd(0x83, "\x60\x06\x04\x80\x00\x02\x87\x40\x05\x45\x53\x30\x30\x31\x41\x42")
	cases := []struct {
		name        string
		in          Raw
		page        ScsiIDPage
		raw, serial string
	}{
		{"no page code", in, ScsiIDAuto, "1" + padTo("ATA", 8) + padTo("VBOX HARDDISK", 40) + "VB0db2f233-269850e0 ", "1ATA_VBOX_HARDDISK_VB0db2f233-269850e0"},
		{"-p 0x83", in, ScsiIDPage83, "1" + padTo("ATA", 8) + padTo("VBOX HARDDISK", 40) + "VB0db2f233-269850e0 ", "1ATA_VBOX_HARDDISK_VB0db2f233-269850e0"},
		{"-p 0x80", in, ScsiIDPage80, "SATA     VBOX HARDDISK   VB0db2f233-269850e0 ", "SATA_VBOX_HARDDISK_VB0db2f233-269850e0"},
		{"-p pre-spc3-83", symmetrix, ScsiIDPreSPC3, "360060480000287400545533030314142", "360060480000287400545533030314142"},
		{"-p pre-spc3-83 of a newer disk", in, ScsiIDPreSPC3, "1" + padTo("ATA", 8) + padTo("VBOX HARDDISK", 40) + "VB0db2f233-269850e0 ", "1ATA_VBOX_HARDDISK_VB0db2f233-269850e0"},
		{"-p 0x83 without the page", Raw{Inquiry: in.Inquiry, VPD80: in.VPD80}, ScsiIDPage83, "", ""},
		{"-p 0x80 without the page", Raw{Inquiry: in.Inquiry, VPD83: in.VPD83}, ScsiIDPage80, "", ""},
	}
	for _, c := range cases {
		r, err := ScsiID(c.in, c.page)
		if err != nil || r.Raw != c.raw || r.Serial != c.serial {
			t.Errorf("%s: have %q, %q, %v; want %q, %q", c.name, r.Raw, r.Serial, err, c.raw, c.serial)
		}
	}
	if _, err := ScsiID(Raw{}, ScsiIDAuto); err == nil {
		t.Error("an id without INQUIRY")
	}
}

func TestScsiIDExport(t *testing.T) {
	in := Raw{
		Inquiry: stdInquiry("LIO-ORG", "disk 0", "4.0"), VPD00: vpd(0, "\x00\x83"),
		VPD83: vpd(0x83, "\x01\x03\x00\x10\x60\x01\x40\x51\x11\x12\x22\x23\x33\x34\x44\x45\x55\x56\x66\x67\x51\x95\x00\x04\x00\x00\x00\x10"),
	}
	r, err := ScsiID(in, ScsiIDAuto)
	if err != nil {
		t.Fatal(err)
	}
	want := []Property{
		{"ID_SCSI", "1"},
		{"ID_VENDOR", "LIO-ORG"},
		{"ID_VENDOR_ENC", `LIO-ORG\x20`},
		{"ID_MODEL", "disk_0"},
		{"ID_MODEL_ENC", `disk\x200\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20`},
		{"ID_REVISION", "4.0"},
		{"ID_TYPE", "disk"},
		{"ID_SERIAL", "360014051111222233334444555566667"},
		{"ID_SERIAL_SHORT", "60014051111222233334444555566667"},
		{"ID_WWN", "0x6001405111122223"},
		{"ID_WWN_VENDOR_EXTENSION", "0x3334444555566667"},
		{"ID_WWN_WITH_EXTENSION", "0x60014051111222233334444555566667"},
		{"ID_TARGET_PORT", "10"},
	}
	if d := cmp.Diff(want, r.Export()); d != "" {
		t.Errorf("-want +have:\n%s", d)
	}
}

// A device cannot write into udev's database what it likes.
func TestScsiIDExportInjection(t *testing.T) {
	in := Raw{
		Inquiry: stdInquiry("ACME", "x\nA=1", "\n"), VPD00: vpd(0, "\x00\x80\x83"),
		VPD80: vpd(0x80, "1\nB=2 "), VPD83: vpd(0x83, "\x02\x03\x00\x10\x35 0\nC=3 4567890123"),
	}
	r, err := ScsiID(in, ScsiIDAuto)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, p := range r.Export() {
		have[p.Name] = p.Value
		if strings.Contains(p.Value, "\n") {
			t.Errorf("%+v", p)
		}
	}
	if have["ID_WWN"] != "0x5_0_C=3_45678901" || have["ID_SCSI_SERIAL"] != "1_B=2 " {
		t.Errorf("%v", have)
	}
}

func TestUdevNames(t *testing.T) {
	cases := []struct{ in, blanks, chars, encoded string }{
		{" a  b\t", "a_b", "_a__b_", `\x20a\x20\x20b\x09`},
		{"\va", "_a", "_a", `\x0ba`},
		{"a/b\"c", "a/b\"c", "a_b_c", `a\x2fb\x22c`},
		{"grün", "grün", "grün", "grün"},
		{"\xc3", "\xc3", "_", `\xc3`},
		{"\ufffe", "\ufffe", "___", `\xef\xbf\xbe`},
		{`\x20`, `\x20`, `\x20`, `\x5cx20`},
		{"", "", "", ""},
	}
	for _, c := range cases {
		if have := udevBlanks(c.in); have != c.blanks {
			t.Errorf("blanks of %q: have %q, want %q", c.in, have, c.blanks)
		}
		if have := udevChars(c.in); have != c.chars {
			t.Errorf("chars of %q: have %q, want %q", c.in, have, c.chars)
		}
		if have := udevEncode(c.in); have != c.encoded {
			t.Errorf("encoding of %q: have %q, want %q", c.in, have, c.encoded)
		}
	}
}

func TestIsNAA(t *testing.T) {
	for id, want := range map[string]bool{
		"3600140500000000300000000000051ff": true, "35000c500a1b2c3d4": true, "3200000e08b12a3b4": true,
		"": false, "3": false, "0x5000c500a1b2c3d4": false, "35000C500A1B2C3D4": false, "3500140500000000300000000000051ff": false,
		"SATA_VBOX_HARDDISK_VB0db2f233-269850e0_": false, "36001405000000003000000000051ff": false, "3900140500000000300000000000051ff": false,
	} {
		if got := IsNAA(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}
