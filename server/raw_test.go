package server_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/server"
)

// tracedSource has a path whose decision has a trace, and a name that is no UTF-8.
type tracedSource struct{ fakeSource }

func (*tracedSource) Snapshot() mpath.Snapshot {
	return mpath.Snapshot{Now: 5, Paths: []mpath.PathView{{
		Name: "sd\xff", Decision: policy.Decision{Verdict: policy.VerdictReject, Reason: "why not", Trace: []policy.Trace{{Step: "claim"}}},
	}}}
}

// What is only there to explain does not travel with every `show`; everything else
// comes as it is.
func TestRawIsLean(t *testing.T) {
	src := &tracedSource{}
	s, _, err := server.NewClient(start(t, src, server.Options{Cred: as(0)})).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(src.Snapshot().Lean(), s); d != "" {
		t.Error(d)
	}
	if len(s.Paths[0].Decision.Trace) != 0 {
		t.Error("the trace was sent")
	}
}
