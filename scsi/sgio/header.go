// Package sgio carries SCSI commands to real devices: one at a time by SG_IO on
// the block device (Device), or many at once without a thread for each by the
// asynchronous interface of the sg driver (Async), with a bounded pool of
// blocking ones where that is missing (Pool).
package sgio

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"pathkeeper/scsi"
)

// header is struct sg_io_hdr (include/scsi/sg.h), 88 bytes with 64-bit pointers:
//
//	typedef struct sg_io_hdr {
//	  int interface_id;           /* 'S' for SCSI generic */
//	  int dxfer_direction;
//	  unsigned char cmd_len;
//	  unsigned char mx_sb_len;
//	  unsigned short iovec_count;
//	  unsigned int dxfer_len;
//	  void __user *dxferp;
//	  unsigned char __user *cmdp;
//	  void __user *sbp;
//	  unsigned int timeout;       /* milliseconds */
//	  unsigned int flags;
//	  int pack_id;
//	  void __user *usr_ptr;
//	  unsigned char status;
//	  unsigned char masked_status;
//	  unsigned char msg_status;
//	  unsigned char sb_len_wr;
//	  unsigned short host_status;
//	  unsigned short driver_status;
//	  int resid;
//	  unsigned int duration;
//	  unsigned int info;
//	} sg_io_hdr_t;
type header struct {
	interfaceID  int32
	direction    int32
	cmdLen       uint8
	maxSense     uint8
	iovecCount   uint16
	dataLen      uint32
	data         unsafe.Pointer
	cmd          unsafe.Pointer
	sense        unsafe.Pointer
	timeoutMS    uint32
	flags        uint32
	packID       int32
	usrPtr       unsafe.Pointer
	status       uint8
	maskedStatus uint8
	msgStatus    uint8
	senseWritten uint8
	hostStatus   uint16
	driverStatus uint16
	resid        int32
	duration     uint32
	info         uint32
}

// From include/scsi/sg.h.
const (
	headerSize      = 88
	interfaceSG     = 'S'
	dirNone         = -1
	dirToDevice     = -2
	dirFromDevice   = -3
	ioctlSGIO       = 0x2285 // SG_IO
	ioctlSetReserve = 0x2275 // SG_SET_RESERVED_SIZE
)

// MaxData is the longest transfer of one command, bytes.
const MaxData = 1 << 20

// maxSense is the longest sense data (SPC-4 4.5.1); the field has 8 bits.
const maxSense = 252

// exchange is one command with the memory that the kernel reads and writes. The
// kernel keeps addresses of it between submission and collection, unseen by the
// collector: it is pinned from prepare to release.
type exchange struct {
	head  header
	cdb   [16]byte
	sense [maxSense]byte
	data  []byte
	pins  runtime.Pinner
}

// check says what is wrong with a request; the kernel's own EINVAL would not.
func check(req scsi.Request) error {
	switch n := len(req.CDB); {
	case n != 6 && n != 10 && n != 12 && n != 16:
		return fmt.Errorf("CDB of %d bytes, want 6, 10, 12 or 16: %w", n, unix.EINVAL)
	case len(req.Out) > 0 && req.InLen > 0:
		return fmt.Errorf("command %#02x moves data in both directions: %w", req.CDB[0], unix.EINVAL)
	case len(req.Out) > MaxData || req.InLen > MaxData:
		return fmt.Errorf("command %#02x moves more than %d bytes: %w", req.CDB[0], MaxData, unix.EINVAL)
	case req.TimeoutMS == 0:
		return fmt.Errorf("command %#02x has no time-out: %w", req.CDB[0], unix.EINVAL)
	}
	return nil
}

// prepare fills in a checked request and pins the memory.
func prepare(req scsi.Request) *exchange {
	ex := &exchange{}
	copy(ex.cdb[:], req.CDB)
	ex.head = header{
		interfaceID: interfaceSG, direction: dirNone,
		cmdLen: uint8(len(req.CDB)), maxSense: maxSense,
		cmd: unsafe.Pointer(&ex.cdb[0]), sense: unsafe.Pointer(&ex.sense[0]),
		timeoutMS: req.TimeoutMS,
	}
	switch {
	case len(req.Out) > 0:
		ex.head.direction, ex.data = dirToDevice, append([]byte(nil), req.Out...)
	case req.InLen > 0:
		ex.head.direction, ex.data = dirFromDevice, make([]byte, req.InLen)
	}
	ex.pins.Pin(ex)
	if len(ex.data) > 0 {
		ex.pins.Pin(&ex.data[0])
		ex.head.data, ex.head.dataLen = unsafe.Pointer(&ex.data[0]), uint32(len(ex.data))
	}
	return ex
}

// release lets go of the memory: the kernel has no address of it any more.
func (ex *exchange) release() { ex.pins.Unpin() }

// response reads what the kernel left in the header and the buffers.
func (ex *exchange) response() scsi.Response {
	h := &ex.head
	r := scsi.Response{
		Status: scsi.Status(h.status), Host: scsi.HostStatus(h.hostStatus), DriverStatus: h.driverStatus,
		Sense: append([]byte(nil), ex.sense[:min(int(h.senseWritten), maxSense)]...),
	}
	// With a host error nothing, or not all, came from the device.
	if h.direction == dirFromDevice && r.Host == scsi.HostOK {
		n := len(ex.data)
		if h.resid > 0 {
			n -= min(int(h.resid), n)
		}
		r.Data = ex.data[:n:n]
	}
	return r
}

// bytes is the header as read(2) and write(2) move it.
func (h *header) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(h)), headerSize) }
