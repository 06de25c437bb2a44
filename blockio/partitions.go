package blockio

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ForgetPartition has the kernel forget one partition of a disk; its entry in the
// table on the disk stays. EBUSY: somebody has it open. ENXIO: there is none.
// Both structs stay where they are through the call: the kernel follows a pointer
// from one to the other (include/uapi/linux/blkpg.h).
func (d *Devices) ForgetPartition(device string, number uint32) (errno uint32) {
	fd, _, errno := d.open(device, 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(fd)
	part := unix.BlkpgPartition{Pno: int32(number)}
	arg := unix.BlkpgIoctlArg{Op: unix.BLKPG_DEL_PARTITION, Datalen: int32(unsafe.Sizeof(part))}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&part)
	arg.Data = (*byte)(unsafe.Pointer(&part))
	return ioctl(fd, unix.BLKPG, unsafe.Pointer(&arg))
}

// RereadPartitions has the kernel read a disk's partition table. EBUSY: somebody
// uses a partition, or the disk for himself alone.
func (d *Devices) RereadPartitions(device string) (errno uint32) {
	fd, _, errno := d.open(device, 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(fd)
	return ioctl(fd, unix.BLKRRPART, nil)
}
