package lint_test

import (
	"path/filepath"
	"testing"

	"pathkeeper/lint"
)

// The samples that are shipped are what we would write ourselves: nothing but hints.
func TestShippedSamples(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("..", "configs", "samples", "*.yaml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, name := range names {
		for _, f := range lint.Check(load(t, name).input) {
			if f.Severity != lint.Hint {
				t.Error(f)
			}
		}
	}
}
