package mpath

import (
	"fmt"
	"testing"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

func pathsFrom(first, n int) []*path {
	out := make([]*path, n)
	for i := range out {
		out[i] = &path{serial: uint64(first + i)}
		out[i].decision.Settings.PollingInterval = policy.Value[int]{V: 5}
		out[i].decision.Settings.MaxPollingInterval = policy.Value[int]{V: 20}
	}
	return out
}

// The moments of any number of paths fill each interval evenly, also where some
// of the paths are others' by now.
func TestSlotsAreEven(t *testing.T) {
	for _, n := range []int{1, 3, 20, 100, 2_000, 10_000} {
		for _, interval := range []Span{5 * Second, 10 * Second, 20 * Second} {
			mc := &Machine{now: Instant(1_234_567 * Second)}
			per := map[int64]int{}
			for _, p := range pathsFrom(77, n) {
				at := mc.slot(p, interval)
				if at <= mc.now || at > mc.now.After(interval) {
					t.Fatalf("%d paths, %d s: due %d ns after now", n, interval.Seconds(), at.Since(mc.now))
				}
				per[at.Since(mc.now).Seconds()]++
			}
			const slack = 4 // of the rounding to tenths, and of the sequence itself
			for s, have := range per {
				if most := (n+int(interval.Seconds())-1)/int(interval.Seconds()) + slack; have > most {
					t.Errorf("%d paths, %d s: %d checks in second %d, at most %d", n, interval.Seconds(), have, s, most)
				}
			}
		}
	}
}

// A path keeps its moment however long answers take: the next one is a whole
// interval after the last, not after its answer.
func TestSlotsDoNotDrift(t *testing.T) {
	mc := &Machine{now: Instant(1_234_567 * Second)}
	p := pathsFrom(5, 1)[0]
	last := mc.slot(p, 20*Second)
	for i := range 100 {
		mc.now = last.After(Span(i) * 150 * Millisecond) // when its answer came
		if next := mc.slot(p, 20*Second); next.Since(last) != 20*Second {
			t.Fatalf("check %d: %d ms after the last", i, next.Since(last)/Millisecond)
		} else {
			last = next
		}
	}
}

// quiet is a host whose paths all answer, a moment after they were asked, and
// whose maps are never finished: it is about checks.
type quiet struct {
	mc     *Machine
	now    Instant
	wake   Instant
	checks int
	todo   []Event // answers to what the last steps asked for
}

func (q *quiet) step(ev Event) {
	acts, wake := q.mc.Step(q.now, ev)
	q.wake = wake
	for _, a := range acts {
		switch a := a.(type) {
		case Scan:
			s := Scanned{Seq: a.Seq}
			for i := range 10_000 {
				dev := table.DevNum{Major: 8, Minor: uint32(i)}
				s.Disks = append(s.Disks, Disk{Name: fmt.Sprint("sda", i), Dev: dev, Diskseq: uint64(i + 1)})
			}
			q.todo = append(q.todo, s)
		case ListMaps:
			q.todo = append(q.todo, MapsListed{Seq: a.Seq})
		case Identify:
			var i int
			fmt.Sscanf(a.Name, "sda%d", &i)
			w := fmt.Sprintf("3600%d", i/4)
			q.todo = append(q.todo, PathSeen{
				Seq: a.Seq, ID: PathID{Dev: table.DevNum{Major: 8, Minor: uint32(i)}, Diskseq: uint64(i + 1)}, Name: a.Name, Fresh: true,
				Identity: scsi.Identity{WWID: w, IDs: []scsi.ID{{Value: w}}, Vendor: "V", Model: "M"}, DevState: "running",
				Facts: policy.Facts{Devnode: a.Name, DevType: "disk", HasUdev: true, Properties: []string{"ID_WWN"}, Size: 1 << 20},
			})
		case StartCheck:
			q.checks++
			q.todo = append(q.todo, CheckDone{
				Seq: a.Seq, Path: a.Path, DevState: "running", Identified: a.Identify, Same: true, Found: a.Expect,
				Verdict: pathcheck.Verdict{State: pathcheck.StateUp},
			})
		}
	}
}

func (q *quiet) run(s Span) {
	for end := q.now.After(s); ; {
		for len(q.todo) > 0 {
			ev := q.todo[0]
			q.todo = q.todo[1:]
			q.step(ev)
		}
		if q.wake > end {
			q.now = end
			return
		}
		q.now = max(q.now, q.wake)
		q.step(Wake{})
	}
}

// The checks of ten thousand paths are spread: after the start and after a
// standstill, each of which asks all of them at once.
func TestTenThousandPathsAreSpread(t *testing.T) {
	q := &quiet{mc: New(), now: Instant(1000 * Second)}
	q.step(StateLoaded{})
	q.step(Configured{Config: policy.Config{Defaults: policy.Layer{{Keyword: "find_multipaths", Value: "greedy"}}}})
	spread := func(when string) {
		t.Helper()
		for s := range 20 {
			was := q.checks
			q.run(Second)
			if n := q.checks - was; n > 500+10 || n < 500-10 {
				t.Errorf("%s: %d checks in second %d, want 500", when, n, s)
			}
		}
	}
	q.run(60 * Second)
	spread("after the start")
	was := q.checks
	q.step(StoodStill{Span: 5 * Second})
	q.run(Second)
	if n := q.checks - was; n < 10_000 {
		t.Errorf("%d checks right after a standstill", n)
	}
	q.run(40 * Second)
	spread("after a standstill")
}
