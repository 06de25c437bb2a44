package table

import (
	"cmp"
	"fmt"
	"strings"
)

// MaxNameBytes is the longest map name: DM_NAME_LEN less its NUL
// (include/uapi/linux/dm-ioctl.h). The kernel cuts a longer one without a word.
const MaxNameBytes = 127

// Name is a map's name as the kernel holds it, which is also its node's name in
// /dev/mapper: never empty but in the zero value, never too long. Two names are
// equal (==) if the kernel holds the same bytes.
type Name struct {
	kernel string
}

// NewName makes the name for a map of ours from an alias as users write it. Bytes
// that udev does not take in a link's name become \xNN, as libdm does ("a b" is
// the map a\x20b). Refused: empty, ".", "..", "control" (the control node's own
// name), '/', control bytes, and whatever is longer than 127 bytes in its
// kernel form; nothing is ever cut.
func NewName(alias string) (Name, error) {
	switch alias {
	case "":
		return Name{}, fmt.Errorf("map name is empty")
	case ".", "..", "control":
		return Name{}, fmt.Errorf("map name %q is reserved in /dev/mapper: choose another alias", alias)
	}
	for i := 0; i < len(alias); i++ {
		switch c := alias[i]; {
		case c == '/':
			return Name{}, fmt.Errorf("map name %q: the kernel takes no '/' in a name", alias)
		case isControl(c):
			return Name{}, fmt.Errorf("map name %q: control character %#02x at byte %d", alias, c, i)
		}
	}
	kernel, err := mangle(alias)
	if err != nil {
		return Name{}, fmt.Errorf("map name %q %v", alias, err)
	}
	if len(kernel) > MaxNameBytes {
		return Name{}, fmt.Errorf("map name %q needs %d bytes in the kernel, which takes %d: choose a shorter alias", alias, len(kernel), MaxNameBytes)
	}
	return Name{kernel}, nil
}

// KernelName takes a name from the kernel byte for byte. Maps of other programs
// may bear names that NewName refuses or spells otherwise; they must still be
// listed and addressed. Only what the kernel itself cannot hold is an error.
func KernelName(s string) (Name, error) {
	switch {
	case s == "":
		return Name{}, fmt.Errorf("map name is empty")
	case len(s) > MaxNameBytes:
		return Name{}, fmt.Errorf("map name of %d bytes: the kernel holds at most %d", len(s), MaxNameBytes)
	case strings.ContainsAny(s, "/\x00"):
		return Name{}, fmt.Errorf("map name %q: '/' or NUL in a name of the kernel", s)
	}
	return Name{s}, nil
}

// MustName is NewName for constants and tests; it panics on a bad name.
func MustName(alias string) Name {
	n, err := NewName(alias)
	if err != nil {
		panic(err)
	}
	return n
}

// Kernel is the name as the kernel has it and as /dev/mapper spells it.
func (n Name) Kernel() string { return n.kernel }

// String is the name for people: \xNN turned back, control bytes left mangled.
func (n Name) String() string { return unmangle(n.kernel, true) }

// Path is the map's node, /dev/mapper/NAME.
func (n Name) Path() string { return "/dev/mapper/" + n.kernel }

// IsZero reports the zero value, which is no name.
func (n Name) IsZero() bool { return n.kernel == "" }

// Equal is ==; go-cmp asks for it.
func (n Name) Equal(m Name) bool { return n == m }

// Compare orders by the kernel's bytes: -1, 0 or 1.
func (n Name) Compare(m Name) int { return cmp.Compare(n.kernel, m.kernel) }

// MarshalText is Kernel.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.kernel), nil }

// UnmarshalText is KernelName; empty text is the zero value.
func (n *Name) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*n = Name{}
		return nil
	}
	v, err := KernelName(string(text))
	if err != nil {
		return err
	}
	*n = v
	return nil
}
