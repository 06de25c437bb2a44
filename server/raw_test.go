package server_test

import (
	"os"
	"path/filepath"
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

// A socket stands in a directory where nobody else can put another in its place.
func TestSocketDirectory(t *testing.T) {
	for mode, want := range map[os.FileMode]bool{0o755: true, 0o777: false, 0o777 | os.ModeSticky: true, 0o775: false} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		a, err := server.New(&fakeSource{}, server.Options{Path: filepath.Join(dir, "api.sock"), Cred: as(0)})
		if (err == nil) != want {
			t.Errorf("%v: %v", mode, err)
		}
		if err == nil {
			a.Close()
		}
	}
}
