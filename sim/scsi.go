package sim

import (
	"encoding/binary"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// SCSI is the world's scsi.Port.
type SCSI struct{ w *World }

const (
	eINTR  = 4
	eIO    = 5
	eNXIO  = 6
	eBUSY  = 16
	eEXIST = 17
	eNODEV = 19
	eINVAL = 22
	eNOTTY = 25
	eROFS  = 30

	eOVERFLOW = 75
)

// Operation codes (SPC-4 table D.2, SBC-3 table 13).
const (
	opTestUnitReady = 0x00
	opRequestSense  = 0x03
	opInquiry       = 0x12
	opReadCapacity  = 0x25
	opRead10        = 0x28
	opWrite10       = 0x2a
	opRead16        = 0x88
	opWrite16       = 0x8a
	opServiceIn16   = 0x9e // READ CAPACITY(16)
	opReportLUNs    = 0xa0
	opMaintenanceIn = 0xa3 // REPORT TARGET PORT GROUPS
	opMaintenance   = 0xa4 // SET TARGET PORT GROUPS
)

// Do implements scsi.Port.
func (p SCSI) Do(device string, r scsi.Request) scsi.Response {
	d := p.w.Disk(device)
	p.w.cost(50*mpath.Millisecond/1000, commandCost)
	if d == nil {
		return scsi.Response{Errno: eNODEV}
	}
	if len(r.CDB) < 6 {
		return scsi.Response{Errno: eINVAL}
	}
	if resp, done := d.transport(r); done {
		return resp
	}
	q := d.quirk(r.CDB)
	if q != nil {
		if resp, done := q.before(p.w, r); done {
			return resp
		}
	}
	resp := d.pass(r)
	if q != nil {
		resp = q.after(resp)
	}
	resp.Data = resp.Data[:min(len(resp.Data), int(r.InLen))]
	return resp
}

// transport is what happens to a command on its way to the target. done: it does
// not get there.
func (d *Disk) transport(r scsi.Request) (resp scsi.Response, done bool) {
	switch {
	case d.gone || d.State == "offline": // scsi_device_state_check: DID_NO_CONNECT
		return scsi.Response{Host: scsi.HostNoConnect}, true
	case d.State == "transport-offline": // fc_remote_port_chkready, iscsi_session_chkready
		return scsi.Response{Host: scsi.HostTransportFailFast}, true
	case d.waits():
		d.w.took = Forever
		return resp, true
	case d.fault == NoConnect || d.nexus.broken:
		return scsi.Response{Host: scsi.HostNoConnect}, true
	case d.fault == Disrupted:
		return scsi.Response{Host: scsi.HostTransportDisrupted}, true
	case d.fault == Hung:
		d.w.cost(mpath.Span(r.TimeoutMS)*mpath.Millisecond, 0)
		return scsi.Response{Host: scsi.HostTimeOut}, true
	}
	return resp, false
}

// pass carries a command out at the LUN, after the kernel has dealt with the
// unit attentions before it that it does not hand on.
func (d *Disk) pass(r scsi.Request) scsi.Response {
	for len(d.ua) > 0 && r.CDB[0] != opInquiry && r.CDB[0] != opReportLUNs && r.CDB[0] != opRequestSense {
		if s := d.attention(); !d.swallows(s) {
			return check(s)
		}
	}
	data, bad := d.command(r.CDB, r.Out)
	if bad != nil {
		return check(*bad)
	}
	return scsi.Response{Data: data}
}

func check(s sense) scsi.Response {
	return scsi.Response{Status: scsi.StatusCheckCondition, Sense: s.fixed()}
}

// command carries out one CDB at the LUN.
func (d *Disk) command(cdb, out []byte) (data []byte, bad *sense) {
	switch cdb[0] {
	case opReportLUNs:
		return d.reportLUNs(cdb)
	case opRequestSense: // hands a unit attention over as data (SPC-4 6.39)
		s := sense{}
		if len(d.ua) > 0 {
			s = d.attention()
		}
		return s.fixed(), nil
	}
	if d.lun == nil {
		if cdb[0] == opInquiry { // no unit here: qualifier 3, type 1Fh (SPC-4 6.6.2)
			b := make([]byte, 36)
			b[0] = 0x7f
			return b, nil
		}
		return nil, &sense{0x5, 0x25, 0x00}
	}
	service := cdb[1] & 0x1f
	switch {
	case cdb[0] == opInquiry:
		return d.inquire(cdb)
	case cdb[0] == opMaintenanceIn && service == 0x0a && len(cdb) == 12:
		return d.portGroups(cdb)
	case cdb[0] == opMaintenance && service == 0x0a && len(cdb) == 12:
		return nil, d.lun.setGroups(d, out)
	case cdb[0] == opTestUnitReady:
		return nil, d.notReady()
	case cdb[0] == opRead10 || cdb[0] == opRead16:
		return d.read(cdb)
	case cdb[0] == opReadCapacity:
		return d.capacity(8)
	case cdb[0] == opServiceIn16 && service == 0x10:
		return d.capacity(32)
	}
	return nil, &sense{0x5, 0x20, 0x00}
}

// notReady is what a medium access command meets (SPC-4 5.11.2.4.4 and on).
func (d *Disk) notReady() *sense {
	switch d.access() {
	case Standby:
		return &sense{0x2, 0x04, 0x0b}
	case Unavailable, Offline:
		return &sense{0x2, 0x04, 0x0c}
	case Transitioning:
		return &sense{0x2, 0x04, 0x0a}
	}
	return nil
}

func (d *Disk) inquire(cdb []byte) ([]byte, *sense) {
	n := int(binary.BigEndian.Uint16(cdb[3:]))
	b, ok := d.lun.inquiry(), cdb[2] == 0
	if cdb[1]&1 == 1 {
		b, ok = d.lun.vpd(d, cdb[2])
	}
	if !ok {
		return nil, &sense{0x5, 0x24, 0x00}
	}
	return b[:min(n, len(b))], nil
}

// reportLUNs answers REPORT LUNS with what the target shows to this host (SPC-4
// 6.33). It takes REPORTED LUNS DATA HAS CHANGED away from every disk of the
// nexus.
func (d *Disk) reportLUNs(cdb []byte) ([]byte, *sense) {
	if len(cdb) != 12 {
		return nil, &sense{0x5, 0x24, 0x00}
	}
	b := make([]byte, 8)
	binary.BigEndian.PutUint32(b, uint32(8*len(d.nexus.units)))
	for _, u := range d.nexus.units {
		b = binary.BigEndian.AppendUint64(b, scsiLUN(u.number))
	}
	for _, o := range d.nexus.disks() {
		o.forgetAttention(0x3f, 0x0e)
	}
	n := int(binary.BigEndian.Uint32(cdb[6:]))
	return b[:min(n, len(b))], nil
}

// scsiLUN is int_to_scsilun for numbers below 2^14: peripheral addressing below
// 256, else flat space (SAM-5 4.7.7).
func scsiLUN(number uint64) uint64 {
	if number > 0xff {
		number |= 0x4000
	}
	return number << 48
}

// portGroups answers REPORT TARGET PORT GROUPS (SPC-4 6.37).
func (d *Disk) portGroups(cdb []byte) ([]byte, *sense) {
	if d.lun.TPGS == 0 {
		return nil, &sense{0x5, 0x20, 0x00}
	}
	b := make([]byte, 4)
	for _, g := range d.lun.groups {
		e := []byte{byte(g.access), 0x8f, byte(g.id >> 8), byte(g.id), 0, 2, 0, byte(len(g.ports))}
		if g.pref {
			e[0] |= 0x80
		}
		for _, p := range g.ports {
			e = append(e, 0, 0, byte(p>>8), byte(p))
		}
		b = append(b, e...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	n := int(binary.BigEndian.Uint32(cdb[6:]))
	return b[:min(n, len(b))], nil
}

func (d *Disk) read(cdb []byte) ([]byte, *sense) {
	var lba uint64
	var n uint32
	switch {
	case cdb[0] == opRead10 && len(cdb) == 10:
		lba, n = uint64(binary.BigEndian.Uint32(cdb[2:])), uint32(binary.BigEndian.Uint16(cdb[7:]))
	case cdb[0] == opRead16 && len(cdb) == 16:
		lba, n = binary.BigEndian.Uint64(cdb[2:]), binary.BigEndian.Uint32(cdb[10:])
	default:
		return nil, &sense{0x5, 0x24, 0x00}
	}
	if bad := d.notReady(); bad != nil {
		return nil, bad
	}
	if lba+uint64(n) > d.lun.Sectors || n > 1<<14 {
		return nil, &sense{0x5, 0x21, 0x00}
	}
	var b []byte
	for i := range uint64(n) {
		b = append(b, d.lun.block(lba+i)...)
	}
	return b, nil
}

// capacity answers READ CAPACITY(10) and (16) (SBC-3 5.12, 5.13), also in
// standby, as LIO does.
func (d *Disk) capacity(n int) ([]byte, *sense) {
	if bad := d.notReady(); bad != nil && d.access() != Standby {
		return nil, bad
	}
	b := make([]byte, n)
	last := d.lun.Sectors - 1
	if n == 8 {
		binary.BigEndian.PutUint32(b, uint32(min(last, 1<<32-1)))
		binary.BigEndian.PutUint32(b[4:], 512)
		return b, nil
	}
	binary.BigEndian.PutUint64(b, last)
	binary.BigEndian.PutUint32(b[8:], 512)
	return b, nil
}
