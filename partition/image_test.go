package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"

	"pathkeeper/dmmap/table"
)

// image is a disk made in a test.
type image struct {
	bytes []byte
	block int
	bad   map[int64]bool // offsets that cannot be read
	reads int
}

func newImage(sectors, block int) *image {
	return &image{bytes: make([]byte, sectors*512), block: block, bad: map[int64]bool{}}
}

func (m *image) device() Device {
	return Device{Size: table.Sectors(len(m.bytes) / 512), BlockBytes: m.block}
}

func (m *image) read(off int64, n int) ([]byte, error) {
	m.reads++
	if off < 0 || n <= 0 || n > MaxBlockBytes || off%int64(m.block) != 0 || n%m.block != 0 || off+int64(n) > int64(len(m.bytes)) {
		return nil, fmt.Errorf("asked for %d bytes at %d of %d in blocks of %d", n, off, len(m.bytes), m.block)
	}
	if m.bad[off] {
		return nil, errors.New("input/output error")
	}
	return m.bytes[off : off+int64(n)], nil
}

func (m *image) at(lba int) []byte { return m.bytes[lba*m.block:] }

func (m *image) table(t *testing.T, o Options) Table {
	t.Helper()
	got := ReadAt(m.device(), o, m.read)
	if m.reads > MaxPartitions+10 {
		t.Errorf("%d reads", m.reads)
	}
	return got
}

// entry is one line of a DOS table.
type entry struct {
	kind        byte
	start, size uint32
	boot        byte
}

func (m *image) dos(lba int, entries ...entry) *image {
	b := m.at(lba)
	b[510], b[511] = 0x55, 0xaa
	for i, e := range entries {
		r := b[446+16*i:]
		r[0], r[4] = e.boot, e.kind
		binary.LittleEndian.PutUint32(r[8:], e.start)
		binary.LittleEndian.PutUint32(r[12:], e.size)
	}
	return m
}

// gptEntry is one line of a GPT.
type gptEntry struct {
	n           int
	first, last uint64
}

// gptShape is what may be odd about a GPT.
type gptShape struct {
	count, each int
	headerBytes int
}

// gpt writes both tables and the protective record before them.
func (m *image) gpt(entries ...gptEntry) *image {
	return m.gptOf(gptShape{128, 128, 92}, entries...)
}

func (m *image) gptOf(s gptShape, entries ...gptEntry) *image {
	blocks := len(m.bytes) / m.block
	array := make([]byte, s.count*s.each)
	for _, e := range entries {
		r := array[(e.n-1)*s.each:]
		copy(r, "a partition type")
		copy(r[16:], fmt.Sprintf("a partition no%2d", e.n%100))
		binary.LittleEndian.PutUint64(r[gptEntryStart:], e.first)
		binary.LittleEndian.PutUint64(r[gptEntryEnd:], e.last)
	}
	length := (len(array) + m.block - 1) / m.block
	m.dos(0, entry{kind: dosProtective, start: 1, size: uint32(blocks - 1)})
	write := func(self, other, at int) {
		h := m.at(self)
		copy(h, gptSignature)
		binary.LittleEndian.PutUint32(h[8:], 0x10000)
		binary.LittleEndian.PutUint32(h[gptOffSize:], uint32(s.headerBytes))
		binary.LittleEndian.PutUint64(h[gptOffSelf:], uint64(self))
		binary.LittleEndian.PutUint64(h[32:], uint64(other))
		binary.LittleEndian.PutUint64(h[gptOffFirst:], uint64(2+length))
		binary.LittleEndian.PutUint64(h[gptOffLast:], uint64(blocks-2-length))
		binary.LittleEndian.PutUint64(h[gptOffArray:], uint64(at))
		binary.LittleEndian.PutUint32(h[gptOffCount:], uint32(s.count))
		binary.LittleEndian.PutUint32(h[gptOffEntry:], uint32(s.each))
		binary.LittleEndian.PutUint32(h[gptOffSum:], crc32.ChecksumIEEE(array))
		copy(m.at(at), array)
		m.sum(self)
	}
	write(1, blocks-1, 2)
	write(blocks-1, 1, blocks-1-length)
	return m
}

// sum puts a header's own sum right.
func (m *image) sum(lba int) *image {
	h := m.at(lba)
	clear(h[gptOffCRC : gptOffCRC+4])
	binary.LittleEndian.PutUint32(h[gptOffCRC:], crc32.ChecksumIEEE(h[:binary.LittleEndian.Uint32(h[gptOffSize:])]))
	return m
}
