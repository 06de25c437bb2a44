package table

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// MaxUUIDBytes is the longest dm UUID: DM_UUID_LEN (129) less its NUL.
const MaxUUIDBytes = 128

const mapPrefix = "mpath-"

// Kind says whose map a UUID belongs to.
type Kind uint8

const (
	KindUnknown Kind = iota // no UUID at all
	KindMap                 // mpath-WWID: a multipath map, ours or multipath-tools'
	KindPart                // partN-mpath-WWID: a partition of one
	KindOther               // LVM-…, CRYPT-…, partN-LVM-…: not ours
)

// String is "none", "map", "part" or "other".
func (k Kind) String() string {
	switch k {
	case KindMap:
		return "map"
	case KindPart:
		return "part"
	case KindOther:
		return "other"
	}
	return "none"
}

// UUID is a map's dm UUID as the kernel holds it. The zero value is a map without
// one, which the kernel allows. It never changes while a map lives, so it, not
// the name, says which LUN a map is for.
type UUID struct {
	kernel string
}

// MapUUID makes the UUID of the multipath map of a WWID: "mpath-<wwid>", bytes
// outside libdm's set as \xNN. An empty WWID, a NUL or more than 128 bytes are
// errors: a map without identity must not come to be.
func MapUUID(wwid string) (UUID, error) {
	switch {
	case wwid == "":
		return UUID{}, fmt.Errorf("dm UUID: the WWID is empty")
	case strings.IndexByte(wwid, 0) >= 0:
		return UUID{}, fmt.Errorf("dm UUID for WWID %q: NUL byte", wwid)
	}
	m, err := mangle(wwid)
	if err != nil {
		return UUID{}, fmt.Errorf("dm UUID for WWID %q %v", wwid, err)
	}
	return newUUID(mapPrefix + m)
}

// PartUUID makes the UUID of partition n (from 1) of a multipath map, the form
// that kpartx and the udev rules know: "part<n>-mpath-<wwid>".
func PartUUID(n int, of UUID) (UUID, error) {
	if n < 1 {
		return UUID{}, fmt.Errorf("dm UUID for partition %d of %s: partitions count from 1", n, of)
	}
	if of.Kind() != KindMap {
		return UUID{}, fmt.Errorf("dm UUID for partition %d of %q: not a multipath map", n, of.kernel)
	}
	return newUUID("part" + strconv.Itoa(n) + "-" + of.kernel)
}

// ParseUUID takes a UUID from the kernel byte for byte; empty is the zero value.
// More than 128 bytes or a NUL is an error.
func ParseUUID(s string) (UUID, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return UUID{}, fmt.Errorf("dm UUID %q: NUL byte", s)
	}
	return newUUID(s)
}

func newUUID(s string) (UUID, error) {
	if len(s) > MaxUUIDBytes {
		return UUID{}, fmt.Errorf("dm UUID %q has %d bytes, the kernel takes %d", s, len(s), MaxUUIDBytes)
	}
	return UUID{s}, nil
}

// Kernel is the UUID as the kernel has it.
func (u UUID) Kernel() string { return u.kernel }

// String is the UUID for people: \xNN turned back, control bytes left mangled.
func (u UUID) String() string { return unmangle(u.kernel, true) }

// IsZero reports a map without a UUID.
func (u UUID) IsZero() bool { return u.kernel == "" }

// Kind says whose map this is, by its prefix alone.
func (u UUID) Kind() Kind {
	kind, _, _ := u.split()
	return kind
}

// WWID is the WWID in the UUID of a multipath map or of a partition of one, with
// \xNN turned back; empty for all others.
func (u UUID) WWID() string {
	_, _, wwid := u.split()
	return unmangle(wwid, false)
}

// Part is the partition's number, 0 if the map is no partition of a multipath map.
func (u UUID) Part() int {
	_, part, _ := u.split()
	return part
}

// Map is the UUID of the multipath map that a partition lies on; of a map, itself;
// of all others, zero.
func (u UUID) Map() UUID {
	switch kind, _, wwid := u.split(); kind {
	case KindMap, KindPart:
		return UUID{mapPrefix + wwid}
	}
	return UUID{}
}

// split reads kind, partition number and the WWID as it stands in the UUID.
func (u UUID) split() (kind Kind, part int, wwid string) {
	if u.kernel == "" {
		return KindUnknown, 0, ""
	}
	if w, ok := strings.CutPrefix(u.kernel, mapPrefix); ok && w != "" {
		return KindMap, 0, w
	}
	rest, ok := strings.CutPrefix(u.kernel, "part")
	if !ok {
		return KindOther, 0, ""
	}
	num, rest, _ := strings.Cut(rest, "-")
	n, err := parseCount(num, 1<<20)
	w, ok := strings.CutPrefix(rest, mapPrefix)
	if err != nil || n < 1 || num[0] == '0' || !ok || w == "" {
		return KindOther, 0, ""
	}
	return KindPart, n, w
}

// Equal is ==; go-cmp asks for it.
func (u UUID) Equal(v UUID) bool { return u == v }

// Compare orders by the kernel's bytes: -1, 0 or 1.
func (u UUID) Compare(v UUID) int { return cmp.Compare(u.kernel, v.kernel) }

// MarshalText is Kernel.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.kernel), nil }

// UnmarshalText is ParseUUID.
func (u *UUID) UnmarshalText(text []byte) error {
	v, err := ParseUUID(string(text))
	if err != nil {
		return err
	}
	*u = v
	return nil
}
