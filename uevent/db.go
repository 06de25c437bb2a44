package uevent

import (
	"fmt"
	"strconv"
	"strings"
)

// Record is what udev remembers of a device, /run/udev/data/b8:16.
type Record struct {
	Props        Props    // E: lines, in order
	Links        []string // S: symbolic links below /dev
	LinkPriority int      // L:
	Tags         []string // G: tags ever set
	InitUsec     uint64   // I: CLOCK_MONOTONIC microseconds when udevd was first done with it
	Initialized  bool     // there is an I: line
}

// RecordName is the file of a block device in udev's database, below /run/udev.
func RecordName(major, minor uint32) string {
	return fmt.Sprintf("data/b%d:%d", major, minor)
}

// ParseRecord parses a file of udev's database (systemd:
// device_update_db, handle_db_line). Lines of a kind that is not known are passed over, as udev
// does; a line that breaks its kind's form is an error.
func ParseRecord(text []byte) (Record, error) {
	if len(text) > MaxDatagram {
		return Record{}, fmt.Errorf("udev record: %d bytes, more than %d", len(text), MaxDatagram)
	}
	var r Record
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		kind, rest, ok := strings.Cut(line, ":")
		if !ok {
			if line == "" {
				continue
			}
			return Record{}, fmt.Errorf("udev record line %d: %q", n, line)
		}
		if err := r.take(kind, rest); err != nil {
			return Record{}, fmt.Errorf("udev record line %d: %w", n, err)
		}
	}
	return r, nil
}

func (r *Record) take(kind, rest string) (err error) {
	switch kind {
	case "E":
		key, value, ok := strings.Cut(rest, "=")
		if !ok || key == "" {
			return fmt.Errorf("property %q", rest)
		}
		r.Props = append(r.Props, KV{key, value})
	case "S":
		r.Links = append(r.Links, rest)
	case "G":
		r.Tags = append(r.Tags, rest)
	case "L":
		r.LinkPriority, err = strconv.Atoi(rest)
	case "I":
		r.InitUsec, err = strconv.ParseUint(rest, 10, 64)
		r.Initialized = err == nil
	}
	return err
}
