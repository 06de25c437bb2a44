package sim

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Access is the state of a target port group (SPC-4 table 201).
type Access uint8

// Access states.
const (
	Optimized     Access = 0x0
	NonOptimized  Access = 0x1
	Standby       Access = 0x2
	Unavailable   Access = 0x3
	Offline       Access = 0xe
	Transitioning Access = 0xf
)

// What a LUN's TPGS says it can do (SPC-4 6.6.2, table 156).
const (
	TPGSImplicit = 1
	TPGSExplicit = 2
)

// LUN is one logical unit of an array.
type LUN struct {
	Name    string // for people
	NAA     string // 16 or 32 hex digits of its NAA designator; "" for a disk behind libata
	Vendor  string
	Product string
	Serial  string
	Sectors uint64
	TPGS    uint8 // 0 none, 1 implicit, 2 explicit, 3 both
	// OneOwner: where a group becomes optimized by command, the one that was so
	// becomes non-optimized, as in arrays whose controllers own a LUN in turns.
	OneOwner bool
	// ReadOnly: writes are refused with DATA PROTECT. The kernel sees it when it
	// looks at the device again (Disk.Rescan).
	ReadOnly bool
	// NoCapacity: the kernel does not learn the size of a disk that is found while
	// its port is unavailable or offline, because READ CAPACITY is refused then
	// (SPC-4 5.11.2.4.5). Without it the disk gets its size nevertheless.
	NoCapacity bool
	// Pages takes the place of vital product data pages, by code: whole pages
	// with their header, as short or wrong as they are; nil: the page is refused.
	// See Page83.
	Pages map[uint8][]byte
	// ID is what WWID says of a LUN whose Pages make another id than its NAA.
	ID string

	w      *World
	number int         // in the order of AddLUN
	groups []portGroup // sorted by id
	blocks map[uint64]uint64
	quirks []*Quirk

	switches int // SET TARGET PORT GROUPS that a kernel has sent
}

type portGroup struct {
	id     int
	access Access
	pref   bool
	ports  []int // relative target ports
}

// AddLUN makes a logical unit; nothing leads to it yet. Empty fields get values
// of an implicit ALUA array.
func (w *World) AddLUN(l LUN) *LUN {
	if l.Sectors == 0 {
		l.Sectors = 1 << 21
	}
	if l.Vendor == "" {
		l.Vendor, l.Product = "SIMULATE", "ALUA ARRAY"
		l.TPGS = max(l.TPGS, TPGSImplicit)
	}
	if l.NAA == "" && l.Vendor != "ATA" {
		l.NAA = fmt.Sprintf("600140500000%04x%016x", len(w.luns)+1, 0x5100+len(w.luns))
	}
	if l.Serial == "" {
		l.Serial = fmt.Sprintf("SN%06d", len(w.luns)+1)
	}
	l.w, l.number, l.blocks = w, len(w.luns), map[uint64]uint64{}
	w.luns = append(w.luns, &l)
	return &l
}

// LUNs gives all logical units in the order in which they were made.
func (w *World) LUNs() []*LUN { return slices.Clone(w.luns) }

// WWID is the id that the LUN's page 0x83 makes.
func (l *LUN) WWID() string {
	if l.ID != "" {
		return l.ID
	}
	return "3" + l.NAA
}

// Disks gives the paths that lead to the LUN now.
func (l *LUN) Disks() []*Disk {
	var out []*Disk
	for _, d := range l.w.disks {
		if d.lun == l {
			out = append(out, d)
		}
	}
	return out
}

// SetAccess moves a target port group into a state, without a word: see
// AnnounceAccess.
func (l *LUN) SetAccess(tpg int, a Access) { l.group(tpg).access = a }

// SetPreferred sets a target port group's preferred bit.
func (l *LUN) SetPreferred(tpg int, pref bool) { l.group(tpg).pref = pref }

// Access is the state of a target port group.
func (l *LUN) Access(tpg int) Access { return l.group(tpg).access }

// Switches counts the times that a kernel has asked for another controller.
func (l *LUN) Switches() int { return l.switches }

// AnnounceAccess has every path hear ASYMMETRIC ACCESS STATE CHANGED at its next
// command (SPC-4 5.11.2.1).
func (l *LUN) AnnounceAccess() { l.Attention(0x2a, 0x06) }

// Attention puts a unit attention before the next command of every path.
func (l *LUN) Attention(asc, ascq uint8) {
	for _, d := range l.Disks() {
		d.Attention(asc, ascq)
	}
}

// Resize changes the LUN's size. Blocks beyond a smaller one are lost. Every
// path hears CAPACITY DATA HAS CHANGED at its next command (SBC-3 4.7.3); the
// size that the kernel shows changes only when the disk is looked at again
// (Disk.Rescan).
func (l *LUN) Resize(sectors uint64) {
	l.Sectors = sectors
	for n := range l.blocks {
		if n >= sectors {
			delete(l.blocks, n)
		}
	}
	l.Attention(0x2a, 0x09)
}

// SetReadOnly changes the LUN's write protection. Every path hears MODE
// PARAMETERS CHANGED; the kernel's `ro` changes when it looks again.
func (l *LUN) SetReadOnly(ro bool) {
	l.ReadOnly = ro
	l.Attention(0x2a, 0x01)
}

// Blocks says how many blocks were ever written.
func (l *LUN) Blocks() int { return len(l.blocks) }

func (l *LUN) group(id int) *portGroup {
	i, ok := slices.BinarySearchFunc(l.groups, id, func(g portGroup, id int) int { return g.id - id })
	if !ok {
		l.groups = slices.Insert(l.groups, i, portGroup{id: id})
	}
	return &l.groups[i]
}

// seen notes that the LUN is reached through a relative port of a group.
func (l *LUN) seen(tpg, port int) {
	g := l.group(tpg)
	if !slices.Contains(g.ports, port) {
		g.ports = append(g.ports, port)
	}
}

// setGroups is SET TARGET PORT GROUPS (SPC-4 6.42): the group becomes what is
// asked for. Every other nexus hears of it.
func (l *LUN) setGroups(by *Disk, params []byte) *sense {
	if l.TPGS&TPGSExplicit == 0 {
		return &sense{0x5, 0x20, 0x00}
	}
	if len(params) < 8 || len(params)%4 != 0 {
		return &sense{0x5, 0x1a, 0x00} // PARAMETER LIST LENGTH ERROR
	}
	for p := params[4:]; len(p) > 0; p = p[4:] {
		id, want := int(binary.BigEndian.Uint16(p[2:])), Access(p[0]&0x0f)
		i, known := slices.BinarySearchFunc(l.groups, id, func(g portGroup, id int) int { return g.id - id })
		if !known || want > Unavailable && want != Offline {
			return &sense{0x5, 0x26, 0x00} // INVALID FIELD IN PARAMETER LIST
		}
		for j := range l.groups {
			if l.OneOwner && want == Optimized && j != i && l.groups[j].access == Optimized {
				l.groups[j].access = NonOptimized
			}
		}
		l.groups[i].access = want
	}
	for _, d := range l.Disks() {
		if d != by {
			d.Attention(0x2a, 0x06)
		}
	}
	return nil
}

// block is what a read of a block gives: its stamp, then zeros.
func (l *LUN) block(n uint64) []byte {
	b := make([]byte, 512)
	binary.BigEndian.PutUint64(b, l.blocks[n])
	return b
}

// refusal is what a write meets at the LUN, nil if it is taken.
func (l *LUN) refusal(block uint64) *sense {
	switch {
	case l.ReadOnly:
		return &sense{0x7, 0x27, 0x00}
	case block >= l.Sectors:
		return &sense{0x5, 0x21, 0x00}
	}
	return nil
}
