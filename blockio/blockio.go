// Package blockio reads block devices past the page cache, asks the kernel for
// their size and number, and sets owner and mode of their nodes. Answers carry
// the raw errno of the system call that failed, 0 for success, so that whoever
// decides sees what the kernel said.
package blockio

import "strings"

// Port reads and opens block devices, named by kernel name ("sda", "dm-3",
// "cciss!c0d0"). Calls may block for as long as the device does.
type Port interface {
	// ReadAt reads n bytes at off without the page cache. Both must be multiples
	// of the device's sector size, n at most MaxRead (else EINVAL). At the end of
	// the device data is shorter than n. Beyond it, it is empty.
	ReadAt(device string, off uint64, n uint32) (data []byte, errno uint32)
	// Info asks for number, size and sequence number.
	Info(device string) (info Info, errno uint32)
	// ProbeExclusive opens the device exclusively for a moment. EBUSY: somebody
	// has it mounted, swaps on it, holds it below a map, or has it open so.
	ProbeExclusive(device string) (errno uint32)
	// Hold opens the device and keeps it open, so that its number cannot be given
	// to another one, and returns what is really behind the name. Whoever
	// identified a device compares Info.Diskseq with what was identified.
	Hold(device string) (id uint64, info Info, errno uint32)
	// Release ends a Hold. EBADF: there is no such hold.
	Release(id uint64) (errno uint32)
}

// NodePort looks at and changes nodes below /dev, named by path relative to it
// ("dm-3", "mapper/ocr1"). Symbolic links are followed, but only a block device
// with the expected number is ever touched.
type NodePort interface {
	Node(path string) (node Node, errno uint32)
	// SetNode gives the node owner, group and mode of want. want.Major and
	// want.Minor are what it must be: ENOTBLK if it is no block device, ENODEV if
	// another one. changed is false if all was right already.
	SetNode(path string, want Node) (changed bool, errno uint32)
}

// MaxRead is the most that one ReadAt reads, bytes.
const MaxRead = 1 << 20

// Info describes an open block device (include/uapi/linux/fs.h).
type Info struct {
	Major      uint32
	Minor      uint32
	Bytes      uint64 // BLKGETSIZE64
	SectorSize uint32 // logical block size, BLKSSZGET
	ReadOnly   bool   // BLKROGET
	Diskseq    uint64 // BLKGETDISKSEQ; 0: kernel older than 5.15
}

// Node is a block device node.
type Node struct {
	Major uint32
	Minor uint32
	UID   uint32
	GID   uint32
	Mode  uint32 // permission bits, at most 0777
}

// nodePath makes a path below dir from a kernel name or relative path; false
// for one that would leave it.
func nodePath(dir, name string) (string, bool) {
	name = strings.ReplaceAll(name, "!", "/")
	if name == "" || name[0] == '/' || strings.ContainsRune(name, 0) || len(name) > 1024 {
		return "", false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return "", false
		}
	}
	return dir + "/" + name, true
}
