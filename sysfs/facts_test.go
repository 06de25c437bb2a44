package sysfs

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// factsOf is what ReadFacts promises of a disk.
func factsOf(d Disk) Disk {
	d.Diskseq, d.Removable, d.Capability = 0, false, 0
	if d.DM == (DM{}) {
		d.Slaves = nil
	}
	d.Partitions = append([]Partition(nil), d.Partitions...)
	for i := range d.Partitions {
		d.Partitions[i].Start, d.Partitions[i].Sectors = 0, 0
	}
	s := &d.SCSI
	s.Vendor, s.Model, s.Rev, s.Type, s.TimeoutS, s.PreferredPath, s.SG = "", "", "", 0, 0, false, ""
	return d
}

// Less is read, and that is the same.
func TestReadFacts(t *testing.T) {
	for _, tree := range []string{"tcm_loop", "transports"} {
		root := open(t, plant(t, tree))
		names, err := ListBlock(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(names, "none") {
			for _, from := range []Tree{root, plain{root}} {
				want, wantErr := ReadDisk(from, name)
				got, err := ReadFacts(from, name)
				if (err == nil) != (wantErr == nil) || errors.Is(err, ErrGone) != errors.Is(wantErr, ErrGone) || errors.Is(err, ErrAbsent) != errors.Is(wantErr, ErrAbsent) {
					t.Errorf("%s: %v, want %v", name, err, wantErr)
				}
				if diff := cmp.Diff(factsOf(want), got); diff != "" {
					t.Errorf("%s of %T (-whole +facts):\n%s", name, from, diff)
				}
			}
		}
	}
}

func TestReadFactsVanishes(t *testing.T) {
	root := open(t, plant(t, "tcm_loop"))
	whole := false
	for reads := 0; reads < 100 && !whole; reads++ {
		left := reads
		d, err := ReadFacts(vanishing{root, &left, ErrGone}, "sda")
		switch {
		case err == nil && left < 0:
			t.Fatalf("after %d reads: half a disk %+v", reads, d)
		case err == nil:
			whole = true
		case !errors.Is(err, ErrGone):
			t.Fatalf("after %d reads: %v, want ErrGone", reads, err)
		}
	}
	if !whole {
		t.Error("the walk never came to its end")
	}
}
