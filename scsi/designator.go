package scsi

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
)

// Association says what a designator designates (SPC-4 table 23).
type Association uint8

// Associations.
const (
	OfLogicalUnit  Association = 0
	OfTargetPort   Association = 1
	OfTargetDevice Association = 2
)

// DesignatorType is the form of a designator (SPC-4 table 589).
type DesignatorType uint8

// Designator types.
const (
	DesignatorVendorSpecific  DesignatorType = 0x0
	DesignatorT10             DesignatorType = 0x1
	DesignatorEUI64           DesignatorType = 0x2
	DesignatorNAA             DesignatorType = 0x3
	DesignatorRelativePort    DesignatorType = 0x4
	DesignatorTargetPortGroup DesignatorType = 0x5
	DesignatorLUGroup         DesignatorType = 0x6
	DesignatorMD5             DesignatorType = 0x7
	DesignatorName            DesignatorType = 0x8 // SCSI name string
	DesignatorProtocol        DesignatorType = 0x9
	DesignatorUUID            DesignatorType = 0xa
)

// CodeSet says how a designator's bytes are to be read (SPC-4 table 22).
type CodeSet uint8

// Code sets.
const (
	CodeBinary CodeSet = 1
	CodeASCII  CodeSet = 2
	CodeUTF8   CodeSet = 3
)

// Designator is one entry of VPD page 0x83 (SPC-4 7.8.6).
type Designator struct {
	Association Association
	Type        DesignatorType
	CodeSet     CodeSet
	Protocol    uint8  // protocol identifier; meant only with PIV
	PIV         bool   // Protocol is valid
	Bytes       []byte // the identifier; shares memory with the page
}

// Designators goes through VPD page 0x83 in the page's order. A page with a bad
// header, or an entry that reaches beyond the page, ends it with one error
// (ErrShort, ErrWrongPage, ErrOverrun). Up to 3 stray bytes at the end are no entry.
func Designators(page []byte) iter.Seq2[Designator, error] {
	return func(yield func(Designator, error) bool) {
		body, _, err := vpdBody(page, PageIdentities)
		if err != nil {
			yield(Designator{}, err)
			return
		}
		for at := 0; at+4 <= len(body); {
			d := body[at:]
			n := int(d[3])
			if 4+n > len(d) {
				yield(Designator{}, fmt.Errorf("VPD page 0x83: designator of %d bytes at byte %d, page ends %d bytes behind its header: %w",
					n, vpdHeaderLen+at, len(d)-4, ErrOverrun))
				return
			}
			if !yield(Designator{
				Association: Association(d[1] >> 4 & 3),
				Type:        DesignatorType(d[1] & 0xf),
				CodeSet:     CodeSet(d[0] & 0xf),
				Protocol:    d[0] >> 4,
				PIV:         d[1]&0x80 != 0,
				Bytes:       d[4 : 4+n],
			}, nil) {
				return
			}
			at += 4 + n
		}
	}
}

// targetPort finds the target port group and the relative target port of the
// port that answered; -1 for what the page does not say.
func targetPort(page []byte) (group, relPort int) {
	group, relPort = -1, -1
	for d, err := range Designators(page) {
		if err != nil {
			return group, relPort
		}
		if d.Association != OfTargetPort || len(d.Bytes) != 4 {
			continue
		}
		value := int(binary.BigEndian.Uint16(d.Bytes[2:]))
		switch {
		case d.Type == DesignatorTargetPortGroup && group < 0:
			group = value
		case d.Type == DesignatorRelativePort && relPort < 0:
			relPort = value
		}
	}
	return group, relPort
}

// String names type, association and identifier: "NAA 6 of the logical unit: 600a...".
func (d Designator) String() string {
	text := hex.EncodeToString(d.Bytes)
	if d.CodeSet == CodeASCII || d.CodeSet == CodeUTF8 {
		text = fmt.Sprintf("%q", bytes.TrimRight(d.Bytes, "\x00"))
	}
	return fmt.Sprintf("%s of the %s: %s", d.typeName(), d.Association, text)
}

func (d Designator) typeName() string {
	switch d.Type {
	case DesignatorVendorSpecific:
		return "vendor specific designator"
	case DesignatorT10:
		return "T10 vendor designator"
	case DesignatorEUI64:
		return "EUI-64"
	case DesignatorNAA:
		if len(d.Bytes) == 0 {
			return "NAA"
		}
		return fmt.Sprintf("NAA %d", d.Bytes[0]>>4)
	case DesignatorRelativePort:
		return "relative target port"
	case DesignatorTargetPortGroup:
		return "target port group"
	case DesignatorLUGroup:
		return "logical unit group"
	case DesignatorMD5:
		return "MD5 designator"
	case DesignatorName:
		return "SCSI name"
	case DesignatorProtocol:
		return "protocol specific designator"
	case DesignatorUUID:
		return "UUID"
	}
	return fmt.Sprintf("designator type %#x", uint8(d.Type))
}

// String is "logical unit", "target port", "target device" or "reserved association".
func (a Association) String() string {
	switch a {
	case OfLogicalUnit:
		return "logical unit"
	case OfTargetPort:
		return "target port"
	case OfTargetDevice:
		return "target device"
	}
	return "reserved association"
}
