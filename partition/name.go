package partition

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/dmmap/table"
)

// UdevDelimiter stands between a multipath map's name and a partition's number where
// udev's rule makes the partition maps: ocr1-part1.
const UdevDelimiter = "-part"

// DefaultDelimiter is what stands there where nobody said anything: "p" if the name
// ends in a digit, else nothing: mpatha1, ocr1p1.
func DefaultDelimiter(name string) string {
	if name != "" && isDigit(name[len(name)-1]) {
		return "p"
	}
	return ""
}

// Name is the name of partition n's map. delimiter is as a user wrote it; bytes that
// udev does not take become \xNN, as they do in all names of maps.
func Name(parent table.Name, delimiter string, n int) (table.Name, error) {
	if n < 1 {
		return table.Name{}, fmt.Errorf("partition %d of %s: partitions count from 1", n, parent)
	}
	d := ""
	if delimiter != "" {
		m, err := table.NewName("x" + delimiter) // "." alone is no name, but a good delimiter
		if err != nil {
			return table.Name{}, fmt.Errorf("delimiter %q: %w", delimiter, err)
		}
		d = m.Kernel()[1:]
	}
	return table.KernelName(parent.Kernel() + d + strconv.Itoa(n))
}

// Renamed is the name that a partition map called was gets when its map, which was
// called from, is called to. delimiter is what the configuration demands, "" nothing:
// then the partition keeps what stands between name and number, but for the default
// one, which depends on the name. false: was is not made of from and a number, and
// stays as it is.
func Renamed(was, from, to table.Name, delimiter string) (table.Name, bool) {
	rest, ok := strings.CutPrefix(was.Kernel(), from.Kernel())
	i := len(rest)
	for i > 0 && isDigit(rest[i-1]) {
		i--
	}
	between, number := rest[:i], rest[i:]
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 || number[0] == '0' {
		return table.Name{}, false
	}
	if delimiter == "" {
		if between == DefaultDelimiter(from.Kernel()) {
			between = DefaultDelimiter(to.Kernel())
		}
		name, err := table.KernelName(to.Kernel() + between + number)
		return name, err == nil
	}
	name, err := Name(to, delimiter, n)
	return name, err == nil
}

// UUID is the dm UUID of partition n's map over a device whose own is parent: a map's,
// or NodeUUID. It is how kpartx and udev's rules know a partition map.
func UUID(n int, parent table.UUID) (table.UUID, error) {
	switch {
	case n < 1:
		return table.UUID{}, fmt.Errorf("dm UUID for partition %d of %s: partitions count from 1", n, parent)
	case parent.IsZero():
		return table.UUID{}, fmt.Errorf("dm UUID for partition %d: the disk has none", n)
	}
	return table.ParseUUID("part" + strconv.Itoa(n) + "-" + parent.Kernel())
}

// NodeUUID stands for the UUID of a disk that is no map, as kpartx has it.
func NodeUUID(dev table.DevNum) table.UUID {
	u, err := table.ParseUUID("devnode_" + dev.String() + "_Wh5pYvM")
	if err != nil {
		panic(err) // two numbers and 16 letters fit
	}
	return u
}

// NumberOf is the partition's number in the UUID of a partition map of that parent,
// 0 if it is none.
func NumberOf(u, parent table.UUID) int {
	rest, ok := strings.CutSuffix(u.Kernel(), "-"+parent.Kernel())
	digits, part := strings.CutPrefix(rest, "part")
	n, err := strconv.Atoi(digits)
	if !ok || !part || parent.IsZero() || err != nil || n < 1 || digits[0] < '1' || digits[0] > '9' {
		return 0
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
