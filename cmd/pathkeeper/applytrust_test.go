package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPlanThatOthersMayHaveWrittenIsRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "plan")
	for _, c := range []struct {
		mode os.FileMode
		euid int // beside the file's owner, who runs this test
		want string
	}{
		{0o600, os.Geteuid(), ""},
		{0o644, os.Geteuid(), ""},
		{0o664, os.Geteuid(), "can be written by others (mode 0664)"},
		{0o602, os.Geteuid(), "can be written by others"},
	} {
		if err := os.WriteFile(name, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, c.mode); err != nil {
			t.Fatal(err)
		}
		err := trusted(name, c.euid)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("mode %04o: %v", c.mode, err)
		}
	}
	if os.Geteuid() == 0 { // only root can give it to somebody
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(name, 4711, -1); err != nil {
			t.Fatal(err)
		}
		if err := trusted(name, 0); err == nil || !strings.Contains(err.Error(), "belongs to user 4711") {
			t.Errorf("another's file: %v", err)
		}
	}
	if err := trusted("/dev/stdin", 0); err != nil {
		t.Errorf("a pipe: %v", err)
	}
}
