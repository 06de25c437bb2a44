package table

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Limits of a device number: the kernel's dev_t has 12 bits of major and 20 bits
// of minor (include/linux/kdev_t.h, MINORBITS).
const (
	MaxMajor = 1<<12 - 1
	MaxMinor = 1<<20 - 1
)

// DevNum is a block device's number. The zero value, 0:0, is no block device.
// A number is reused by the kernel after its device has gone: it names a device
// only for as long as somebody holds it open.
type DevNum struct {
	Major, Minor uint32
}

// ParseDevNum reads "major:minor" in decimal, as sysfs's dev file, a table and a
// status have it. No sign, no spaces, no leading "+"; beyond the kernel's 12 and
// 20 bits is an error.
func ParseDevNum(s string) (DevNum, error) {
	major, minor, ok := strings.Cut(s, ":")
	if !ok {
		return DevNum{}, fmt.Errorf("device number %q: want major:minor", s)
	}
	ma, err := parseCount(major, MaxMajor)
	if err != nil {
		return DevNum{}, fmt.Errorf("device number %q: major %v", s, err)
	}
	mi, err := parseCount(minor, MaxMinor)
	if err != nil {
		return DevNum{}, fmt.Errorf("device number %q: minor %v", s, err)
	}
	return DevNum{Major: uint32(ma), Minor: uint32(mi)}, nil
}

// DecodeDev unpacks the kernel's huge_encode_dev, the form of every u64 dev of
// the dm ioctl (include/linux/kdev_t.h): minor bits 0-7, major bits 8-19, minor's
// upper bits from 20 on.
func DecodeDev(dev uint64) DevNum {
	return DevNum{
		Major: uint32(dev>>8) & MaxMajor,
		Minor: uint32(dev&0xff) | uint32(dev>>12)&0xfff00,
	}
}

// Encode packs d as huge_encode_dev does; the inverse of DecodeDev.
func (d DevNum) Encode() uint64 {
	return uint64(d.Minor&0xff) | uint64(d.Major&MaxMajor)<<8 | uint64(d.Minor&0xfff00)<<12
}

// String is "8:16".
func (d DevNum) String() string {
	return strconv.FormatUint(uint64(d.Major), 10) + ":" + strconv.FormatUint(uint64(d.Minor), 10)
}

// IsZero reports whether d is 0:0, which is no block device.
func (d DevNum) IsZero() bool { return d == DevNum{} }

// Compare orders by major, then minor: -1, 0 or 1.
func (d DevNum) Compare(e DevNum) int {
	return cmp.Or(cmp.Compare(d.Major, e.Major), cmp.Compare(d.Minor, e.Minor))
}

// MarshalText is String.
func (d DevNum) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDevNum.
func (d *DevNum) UnmarshalText(text []byte) error {
	v, err := ParseDevNum(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}
