package policy

import "strconv"

// String is the value's text in a configuration file, "unset" for none.
func (p RetryPolicy) String() string {
	switch p.Mode {
	case RetryFail:
		return "fail"
	case RetryQueue:
		return "queue"
	case RetryCount:
		return strconv.Itoa(p.Checks)
	default:
		return "unset"
	}
}

// String is the value's text in a configuration file.
func (p FailbackPolicy) String() string {
	switch p.Mode {
	case FailbackManual:
		return "manual"
	case FailbackImmediate:
		return "immediate"
	case FailbackDeferred:
		return strconv.Itoa(p.Seconds)
	case FailbackFollowover:
		return "followover"
	default:
		return "unset"
	}
}

func parseYesNo(s string) (yes, ok bool) {
	switch s {
	case "yes", "1":
		return true, true
	case "no", "0":
		return false, true
	default:
		return false, false
	}
}

// ParseRetry reads the String of a RetryPolicy.
func ParseRetry(s string) (RetryPolicy, bool) {
	if s == (RetryPolicy{}).String() {
		return RetryPolicy{}, true
	}
	return parseRetry(s)
}

func parseRetry(s string) (RetryPolicy, bool) {
	switch s {
	case "fail", "0":
		return RetryPolicy{Mode: RetryFail}, true
	case "queue":
		return RetryPolicy{Mode: RetryQueue}, true
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxCheckSeconds {
		return RetryPolicy{}, false
	}
	return RetryPolicy{Mode: RetryCount, Checks: n}, true
}

func parseFailback(s string) (FailbackPolicy, bool) {
	switch s {
	case "manual":
		return FailbackPolicy{Mode: FailbackManual}, true
	case "immediate":
		return FailbackPolicy{Mode: FailbackImmediate}, true
	case "followover":
		return FailbackPolicy{Mode: FailbackFollowover}, true
	}
	n, err := strconv.Atoi(s) // 0 means "not set" to multipath-tools, not "at once"
	if err != nil || n < 1 || n > maxCheckSeconds {
		return FailbackPolicy{}, false
	}
	return FailbackPolicy{Mode: FailbackDeferred, Seconds: n}, true
}

// parseMode reads an octal file mode, "0660" or "660".
func parseMode(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 8, 16)
	return int(n), err == nil && n <= 0o777
}

// Texts gives every setting as a configuration file would write it, by keyword;
// the text of one that is unset is empty.
func (s Settings) Texts() []Setting {
	text := func(keyword string, v Value[string]) Setting { return Setting{keyword, v.V, v.Origin} }
	yesNo := func(keyword string, v Value[bool]) Setting {
		word := "no"
		if v.V {
			word = "yes"
		}
		return Setting{keyword, word, v.Origin}
	}
	// A number that says "unset" does so only where nobody wrote it.
	number := func(keyword string, v Value[int], unset int) Setting {
		if v.V == unset && v.Origin.builtIn() {
			return Setting{keyword, "", v.Origin}
		}
		return Setting{keyword, strconv.Itoa(v.V), v.Origin}
	}
	const always = -1 // no number is unset
	retry := Setting{"no_path_retry", s.NoPathRetry.V.String(), s.NoPathRetry.Origin}
	if s.NoPathRetry.V.Mode == RetryUnset {
		retry.Value = ""
	}
	mode := Setting{"mode", "", s.Mode.Origin}
	if s.Mode.V >= 0 {
		mode.Value = "0" + strconv.FormatInt(int64(s.Mode.V), 8)
	}
	return append([]Setting{
		text("alias", s.Alias),
		yesNo("user_friendly_names", s.UserFriendly),
		text("alias_prefix", s.AliasPrefix),
		text("path_grouping_policy", s.Grouping),
		text("path_selector", s.Selector),
		text("features", s.Features),
		text("hardware_handler", s.Handler),
		retry,
		{"failback", s.Failback.V.String(), s.Failback.Origin},
		number("rr_min_io_rq", s.MinIO, always),
		text("rr_weight", s.RRWeight),
		text("uid", s.UID),
		text("gid", s.GID),
		mode,
		text("flush_on_last_del", s.FlushOnLastDel),
		yesNo("skip_kpartx", s.SkipKpartx),
		yesNo("deferred_remove", s.DeferredRemove),
		text("auto_resize", s.AutoResize),
		number("expected_paths", s.ExpectedPaths, 0),
		text("path_checker", s.Checker),
		text("prio", s.Prio),
		text("prio_args", s.PrioArgs),
		number("checker_timeout", s.CheckerTimeout, 0),
		number("polling_interval", s.PollingInterval, always),
		number("max_polling_interval", s.MaxPollingInterval, always),
		yesNo("queue_without_daemon", s.QueueWithoutDaemon),
		text("find_multipaths", s.FindMultipaths),
	}, s.timesTexts()...)
}
