package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPlanOut: a plan that root applies later is nobody else's to change, and no link
// leads it over another file.
func TestPlanOut(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "plan.json")
	if err := os.WriteFile(name, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o666); err != nil { // the umask has no say
		t.Fatal(err)
	}
	old, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := (thisMachine{}).writeFile(name, []byte("new")); err != nil {
		t.Fatal(err)
	}
	was, err := old.Stat()
	if err != nil {
		t.Fatal(err)
	}
	is, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	if os.SameFile(was, is) || is.Mode().Perm() != 0o600 {
		t.Errorf("the same file as before: %v, mode %v", os.SameFile(was, is), is.Mode())
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	if err := (thisMachine{}).writeFile(link, []byte("through the link")); err == nil {
		t.Error("a link was followed")
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
	if err := (thisMachine{}).writeFile(os.DevNull, []byte("away")); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(os.DevNull); err != nil || st.Mode().IsRegular() {
		t.Errorf("%s was replaced: %v, %v", os.DevNull, st, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
