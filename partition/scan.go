// Package partition reads partition tables and says which device-mapper maps they
// want: GPT and DOS tables from blocks that it asks for, and the steps from the
// partition maps that are there to those that should be. It does no I/O.
//
// Sources: UEFI specification 2.10, 5.2 and 5.3; the kernel's block/partitions
// (msdos.c, efi.c); what kpartx 0.9.4 was seen to make of the same images.
package partition

import (
	"fmt"

	"pathkeeper/dmmap/table"
)

// Scheme is a kind of partition table.
type Scheme uint8

// The kinds that are read. Others (BSD, Solaris, UnixWare, DASD, Mac, Sun, PS3) are
// not: their disks count as disks without a table.
const (
	SchemeNone Scheme = iota // no table that is read here
	SchemeGPT
	SchemeDOS
)

// String is kpartx's name of the kind: "gpt" or "dos"; "none".
func (s Scheme) String() string {
	switch s {
	case SchemeGPT:
		return "gpt"
	case SchemeDOS:
		return "dos"
	}
	return "none"
}

// Device is what is known of the disk before its first block is read.
type Device struct {
	Size       table.Sectors
	BlockBytes int // the logical block size, in which tables count
}

// Options narrow what is read.
type Options struct {
	Only     Scheme // only this kind; SchemeNone: each in turn, GPT first
	ForceGPT bool   // a GPT counts though sector 0 does not say that there is one
}

// Partition is one entry of a table that has a size.
type Partition struct {
	Number      int // as the kernel counts: GPT by entry, DOS 1 to 4, logical ones from 5
	Start, Size table.Sectors
	// Container is the number of the extended partition that a logical one lies in,
	// 0 none.
	Container int
}

// End is the sector behind the last.
func (p Partition) End() table.Sectors { return p.Start + p.Size }

// overlaps says whether two pieces of a disk have a sector in common.
func (p Partition) overlaps(q Partition) bool { return p.Start < q.End() && q.Start < p.End() }

// Table is what a disk says of its partitions, ordered by number.
type Table struct {
	Scheme     Scheme
	Backup     bool // the first GPT is damaged, this is the one at the disk's end
	Partitions []Partition
	Notes      []string // what is odd about it
	// Incomplete says why there may be partitions beyond those, "" there are none.
	Incomplete string
	// Bad says why the disk could not be read, "" it could. Nothing is known of its
	// partitions then.
	Bad string
}

// MaxPartitions is the highest number of a partition, as kpartx has it.
const MaxPartitions = 256

// maxNotes bounds what a hostile table can have said about it.
const maxNotes = 20

func (t *Table) note(format string, args ...any) {
	if len(t.Notes) < maxNotes {
		t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
	}
}

// Block is a piece of the disk that shall be read; both are multiples of the
// device's block size.
type Block struct {
	Offset int64
	Bytes  int
}

// MaxBlockBytes is the longest piece that is asked for.
const MaxBlockBytes = 1 << 20

// Scan reads one disk's table: ask Want, answer it, until there is none.
type Scan struct {
	dev    Device
	opt    Options
	blocks map[Block][]byte // nil: cannot be read
	why    string           // the first that could not be read
	want   Block
	open   bool
	table  Table
}

// Start begins to read a disk.
func Start(d Device, o Options) *Scan {
	s := &Scan{dev: d, opt: o, blocks: map[Block][]byte{}}
	if d.BlockBytes < 512 || d.BlockBytes > 64<<10 || d.BlockBytes&(d.BlockBytes-1) != 0 {
		s.table.Bad = fmt.Sprintf("its block size is %d bytes", d.BlockBytes)
		return s
	}
	s.run()
	return s
}

// Want is the block that is read next; false: the table is there.
func (s *Scan) Want() (Block, bool) { return s.want, s.open }

// Answer brings the block that Want asked for. bad says why it could not be read; one
// that is too short counts as that.
func (s *Scan) Answer(data []byte, bad string) {
	if !s.open {
		return
	}
	if bad == "" && len(data) < s.want.Bytes {
		bad = fmt.Sprintf("%d bytes of %d", len(data), s.want.Bytes)
	}
	if bad != "" {
		data = nil
		if s.why == "" {
			s.why = fmt.Sprintf("reading %d bytes at %d: %s", s.want.Bytes, s.want.Offset, bad)
		}
	}
	s.blocks[s.want], s.open = data, false
	s.run()
}

// Table is the result, once Want has nothing more to ask for.
func (s *Scan) Table() Table { return s.table }

// ReadAt reads the table with a function that reads the disk.
func ReadAt(d Device, o Options, read func(offset int64, bytes int) ([]byte, error)) Table {
	s := Start(d, o)
	for {
		b, ok := s.Want()
		if !ok {
			return s.Table()
		}
		data, err := read(b.Offset, b.Bytes)
		bad := ""
		if err != nil {
			bad = err.Error()
		}
		s.Answer(data, bad)
	}
}

// run reads the table from its beginning with the blocks that are there, and stops
// at the first that is not. There are few blocks, so that beginning anew is cheap,
// and the readers are written as if everything could be read at once.
func (s *Scan) run() {
	s.table = Table{}
	if s.opt.Only != SchemeDOS && (s.gpt() || s.open) {
		return
	}
	if s.opt.Only != SchemeGPT && (s.dos() || s.open) {
		return
	}
	s.table = Table{Notes: s.table.Notes, Bad: s.why}
}

// doubt says that what was found may not be all.
func (s *Scan) doubt(format string, args ...any) {
	s.table.note(format, args...)
	if s.table.Incomplete == "" {
		s.table.Incomplete = fmt.Sprintf(format, args...)
	}
}

// block gives a piece of the disk from byte offset on, nil if it is not there yet, or
// beyond the end, or cannot be read.
func (s *Scan) block(offset uint64, bytes int) []byte {
	size := uint64(s.dev.BlockBytes)
	bytes = (bytes + int(size) - 1) / int(size) * int(size)
	if s.open || offset%size != 0 || bytes > MaxBlockBytes || offset/512 > uint64(s.dev.Size) || uint64(s.dev.Size)-offset/512 < uint64(bytes/512) {
		return nil
	}
	b := Block{int64(offset), bytes}
	data, there := s.blocks[b]
	if !there {
		s.want, s.open = b, true
	}
	return data
}

// sectors turns a count of the device's blocks into one of sectors.
func (s *Scan) sectors(blocks uint64) table.Sectors {
	return table.Sectors(blocks * uint64(s.dev.BlockBytes/512))
}
