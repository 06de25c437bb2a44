package mpath

import "testing"

// Whoever is interrupted begins nothing more, and ends when the kernel has answered.
func TestOnceStops(t *testing.T) {
	mc := New()
	o := &Once{Limit: Minute}
	if ev, _, done := o.Next(mc, 1); ev != nil || done {
		t.Fatalf("before anything is known: %v, %v", ev, done)
	}
	if ev := o.Stop(mc, 2, "it was interrupted"); ev != (Stopping{}) || o.Left != "it was interrupted" {
		t.Errorf("%v, %q", ev, o.Left)
	}
	if ev := o.Stop(mc, 3, "again"); ev != nil || o.Left != "it was interrupted" {
		t.Errorf("a second time: %v, %q", ev, o.Left)
	}
	if ev, _, done := o.Next(mc, 4); ev != nil || !done {
		t.Errorf("%v, done %v", ev, done)
	}
}

// A kernel that never answers is waited for as long as is said, and named.
func TestOnceLimit(t *testing.T) {
	mc := New()
	o := &Once{Limit: Minute}
	o.Next(mc, 1)
	ev, only, _ := o.Next(mc, 1+Instant(Minute))
	if ev != (Stopping{}) || only == nil || o.Left == "" {
		t.Errorf("%v, %v, %q", ev, only, o.Left)
	}
	if _, _, done := o.Next(mc, 2+Instant(Minute)); !done {
		t.Error("it goes on")
	}
}

// Several things that are done to one map are told by the foremost; queueing is ended
// where this call has begun it, and of what is not meant nothing is told or ended.
func TestOnceTook(t *testing.T) {
	o := &Once{Only: []string{"W1", "W2"}, QueueOff: true}
	for _, a := range []Action{
		Message{WWID: "W1", Text: "switch_group 2"},
		LoadMap{WWID: "W1"},
		RenameMap{WWID: "W1"},
		Message{WWID: "W2", Text: "queue_if_no_path"},
		Message{WWID: "W3", Text: "queue_if_no_path"},
		CreateMap{WWID: "W3"},
		Message{WWID: "W1", Text: "fail_path 8:0"},
	} {
		o.Took(a)
	}
	if len(o.Did) != 1 || o.Did[0] != (OnceDid{"W1", "reload"}) {
		t.Errorf("%v", o.Did)
	}
	if ev, only, _ := o.end(New(), 1); ev != (Stopping{Final: true}) || len(only) != 1 || only[0] != "W2" {
		t.Errorf("%v, %v", ev, only)
	}
}

// When the time is over, a map that is being made is waited for, also one that does not
// queue; what is asked for maps that are not meant any more, and so never done, is not.
func TestOnceEndWaits(t *testing.T) {
	mc := New()
	made := &mmap{wwid: "W1", ask: 7}
	mc.maps = []*mmap{made}
	o := &Once{Limit: Minute}
	o.Next(mc, 1)
	if ev, only, _ := o.Next(mc, 1+Instant(Minute)); ev != (Stopping{}) || len(only) != 0 {
		t.Fatalf("%v, %v", ev, only)
	}
	if _, _, done := o.Next(mc, 2+Instant(Minute)); done {
		t.Error("it ends in the middle of making a map")
	}
	made.ask = 0
	mc.maps = append(mc.maps, &mmap{wwid: "W2", ask: 8})
	if _, _, done := o.Next(mc, 3+Instant(Minute)); !done {
		t.Error("it waits for what is held back")
	}
}
