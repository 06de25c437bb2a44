package why

import (
	"cmp"
	"fmt"
	"slices"

	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// How long a failure can go unnoticed, and how long I/O can wait for it, follows
// from knobs of five layers: the daemon's checks, the SCSI layer, the transport,
// device-mapper, the cluster. Budget puts them together. It is arithmetic on what
// is given, nothing is measured.

// Knob is one setting of a layer.
type Knob struct {
	Name    string
	Seconds int    // its value; of retries a count
	Off     bool   // switched off: nothing ends the waiting here
	Known   bool   // false: the kernel does not show it
	Origin  string // where its value stands: a file's line, a path in sysfs
}

// PathTimes are the knobs below one path.
type PathTimes struct {
	Path     string // "sda"
	Protocol string // "scsi:fcp"

	Command    Knob // one SCSI command
	Retries    Knob // after a command that timed out
	EHDeadline Knob // the SCSI error handler

	FastIOFail, DevLoss                 Knob // FC
	Recovery, NoopInterval, NoopTimeout Knob // iSCSI
}

// TimesInput is what Budget goes by.
type TimesInput struct {
	Map      string
	Settings policy.Settings
	Queueing bool // the kernel queues when no path is left
	Paths    []PathTimes
	HA       policy.HA
	// Kept is what the daemon writes in sysfs for the paths, with what is there.
	Kept []Kept
}

// Kept is one attribute in sysfs that the configuration speaks of.
type Kept struct {
	Object string `json:"object"` // "rport-1:0-2"
	Knob   string `json:"knob"`   // "fast_io_fail_tmo"
	Wanted string `json:"wanted"`
	Least  bool   `json:"at_least"` // more than that is as good
	Kernel string `json:"kernel"`   // what is there; "" it cannot be read
	Origin string `json:"origin"`   // the keywords that it follows from
	As     bool   `json:"as_wanted"`
	// Trouble is what the kernel said when it was written; "" nothing.
	Trouble string `json:"trouble"`
}

// Part is what one knob adds to a sum.
type Part struct {
	Layer   string `json:"layer"`
	Knob    string `json:"knob"`
	Value   string `json:"value"`
	Origin  string `json:"origin"`
	Seconds int    `json:"seconds"`
	Open    bool   `json:"no_bound"` // nothing ends it: Seconds counts for nothing
	How     string `json:"how"`      // the arithmetic, where it is more than the value

	unit  int // seconds that one step of the knob adds, 0: it is not a number to turn
	least int // the least value of the knob that makes sense
	fixed int // seconds of it that the knob does not change
}

// Sum is one of the three times that matter, in one way of failing.
type Sum struct {
	What    string `json:"what"`
	Seconds int    `json:"seconds"`
	Open    bool   `json:"no_bound"`
	Parts   []Part `json:"parts"`
	Rules   string `json:"dominated_by"` // the knob that adds most

	then []Part // what comes in where a part that has no bound gets one
}

// Failure is one way in which a path fails.
type Failure struct {
	How  string `json:"how"`
	Path string `json:"path"` // the one that takes longest
	Idle Sum    `json:"idle_path_seen"`
	IO   Sum    `json:"io_moved"`
	All  Sum    `json:"all_lost_io_fails"`
}

// Budget is the answer.
type Budget struct {
	Pathkeeper int       `json:"pathkeeper"`
	Map        string    `json:"map"`
	Failures   []Failure `json:"failures"`
	Deadline   *Deadline `json:"deadline"` // null: the configuration gives none
	Kept       []Kept    `json:"kept"`     // what the daemon writes in sysfs
	Notes      []string  `json:"notes"`
}

// Deadline compares with what the cluster demands.
type Deadline struct {
	Seconds int      `json:"seconds"`
	Origin  string   `json:"origin"`
	Met     bool     `json:"met"`
	Worst   string   `json:"worst"`   // what takes longest
	Advice  []string `json:"to_meet"` // what to change
}

// sdRetries is how often the disk driver tries again where the kernel shows no
// other number (SD_MAX_RETRIES, drivers/scsi/sd.h).
const sdRetries = 5

// Budgeted computes the times of a map.
func Budgeted(in TimesInput) Budget {
	b := Budget{Pathkeeper: 1, Map: in.Map, Failures: []Failure{}, Notes: []string{}, Kept: slices.Concat([]Kept{}, in.Kept)}
	for _, k := range b.Kept {
		if k.As {
			continue
		}
		note := fmt.Sprintf("%s of %s is wanted to be %s (%s), and the kernel has %s, which counts", k.Knob, k.Object, k.Wanted, k.Origin, cmp.Or(k.Kernel, "none"))
		if k.Trouble != "" {
			note += ": " + k.Trouble
		}
		b.Notes = append(b.Notes, note)
	}
	all := in.failures()
	for _, of := range all {
		if len(of) > 0 {
			b.Failures = append(b.Failures, slices.MaxFunc(of, func(x, y Failure) int { return x.All.compare(y.All) }))
		}
	}
	b.Deadline = in.deadline(slices.Concat(all...))
	if mode, demand := in.Settings.NoPathRetry.V.Mode, in.HA.Queueing; demand == "forbidden" && (mode == policy.RetryQueue || mode == policy.RetryCount) || demand == "bounded" && mode == policy.RetryQueue {
		b.Notes = append(b.Notes, fmt.Sprintf("queueing is %s by %s, and no_path_retry is %s", demand, in.HA.Origin, withOrigin(in.Settings.NoPathRetry.V.String(), in.Settings.NoPathRetry.Origin)))
	}
	return b
}

// failures are the ways of failing, each on every path that can fail so.
func (in TimesInput) failures() [][]Failure {
	var lost, silent []Failure
	for _, p := range in.Paths {
		if link, ok := p.link(); ok {
			lost = append(lost, in.failure("the link to the target is lost, and the transport notices", p, link, link, nil))
		}
		silent = append(silent, in.failure("the target does not answer, and the link stays up", p, p.silence(), in.patience(p), in.patience(p)))
	}
	return [][]Failure{lost, silent}
}

// failure sums up one way of failing on one path. io is how long an I/O on it
// waits, check a check of it, and later a check when the failure is known already.
func (in TimesInput) failure(how string, p PathTimes, io, check, later []Part) Failure {
	f := Failure{How: how, Path: p.Path}
	every := in.Settings.MaxPollingInterval
	f.Idle = sum("an idle path's failure is seen", slices.Concat([]Part{{
		Layer: "checks", Knob: "max_polling_interval", Value: fmt.Sprint(every.V), Origin: every.Origin.String(), Seconds: every.V, unit: 1, least: 1,
		How: "between two checks of a path that works",
	}}, check))
	f.IO = sum("I/O on it goes to another path", io)
	queue, then := in.queue(later)
	f.All = sum("all paths are lost: I/O fails", slices.Concat(io, queue))
	f.All.then = then
	return f
}

// patience is how long a check without an answer is waited for.
func (in TimesInput) patience(p PathTimes) []Part {
	timeout := in.Settings.CheckerTimeout
	part := Part{Layer: "checks", Knob: "checker_timeout", Value: fmt.Sprint(timeout.V), Origin: timeout.Origin.String(), unit: 2, least: 1}
	device := 0
	if p.Command.Known {
		device = p.Command.Seconds
	}
	if timeout.V <= 0 {
		part.Value, part.Origin = "(unset)", "built-in default"
		if device > 0 {
			part.Value, part.Origin = fmt.Sprintf("(unset), %d of the device", device), p.Command.Origin
		}
	}
	part.Seconds = int(mpath.CheckPatience(in.Settings, device).Seconds())
	part.How = "2 x the time-out + 5: a check without an answer is given up then"
	part.fixed = 5
	if in.Settings.Checker.V == "directio" {
		part.How, part.unit = "the time-out + 5: a check without an answer is given up then", 1
	}
	return []Part{part}
}

// silence is how long an I/O waits whose target does not answer: a command times
// out and is tried again, and then the error handler works.
func (p PathTimes) silence() []Part {
	command, retries := Part{Layer: "SCSI", Knob: "timeout", Value: "30", Origin: "the kernel's default", Seconds: 30, unit: 1, least: 5}, p.Retries
	if p.Command.Known {
		command.Value, command.Origin, command.Seconds = fmt.Sprint(p.Command.Seconds), p.Command.Origin, p.Command.Seconds
	}
	one := command.Seconds
	command.How = "one command"
	again := Part{Layer: "SCSI", Knob: "max_retries", Value: fmt.Sprint(sdRetries), Origin: "the kernel's default", Seconds: sdRetries * one, unit: one}
	if retries.Known {
		again.Value, again.Origin, again.Seconds, again.Open = fmt.Sprint(retries.Seconds), retries.Origin, retries.Seconds*one, retries.Off
	}
	again.How = fmt.Sprintf("%s x %d s: a command that timed out is sent again", again.Value, one)
	if again.Open {
		again.Value, again.How = "no limit", "a command that timed out is sent again for ever"
	}
	eh := Part{Layer: "SCSI", Knob: "eh_deadline", Value: "off", Origin: p.EHDeadline.Origin, Open: true, unit: 1, least: 5, How: "without it the error handler takes as long as its resets take"}
	if p.EHDeadline.Known && !p.EHDeadline.Off {
		eh.Value, eh.Seconds, eh.Open, eh.How = fmt.Sprint(p.EHDeadline.Seconds), p.EHDeadline.Seconds, false, "the error handler, then the host is reset"
	} else if !p.EHDeadline.Known {
		eh.Value, eh.Origin = "(not shown)", "the kernel"
	}
	return []Part{command, again, eh}
}

// link is how long an I/O waits when the transport notices that its link is lost.
// ok is false for a transport that has no such time-outs.
func (p PathTimes) link() (parts []Part, ok bool) {
	switch {
	case p.Recovery.Known:
		return p.session(), true
	case p.FastIOFail.Known && !p.FastIOFail.Off:
		return []Part{transport("fast_io_fail_tmo", p.FastIOFail, "then the port's I/O is failed")}, true
	case p.FastIOFail.Known && p.DevLoss.Known:
		part := transport("dev_loss_tmo", p.DevLoss, "then the port is removed; fast_io_fail_tmo is off")
		return []Part{part}, true
	}
	return nil, false
}

// session is how long an iSCSI session holds I/O back.
func (p PathTimes) session() []Part {
	var parts []Part
	switch {
	case p.NoopInterval.Known && p.NoopInterval.Seconds > 0:
		parts = append(parts,
			transport("noop_out_interval", p.NoopInterval, "silence until a ping"),
			transport("noop_out_timeout", p.NoopTimeout, "for the ping's answer"))
	case p.NoopInterval.Known:
		parts = append(parts, Part{
			Layer: "iSCSI", Knob: "noop_out_interval", Value: "0", Origin: p.NoopInterval.Origin, Open: true, unit: 1, least: 1,
			How: "no pings: a link that is lost without a word is noticed by nobody",
		})
	}
	return append(parts, transport("recovery_tmo", p.Recovery, "for the session to come back"))
}

func transport(name string, k Knob, how string) Part {
	layer := "iSCSI"
	if name == "fast_io_fail_tmo" || name == "dev_loss_tmo" {
		layer = "FC"
	}
	part := Part{Layer: layer, Knob: name, Value: fmt.Sprint(k.Seconds), Origin: k.Origin, Seconds: k.Seconds, Open: k.Off, How: how, unit: 1, least: 1}
	if k.Off {
		part.Value, part.How = "never", "it waits for ever"
	}
	return part
}

// queue is how long I/O waits when no path is left: until checks have confirmed
// that, no_path_retry is over, and one more check after that has found nothing.
// Where it waits for ever, then is what comes in when no_path_retry gets a number.
func (in TimesInput) queue(check []Part) (parts, then []Part) {
	set, poll := in.Settings.NoPathRetry, in.Settings.PollingInterval.V
	part := Part{Layer: "dm", Knob: "no_path_retry", Value: set.V.String(), Origin: set.Origin.String(), How: "I/O fails at once"}
	if set.V.Mode == policy.RetryUnset {
		part.Value = "(unset)"
	}
	if !in.queues() {
		return []Part{part}, nil
	}
	before := slices.Concat([]Part{{Layer: "checks", Knob: "first check", Value: "1", Origin: "built in", Seconds: 1, How: "behind the kernel's word that a path failed"}},
		again(check, "that check gets no answer"))
	after := again(check, "one more check before I/O is failed gets no answer")
	part.unit, part.least, part.fixed = poll, 1, 1
	if set.V.Mode == policy.RetryCount {
		part.Seconds = set.V.Checks*poll + 1
		part.How = fmt.Sprintf("%d checks x %d s + 1", set.V.Checks, poll)
		return slices.Concat(before, []Part{part}, after), nil
	}
	part.Open, part.How = true, "I/O waits for ever"
	if set.V.Mode == policy.RetryUnset {
		part.How = "the kernel's table says queue_if_no_path, and I/O waits for ever"
	}
	return []Part{part}, slices.Concat(before, after)
}

// again is the waiting of a check, as part of another sum.
func again(check []Part, how string) []Part {
	out := slices.Clone(check)
	for i := range out {
		out[i].How = how
	}
	return out
}

func sum(what string, parts []Part) Sum {
	s := Sum{What: what, Parts: slices.Concat([]Part{}, parts)}
	most := -1
	for i, p := range parts {
		s.Open = s.Open || p.Open
		if !p.Open {
			s.Seconds += p.Seconds
		}
		if most < 0 || p.weight() > parts[most].weight() {
			most = i
		}
	}
	if most >= 0 {
		s.Rules = parts[most].Knob
	}
	return s
}

// weight orders parts: what has no bound counts more than any number.
func (p Part) weight() int {
	if p.Open {
		return 1 << 40
	}
	return p.Seconds
}

// compare orders sums: more parts without a bound are worse than any seconds.
func (s Sum) compare(o Sum) int { return cmp.Or(s.opens()-o.opens(), s.Seconds-o.Seconds) }

func (s Sum) opens() (n int) {
	for _, p := range s.Parts {
		if p.Open {
			n++
		}
	}
	return n
}
