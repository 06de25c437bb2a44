package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An empty native file must not switch a host's multipath.conf off unnoticed.
func TestNativeFormBesideMultipathConf(t *testing.T) {
	dir := t.TempDir()
	p := PathsBelow(dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("multipath.conf", "blacklist {\n devnode \"^sda$\"\n}\n")
	write("pathkeeper.yaml", "---\n# to be written\n\n")
	if _, _, err := Load(p); err == nil || !strings.Contains(err.Error(), "take the place of") {
		t.Errorf("an empty pathkeeper.yaml: %v", err)
	}
	write("pathkeeper.yaml", "defaults: {}\n")
	c, said, err := Load(p)
	if err != nil || len(c.Blacklist) != 0 {
		t.Fatalf("%v, %v", c.Blacklist, err)
	}
	if len(said) != 1 || said[0].Kind != NotRead || said[0].Level != LevelNote {
		t.Errorf("said %v", said)
	}
}
