package pathcheck

// Kind is the kind of block device that a path is.
type Kind uint8

// Kinds of paths.
const (
	KindSCSI  Kind = iota // the zero value: nearly all are
	KindNVMe              // a namespace by one controller
	KindOther             // DASD, cciss: without a state in sysfs
)

// DeviceState judges a path by what the kernel says of its device, before a
// check costs a command. sysfsState is the text of /sys/block/DEV/device/state
// without its newline (drivers/scsi/scsi_sysfs.c, drivers/nvme/host/core.c);
// empty: the file is gone. run says that a checker is to be asked; otherwise the
// verdict stands: down, or pending (keep the state, look again soon).
func DeviceState(sysfsState string, kind Kind) (run bool, v Verdict) {
	if kind == KindOther {
		return true, Verdict{}
	}
	if sysfsState == "" {
		return false, Verdict{State: StateDown, Message: "device is gone from sysfs"}
	}
	v.Message = "kernel device state is " + sysfsState
	v.State = StateDown
	switch {
	case kind == KindSCSI && sysfsState == "running", kind == KindNVMe && sysfsState == "live":
		return true, Verdict{}
	case kind == KindSCSI && (sysfsState == "blocked" || sysfsState == "quiesce"),
		kind == KindNVMe && (sysfsState == "new" || sysfsState == "deleting"):
		v.State = StatePending
	}
	return false, v
}
