package policy

import "testing"

type claimRow struct {
	Name  string
	Mode  string `json:"find_multipaths"`
	Ask   bool   `json:"ask_daemon"`
	After bool
	Facts struct {
		Member    bool
		Daemon    string
		Udev      *bool
		DevType   string
		PathInfo  string
		WWID      bool
		Failed    bool
		InUse     bool `json:"in_use"`
		InWWIDs   bool `json:"in_wwids"`
		MapExists bool `json:"map_exists"`

		UdevSaidNo bool   `json:"udev_said_no"`
		Other      bool   `json:"other_path_same_wwid"`
		Exclusive  string `json:"exclusive_open"`
		MemberNow  bool   `json:"member_now"`
	}
	Decision, Final string
}

func (c claimRow) facts() claimFacts {
	f := claimFacts{
		mode: c.Mode, member: c.Facts.Member, identified: c.Facts.WWID, failed: c.Facts.Failed,
		inWWIDs: c.Facts.InWWIDs, mapExists: c.Facts.MapExists,
		released: c.Facts.UdevSaidNo, memberAfter: c.Facts.MemberNow,
		noUdev: c.Facts.Udev != nil && !*c.Facts.Udev,
	}
	if c.Ask && c.Facts.Daemon != "ok" && c.Facts.Daemon != "busy" {
		f.noDaemon = "connection refused"
	}
	if c.Facts.DevType != "disk" {
		f.notDisk = c.Facts.DevType
	}
	switch c.Facts.PathInfo {
	case "ok", "":
	case "skipped":
		f.info = pathSkipped
	default:
		f.info = pathFailed
	}
	if c.Facts.InUse || c.Facts.Exclusive == "busy" {
		f.inUse = "mounted"
	}
	if c.Facts.Other {
		f.otherPaths = 1
	}
	return f
}

func claimOf(t *testing.T, word string) Claim {
	t.Helper()
	if word == "error" {
		return ClaimUnknown
	}
	for c := ClaimNo; c <= ClaimFinal; c++ {
		if c.String() == word {
			return c
		}
	}
	t.Fatalf("no claim %q", word)
	return ClaimUnknown
}

func TestClaimMeasured(t *testing.T) {
	for _, c := range readCases[claimRow](t, "unit-claim.json") {
		t.Run(c.Mode+"/"+c.Name, func(t *testing.T) {
			f := c.facts()
			if c.After {
				got, _ := claimAfter(claimOf(t, c.Decision), f)
				if want := claimOf(t, c.Final); got != want && !(got == ClaimFinal && want == ClaimYes) {
					t.Errorf("%s, want %s", got, c.Final)
				}
				return
			}
			want := claimOf(t, c.Decision)
			// The one deliberate difference: multipath-tools claims a device in
			// use in the modes off, on and strict. Claiming makes systemd unmount
			// what is mounted from it, so it is left alone in every mode.
			if f.inUse != "" && !f.member && (want == ClaimYes || want == ClaimFinal) {
				want = ClaimNo
			}
			got := claimFirst(f)
			if got.claim != want {
				t.Errorf("%s (%s), want %s", got.claim, got.reason, want)
			}
		})
	}
}

// What the daemon does beyond what udev is told.
func TestVerdictByMode(t *testing.T) {
	cases := []struct {
		mode  string
		other int
		claim Claim
		want  Verdict
	}{
		{findOff, 0, ClaimNo, VerdictAdmit},
		{findOn, 0, ClaimNo, VerdictReject},
		{findOn, 1, ClaimNo, VerdictAdmit},
		{findStrict, 3, ClaimNo, VerdictReject},
		{findSmart, 0, ClaimMaybe, VerdictMaybe},
		{findSmart, 1, ClaimMaybe, VerdictAdmit},
		{findGreedy, 0, ClaimYes, VerdictAdmit},
	}
	for _, c := range cases {
		f := claimFacts{mode: c.mode, identified: true, otherPaths: c.other}
		a := claimFirst(f)
		v, reason := verdictOf(a, f)
		if a.claim != c.claim || v != c.want || reason == "" {
			t.Errorf("%s with %d others: %s, %v (%s)", c.mode, c.other, a.claim, v, reason)
		}
	}
}
