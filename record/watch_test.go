package record

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
)

// twoGroups is a map with one path in each group, of which one is current.
func twoGroups(t *testing.T, now mpath.Instant, status string) (mpath.Snapshot, mpath.Truth) {
	t.Helper()
	tab, err := table.Parse("1 queue_if_no_path 0 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1")
	if err != nil {
		t.Fatal(err)
	}
	st, err := table.ParseStatus(status)
	if err != nil {
		t.Fatal(err)
	}
	truth := mpath.Truth{Name: "ocr1", UUID: "mpath-3600", Target: "multipath", Live: true, Table: tab, Status: st}
	s := mpath.Snapshot{Now: now, Started: true}
	m := mpath.MapView{WWID: "3600", Name: "ocr1", Known: true, Truth: truth, ReadAt: now, Queueing: mpath.QueueView{On: true}}
	for i, g := range tab.Groups {
		id := mpath.PathID{Dev: g.Paths[0].Dev, Diskseq: uint64(i + 1)}
		m.Groups = append(m.Groups, mpath.GroupView{Number: i + 1, Current: st.Next == i+1, Paths: []mpath.PathID{id}})
		s.Paths = append(s.Paths, mpath.PathView{
			ID: id, Name: fmt.Sprint("sd", string(rune('a'+i))), WWID: "3600", Map: "ocr1", State: pathcheck.StateUp, StateSince: 1e9,
			InTable: true, KernelFailed: st.Groups[i].Paths[0].State == table.PathFailed,
		})
	}
	s.Maps = []mpath.MapView{m}
	return s, truth
}

func brief(told []Told) (out []string) {
	for _, t := range told {
		out = append(out, fmt.Sprintf("%d %s %s %s %s>%s %s", t.At/1e9, t.Map, t.Path, t.What, t.From, t.To, t.Why))
	}
	return out
}

const (
	healthy  = "2 0 0 0 2 1 A 0 1 2 8:0 A 0 0 1 E 0 1 2 8:16 A 0 0 1"
	failover = "2 0 0 0 2 2 E 0 1 2 8:0 F 1 0 1 A 0 1 2 8:16 A 0 0 1"
)

// What the kernel did between two snapshots that look alike is told, each thing once,
// with its time and cause.
func TestBetweenSnapshots(t *testing.T) {
	w := NewWatcher()
	s, back := twoGroups(t, 2e9, healthy)
	w.Snapshot(s)
	_, away := twoGroups(t, 0, failover)
	w.Step(3e9, mpath.MapRead{Truth: away}, []mpath.Action{
		mpath.Note{Level: mpath.LevelWarning, Object: "ocr1", Text: "the kernel failed path sda (8:0) on an I/O error"},
	})
	w.Step(35e8, mpath.Wake{}, []mpath.Action{
		mpath.Message{WWID: "3600", Name: "ocr1", Text: "reinstate_path 8:0", Reason: "ready"},
		mpath.Message{WWID: "3600", Name: "ocr1", Text: "switch_group 1", Reason: "priority 50"},
	})
	w.Step(4e9, mpath.ActionDone{HasTruth: true, Truth: back}, nil)
	w.Step(5e9, mpath.MapRead{Errno: mpath.ErrnoBusy, Truth: away}, nil) // nothing was learned
	s, _ = twoGroups(t, 6e9, healthy)
	want := []string{
		"3 ocr1 sda kernel active>failed the kernel failed path sda (8:0) on an I/O error",
		"3 ocr1  group 1 (sda)>2 (sdb) the kernel left a group without a usable path",
		"4 ocr1 sda kernel failed>active told by us: ready",
		"4 ocr1  group 2 (sdb)>1 (sda) told by us: priority 50",
	}
	if d := cmp.Diff(want, brief(w.Snapshot(s))); d != "" {
		t.Error(d)
	}
	if again := w.Snapshot(s); len(again) > 0 {
		t.Errorf("told twice: %v", brief(again))
	}
}

// The same seen only by snapshots, and paths and maps that come and go.
func TestSnapshotEdges(t *testing.T) {
	w := NewWatcher()
	s, _ := twoGroups(t, 2e9, healthy)
	want := []string{
		"1 ocr1 sda seen > ", "1 ocr1 sda state >ready ", "1 ocr1 sdb seen > ", "1 ocr1 sdb state >ready ",
		"2 ocr1 sda kernel >active ", "2 ocr1 sdb kernel >active ", "2 ocr1  map >ocr1 it was there before",
	}
	if d := cmp.Diff(want, brief(w.Snapshot(s))); d != "" {
		t.Error(d)
	}
	s, _ = twoGroups(t, 3e9, failover)
	s.Paths[0].State, s.Paths[0].StateSince, s.Paths[0].Message = pathcheck.StateDown, 25e8, "no answer"
	s.Maps[0].Truth.Suspended = true
	s.Maps[0].Queueing.Until = 9e9
	w.Step(26e8, mpath.Wake{}, []mpath.Action{
		mpath.Note{Object: "ocr1", Text: "path sda (8:0) is faulty: no answer"},
		mpath.Note{Object: "time", Text: "stood still for 7 s"},
		mpath.Note{Object: "sdb", Text: "priority 1 -> 2"},
	})
	want = []string{
		"2 ocr1 sda state ready>faulty no answer", "2   note > stood still for 7 s", "2 ocr1 sdb note > priority 1 -> 2",
		"3 ocr1 sda kernel active>failed ", "3 ocr1  queue queued>queued, for a limited time ",
		"3 ocr1  group 1 (sda)>2 (sdb) the kernel left a group without a usable path", "3 ocr1  suspend running>suspended ",
	}
	if d := cmp.Diff(want, brief(w.Snapshot(s))); d != "" {
		t.Error(d)
	}
	s.Now, s.Paths = 4e9, s.Paths[:1]
	w.Step(4e9, mpath.Wake{}, []mpath.Action{mpath.Note{Object: "ocr1", Text: "path sdb (8:16) left: no longer in sysfs"}})
	if d := cmp.Diff([]string{"4 ocr1 sdb left ready> path sdb (8:16) left: no longer in sysfs"}, brief(w.Snapshot(s))); d != "" {
		t.Error(d)
	}
	w.Step(5e9, mpath.Wake{}, []mpath.Action{mpath.Note{Object: "ocr1", Text: "the map was removed"}})
	if d := cmp.Diff([]string{"5 ocr1  removed ocr1> the map was removed", "6 ocr1 sda left faulty> "}, brief(w.Snapshot(mpath.Snapshot{Now: 6e9}))); d != "" {
		t.Error(d)
	}
}
