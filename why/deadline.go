package why

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
	"pathkeeper/show"
)

// deadline compares the worst time until I/O ends with what the cluster demands.
func (in TimesInput) deadline(failures []Failure) *Deadline {
	if in.HA.DeadlineSeconds <= 0 || len(failures) == 0 {
		return nil
	}
	d := &Deadline{Seconds: in.HA.DeadlineSeconds, Origin: in.HA.Origin.String(), Met: true, Advice: []string{}}
	worst := failures[0]
	for _, f := range failures {
		if f.All.compare(worst.All) > 0 {
			worst = f
		}
		d.Met = d.Met && !f.All.Open && f.All.Seconds <= d.Seconds
	}
	d.Worst = "if " + worst.How + ", " + worst.All.text()
	if d.Met {
		return d
	}
	turns, least := fit(failures, d.Seconds)
	if least > 0 && in.queues() {
		// Perhaps it fits without any queueing.
		now := in.Settings.NoPathRetry
		in.Settings.NoPathRetry.V, in.Queueing = policy.RetryPolicy{Mode: policy.RetryFail}, false
		d.Advice = append(d.Advice, fmt.Sprintf("set no_path_retry to fail (it is %s: %s)", now.V, now.Origin))
		turns, least = fit(slices.Concat(in.failures()...), d.Seconds)
	}
	if least > 0 {
		d.Advice = []string{fmt.Sprintf("no values of these knobs keep it: with each at its least it takes %d s", least)}
		return d
	}
	for _, t := range turns {
		d.Advice = append(d.Advice, t.text())
	}
	return d
}

func (in TimesInput) queues() bool {
	mode := in.Settings.NoPathRetry.V.Mode
	return mode == policy.RetryCount || mode == policy.RetryQueue || mode == policy.RetryUnset && in.Queueing
}

// fit says which knobs have to be turned so that every way of failing ends within
// the limit. least is what it takes with each at its least, where that is too long.
func fit(failures []Failure, limit int) (turns []*turn, least int) {
	for _, f := range failures {
		if !f.All.Open && f.All.Seconds <= limit {
			continue
		}
		list, total := turned(slices.Concat(f.All.Parts, f.All.then), limit)
		turns = lowest(turns, list)
		if total > limit {
			least = max(least, total)
		}
	}
	return turns, least
}

// lowest adds the knobs that have to be turned; of those that two sums want
// turned the lower value counts.
func lowest(have, more []*turn) []*turn {
	for _, t := range more {
		i := slices.IndexFunc(have, func(h *turn) bool { return h.Knob == t.Knob })
		switch {
		case !t.Open && !t.moved:
		case i < 0:
			have = append(have, t)
		default:
			have[i].steps = min(have[i].steps, t.steps)
		}
	}
	return have
}

func (t *turn) text() string {
	value := fmt.Sprintf("%d or less", t.steps)
	if t.steps == 0 {
		value = "0"
	}
	return fmt.Sprintf("set %s to %s (it is %s: %s)", t.Knob, value, t.Value, t.Origin)
}

// turn is a knob with a value that would let a sum fit.
type turn struct {
	Part
	steps int // the value
	times int // how often it counts in the sum
	moved bool
}

// turned lowers knobs until a sum fits, the heaviest first. What has no bound gets
// what is left over then. total is what the sum comes to.
func turned(parts []Part, limit int) (turns []*turn, total int) {
	turns, fixed := turnsOf(parts)
	sum := func() int {
		n := fixed
		for _, t := range turns {
			n += t.times * t.steps * t.unit
		}
		return n
	}
	slices.SortStableFunc(turns, func(a, b *turn) int { return b.times*b.steps*b.unit - a.times*a.steps*a.unit })
	for _, t := range turns {
		over := sum() - limit
		if over <= 0 {
			break
		}
		step := t.times * t.unit
		if lower := min((over+step-1)/step, t.steps-t.least); lower > 0 {
			t.steps, t.moved = t.steps-lower, true
		}
	}
	for _, t := range turns {
		if left := limit - sum(); t.Open && left > 0 {
			t.steps += left / (t.times * t.unit)
		}
	}
	return turns, sum()
}

// turnsOf gathers the knobs of a sum, and the seconds that no knob changes. What
// has no bound starts at its least.
func turnsOf(parts []Part) (turns []*turn, fixed int) {
	for _, p := range parts {
		if p.unit == 0 {
			fixed += p.Seconds
			continue
		}
		fixed += p.fixed
		if i := slices.IndexFunc(turns, func(t *turn) bool { return t.Knob == p.Knob }); i >= 0 {
			turns[i].times++
			continue
		}
		t := &turn{Part: p, times: 1, steps: (p.Seconds - p.fixed) / p.unit}
		if p.Open {
			t.steps = p.least
		}
		turns = append(turns, t)
	}
	return turns, fixed
}

// text is a sum in words.
func (s Sum) text() string {
	switch {
	case s.Open && s.Seconds > 0:
		return fmt.Sprintf("%s after %d s and more: no bound", s.What, s.Seconds)
	case s.Open:
		return s.What + ": no bound"
	default:
		return fmt.Sprintf("%s within %d s", s.What, s.Seconds)
	}
}

// Text prints a budget for a person.
func (b Budget) Text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, at worst, by what is set; nothing is measured\n", show.Safe(b.Map))
	for _, f := range b.Failures {
		fmt.Fprintf(&out, "\nIf %s (slowest: %s):\n", f.How, show.Safe(f.Path))
		for _, s := range []Sum{f.Idle, f.IO, f.All} {
			by := "most of it by"
			if s.Open {
				by = "because of"
			}
			fmt.Fprintf(&out, "  %s, %s %s\n", s.text(), by, s.Rules)
			rows := [][]string{}
			for _, p := range s.Parts {
				seconds := fmt.Sprintf("%d s", p.Seconds)
				if p.Open {
					seconds = "no bound"
				}
				rows = append(rows, []string{"      " + p.Layer, p.Knob, p.Value, seconds, p.Origin, p.How})
			}
			out.WriteString(show.Table(rows))
		}
	}
	b.deadlineText(&out)
	b.keptText(&out)
	for _, n := range b.Notes {
		fmt.Fprintf(&out, "note: %s\n", show.Safe(n))
	}
	return out.String()
}

// keptText says what the daemon writes in sysfs for this map.
func (b Budget) keptText(out *strings.Builder) {
	if len(b.Kept) == 0 {
		return
	}
	out.WriteString("\nWhat the daemon keeps in sysfs for it:\n")
	rows := [][]string{}
	for _, k := range b.Kept {
		wanted, has := k.Wanted, "as wanted"
		if k.Least {
			wanted = "at least " + wanted
		}
		if k.Kernel != k.Wanted {
			has = "is " + cmp.Or(k.Kernel, "not there")
		}
		rows = append(rows, []string{"  " + k.Object, k.Knob, wanted, has, k.Origin})
	}
	out.WriteString(show.Table(rows))
}

func (b Budget) deadlineText(out *strings.Builder) {
	d := b.Deadline
	switch {
	case d == nil:
		out.WriteString("\nThe configuration gives no deadline of a cluster (ha) to compare with.\n")
	case d.Met:
		fmt.Fprintf(out, "\nThe cluster's deadline of %d s (%s) is kept.\n", d.Seconds, show.Safe(d.Origin))
	default:
		fmt.Fprintf(out, "\nThe cluster's deadline of %d s (%s) is NOT kept: %s.\nTo keep it:\n", d.Seconds, show.Safe(d.Origin), d.Worst)
		for _, a := range d.Advice {
			fmt.Fprintf(out, "  - %s\n", show.Safe(a))
		}
	}
}
