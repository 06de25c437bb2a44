package dmmap

// UdevFlags tell the udev rules how to treat the uevent of a resume, removal or
// rename. They travel in the upper half of the event number, come out as DM_COOKIE
// and are turned by "dmsetup udevflags" into DM_UDEV_*_FLAG and
// DM_SUBSYSTEM_UDEV_FLAGn (libdm, libdevmapper.h).
type UdevFlags uint16

const (
	UdevDisableDMRules         UdevFlags = 0x0001 // DM_UDEV_DISABLE_DM_RULES_FLAG
	UdevDisableSubsystemRules  UdevFlags = 0x0002 // DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG
	UdevDisableDiskRules       UdevFlags = 0x0004 // DM_UDEV_DISABLE_DISK_RULES_FLAG
	UdevDisableOtherRules      UdevFlags = 0x0008 // DM_UDEV_DISABLE_OTHER_RULES_FLAG
	UdevLowPriority            UdevFlags = 0x0010 // DM_UDEV_LOW_PRIORITY_FLAG
	UdevDisableLibraryFallback UdevFlags = 0x0020 // DM_UDEV_DISABLE_LIBRARY_FALLBACK: udev alone makes the nodes
	UdevPrimarySource          UdevFlags = 0x0040 // DM_UDEV_PRIMARY_SOURCE_FLAG: an event that a program asked for
	UdevSubsystem0             UdevFlags = 0x0100 // DM_SUBSYSTEM_UDEV_FLAG0; 1 to 7 follow

	// The meaning that 11-dm-mpath.rules gives to the subsystem's flags.
	UdevReload   UdevFlags = UdevSubsystem0      // a reload: the map's content is unchanged
	UdevNoKpartx UdevFlags = UdevSubsystem0 << 1 // make no partition maps
	UdevNoPaths  UdevFlags = UdevSubsystem0 << 2 // no usable path: scan nothing
)

const (
	udevFlagsShift = 16 // DM_UDEV_FLAGS_SHIFT

	// CookieMagic is the upper half of a cookie semaphore's key (DM_COOKIE_MAGIC).
	CookieMagic = 0x0D4D
)

// Udev is what a call tells udev. The zero value says only that the event is a
// program's own, without a cookie: nobody waits for udev.
type Udev struct {
	Flags  UdevFlags
	Cookie uint16 // lower half of a cookie's key, as dmioctl.Cookie.Base; 0: none
}

// MapUdev is what multipath's tools always say: libdm makes no nodes, and the
// rules' own flags as given.
func MapUdev(reload, noKpartx, noPaths bool) Udev {
	f := UdevDisableLibraryFallback
	if reload {
		f |= UdevReload
	}
	if noKpartx {
		f |= UdevNoKpartx
	}
	if noPaths {
		f |= UdevNoPaths
	}
	return Udev{Flags: f}
}

// EventNr is the number for dm_ioctl.event_nr: flags in the upper half, cookie in
// the lower. As in libdm every such event is marked as of primary source; without
// the mark the rules of 10-dm take it for a spurious one.
func (u Udev) EventNr() uint32 {
	return uint32(u.Flags|UdevPrimarySource)<<udevFlagsShift | uint32(u.Cookie)
}

// SplitEventNr takes an event number, or the value of DM_COOKIE, apart.
func SplitEventNr(n uint32) Udev {
	return Udev{Flags: UdevFlags(n >> udevFlagsShift), Cookie: uint16(n)}
}

// CookieKey is the key of the semaphore for a cookie's lower half.
func CookieKey(base uint16) uint32 { return CookieMagic<<udevFlagsShift | uint32(base) }

// NodeUdev is what a partition map of ours says: as kpartx, no more than that
// libdm makes no nodes.
func NodeUdev() Udev { return Udev{Flags: UdevDisableLibraryFallback} }
