package sim

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// sense is a key with its additional code and qualifier.
type sense struct{ key, asc, ascq uint8 }

// fixed is the fixed format (SPC-4 4.5.3).
func (s sense) fixed() []byte {
	b := make([]byte, 18)
	b[0], b[2], b[7], b[12], b[13] = 0x70, s.key, 10, s.asc, s.ascq
	return b
}

// SCSI is the world's scsi.Port.
type SCSI struct{ w *World }

const (
	eNXIO  = 6
	eIO    = 5
	eBUSY  = 16
	eEXIST = 17
	eNODEV = 19
	eINVAL = 22
	eROFS  = 30
	eNOTTY = 25
)

// Do implements scsi.Port.
func (p SCSI) Do(device string, r scsi.Request) scsi.Response {
	d := p.w.Disk(device)
	p.w.cost(50*mpath.Millisecond/1000, commandCost)
	if d == nil {
		return scsi.Response{Errno: eNXIO}
	}
	if len(r.CDB) < 6 {
		return scsi.Response{Errno: eINVAL}
	}
	if !d.online() || d.fault == NoConnect {
		return scsi.Response{Host: scsi.HostNoConnect}
	}
	if d.fault == Hung {
		p.w.cost(mpath.Span(r.TimeoutMS)*mpath.Millisecond, 0)
		return scsi.Response{Host: scsi.HostTimeOut}
	}
	const inquiry = 0x12
	if r.CDB[0] != inquiry && len(d.ua) > 0 {
		return check(d.attention())
	}
	data, bad := d.command(r.CDB)
	if bad != nil {
		return check(*bad)
	}
	return scsi.Response{Data: data[:min(len(data), int(r.InLen))]}
}

func check(s sense) scsi.Response {
	return scsi.Response{Status: scsi.StatusCheckCondition, Sense: s.fixed()}
}

// attention takes the oldest unit attention, of which the kernel tells udevd
// (drivers/scsi/scsi_error.c, scsi_report_sense).
func (d *Disk) attention() sense {
	s := d.ua[0]
	d.ua = d.ua[1:]
	text := ""
	switch [2]uint8{s.asc, s.ascq} {
	case [2]uint8{0x3f, 0x03}:
		text = "SDEV_UA=INQUIRY_DATA_HAS_CHANGED"
	case [2]uint8{0x3f, 0x0e}:
		text = "SDEV_UA=REPORTED_LUNS_DATA_HAS_CHANGED"
	case [2]uint8{0x2a, 0x06}:
		text = "SDEV_UA=ASYMMETRIC_ACCESS_STATE_CHANGED"
	case [2]uint8{0x2a, 0x09}:
		text = "SDEV_UA=CAPACITY_DATA_HAS_CHANGED"
	}
	if s.asc == 0x29 {
		text = "SDEV_UA=POWER_ON_RESET_OCCURRED"
	}
	if text != "" {
		d.w.uevent(d.event("change", text))
	}
	return s
}

func (d *Disk) online() bool {
	return !d.gone && d.State != "offline" && d.State != "transport-offline"
}

// command carries out one CDB at the LUN.
func (d *Disk) command(cdb []byte) (data []byte, bad *sense) {
	if d.lun == nil {
		if cdb[0] == 0x12 { // no unit here: qualifier 3, type 1Fh (SPC-4 6.6.2)
			b := make([]byte, 36)
			b[0] = 0x7f
			return b, nil
		}
		return nil, &sense{0x5, 0x25, 0x00}
	}
	switch cdb[0] {
	case 0x12:
		return d.inquire(cdb)
	case 0xa3:
		if cdb[1]&0x1f == 0x0a && len(cdb) == 12 {
			return d.portGroups(cdb)
		}
	case 0x00:
		return nil, d.notReady()
	case 0x28, 0x88:
		return d.read(cdb)
	case 0x25:
		return d.capacity(8)
	case 0x9e:
		if cdb[1]&0x1f == 0x10 {
			return d.capacity(32)
		}
	}
	return nil, &sense{0x5, 0x20, 0x00}
}

// notReady is what a medium access command meets (SPC-4 5.11.2.4.4 and on).
func (d *Disk) notReady() *sense {
	switch d.access() {
	case Standby:
		return &sense{0x2, 0x04, 0x0b}
	case Unavailable:
		return &sense{0x2, 0x04, 0x0c}
	case Transitioning:
		return &sense{0x2, 0x04, 0x0a}
	}
	return nil
}

func (d *Disk) inquire(cdb []byte) ([]byte, *sense) {
	n := int(binary.BigEndian.Uint16(cdb[3:]))
	var b []byte
	switch {
	case cdb[1]&1 == 0 && cdb[2] == 0:
		b = d.lun.inquiry()
	case cdb[1]&1 == 1 && cdb[2] == 0x00:
		b = d.lun.vpd00()
	case cdb[1]&1 == 1 && cdb[2] == 0x80:
		b = d.lun.vpd80()
	case cdb[1]&1 == 1 && cdb[2] == 0x83:
		b = d.lun.vpd83(d)
	default:
		return nil, &sense{0x5, 0x24, 0x00}
	}
	return b[:min(n, len(b))], nil
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
	case cdb[0] == 0x28 && len(cdb) == 10:
		lba, n = uint64(binary.BigEndian.Uint32(cdb[2:])), uint32(binary.BigEndian.Uint16(cdb[7:]))
	case cdb[0] == 0x88 && len(cdb) == 16:
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

// capacity answers READ CAPACITY(10) and (16) (SBC-3 5.12, 5.13).
func (d *Disk) capacity(n int) ([]byte, *sense) {
	if bad := d.notReady(); bad != nil {
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

func padded(s string, n int) string {
	return (s + strings.Repeat(" ", n))[:n]
}

// inquiry is the standard INQUIRY data (SPC-4 6.6.2).
func (l *LUN) inquiry() []byte {
	b := make([]byte, 36)
	b[2], b[3], b[4], b[5] = 0x06, 0x02, 31, l.TPGS<<4
	copy(b[8:], padded(l.Vendor, 8)+padded(l.Product, 16)+padded("0001", 4))
	return b
}

func page(code byte, body []byte) []byte {
	return append([]byte{0, code, byte(len(body) >> 8), byte(len(body))}, body...)
}

func (l *LUN) vpd00() []byte { return page(0x00, []byte{0x00, 0x80, 0x83}) }

func (l *LUN) vpd80() []byte {
	if l.Vendor == "ATA" {
		return page(0x80, []byte(padded(l.Serial, 20)))
	}
	return page(0x80, []byte(l.Serial))
}

// vpd83 has the LUN's NAA designator, and of the port that is asked its relative
// number and its group (SPC-4 7.8.6); behind libata what ata_scsiop_inq_83 writes.
func (l *LUN) vpd83(d *Disk) []byte {
	var b []byte
	add := func(codeSet, kind byte, id []byte) { b = append(append(b, codeSet, kind, 0, byte(len(id))), id...) }
	if l.Vendor == "ATA" {
		add(0x02, 0x00, []byte(padded(l.Serial, 20)))
		add(0x02, 0x01, []byte("ATA     "+padded(l.Product, 40)+padded(l.Serial, 20)))
		if l.NAA != "" {
			add(0x01, 0x03, l.naa())
		}
		return page(0x83, b)
	}
	add(0x01, 0x03, l.naa())
	add(0x01, 0x14, []byte{0, 0, byte(d.Port >> 8), byte(d.Port)})
	if l.TPGS != 0 {
		add(0x01, 0x15, []byte{0, 0, byte(d.TPG >> 8), byte(d.TPG)})
	}
	return page(0x83, b)
}

func (l *LUN) naa() []byte {
	b, err := hex.DecodeString(l.NAA)
	if err != nil {
		panic("sim: NAA of " + l.Name + ": " + err.Error())
	}
	return b
}
