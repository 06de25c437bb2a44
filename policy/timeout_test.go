package policy

import (
	"strings"
	"testing"
)

// What overrides say of a protocol comes before what they say of all paths, and a
// path of another protocol does not hear of it.
func TestTimesOfAProtocol(t *testing.T) {
	at := func(line int) Origin { return Origin{File: "/etc/multipath.conf", Line: line, Column: 1} }
	c := Config{
		Defaults:  Layer{{"fast_io_fail_tmo", "9", at(1)}, {"eh_deadline", "30", at(2)}, {"max_retries", "off", at(3)}},
		Overrides: Layer{{"fast_io_fail_tmo", "8", at(10)}},
		Protocols: []Protocol{
			{Type: "scsi:fcp", Layer: Layer{{"fast_io_fail_tmo", "7", at(20)}, {"dev_loss_tmo", "infinity", at(21)}}},
			{Type: "scsi:iscsi", Layer: Layer{{"fast_io_fail_tmo", "6", at(30)}}},
		},
	}
	for _, tc := range []struct{ protocol, fail, loss string }{
		{"scsi:fcp", "7", "infinity"}, {"scsi:iscsi", "6", "unset"}, {"scsi:sas", "8", "unset"}, {"", "8", "unset"},
	} {
		s, warnings := settingsOf(t, c, acme, Facts{DevType: "disk", Protocol: tc.protocol}, Kernel{})
		if got := s.FastIOFail.V.String() + " " + s.DevLoss.V.String(); got != tc.fail+" "+tc.loss || warnings != "" {
			t.Errorf("%s: %s, want %s %s; %s", tc.protocol, got, tc.fail, tc.loss, warnings)
		}
		if s.EHDeadline.V.String() != "30" || s.MaxRetries.V.Mode != TimeoutOff || s.MaxSectorsKB.V != 0 {
			t.Errorf("%s: eh_deadline %s, max_retries %s, max_sectors_kb %d", tc.protocol, s.EHDeadline.V, s.MaxRetries.V, s.MaxSectorsKB.V)
		}
	}
}

func TestTimesThatCannotBe(t *testing.T) {
	at := Origin{File: "/etc/multipath.conf", Line: 1, Column: 1}
	for _, tc := range []struct{ keyword, value, want string }{
		{"dev_loss_tmo", "0", "unset"}, // the kernel would delete the disks at once
		{"dev_loss_tmo", "-1", "unset"},
		{"dev_loss_tmo", "4294967295", "infinity"}, // what a driver keeps as a signed number
		{"dev_loss_tmo", "1", "1"},
		{"fast_io_fail_tmo", "0", "0"},
		{"fast_io_fail_tmo", "off", "off"},
		{"fast_io_fail_tmo", "soon", "5"},
		{"eh_deadline", "99999999999", "unset"},
		{"max_retries", "6", "unset"},
		{"max_retries", "5", "5"},
	} {
		s, warnings := settingsOf(t, Config{Defaults: Layer{{tc.keyword, tc.value, at}}}, acme, Facts{DevType: "disk"}, Kernel{})
		got := map[string]Value[Timeout]{"dev_loss_tmo": s.DevLoss, "fast_io_fail_tmo": s.FastIOFail, "eh_deadline": s.EHDeadline, "max_retries": s.MaxRetries}[tc.keyword]
		if got.V.String() != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.keyword, tc.value, got.V, tc.want)
		}
		if passed := strings.Contains(warnings, "passed over"); passed != (got.Origin != at) {
			t.Errorf("%s %s: from %s, warnings %q", tc.keyword, tc.value, got.Origin, warnings)
		}
	}
}
