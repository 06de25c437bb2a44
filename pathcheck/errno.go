package pathcheck

import "fmt"

// Errnos that something is decided on (include/uapi/asm-generic/errno-base.h, errno.h).
const (
	ePERM      = 1
	eINTR      = 4
	eIO        = 5
	eNXIO      = 6
	eAGAIN     = 11
	eNOMEM     = 12
	eACCES     = 13
	eBUSY      = 16
	eNODEV     = 19
	eINVAL     = 22
	eNFILE     = 23
	eMFILE     = 24
	eNOTTY     = 25
	eDOM       = 33
	eOPNOTSUPP = 95
	eTIMEDOUT  = 110
)

// errnoVerdict judges a request that the kernel did not take.
func errnoVerdict(what string, errno uint32) Verdict {
	switch errno {
	case ePERM, eACCES:
		return Verdict{State: StateWild, Message: fmt.Sprintf("%s: %s: no permission for SCSI commands; run as root with CAP_SYS_RAWIO", what, errnoText(errno))}
	case eNOTTY, eINVAL, eOPNOTSUPP:
		return Verdict{State: StateWild, Message: fmt.Sprintf("%s: %s: the device takes no SCSI commands", what, errnoText(errno))}
	case eINTR, eAGAIN, eNOMEM, eBUSY, eNFILE, eMFILE, eDOM:
		// This host was short of something: nothing was learned of the path.
		return inconclusive(fmt.Sprintf("%s: %s: not sent", what, errnoText(errno)))
	case eTIMEDOUT:
		return Verdict{State: StateTimeout, Message: fmt.Sprintf("%s: %s: no answer in time", what, errnoText(errno))}
	case eNXIO, eNODEV:
		return Verdict{State: StateDown, Message: fmt.Sprintf("%s: %s: the device is gone", what, errnoText(errno))}
	}
	return Verdict{State: StateDown, Message: fmt.Sprintf("%s: %s", what, errnoText(errno))}
}

// inconclusive keeps the previous state.
func inconclusive(message string) Verdict {
	return Verdict{State: StatePending, Message: message, Inconclusive: true}
}

// errnoText is "ENXIO (errno 6)" or "errno 71".
func errnoText(errno uint32) string {
	name := ""
	switch errno {
	case ePERM:
		name = "EPERM"
	case eINTR:
		name = "EINTR"
	case eIO:
		name = "EIO"
	case eNXIO:
		name = "ENXIO"
	case eAGAIN:
		name = "EAGAIN"
	case eNOMEM:
		name = "ENOMEM"
	case eACCES:
		name = "EACCES"
	case eBUSY:
		name = "EBUSY"
	case eNODEV:
		name = "ENODEV"
	case eINVAL:
		name = "EINVAL"
	case eNFILE:
		name = "ENFILE"
	case eMFILE:
		name = "EMFILE"
	case eNOTTY:
		name = "ENOTTY"
	case eDOM:
		name = "EDOM"
	case eOPNOTSUPP:
		name = "EOPNOTSUPP"
	case eTIMEDOUT:
		name = "ETIMEDOUT"
	default:
		return fmt.Sprintf("errno %d", errno)
	}
	return fmt.Sprintf("%s (errno %d)", name, errno)
}
