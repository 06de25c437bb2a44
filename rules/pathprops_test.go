package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
)

// line gives properties in one line, without the reason.
func line(kvs []KV) string {
	var out []string
	for _, kv := range kvs {
		if kv.Value != "" && kv.Key != "PATHKEEPER_REASON" {
			out = append(out, kv.Key+"="+kv.Value)
		}
	}
	return strings.Join(out, " ")
}

func TestPathProperties(t *testing.T) {
	runs := PathFacts{Wait: WaitRuns, Left: 9*time.Second + 42*time.Microsecond}
	begun := runs
	begun.Begun = true
	again := runs
	again.WaitUntil = "10.000000"
	over := PathFacts{Wait: WaitOver, WaitUntil: "10.000000"}
	for _, c := range []struct {
		name  string
		claim policy.Claim
		facts PathFacts
		want  string
	}{
		{"claimed", policy.ClaimYes, PathFacts{}, "DM_MULTIPATH_DEVICE_PATH=1"},
		{"claimed for good", policy.ClaimFinal, PathFacts{}, "DM_MULTIPATH_DEVICE_PATH=1"},
		{"free", policy.ClaimNo, PathFacts{}, "DM_MULTIPATH_DEVICE_PATH=0"},
		{"cannot be told", policy.ClaimUnknown, PathFacts{}, ""},
		{"lone path, first event", policy.ClaimMaybe, begun, "FIND_MULTIPATHS_WAIT_UNTIL=9.000042 DM_MULTIPATH_DEVICE_PATH=2 PATHKEEPER_WAIT=start"},
		{"lone path, another event", policy.ClaimMaybe, again, "FIND_MULTIPATHS_WAIT_UNTIL=9.000042 DM_MULTIPATH_DEVICE_PATH=2"},
		{"lone path, time is over", policy.ClaimMaybe, over, "FIND_MULTIPATHS_WAIT_UNTIL=0 DM_MULTIPATH_DEVICE_PATH=0"},
		{"lone path, no wait", policy.ClaimMaybe, PathFacts{}, "DM_MULTIPATH_DEVICE_PATH=0"},
		{"the second path came", policy.ClaimYes, again, "FIND_MULTIPATHS_WAIT_UNTIL=9.000042 DM_MULTIPATH_DEVICE_PATH=1 FIND_MULTIPATHS_WAIT_CANCELLED=1 PATHKEEPER_WAIT=cancel"},
		{
			"it is a path, later", policy.ClaimFinal,
			PathFacts{Wait: WaitRuns, Left: time.Second, WaitUntil: "9.000042", Cancelled: "1"},
			"FIND_MULTIPATHS_WAIT_UNTIL=1.000000 DM_MULTIPATH_DEVICE_PATH=1 FIND_MULTIPATHS_WAIT_CANCELLED=1",
		},
		{"somebody uses it", policy.ClaimNo, again, "FIND_MULTIPATHS_WAIT_UNTIL=9.000042 DM_MULTIPATH_DEVICE_PATH=0 FIND_MULTIPATHS_WAIT_CANCELLED=1 PATHKEEPER_WAIT=cancel"},
		{"it was over before", policy.ClaimYes, PathFacts{Wait: WaitOver, WaitUntil: "0"}, "FIND_MULTIPATHS_WAIT_UNTIL=0 DM_MULTIPATH_DEVICE_PATH=1"},
		{
			"the file went, the timer may be there", policy.ClaimNo,
			PathFacts{WaitUntil: "3.0"},
			"FIND_MULTIPATHS_WAIT_UNTIL=3.0 DM_MULTIPATH_DEVICE_PATH=0 FIND_MULTIPATHS_WAIT_CANCELLED=1 PATHKEEPER_WAIT=cancel",
		},
	} {
		if diff := cmp.Diff(c.want, line(PathProperties(policy.Decision{Claim: c.claim, Reason: "r"}, c.facts))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	d := policy.Decision{Claim: policy.ClaimNo, Reason: "blacklisted by devnode \"^sd\"\nX=1", Origin: policy.Origin{File: "/etc/multipath.conf", Line: 3, Column: 9}}
	want := "DM_MULTIPATH_DEVICE_PATH=\"0\"\nPATHKEEPER_REASON=\"blacklisted by devnode _^sd__X=1 [/etc/multipath.conf:3:9]\"\n"
	if diff := cmp.Diff(want, Format(PathProperties(d, PathFacts{}))); diff != "" {
		t.Error(diff)
	}
}

func TestLeftProperties(t *testing.T) {
	want := "PATHKEEPER_LEFT=\"1\"\nPATHKEEPER_REASON=\"multipathd (process 7) manages this host, and its rules have said 1\"\n"
	if diff := cmp.Diff(want, Format(LeftProperties("multipathd (process 7)", "1"))); diff != "" {
		t.Error(diff)
	}
}
