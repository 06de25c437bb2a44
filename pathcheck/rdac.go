package pathcheck

import (
	"fmt"

	"pathkeeper/scsi"
)

// volumeAccess is what VPD page 0xC9 says about a volume of an RDAC array
// (Engenio, NetApp E-Series and their relatives): whether this controller owns
// it, and how the port groups stand (drivers/scsi/device_handler/scsi_dh_rdac.c,
// struct c9_inquiry).
type volumeAccess struct {
	connected bool
	vac       bool  // the page is called "vac1"
	owned     bool  // byte 8 bit 0: the controller that was asked owns the volume
	groups    bool  // byte 8 bit 4: the port group fields are valid
	ioShip    bool  // byte 8 bit 5: the other controller passes I/O on
	class     uint8 // byte 9 bits 3-0: 1 preferred, 2 secondary
	mine      scsi.AccessState
	why       uint8 // byte 11: why the group is unavailable
	other     scsi.AccessState
}

const (
	// PageVolumeAccess is the code of that page.
	PageVolumeAccess = uint8(0xc9)
	volumeAccessLen  = 48 // bytes asked for; the fields used end at byte 13
)

func decodeVolumeAccess(b []byte) (v volumeAccess, err error) {
	if len(b) < 14 || b[1] != PageVolumeAccess {
		return v, fmt.Errorf("%d bytes came in an unknown format", len(b))
	}
	return volumeAccess{
		connected: b[0]&0x7f == 0,
		vac:       IsVolumeAccess(b),
		owned:     b[8]&0x01 != 0, groups: b[8]&0x10 != 0, ioShip: b[8]&0x20 != 0,
		class: b[9] & 0xf,
		mine:  scsi.AccessState(b[10] & 0xf), why: b[11], other: scsi.AccessState(b[12] & 0xf),
	}, nil
}

// IsVolumeAccess says whether an answer is an RDAC array's page 0xC9: by that
// detect_checker tells such an array.
func IsVolumeAccess(b []byte) bool {
	return len(b) >= 8 && b[1] == PageVolumeAccess && string(b[4:8]) == "vac1"
}

func volumeAccessCommand(timeoutMS uint32) command {
	return command{name: "INQUIRY page 0xc9", req: scsi.InquiryVPD(PageVolumeAccess, volumeAccessLen, timeoutMS)}
}

// rdac asks an RDAC array whether the controller behind the path owns the volume:
// up, or ghost, a path that can take it over.
type rdac struct{ cmd command }

func newRDAC(p Params) *rdac { return &rdac{volumeAccessCommand(p.TimeoutMS)} }

func (c *rdac) Start() Step { return Step{Ask: c.cmd.ask()} }

func (c *rdac) Answer(r Response) Step {
	if c.cmd.tries == 0 {
		return wrongKind(c.cmd.name)
	}
	again, o := c.cmd.judge(r.SCSI)
	if again {
		return Step{Ask: c.cmd.ask()}
	}
	if !o.good {
		return Step{Done: true, Verdict: o.verdict}
	}
	s, msg := c.read(r.SCSI.Data)
	return Step{Done: true, Verdict: Verdict{State: s, Message: c.cmd.name + ": " + msg, IdentityDoubt: c.cmd.doubt}}
}

func (c *rdac) read(data []byte) (State, string) {
	v, err := decodeVolumeAccess(data)
	switch {
	case err != nil:
		return StateDown, err.Error()
	case !v.connected:
		return StateDown, "the LUN is not connected"
	case v.groups && v.mine == scsi.AccessUnavailable:
		return StateDown, unavailableText(v.why)
	case v.groups && v.mine == scsi.AccessTransitioning && v.other != scsi.AccessTransitioning:
		// Both in transition: ownership is moving. This one alone: it is booting.
		return StateDown, "the controller is starting"
	case v.owned:
		return StateUp, "this controller owns the volume"
	case v.ioShip:
		return StateUp, "the owner takes I/O from this controller"
	}
	return StateGhost, "the other controller owns the volume"
}

// unavailableText says why the controller is unavailable (byte 11).
func unavailableText(why uint8) string {
	text := "the controller is unavailable"
	switch why {
	case 2:
		text += ": it does not respond"
	case 3:
		text += ": held in reset"
	case 4, 5:
		text += ": it loads firmware"
	case 6:
		text += ": quiesced by the administrator"
	case 7:
		text += ": in service mode"
	}
	return text
}

// rdacPrio values the same page: 2 where the controller owns the volume, 4 where
// the path is preferred, 1 where it is secondary, 8 where I/O is passed on.
type rdacPrio struct{ cmd command }

func newRDACPrio(p PrioParams) *rdacPrio { return &rdacPrio{volumeAccessCommand(p.TimeoutMS)} }

func (c *rdacPrio) Start() PrioStep { return PrioStep{Ask: c.cmd.ask()} }

func (c *rdacPrio) Answer(r Response) PrioStep {
	again, data, bad := c.cmd.data(r)
	switch {
	case again:
		return PrioStep{Ask: c.cmd.ask()}
	case bad != "":
		return c.cmd.keep("rdac", bad)
	}
	v, err := decodeVolumeAccess(data)
	switch {
	case err != nil:
		return c.cmd.keep("rdac", c.cmd.name+": "+err.Error())
	case !v.vac:
		return c.cmd.keep("rdac", "page 0xc9 is not that of an RDAC array")
	}
	prio := 0
	if v.owned {
		prio += 2
	}
	switch v.class {
	case 1:
		prio += 4
	case 2:
		prio++
	}
	if v.ioShip {
		prio += 8
	}
	return c.cmd.value(prio)
}
