package mpath

import (
	"slices"

	"pathkeeper/dmmap/table"
	"pathkeeper/scsi"
)

// A device in a table that is no path by what is known may not have been looked at
// yet, or cannot say now who it is. That is no departure: a map gives a device up
// only where it is known to have left, or to be another LUN.

// departed says whether a device of a map's table does not belong there any more.
func (mc *Machine) departed(m *mmap, d table.DevNum) bool {
	p := mc.pathByDev(d)
	if p == nil {
		_, gone := slices.BinarySearchFunc(mc.gone, d, table.DevNum.Compare)
		return gone
	}
	return p.wwid != m.wwid && p.seen.Identity.WWID != ""
}

// leadsElsewhere says whether the device itself has said that it is another LUN than
// the map: what is written there would be written into a stranger, so that it is
// failed even in a map that was never ours. Whoever made the map may have named it by
// a rule that we do not know (uid_attribute, getuid_callout); only where both ids are
// NAA designators, as page 0x83 has them, do two of them mean two LUNs.
func (mc *Machine) leadsElsewhere(m *mmap, d table.DevNum) bool {
	p := mc.pathByDev(d)
	if p == nil || p.wwid == m.wwid || !p.seen.Fresh || !scsi.IsNAA(m.wwid) || !scsi.IsNAA(p.seen.Identity.WWID) {
		return false
	}
	_, same := p.seen.Identity.Has(m.wwid)
	return !same
}

func (mc *Machine) addGone(d table.DevNum) {
	if i, ok := slices.BinarySearchFunc(mc.gone, d, table.DevNum.Compare); !ok {
		mc.gone = slices.Insert(slices.Clone(mc.gone), i, d)
	}
}

// findGone goes through the tables after a scan.
func (mc *Machine) findGone() {
	mc.gone = nil
	for _, m := range mc.maps {
		for _, d := range m.have.Table.Devs() {
			if _, here := slices.BinarySearchFunc(mc.present, d, table.DevNum.Compare); !here && mc.pathByDev(d) == nil {
				mc.addGone(d)
				mc.touch(m)
			}
		}
	}
}

// missing has the disks listed again where a table has a device that the last list
// had not and nobody has seen.
func (mc *Machine) missing(m *mmap) {
	for _, d := range m.have.Table.Devs() {
		_, here := slices.BinarySearchFunc(mc.present, d, table.DevNum.Compare)
		_, gone := slices.BinarySearchFunc(mc.gone, d, table.DevNum.Compare)
		if !here && !gone && mc.scanned && mc.pathByDev(d) == nil {
			mc.scanAt = mc.now
		}
	}
}
