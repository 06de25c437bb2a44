package sim

import (
	"fmt"
	"testing"

	"pathkeeper/mpath"
)

// BenchmarkManyPaths is a host of 2,000 paths that lives for a simulated minute:
// checks, a path lost and found, a controller cut off. Full-stack steps per second
// are reported.
func BenchmarkManyPaths(b *testing.B) {
	w := New(1)
	d := NewDaemon(w)
	var disks []*Disk
	for i := range 250 {
		l := w.AddLUN(LUN{Name: fmt.Sprintf("lun%d", i)})
		l.SetAccess(2, NonOptimized)
		for host := range 4 {
			disks = append(disks, w.AddPath(l, uint32(2+host), 1), w.AddPath(l, uint32(2+host), 2))
		}
	}
	d.Start(parse(b, plain))
	if err := d.Run(30 * second); err != nil || len(w.Maps()) != 250 {
		b.Fatalf("%v, %d maps", err, len(w.Maps()))
	}
	steps := d.Steps()
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			w.HBA(2).Cut()
		} else {
			w.HBA(2).Mend()
		}
		disks[i%len(disks)].Break(Fault(i % 2))
		if err := d.Run(mpath.Minute); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(d.Steps()-steps)/b.Elapsed().Seconds(), "steps/s")
}
