package partition

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTables(t *testing.T) {
	two := []Partition{{1, 2048, 4096, 0}, {3, 8192, 8192, 0}}
	gpt := func() *image {
		return newImage(65536, 512).gpt(gptEntry{1, 2048, 6143}, gptEntry{3, 8192, 16383})
	}
	extended := func() *image {
		return newImage(131072, 512).
			dos(0, entry{kind: 0x83, start: 2048, size: 4096}, entry{kind: 5, start: 8192, size: 90000}, entry{kind: 0x82, start: 100000, size: 2000}).
			dos(8192, entry{kind: 0x83, start: 2048, size: 2000}, entry{kind: 5, start: 4096, size: 4048}).
			dos(12288, entry{kind: 0x83, start: 2048, size: 2000}, entry{kind: 5, start: 10240, size: 4048}).
			dos(18432, entry{kind: 0x83, start: 2048, size: 2000})
	}
	logical := []Partition{{1, 2048, 4096, 0}, {2, 8192, 2, 0}, {3, 100000, 2000, 0}, {5, 10240, 2000, 2}, {6, 14336, 2000, 2}, {7, 20480, 2000, 2}}
	for _, c := range []struct {
		name   string
		image  *image
		opt    Options
		scheme Scheme
		want   []Partition
		backup bool
		note   string // what a note says, "" no note at all
		doubt  bool
	}{
		{name: "empty disk", image: newImage(2048, 512)},
		{name: "tiny disk", image: newImage(1, 512)},
		{name: "gpt with a gap", image: gpt(), scheme: SchemeGPT, want: two},
		{name: "gpt that is not asked for", image: gpt(), opt: Options{Only: SchemeDOS}},
		{name: "first header gone", image: gpt().with(func(m *image) { clear(m.at(1)[:512]) }), scheme: SchemeGPT, want: two, backup: true, note: "the one at the end is used"},
		{name: "first header unreadable", image: gpt().with(func(m *image) { m.bad[512] = true }), scheme: SchemeGPT, want: two, backup: true, note: "the one at the end is used"},
		{name: "a bit of the first header", image: gpt().with(func(m *image) { m.at(1)[50] ^= 1 }), scheme: SchemeGPT, want: two, backup: true, note: "damaged"},
		{name: "a bit of the first entries", image: gpt().with(func(m *image) { m.at(2)[40] ^= 1 }), scheme: SchemeGPT, want: two, backup: true, note: "damaged"},
		{name: "both gone", image: gpt().with(func(m *image) { clear(m.at(1)[:512]); clear(m.at(65535)[:512]) })},
		{name: "header of another place", image: gpt().with(func(m *image) { m.at(1)[gptOffSelf] = 2; m.sum(1) }), scheme: SchemeGPT, want: two, backup: true, note: "damaged"},
		{name: "sector 0 was wiped", image: gpt().with(func(m *image) { clear(m.at(0)[:512]) }), note: "sector 0 does not say so"},
		{name: "sector 0 was wiped, force", image: gpt().with(func(m *image) { clear(m.at(0)[:512]) }), opt: Options{ForceGPT: true}, scheme: SchemeGPT, want: two, note: "sector 0 does not say"},
		{
			name: "a DOS table was made over a GPT", image: gpt().dos(0, entry{kind: 0x83, start: 64, size: 1000}),
			scheme: SchemeDOS, want: []Partition{{1, 64, 1000, 0}}, note: "earlier one",
		},
		{name: "hybrid", image: gpt().dos(0, entry{kind: 0x83, start: 2048, size: 4096}, entry{kind: dosProtective, start: 1, size: 2047}), scheme: SchemeGPT, want: two},
		{name: "protective record without a GPT", image: newImage(2048, 512).dos(0, entry{kind: dosProtective, start: 1, size: 2047})},
		{name: "entries of 256 bytes", image: newImage(65536, 512).gptOf(gptShape{128, 256, 92}, gptEntry{1, 2048, 6143}, gptEntry{3, 8192, 16383}), scheme: SchemeGPT, want: two},
		{name: "4 entries, long header", image: newImage(65536, 512).gptOf(gptShape{4, 128, 512}, gptEntry{1, 2048, 6143}, gptEntry{3, 8192, 16383}), scheme: SchemeGPT, want: two},
		{
			name: "blocks of 4096 bytes", image: newImage(65536, 4096).gpt(gptEntry{1, 256, 511}, gptEntry{2, 512, 575}),
			scheme: SchemeGPT, want: []Partition{{1, 2048, 2048, 0}, {2, 4096, 512, 0}},
		},
		{
			name: "the table of 512 byte blocks on a disk of 4096", image: gpt().with(func(m *image) { m.block = 4096 }),
		},
		{
			name: "an absurd count", image: gpt().with(func(m *image) {
				for _, at := range []int{1, 65535} {
					binary.LittleEndian.PutUint32(m.at(at)[gptOffCount:], 1<<31)
					m.sum(at)
				}
			}),
		},
		{
			name: "an absurd place of the entries", image: gpt().with(func(m *image) {
				for _, at := range []int{1, 65535} {
					binary.LittleEndian.PutUint64(m.at(at)[gptOffArray:], 1<<63)
					m.sum(at)
				}
			}),
		},
		{
			name: "an absurd size of the header", image: gpt().with(func(m *image) {
				for _, at := range []int{1, 65535} {
					binary.LittleEndian.PutUint32(m.at(at)[gptOffSize:], 1<<31)
				}
			}),
		},
		{name: "a partition that ends before it begins", image: newImage(65536, 512).gpt(gptEntry{1, 2048, 2000}), scheme: SchemeGPT, note: "left out"},
		{name: "beyond the end", image: newImage(65536, 512).gpt(gptEntry{2, 2048, 1 << 20}), scheme: SchemeGPT, want: []Partition{{2, 2048, 1<<20 - 2047, 0}}, note: "ends at sector 1048577, the disk at 65536"},
		{
			name: "overlaps", image: newImage(65536, 512).gpt(gptEntry{1, 2048, 5000}, gptEntry{2, 5000, 6000}), scheme: SchemeGPT,
			want: []Partition{{1, 2048, 2953, 0}, {2, 5000, 1001, 0}}, note: "partitions 1 and 2 overlap",
		},
		{name: "number 300", image: newImage(65536, 512).gptOf(gptShape{300, 128, 92}, gptEntry{2, 2048, 6143}, gptEntry{300, 8192, 9000}), scheme: SchemeGPT, want: []Partition{{2, 2048, 4096, 0}}, note: "above 256"},

		{name: "dos", image: newImage(65536, 512).dos(0, entry{kind: 0x83, start: 2048, size: 4096, boot: 0x80}), scheme: SchemeDOS, want: []Partition{{1, 2048, 4096, 0}}},
		{name: "dos without partitions", image: newImage(65536, 512).dos(0), scheme: SchemeDOS},
		{name: "dos that is not asked for", image: newImage(65536, 512).dos(0, entry{kind: 0x83, start: 2048, size: 4096}), opt: Options{Only: SchemeGPT}},
		{name: "code of a boot sector", image: newImage(65536, 512).dos(0, entry{kind: 0x20, start: 0x6f6f6220, size: 0x73696420, boot: 0x74})},
		{name: "logical", image: extended(), scheme: SchemeDOS, want: logical},
		{
			name: "logical, with an empty record between", image: extended().with(func(m *image) { clear(m.at(12288)[446:462]) }), scheme: SchemeDOS,
			want: slices.Delete(slices.Clone(logical), 4, 5),
		},
		{
			name: "the records lead in a circle", image: extended().dos(18432, entry{kind: 0x83, start: 2048, size: 2000}, entry{kind: 5, start: 4096, size: 100}),
			scheme: SchemeDOS, want: logical, note: "in a circle", doubt: true,
		},
		{
			name: "a record leads to itself", image: newImage(65536, 512).dos(0, entry{kind: 0xf, start: 2048, size: 20000}).dos(2048, entry{kind: 5, start: 0, size: 1}),
			scheme: SchemeDOS, want: []Partition{{1, 2048, 2, 0}}, note: "in a circle", doubt: true,
		},
		{
			name: "an extended partition that nothing was written to", image: newImage(65536, 512).dos(0, entry{kind: 0x85, start: 2048, size: 20000}),
			scheme: SchemeDOS, want: []Partition{{1, 2048, 2, 0}},
		},
		{
			name: "a record is damaged", image: extended().with(func(m *image) { m.at(12288)[510] = 0 }), scheme: SchemeDOS,
			want: logical[:4], note: "what comes behind it is not known", doubt: true,
		},
		{
			name: "a record cannot be read", image: extended().with(func(m *image) { m.bad[12288*512] = true }), scheme: SchemeDOS,
			want: logical[:4], note: "what comes behind it is not known", doubt: true,
		},
		{
			name: "a record lies beyond the end", image: extended().dos(18432, entry{kind: 0x83, start: 2048, size: 2000}, entry{kind: 5, start: 1 << 30, size: 100}),
			scheme: SchemeDOS, want: logical, note: "what comes behind it is not known", doubt: true,
		},
		{
			name: "dos on blocks of 4096 bytes", image: newImage(16384, 4096).
				dos(0, entry{kind: 0x83, start: 256, size: 64}, entry{kind: 5, start: 512, size: 640}).
				dos(512, entry{kind: 0x83, start: 88, size: 20}),
			scheme: SchemeDOS, want: []Partition{{1, 2048, 512, 0}, {2, 4096, 8, 0}, {5, 4800, 160, 2}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.image.table(t, c.opt)
			if got.Scheme != c.scheme || got.Backup != c.backup || !slices.Equal(got.Partitions, c.want) || (got.Incomplete != "") != c.doubt || got.Bad != "" {
				t.Errorf("got %+v\nwant %v %v", got, c.scheme, c.want)
			}
			notes := strings.Join(got.Notes, "; ")
			if (c.note == "") != (notes == "") || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

func (m *image) with(change func(m *image)) *image {
	change(m)
	return m
}

// TestUnreadable: nothing is known of a disk whose first sector cannot be read.
func TestUnreadable(t *testing.T) {
	m := newImage(65536, 512)
	m.bad[0] = true
	got := m.table(t, Options{})
	if got.Scheme != SchemeNone || !strings.Contains(got.Bad, "input/output error") {
		t.Errorf("got %+v", got)
	}
	for _, size := range []int{0, 1, 500, 513, 1 << 20} {
		s := Start(Device{Size: 100, BlockBytes: size}, Options{})
		if _, ok := s.Want(); ok || s.Table().Bad == "" {
			t.Errorf("block size %d: %+v", size, s.Table())
		}
	}
}

// TestShortAnswer: a block that comes in part is one that cannot be read, and an
// answer that nobody asked for changes nothing.
func TestShortAnswer(t *testing.T) {
	m := newImage(65536, 512).gpt(gptEntry{1, 2048, 6143})
	s := Start(m.device(), Options{})
	for {
		b, ok := s.Want()
		if !ok {
			break
		}
		s.Answer(m.bytes[b.Offset:b.Offset+int64(b.Bytes)-1], "")
	}
	if got := s.Table(); got.Bad == "" || got.Scheme != SchemeNone {
		t.Errorf("got %+v", got)
	}
	before := s.Table()
	s.Answer(make([]byte, 512), "")
	if !cmp.Equal(before, s.Table()) {
		t.Errorf("an answer to no question changed %+v to %+v", before, s.Table())
	}
}

// FuzzTable: whatever a disk holds, the reader ends, asks only for what is there, and
// gives each number once.
func FuzzTable(f *testing.F) {
	whole := newImage(128, 512).gptOf(gptShape{4, 128, 92}, gptEntry{1, 20, 30})
	f.Add(whole.bytes, false, false)
	f.Add(newImage(64, 512).dos(0, entry{kind: 5, start: 2, size: 60}).dos(2, entry{kind: 0x83, start: 1, size: 1}, entry{kind: 5, start: 1, size: 1}).
		dos(3, entry{kind: 0x83, start: 1, size: 2}, entry{kind: 5, start: 0, size: 2}).bytes, false, true)
	f.Add(newImage(128, 4096).gptOf(gptShape{4, 128, 92}, gptEntry{1, 5, 6}).bytes, true, true)
	f.Fuzz(func(t *testing.T, disk []byte, big, force bool) {
		m := &image{bytes: disk[:len(disk)/512*512], block: 512, bad: map[int64]bool{}}
		if big {
			m.block = 4096
		}
		got := ReadAt(m.device(), Options{ForceGPT: force}, func(off int64, n int) ([]byte, error) {
			b, err := m.read(off, n)
			if err != nil {
				t.Fatal(err)
			}
			return b, nil
		})
		if m.reads > MaxPartitions+10 || len(got.Notes) > maxNotes || len(got.Partitions) > MaxPartitions {
			t.Fatalf("%d reads, %d notes, %d partitions", m.reads, len(got.Notes), len(got.Partitions))
		}
		for i, p := range got.Partitions {
			if p.Size == 0 || p.End() < p.Start || p.Number < 1 || p.Number > MaxPartitions || i > 0 && p.Number <= got.Partitions[i-1].Number {
				t.Fatalf("partitions %+v", got.Partitions)
			}
		}
	})
}
