package scsi

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// ScsiIDPage says from which page scsi_id is told to take the id.
type ScsiIDPage uint8

// The choices of scsi_id's --page-code.
const (
	ScsiIDAuto    ScsiIDPage = 0x00 // none given: page 0x83, else 0x80, of those that page 0x00 lists
	ScsiIDPage80  ScsiIDPage = 0x80
	ScsiIDPage83  ScsiIDPage = 0x83
	ScsiIDPreSPC3 ScsiIDPage = 0xf3 // pre-spc3-83: a bare number, not designators
)

const (
	// scsiIDBufferLen is how much of a page scsi_id asks for and looks at, bytes.
	scsiIDBufferLen = 254
	// scsiIDSerialLen is scsi_id's room for an id, bytes with the closing NUL.
	scsiIDSerialLen = 256
)

// ScsiIDResult is what udev's scsi_id knows of a device (modelled on systemd
// 252). It serves ids that stand in users' files; Identify decides what is safe.
type ScsiIDResult struct {
	Raw        string // the id with its blanks, as printed without options; empty: none, exit 1
	RawShort   string // the same without its prefix, blanks kept
	Serial     string // ID_SERIAL: --export, and the plain output with -u
	ShortID    string // ID_SERIAL_SHORT
	WWN        string // hex digits of an NAA id, at most 16
	WWNExt     string // the next 16, of NAA 6
	TargetPort string // target port group, hex
	UnitSerial string // page 0x80 as sent; read only on the way through page 0x83
	Inquiry    InquiryData
}

// Property is one NAME=value of udev.
type Property struct{ Name, Value string }

// ScsiID does what scsi_id does with a device that answers like in. The error
// says that there is no INQUIRY data, without which scsi_id prints nothing. A
// device without an id gives an empty Raw and no error. Two differences: what
// scsi_id reads behind a page's end (anything) is zeros here, and a vendor or
// model with a NUL inside makes no id here, where scsi_id prints one without the serial.
func ScsiID(in Raw, page ScsiIDPage) (ScsiIDResult, error) {
	inq, err := DecodeInquiry(in.Inquiry)
	if err != nil {
		return ScsiIDResult{}, err
	}
	s := &scsiID{vendorModel: inq.VendorField + inq.ModelField}
	s.out.Inquiry = inq
	switch page {
	case ScsiIDPage80:
		s.fromPage80(in)
	case ScsiIDPage83:
		s.fromPage83(in)
	case ScsiIDPreSPC3:
		s.fromPreSPC3(in)
	default:
		s.fromListed(in)
	}
	s.out.Serial = udevChars(udevBlanks(s.out.Raw))
	s.out.ShortID = udevChars(udevBlanks(s.out.RawShort))
	return s.out, nil
}

// Export gives the properties of scsi_id --export in its order. One difference:
// scsi_id prints the WWN and ID_SCSI_SERIAL as sent, so that a device can put a
// newline, and so a property of its choice, into udev's database; here such
// bytes are '_'. The blanks of ID_SCSI_SERIAL stay.
func (r ScsiIDResult) Export() []Property {
	field := func(s string) string { return udevChars(udevBlanks(cString([]byte(s)))) }
	encoded := func(s string) string { return udevEncode(cString([]byte(s))) }
	out := []Property{
		{"ID_SCSI", "1"},
		{"ID_VENDOR", field(r.Inquiry.VendorField)},
		{"ID_VENDOR_ENC", encoded(r.Inquiry.VendorField)},
		{"ID_MODEL", field(r.Inquiry.ModelField)},
		{"ID_MODEL_ENC", encoded(r.Inquiry.ModelField)},
		{"ID_REVISION", field(r.Inquiry.RevField)},
		{"ID_TYPE", scsiIDType(r.Inquiry.Type)},
	}
	add := func(name, value string) { out = append(out, Property{name, value}) }
	if r.Raw != "" {
		add("ID_SERIAL", r.Serial)
		add("ID_SERIAL_SHORT", r.ShortID)
	}
	if r.WWN != "" {
		add("ID_WWN", "0x"+udevChars(r.WWN))
		if r.WWNExt != "" {
			add("ID_WWN_VENDOR_EXTENSION", "0x"+udevChars(r.WWNExt))
		}
		add("ID_WWN_WITH_EXTENSION", "0x"+udevChars(r.WWN+r.WWNExt))
	}
	if r.TargetPort != "" {
		add("ID_TARGET_PORT", r.TargetPort)
	}
	if r.UnitSerial != "" {
		add("ID_SCSI_SERIAL", oneLine(r.UnitSerial))
	}
	return out
}

func scsiIDType(t uint8) string {
	switch t {
	case 0x00, 0x0e:
		return "disk"
	case 0x01:
		return "tape"
	case 0x04, 0x07, 0x0f:
		return "optical"
	case 0x05:
		return "cd"
	}
	return "generic"
}

// scsiID is one run of scsi_id.
type scsiID struct {
	vendorModel string // 24 bytes as sent
	out         ScsiIDResult
}

// scsiIDPage is a page in scsi_id's buffer: zeros behind what came.
type scsiIDPage [scsiIDBufferLen]byte

func loadPage(page []byte) (p scsiIDPage) {
	copy(p[:], page)
	return p
}

func (p *scsiIDPage) at(i int) byte {
	if i < len(p) {
		return p[i]
	}
	return 0
}

// slice is n bytes from i, zeros behind the buffer.
func (p *scsiIDPage) slice(i, n int) []byte {
	out := make([]byte, n)
	if i < len(p) {
		copy(out, p[i:])
	}
	return out
}

func (s *scsiID) fromListed(in Raw) {
	if in.VPD00 == nil {
		return
	}
	p := loadPage(in.VPD00)
	n := int(p[3])
	if p[1] != 0 || n > scsiIDBufferLen {
		return
	}
	// Some old devices send standard INQUIRY data instead: the vendor shows it.
	if n > 16 && string(p[8:16]) == s.vendorModel[:8] {
		return
	}
	lists := func(code byte) bool {
		for i := 4; i < 4+n; i++ {
			if p.at(i) == code {
				return true
			}
		}
		return false
	}
	if lists(PageIdentities) && s.fromPage83(in) {
		return
	}
	if lists(PageSerial) {
		s.fromPage80(in)
	}
}

// fromPage80 makes "S", vendor, model, serial.
func (s *scsiID) fromPage80(in Raw) bool {
	serial, ok := scsiIDSerial(in.VPD80)
	if !ok || strings.IndexByte(s.vendorModel, 0) >= 0 {
		return false
	}
	s.out.Raw = "S" + s.vendorModel + serial
	s.out.RawShort = serial
	return true
}

// scsiIDSerial is the text of page 0x80 as sent, if scsi_id takes the page.
func scsiIDSerial(page []byte) (string, bool) {
	if page == nil {
		return "", false
	}
	p := loadPage(page)
	n := int(p[3])
	if p[1] != PageSerial || 1+24+n > scsiIDSerialLen {
		return "", false
	}
	return cString(p.slice(4, n)), true
}

// fromPreSPC3 makes "3" and the page's content in hex: disks from before SPC-3
// (old Symmetrix) put a bare NAA there. The 7th byte tells them apart: it is
// reserved, zero, in a designator.
func (s *scsiID) fromPreSPC3(in Raw) bool {
	if in.VPD83 == nil {
		return false
	}
	p := loadPage(in.VPD83)
	if p[1] != PageIdentities {
		return false
	}
	if p[6] == 0 {
		return s.fromPage83(in)
	}
	s.out.Raw = "3" + hexText(p.slice(4, int(p[3])))
	return true
}

func (s *scsiID) fromPage83(in Raw) bool {
	if serial, ok := scsiIDSerial(in.VPD80); ok {
		s.out.UnitSerial = serial
	}
	if in.VPD83 == nil {
		return false
	}
	p := loadPage(in.VPD83)
	if p[1] != PageIdentities {
		return false
	}
	if p[6] != 0 {
		s.out.Raw = "3" + hexText(p.slice(4, int(p[3])))
		s.out.RawShort = s.out.Raw
		return true
	}
	// An entry behind the buffer is all zeros and matches no code set.
	end := min(4+int(binary.BigEndian.Uint16(p[2:])), len(p))
	for _, want := range scsiIDSearch() {
		for at := 4; at < end; at += 4 + int(p.at(at+3)) {
			if s.take(&p, at, want) {
				return true
			}
		}
	}
	return false
}

const anyNAA = 0xff

type scsiIDWant struct {
	kind DesignatorType
	naa  uint8 // first nibble, or anyNAA
	code CodeSet
}

// scsiIDSearch is scsi_id's order of preference.
func scsiIDSearch() []scsiIDWant {
	return []scsiIDWant{
		{DesignatorTargetPortGroup, anyNAA, CodeBinary},
		{DesignatorNAA, 6, CodeBinary},
		{DesignatorNAA, 6, CodeASCII},
		{DesignatorNAA, 5, CodeBinary},
		{DesignatorNAA, 5, CodeASCII},
		{DesignatorNAA, anyNAA, CodeBinary},
		{DesignatorNAA, anyNAA, CodeASCII},
		{DesignatorEUI64, anyNAA, CodeBinary},
		{DesignatorEUI64, anyNAA, CodeASCII},
		{DesignatorT10, anyNAA, CodeBinary},
		{DesignatorT10, anyNAA, CodeASCII},
		{DesignatorVendorSpecific, anyNAA, CodeBinary},
		{DesignatorVendorSpecific, anyNAA, CodeASCII},
	}
}

// take makes the id of the designator at byte at if it is the wanted one. Its
// length is not checked against its type, as in scsi_id.
func (s *scsiID) take(p *scsiIDPage, at int, want scsiIDWant) bool {
	ofPort := Association(p.at(at+1)>>4&3) == OfTargetPort
	ofUnit := Association(p.at(at+1)>>4&3) == OfLogicalUnit
	if !ofUnit && !(ofPort && want.kind == DesignatorTargetPortGroup) {
		return false
	}
	if DesignatorType(p.at(at+1)&0xf) != want.kind || CodeSet(p.at(at)&0xf) != want.code {
		return false
	}
	if want.naa != anyNAA && p.at(at+4)>>4 != want.naa {
		return false
	}
	n := int(p.at(at + 3))
	text := p.slice(at+4, n)
	id := string(text)
	if want.code != CodeASCII {
		id = hexText(text)
	}
	prefix := ""
	if want.kind == DesignatorVendorSpecific {
		prefix = s.vendorModel
	}
	if len(id)+len(prefix)+2 > scsiIDSerialLen {
		return false
	}
	if want.kind == DesignatorTargetPortGroup {
		s.out.TargetPort = fmt.Sprintf("%x", binary.BigEndian.Uint16(p.slice(at+6, 2)))
		return false
	}
	if strings.IndexByte(prefix, 0) >= 0 {
		return false
	}
	id = cString([]byte(id))
	s.out.Raw = "0123456789abcdef"[want.kind:want.kind+1] + prefix + id
	s.out.RawShort = id
	if want.kind == DesignatorNAA {
		s.out.WWN = id[:min(16, len(id))]
		s.out.WWNExt = id[len(s.out.WWN):min(32, len(id))]
	}
	return true
}

// oneLine puts '_' for control bytes.
func oneLine(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = '_'
		}
	}
	return string(b)
}

func hexText(b []byte) string { return hex.EncodeToString(b) }
