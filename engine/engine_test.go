package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
)

// script answers the requests of one operation and writes them down. errno says
// which of them fail: by the words that a request is written down with.
type script struct {
	t     *testing.T
	errno map[string]uint32
	said  []string
}

// run drives an operation to its end. A device-mapper query that succeeds cannot
// be answered here (that is sim's job), so every one fails with ENXIO: the
// operations must cope with that too.
func (s *script) run(st Step) mpath.Event {
	s.t.Helper()
	for range 100 {
		if st.Next == nil {
			return st.Event
		}
		text := s.words(st.Ask)
		s.said = append(s.said, text)
		a := Answer{Errno: s.errno[text]}
		switch {
		case a.Errno != 0:
		case strings.HasPrefix(text, "read "):
			a.Errno = eNXIO
		case st.Ask.Kind == KindHold:
			a.Held = []uint64{1, 2}
		}
		st = st.Next(a)
	}
	s.t.Fatal("the operation does not end")
	return nil
}

func (s *script) words(a Ask) string {
	switch a.Kind {
	case KindDM:
		return a.DM.What
	case KindHold:
		if a.Exclusive {
			return "hold exclusively"
		}
		return "hold"
	case KindRelease:
		return fmt.Sprintf("release %d", len(a.Held))
	case KindFile:
		return "file " + a.Path
	case KindWriteFile, KindReplaceFile:
		return "write " + a.Path
	case KindRemove:
		return "remove " + a.Path
	case KindSetAttr:
		return "set " + a.Path + " " + a.Text
	}
	return fmt.Sprintf("kind %d", a.Kind)
}

func twoPaths() (table.Table, []mpath.PathRef) {
	a, b := table.DevNum{Major: 8}, table.DevNum{Major: 8, Minor: 16}
	t := table.Table{First: 1, Groups: []table.Group{{Selector: "service-time", Paths: []table.Path{{Dev: a, Args: []string{"1"}}, {Dev: b, Args: []string{"1"}}}}}}
	return t, []mpath.PathRef{{ID: mpath.PathID{Dev: a, Diskseq: 1}, Name: "sda"}, {ID: mpath.PathID{Dev: b, Diskseq: 2}, Name: "sdb"}}
}

func testEngine() *Engine { return &Engine{Files: DefaultFiles(), BootID: "boot"} }

// TestCreateOrder holds the order of a creation: devices held before anything is
// made, the empty map taken away where its table is refused, devices let go in
// every case.
func TestCreateOrder(t *testing.T) {
	tab, refs := twoPaths()
	create := mpath.CreateMap{Seq: 1, WWID: "3600", Name: "ocr1", Size: 2048, Table: tab, Paths: refs, Owner: mpath.NoOwner()}
	for _, c := range []struct {
		what  string
		errno map[string]uint32
		want  []string
		end   mpath.Errno
	}{
		{"somebody has a device", map[string]uint32{"hold exclusively": eBUSY}, []string{"hold exclusively", "read table"}, mpath.ErrnoBusy},
		{"a device is another one", map[string]uint32{"hold exclusively": eSTALE}, []string{"hold exclusively", "read table"}, mpath.ErrnoChanged},
		{"the name is taken", map[string]uint32{"create map": eBUSY}, []string{"hold exclusively", "create map", "release 2", "read table"}, mpath.ErrnoBusy},
		{
			"the table is refused",
			map[string]uint32{"load table": eINVAL},
			[]string{"hold exclusively", "create map", "load table", "release 2", "remove map"},
			mpath.ErrnoInvalid,
		},
		{
			"the paths are read-only",
			map[string]uint32{"load table": eROFS},
			[]string{"hold exclusively", "create map", "load table", "load table", "release 2", "remove map"},
			mpath.ErrnoReadOnly,
		},
	} {
		s := &script{t: t, errno: c.errno}
		ev := s.run(testEngine().Start(create))
		if d := cmp.Diff(c.want, s.said); d != "" {
			t.Errorf("%s: -want +have:\n%s", c.what, d)
		}
		done, ok := ev.(mpath.ActionDone)
		if !ok || done.Seq != 1 || done.Errno != c.end || done.Detail == "" {
			t.Errorf("%s: ended in %+v, want %s with words", c.what, ev, c.end)
		}
	}
}

// TestLoadOrder: a refused table changes nothing and suspends nothing.
func TestLoadOrder(t *testing.T) {
	tab, refs := twoPaths()
	load := mpath.LoadMap{Seq: 2, WWID: "3600", Name: "ocr1", Size: 2048, Table: tab, Paths: refs}
	s := &script{t: t, errno: map[string]uint32{"load table": eINVAL}}
	ev := s.run(testEngine().Start(load))
	if d := cmp.Diff([]string{"hold", "load table", "release 2", "read table"}, s.said); d != "" {
		t.Errorf("-want +have:\n%s", d)
	}
	if done := ev.(mpath.ActionDone); done.Errno != mpath.ErrnoInvalid {
		t.Errorf("ended in %+v", done)
	}
	s = &script{t: t, errno: map[string]uint32{"hold": eSTALE}}
	s.run(testEngine().Start(load))
	if d := cmp.Diff([]string{"hold", "read table"}, s.said); d != "" {
		t.Errorf("a device was exchanged: -want +have:\n%s", d)
	}
}

// TestNamesAreWrittenInOrder: the record of an old id stands before the name that
// needs it, and a file that cannot be read is not overwritten.
func TestNamesAreWrittenInOrder(t *testing.T) {
	save := mpath.SaveNames{Seq: 3}
	save.Bindings = append(save.Bindings, struct{ Alias, WWID string }{"mpatha", "3600"})
	save.OldIDs = append(save.OldIDs, struct{ Old, Canonical string }{"SATA_1", "1ATA_1"})
	f := DefaultFiles()
	s := &script{t: t}
	if ev := s.run(testEngine().Start(save)); ev.(mpath.ActionDone).Errno != mpath.ErrnoNone {
		t.Errorf("ended in %+v", ev)
	}
	want := []string{"file " + f.OldIDs, "write " + f.OldIDs, "file " + f.Bindings, "write " + f.Bindings}
	if d := cmp.Diff(want, s.said); d != "" {
		t.Errorf("-want +have:\n%s", d)
	}
	s = &script{t: t, errno: map[string]uint32{"file " + f.OldIDs: eIO}}
	if ev := s.run(testEngine().Start(save)); ev.(mpath.ActionDone).Errno != mpath.ErrnoIO || len(s.said) != 1 {
		t.Errorf("ended in %+v after %v", ev, s.said)
	}
}

// TestObserverChangesNothing: with ReadOnly no changing action reaches a port.
func TestObserverChangesNothing(t *testing.T) {
	tab, refs := twoPaths()
	e := testEngine()
	e.ReadOnly = true
	for _, a := range []mpath.Action{
		mpath.CreateMap{Seq: 1, WWID: "3600", Name: "a", Size: 8, Table: tab, Paths: refs},
		mpath.LoadMap{Seq: 1, WWID: "3600", Name: "a", Size: 8, Table: tab, Paths: refs},
		mpath.RemoveMap{Seq: 1, WWID: "3600", Name: "a"},
		mpath.RenameMap{Seq: 1, WWID: "3600", Name: "a", To: "b"},
		mpath.ResumeMap{Seq: 1, WWID: "3600", Name: "a"},
		mpath.Message{Seq: 1, WWID: "3600", Name: "a", Text: "fail_path 8:0"},
		mpath.SaveNames{Seq: 1},
		mpath.SaveWWIDs{Seq: 1, WWIDs: []string{"3600"}},
		mpath.MarkFailed{Seq: 1, WWID: "3600"},
		mpath.SaveDeadlines{Seq: 1},
		mpath.Trigger{Seq: 1, Name: "sda", Verb: "change"},
		mpath.SetOwner{Seq: 1},
		mpath.ForgetLoad{},
	} {
		if st := e.Start(a); st.Next != nil {
			t.Errorf("%T asks a port: %+v", a, st.Ask)
		}
	}
}
