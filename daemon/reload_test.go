package daemon

import "testing"

// Readings of the configuration that wait are one, and `all` counts whoever said it;
// who asks never waits.
func TestReloadsThatWaitAreOne(t *testing.T) {
	r := newReloads()
	if r.pending() || r.take() {
		t.Error("nobody has asked")
	}
	for _, all := range []bool{false, true, false} {
		r.ask(all)
	}
	if !r.pending() || len(r.wanted) != 1 {
		t.Errorf("pending %v, %d to be begun", r.pending(), len(r.wanted))
	}
	<-r.wanted
	if !r.take() || r.pending() {
		t.Error("`all` was lost, or is asked for still")
	}
	r.ask(false)
	<-r.wanted
	if r.take() {
		t.Error("`all` counts for the next one too")
	}
}
