package scsi

import "fmt"

// SenseKey is the coarse class of a sense (SPC-4 table 46).
type SenseKey uint8

// Sense keys.
const (
	KeyNoSense        SenseKey = 0x0
	KeyRecovered      SenseKey = 0x1
	KeyNotReady       SenseKey = 0x2
	KeyMediumError    SenseKey = 0x3
	KeyHardwareError  SenseKey = 0x4
	KeyIllegalRequest SenseKey = 0x5
	KeyUnitAttention  SenseKey = 0x6
	KeyDataProtect    SenseKey = 0x7
	KeyBlankCheck     SenseKey = 0x8
	KeyVendor         SenseKey = 0x9
	KeyCopyAborted    SenseKey = 0xa
	KeyAborted        SenseKey = 0xb
	KeyVolumeOverflow SenseKey = 0xd
	KeyMiscompare     SenseKey = 0xe
	KeyCompleted      SenseKey = 0xf
)

// String is the key in SPC-4's words.
func (k SenseKey) String() string {
	switch k {
	case KeyNoSense:
		return "no sense"
	case KeyRecovered:
		return "recovered error"
	case KeyNotReady:
		return "not ready"
	case KeyMediumError:
		return "medium error"
	case KeyHardwareError:
		return "hardware error"
	case KeyIllegalRequest:
		return "illegal request"
	case KeyUnitAttention:
		return "unit attention"
	case KeyDataProtect:
		return "data protect"
	case KeyBlankCheck:
		return "blank check"
	case KeyVendor:
		return "vendor specific"
	case KeyCopyAborted:
		return "copy aborted"
	case KeyAborted:
		return "aborted command"
	case KeyVolumeOverflow:
		return "volume overflow"
	case KeyMiscompare:
		return "miscompare"
	case KeyCompleted:
		return "completed"
	}
	return fmt.Sprintf("reserved key %#x", uint8(k))
}

// Sense says what went wrong, in either format (SPC-4 4.5).
type Sense struct {
	Key       SenseKey
	ASC, ASCQ uint8 // additional sense code and its qualifier
	Deferred  bool  // it is about an earlier command
}

// DecodeSense decodes fixed (70h, 71h) and descriptor (72h, 73h) format sense.
// A fixed one may be cut behind its key: ASC and ASCQ are 0 then.
func DecodeSense(b []byte) (Sense, error) {
	if len(b) == 0 {
		return Sense{}, fmt.Errorf("sense: none came: %w", ErrShort)
	}
	code := b[0] & 0x7f
	switch code {
	case 0x70, 0x71:
		if len(b) < 3 {
			return Sense{}, fmt.Errorf("sense: %d bytes came, 3 are the least: %w", len(b), ErrShort)
		}
		s := Sense{Key: SenseKey(b[2] & 0xf), Deferred: code == 0x71}
		if len(b) > 7 { // the additional length counts from byte 8
			b = b[:min(len(b), 8+int(b[7]))]
			if len(b) > 12 {
				s.ASC = b[12]
			}
			if len(b) > 13 {
				s.ASCQ = b[13]
			}
		}
		return s, nil
	case 0x72, 0x73:
		if len(b) < 4 {
			return Sense{}, fmt.Errorf("sense: %d bytes came, 4 are the least: %w", len(b), ErrShort)
		}
		return Sense{Key: SenseKey(b[1] & 0xf), ASC: b[2], ASCQ: b[3], Deferred: code == 0x73}, nil
	}
	return Sense{}, fmt.Errorf("sense: response code %#02x: %w", code, ErrInvalid)
}

// Code is "KK/AA/QQ" in hex.
func (s Sense) Code() string { return fmt.Sprintf("%02x/%02x/%02x", uint8(s.Key), s.ASC, s.ASCQ) }

// Is compares key, ASC and ASCQ.
func (s Sense) Is(key SenseKey, asc, ascq uint8) bool {
	return s.Key == key && s.ASC == asc && s.ASCQ == ascq
}

// String is the code and its meaning: "02/04/0b logical unit not accessible,
// target port in standby state". Without a known meaning it is that of the key.
func (s Sense) String() string {
	text := senseText(s.ASC, s.ASCQ)
	if text == "" {
		text = s.Key.String()
	}
	if s.Deferred {
		text += " (deferred)"
	}
	return s.Code() + " " + text
}

// IdentityDoubt reports whether the sense allows the logical unit behind the
// path to be another one than before: a unit attention for a power on or reset
// (29), a medium that may have changed (28), or changed target operating
// conditions (3F: INQUIRY data, device identifier, reported LUNs).
func (s Sense) IdentityDoubt() bool {
	return s.Key == KeyUnitAttention && (s.ASC == 0x28 || s.ASC == 0x29 || s.ASC == 0x3f)
}
