package engine

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"pathkeeper/mpath"
)

// port is a remote port as drivers/scsi/scsi_transport_fc.c keeps it; -1 is off.
type port struct{ fail, loss int64 }

// store is what the kernel makes of one write.
func (p *port) store(name, value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case name == attrFastIOFail && value == "off":
		p.fail = -1
	case err != nil || n < 0:
		return fmt.Errorf("%s %q is no number", name, value)
	case name == attrFastIOFail && (n >= p.loss || n > devLossUnguarded):
		return fmt.Errorf("fast_io_fail_tmo %d, dev_loss_tmo is %d: EINVAL", n, p.loss)
	case name == attrFastIOFail:
		p.fail = n
	case p.fail < 0 && n > devLossUnguarded:
		return fmt.Errorf("dev_loss_tmo %d without fast_io_fail_tmo: EINVAL", n)
	case n == 0 || n <= p.fail:
		return fmt.Errorf("HARM: dev_loss_tmo %d, fast_io_fail_tmo is %d", n, p.fail)
	default:
		p.loss = n
	}
	return nil
}

func (p port) text() (fail, loss string) {
	fail = strconv.FormatInt(p.fail, 10)
	if p.fail < 0 {
		fail = "off"
	}
	return fail, strconv.FormatInt(p.loss, 10)
}

// From every state of a port that the kernel allows to every pair of times that the
// core may want, the kernel takes each write, no write has dev_loss_tmo at or below
// fast_io_fail_tmo, and a second look finds nothing left to write.
func TestPortWritesFromEverywhere(t *testing.T) {
	times := []int64{1, 2, 5, 6, 30, 59, 60, 61, 599, 600, 601, 700, 1<<31 - 1}
	fails := append([]int64{-1, 0}, times...)
	seen := 0
	for _, hasLoss := range times {
		for _, hasFail := range fails {
			for _, toLoss := range append([]int64{0}, times...) { // 0: not wanted
				for _, toFail := range fails {
					for _, raise := range []bool{false, true} {
						if hasFail >= hasLoss || hasFail > devLossUnguarded || toFail > devLossUnguarded {
							continue // the kernel has no such state
						}
						if toLoss > 0 && toFail < 0 && toLoss > devLossUnguarded || toLoss > 0 && !raise && toFail >= toLoss {
							continue // the core wants no such thing
						}
						seen++
						p := port{hasFail, hasLoss}
						wantFail, wantLoss := port{toFail, toLoss}.text()
						fail, loss := &mpath.Knob{Name: attrFastIOFail, Value: wantFail}, &mpath.Knob{Name: attrDevLoss, Value: wantLoss, Raise: raise}
						if toLoss == 0 {
							loss = nil
						}
						what := fmt.Sprintf("%v to %d/%d raise=%v", p, toFail, toLoss, raise)
						f, l := p.text()
						writes := portWrites(fail, f, loss, l)
						for _, w := range writes {
							if err := p.store(w.name, w.value); err != nil {
								t.Fatalf("%s: %v: %v", what, writes, err)
							}
							if loss != nil && w.name == attrFastIOFail && p.fail < 0 && p.loss > devLossUnguarded {
								t.Fatalf("%s: %v: a lost port is blocked for %d s", what, writes, p.loss)
							}
						}
						most := hasLoss
						if toFail < 0 {
							most = min(hasLoss, devLossUnguarded)
						}
						switch want := max(toLoss, toFail+1); {
						case p.fail != toFail,
							loss == nil && p.loss != max(hasLoss, toFail+1),
							loss != nil && !raise && p.loss != want,
							loss != nil && raise && p.loss != max(want, most):
							t.Fatalf("%s: %v lead to %v", what, writes, p)
						}
						f, l = p.text()
						if again := portWrites(fail, f, loss, l); len(again) > 0 {
							t.Fatalf("%s: %v, then again %v", what, writes, again)
						}
					}
				}
			}
		}
	}
	if seen < 1000 {
		t.Errorf("only %d pairs were tried", seen)
	}
}

// knobHost is sysfs: what is not in it is not there; refused is what a write says.
type knobHost struct {
	attrs   map[string]string
	refuse  map[string]uint32
	did     []string
	missing uint32
}

func (h *knobHost) play(t *testing.T, a mpath.Action) mpath.Event {
	t.Helper()
	e := Engine{Files: DefaultFiles()}
	st := e.Start(a)
	for range 50 {
		if st.Next == nil {
			return st.Event
		}
		var r Answer
		switch x := st.Ask; x.Kind {
		case KindAttr:
			text, ok := h.attrs[x.Path]
			if r.Bytes = []byte(text + "\n"); !ok {
				r = Answer{Errno: h.missing}
			}
		case KindSetAttr:
			h.did = append(h.did, x.Path+"="+x.Text)
			if n := h.refuse[x.Path]; n != 0 {
				r.Errno = n
			} else {
				h.attrs[x.Path] = x.Text
			}
		case KindHold:
			h.did = append(h.did, "hold "+x.Paths[0].Name)
			if n := h.refuse[x.Paths[0].Name]; n != 0 {
				r.Errno, r.Detail = n, x.Paths[0].Name+" is another device"
			}
			r.Held = []uint64{7}
		case KindRelease:
			h.did = append(h.did, fmt.Sprint("release ", x.Held))
		default:
			t.Fatalf("asks for %+v", x)
		}
		st = st.Next(r)
	}
	t.Fatal("it does not end")
	return nil
}

func TestSetKnobs(t *testing.T) {
	const dir = "class/fc_remote_ports/rport-1:0-0"
	want := mpath.SetKnobs{Seq: 3, Dir: dir, Knobs: []mpath.Knob{{Name: "fast_io_fail_tmo", Value: "5"}, {Name: "dev_loss_tmo", Value: "700"}}}
	for _, tc := range []struct {
		what       string
		fail, loss string
		refuse     map[string]uint32
		missing    uint32
		did        []string
		busy, gone bool
		trouble    bool
		is         string // dev_loss_tmo in the end
	}{
		{what: "as wanted", fail: "5", loss: "700", is: "700"},
		{what: "as the kernel makes it", fail: "off", loss: "60", did: []string{dir + "/fast_io_fail_tmo=5", dir + "/dev_loss_tmo=700"}, is: "700"},
		{what: "the first write is refused: the second would be wrong", fail: "off", loss: "60", refuse: map[string]uint32{dir + "/fast_io_fail_tmo": eINVAL}, did: []string{dir + "/fast_io_fail_tmo=5"}, trouble: true, is: "60"},
		{what: "a blocked port", fail: "off", loss: "60", refuse: map[string]uint32{dir + "/fast_io_fail_tmo": eBUSY}, did: []string{dir + "/fast_io_fail_tmo=5"}, busy: true, trouble: true, is: "60"},
		{what: "it leaves", fail: "off", loss: "60", refuse: map[string]uint32{dir + "/fast_io_fail_tmo": eNODEV}, did: []string{dir + "/fast_io_fail_tmo=5"}, gone: true, trouble: true, is: "60"},
		{what: "it has left", missing: eNOENT, gone: true},
		{what: "it is leaving", missing: eNODEV, gone: true},
		{what: "not to be read", missing: eIO, trouble: true},
	} {
		h := &knobHost{attrs: map[string]string{}, refuse: tc.refuse, missing: tc.missing}
		if tc.fail != "" {
			h.attrs[dir+"/fast_io_fail_tmo"], h.attrs[dir+"/dev_loss_tmo"] = tc.fail, tc.loss
		}
		ev := h.play(t, want).(mpath.KnobsSet)
		if !slices.Equal(h.did, tc.did) {
			t.Errorf("%s: did %q, want %q", tc.what, h.did, tc.did)
		}
		if ev.Seq != 3 || ev.Dir != dir || ev.Busy != tc.busy || ev.Gone != tc.gone || (ev.Detail != "") != tc.trouble || ev.Knobs[1].Is != tc.is || ev.Knobs[1].Was != tc.loss {
			t.Errorf("%s: %+v", tc.what, ev)
		}
	}
	// A kernel without the attribute of a disk is told of, a port's is known to be there.
	h := &knobHost{attrs: map[string]string{}, missing: eNOENT}
	if ev := h.play(t, mpath.SetKnobs{Dir: "class/scsi_disk/1:0:0:0", Knobs: []mpath.Knob{{Name: "max_retries", Value: "2"}}}).(mpath.KnobsSet); ev.Gone || ev.Detail == "" || len(h.did) > 0 {
		t.Errorf("no max_retries: %+v, %q", ev, h.did)
	}
}

func TestLimitPaths(t *testing.T) {
	const sda, sdb, dm = "block/sda/queue/max_sectors_kb", "block/sdb/queue/max_sectors_kb", "block/dm-4/queue/max_sectors_kb"
	a := mpath.LimitPaths{Seq: 4, KB: 128, Paths: []mpath.PathRef{{Name: "sda"}, {Name: "sdb"}}}
	live := a
	live.Dev.Major, live.Dev.Minor = 253, 4
	for _, tc := range []struct {
		what  string
		a     mpath.LimitPaths
		dm    string
		fail  map[string]uint32
		did   []string
		errno mpath.Errno
	}{
		{what: "a new map", a: a, did: []string{"hold sda", sda + "=128", "release [7]", "hold sdb", "release [7]"}},
		{what: "another device has the name", a: a, fail: map[string]uint32{"sda": eSTALE}, did: []string{"hold sda", "hold sdb", "release [7]"}, errno: mpath.ErrnoChanged},
		{what: "refused", a: a, fail: map[string]uint32{sda: eINVAL}, did: []string{"hold sda", sda + "=128", "release [7]", "hold sdb", "release [7]"}, errno: mpath.ErrnoInvalid},
		{what: "a live map takes larger requests: its new path must too", a: live, dm: "512", did: []string{"hold sda", sda + "=512", "release [7]", "hold sdb", sdb + "=512", "release [7]"}},
		{what: "a live map with less", a: live, dm: "64", did: []string{"hold sda", sda + "=128", "release [7]", "hold sdb", "release [7]"}},
		{what: "nobody knows what the live map takes", a: live, errno: mpath.ErrnoGone},
	} {
		h := &knobHost{attrs: map[string]string{sda: "1280", sdb: "128"}, refuse: tc.fail, missing: eNOENT}
		if tc.dm != "" {
			h.attrs[dm] = tc.dm
		}
		ev := h.play(t, tc.a).(mpath.ActionDone)
		if !slices.Equal(h.did, tc.did) || ev.Errno != tc.errno || ev.Seq != 4 || (ev.Detail != "") != (tc.errno != 0) {
			t.Errorf("%s: %+v, did %q, want %q", tc.what, ev, h.did, tc.did)
		}
	}
}
