// Package uevent reads what the kernel and udevd say about devices: it parses
// their netlink datagrams and udev's database, and receives the datagrams. An
// event is a hint: it can be lost, late or doubled. Whoever acts on one looks at
// the device itself.
package uevent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Port delivers datagrams one by one and blocks until there is one.
type Port interface {
	// Receive returns the next datagram, or an error after which there are no
	// more. A lost datagram is no error but a Datagram with Overrun set.
	Receive() (Datagram, error)
}

// Datagram is one message with what is known of its sender. Nothing in Data is
// to be believed before Check.
type Datagram struct {
	Data    []byte
	Group   uint32 // multicast group: GroupKernel, GroupUdev; 0: sent to us alone
	PortID  uint32 // netlink port of the sender, 0 is the kernel
	UID     uint32 // of the sending process; meaningless without HasUID
	HasUID  bool   // the kernel attached credentials
	Overrun bool   // events were lost before this point: rescan; all else is empty
}

// Multicast groups of NETLINK_KOBJECT_UEVENT.
const (
	GroupKernel = 1 // the kernel's own events (lib/kobject_uevent.c)
	GroupUdev   = 2 // udevd's, after its rules ran
)

// MaxDatagram is the longest datagram that is taken, bytes. The kernel's are at
// most 4 KiB (UEVENT_BUFFER_SIZE and a path), udevd's carry its properties too.
const MaxDatagram = 64 << 10

// MaxProps is the largest number of properties of one event.
const MaxProps = 1024

// ErrSender: somebody other than the kernel or root's udevd sent the datagram.
var ErrSender = errors.New("not from the kernel or udevd")

// ErrMalformed: the datagram is not an event.
var ErrMalformed = errors.New("malformed uevent")

// Check says whether the sender may speak: the kernel (port 0) to group 1, or a
// process of root, by credentials that the kernel vouches for, to group 2.
func (d Datagram) Check() error {
	switch {
	case d.Group == GroupKernel && d.PortID == 0 && (!d.HasUID || d.UID == 0):
		return nil
	case d.Group == GroupUdev && d.HasUID && d.UID == 0:
		return nil
	}
	return fmt.Errorf("uevent from port %d, uid %d (known: %v), group %d: %w", d.PortID, d.UID, d.HasUID, d.Group, ErrSender)
}

// KV is one property. Keys can occur more than once; the last one counts.
type KV struct{ Key, Value string }

// Props are properties in the order in which they were sent.
type Props []KV

// Lookup returns the value of a key.
func (p Props) Lookup(key string) (string, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].Key == key {
			return p[i].Value, true
		}
	}
	return "", false
}

// Value is Lookup with "" for a key that is not there.
func (p Props) Value(key string) string {
	v, _ := p.Lookup(key)
	return v
}

// Event is one uevent.
type Event struct {
	Action    string // "add", "change", "remove", ...
	Devpath   string // path below /sys, with a leading slash
	Subsystem string
	DevName   string // node below /dev without that prefix ("sda"); "" without a node
	DevType   string // "disk", "partition", "scsi_device", ...
	Seqnum    uint64
	Props     Props // all of them, also those above
	FromUdev  bool  // udevd's format: its rules have run
}

// The header of udevd's messages (systemd: struct monitor_netlink_header):
//
//	char     prefix[8]              "libudev\0"
//	unsigned magic                  0xfeedcafe, big-endian
//	unsigned header_size            host order, as the next two
//	unsigned properties_off
//	unsigned properties_len
//	unsigned filter_subsystem_hash  big-endian
//	unsigned filter_devtype_hash
//	unsigned filter_tag_bloom_hi
//	unsigned filter_tag_bloom_lo
const (
	udevPrefix     = "libudev\x00"
	udevMagic      = 0xfeedcafe
	udevHeaderSize = 40
)

// Parse decodes a datagram in the kernel's or in udevd's format. Any bytes may
// be given; what is no event is ErrMalformed. The event does not refer to data.
func Parse(data []byte) (Event, error) {
	if len(data) > MaxDatagram {
		return Event{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(data))
	}
	if bytes.HasPrefix(data, []byte(udevPrefix)) {
		return parseUdev(data)
	}
	head, rest, ok := bytes.Cut(data, []byte{0})
	// The devpath may contain '@' ("soc@0"): the first one ends the action.
	action, devpath, at := bytes.Cut(head, []byte{'@'})
	if !ok || !at || len(action) == 0 || len(devpath) == 0 || devpath[0] != '/' {
		return Event{}, fmt.Errorf("%w: no ACTION@DEVPATH at the start", ErrMalformed)
	}
	ev, err := parseProps(rest)
	if err != nil {
		return Event{}, err
	}
	if ev.Action != string(action) || ev.Devpath != string(devpath) {
		return Event{}, fmt.Errorf("%w: header %q and properties disagree", ErrMalformed, head)
	}
	return ev, nil
}

func parseUdev(data []byte) (Event, error) {
	if len(data) < udevHeaderSize || binary.BigEndian.Uint32(data[8:]) != udevMagic {
		return Event{}, fmt.Errorf("%w: no udev header", ErrMalformed)
	}
	off, size := uint64(binary.NativeEndian.Uint32(data[16:])), uint64(binary.NativeEndian.Uint32(data[20:]))
	if off < udevHeaderSize || off+size > uint64(len(data)) {
		return Event{}, fmt.Errorf("%w: properties at %d, %d bytes, of %d", ErrMalformed, off, size, len(data))
	}
	ev, err := parseProps(data[off : off+size])
	ev.FromUdev = true
	if err != nil {
		return Event{}, err
	}
	return ev, nil
}

// parseProps decodes KEY=VALUE strings, each ended by NUL. It makes one string
// and one slice of it all.
func parseProps(data []byte) (Event, error) {
	count := bytes.Count(data, []byte{0})
	if len(data) > 0 && data[len(data)-1] != 0 {
		count++
	}
	if count > MaxProps {
		return Event{}, fmt.Errorf("%w: %d properties", ErrMalformed, count)
	}
	ev := Event{Props: make(Props, 0, count)}
	for text := string(data); text != ""; {
		var item string
		item, text, _ = strings.Cut(text, "\x00")
		if item == "" {
			continue
		}
		key, value, ok := strings.Cut(item, "=") // the first: values contain '='
		if !ok || key == "" {
			return Event{}, fmt.Errorf("%w: property %q", ErrMalformed, item)
		}
		ev.Props = append(ev.Props, KV{key, value})
		if err := ev.take(key, value); err != nil {
			return Event{}, err
		}
	}
	if ev.Action == "" || ev.Devpath == "" || ev.Devpath[0] != '/' || ev.Subsystem == "" {
		return Event{}, fmt.Errorf("%w: ACTION, DEVPATH or SUBSYSTEM is missing", ErrMalformed)
	}
	return ev, nil
}

func (ev *Event) take(key, value string) (err error) {
	switch key {
	case "ACTION":
		ev.Action = value
	case "DEVPATH":
		ev.Devpath = value
	case "SUBSYSTEM":
		ev.Subsystem = value
	case "DEVNAME": // udevd gives the whole path
		ev.DevName = strings.TrimPrefix(value, "/dev/")
	case "DEVTYPE":
		ev.DevType = value
	case "SEQNUM":
		if ev.Seqnum, err = strconv.ParseUint(value, 10, 64); err != nil {
			return fmt.Errorf("%w: SEQNUM %q", ErrMalformed, value)
		}
	}
	return nil
}

// SysName is the last part of the devpath: the kernel name, with '!' where the
// device node has '/'.
func (ev Event) SysName() string {
	return ev.Devpath[strings.LastIndexByte(ev.Devpath, '/')+1:]
}

// Concerns is a quick look for one of the subsystems in a datagram, without
// parsing it. It may say yes too often, never no too often.
func Concerns(data []byte, subsystems ...string) bool {
	const key = "\x00SUBSYSTEM="
	at := bytes.Index(data, []byte(key))
	if at < 0 { // first property of a udev message
		return true
	}
	for ; at >= 0; at = bytes.Index(data, []byte(key)) {
		data = data[at+len(key):]
		for _, s := range subsystems {
			if len(data) >= len(s) && string(data[:len(s)]) == s && (len(data) == len(s) || data[len(s)] == 0) {
				return true
			}
		}
	}
	return false
}
