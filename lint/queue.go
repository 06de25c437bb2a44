package lint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/policy"
)

func queueRules() []Rule {
	return []Rule{
		{
			ID: "queue-contradiction", Severity: Warning, Summary: "queue_if_no_path together with a no_path_retry that says otherwise",
			Why: "Both say what happens when the last path is gone, and only no_path_retry counts. Who reads the features line expects that I/O waits; at 3 a.m. it fails " +
				"after the retries, the file system goes read-only, and the file seems to say that this cannot be.",
			Fix: "Take queue_if_no_path out of features and let no_path_retry alone say it.", check: queueContradiction,
		},
		{
			ID: "queue-old-form", Severity: Warning, Summary: "a feature that has a keyword of its own today",
			Why: "queue_if_no_path among the features is the old form of `no_path_retry queue`, retain_attached_hw_handler is always on since Linux 4.3. The old form is " +
				"overruled by any no_path_retry, also by a built-in one, so it may not do what it says.",
			Fix: "Write `no_path_retry queue` if I/O shall wait for ever, or a number of checks, and `features \"0\"` or nothing.", check: queueOldForm,
		},
		{
			ID: "queue-forever", Severity: Hint, Summary: "I/O waits for ever when the last path is gone",
			Why: "Processes that wait for such I/O cannot be killed, a shutdown hangs on them, and a cluster that waits for an error to move a service waits too. It is right where " +
				"an error does more harm than a standstill, and nobody else decides.",
			Fix: "Where somebody must act after a time give a number: `no_path_retry 12` waits 12 checks.", check: queueForever,
		},
		{
			ID: "queue-forbidden", Severity: Error, Summary: "queueing where the ha section forbids it",
			Why: "The cluster above these maps counts on an error within its own time-outs. A map that queues gives none: the service neither runs here nor moves, and the other " +
				"node may start it while this one's I/O still waits to be written.",
			Fix: "`no_path_retry fail` where queueing is forbidden, a number where it must be bounded; `queue_without_daemon no`.", check: queueForbidden,
		},
		{
			ID: "queue-without-daemon", Severity: Warning, Summary: "I/O goes on waiting when the daemon stops",
			Why: "Nobody is left who could end the queueing when it stops: a shutdown without paths never ends, and no time-out helps.",
			Fix: "Leave queue_without_daemon at `no`.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("queue_without_daemon"); ok && s.Value == "yes" {
					r.report(s.Origin, "queue_without_daemon yes: a map without paths queues for ever once the daemon stops")
				}
			},
		},
		{
			ID: "queue-overruled", Severity: Warning, Summary: "queueing is written, and a more specific place says otherwise",
			Why: "features in one section and no_path_retry in another: the map gets both, and no_path_retry counts wherever it stands. A built-in entry for the array is enough.",
			Fix: "Write no_path_retry in the section where features says queue_if_no_path, or take it out.", check: queueOverruled,
		},
		{
			ID: "retry-long", Severity: Hint, Summary: "no_path_retry waits for more than ten minutes",
			Why: "no_path_retry counts checks, not seconds: each is polling_interval long. Applications and clusters give up long before, and what then comes back is written late.",
			Fix: "Multiply no_path_retry by polling_interval and choose the number for the time you mean.", check: retryLong,
		},
		{
			ID: "retry-short", Severity: Warning, Summary: "no_path_retry ends before the transport has recovered",
			Why: "A port that drops for a moment, or a controller that hands over, takes all paths at once. A port that comes back is used only after its next check, and the transport itself " +
				"takes up to fast_io_fail_tmo for each attempt. A window that is shorter is over before a second one: a blink becomes an I/O error, and the file system is read-only in the morning.",
			Fix: "no_path_retry times polling_interval should be above fast_io_fail_tmo and above the array's longest failover; or say `fail` if errors shall come at once.", check: retryShort,
		},
		{
			ID: "retry-below-builtin", Severity: Hint, Summary: "no_path_retry is shorter than the array's maker wants it",
			Why: "The built-in value outlasts the array's own failover or firmware update. A shorter one is right in a cluster that must act soon, and an outage elsewhere.",
			Fix: "Leave the line out to get the built-in value, or keep it if the error is wanted.", check: retryBelowBuiltin,
		},
	}
}

func hasWord(s policy.Setting, word string) bool {
	return slices.Contains(strings.Fields(s.Value), word)
}

// queueContradiction looks at the two in one layer.
func queueContradiction(r *run) {
	r.eachLayer(func(l policy.Layer) {
		f, ok := l.Lookup("features")
		retry, found := l.Lookup("no_path_retry")
		if ok && found && hasWord(f, "queue_if_no_path") && retry.Value != "queue" {
			r.report(f.Origin, fmt.Sprintf("features %q says that I/O waits for ever, no_path_retry %s says otherwise and counts", f.Value, retry.Value), here(retry))
		}
	})
}

func queueOldForm(r *run) {
	r.eachLayer(func(l policy.Layer) {
		f, ok := l.Lookup("features")
		retry, found := l.Lookup("no_path_retry")
		switch {
		case !ok:
		case hasWord(f, "queue_if_no_path") && found && retry.Value == "queue":
			r.report(f.Origin, "queue_if_no_path among the features repeats no_path_retry queue in its old form", here(retry))
		case hasWord(f, "queue_if_no_path") && !found:
			r.report(f.Origin, "queue_if_no_path among the features is the old form of `no_path_retry queue`")
		case hasWord(f, "retain_attached_hw_handler"):
			r.report(f.Origin, "retain_attached_hw_handler among the features has no effect: Linux does so since 4.3")
		}
	})
}

// queueOverruled looks at the two in different layers of one scope.
func queueOverruled(r *run) {
	for _, s := range r.scopes {
		f, ok := s.written("features")
		retry, found := s.get("no_path_retry")
		if !ok || !found || !hasWord(f, "queue_if_no_path") || retry.Value == "queue" || s.sameLayer(f, retry) {
			continue
		}
		r.report(f.Origin, fmt.Sprintf("queue_if_no_path does not count for %s: no_path_retry is %s there, from %s", s.name, retry.Value, retry.Origin), here(retry))
	}
}

// sameLayer says whether two settings stand in one section.
func (s scope) sameLayer(a, b policy.Setting) bool {
	return slices.ContainsFunc(s.layers, func(l policy.Layer) bool {
		x, ok := l.Lookup(a.Keyword)
		y, found := l.Lookup(b.Keyword)
		return ok && found && x.Origin == a.Origin && y.Origin == b.Origin
	})
}

func queueForever(r *run) {
	if q := r.config.HA.Queueing; q == "forbidden" || q == "bounded" {
		return // queue-forbidden says more
	}
	r.eachLayer(func(l policy.Layer) {
		if s, ok := l.Lookup("no_path_retry"); ok && s.Value == "queue" {
			r.report(s.Origin, "no_path_retry queue: without a path I/O waits until one is back, however long that takes")
		}
	})
}

func queueForbidden(r *run) {
	ha := r.config.HA
	if ha.Queueing != "forbidden" && ha.Queueing != "bounded" {
		return
	}
	demand := Related{Origin: ha.Origin, Text: "ha: queueing " + ha.Queueing}
	if s, ok := r.config.Defaults.Lookup("queue_without_daemon"); ok && s.Value == "yes" {
		r.report(s.Origin, "queue_without_daemon yes, and ha says that queueing is "+ha.Queueing, demand)
	}
	for _, s := range r.scopes {
		retry, ok := s.retry()
		if !ok || retry.Value == "fail" || ha.Queueing == "bounded" && retry.Value != "queue" {
			continue
		}
		at := retry.Origin
		if at.File == "" && (s.kind == scopePresent || s.origin.File != "") {
			at = s.origin // the built-in entry's value: the entry should say otherwise
			if at.File == "" {
				at = ha.Origin
			}
		}
		where := ""
		if at != retry.Origin {
			where = " (" + retry.Origin.String() + ")"
		}
		r.report(at, fmt.Sprintf("%s: no_path_retry %s%s, and ha says that queueing is %s", s.name, retry.Value, where, ha.Queueing), demand)
	}
}

// retrySeconds is how long a map without paths queues, of a number of checks.
func (s scope) retrySeconds() (seconds int, at policy.Setting, ok bool) {
	retry, found := s.get("no_path_retry")
	n, err := strconv.Atoi(retry.Value)
	if !found || err != nil || n < 1 {
		return 0, policy.Setting{}, false
	}
	least, _ := s.poll()
	return min(n, 1<<28) * min(least, 1<<28), retry, true
}

func retryLong(r *run) {
	for _, s := range r.scopes {
		seconds, at, ok := s.retrySeconds()
		if ok && seconds > 600 {
			least, _ := s.poll()
			r.report(at.Origin, fmt.Sprintf("no_path_retry %s with checks every %d s: I/O waits for %d minutes", at.Value, least, seconds/60))
		}
	}
}

func retryShort(r *run) {
	for _, s := range r.scopes {
		seconds, at, ok := s.retrySeconds()
		if !ok || at.Origin.File == "" {
			continue
		}
		least, _ := s.poll()
		short := func(limit int, what string, related ...Related) {
			if seconds < limit {
				r.report(at.Origin, fmt.Sprintf("no_path_retry %s with checks every %d s waits %d s; the transport alone takes up to %s, %d s", at.Value, least, seconds, what, limit), related...)
			}
		}
		if fast, told := s.get("fast_io_fail_tmo"); told {
			short(s.number("fast_io_fail_tmo", 5), "fast_io_fail_tmo", here(fast))
		} else {
			short(5, "fast_io_fail_tmo")
		}
		for _, p := range r.config.Protocols {
			if fast, ok := p.Layer.Lookup("fast_io_fail_tmo"); ok && s.kind != scopePresent {
				limit, _ := strconv.Atoi(fast.Value)
				short(limit, "fast_io_fail_tmo of "+p.Type, here(fast))
			}
		}
	}
}

func retryBelowBuiltin(r *run) {
	for _, s := range r.scopes {
		if s.kind != scopeDevice {
			continue
		}
		own, ok := s.own.Lookup("no_path_retry")
		n, err := strconv.Atoi(own.Value)
		if !ok || err != nil && own.Value != "fail" {
			continue
		}
		for _, row := range s.rows {
			theirs, ok := row.Layer.Lookup("no_path_retry")
			if !ok {
				continue
			}
			m, err := strconv.Atoi(theirs.Value)
			if theirs.Value == "queue" || err == nil && n < m {
				r.report(own.Origin, fmt.Sprintf("no_path_retry %s is shorter than the built-in %s of %s,%s", own.Value, theirs.Value, row.Vendor, row.Product))
			}
			break
		}
	}
}

// eachLayer visits every layer that stands in files.
func (r *run) eachLayer(visit func(policy.Layer)) {
	visit(r.config.Defaults)
	visit(r.config.Overrides)
	for _, d := range r.config.Devices {
		if !d.BuiltIn && !d.Disabled {
			visit(d.Layer)
		}
	}
	for _, m := range r.config.Multipaths {
		visit(m.Layer)
	}
	for _, p := range r.config.Protocols {
		visit(p.Layer)
	}
}

// eachWritten visits every setting that stands in a file and is not replaced by a
// later one of its section.
func (r *run) eachWritten(visit func(policy.Setting)) {
	r.eachLayer(func(l policy.Layer) {
		for i, s := range l {
			if s.Origin.File != "" && !slices.ContainsFunc(l[i+1:], func(x policy.Setting) bool { return x.Keyword == s.Keyword }) {
				visit(s)
			}
		}
	})
}
