package scsi

import (
	"encoding/binary"
	"fmt"
)

// AccessState is the asymmetric access state of a target port group (SPC-4
// table 201).
type AccessState uint8

// Access states.
const (
	AccessOptimized     AccessState = 0x0
	AccessNonOptimized  AccessState = 0x1
	AccessStandby       AccessState = 0x2
	AccessUnavailable   AccessState = 0x3
	AccessLBADependent  AccessState = 0x4
	AccessOffline       AccessState = 0xe
	AccessTransitioning AccessState = 0xf
)

// String is the state in the kernel's words (sysfs access_state).
func (s AccessState) String() string {
	switch s {
	case AccessOptimized:
		return "active/optimized"
	case AccessNonOptimized:
		return "active/non-optimized"
	case AccessStandby:
		return "standby"
	case AccessUnavailable:
		return "unavailable"
	case AccessLBADependent:
		return "lba-dependent"
	case AccessOffline:
		return "offline"
	case AccessTransitioning:
		return "transitioning"
	}
	return fmt.Sprintf("reserved state %#x", uint8(s))
}

// Bits of PortGroup.Supported (SPC-4 table 199, byte 1).
const (
	SupportsOptimized     = 0x01
	SupportsNonOptimized  = 0x02
	SupportsStandby       = 0x04
	SupportsUnavailable   = 0x08
	SupportsLBADependent  = 0x10
	SupportsOffline       = 0x40
	SupportsTransitioning = 0x80
)

// PortGroup is one target port group.
type PortGroup struct {
	ID         uint16
	State      AccessState
	Pref       bool     // the preferred group for this unit
	Supported  uint8    // Supports* bits
	StatusCode uint8    // why the state last changed: 0 unknown, 1 by command, 2 by the target
	Ports      []uint16 // relative target port identifiers
}

// PortGroups is the answer to REPORT TARGET PORT GROUPS.
type PortGroups struct {
	Groups []PortGroup
	// TransitionS is the implicit transition time in seconds, 0 unknown; only
	// the extended header tells it.
	TransitionS uint8
	// Need is the length of the whole answer, bytes. If more than came, ask
	// again with a longer buffer: groups or ports are missing.
	Need uint32
	Cut  bool // Need is more than came
}

// DecodePortGroups decodes REPORT TARGET PORT GROUPS data with either header
// (SPC-4 6.37). A cut answer gives the groups that came whole, and Cut. A group
// that says it has more ports than the answer's own length allows is ErrOverrun,
// beside the groups before it.
func DecodePortGroups(data []byte) (PortGroups, error) {
	if len(data) < 4 {
		return PortGroups{}, fmt.Errorf("REPORT TARGET PORT GROUPS: %d bytes came, 4 are the least: %w", len(data), ErrShort)
	}
	n := binary.BigEndian.Uint32(data)
	if n > 1<<24 { // 65535 groups of 4 ports would fit
		return PortGroups{}, fmt.Errorf("REPORT TARGET PORT GROUPS: length %d in the answer: %w", n, ErrInvalid)
	}
	out := PortGroups{Need: 4 + n}
	body := data[4:]
	if uint64(n) > uint64(len(body)) {
		out.Cut = true
	} else {
		body = body[:n]
	}
	// Bits 6-4 of byte 4 are 1 in the extended header and reserved in a group.
	if len(body) >= 4 && body[0]>>4&7 == 1 {
		out.TransitionS = body[1]
		body = body[4:]
	}
	for len(body) >= 8 {
		ports := int(body[7])
		if 8+4*ports > len(body) {
			if out.Cut {
				return out, nil
			}
			return out, fmt.Errorf("REPORT TARGET PORT GROUPS: group %d says it has %d ports, %d bytes are left: %w",
				binary.BigEndian.Uint16(body[2:]), ports, len(body)-8, ErrOverrun)
		}
		g := PortGroup{
			ID:         binary.BigEndian.Uint16(body[2:]),
			State:      AccessState(body[0] & 0xf),
			Pref:       body[0]&0x80 != 0,
			Supported:  body[1],
			StatusCode: body[5],
		}
		for i := range ports {
			g.Ports = append(g.Ports, binary.BigEndian.Uint16(body[8+4*i+2:]))
		}
		out.Groups = append(out.Groups, g)
		body = body[8+4*ports:]
	}
	return out, nil
}

// Find gives the group of that id.
func (p PortGroups) Find(id int) (PortGroup, bool) {
	for _, g := range p.Groups {
		if int(g.ID) == id {
			return g, true
		}
	}
	return PortGroup{}, false
}

// FindPort gives the group that holds a relative target port.
func (p PortGroups) FindPort(relPort int) (PortGroup, bool) {
	for _, g := range p.Groups {
		for _, port := range g.Ports {
			if int(port) == relPort {
				return g, true
			}
		}
	}
	return PortGroup{}, false
}
