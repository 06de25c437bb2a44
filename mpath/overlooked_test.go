package mpath

import (
	"path/filepath"
	"strings"
	"testing"
)

// The core looks at what has moved, and at nothing else: with ten thousand paths it
// could not do otherwise. What should have been touched and was not would wait for the
// next event. So whatever a script did, a look at everything finds nothing to do.
func TestNothingIsOverlooked(t *testing.T) {
	if *update {
		return
	}
	for _, name := range transcripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			playFile(t, name, func(b *bench) {
				if b.wake <= b.now.After(100*Millisecond) {
					return // it has said that it is not done
				}
				clone, err := b.mc.Clone()
				if err != nil {
					t.Fatal(err)
				}
				clone.trip = 0
				for _, m := range clone.maps {
					clone.touch(m)
				}
				for _, p := range clone.paths {
					clone.stir(p)
				}
				acts, _ := clone.Step(b.now, Wake{})
				for _, a := range acts {
					t.Errorf("%.2f: %s", since(b.now), actionWords(a))
				}
			})
		})
	}
}
