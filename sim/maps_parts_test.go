package sim

import (
	"slices"
	"strings"
	"testing"

	"pathkeeper/mpath"
)

// withParts is a rig whose map has two partition maps, as udev's rule makes them.
func withParts(t *testing.T, seed uint64, conf string) (*rig, *LUN, *Map) {
	t.Helper()
	r := newRig(t, seed, conf)
	l, _ := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	for n, name := range map[uint64]string{1: "mpatha-part1", 2: "mpatha2"} {
		if _, err := r.w.AddLinear(name, "part"+string(rune('0'+n))+"-"+m.UUID(), m.kernelName(), 2048*n, 2048); err != nil {
			t.Fatal(err)
		}
	}
	r.run(2 * second)
	return r, l, m
}

func (r *rig) wantAll(names ...string) {
	r.Helper()
	got := r.w.Maps()
	slices.Sort(got)
	if !slices.Equal(got, names) {
		r.fail("there are %v, want %v", got, names)
	}
}

// A removal takes the partition maps along, or nothing at all where one of them, or
// the map itself, is in use.
func TestRemoveWithPartitions(t *testing.T) {
	remove := mpath.Command{Kind: mpath.CommandRemoveMap, Map: "mpatha"}
	for _, tt := range []struct {
		name string
		use  func(r *rig, m *Map) (end func())
		said string
	}{
		{"a partition is open", func(r *rig, _ *Map) func() {
			r.w.Map("mpatha2").Open()
			return r.w.Map("mpatha2").Close
		}, "mpatha2 is open"},
		{"the map is open besides", func(_ *rig, m *Map) func() {
			m.Open()
			return m.Close
		}, "open 1 times"},
		{"somebody's map lies on a partition", func(r *rig, _ *Map) func() {
			lv, err := r.w.AddLinear("vg-lv", "LVM-x", r.w.Map("mpatha-part1").kernelName(), 0, 8)
			if err != nil {
				r.Fatal(err)
			}
			return func() { lv.Remove() }
		}, "mpatha-part1 is open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _, m := withParts(t, 300, plain)
			end := tt.use(r, m)
			r.ask(remove, mpath.ReplyBusy, tt.said)
			for _, n := range []string{"mpatha", "mpatha-part1", "mpatha2"} {
				if r.w.Map(n) == nil {
					r.fail("%s is gone", n)
				}
			}
			end()
			r.ask(remove, mpath.ReplyDone)
			r.wantAll()
		})
	}
}

// One of the partition maps went, and somebody has the map open instead: the count is
// the same, and what is left stays.
func TestRemoveWithAPartitionLess(t *testing.T) {
	r, _, m := withParts(t, 301, plain)
	m.Open()
	r.w.dmNews = nil // the daemon does not hear of it
	r.w.Map("mpatha2").Remove()
	r.ask(mpath.Command{Kind: mpath.CommandRemoveMap, Map: "mpatha"}, mpath.ReplyBusy)
	r.wantAll("mpatha", "mpatha-part1")
}

// A rename takes the partition maps along, open ones too: each keeps what stands
// between name and number, unless partition_delimiter demands something, and the one
// that is not called after the map keeps its name.
func TestRenameWithPartitions(t *testing.T) {
	for _, tt := range []struct {
		delimiter string
		want      []string
	}{
		{"", []string{"boot", "ocr1", "ocr1-part1", "ocr1p2"}},
		{"partition_delimiter _", []string{"boot", "ocr1", "ocr1_1", "ocr1_2"}},
	} {
		conf := strings.Replace(plain, "no_path_retry 12", "no_path_retry 12\n"+tt.delimiter, 1)
		r, l, m := withParts(t, 302, conf)
		if _, err := r.w.AddLinear("boot", "part3-"+m.UUID(), m.kernelName(), 9000, 8); err != nil {
			t.Fatal(err)
		}
		r.w.Map("mpatha-part1").Open()
		r.run(2 * second)
		r.d.Reconfigure(parse(t, conf+entry(l, "ocr1", "")))
		r.run(10 * second)
		r.wantAll(tt.want...)
		r.wantSound()
	}
}
