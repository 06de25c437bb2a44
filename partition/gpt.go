package partition

import (
	"encoding/binary"
	"hash/crc32"

	"pathkeeper/dmmap/table"
)

// The header of a GPT, UEFI 5.3.2. All numbers are little-endian.
const (
	gptSignature  = "EFI PART"
	gptHeaderMin  = 92
	gptOffSize    = 12 // uint32, bytes of the header that its sum is over
	gptOffCRC     = 16 // uint32, taken with itself as 0
	gptOffSelf    = 24 // uint64, block of this header
	gptOffFirst   = 40 // uint64, first block that a partition may have
	gptOffLast    = 48 // uint64, the last
	gptOffArray   = 72 // uint64, first block of the entries
	gptOffCount   = 80 // uint32
	gptOffEntry   = 84 // uint32, bytes of one entry
	gptOffSum     = 88 // uint32, of all entries
	gptEntryMin   = 128
	gptEntryMax   = 4096
	gptEntryStart = 32 // uint64, first block
	gptEntryEnd   = 40 // uint64, last block
)

// gpt reads a GPT, the one at the disk's end if the first is damaged. false: there is
// none, or a block is still to be read.
func (s *Scan) gpt() bool {
	blocks := uint64(s.dev.Size) / uint64(s.dev.BlockBytes/512)
	if blocks < 3 {
		return false
	}
	head := s.header(1)
	if s.open {
		return false
	}
	backup := false
	if head == nil {
		if head = s.header(blocks - 1); s.open || head == nil {
			return false
		}
		backup = true
	}
	guarded := s.protected()
	switch {
	case s.open:
		return false
	case !guarded && !s.opt.ForceGPT:
		s.table.note("there is a GPT, but sector 0 does not say so: it is taken for what is left of an earlier one; -g reads it all the same")
		return false
	case !guarded:
		s.table.note("sector 0 does not say that there is a GPT")
	}
	s.table.Scheme, s.table.Backup = SchemeGPT, backup
	if backup {
		s.table.note("the GPT at the beginning is damaged: the one at the end is used")
	}
	s.entries(head, blocks)
	return true
}

// header reads a header and its entries and gives both in one piece if they are whole,
// else nil.
func (s *Scan) header(lba uint64) *gptTable {
	h := s.block(lba*uint64(s.dev.BlockBytes), s.dev.BlockBytes)
	if h == nil || string(h[:8]) != gptSignature {
		return nil
	}
	size := binary.LittleEndian.Uint32(h[gptOffSize:])
	if size < gptHeaderMin || int64(size) > int64(len(h)) || binary.LittleEndian.Uint64(h[gptOffSelf:]) != lba {
		return nil
	}
	plain := append([]byte(nil), h[:size]...)
	clear(plain[gptOffCRC : gptOffCRC+4])
	if crc32.ChecksumIEEE(plain) != binary.LittleEndian.Uint32(h[gptOffCRC:]) {
		return nil
	}
	count, each := uint64(binary.LittleEndian.Uint32(h[gptOffCount:])), uint64(binary.LittleEndian.Uint32(h[gptOffEntry:]))
	if each < gptEntryMin || each > gptEntryMax || each&(each-1) != 0 || count == 0 || count*each > MaxBlockBytes {
		return nil
	}
	at := binary.LittleEndian.Uint64(h[gptOffArray:])
	if at < 2 || at > uint64(s.dev.Size) {
		return nil
	}
	array := s.block(at*uint64(s.dev.BlockBytes), int(count*each))
	if array == nil || crc32.ChecksumIEEE(array[:count*each]) != binary.LittleEndian.Uint32(h[gptOffSum:]) {
		return nil
	}
	return &gptTable{
		first: binary.LittleEndian.Uint64(h[gptOffFirst:]), last: binary.LittleEndian.Uint64(h[gptOffLast:]),
		entries: array[:count*each], each: int(each),
	}
}

// gptTable is a table whose sums are right.
type gptTable struct {
	first, last uint64
	entries     []byte
	each        int
}

// protected says whether sector 0 has a partition of type 0xee, as it has before a
// GPT: alone, or among others in a hybrid table.
func (s *Scan) protected() bool {
	b := s.block(0, s.dev.BlockBytes)
	if !dosMagic(b) {
		return false
	}
	for i := range 4 {
		if dosEntry(b, i).kind == dosProtective {
			return true
		}
	}
	return false
}

func (s *Scan) entries(h *gptTable, blocks uint64) {
	for i := 0; i*h.each < len(h.entries); i++ {
		e := h.entries[i*h.each:]
		if [16]byte(e) == ([16]byte{}) {
			continue
		}
		first, last := binary.LittleEndian.Uint64(e[gptEntryStart:]), binary.LittleEndian.Uint64(e[gptEntryEnd:])
		switch {
		case i >= MaxPartitions:
			s.table.note("partition %d: numbers above %d are left out", i+1, MaxPartitions)
			continue
		case first == 0 || last < first || last >= 1<<50:
			s.table.note("partition %d goes from block %d to %d: left out", i+1, first, last)
			continue
		case first < h.first || last > h.last:
			s.table.note("partition %d goes from block %d to %d, the table's own are %d to %d", i+1, first, last, h.first, h.last)
		}
		s.add(Partition{Number: i + 1, Start: s.sectors(first), Size: s.sectors(last - first + 1)})
	}
}

// add puts a partition into the table, and says what is odd about it.
func (s *Scan) add(p Partition) {
	if p.End() > s.dev.Size {
		s.table.note("partition %d ends at sector %d, the disk at %d", p.Number, p.End(), s.dev.Size)
	}
	for _, q := range s.table.Partitions {
		if p.overlaps(q) && (p.Container == 0 || q.Number != p.Container) {
			s.table.note("partitions %d and %d overlap", q.Number, p.Number)
		}
	}
	s.table.Partitions = append(s.table.Partitions, p)
}

// extendedSize is how much of an extended partition is mapped: enough for a boot
// loader, as the kernel does (block/partitions/msdos.c).
func (s *Scan) extendedSize(size table.Sectors) table.Sectors {
	return min(size, table.Sectors(max(s.dev.BlockBytes, 1024)/512))
}
