package partition

import (
	"encoding/binary"
)

// Types of entries of a DOS table.
const (
	dosExtended   = 0x05
	dosExtendedLB = 0x0f
	dosExtendedLX = 0x85
	dosProtective = 0xee
)

// dosRecord is one entry of a DOS table, counted in the device's blocks.
type dosRecord struct {
	boot, kind  byte
	start, size uint32
}

func (r dosRecord) extended() bool {
	return r.kind == dosExtended || r.kind == dosExtendedLB || r.kind == dosExtendedLX
}

// dosEntry reads entry i, from 0, of a block that dosMagic has seen.
func dosEntry(b []byte, i int) dosRecord {
	e := b[446+16*i:]
	return dosRecord{boot: e[0], kind: e[4], start: binary.LittleEndian.Uint32(e[8:]), size: binary.LittleEndian.Uint32(e[12:])}
}

// dosMagic says whether a block may be a boot record at all.
func dosMagic(b []byte) bool { return len(b) >= 512 && b[510] == 0x55 && b[511] == 0xaa }

// dos reads a DOS table. false: there is none, or a block is still to be read.
func (s *Scan) dos() bool {
	b := s.block(0, s.dev.BlockBytes)
	if !dosMagic(b) {
		return false
	}
	var primary [4]dosRecord
	for i := range primary {
		primary[i] = dosEntry(b, i)
		if primary[i].kind == dosProtective {
			return false // a GPT's, whose partitions these are not
		}
		if primary[i].boot&0x7f != 0 {
			return false // the code of a boot sector: a file system on the whole disk
		}
	}
	s.table.Scheme = SchemeDOS
	for i, r := range primary {
		if r.size == 0 {
			continue
		}
		p := Partition{Number: i + 1, Start: s.sectors(uint64(r.start)), Size: s.sectors(uint64(r.size))}
		if r.extended() {
			p.Size = s.extendedSize(p.Size)
		}
		s.add(p)
	}
	next := 5
	for i, r := range primary {
		if r.extended() && r.size != 0 {
			next = s.logical(i+1, r, next)
		}
	}
	return !s.open
}

// logical follows the chain of boot records of an extended partition: each has one
// logical partition and says where the next record is, relative to the extended one.
// An entry without size takes a number too, as kpartx counts. It gives the next free
// number.
func (s *Scan) logical(container int, ext dosRecord, next int) int {
	seen := map[uint64]bool{}
	for here, more := uint64(ext.start), true; more; {
		if seen[here] {
			s.doubt("the records of extended partition %d lead in a circle at block %d", container, here)
			return next
		}
		seen[here], more = true, false
		b := s.block(here*uint64(s.dev.BlockBytes), s.dev.BlockBytes)
		if s.open {
			return next
		}
		if b != nil && !dosMagic(b) && here == uint64(ext.start) {
			return next // made, and never written to: it is empty
		}
		if !dosMagic(b) {
			s.doubt("extended partition %d has no readable record at block %d: what comes behind it is not known", container, here)
			return next
		}
		at := here
		for i := range 2 {
			r := dosEntry(b, i)
			if r.extended() {
				if r.size != 0 && !more {
					here, more = uint64(ext.start)+uint64(r.start), true
				}
				continue
			}
			if next > MaxPartitions {
				s.table.note("partition %d: numbers above %d are left out", next, MaxPartitions)
				return next
			}
			if r.size != 0 {
				s.add(Partition{Number: next, Start: s.sectors(at + uint64(r.start)), Size: s.sectors(uint64(r.size)), Container: container})
			}
			next++
		}
	}
	return next
}
