package mpath

import (
	"fmt"
	"runtime"
	"strings"
)

// A panic in the core is a bug. Nothing at all would leave paths failed, and going
// on as if nothing had been would act on a state that nobody can vouch for. So the
// map in whose hands the core was is forgotten, with its paths, and made anew from
// what the kernel says, as after a restart: adopted as it is. The other maps never
// notice. Where it cannot be told which map it was, the shell must end the process,
// which its supervisor starts again.

const (
	// A map that breaks again and again is left alone until a reload: the kernel
	// goes on with the table that it has.
	maxRebuilds  = 3
	rebuildsSpan = 10 * Minute
	bugFrames    = 12
)

// at notes in whose hands the core is.
func (mc *Machine) at(m *mmap) { mc.hands = m }

// guard runs a part of a step and survives its panic.
func (mc *Machine) guard(part func()) {
	mc.hands = nil
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		b := Bug{Text: fmt.Sprint(cause), Where: frames()}
		if m := mc.hands; m != nil && !m.left {
			b.Object = m.label()
			mc.rebuild(m)
		}
		mc.act(b)
	}()
	part()
}

// TripText is what the core says when it panics because a test wanted it to.
const TripText = "tripped by a test"

// Trip makes the core panic when it settles its n-th map from now: for tests of
// what comes then.
func (mc *Machine) Trip(n int) { mc.trip = n }

func (mc *Machine) tripped() {
	if mc.trip > 0 {
		if mc.trip--; mc.trip == 0 {
			panic(TripText)
		}
	}
}

// rebuild forgets a map and its paths and has all of them looked at anew.
func (mc *Machine) rebuild(m *mmap) {
	for _, p := range m.paths {
		mc.dropPath(p)
		mc.look(p.seen.Name)
	}
	n := &mmap{
		wwid: m.wwid, owner: NoOwner(), listed: m.listed, listedAt: m.listedAt, removed: m.removed, hadPath: m.hadPath,
		name: m.name, nameWhy: m.nameWhy, nameNew: m.nameNew,
		// Nothing else is asked before the answer to what is in flight, and a load
		// that did not end well is ours to resume.
		askWhat: m.askWhat, askAt: m.askAt, loading: m.loading, askRO: m.askRO,
		ourSuspend: m.ourSuspend || m.loading,
		rebuilds:   m.rebuilds, rebuiltAt: m.rebuiltAt,
	}
	if mc.now.Since(n.rebuiltAt) > rebuildsSpan {
		n.rebuilds = 0
	}
	n.rebuilds++
	n.rebuiltAt = mc.now
	if m.queue.at != 0 {
		// A deadline that runs outlives this as it outlives a restart.
		mc.recorded = append(mc.recorded, Deadline{WWID: m.wwid, At: m.queue.at, Expired: m.queue.expired})
	}
	open := m.ask
	mc.dropMap(m)
	mc.addMap(n)
	if open != 0 {
		n.ask = open
		mc.find.asked[open] = n
	}
	if n.rebuilds >= maxRebuilds {
		n.leftAlone = true
		mc.note(LevelError, n.label(), fmt.Sprintf("broke %d times: it is left as the kernel has it until a reload; please report it", n.rebuilds))
	}
	mc.wantList()
}

// rebuilding says whether the paths of a map are on their way because a panic has made
// the core forget them: they do not arrive.
func (m *mmap) rebuilding(now Instant) bool {
	return m.rebuilds > 0 && now.Since(m.rebuiltAt) < firstChecks
}

func base(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// frames names the functions that panicked, ours only.
func frames() string {
	pc := make([]uintptr, 48)
	fs := runtime.CallersFrames(pc[:runtime.Callers(4, pc)])
	var out []string
	for {
		f, more := fs.Next()
		if strings.Contains(f.Function, "pathkeeper/") {
			out = append(out, fmt.Sprintf("%s (%s:%d)", base(f.Function), base(f.File), f.Line))
		}
		if !more || len(out) == bugFrames {
			return strings.Join(out, " < ")
		}
	}
}
