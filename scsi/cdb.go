package scsi

import "encoding/binary"

// Operation codes of the commands built here (SPC-4 table D.2, SBC-3 table 12).
const (
	opTestUnitReady  = 0x00
	opInquiry        = 0x12
	opReadCapacity10 = 0x25
	opRead10         = 0x28
	opRead16         = 0x88
	opServiceIn16    = 0x9e // READ CAPACITY(16) is service action 0x10
	opMaintenanceIn  = 0xa3 // REPORT TARGET PORT GROUPS is service action 0x0a
)

// StandardInquiryLen is what Inquiry asks for, bytes: the mandatory 36 and the
// vendor specific part behind them that some arrays use.
const StandardInquiryLen = 96

// Inquiry asks for the standard INQUIRY data (SPC-4 6.6). It is answered
// whatever the state of the logical unit, also without one.
func Inquiry(timeoutMS uint32) Request {
	return Request{
		CDB:       []byte{opInquiry, 0, 0, 0, StandardInquiryLen, 0},
		InLen:     StandardInquiryLen,
		TimeoutMS: timeoutMS,
	}
}

// LongInquiry asks for as much of the standard INQUIRY data as one byte can say,
// vendor specific part and all.
func LongInquiry(timeoutMS uint32) Request {
	const allocLen = 255
	return Request{CDB: []byte{opInquiry, 0, 0, 0, allocLen, 0}, InLen: allocLen, TimeoutMS: timeoutMS}
}

// InquiryVPD asks for one vital product data page (SPC-4 7.8). allocLen is the
// most the device may send, bytes including the 4 of the page header; old
// targets look at its low byte only, so 252 is the careful first question.
func InquiryVPD(page uint8, allocLen uint16, timeoutMS uint32) Request {
	return Request{
		CDB:       []byte{opInquiry, 1, page, byte(allocLen >> 8), byte(allocLen), 0},
		InLen:     uint32(allocLen),
		TimeoutMS: timeoutMS,
	}
}

// TestUnitReady asks whether the logical unit takes media access commands (SPC-4 6.47).
func TestUnitReady(timeoutMS uint32) Request {
	return Request{CDB: []byte{opTestUnitReady, 0, 0, 0, 0, 0}, TimeoutMS: timeoutMS}
}

// ReadCapacity10 asks for size and block length (SBC-3 5.12): 8 bytes back.
func ReadCapacity10(timeoutMS uint32) Request {
	return Request{CDB: []byte{opReadCapacity10, 0, 0, 0, 0, 0, 0, 0, 0, 0}, InLen: 8, TimeoutMS: timeoutMS}
}

// ReadCapacity16 asks for size, block length, alignment and provisioning
// (SBC-3 5.13): 32 bytes back.
func ReadCapacity16(timeoutMS uint32) Request {
	cdb := make([]byte, 16)
	cdb[0], cdb[1] = opServiceIn16, 0x10
	binary.BigEndian.PutUint32(cdb[10:], 32)
	return Request{CDB: cdb, InLen: 32, TimeoutMS: timeoutMS}
}

// ReportTargetPortGroups asks for all target port groups and their access
// states (SPC-4 6.37). extended asks for the header that also tells the implicit
// transition time; targets before SPC-4 refuse it with 05/24/00. allocLen is in bytes.
func ReportTargetPortGroups(extended bool, allocLen, timeoutMS uint32) Request {
	cdb := make([]byte, 12)
	cdb[0], cdb[1] = opMaintenanceIn, 0x0a
	if extended {
		cdb[1] |= 0x20 // parameter data format 001b
	}
	binary.BigEndian.PutUint32(cdb[6:], allocLen)
	return Request{CDB: cdb, InLen: allocLen, TimeoutMS: timeoutMS}
}

// Read10 reads blocks from lba (SBC-3 5.8). blockLen is the logical block
// length in bytes: blocks*blockLen bytes come back.
func Read10(lba uint32, blocks uint16, blockLen, timeoutMS uint32) Request {
	cdb := make([]byte, 10)
	cdb[0] = opRead10
	binary.BigEndian.PutUint32(cdb[2:], lba)
	binary.BigEndian.PutUint16(cdb[7:], blocks)
	return Request{CDB: cdb, InLen: uint32(blocks) * blockLen, TimeoutMS: timeoutMS}
}

// Read16 reads blocks from lba (SBC-3 5.10); as Read10, for any size of device.
func Read16(lba uint64, blocks, blockLen, timeoutMS uint32) Request {
	cdb := make([]byte, 16)
	cdb[0] = opRead16
	binary.BigEndian.PutUint64(cdb[2:], lba)
	binary.BigEndian.PutUint32(cdb[10:], blocks)
	return Request{CDB: cdb, InLen: blocks * blockLen, TimeoutMS: timeoutMS}
}
