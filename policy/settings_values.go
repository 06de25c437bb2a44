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
