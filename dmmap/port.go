// Package dmmap encodes device-mapper calls into the ioctl's buffers and decodes
// what comes back. It does no I/O; dmmap/dmioctl does. Source:
// include/uapi/linux/dm-ioctl.h, drivers/md/dm-ioctl.c.
package dmmap

// Port carries one device-mapper ioctl. buf is a whole struct dm_ioctl with its
// payload; the answer is the same buffer as the kernel left it (or a new one).
// errno is the raw number, 0 for success. A Port does not interpret anything.
type Port interface {
	Ioctl(cmd uint32, buf []byte) (out []byte, errno uint32)
}
