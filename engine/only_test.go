package engine

import (
	"fmt"
	"testing"

	"pathkeeper/mpath"
)

// A command that is about one map neither shows the core the disks of another one nor
// carries out what it wants of it.
func TestOnly(t *testing.T) {
	e := &Engine{Files: DefaultFiles(), Only: &Only{Disks: []string{"sdb"}, Maps: []string{"W1"}}}
	s := e.Start(mpath.Scan{Seq: 1}).Next(Answer{Disks: []mpath.Disk{{Name: "sda"}, {Name: "sdb"}}})
	if ev, ok := s.Event.(mpath.Scanned); !ok || len(ev.Disks) != 1 || ev.Disks[0].Name != "sdb" {
		t.Errorf("the scan gave %+v", s.Event)
	}
	for _, wwid := range []string{"W1", "W2"} {
		for _, a := range []mpath.Action{
			mpath.RemoveMap{Seq: 1, WWID: wwid, Name: "a"},
			mpath.Message{Seq: 1, WWID: wwid, Name: "a", Text: "fail_if_no_path"},
			mpath.SuspendMap{Seq: 1, WWID: wwid, Name: "a"},
			mpath.RenameMap{Seq: 1, WWID: wwid, Name: "a", To: "b"},
			mpath.MarkFailed{Seq: 1, WWID: wwid},
			mpath.LimitPaths{Seq: 1, WWID: wwid, KB: 512, Paths: []mpath.PathRef{{Name: "sdb"}}},
		} {
			if s := e.Start(a); (s.Next != nil) != (wwid == "W1") || s.Event != nil {
				t.Errorf("%s: %+v", fmt.Sprintf("%T of %s", a, wwid), s)
			}
		}
	}
	for _, a := range []mpath.Action{mpath.SaveDeadlines{Seq: 7}, mpath.SaveWWIDs{Seq: 7, WWIDs: []string{"W1", "W2"}}} {
		if ev, ok := e.Start(a).Event.(mpath.ActionDone); !ok || ev.Seq != 7 || ev.Errno != mpath.ErrnoNone {
			t.Errorf("%T goes on with %+v", a, ev)
		}
	}
	knobs := mpath.SetKnobs{Seq: 1, Dir: "class/fc_remote_ports/rport-1:0-0", Knobs: []mpath.Knob{{Name: "dev_loss_tmo", Value: "60"}}}
	if s := e.Start(knobs); s.Next != nil || s.Event != nil {
		t.Errorf("the times of a port whose other paths are not looked at: %+v", s)
	}
	e.Only = &Only{Maps: []string{"W1"}}
	if s := e.Start(knobs); s.Next == nil {
		t.Errorf("the times of a port all of whose paths are looked at: %+v", s)
	}
	if s := e.Start(mpath.Scan{Seq: 1}).Next(Answer{Disks: []mpath.Disk{{Name: "sda"}, {Name: "sdb"}}}); len(s.Event.(mpath.Scanned).Disks) != 2 {
		t.Errorf("without a list of disks the scan gave %+v", s.Event)
	}
}
