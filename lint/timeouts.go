package lint

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/policy"
)

func timeoutRules() []Rule {
	return []Rule{
		{
			ID: "fast-io-fail-above-dev-loss", Severity: Warning, Summary: "fast_io_fail_tmo is not below dev_loss_tmo",
			Why: "The port would be removed before its I/O is failed over. fast_io_fail_tmo is switched off then, and a lost cable is felt for the whole of dev_loss_tmo.",
			Fix: "Make fast_io_fail_tmo the shorter one: 5 and 60, or dev_loss_tmo infinity.", check: fastAboveLoss,
		},
		{
			ID: "fast-io-fail-off", Severity: Warning, Summary: "fast_io_fail_tmo off: a lost port is felt until dev_loss_tmo",
			Why: "I/O on a port that is gone waits in the kernel until the port is given up. The other paths are healthy and unused meanwhile: the failover that was paid for takes as long as that.",
			Fix: "Leave fast_io_fail_tmo at its default of 5 seconds.", check: func(r *run) {
				r.eachWritten(func(s policy.Setting) {
					if s.Keyword == "fast_io_fail_tmo" && (s.Value == "off" || s.Value == "0") {
						r.report(s.Origin, "fast_io_fail_tmo "+s.Value+": I/O on a lost port waits until dev_loss_tmo before it goes to another path")
					}
				})
			},
		},
		{
			ID: "kernel-range", Severity: Warning, Summary: "a value that the kernel does not take",
			Why: "The kernel refuses the write or the table, or uses another number, and the only trace is a line in its log. What the file says is not what runs.",
			Fix: "Stay within the kernel's limits; the text names them.", check: kernelRange,
		},
		{
			ID: "dev-loss-with-queue", Severity: Hint, Summary: "dev_loss_tmo is raised because of the queueing",
			Why: "A port that is removed while I/O waits for it takes its devices with it. multipath-tools therefore raises dev_loss_tmo to the time of the queueing, and to the maximum for " +
				"`queue`; the number in the file is not what ends up in sysfs.",
			Fix: "Write `dev_loss_tmo infinity` with `no_path_retry queue`, else a number above no_path_retry times polling_interval.", check: lossWithQueue,
		},
		{
			ID: "polling-above-max", Severity: Warning, Summary: "polling_interval is above max_polling_interval",
			Why: "It is lowered to the maximum: paths are checked more often than the file says, and no_path_retry, which counts checks, ends sooner.",
			Fix: "Raise max_polling_interval or lower polling_interval.", check: func(r *run) {
				poll, ok := r.config.Defaults.Lookup("polling_interval")
				most, found := r.config.Defaults.Lookup("max_polling_interval")
				a, _ := strconv.Atoi(poll.Value)
				b, _ := strconv.Atoi(most.Value)
				if ok && found && a > b && b > 0 {
					r.report(poll.Origin, fmt.Sprintf("polling_interval %d is above max_polling_interval %d and is lowered to it", a, b), here(most))
				}
			},
		},
		{
			ID: "polling-slow", Severity: Warning, Summary: "paths are checked so rarely that failures stay unseen",
			Why: "An idle path that died is found only by its check, and a path that came back is used only after one. With long intervals the second path is gone before the loss of the first is known.",
			Fix: "polling_interval 5 and max_polling_interval 20 are the defaults; 30 and 60 are long.", check: pollingSlow,
		},
		{
			ID: "checker-timeout-short", Severity: Warning, Summary: "checker_timeout is so short that a busy array counts as dead",
			Why: "Under load, and above all while a controller hands over, a healthy array needs seconds for an answer. A check that gives up sooner fails all paths at once, in the one moment " +
				"when none may be lost.",
			Fix: "Leave it out: the device's own time-out counts then, usually 30 seconds.", check: checkerTimeoutShort,
		},
		{
			ID: "checker-timeout-long", Severity: Warning, Summary: "checker_timeout is so long that a dead path hides behind a check",
			Why: "A path that answers nothing is found when its check runs into the time-out. Until then it may be chosen again and again.",
			Fix: "Leave it out, or stay at 30 to 60 seconds.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("checker_timeout"); ok {
					if n, err := strconv.Atoi(s.Value); err == nil && n > 120 {
						r.report(s.Origin, fmt.Sprintf("checker_timeout %d: a silent path counts as good for more than %d minutes", n, n/60))
					}
				}
			},
		},
		{
			ID: "ha-deadline", Severity: Error, Summary: "an I/O to a dead LUN can take longer to end than the cluster waits",
			Why: "The cluster's watchdog or disk time-out runs out first: the node is shot, or evicted, although a failover or an error would have come some seconds later. A cable then costs a node.",
			Fix: "Shorten no_path_retry or fast_io_fail_tmo, or give the cluster more time; `pathkeeper timeouts MAP` adds up every layer.", check: haDeadline,
		},
		{
			ID: "expected-paths", Severity: Warning, Summary: "a map has not as many paths as expected_paths says", Machine: true,
			Why: "Either a path is missing now, and one more failure is an outage, or the number is wrong and the alarm that hangs on it never means anything.",
			Fix: "Look for the missing path with `pathkeeper show paths`, or correct the number.", check: expectedPaths,
		},
	}
}

func fastAboveLoss(r *run) {
	look := func(fast, loss policy.Setting, ok bool) {
		f, err := strconv.Atoi(fast.Value)
		l, err2 := strconv.Atoi(loss.Value)
		if ok && err == nil && err2 == nil && f >= l && l > 0 {
			at, other := fast, loss
			if at.Origin.File == "" {
				at, other = loss, fast
			}
			r.report(at.Origin, fmt.Sprintf("fast_io_fail_tmo %d is not below dev_loss_tmo %d: it is switched off", f, l), here(other))
		}
	}
	for _, s := range r.scopes {
		fast, ok := s.get("fast_io_fail_tmo")
		if !ok {
			fast = policy.Setting{Keyword: "fast_io_fail_tmo", Value: "5", Origin: policy.Origin{Note: "built-in default"}}
		}
		loss, found := s.get("dev_loss_tmo")
		look(fast, loss, found)
	}
	for _, p := range r.config.Protocols {
		fast, ok := p.Layer.Lookup("fast_io_fail_tmo")
		loss, found := p.Layer.Lookup("dev_loss_tmo")
		look(fast, loss, ok && found)
	}
}

// blockMax is SCSI_DEVICE_BLOCK_MAX_TIMEOUT (include/scsi/scsi_device.h), in seconds.
const blockMax = 600

func kernelRange(r *run) {
	r.eachWritten(func(s policy.Setting) {
		n, err := strconv.Atoi(s.Value)
		switch {
		case s.Keyword == "features":
			featureRange(r, s)
		case err != nil:
		case s.Keyword == "fast_io_fail_tmo" && n > blockMax:
			r.report(s.Origin, fmt.Sprintf("fast_io_fail_tmo %d: the kernel takes at most %d for Fibre Channel", n, blockMax))
		case s.Keyword == "max_sectors_kb" && n > 0 && n < 4:
			r.report(s.Origin, fmt.Sprintf("max_sectors_kb %d is less than a page, the kernel refuses it", n))
		case s.Keyword == "marginal_path_err_sample_time" && n < 120:
			r.report(s.Origin, fmt.Sprintf("marginal_path_err_sample_time %d: less than 120 seconds switches it off", n))
		case s.Keyword == "marginal_path_err_rate_threshold" && n > 1000:
			r.report(s.Origin, fmt.Sprintf("marginal_path_err_rate_threshold %d: it counts errors per thousand, and never reaches more than 1000", n))
		}
	})
	for _, s := range r.scopes {
		fast, loss := s.value("fast_io_fail_tmo", "5"), s.number("dev_loss_tmo", 0)
		at, ok := s.written("dev_loss_tmo")
		if ok && (fast == "off" || fast == "0") && loss > blockMax && s.value("no_path_retry", "") != "queue" {
			r.report(at.Origin, fmt.Sprintf("dev_loss_tmo %d without fast_io_fail_tmo: the kernel takes at most %d", loss, blockMax))
		}
	}
}

// featureRange holds the features against what dm-mpath's parse_features takes.
func featureRange(r *run, s policy.Setting) {
	words := strings.Fields(s.Value)
	for i := 0; i+1 < len(words); i++ {
		n, err := strconv.Atoi(words[i+1])
		switch limit := map[string]int{"pg_init_retries": 50, "pg_init_delay_msecs": 60000}[words[i]]; {
		case limit == 0:
		case err != nil:
			r.report(s.Origin, fmt.Sprintf("features: %s wants a number, not %q", words[i], words[i+1]))
		case n > limit || n < 0 || n == 0 && words[i] == "pg_init_retries":
			r.report(s.Origin, fmt.Sprintf("features: %s %d: the kernel takes at most %d", words[i], n, limit))
		}
	}
}

func lossWithQueue(r *run) {
	for _, s := range r.scopes {
		at, ok := s.written("dev_loss_tmo")
		loss, err := strconv.Atoi(at.Value)
		if !ok || err != nil {
			continue
		}
		retry, found := s.retry()
		seconds, _, _ := s.retrySeconds()
		switch {
		case !found:
		case retry.Value == "queue":
			r.report(at.Origin, fmt.Sprintf("dev_loss_tmo %d does not count with no_path_retry queue: it becomes infinity", loss), here(retry))
		case seconds > loss:
			r.report(at.Origin, fmt.Sprintf("dev_loss_tmo %d is shorter than the %d s that no_path_retry %s waits: it is raised to that", loss, seconds, retry.Value), here(retry))
		}
	}
}

func pollingSlow(r *run) {
	s := r.scopes[0]
	least, most := s.poll()
	at, ok := s.written("max_polling_interval")
	if !ok {
		at, ok = s.written("polling_interval")
	}
	if ok && (least > 60 || most > 300) {
		r.report(at.Origin, fmt.Sprintf("a path is checked every %d to %d s: what died is found that late", least, most))
	}
}

func checkerTimeoutShort(r *run) {
	if s, ok := r.config.Defaults.Lookup("checker_timeout"); ok {
		if n, err := strconv.Atoi(s.Value); err == nil && n > 0 && n < 5 {
			r.report(s.Origin, fmt.Sprintf("checker_timeout %d: an array that is busy for %d s loses all its paths", n, n))
		}
	}
}

// commandSeconds is how long the kernel waits for a SCSI disk's answer by default
// (SD_TIMEOUT in drivers/scsi/sd.h); `pathkeeper timeouts` asks the device.
const commandSeconds = 30

// haDeadline adds up how long an I/O can take to end when all paths are gone: the
// transport or the command's time-out, whichever is longer, and then the queueing.
func haDeadline(r *run) {
	ha := r.config.HA
	if ha.DeadlineSeconds <= 0 {
		return
	}
	for _, s := range r.scopes {
		if s.kind == scopeGeneral && len(r.devices()) > 0 {
			continue // the kinds of devices that are there say it better
		}
		detect := max(s.number("fast_io_fail_tmo", 5), commandSeconds)
		retry, ok := s.retry()
		queued, _, _ := s.retrySeconds()
		switch {
		case ok && retry.Value == "queue":
			r.report(ha.Origin, fmt.Sprintf("ha wants an answer within %d s, and %s queues for ever", ha.DeadlineSeconds, s.name), here(retry))
		case detect+queued > ha.DeadlineSeconds:
			text := fmt.Sprintf("ha wants an answer within %d s; for %s the transport or an unanswered command takes up to %d s", ha.DeadlineSeconds, s.name, detect)
			if queued > 0 {
				text += fmt.Sprintf(", then no_path_retry %s queues %d s", retry.Value, queued)
			}
			r.report(ha.Origin, text)
		}
	}
}

func expectedPaths(r *run) {
	byWWID := map[string]int{}
	var wwids []string
	first := map[string]Device{}
	for _, d := range r.devices() {
		if w := d.Identity.WWID; w != "" {
			if byWWID[w] == 0 {
				wwids, first[w] = append(wwids, w), d
			}
			byWWID[w]++
		}
	}
	for _, w := range wwids {
		s, ok := r.settingFor(first[w], "expected_paths")
		n, err := strconv.Atoi(s.Value)
		if ok && err == nil && n != byWWID[w] {
			r.report(s.Origin, fmt.Sprintf("expected_paths is %d, and %s has %d", n, w, byWWID[w]))
		}
	}
}

// settingFor finds what counts for one present device.
func (r *run) settingFor(d Device, keyword string) (policy.Setting, bool) {
	for _, m := range r.named(d) {
		if s, ok := m.Layer.Lookup(keyword); ok {
			return s, true
		}
	}
	layers := []policy.Layer{r.config.Overrides}
	for _, e := range r.entriesOf(d) {
		layers = append(layers, e.Layer)
	}
	return scope{layers: append(layers, r.config.Defaults)}.get(keyword)
}
