package scsi

import (
	"fmt"
	"strings"
)

// InquiryData is the decoded standard INQUIRY answer (SPC-4 6.6.2).
type InquiryData struct {
	Qualifier   uint8  // byte 0 bits 7-5: 0 connected, 1 not connected, 3 no such LUN
	Type        uint8  // byte 0 bits 4-0: peripheral device type, 0 disk
	Removable   bool   // byte 1 bit 7
	Version     uint8  // byte 2: claimed SPC version
	TPGS        uint8  // byte 5 bits 5-4: 0 none, 1 implicit, 2 explicit, 3 both
	ThirdParty  bool   // byte 5 bit 3: 3PC
	MultiPort   bool   // byte 6 bit 4
	VendorField string // bytes 8-15 as sent, 8 bytes
	ModelField  string // bytes 16-31 as sent, 16 bytes
	RevField    string // bytes 32-35 as sent, 4 bytes
}

// DecodeInquiry decodes standard INQUIRY data, at least 36 bytes.
func DecodeInquiry(data []byte) (InquiryData, error) {
	if len(data) < 36 {
		return InquiryData{}, fmt.Errorf("INQUIRY: %d bytes came, 36 are the least: %w", len(data), ErrShort)
	}
	return InquiryData{
		Qualifier:   data[0] >> 5,
		Type:        data[0] & 0x1f,
		Removable:   data[1]&0x80 != 0,
		Version:     data[2],
		TPGS:        data[5] >> 4 & 3,
		ThirdParty:  data[5]&0x08 != 0,
		MultiPort:   data[6]&0x10 != 0,
		VendorField: string(data[8:16]),
		ModelField:  string(data[16:32]),
		RevField:    string(data[32:36]),
	}, nil
}

// Vendor is the vendor as sysfs shows it, without trailing blanks.
func (d InquiryData) Vendor() string { return shownField(d.VendorField) }

// Model is the product identification as sysfs shows it, without trailing blanks.
func (d InquiryData) Model() string { return shownField(d.ModelField) }

// Rev is the product revision as sysfs shows it, without trailing blanks.
func (d InquiryData) Rev() string { return shownField(d.RevField) }

// IsDisk reports whether the type is a disk to the kernel's sd driver: direct
// access (0), simplified direct access (0x0e), host managed zoned (0x14).
func (d InquiryData) IsDisk() bool { return d.Type == 0x00 || d.Type == 0x0e || d.Type == 0x14 }

// TypeName is a word for the peripheral device type (SPC-4 table 138).
func (d InquiryData) TypeName() string {
	switch d.Type {
	case 0x00:
		return "disk"
	case 0x01:
		return "tape"
	case 0x03:
		return "processor"
	case 0x05:
		return "CD/DVD"
	case 0x07:
		return "optical disk"
	case 0x08:
		return "media changer"
	case 0x0c:
		return "storage array controller"
	case 0x0d:
		return "enclosure"
	case 0x0e:
		return "simplified disk"
	case 0x11:
		return "object storage"
	case 0x14:
		return "zoned disk"
	case 0x1e:
		return "well known logical unit"
	case 0x1f:
		return "no or unknown device"
	}
	return fmt.Sprintf("type %#02x", d.Type)
}

// shownField does what the kernel does before it shows a field in sysfs
// (drivers/scsi/scsi_scan.c, scsi_sanitize_inquiry_string): from a NUL on
// everything is blank, and so is every byte that does not print.
func shownField(field string) string {
	if i := strings.IndexByte(field, 0); i >= 0 {
		field = field[:i]
	}
	b := []byte(field)
	for i, c := range b {
		if c < 0x20 || c > 0x7e {
			b[i] = ' '
		}
	}
	return strings.TrimRight(string(b), " ")
}
