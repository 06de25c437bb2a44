package mutate

import (
	"path/filepath"
	"testing"
)

// TestPlantedBugsApply keeps the bugs that are written down true to the code: the
// text of each stands there once, and the file still parses with the bug in it.
// Whether the tests catch them is seen by "make planted".
func TestPlantedBugsApply(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bugs, err := ReadPlanted(filepath.Join(root, PlantedFile))
	if err != nil {
		t.Fatal(err)
	}
	const least = 30
	if len(bugs) < least {
		t.Errorf("%d bugs, want %d", len(bugs), least)
	}
	for _, b := range bugs {
		if _, _, err := b.Apply(root); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d bugs", len(bugs))
}
