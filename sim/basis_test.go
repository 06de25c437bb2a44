package sim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
	"pathkeeper/scenario"
)

// What Basis tells is enough to decide every device of a host again, and to come
// to the same end: explain tries changes on it.
func TestBasisDecidesAgain(t *testing.T) {
	host := Host()
	text, _, _ := strings.Cut(host.Text, "say The maps") // what it shows needs the command line
	script, err := scenario.Parse(host.Name, text)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSession(ScriptOptions{Seed: 1, NoEcho: true})
	if err := s.Play(script); err != nil {
		t.Fatal(err)
	}
	snap, basis, running, err := s.Basis()
	if err != nil || !running || len(snap.Paths) != 6 {
		t.Fatal(err, running, len(snap.Paths))
	}
	rules, problems := policy.Compile(basis.Config)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, p := range snap.Paths {
		d, ok := basis.Facts(p.ID)
		if !ok {
			t.Fatalf("no facts of %s", p.Name)
		}
		again := rules.Decide(p.Seen.Identity, d.Facts, basis.State)
		if again.Verdict != p.Decision.Verdict || again.Verdict != policy.VerdictAdmit {
			t.Errorf("%s: %s (%s), decided again: %s (%s)", p.Name, p.Decision.Verdict, p.Decision.Reason, again.Verdict, again.Reason)
		}
		if diff := cmp.Diff(p.Decision.Settings, again.Settings); diff != "" {
			t.Errorf("%s: %s", p.Name, diff)
		}
	}
}
