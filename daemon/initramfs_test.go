package daemon

import (
	"os"
	"path/filepath"
	"testing"
)

func TestInInitramfs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "initrd-release")
	if inInitramfs(file) {
		t.Error("there is none")
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !inInitramfs(file) {
		t.Error("there is one")
	}
}
