package scsi

import "fmt"

// String is the status in SAM-5's words.
func (s Status) String() string {
	switch s {
	case StatusGood:
		return "GOOD"
	case StatusCheckCondition:
		return "CHECK CONDITION"
	case StatusBusy:
		return "BUSY"
	case StatusReservationConflict:
		return "RESERVATION CONFLICT"
	case StatusTaskSetFull:
		return "TASK SET FULL"
	case StatusACAActive:
		return "ACA ACTIVE"
	case StatusTaskAborted:
		return "TASK ABORTED"
	}
	return fmt.Sprintf("status %#02x", uint8(s))
}

// String is the kernel's name of the host status (include/scsi/scsi_status.h).
func (h HostStatus) String() string {
	switch h {
	case HostOK:
		return "DID_OK"
	case HostNoConnect:
		return "DID_NO_CONNECT"
	case HostBusBusy:
		return "DID_BUS_BUSY"
	case HostTimeOut:
		return "DID_TIME_OUT"
	case HostBadTarget:
		return "DID_BAD_TARGET"
	case HostAbort:
		return "DID_ABORT"
	case HostError:
		return "DID_ERROR"
	case HostReset:
		return "DID_RESET"
	case HostSoftError:
		return "DID_SOFT_ERROR"
	case HostImmRetry:
		return "DID_IMM_RETRY"
	case HostRequeue:
		return "DID_REQUEUE"
	case HostTransportDisrupted:
		return "DID_TRANSPORT_DISRUPTED"
	case HostTransportFailFast:
		return "DID_TRANSPORT_FAILFAST"
	case HostTransportMarginal:
		return "DID_TRANSPORT_MARGINAL"
	}
	return fmt.Sprintf("host status %#02x", uint16(h))
}

// OK reports whether the kernel took the command and the device did it.
func (r Response) OK() bool {
	return r.Errno == 0 && r.Host == HostOK && r.Status == StatusGood
}

// String says in one clause how the command ended: "errno 6",
// "DID_NO_CONNECT", "02/04/0b logical unit not accessible, ...", "TASK SET FULL", "GOOD".
func (r Response) String() string {
	switch {
	case r.Errno != 0:
		return fmt.Sprintf("errno %d", r.Errno)
	case r.Host != HostOK:
		return r.Host.String()
	case r.Status == StatusCheckCondition:
		sense, err := DecodeSense(r.Sense)
		if err != nil {
			return "CHECK CONDITION, " + err.Error()
		}
		return sense.String()
	}
	return r.Status.String()
}
