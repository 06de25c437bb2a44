package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pathkeeper/rules"
)

func TestUdevInstall(t *testing.T) {
	install := func(args ...string) error {
		c := udevInstallCommand()
		c.SetArgs(args)
		c.SetOut(io.Discard)
		c.SetErr(io.Discard)
		return c.Execute()
	}
	dir := filepath.Join(t.TempDir(), "rules.d")
	if err := install(dir); err != nil {
		t.Fatal(err)
	}
	names, _ := os.ReadDir(dir)
	if len(names) != len(rules.Files("")) {
		t.Errorf("%v", names)
	}
	for _, n := range names {
		if !strings.Contains(n.Name(), "pathkeeper") {
			t.Errorf("%s is not one of our names", n.Name())
		}
	}
	// A rule that an administrator has switched off stays off, unless asked.
	off := filepath.Join(dir, "60-multipath.rules")
	if err := os.Symlink(os.DevNull, off); err != nil {
		t.Fatal(err)
	}
	if err := install("--as", "multipath-tools", dir); err == nil || !strings.Contains(err.Error(), "60-multipath.rules") {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "11-dm-mpath.rules")); err == nil {
		t.Error("some were written all the same")
	}
	if err := install("--as", "multipath-tools", "--force", dir); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(off); err != nil || !strings.Contains(string(b), "pathkeeper udev hook") {
		t.Errorf("%q, %v", b, err)
	}
	if err := install("--as", "lvm", dir); err == nil {
		t.Error("--as lvm is taken")
	}
}
