package scsi

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// Codes of the vital product data pages known here (SPC-4 7.8).
const (
	PageSupported  = 0x00
	PageSerial     = 0x80
	PageIdentities = 0x83
	Page3PAR       = 0xc0 // vendor specific: volume name of an HP 3PAR
)

// vpdHeaderLen is the header that every page begins with: device type, page
// code, and the page length, 16 bits, of what follows.
const vpdHeaderLen = 4

// WWIDBufferLen is the size of multipath-tools' id buffer, bytes, with the
// closing NUL: no id or serial of its is longer than 127 bytes.
const WWIDBufferLen = 128

// vpdBody checks the header of a page and returns what follows it, as far as it
// came. missing is how many bytes the page length promises beyond what came.
func vpdBody(page []byte, code uint8) (body []byte, missing int, err error) {
	if len(page) < vpdHeaderLen {
		return nil, 0, fmt.Errorf("VPD page %#02x: %d bytes came, %d are the least: %w", code, len(page), vpdHeaderLen, ErrShort)
	}
	if page[1] != code {
		return nil, 0, fmt.Errorf("VPD page %#02x: page code in the answer is %#02x: %w", code, page[1], ErrWrongPage)
	}
	n := int(binary.BigEndian.Uint16(page[2:]))
	body = page[vpdHeaderLen:]
	if n > len(body) {
		return body, n - len(body), nil
	}
	return body[:n], 0, nil
}

// DecodeVPD00 lists the page codes of VPD page 0x00, as sent (SPC-4 7.8.15).
func DecodeVPD00(page []byte) ([]uint8, error) {
	body, _, err := vpdBody(page, PageSupported)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(body), nil
}

// DecodeVPD80 gives the serial number of VPD page 0x80 (SPC-4 7.8.14): blanks
// cut at both ends, ended by a NUL, at most 127 bytes, other bytes as sent. An
// empty serial is not an error.
func DecodeVPD80(page []byte) (string, error) { return serialFromVPD80(page, WWIDBufferLen) }

func serialFromVPD80(page []byte, bufferLen int) (string, error) {
	body, _, err := vpdBody(page, PageSerial)
	if err != nil {
		return "", err
	}
	return cutTo(strings.Trim(cString(body), " "), bufferLen), nil
}

// Decode3PARName gives the volume name of an HP 3PAR's VPD page 0xc0: a 32-bit
// length at byte 40 and text from byte 44, both only from format 4 (byte 4) on.
func Decode3PARName(page []byte) (string, error) {
	_, _, err := vpdBody(page, Page3PAR)
	if err != nil {
		return "", err
	}
	if len(page) < 44 {
		return "", fmt.Errorf("VPD page %#02x: %d bytes came, a volume name begins at byte 44: %w", Page3PAR, len(page), ErrNoData)
	}
	if page[4] <= 3 {
		return "", fmt.Errorf("VPD page %#02x: format %d has no volume name: %w", Page3PAR, page[4], ErrNoData)
	}
	name := page[44:]
	if n := uint64(binary.BigEndian.Uint32(page[40:])); n < uint64(len(name)) {
		name = name[:n]
	}
	return cutTo(cString(name), WWIDBufferLen), nil
}

// cString is the text up to the first NUL.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// cutTo cuts s so that it and a NUL fit into bufferLen bytes.
func cutTo(s string, bufferLen int) string {
	if bufferLen < 1 {
		return ""
	}
	return s[:min(len(s), bufferLen-1)]
}
