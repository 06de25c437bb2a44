package policy

import "strconv"

// Timeout is a time that the kernel is to keep, or the number of tries of a disk.
type Timeout struct {
	Mode    TimeoutMode
	Seconds int // of TimeoutSeconds; a number of tries for max_retries
}

// TimeoutMode says what a Timeout is.
type TimeoutMode uint8

// Kinds of a Timeout.
const (
	TimeoutUnset TimeoutMode = iota // the kernel keeps what it has
	TimeoutOff
	TimeoutSeconds
)

// DevLossMax is what `infinity` means: the most that a driver takes for
// dev_loss_tmo, 68 years.
const DevLossMax = 1<<31 - 1

// String is the value's text in a configuration file, "unset" for none.
func (t Timeout) String() string {
	switch t.Mode {
	case TimeoutOff:
		return "off"
	case TimeoutSeconds:
		if t.Seconds == DevLossMax {
			return "infinity"
		}
		return strconv.Itoa(t.Seconds)
	default:
		return "unset"
	}
}

// parseTimeout reads "off" or a number.
func parseTimeout(s string) (Timeout, bool) {
	if s == "off" {
		return Timeout{Mode: TimeoutOff}, true
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > DevLossMax {
		return Timeout{}, false
	}
	return Timeout{Mode: TimeoutSeconds, Seconds: n}, true
}

// parseDevLoss reads "infinity" or a number. 0 is none: it would have the kernel
// delete every disk of a port at its first hiccup.
func parseDevLoss(s string) (Timeout, bool) {
	if s == "infinity" {
		return Timeout{Mode: TimeoutSeconds, Seconds: DevLossMax}, true
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return Timeout{}, false
	}
	return Timeout{Mode: TimeoutSeconds, Seconds: int(min(n, DevLossMax))}, true
}

// parseRetries reads max_retries: off means without limit.
func parseRetries(s string) (Timeout, bool) {
	t, ok := parseTimeout(s)
	return t, ok && t.Seconds <= 5
}

// times resolves what the kernel is told about a path's transport, host and disk.
func (r *resolver) times(s *Settings) {
	unset := Timeout{}
	s.FastIOFail = resolve(r, "fast_io_fail_tmo", Timeout{Mode: TimeoutSeconds, Seconds: 5}, parseTimeout)
	s.DevLoss = resolve(r, "dev_loss_tmo", unset, parseDevLoss)
	s.EHDeadline = resolve(r, "eh_deadline", unset, parseTimeout)
	s.MaxRetries = resolve(r, "max_retries", unset, parseRetries)
	s.MaxSectorsKB = r.number("max_sectors_kb", 0, 1)
}

// timesTexts are the texts of these settings.
func (s Settings) timesTexts() []Setting {
	text := func(keyword string, v Value[Timeout]) Setting {
		if v.V.Mode == TimeoutUnset {
			return Setting{keyword, "", v.Origin}
		}
		return Setting{keyword, v.V.String(), v.Origin}
	}
	sectors := Setting{"max_sectors_kb", "", s.MaxSectorsKB.Origin}
	if s.MaxSectorsKB.V > 0 {
		sectors.Value = strconv.Itoa(s.MaxSectorsKB.V)
	}
	return []Setting{
		text("fast_io_fail_tmo", s.FastIOFail), text("dev_loss_tmo", s.DevLoss), text("eh_deadline", s.EHDeadline), text("max_retries", s.MaxRetries), sectors,
	}
}
