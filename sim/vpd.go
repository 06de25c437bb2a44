package sim

import (
	"encoding/hex"
	"strings"
)

func padded(s string, n int) string {
	return (s + strings.Repeat(" ", n))[:n]
}

// inquiry is the standard INQUIRY data (SPC-4 6.6.2).
func (l *LUN) inquiry() []byte {
	b := make([]byte, 36)
	b[2], b[3], b[4], b[5] = 0x06, 0x02, 31, l.TPGS<<4
	copy(b[8:], padded(l.Vendor, 8)+padded(l.Product, 16)+padded("0001", 4))
	return b
}

func page(code byte, body []byte) []byte {
	return append([]byte{0, code, byte(len(body) >> 8), byte(len(body))}, body...)
}

// Designator is one identification descriptor of page 0x83 (SPC-4 7.8.6).
type Designator struct {
	CodeSet     uint8 // 1 binary, 2 ASCII, 3 UTF-8
	Association uint8 // 0 LUN, 1 target port, 2 target device
	Kind        uint8 // 0 vendor, 1 T10, 2 EUI-64, 3 NAA, 4 relative port, 5 port group, 8 SCSI name
	ID          []byte
}

// NAADesignator is one of 8 or 16 bytes, in hex.
func NAADesignator(digits string) Designator {
	return Designator{CodeSet: 1, Kind: 3, ID: unhex(digits)}
}

// T10Designator is a T10 vendor identification.
func T10Designator(vendor, id string) Designator {
	return Designator{CodeSet: 2, Kind: 1, ID: []byte(padded(vendor, 8) + id)}
}

// EUIDesignator is an EUI-64 of 8, 12 or 16 bytes, in hex.
func EUIDesignator(digits string) Designator {
	return Designator{CodeSet: 1, Kind: 2, ID: unhex(digits)}
}

// NameDesignator is a SCSI name string, "eui.", "naa." or "iqn.".
func NameDesignator(name string) Designator {
	b := []byte(name)
	for len(b) == 0 || len(b)%4 != 0 {
		b = append(b, 0)
	}
	return Designator{CodeSet: 3, Kind: 8, ID: b}
}

// Page83 is a whole page of designators.
func Page83(ds ...Designator) []byte {
	var b []byte
	for _, d := range ds {
		b = append(append(b, d.CodeSet, d.Association<<4|d.Kind, 0, byte(len(d.ID))), d.ID...)
	}
	return page(0x83, b)
}

// vpd is a vital product data page as the LUN answers it to a disk; false: it
// has none.
func (l *LUN) vpd(d *Disk, code uint8) ([]byte, bool) {
	if p, ok := l.Pages[code]; ok {
		return p, p != nil
	}
	switch code {
	case 0x00:
		return page(0x00, l.pageCodes()), true
	case 0x80:
		if l.Vendor == "ATA" {
			return page(0x80, []byte(padded(l.Serial, 20))), true
		}
		return page(0x80, []byte(l.Serial)), true
	case 0x83:
		return Page83(l.designators(d)...), true
	}
	return nil, false
}

func (l *LUN) pageCodes() []byte {
	var out []byte
	for code := range 0x100 {
		p, special := l.Pages[uint8(code)]
		if plain := code == 0x00 || code == 0x80 || code == 0x83; special && p != nil || !special && plain {
			out = append(out, byte(code))
		}
	}
	return out
}

// designators are the LUN's NAA designator, and of the port that is asked its
// relative number and its group; behind libata what ata_scsiop_inq_83 writes.
func (l *LUN) designators(d *Disk) []Designator {
	if l.Vendor == "ATA" {
		out := []Designator{
			{CodeSet: 2, Kind: 0, ID: []byte(padded(l.Serial, 20))},
			{CodeSet: 2, Kind: 1, ID: []byte("ATA     " + padded(l.Product, 40) + padded(l.Serial, 20))},
		}
		if l.NAA != "" {
			out = append(out, NAADesignator(l.NAA))
		}
		return out
	}
	out := []Designator{
		NAADesignator(l.NAA),
		{CodeSet: 1, Association: 1, Kind: 4, ID: []byte{0, 0, byte(d.Port >> 8), byte(d.Port)}},
	}
	if l.TPGS != 0 {
		out = append(out, Designator{CodeSet: 1, Association: 1, Kind: 5, ID: []byte{0, 0, byte(d.TPG >> 8), byte(d.TPG)}})
	}
	return out
}

func unhex(digits string) []byte {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic("sim: " + digits + ": " + err.Error())
	}
	return b
}
