package table

import (
	"fmt"
	"strconv"
	"strings"
)

// Sectors counts units of 512 bytes, whatever the device's own block size.
type Sectors uint64

// SectorBytes is the size of one sector.
const SectorBytes = 512

// Bytes is the size in bytes; it wraps above 2^55 sectors (16 EiB).
func (s Sectors) Bytes() uint64 { return uint64(s) * SectorBytes }

// String is the decimal number.
func (s Sectors) String() string { return strconv.FormatUint(uint64(s), 10) }

// MaxTargetBytes is the longest target name: DM_MAX_TYPE_NAME (16) less its NUL.
const MaxTargetBytes = 15

// Target names that we load or read.
const (
	Multipath = "multipath"
	Linear    = "linear"
)

// Line is one target of a map: the sectors that it serves, its type and its
// parameters; in an answer to a status query Params is the status's text.
type Line struct {
	Start, Length Sectors
	Target        string
	Params        string
}

// String is the line as dmsetup has it: "0 2097152 multipath 0 0 0 0".
func (l Line) String() string {
	s := l.Start.String() + " " + l.Length.String() + " " + l.Target
	if l.Params != "" {
		s += " " + l.Params
	}
	return s
}

// ParseLine reads String's form. Params is what follows the target's name and one
// space, trailing white space removed.
func ParseLine(s string) (Line, error) {
	var part [3]string
	rest := strings.TrimRightFunc(s, isSpace)
	for i := range part {
		part[i], rest, _ = strings.Cut(rest, " ")
	}
	start, err := strconv.ParseUint(part[0], 10, 64)
	if err != nil {
		return Line{}, fmt.Errorf("table line %q: start %q is no number of sectors", s, part[0])
	}
	length, err := strconv.ParseUint(part[1], 10, 64)
	if err != nil {
		return Line{}, fmt.Errorf("table line %q: length %q is no number of sectors", s, part[1])
	}
	l := Line{Start: Sectors(start), Length: Sectors(length), Target: part[2], Params: rest}
	if err := l.Check(); err != nil {
		return Line{}, err
	}
	return l, nil
}

// Check says why a line cannot be loaded: no length, sectors beyond 2^64, a target
// name that is empty, over 15 bytes or not one word, NUL in the parameters.
func (l Line) Check() error {
	switch {
	case l.Length == 0:
		return fmt.Errorf("table line %q: length 0", l)
	case l.Start+l.Length < l.Start:
		return fmt.Errorf("table line %q: ends beyond 2^64 sectors", l)
	case len(l.Target) > MaxTargetBytes:
		return fmt.Errorf("table line %q: target name of %d bytes, the kernel takes %d", l, len(l.Target), MaxTargetBytes)
	case strings.IndexByte(l.Params, 0) >= 0:
		return fmt.Errorf("table line %q: NUL byte", l)
	case len(l.Params) > MaxTextBytes:
		return fmt.Errorf("table line of target %s: %d bytes of parameters, more than %d", l.Target, len(l.Params), MaxTextBytes)
	}
	return checkWords("target name", []string{l.Target})
}

// Line is the whole of a map of that size as one multipath target. The error is
// Check's.
func (t Table) Line(size Sectors) (Line, error) {
	if err := t.Check(); err != nil {
		return Line{}, err
	}
	l := Line{Length: size, Target: Multipath, Params: t.String()}
	return l, l.Check()
}

// LinearLine is a map of length sectors that begin at offset of dev: a partition.
func LinearLine(length Sectors, dev DevNum, offset Sectors) Line {
	return Line{Length: length, Target: Linear, Params: dev.String() + " " + offset.String()}
}

// ParseLines finds the multipath table in a map's lines as they were read. A map
// with other than exactly one target, or another target, is an error: such a map
// is not one of ours, whatever its UUID says.
func ParseLines(lines []Line) (Table, Sectors, error) {
	if len(lines) != 1 {
		return Table{}, 0, fmt.Errorf("map has %d targets, a multipath map has one", len(lines))
	}
	l := lines[0]
	if l.Target != Multipath {
		return Table{}, 0, fmt.Errorf("map has a %s target, not multipath", l.Target)
	}
	t, err := Parse(l.Params)
	return t, l.Length, err
}

// ParseLinear reads the parameters of LinearLine: the device and where on it the
// line's sectors begin.
func ParseLinear(l Line) (dev DevNum, offset Sectors, err error) {
	d, o, ok := strings.Cut(l.Params, " ")
	if l.Target != Linear || !ok {
		return DevNum{}, 0, fmt.Errorf("table line %q: not a linear target over one device", l)
	}
	if dev, err = ParseDevNum(d); err != nil {
		return DevNum{}, 0, fmt.Errorf("table line %q: %w", l, err)
	}
	n, err := strconv.ParseUint(o, 10, 64)
	if err != nil {
		return DevNum{}, 0, fmt.Errorf("table line %q: offset %q is no number of sectors", l, o)
	}
	return dev, Sectors(n), nil
}
