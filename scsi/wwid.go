package scsi

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// DecodeWWID gives the id that multipath-tools makes of VPD page 0x83: the best
// designator of the logical unit by its ranking (NAA 6, 5, 2, EUI-64, SCSI name,
// T10, NAA 3; the first of equals), a digit for the type in front, at most 127
// bytes. Bytes that the page length promises and that did not come count as
// zeros, as in multipath-tools; Identify refuses such a page.
// Errors: ErrShort, ErrWrongPage, ErrNoData, ErrInvalid, ErrOverrun.
func DecodeWWID(page []byte) (string, error) { return wwidFromVPD83(page, WWIDBufferLen) }

func wwidFromVPD83(page []byte, bufferLen int) (string, error) {
	d, err := bestDesignator(page)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(wwidForm(d, bufferLen), " "), nil
}

// bestDesignator picks by multipath-tools' ranking. A designator that breaks
// its format is passed over; the last such error is told if nothing is found.
func bestDesignator(page []byte) (Designator, error) {
	var best Designator
	bestRank := 0
	why := fmt.Errorf("VPD page 0x83: no designator of the logical unit that makes an id: %w", ErrNoData)
	for d, err := range Designators(padded(page)) {
		if err != nil {
			why = err
			break // nothing behind an overrun can be trusted to be an entry
		}
		r, err := rank(d)
		if err != nil {
			why = err
		} else if r > bestRank {
			best, bestRank = d, r
		}
	}
	if bestRank == 0 {
		return Designator{}, why
	}
	return best, nil
}

// padded gives a page as long as its length field says, zeros behind what came.
func padded(page []byte) []byte {
	if len(page) < vpdHeaderLen {
		return page
	}
	want := vpdHeaderLen + int(binary.BigEndian.Uint16(page[2:]))
	if want <= len(page) {
		return page
	}
	full := make([]byte, want)
	copy(full, page)
	return full
}

// rank is a designator's rank in multipath-tools, 0 for none. The code set is
// not looked at, as there. An error says how it breaks its format.
func rank(d Designator) (int, error) {
	bad := func(want string) (int, error) {
		return 0, fmt.Errorf("VPD page 0x83: %s, %d bytes long: want %s: %w", d, len(d.Bytes), want, ErrInvalid)
	}
	switch d.Association {
	case OfLogicalUnit:
	case OfTargetPort, OfTargetDevice:
		return 0, nil
	default:
		return bad("association 0, 1 or 2")
	}
	n := len(d.Bytes)
	switch d.Type {
	case DesignatorNAA:
		return rankNAA(d, bad)
	case DesignatorEUI64:
		if n != 8 && n != 12 && n != 16 {
			return bad("8, 12 or 16 bytes")
		}
		return 4, nil
	case DesignatorName:
		if _, _, ok := namePrefix(d.Bytes); !ok {
			return bad("eui., naa. or iqn. in front")
		}
		return 3, nil
	case DesignatorT10:
		if n < 8 {
			return bad("at least the 8 bytes of the vendor")
		}
		return 2, nil
	case DesignatorLUGroup:
		if n != 4 {
			return bad("4 bytes")
		}
	case DesignatorMD5:
		if n != 16 {
			return bad("16 bytes")
		}
	}
	return 0, nil
}

func rankNAA(d Designator, bad func(string) (int, error)) (int, error) {
	if len(d.Bytes) == 0 {
		return bad("8 or 16 bytes")
	}
	r, want := 0, 8
	switch d.Bytes[0] >> 4 {
	case 6:
		r, want = 8, 16
	case 5:
		r = 7
	case 2:
		r = 6
	case 3:
		r = 1
	default:
		return bad("NAA 2, 3, 5 or 6")
	}
	if len(d.Bytes) != want {
		return bad(fmt.Sprintf("%d bytes", want))
	}
	return r, nil
}

// namePrefix splits a SCSI name string (SPC-4 7.8.6.11): the digit that its
// kind has in an id, and the rest without prefix and padding.
func namePrefix(name []byte) (digit byte, rest string, ok bool) {
	if len(name) < 4 {
		return 0, "", false
	}
	switch string(name[:4]) {
	case "eui.":
		return '2', strings.ToLower(cString(name[4:])), true
	case "naa.":
		return '3', strings.ToLower(cString(name[4:])), true
	case "iqn.":
		return '8', cString(name[4:]), true
	}
	return 0, "", false
}

// wwidForm prints a designator that has a rank. In a short buffer binary forms
// keep whole bytes and so an odd length; texts are cut where the buffer ends.
func wwidForm(d Designator, bufferLen int) string {
	switch d.Type {
	case DesignatorNAA, DesignatorEUI64:
		fits := max(bufferLen-2, 0) / 2
		id := d.Bytes[:min(len(d.Bytes), fits)]
		return cutTo("0123456789abcdef"[d.Type:d.Type+1]+hex.EncodeToString(id), bufferLen)
	case DesignatorName:
		digit, rest, _ := namePrefix(d.Bytes)
		return cutTo(string(digit)+rest, bufferLen)
	case DesignatorT10:
		return cutTo("1"+joinBlanks(cString(d.Bytes)), bufferLen)
	}
	return ""
}

// joinBlanks makes one '_' of each run of blanks and drops those at the end.
func joinBlanks(s string) string {
	var b strings.Builder
	s = strings.TrimRight(s, " ")
	for i := 0; i < len(s); i++ {
		if s[i] != ' ' {
			b.WriteByte(s[i])
		} else if s[i+1] != ' ' { // a blank is never last
			b.WriteByte('_')
		}
	}
	return b.String()
}

// blank says in words why a designator with a rank cannot tell logical units
// apart; empty if it can. Unconfigured LUNs of some arrays answer like that.
func (d Designator) blank() string {
	id := d.Bytes
	switch d.Type {
	case DesignatorNAA:
		switch kind := id[0] >> 4; {
		case allBytes(id[1:], 0) && id[0]&0xf == 0, allBytes(id[1:], 0xff):
			return "has no number behind the NAA digit"
		case (kind == 5 || kind == 6) && id[3]&0xf == 0 && allBytes(id[4:], 0):
			return "has no number behind the company id"
		}
	case DesignatorEUI64:
		if allBytes(id, 0) || allBytes(id, 0xff) {
			return "is all zeros or all ones"
		}
	case DesignatorName:
		if _, rest, _ := namePrefix(id); strings.Trim(rest, " 0") == "" {
			return "is empty behind its prefix"
		}
	case DesignatorT10:
		// Cut first: with a NUL in the vendor field nothing behind it reaches the id.
		if text := cString(id); len(text) <= 8 || strings.Trim(text[8:], " ") == "" {
			return "holds only the vendor"
		}
	}
	return ""
}

func allBytes(b []byte, v byte) bool {
	for _, c := range b {
		if c != v {
			return false
		}
	}
	return true
}
