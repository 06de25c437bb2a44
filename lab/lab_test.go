// Package lab_test runs the scenarios on a real kernel. It needs root for the
// first build of the guest's image, and QEMU; so it runs only with
// PATHKEEPER_LAB=1. Without, it holds every scenario file against the parser.
package lab_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pathkeeper/lab/guest"
	"pathkeeper/lab/image"
	"pathkeeper/lab/run"
	"pathkeeper/scenario"
)

func files(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("scenarios/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	return names
}

func TestScenarioFilesParse(t *testing.T) {
	long, err := filepath.Glob("scenarios/long/*.txt")
	if err != nil || len(long) == 0 {
		t.Fatalf("no long scenarios: %v", err)
	}
	for _, name := range append(files(t), long...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		script, err := scenario.Parse(name, string(text))
		if err != nil {
			t.Error(err)
			continue
		}
		// The image with the clients takes minutes to build, which make test has not.
		if script.Image != "" && filepath.Base(filepath.Dir(name)) != "long" {
			t.Errorf("%s wants the image %q: it belongs to scenarios/long", name, script.Image)
		}
	}
}

func TestScenarios(t *testing.T) {
	if os.Getenv("PATHKEEPER_LAB") != "1" {
		t.Skip("PATHKEEPER_LAB=1 runs the scenarios on a real kernel")
	}
	if err := image.InstallDeps(os.Stderr, false); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := guest.BuildStatic("pathkeeper/cmd/pathkeeper")
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	if err := os.MkdirAll(filepath.Join(tree, "usr/sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "usr/sbin/pathkeeper"), bin, 0o755); err != nil {
		t.Fatal(err)
	}
	results, err := run.Files(context.Background(), files(t), run.Options{
		Root: root, Failures: filepath.Join(root, "build", "lab-failures"), Out: os.Stdout, Tree: tree,
	})
	if err != nil {
		t.Fatal(err)
	}
	budget, err := run.ReadBudget("budget.txt")
	if err != nil {
		t.Fatal(err)
	}
	run.Summary(os.Stdout, results, budget)
	for _, r := range results {
		t.Run(strings.TrimSuffix(filepath.Base(r.File), ".txt"), func(t *testing.T) {
			switch {
			case r.Skipped != "":
				t.Skip(r.Skipped)
			case r.Err != nil:
				t.Fatalf("%v\nevidence: %s", r.Err, r.Kept)
			}
		})
	}
}
