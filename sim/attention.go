package sim

import (
	"slices"

	"pathkeeper/mpath"
)

// sense is a key with its additional code and qualifier.
type sense struct{ key, asc, ascq uint8 }

// fixed is the fixed format (SPC-4 4.5.3).
func (s sense) fixed() []byte {
	b := make([]byte, 18)
	b[0], b[2], b[7], b[12], b[13] = 0x70, s.key, 10, s.asc, s.ascq
	return b
}

// Attention puts a unit attention before the next command of this nexus. One
// that waits already is not put twice; a reset goes before all others and takes
// them away (SAM-5 5.14.3).
func (d *Disk) Attention(asc, ascq uint8) {
	s := sense{0x6, asc, ascq}
	switch {
	case slices.Contains(d.ua, s):
	case asc == 0x29:
		d.ua = []sense{s}
	default:
		d.ua = append(d.ua, s)
	}
}

// Attentions says how many unit attentions wait.
func (d *Disk) Attentions() int { return len(d.ua) }

func (d *Disk) forgetAttention(asc, ascq uint8) {
	d.ua = slices.DeleteFunc(d.ua, func(s sense) bool { return s.asc == asc && s.ascq == ascq })
}

// attention takes the oldest unit attention. The kernel tells udevd of some of
// them with an event of the SCSI device, not of the disk (drivers/scsi/scsi_error.c
// scsi_report_sense, scsi_lib.c scsi_evt_emit); after INQUIRY DATA HAS CHANGED it
// looks at the device again by itself.
func (d *Disk) attention() sense {
	s := d.ua[0]
	d.ua = d.ua[1:]
	if d.handler == "alua" && (s.asc == 0x2a && s.ascq == 0x06 || s.asc == 0x29 && s.ascq == 0) {
		d.w.after(d.w.between(6*mpath.Millisecond, 20*mpath.Millisecond), d.rtpg) // alua_check, ALUA_RTPG_DELAY_MSECS
	}
	text := ""
	switch [2]uint8{s.asc, s.ascq} {
	case [2]uint8{0x3f, 0x03}:
		text = "INQUIRY_DATA_HAS_CHANGED"
	case [2]uint8{0x3f, 0x0e}:
		text = "REPORTED_LUNS_DATA_HAS_CHANGED"
	case [2]uint8{0x2a, 0x01}:
		text = "MODE_PARAMETERS_CHANGED"
	case [2]uint8{0x2a, 0x06}:
		text = "ASYMMETRIC_ACCESS_STATE_CHANGED"
	case [2]uint8{0x2a, 0x09}:
		text = "CAPACITY_DATA_HAS_CHANGED"
	case [2]uint8{0x38, 0x07}:
		text = "THIN_PROVISIONING_SOFT_THRESHOLD_REACHED"
	}
	if s.asc == 0x29 {
		text = "POWER_ON_RESET_OCCURRED"
	}
	if text == "" {
		return s
	}
	if text == "INQUIRY_DATA_HAS_CHANGED" {
		d.Rescan()
	}
	d.w.uevent(d.scsiEvent("change", "SDEV_UA="+text))
	return s
}

// swallows says whether the kernel sends a command again instead of handing the
// sense on: the alua handler, attached to every device that reports target port
// groups, does so with these, also for commands of SG_IO and sg
// (drivers/scsi/device_handler/scsi_dh_alua.c alua_check_sense: ADD_TO_MLQUEUE).
// What is left of them is the uevent.
func (d *Disk) swallows(s sense) bool {
	if d.handler != "alua" || s.key != 0x6 {
		return false
	}
	switch [2]uint8{s.asc, s.ascq} {
	case [2]uint8{0x29, 0x00}, [2]uint8{0x29, 0x04}, [2]uint8{0x2a, 0x01}, [2]uint8{0x2a, 0x06}, [2]uint8{0x2a, 0x07},
		[2]uint8{0x3f, 0x03}, [2]uint8{0x3f, 0x0e}:
		return true
	}
	return false
}
