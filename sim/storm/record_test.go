package storm

import (
	"bytes"
	"testing"

	"pathkeeper/record"
)

// A storm's recording gives the same decisions again: from its start, with the same
// state at each checkpoint, and from a checkpoint in its middle, where every kind of
// question is open.
func TestRecordingReplays(t *testing.T) {
	// Seeds without the gust that makes the core panic: that is no event, so a recording
	// does not have it.
	for _, seed := range []uint64{901, 902, 903, 905, 911} {
		var tape bytes.Buffer
		r := Run(Options{Seed: seed, Paths: 24, Record: &tape, Product: "test"})
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		whole := tape.Bytes()
		marks := bytes.Count(whole, []byte("\nc "))
		middle := whole
		for range marks / 2 {
			_, middle, _ = bytes.Cut(middle[1:], []byte("\nc "))
			middle = append([]byte("\nc "), middle...)
		}
		for name, data := range map[string][]byte{"start": whole, "middle": middle[1:]} {
			p := record.Player{Problem: func(x record.Problem) { t.Error(x) }}
			if err := p.File(name, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			if res := p.Result; res.Difference != nil || res.Steps == 0 || res.Compared != res.Steps || res.Skipped > 0 {
				t.Errorf("seed %d from its %s: %+v %+v", seed, name, res, res.Difference)
			}
		}
	}
}
