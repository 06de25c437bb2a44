package engine

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/mpath"
)

// The times of transports, and what else of sysfs a configuration speaks of. What is
// so already is not written. What was written is read back, since a driver may make
// something else of it.

// The attributes of a remote port. The kernel ties them together: fast_io_fail_tmo
// must be below dev_loss_tmo, and without it dev_loss_tmo is at most 600
// (drivers/scsi/scsi_transport_fc.c).
const (
	attrFastIOFail = "fast_io_fail_tmo"
	attrDevLoss    = "dev_loss_tmo"
	// devLossUnguarded is SCSI_DEVICE_BLOCK_MAX_TIMEOUT.
	devLossUnguarded = 600
)

// tuning is one SetKnobs on its way.
type tuning struct {
	a      mpath.SetKnobs
	ev     mpath.KnobsSet
	writes []knobWrite
}

type knobWrite struct{ name, value string }

func (e *Engine) setKnobs(a mpath.SetKnobs) Step {
	t := &tuning{a: a, ev: mpath.KnobsSet{Seq: a.Seq, Dir: a.Dir}}
	for _, k := range a.Knobs {
		t.ev.Knobs = append(t.ev.Knobs, mpath.KnobState{Name: k.Name})
	}
	return t.read(0, true, func() Step {
		t.writes = t.needed()
		return t.write(len(t.writes) > 0)
	})
}

func (t *tuning) path(name string) string { return t.a.Dir + "/" + name }

// read reads every attribute, before or after.
func (t *tuning) read(i int, before bool, then func() Step) Step {
	if i == len(t.ev.Knobs) {
		return then()
	}
	k := &t.ev.Knobs[i]
	return ask(Ask{Kind: KindAttr, Path: t.path(k.Name)}, func(r Answer) Step {
		text := strings.TrimSpace(string(r.Bytes))
		switch {
		case r.Errno == eNODEV:
			t.ev.Gone = true
			return done(t.ev)
		case r.Errno == eNOENT && (strings.Contains(t.a.Dir, "/rport-") || strings.Contains(t.a.Dir, "/session")):
			t.ev.Gone = true // every one has it
			return done(t.ev)
		case r.Errno != 0 && before:
			// The object, the driver or the kernel has no such attribute.
			if t.ev.Detail == "" {
				t.ev.Detail = told("reading", t.path(k.Name), r)
			}
		case r.Errno != 0:
			k.Is = ""
		case before:
			k.Was, k.Is = text, text
		default:
			k.Is = text
		}
		return t.read(i+1, before, then)
	})
}

// write writes what is left to write. A refused write ends it: the next one counts
// on it.
func (t *tuning) write(wrote bool) Step {
	if len(t.writes) == 0 {
		if !wrote {
			return done(t.ev)
		}
		return t.read(0, false, func() Step { return done(t.ev) })
	}
	w := t.writes[0]
	t.writes = t.writes[1:]
	return ask(Ask{Kind: KindSetAttr, Path: t.path(w.name), Text: w.value}, func(r Answer) Step {
		if r.Errno == 0 {
			return t.write(wrote)
		}
		t.ev.Gone = r.Errno == eNODEV || r.Errno == eNXIO
		t.ev.Busy = r.Errno == eBUSY
		t.ev.Detail = told("writing "+w.value+" to", t.path(w.name), r)
		t.writes = nil
		return t.write(wrote)
	})
}

// needed says what is to be written, in an order that the kernel takes and that at
// no moment has dev_loss_tmo at or below fast_io_fail_tmo.
func (t *tuning) needed() []knobWrite {
	var out []knobWrite
	var fail, loss *mpath.Knob
	var failHas, lossHas string
	for i, k := range t.ev.Knobs {
		want := &t.a.Knobs[i]
		switch {
		case k.Was == "":
		case k.Name == attrFastIOFail:
			fail, failHas = want, k.Was
		case k.Name == attrDevLoss:
			loss, lossHas = want, k.Was
		case !want.Holds(k.Was):
			out = append(out, knobWrite{want.Name, want.Value})
		}
	}
	return append(out, portWrites(fail, failHas, loss, lossHas)...)
}

// portWrites are the writes to a remote port. nil: the attribute is not wanted, or not
// there.
func portWrites(fail *mpath.Knob, failHas string, loss *mpath.Knob, lossHas string) []knobWrite {
	var out []knobWrite
	number := func(s string) int64 { // off and nonsense: -1
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	failIs, lossIs := number(failHas), number(lossHas)
	failTo, lossTo := failIs, lossIs
	if fail != nil {
		failTo = number(fail.Value)
	}
	if loss != nil && !loss.Holds(lossHas) {
		lossTo = number(loss.Value)
	}
	if lossIs >= 0 {
		lossTo = max(lossTo, failTo+1) // it was only to be raised, or is not wanted at all
	}
	set := func(name string, n int64) {
		value := strconv.FormatInt(n, 10)
		if n < 0 {
			value = "off"
		}
		out = append(out, knobWrite{name, value})
	}
	if fail != nil && failTo < 0 && loss != nil && lossIs > devLossUnguarded {
		// Without a fast_io_fail_tmo a lost port is blocked for all of dev_loss_tmo. The
		// kernel takes no more than this then, but keeps what it had: that comes down first.
		lossTo = min(lossTo, devLossUnguarded)
		if failIs >= lossTo {
			failIs = lossTo - 1
			set(attrFastIOFail, failIs)
		}
		lossIs = lossTo
		set(attrDevLoss, lossIs)
	}
	if lossIs >= 0 && failTo >= lossIs {
		// dev_loss_tmo goes first, as far as it may without a fast_io_fail_tmo.
		if failIs < 0 && failTo >= devLossUnguarded {
			failIs = lossIs - 1
			set(attrFastIOFail, failIs)
		}
		lossIs = lossTo
		if failIs < 0 {
			lossIs = min(lossTo, devLossUnguarded)
		}
		set(attrDevLoss, lossIs)
	}
	if fail != nil && failTo != failIs {
		set(attrFastIOFail, failTo)
	}
	if lossTo != lossIs && lossTo > 0 {
		set(attrDevLoss, lossTo)
	}
	return out
}

// limitPaths writes max_sectors_kb of paths that are about to join. Each is held open
// and compared first: its name may be another device's by now.
func (e *Engine) limitPaths(a mpath.LimitPaths) Step {
	if a.Dev == (mpath.LimitPaths{}).Dev {
		return limitEach(a, a.KB, a.Paths, mpath.ActionDone{Seq: a.Seq})
	}
	own := fmt.Sprintf("block/dm-%d/queue/max_sectors_kb", a.Dev.Minor)
	return ask(Ask{Kind: KindAttr, Path: own}, func(r Answer) Step {
		has, err := strconv.Atoi(strings.TrimSpace(string(r.Bytes)))
		if r.Errno != 0 || err != nil {
			// Without the map's own limit nobody can say what is too little.
			return done(mpath.ActionDone{Seq: a.Seq, Errno: cmp.Or(errnoOf(r.Errno), mpath.ErrnoOther), Detail: told("reading", own, r)})
		}
		return limitEach(a, max(a.KB, has), a.Paths, mpath.ActionDone{Seq: a.Seq})
	})
}

func limitEach(a mpath.LimitPaths, kb int, left []mpath.PathRef, ev mpath.ActionDone) Step {
	if len(left) == 0 {
		return done(ev)
	}
	p := left[0]
	next := func(errno uint32, detail string, held []uint64) Step {
		if errno != 0 && ev.Errno == mpath.ErrnoNone {
			ev.Errno, ev.Detail = errnoOf(errno), detail
		}
		if held == nil {
			return limitEach(a, kb, left[1:], ev)
		}
		return ask(Ask{Kind: KindRelease, Held: held}, func(Answer) Step { return limitEach(a, kb, left[1:], ev) })
	}
	return ask(Ask{Kind: KindHold, Paths: []mpath.PathRef{p}}, func(r Answer) Step {
		if r.Errno != 0 {
			return next(r.Errno, told("max_sectors_kb: opening", p.Name, r), nil)
		}
		held, attr := r.Held, "block/"+p.Name+"/queue/max_sectors_kb"
		return ask(Ask{Kind: KindAttr, Path: attr}, func(r Answer) Step {
			if r.Errno != 0 {
				return next(r.Errno, told("reading", attr, r), held)
			}
			if strings.TrimSpace(string(r.Bytes)) == strconv.Itoa(kb) {
				return next(0, "", held)
			}
			return ask(Ask{Kind: KindSetAttr, Path: attr, Text: strconv.Itoa(kb)}, func(r Answer) Step {
				return next(r.Errno, told(fmt.Sprintf("writing %d to", kb), attr, r), held)
			})
		})
	})
}

// told says what was tried, on what, and what the kernel said: in the port's words
// where it has some.
func told(what, name string, r Answer) string {
	if r.Detail != "" {
		return r.Detail
	}
	return fmt.Sprintf("%s %s: %s", what, name, errnoWords(r.Errno))
}
