package sim

import (
	"fmt"
	"strings"
	"testing"

	"pathkeeper/mpath"
)

var resizeMap = mpath.Command{Kind: mpath.CommandResizeMap, Map: "mpatha"}

func (r *rig) wantSectors(want uint64) {
	r.Helper()
	if got := r.mapNamed("mpatha").live.sectors(); got != want {
		r.fail("the map has %d sectors, want %d", got, want)
	}
}

// An operator resizes: every path is rescanned, and the map follows without an I/O
// error. Nothing is resized by itself.
func TestResizeByCommand(t *testing.T) {
	r := newRig(t, 180, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	was := l.Sectors
	r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
	r.ask(resizeMap, mpath.ReplyAlready)
	l.Resize(2 * was)
	r.run(5 * mpath.Minute)
	r.wantSectors(was)
	r.ask(resizeMap, mpath.ReplyDone, fmt.Sprint(2*was))
	r.wantSectors(2 * was)
	r.ask(resizeMap, mpath.ReplyAlready)
	if r.w.Files.Text("/run/pathkeeper/loading/"+l.WWID()) != "" || r.mapNamed("mpatha").suspended {
		r.fail("a word of the resize is left")
	}
	r.run(5 * mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.wantSound()
}

// A path that is down, failed by an operator or of another size stands in the way.
func TestResizeRefused(t *testing.T) {
	r := newRig(t, 181, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	was := l.Sectors
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	l.Resize(2 * was)
	ds[3].Break(NoConnect)
	r.run(mpath.Minute)
	r.ask(resizeMap, mpath.ReplyRefused, "sdd", "flush")
	ds[3].Break(Healthy)
	r.run(mpath.Minute)
	r.ask(mpath.Command{Kind: mpath.CommandFailPath, Path: "sda"}, mpath.ReplyDone)
	r.ask(resizeMap, mpath.ReplyRefused, "sda", "operator")
	r.ask(mpath.Command{Kind: mpath.CommandReinstatePath, Path: "sda"}, mpath.ReplyDone)
	r.wantSectors(was)
	ds[1].Break(Hung) // in the middle of it
	r.d.Ask(resizeMap)
	r.run(5 * mpath.Minute)
	r.wantSectors(was)
	ds[1].Break(Healthy)
	r.run(mpath.Minute)
	r.ask(resizeMap, mpath.ReplyDone)
	r.wantSectors(2 * was)
	r.wantSound()
}

func TestAutoResize(t *testing.T) {
	for _, tt := range []struct {
		mode   string
		factor uint64 // in quarters
		want   uint64
	}{
		{"never", 8, 4},
		{"grow_only", 8, 8},
		{"grow_only", 3, 4},
		{"grow_shrink", 8, 8},
		{"grow_shrink", 3, 3},
	} {
		r := newRig(t, 182, strings.Replace(plain, "defaults {", "defaults {\n auto_resize "+tt.mode, 1))
		l, ds := r.alua("one")
		r.start(10 * second)
		was := l.Sectors
		l.Resize(was / 4 * tt.factor)
		ds[2].Rescan() // one path shows it; the others are rescanned for it
		r.run(mpath.Minute)
		r.wantSectors(was / 4 * tt.want)
		loads := r.mapNamed("mpatha").Loads
		r.run(30 * mpath.Minute)
		if n := r.mapNamed("mpatha").Loads; n != loads {
			r.fail("%s: %d loads in calm", tt.mode, n-loads)
		}
	}
}

// auto_resize waits for a path that is down, and for what is used beyond the end.
func TestAutoResizeWaits(t *testing.T) {
	r := newRig(t, 183, strings.Replace(plain, "defaults {", "defaults {\n auto_resize grow_shrink", 1))
	l, ds := r.alua("one")
	r.start(10 * second)
	was := l.Sectors
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	ds[0].Break(NoConnect)
	r.run(mpath.Minute)
	l.Resize(2 * was)
	for _, d := range ds[1:] {
		d.Rescan()
	}
	r.run(5 * mpath.Minute)
	r.wantSectors(was)
	ds[0].Break(Healthy)
	r.run(10 * mpath.Minute)
	r.wantSectors(2 * was)
	l.Resize(was) // it is open, and nobody can tell up to where
	for _, d := range ds {
		d.Rescan()
	}
	r.run(10 * mpath.Minute)
	r.wantSectors(2 * was)
	r.wantSaid("force")
	force := resizeMap
	r.ask(force, mpath.ReplyBusy, "open")
	force.Force = true
	r.ask(force, mpath.ReplyDone)
	r.wantSectors(was)
	r.wantSound()
}

// A map does not become smaller than a partition on it.
func TestShrinkBelowAPartition(t *testing.T) {
	r := newRig(t, 184, plain)
	l, ds := r.alua("one")
	was := l.Sectors
	r.start(10 * second)
	ds[1].Parts = []Part{{Number: 1, Start: 2048, Sectors: was/2 - 2048}}
	l.Resize(was / 4)
	r.ask(resizeMap, mpath.ReplyBusy, "partition 1 ends at sector")
	r.wantSectors(was)
	l.Resize(was / 2)
	r.ask(resizeMap, mpath.ReplyDone)
	r.wantSectors(was / 2)
}

// The process dies at any moment of a resize: the map is of the one size or the
// other, runs, and the next process leaves it running.
func TestKilledInAResize(t *testing.T) {
	sizes := map[uint64]int{}
	for i := range mpath.Span(60) {
		r := newRig(t, 200+uint64(i), plain)
		l, _ := r.alua("one")
		r.start(10 * second)
		was := l.Sectors
		r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
		l.Resize(2 * was)
		r.d.Ask(resizeMap)
		r.run(i * mpath.Millisecond)
		r.d.Kill()
		r.run(2 * second)
		r.start(20 * second)
		m := r.mapNamed("mpatha")
		if m.suspended || m.Queued() > 0 {
			r.fail("after %d ms: suspended %v, %d writes wait", i, m.suspended, m.Queued())
		}
		sizes[m.live.sectors()/was]++
		r.ask(resizeMap, map[bool]mpath.ReplyCode{true: mpath.ReplyAlready, false: mpath.ReplyDone}[m.live.sectors() == 2*was])
		r.wantSectors(2 * was)
		r.wantSound()
	}
	if sizes[1] == 0 || sizes[2] == 0 || len(sizes) != 2 {
		t.Errorf("killed before and after the resize: %v", sizes)
	}
}

// A device-mapper call of the resize fails: it runs on with the former size, or has
// the new one, and never stays suspended.
func TestResizeFails(t *testing.T) {
	failed := 0
	for seed := range uint64(40) {
		r := newRig(t, 300+seed, plain)
		l, _ := r.alua("one")
		r.start(10 * second)
		was := l.Sectors
		r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
		l.Resize(2 * was)
		r.w.FailDM = 300
		seq := r.d.Ask(resizeMap)
		r.run(100 * mpath.Millisecond)
		r.w.FailDM = 0
		r.run(mpath.Minute)
		m := r.mapNamed("mpatha")
		if m.suspended || m.Queued() > 0 {
			r.fail("suspended %v, %d writes wait", m.suspended, m.Queued())
		}
		got := r.d.Replies(seq)
		if len(got) != 1 {
			r.fail("%d replies", len(got))
		}
		if !got[0].OK {
			failed++
		}
		if size := m.live.sectors(); size != was && size != 2*was {
			r.fail("%d sectors", size)
		}
		r.wantSound()
	}
	if failed == 0 {
		t.Error("no resize failed")
	}
}

// A unit attention casts doubt on the paths just when an operator resizes: the
// command waits until they have said again who they are.
func TestResizeInDoubt(t *testing.T) {
	for i := range mpath.Span(60) {
		r := newRig(t, 500+uint64(i), plain)
		l, _ := r.alua("one")
		r.start(60 * second)
		was := l.Sectors
		r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
		l.Resize(2 * was)
		l.Attention(0x29, 0x00)
		r.run(i * 2 * mpath.Millisecond)
		r.ask(resizeMap, mpath.ReplyDone)
		r.wantSectors(2 * was)
		r.wantSound()
	}
}
