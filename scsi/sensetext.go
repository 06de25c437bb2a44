package scsi

// senseText is the meaning of an additional sense code (SPC-4 annex E, those
// that disks and arrays send); empty if not known. An unknown qualifier of a
// known code gets the code's meaning.
func senseText(asc, ascq uint8) string {
	switch uint16(asc)<<8 | uint16(ascq) {
	case 0x0000:
		return "no additional sense information"
	case 0x0400:
		return "logical unit not ready, cause not reportable"
	case 0x0401:
		return "logical unit is in process of becoming ready"
	case 0x0402:
		return "logical unit not ready, initializing command required"
	case 0x0403:
		return "logical unit not ready, manual intervention required"
	case 0x0404:
		return "logical unit not ready, format in progress"
	case 0x0405:
		return "logical unit not ready, rebuild in progress"
	case 0x0407:
		return "logical unit not ready, operation in progress"
	case 0x0409:
		return "logical unit not ready, self-test in progress"
	case 0x040a:
		return "logical unit not accessible, asymmetric access state transition"
	case 0x040b:
		return "logical unit not accessible, target port in standby state"
	case 0x040c:
		return "logical unit not accessible, target port in unavailable state"
	case 0x0411:
		return "logical unit not ready, notify (enable spinup) required"
	case 0x0412:
		return "logical unit not ready, offline"
	case 0x0413:
		return "logical unit not ready, SA creation in progress"
	case 0x0414:
		return "logical unit not ready, space allocation in progress"
	case 0x041b:
		return "logical unit not ready, start-stop unit command in progress"
	case 0x0500:
		return "logical unit does not respond to selection"
	case 0x0800:
		return "logical unit communication failure"
	case 0x0801:
		return "logical unit communication time-out"
	case 0x0c00:
		return "write error"
	case 0x1000:
		return "id CRC or ECC error"
	case 0x1001:
		return "logical block guard check failed"
	case 0x1100:
		return "unrecovered read error"
	case 0x1101:
		return "read retries exhausted"
	case 0x1d00:
		return "miscompare during verify operation"
	case 0x2000:
		return "invalid command operation code"
	case 0x2100:
		return "logical block address out of range"
	case 0x2400:
		return "invalid field in CDB"
	case 0x2500:
		return "logical unit not supported"
	case 0x2600:
		return "invalid field in parameter list"
	case 0x2604:
		return "invalid release of persistent reservation"
	case 0x2700:
		return "write protected"
	case 0x2707:
		return "space allocation failed write protect"
	case 0x2800:
		return "not ready to ready change, medium may have changed"
	case 0x2900:
		return "power on, reset, or bus device reset occurred"
	case 0x2901:
		return "power on occurred"
	case 0x2902:
		return "SCSI bus reset occurred"
	case 0x2903:
		return "bus device reset function occurred"
	case 0x2904:
		return "device internal reset"
	case 0x2907:
		return "I_T nexus loss occurred"
	case 0x2a00:
		return "parameters changed"
	case 0x2a01:
		return "mode parameters changed"
	case 0x2a03:
		return "reservations preempted"
	case 0x2a04:
		return "reservations released"
	case 0x2a05:
		return "registrations preempted"
	case 0x2a06:
		return "asymmetric access state changed"
	case 0x2a07:
		return "implicit asymmetric access state transition failed"
	case 0x2a09:
		return "capacity data has changed"
	case 0x2c00:
		return "command sequence error"
	case 0x2f00:
		return "commands cleared by another initiator"
	case 0x3100:
		return "medium format corrupted"
	case 0x3807:
		return "thin provisioning soft threshold reached"
	case 0x3a00:
		return "medium not present"
	case 0x3e00:
		return "logical unit has not self-configured yet"
	case 0x3e01:
		return "logical unit failure"
	case 0x3e02:
		return "time-out on logical unit"
	case 0x3f01:
		return "microcode has been changed"
	case 0x3f02:
		return "changed operating definition"
	case 0x3f03:
		return "inquiry data has changed"
	case 0x3f04:
		return "component device attached"
	case 0x3f05:
		return "device identifier changed"
	case 0x3f0a:
		return "volume set created or modified"
	case 0x3f0e:
		return "reported LUNs data has changed"
	case 0x4400:
		return "internal target failure"
	case 0x4700:
		return "SCSI parity error"
	case 0x4b00:
		return "data phase error"
	case 0x4e00:
		return "overlapped commands attempted"
	case 0x5500:
		return "system resource failure"
	case 0x5504:
		return "insufficient registration resources"
	case 0x5d00:
		return "failure prediction threshold exceeded"
	}
	if ascq != 0 && (asc == 0x04 || asc == 0x29) {
		return senseText(asc, 0)
	}
	if asc == 0x3f {
		return "target operating conditions have changed"
	}
	return ""
}
