package pathcheck

import (
	"errors"
	"slices"
	"testing"
)

func TestStateWords(t *testing.T) {
	want := []struct {
		s           State
		word, shown string
		stored      State
		usable      bool
	}{
		{StateUnknown, "unchecked", "undef", StateUnknown, false},
		{StateUp, "up", "ready", StateUp, true},
		{StateDown, "down", "faulty", StateDown, false},
		{StateGhost, "ghost", "ghost", StateGhost, true},
		{StateShaky, "shaky", "shaky", StateShaky, false},
		{StatePending, "pending", "i/o pending", StatePending, false},
		{StateTimeout, "timeout", "i/o timeout", StateDown, false},
		{StateDisconnected, "disconnected", "disconnected", StateDown, false},
		{StateWild, "wild", "undef", StateWild, false},
		{99, "state(99)", "undef", 99, false},
	}
	for _, w := range want {
		if w.s.String() != w.word || w.s.Shown() != w.shown || w.s.Stored() != w.stored || w.s.Usable() != w.usable {
			t.Errorf("%d: have %q %q %v %v", w.s, w.s, w.s.Shown(), w.s.Stored(), w.s.Usable())
		}
		if s, err := ParseState(w.word); (err == nil) != (w.s <= StateWild) || err == nil && s != w.s {
			t.Errorf("ParseState(%q): %v, %v", w.word, s, err)
		}
	}
}

func TestDeviceState(t *testing.T) {
	for _, c := range []struct {
		kind  Kind
		state string
		run   bool
		want  State
	}{
		{KindSCSI, "running", true, StateUnknown},
		{KindSCSI, "offline", false, StateDown},
		{KindSCSI, "transport-offline", false, StateDown},
		{KindSCSI, "created", false, StateDown},
		{KindSCSI, "deleted", false, StateDown},
		{KindSCSI, "blocked", false, StatePending},
		{KindSCSI, "quiesce", false, StatePending},
		{KindSCSI, "live", false, StateDown},
		{KindSCSI, "", false, StateDown},
		{KindNVMe, "live", true, StateUnknown},
		{KindNVMe, "dead", false, StateDown},
		{KindNVMe, "new", false, StatePending},
		{KindNVMe, "deleting", false, StatePending},
		{KindNVMe, "connecting", false, StateDown},
		{KindNVMe, "resetting", false, StateDown},
		{KindNVMe, "running", false, StateDown},
		{KindOther, "", true, StateUnknown},
	} {
		run, v := DeviceState(c.state, c.kind)
		if run != c.run || v.State != c.want || run != (v.Message == "") {
			t.Errorf("%d %q: have %v %+v", c.kind, c.state, run, v)
		}
	}
}

func TestRegistry(t *testing.T) {
	if !slices.IsSorted(Checkers()) || !slices.IsSorted(Prioritizers()) {
		t.Error("not sorted")
	}
	for _, name := range Checkers() {
		if c, err := New(name, Params{}); err != nil || c == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range Prioritizers() {
		args := map[string]string{"datacore": "preferredsds=a", "weightedpath": "hbtl .* 1"}[name]
		if p, err := NewPrio(name, PrioParams{Args: args}); err != nil || p == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New("directio2", Params{}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := NewPrio("", PrioParams{}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// An answer that nobody asked for ends the check, whatever it says.
func TestAnswerWithoutQuestion(t *testing.T) {
	for _, name := range []string{"directio", "emc_clariion", "hp_sw", "rdac", "readsector0", "tur"} {
		c, err := New(name, Params{})
		if err != nil {
			t.Fatal(err)
		}
		if s := c.Answer(Response{}); !s.Done || s.Verdict.State != StateWild {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, name := range []string{"alua", "datacore", "emc", "hds", "hp_sw", "rdac", "sysfs"} {
		p, err := NewPrio(name, PrioParams{Args: map[string]string{"datacore": "preferredsds=a"}[name]})
		if err != nil {
			t.Fatal(err)
		}
		if s := p.Answer(Response{}); !s.Done || s.Prio.OK {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
