package dmmap

import (
	"fmt"

	"pathkeeper/dmmap/table"
)

// defaultRoom is the payload that queries begin with, as libdm does; a map of
// sixteen paths needs about 700 bytes.
const defaultRoom = 16 << 10

// QueryVersion asks for the interface's version.
type QueryVersion struct{}

// Encode makes the call. Answer: DecodeVersion.
func (QueryVersion) Encode() (Call, error) {
	return newCall(CmdVersion, "read dm version", Ref{}, 0, 0), nil
}

// QueryInfo asks for a map's state (DM_DEV_STATUS). ENXIO: there is no such map.
type QueryInfo struct {
	Map Ref
}

// Encode makes the call. Answer: DecodeInfo.
func (q QueryInfo) Encode() (Call, error) {
	if err := q.Map.check("read map"); err != nil {
		return Call{}, err
	}
	return newCall(CmdInfo, "read map", q.Map, 0, 0), nil
}

// QueryTable asks for the tables of a map's targets; Inactive: of those that are
// loaded and not live yet.
type QueryTable struct {
	Map      Ref
	Inactive bool
}

// Encode makes the call. Answer: DecodeLines.
func (q QueryTable) Encode() (Call, error) {
	if err := q.Map.check("read table"); err != nil {
		return Call{}, err
	}
	flags := flagStatusTable | flagNoFlush
	if q.Inactive {
		flags |= flagQueryInactive
	}
	return newQuery(CmdStatus, "read table", q.Map, flags, defaultRoom), nil
}

// QueryStatus asks for the status of a map's targets, without any I/O for it
// (DM_NOFLUSH_FLAG).
type QueryStatus struct {
	Map Ref
}

// Encode makes the call. Answer: DecodeLines.
func (q QueryStatus) Encode() (Call, error) {
	if err := q.Map.check("read status"); err != nil {
		return Call{}, err
	}
	return newQuery(CmdStatus, "read status", q.Map, flagNoFlush, defaultRoom), nil
}

// QueryDeps asks which devices a map's live table holds open.
type QueryDeps struct {
	Map Ref
}

// Encode makes the call. Answer: DecodeDeps.
func (q QueryDeps) Encode() (Call, error) {
	if err := q.Map.check("read dependencies"); err != nil {
		return Call{}, err
	}
	return newQuery(CmdDeps, "read dependencies", q.Map, 0, 4<<10), nil
}

// QueryList asks for all maps of the host, with event numbers and, since Linux
// 5.13, UUIDs.
type QueryList struct{}

// Encode makes the call. Answer: DecodeList.
func (QueryList) Encode() (Call, error) {
	return newQuery(CmdList, "list maps", Ref{}, flagUUID, defaultRoom), nil
}

// QueryTargets asks for the targets that are loaded into the kernel now.
type QueryTargets struct{}

// Encode makes the call. Answer: DecodeTargets.
func (QueryTargets) Encode() (Call, error) {
	return newQuery(CmdListTargets, "list targets", Ref{}, 0, defaultRoom), nil
}

// QueryTarget asks for one target's version and has the kernel load its module
// first if need be (Linux 5.4 and later; ENOTTY before). EINVAL: there is none.
type QueryTarget struct {
	Target string
}

// Encode makes the call. Answer: DecodeTargets, one element.
func (q QueryTarget) Encode() (Call, error) {
	if len(q.Target) > table.MaxTargetBytes {
		return Call{}, fmt.Errorf("read target version: name %q has %d bytes, the kernel takes %d", q.Target, len(q.Target), table.MaxTargetBytes)
	}
	n, err := table.KernelName(q.Target)
	if err != nil {
		return Call{}, fmt.Errorf("read target version: %w", err)
	}
	return newQuery(CmdTargetVersion, "read version of target", ByName(n), 0, 512), nil
}

// ArmPoll makes the control file readable from the next event of any map on (Linux
// 4.14 and later). To lose none: arm, then list the event numbers, then wait.
type ArmPoll struct{}

// Encode makes the call. There is no answer beyond the errno.
func (ArmPoll) Encode() (Call, error) {
	return newCall(CmdArmPoll, "arm event poll", Ref{}, 0, 0), nil
}
