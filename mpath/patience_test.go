package mpath

import (
	"testing"

	"pathkeeper/policy"
)

// TestCheckPatience: the configuration's time-out counts before the device's own, and
// that before half a minute; a read has no time-out of ours in the kernel.
func TestCheckPatience(t *testing.T) {
	for _, c := range []struct {
		checker             string
		configured, deviceS int
		want                Span
	}{
		{"tur", 0, 0, 65 * Second},
		{"tur", 0, 10, 25 * Second},
		{"tur", 7, 10, 19 * Second},
		{"tur", -1, -1, 65 * Second},
		{"directio", 7, 10, 12 * Second},
		{"directio", 0, 0, 35 * Second},
	} {
		var s policy.Settings
		s.Checker.V, s.CheckerTimeout.V = c.checker, c.configured
		if got := CheckPatience(s, c.deviceS); got != c.want {
			t.Errorf("%+v: %d s", c, got.Seconds())
		}
	}
}
