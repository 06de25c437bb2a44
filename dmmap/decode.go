package dmmap

import (
	"errors"
	"fmt"

	"pathkeeper/dmmap/table"
)

// Version is an interface's or a target's version.
type Version struct {
	Major, Minor, Patch uint32
}

// String is "4.47.0".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// AtLeast reports whether v is major.minor or later.
func (v Version) AtLeast(major, minor uint32) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// Minor versions of the interface from which on something is there.
const (
	minorEventNrInList = 37 // DM_LIST_DEVICES has event numbers, DM_DEV_ARM_POLL (Linux 4.14)
	minorUUIDInList    = 44 // DM_LIST_DEVICES has flags and UUIDs (Linux 5.13)
)

// Info is a map's state as struct dm_ioctl returns it.
type Info struct {
	Version         Version // of the kernel's interface
	Name            table.Name
	UUID            table.UUID
	Dev             table.DevNum
	OpenCount       int32
	EventNr         uint32 // grows by one with each event of the map
	TargetCount     uint32
	ReadOnly        bool
	Suspended       bool
	InternalSuspend bool // by the kernel, on behalf of another map
	LiveTable       bool
	InactiveTable   bool // loaded and waiting for a resume
	DeferredRemove  bool // will go at its last close
	UeventGenerated bool // of a resume, removal, rename: udev will complete the cookie; else the caller must
}

// DecodeInfo reads the answer of every call that says so.
func DecodeInfo(buf []byte) (Info, error) {
	h, err := decodeHeader(buf)
	if err != nil {
		return Info{}, err
	}
	return h.info()
}

func (h header) info() (Info, error) {
	i := Info{
		Version:         h.interfaceVersion(),
		Dev:             h.dev,
		OpenCount:       h.openCount,
		EventNr:         h.eventNr,
		TargetCount:     h.targetCount,
		ReadOnly:        h.flags&flagReadOnly != 0,
		Suspended:       h.flags&flagSuspend != 0,
		InternalSuspend: h.flags&flagInternalSuspend != 0,
		LiveTable:       h.flags&flagActivePresent != 0,
		InactiveTable:   h.flags&flagInactivePresent != 0,
		DeferredRemove:  h.flags&flagDeferredRemove != 0,
		UeventGenerated: h.flags&flagUeventGenerated != 0,
	}
	var err error
	if h.name != "" {
		if i.Name, err = table.KernelName(h.name); err != nil {
			return Info{}, fmt.Errorf("dm answer: %w", err)
		}
	}
	if i.UUID, err = table.ParseUUID(h.uuid); err != nil {
		return Info{}, fmt.Errorf("dm answer: %w", err)
	}
	return i, nil
}

func (h header) interfaceVersion() Version {
	return Version{h.version[0], h.version[1], h.version[2]}
}

// DecodeVersion reads the answer of QueryVersion.
func DecodeVersion(buf []byte) (Version, error) {
	h, err := decodeHeader(buf)
	if err != nil {
		return Version{}, err
	}
	return h.interfaceVersion(), nil
}

// full is the *BufferFullError of an answer that did not fit, else nil.
func (h header) full(buf []byte) error {
	if h.flags&flagBufferFull == 0 {
		return nil
	}
	return &BufferFullError{HaveBytes: len(buf), TryBytes: HeaderBytes + 2*max(len(buf)-HeaderBytes, 0)}
}

// DecodeLines reads the answer of QueryTable and QueryStatus: the map's state and
// one line per target, trailing space of Params removed. ErrBufferFull: Grow.
func DecodeLines(buf []byte) (Info, []table.Line, error) {
	h, err := decodeHeader(buf)
	if err != nil {
		return Info{}, nil, err
	}
	if err := h.full(buf); err != nil {
		return Info{}, nil, err
	}
	info, err := h.info()
	if err != nil {
		return Info{}, nil, err
	}
	// Each target takes at least a spec and a NUL: a count beyond that is nonsense,
	// found before memory is spent on it.
	if uint64(h.targetCount) > uint64(len(h.payload)/(specBytes+1)) {
		return Info{}, nil, fmt.Errorf("dm answer: %d targets in %d bytes", h.targetCount, len(h.payload))
	}
	var lines []table.Line
	at := 0
	for i := range h.targetCount {
		l, next, err := decodeSpec(h.payload, at)
		if err != nil {
			return Info{}, nil, fmt.Errorf("dm answer: target %d: %w", i+1, err)
		}
		lines = append(lines, l)
		at = next
	}
	return info, lines, nil
}

// decodeSpec reads the dm_target_spec at that offset of the payload and says where
// the next one is; next only counts if there is one.
func decodeSpec(payload []byte, at int) (l table.Line, next int, err error) {
	if at > len(payload)-specBytes {
		return table.Line{}, 0, fmt.Errorf("begins at byte %d of %d", at, len(payload))
	}
	spec := payload[at:]
	name, ok := cstring(spec[specType:specBytes])
	if !ok {
		return table.Line{}, 0, errors.New("type without end")
	}
	params, ok := cstring(spec[specBytes:])
	if !ok {
		return table.Line{}, 0, errors.New("parameters without end")
	}
	used := at + specBytes + len(params) + 1
	next = int(min(order.Uint32(spec[specNext:]), uint32(len(payload))))
	if next < used {
		// Only forwards, or a wrong number could make us read one spec for ever. The
		// last target's number is not read.
		next = len(payload)
	}
	for len(params) > 0 && params[len(params)-1] == ' ' {
		params = params[:len(params)-1]
	}
	return table.Line{
		Start:  table.Sectors(order.Uint64(spec)),
		Length: table.Sectors(order.Uint64(spec[specLength:])),
		Target: name,
		Params: params,
	}, next, nil
}

// DecodeDeps reads the answer of QueryDeps: the devices in the kernel's order.
//
//	struct dm_target_deps {
//		__u32 count;	/* Array size */
//		__u32 padding;	/* unused */
//		__u64 dev[];	/* out */
//	};
func DecodeDeps(buf []byte) ([]table.DevNum, error) {
	h, err := decodeHeader(buf)
	if err != nil {
		return nil, err
	}
	if err := h.full(buf); err != nil {
		return nil, err
	}
	if len(h.payload) < 8 {
		return nil, nil // no live table
	}
	n := order.Uint32(h.payload)
	if uint64(n) > uint64(len(h.payload)-8)/8 {
		return nil, fmt.Errorf("dm answer: %d dependencies in %d bytes", n, len(h.payload))
	}
	var devs []table.DevNum
	for i := range int(n) {
		devs = append(devs, table.DecodeDev(order.Uint64(h.payload[8+8*i:])))
	}
	return devs, nil
}

// Entry is one map in the list of all.
type Entry struct {
	Dev        table.DevNum
	Name       table.Name
	EventNr    uint32
	HasEventNr bool // Linux 4.14 and later
	UUID       table.UUID
	HasUUID    bool // whether UUID is known, also if it is empty (Linux 5.13 and later)
}

// Layout of the list.
//
//	struct dm_name_list {
//		__u64 dev;
//		__u32 next;	/* offset to the next record from the _start_ of this */
//		char name[];
//		/* behind the NUL of name, at the next multiple of 8: */
//		__u32 event_nr;
//		__u32 flags;
//		char uuid[];	/* if DM_NAME_LIST_FLAG_HAS_UUID */
//	};
//
// The name begins at 12, not at sizeof(struct dm_name_list), which is 16.
const (
	listNext = 8
	listName = 12

	listHasUUID = 1 // DM_NAME_LIST_FLAG_HAS_UUID
	listNoUUID  = 2 // DM_NAME_LIST_FLAG_DOESNT_HAVE_UUID
)

// DecodeList reads the answer of QueryList, in the kernel's order; nil if the host
// has no maps. ErrBufferFull: Grow.
func DecodeList(buf []byte) ([]Entry, error) {
	h, err := decodeHeader(buf)
	if err != nil {
		return nil, err
	}
	if err := h.full(buf); err != nil {
		return nil, err
	}
	var list []Entry
	for rest := h.payload; len(rest) > listName; {
		if len(list) == 0 && order.Uint64(rest) == 0 {
			return nil, nil // the kernel's mark for "no data"
		}
		e, next, err := decodeEntry(rest, h.interfaceVersion())
		if err != nil {
			return nil, fmt.Errorf("dm list: map %d: %w", len(list)+1, err)
		}
		list = append(list, e)
		if next == 0 {
			return list, nil
		}
		rest = rest[next:]
	}
	if len(list) > 0 {
		return nil, fmt.Errorf("dm list: ends within map %d", len(list)+1)
	}
	return nil, nil
}

// decodeEntry reads the record at the beginning of b and says how far the next one
// is; 0 for the last.
func decodeEntry(b []byte, v Version) (Entry, int, error) {
	name, ok := cstring(b[listName:])
	if !ok {
		return Entry{}, 0, errors.New("name without end")
	}
	e := Entry{Dev: table.DecodeDev(order.Uint64(b))}
	var err error
	if e.Name, err = table.KernelName(name); err != nil {
		return Entry{}, 0, err
	}
	used := listName + len(name) + 1
	next := int(min(order.Uint32(b[listNext:]), uint32(len(b))))
	end := len(b)
	if next != 0 {
		if next < used {
			return Entry{}, 0, fmt.Errorf("next record at byte %d of %d used", next, used)
		}
		end = next
	}
	at := align8(used)
	if !v.AtLeast(versionMajor, minorEventNrInList) || at+8 > end {
		return e, next, nil
	}
	e.EventNr, e.HasEventNr = order.Uint32(b[at:]), true
	if !v.AtLeast(versionMajor, minorUUIDInList) {
		return e, next, nil // the word behind the event number was never written
	}
	switch flags := order.Uint32(b[at+4:]); {
	case flags&listHasUUID != 0:
		text, ok := cstring(b[at+8 : end])
		if !ok {
			return Entry{}, 0, errors.New("UUID without end")
		}
		if e.UUID, err = table.ParseUUID(text); err != nil {
			return Entry{}, 0, err
		}
		e.HasUUID = true
	case flags&listNoUUID != 0:
		e.HasUUID = true
	}
	return e, next, nil
}

// Target is a target type of the kernel.
type Target struct {
	Name    string
	Version Version
}

// DecodeTargets reads the answer of QueryTargets and QueryTarget.
//
//	struct dm_target_versions {
//		__u32 next;	/* from the start of this; 0: the last */
//		__u32 version[3];
//		char name[];
//	};
func DecodeTargets(buf []byte) ([]Target, error) {
	const versionsName = 16
	h, err := decodeHeader(buf)
	if err != nil {
		return nil, err
	}
	if err := h.full(buf); err != nil {
		return nil, err
	}
	var list []Target
	for rest := h.payload; len(rest) > versionsName; {
		name, ok := cstring(rest[versionsName:])
		if !ok {
			return nil, fmt.Errorf("dm targets: target %d: name without end", len(list)+1)
		}
		list = append(list, Target{
			Name:    name,
			Version: Version{order.Uint32(rest[4:]), order.Uint32(rest[8:]), order.Uint32(rest[12:])},
		})
		next := order.Uint32(rest)
		if next == 0 {
			return list, nil
		}
		if next < versionsName+uint32(len(name))+1 || uint64(next) > uint64(len(rest)) {
			return nil, fmt.Errorf("dm targets: target %d: next record at byte %d of %d", len(list), next, len(rest))
		}
		rest = rest[next:]
	}
	if len(list) > 0 {
		return nil, fmt.Errorf("dm targets: ends within target %d", len(list)+1)
	}
	return nil, nil
}
