package sgio

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"pathkeeper/scsi"
)

// Device is a scsi.Port by the SG_IO ioctl on block devices. Each command holds
// a thread for as long as the kernel takes, which the time-out does not bound:
// error recovery of the host comes on top, and the kernel raises a time-out
// below 7 s to that (BLK_MIN_SG_TIMEOUT). Data to the device needs CAP_SYS_RAWIO.
type Device struct {
	kern kernel
	dir  string
}

// NewDevice returns the devices below a directory, "/dev" for the real ones.
func NewDevice(dir string) *Device { return &Device{kern: linux{}, dir: dir} }

// Do implements scsi.Port. A request that cannot be sent has Errno EINVAL.
func (d *Device) Do(device string, req scsi.Request) scsi.Response {
	path, ok := nodePath(d.dir, device)
	if !ok {
		return scsi.Response{Errno: uint32(unix.ENOENT)}
	}
	if check(req) != nil {
		return scsi.Response{Errno: uint32(unix.EINVAL)}
	}
	// Read-only, also to send data: udevd takes the close of a writable descriptor
	// for a change of the content and probes the device.
	fd, errno := d.kern.open(path, unix.O_RDONLY|unix.O_NONBLOCK)
	if errno != 0 {
		return scsi.Response{Errno: uint32(errno)}
	}
	defer d.kern.close(fd)
	ex := prepare(req)
	defer ex.release()
	if errno := d.kern.sgIO(fd, &ex.head); errno != 0 {
		return scsi.Response{Errno: uint32(errno)}
	}
	return ex.response()
}

// Probe says whether the asynchronous interface is there: nil, or one line on
// what to do. sys is "/sys".
func Probe(sys string) error {
	if _, err := os.Stat(filepath.Join(sys, "class/scsi_generic")); err != nil {
		return fmt.Errorf("no generic SCSI devices (%w): checks fall back to a thread for each hung path; run `modprobe sg`", err)
	}
	return nil
}

// nodePath makes a path below dir from a kernel name; false for one that would
// leave it.
func nodePath(dir, name string) (string, bool) {
	name = strings.ReplaceAll(name, "!", "/")
	if !filepath.IsLocal(name) || name == "." || strings.ContainsRune(name, 0) {
		return "", false
	}
	return dir + "/" + name, true
}
