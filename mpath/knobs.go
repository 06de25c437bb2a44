package mpath

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/policy"
)

// How long the kernel waits for a lost port is written in sysfs, at objects that
// many paths share: a remote port, a session, a host. What is wanted of one follows
// from all its paths. It is written when the first picture is complete, when a path
// comes into a map, at a reload, and when a path comes back: a port or session that
// was lost may have come back with times of its own. The kernel's are read first,
// so nothing is written that is so already.

// tuned is what is wanted and known of one object.
type tuned struct {
	dir     string
	want    []Knob
	why     string
	ask     uint64 // open SetKnobs
	again   bool   // the kernel is asked even where the same is wanted
	have    []KnobState
	trouble string // what the kernel refused; "" nothing
	clash   string // that its paths want different things, as it was said
	wrote   int    // times that something was written, since we run
}

const (
	dirPorts    = "class/fc_remote_ports/"
	dirSessions = "class/iscsi_session/"
	dirSAS      = "class/sas_end_device/"
	dirHosts    = "class/scsi_host/"
	dirDisks    = "class/scsi_disk/"

	protocolFC    = "scsi:fcp"
	protocolISCSI = "scsi:iscsi"
	protocolSAS   = "scsi:sas"
)

// Knobs are the objects of a path whose attributes a configuration can speak of,
// directories below /sys.
func (e PathSeen) Knobs() []string { return knobDirs(e) }

// Object is the name of an object: "rport-1:0-2", "disk 1:0:0:2".
func (v KnobView) Object() string { return objectOf(v.Dir) }

// Holds says whether the kernel has what is wanted.
func (k Knob) Holds(has string) bool {
	if k.Value == has {
		return true
	}
	n, err1 := strconv.ParseInt(k.Value, 10, 64)
	h, err2 := strconv.ParseInt(has, 10, 64)
	return err1 == nil && err2 == nil && (n == h || k.Raise && h > n)
}

// knobDirs are the objects of a path, directories below /sys.
func knobDirs(e PathSeen) []string {
	if e.HCTL == "" {
		return nil
	}
	out := []string{dirHosts + "host" + strconv.FormatUint(uint64(e.HostNo), 10), dirDisks + e.HCTL}
	if e.Nexus == "" {
		return out
	}
	switch e.Facts.Protocol {
	case protocolFC:
		out = append(out, dirPorts+e.Nexus)
	case protocolISCSI:
		out = append(out, dirSessions+e.Nexus)
	case protocolSAS:
		out = append(out, dirSAS+e.Nexus)
	}
	return out
}

// retune has the objects of a path looked at in this step. again: the kernel may
// have gone back to other values.
func (mc *Machine) retune(p *path, again bool) {
	s := &p.decision.Settings
	for _, dir := range knobDirs(p.seen) {
		t := mc.tunedOf(dir)
		if t == nil && (strings.HasPrefix(dir, dirHosts) && s.EHDeadline.V.Mode == policy.TimeoutUnset ||
			strings.HasPrefix(dir, dirDisks) && s.MaxRetries.V.Mode == policy.TimeoutUnset) {
			continue // of these few configurations speak, and a host has many paths
		}
		mc.untuned = addTo(mc.untuned, dir)
		if t != nil && again {
			t.again = true
		}
	}
	mc.oddTransport(p)
}

// retryKnobs tries again what the kernel refused.
func (mc *Machine) retryKnobs() {
	for _, t := range mc.tuned {
		if t.trouble != "" {
			t.again = true
			mc.untuned = addTo(mc.untuned, t.dir)
		}
	}
}

// addTo adds to a sorted list that nobody shares.
func addTo(list []string, s string) []string {
	i, ok := slices.BinarySearch(list, s)
	if ok {
		return list
	}
	return slices.Insert(list, i, s)
}

func (mc *Machine) tunedOf(dir string) *tuned {
	i, ok := slices.BinarySearchFunc(mc.tuned, dir, func(t *tuned, d string) int { return cmp.Compare(t.dir, d) })
	if !ok {
		return nil
	}
	return mc.tuned[i]
}

// settleKnobs asks for what is wanted of the objects that were touched.
func (mc *Machine) settleKnobs() {
	if !mc.started || mc.stopping || len(mc.untuned) == 0 {
		return
	}
	due := mc.untuned
	mc.untuned = nil
	for _, dir := range due {
		w := mc.wishOf(dir)
		for _, o := range w.odd {
			mc.sayOdd(o)
		}
		t := mc.tunedOf(dir)
		if t == nil && len(w.knobs) == 0 {
			continue
		}
		if t == nil {
			t = &tuned{dir: dir}
			i, _ := slices.BinarySearchFunc(mc.tuned, dir, func(t *tuned, d string) int { return cmp.Compare(t.dir, d) })
			mc.tuned = slices.Insert(mc.tuned, i, t)
		}
		if t.clash != w.clash && w.clash != "" {
			mc.note(LevelWarning, objectOf(dir), w.clash)
		}
		t.clash = w.clash
		if t.ask != 0 {
			mc.untuned = addTo(mc.untuned, dir) // its answer comes first
			continue
		}
		mc.tune(t, w)
	}
}

// tune asks for what is wanted of an object, if it was not asked for already.
func (mc *Machine) tune(t *tuned, w wish) {
	same := slices.Equal(t.want, w.knobs)
	t.want, t.why = w.knobs, strings.Join(w.why, ", ")
	if len(t.want) == 0 {
		mc.tuned = slices.DeleteFunc(slices.Clone(mc.tuned), func(o *tuned) bool { return o == t })
		return
	}
	if same && !t.again {
		return
	}
	t.again = false
	t.ask = mc.nextSeq()
	mc.act(SetKnobs{Seq: t.ask, Dir: t.dir, Knobs: slices.Clone(t.want), Reason: t.why})
}

// takeKnobs takes in what the kernel has now.
func (mc *Machine) takeKnobs(e KnobsSet) {
	t := mc.tunedOf(e.Dir)
	if t == nil || t.ask != e.Seq {
		return
	}
	t.ask = 0
	t.have = e.Knobs
	var changes []string
	for _, k := range e.Knobs {
		if k.Was != k.Is {
			changes = append(changes, fmt.Sprintf("%s %s -> %s", k.Name, k.Was, k.Is))
		}
	}
	if len(changes) > 0 {
		t.wrote++
		mc.note(LevelNotice, objectOf(t.dir), strings.Join(changes, ", ")+": "+t.why)
	}
	switch {
	case e.Gone: // its paths leave as well
		t.trouble = ""
	case e.Busy:
		if t.trouble == "" {
			mc.note(LevelInfo, objectOf(t.dir), e.Detail+": tried again when a path of it is back")
		}
		t.trouble = e.Detail
	case e.Detail != t.trouble && e.Detail != "":
		mc.note(LevelWarning, objectOf(t.dir), e.Detail+": the kernel keeps its own")
		t.trouble = e.Detail
	default:
		t.trouble = e.Detail
	}
}

// objectOf is the name of an object: "rport-1:0-2", "disk 1:0:0:2".
func objectOf(dir string) string {
	if hctl, ok := strings.CutPrefix(dir, dirDisks); ok {
		return "disk " + hctl
	}
	return base(dir)
}

// maxOdds bounds what is remembered of what was said.
const maxOdds = 64

// sayOdd says once per configuration what of it cannot be.
func (mc *Machine) sayOdd(text string) {
	if len(mc.odds) < maxOdds && !hasSorted(mc.odds, text) {
		mc.odds = addTo(mc.odds, text)
		mc.note(LevelWarning, "config", text)
	}
}

// wish is what all paths of an object want of it.
type wish struct {
	knobs []Knob
	why   []string
	clash string   // they want different things, and which of them counts
	odd   []string // what of the configuration cannot be
}

// wishOf puts together what the paths of an object want. One path's table entry
// and another one's may differ: then the shortest time to fail counts, and the
// longest until a port is given up, whichever came last. (multipath-tools lets the
// last map win, so that the times depend on the order of events.)
func (mc *Machine) wishOf(dir string) wish {
	var w wish
	var fail, loss, deadline, tries vote
	least := 0
	for _, p := range mc.find.knobs[dir] {
		if p.wwid == "" || p.stranger != "" || p.decision.Verdict != policy.VerdictAdmit {
			continue
		}
		s := &p.decision.Settings
		fail.cast(p, s.FastIOFail)
		loss.cast(p, s.DevLoss)
		deadline.cast(p, s.EHDeadline)
		tries.cast(p, s.MaxRetries)
		least = max(least, leastDevLoss(s))
	}
	switch {
	case fail.of == nil: // nobody of it is a path
		return wish{}
	case strings.HasPrefix(dir, dirPorts):
		w.port(fail, loss, least)
	case strings.HasPrefix(dir, dirSessions):
		w.session(fail)
	case strings.HasPrefix(dir, dirSAS):
		if loss.set() {
			w.want("I_T_nexus_loss_timeout", "dev_loss_tmo", max(loss.most.V.Seconds, least), loss.most, &loss)
		}
	case strings.HasPrefix(dir, dirHosts):
		w.number("eh_deadline", "off", deadline)
	case strings.HasPrefix(dir, dirDisks):
		w.number("max_retries", "-1", tries)
	}
	return w
}

// number wants a number, or a word for off.
func (w *wish) number(name, off string, v vote) {
	if !v.set() {
		return
	}
	value := off
	if v.least.V.Mode == policy.TimeoutSeconds {
		value = strconv.Itoa(v.least.V.Seconds)
	}
	w.knobs = append(w.knobs, Knob{Name: name, Value: value})
	w.why = append(w.why, because(name, v.least))
	w.clashes(name, v.least, &v)
}

func (w *wish) want(knob, keyword string, seconds int, from policy.Value[policy.Timeout], v *vote) {
	w.knobs = append(w.knobs, Knob{Name: knob, Value: strconv.Itoa(seconds)})
	w.why = append(w.why, because(keyword, from))
	w.clashes(keyword, from, v)
}

// session wants recovery_tmo, which knows neither off nor at once.
func (w *wish) session(fail vote) {
	from := fail.least
	if from.V.Seconds == 0 { // off has none either
		w.odd = append(w.odd, fmt.Sprintf("fast_io_fail_tmo %s (%s) is nothing that an iSCSI session can have: it keeps its recovery_tmo", from.V, from.Origin))
		return
	}
	w.want("recovery_tmo", "fast_io_fail_tmo", from.V.Seconds, from, &fail)
}

const devLossUnguarded = 600 // the kernel's limit where fast_io_fail_tmo is off (SCSI_DEVICE_BLOCK_MAX_TIMEOUT)

// port wants fast_io_fail_tmo and dev_loss_tmo of a remote port: the first always
// below the second, the second long enough for the map's retries and never 0.
func (w *wish) port(fail, loss vote, least int) {
	ff, seconds, raise := fail.least, loss.most.V.Seconds, false
	why := because("dev_loss_tmo", loss.most)
	switch {
	case !loss.set():
		seconds, raise, why = least, true, fmt.Sprintf("dev_loss_tmo at least %s, for no_path_retry", lossText(least))
	case seconds < least:
		why = fmt.Sprintf("%s, raised to %s for no_path_retry", why, lossText(least))
		seconds = least
	}
	text := strconv.Itoa(ff.V.Seconds)
	if ff.V.Mode == policy.TimeoutSeconds && loss.set() && ff.V.Seconds >= seconds {
		w.odd = append(w.odd, fmt.Sprintf("fast_io_fail_tmo %s (%s) is not below dev_loss_tmo %s: it is off", ff.V, ff.Origin, lossText(seconds)))
		ff.V = policy.Timeout{Mode: policy.TimeoutOff}
	}
	if ff.V.Mode == policy.TimeoutOff {
		text = "off"
		if seconds > devLossUnguarded {
			w.odd = append(w.odd, fmt.Sprintf("dev_loss_tmo %s is limited to %d by the kernel, since fast_io_fail_tmo is off (%s)", lossText(seconds), devLossUnguarded, ff.Origin))
			seconds, raise = devLossUnguarded, false // the kernel may have more from before, and would block a lost port for all of it
		}
	}
	w.knobs = append(w.knobs, Knob{Name: "fast_io_fail_tmo", Value: text})
	w.why = append(w.why, because("fast_io_fail_tmo", ff))
	w.clashes("fast_io_fail_tmo", fail.least, &fail)
	if seconds > 0 {
		w.knobs = append(w.knobs, Knob{Name: "dev_loss_tmo", Value: strconv.Itoa(seconds), Raise: raise})
		w.why = append(w.why, why)
		w.clashes("dev_loss_tmo", loss.most, &loss)
	}
}

// leastDevLoss is how long a port must be kept so that the disks are still there
// while the map queues for them: all retries, a sixtieth of that and 5 s.
func leastDevLoss(s *policy.Settings) int {
	switch retry := s.NoPathRetry.V; retry.Mode {
	case policy.RetryQueue:
		return policy.DevLossMax
	case policy.RetryCount:
		t := int64(retry.Checks) * int64(s.PollingInterval.V)
		return int(min(t+t/60+5, policy.DevLossMax))
	}
	return 0
}

func lossText(seconds int) string {
	return policy.Timeout{Mode: policy.TimeoutSeconds, Seconds: seconds}.String()
}

func because(keyword string, v policy.Value[policy.Timeout]) string {
	return fmt.Sprintf("%s %s (%s)", keyword, v.V, v.Origin)
}

// oddTransport says what a path's transport cannot do. Only what somebody has written
// is worth a word: the built-in values are for the transports that know them.
func (mc *Machine) oddTransport(p *path) {
	f := p.seen.Facts.Protocol
	if p.wwid == "" || f == protocolFC || f == protocolISCSI || f == protocolSAS {
		return
	}
	s := &p.decision.Settings
	for _, o := range []struct {
		keyword string
		v       policy.Value[policy.Timeout]
	}{{"fast_io_fail_tmo", s.FastIOFail}, {"dev_loss_tmo", s.DevLoss}} {
		if o.v.Origin.File != "" {
			mc.sayOdd(fmt.Sprintf("%s (%s) counts for nothing on %s: that transport has no such time", o.keyword, o.v.Origin, f))
		}
	}
}

// vote is what the paths of an object want of one keyword. Off is the greatest.
type vote struct {
	least, most policy.Value[policy.Timeout]
	of, ofMost  *path
	different   bool
}

func (v *vote) set() bool { return v.least.V.Mode != policy.TimeoutUnset }

func (v *vote) cast(p *path, x policy.Value[policy.Timeout]) {
	switch {
	case v.of == nil || !v.set() && x.V.Mode != policy.TimeoutUnset:
		v.least, v.most, v.of, v.ofMost = x, x, p, p
		return
	case x.V.Mode == policy.TimeoutUnset:
		return
	}
	if shorter(x.V, v.least.V) {
		v.least, v.of = x, p
	}
	if shorter(v.most.V, x.V) {
		v.most, v.ofMost = x, p
	}
	v.different = v.least.V != v.most.V
}

func shorter(a, b policy.Timeout) bool {
	if a.Mode != b.Mode {
		return b.Mode == policy.TimeoutOff
	}
	return a.Seconds < b.Seconds
}

// clashes says that the paths of an object do not agree.
func (w *wish) clashes(keyword string, counts policy.Value[policy.Timeout], v *vote) {
	if !v.different {
		return
	}
	text := fmt.Sprintf("its paths want %s %s (%s, %s) and %s (%s, %s): %s counts",
		keyword, v.least.V, v.of.seen.Name, v.least.Origin, v.most.V, v.ofMost.seen.Name, v.most.Origin, counts.V)
	if w.clash != "" {
		text = w.clash + "; " + text
	}
	w.clash = text
}
