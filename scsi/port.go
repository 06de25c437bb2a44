// Package scsi knows SCSI by heart and does no I/O: it builds CDBs, decodes what
// targets answer (INQUIRY, VPD pages, sense, target port groups) and derives
// every id that a logical unit bears. Sources: SPC-4, SBC-3, SAM-5.
package scsi

// Port carries one command to one logical unit. scsi/sgio is the real one, sim
// has its own. Device is the kernel name of the block device ("sda").
type Port interface {
	Do(device string, req Request) Response
}

// Request is one command. A Request never carries data to the device except
// where Out is set (MODE SELECT, PERSISTENT RESERVE OUT).
type Request struct {
	CDB       []byte // 6, 10, 12 or 16 bytes
	Out       []byte // data sent to the device; nil for reads and no-data commands
	InLen     uint32 // bytes expected from the device; 0 for no-data commands
	TimeoutMS uint32 // the kernel's limit for the command, milliseconds
}

// Response is what came back, whether or not the device liked the command.
type Response struct {
	// Errno is the raw errno of the system call; 0 when the kernel took the
	// command. With Errno set nothing below means anything.
	Errno        uint32
	Status       Status     // SAM status byte
	Host         HostStatus // DID_* (include/scsi/scsi_status.h)
	DriverStatus uint16
	Sense        []byte // as sent by the device, at most 252 bytes
	Data         []byte // what the device sent: at most InLen, less the residual
}

// Status is the SAM status byte (SAM-5 5.3.1).
type Status uint8

// Status values.
const (
	StatusGood                Status = 0x00
	StatusCheckCondition      Status = 0x02
	StatusBusy                Status = 0x08
	StatusReservationConflict Status = 0x18
	StatusTaskSetFull         Status = 0x28
	StatusACAActive           Status = 0x30
	StatusTaskAborted         Status = 0x40
)

// HostStatus is the kernel's DID_* byte (include/scsi/scsi_status.h).
type HostStatus uint16

// Host status values that somebody decides on.
const (
	HostOK                 HostStatus = 0x00
	HostNoConnect          HostStatus = 0x01
	HostBusBusy            HostStatus = 0x02
	HostTimeOut            HostStatus = 0x03
	HostBadTarget          HostStatus = 0x04
	HostAbort              HostStatus = 0x05
	HostError              HostStatus = 0x07
	HostReset              HostStatus = 0x08
	HostSoftError          HostStatus = 0x0b
	HostImmRetry           HostStatus = 0x0c
	HostRequeue            HostStatus = 0x0d
	HostTransportDisrupted HostStatus = 0x0e
	HostTransportFailFast  HostStatus = 0x0f
	HostTransportMarginal  HostStatus = 0x14
)
