package contract

import (
	"fmt"
	"strings"

	"pathkeeper/scsi"
)

// timeoutMS is the limit of each command; none of them is meant to reach it.
const timeoutMS = 30000

// do sends a command to a disk and tells status, sense and what decode makes of
// the data.
func (c *Case) do(symbol, asked string, r scsi.Request, decode func([]byte) string) {
	answer := c.p.SCSI.Do(c.name(symbol), r)
	c.line(asked+" "+symbol, response(answer, decode))
}

func response(r scsi.Response, decode func([]byte) string) string {
	switch r.Errno {
	case 0:
	case 2, 6, 19: // ENOENT, ENXIO, ENODEV: how much of it was left at that moment
		return "gone"
	default:
		return errnoName(r.Errno)
	}
	words := []string{fmt.Sprintf("status=%02x host=%02x", uint8(r.Status), uint16(r.Host))}
	if len(r.Sense) > 0 {
		if s, err := scsi.DecodeSense(r.Sense); err == nil {
			words = append(words, "sense="+s.Code())
		}
	}
	if len(r.Data) > 0 && r.Status == 0 && decode != nil {
		words = append(words, decode(r.Data))
	}
	return strings.Join(words, " ")
}

func length(b []byte) string { return fmt.Sprintf("%d bytes", len(b)) }

// standard is standard INQUIRY data.
func standard(b []byte) string {
	d, err := scsi.DecodeInquiry(b)
	if err != nil {
		return length(b) + ", too short"
	}
	return fmt.Sprintf("qualifier %d, type %02x", b[0]>>5, d.Type)
}

// page is a VPD page: its code, and of page 0x83 what the LUN's id is made of.
// Everything else on it is the array's.
func (c *Case) page(lun string) func([]byte) string {
	return func(b []byte) string {
		if len(b) < 4 {
			return length(b)
		}
		text := fmt.Sprintf("page %02x", b[1])
		if len(b) < 4+int(b[2])<<8+int(b[3]) {
			text += " cut off"
		}
		for d, err := range scsi.Designators(b) {
			if b[1] == 0x83 && err == nil && d.Association == scsi.OfLogicalUnit && strings.EqualFold(fmt.Sprintf("%x", d.Bytes), c.rig.NAA(lun)) {
				text += ", the LUN's NAA"
			}
		}
		return text
	}
}

// groups are the target port groups that have ports.
func groups(b []byte) string {
	p, err := scsi.DecodePortGroups(b)
	if err != nil {
		return length(b) + ", cut off"
	}
	var words []string
	for _, g := range p.Groups {
		if len(g.Ports) > 0 {
			words = append(words, fmt.Sprintf("group %d %s, %d ports", g.ID, g.State, len(g.Ports)))
		}
	}
	return strings.Join(words, ", ")
}

func capacity10(b []byte) string {
	k, err := scsi.DecodeReadCapacity10(b)
	return fmt.Sprintf("%d blocks of %d, %v", k.Blocks, k.BlockLen, err)
}

func capacity16(b []byte) string {
	k, err := scsi.DecodeReadCapacity16(b)
	return fmt.Sprintf("%d blocks of %d, %v", k.Blocks, k.BlockLen, err)
}

// all is every command that Pathkeeper sends.
func (c *Case) all(symbol string) {
	c.do(symbol, "TEST UNIT READY", scsi.TestUnitReady(timeoutMS), length)
	c.do(symbol, "INQUIRY", scsi.Inquiry(timeoutMS), standard)
	for _, p := range []uint8{0x00, 0x80, 0x83} {
		c.do(symbol, fmt.Sprintf("INQUIRY page %02x", p), scsi.InquiryVPD(p, 252, timeoutMS), c.page("one"))
	}
	c.do(symbol, "READ CAPACITY(10)", scsi.ReadCapacity10(timeoutMS), capacity10)
	c.do(symbol, "READ CAPACITY(16)", scsi.ReadCapacity16(timeoutMS), capacity16)
	c.do(symbol, "REPORT TARGET PORT GROUPS", scsi.ReportTargetPortGroups(false, 512, timeoutMS), groups)
	c.do(symbol, "READ(10) of block 0", scsi.Read10(0, 1, 512, timeoutMS), length)
	c.do(symbol, "READ(16) of block 0", scsi.Read16(0, 1, 512, timeoutMS), length)
}

// scsiCommands is commands to a disk in every state that the host gives it.
func scsiCommands(c *Case) {
	c.all("A1")
	c.note("what the device refuses")
	for _, p := range []uint8{0xc0, 0xc9, 0xff} {
		c.do("A1", fmt.Sprintf("INQUIRY page %02x", p), scsi.InquiryVPD(p, 252, timeoutMS), c.page("one"))
	}
	c.do("A1", "INQUIRY page code without EVPD", scsi.Request{CDB: []byte{0x12, 0, 0x83, 0, 252, 0}, InLen: 252, TimeoutMS: timeoutMS}, length)
	c.do("A1", "READ(10) beyond the end", scsi.Read10(sizeOfOne, 1, 512, timeoutMS), length)
	c.do("A1", "READ(16) over the end", scsi.Read16(sizeOfOne-1, 2, 512, timeoutMS), length)
	c.do("A1", "READ(10) of nothing", scsi.Request{CDB: []byte{0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0}, TimeoutMS: timeoutMS}, length)
	c.do("A1", "a command of a vendor", scsi.Request{CDB: []byte{0xc1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, TimeoutMS: timeoutMS}, length)
	c.note("less room than there is data")
	for _, n := range []uint16{0, 4, 5, 8, 36} {
		c.do("A1", fmt.Sprintf("INQUIRY into %d bytes", n), scsi.Request{CDB: []byte{0x12, 0, 0, byte(n >> 8), byte(n), 0}, InLen: uint32(n), TimeoutMS: timeoutMS}, length)
		c.do("A1", fmt.Sprintf("INQUIRY page 83 into %d bytes", n), scsi.Request{CDB: []byte{0x12, 1, 0x83, byte(n >> 8), byte(n), 0}, InLen: uint32(n), TimeoutMS: timeoutMS}, length)
	}
	for _, n := range []uint32{4, 8, 12} {
		c.do("A1", fmt.Sprintf("REPORT TARGET PORT GROUPS into %d bytes", n), scsi.ReportTargetPortGroups(false, n, timeoutMS), length)
	}
	c.note("offline")
	c.set("A1", "offline\n")
	c.all("A1")
	c.set("A1", "running\n")
	c.do("A1", "TEST UNIT READY", scsi.TestUnitReady(timeoutMS), length)
	c.note("a cut cable")
	c.check("cut", c.rig.Cut("A1", true))
	c.all("A1")
	c.mend("A1")
	c.do("A1", "TEST UNIT READY", scsi.TestUnitReady(timeoutMS), length)
	c.note("deleted")
	c.writeAttr("A1", "device/delete", "1")
	c.do("A1", "TEST UNIT READY", scsi.TestUnitReady(timeoutMS), length)
	c.do("A1", "INQUIRY", scsi.Inquiry(timeoutMS), standard)
	c.check("rescan", c.rig.Rescan("A1"))
	c.do("A1", "TEST UNIT READY", scsi.TestUnitReady(timeoutMS), length)
	c.uevents(2)
}

// scsiAccess is commands to paths in every asymmetric access state.
func scsiAccess(c *Case) {
	for _, s := range []struct {
		name string
		code uint8
	}{{"nonoptimized", 1}, {"standby", 2}, {"unavailable", 3}, {"transitioning", 15}, {"optimized", 0}} {
		c.note("controller B " + s.name)
		c.check("access", c.rig.Access("one", "B", s.code))
		c.note("the first command on a path of each controller, then all")
		c.do("B1", "TEST UNIT READY", scsi.TestUnitReady(timeoutMS), length)
		c.do("A1", "TEST UNIT READY", scsi.TestUnitReady(timeoutMS), length)
		c.uevents(1)
		c.all("B1")
		c.do("A1", "REPORT TARGET PORT GROUPS", scsi.ReportTargetPortGroups(false, 512, timeoutMS), groups)
	}
}
