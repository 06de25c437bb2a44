package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDying takes only a killed process of ours for dead.
func TestDying(t *testing.T) {
	status := func(name, state, pending, shared string) string {
		return fmt.Sprintf("Name:\t%s\nUmask:\t0022\nState:\t%s\nSigQ:\t0/1\nSigPnd:\t%s\nShdPnd:\t%s\n", name, state, pending, shared)
	}
	const none, kill = "0000000000000000", "0000000000000100"
	for _, c := range []struct {
		what, text string
		want       bool
	}{
		{"alive", status("pathkeeper", "S (sleeping)", none, none), false},
		{"zombie leader", status("pathkeeper", "Z (zombie)", none, none), true},
		{"killed, in the kernel", status("pathkeeper", "D (disk sleep)", none, kill), true},
		{"killed, thread's own", status("pathkeeper", "D (disk sleep)", kill, none), true},
		{"only hanging", status("pathkeeper", "D (disk sleep)", none, none), false},
		{"asked to stop", status("pathkeeper", "D (disk sleep)", none, "0000000000004000"), false},
		{"stopped", status("pathkeeper", "T (stopped)", none, none), false},
		{"another program", status("multipathd", "Z (zombie)", none, none), false},
		{"nonsense", "Name pathkeeper\x00State: Z", false},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "7"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "7", "status"), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := dying(7, dir); got != c.want {
			t.Errorf("%s: dying %v, want %v", c.what, got, c.want)
		}
	}
	if dying(8, t.TempDir()) {
		t.Error("a process that is not there is dying")
	}
}

// TestLockNamesItsHolder: a second process is refused while the first lives, and
// the first is named.
func TestLockNamesItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if os.Getenv("PATHKEEPER_LOCK") != "" {
		_, _, err := lockManager(os.Getenv("PATHKEEPER_LOCK"))
		fmt.Println("said:", err)
		return
	}
	f, dead, err := lockManager(path)
	if err != nil || dead != 0 {
		t.Fatal(dead, err)
	}
	defer f.Close()
	c := exec.Command(os.Args[0], "-test.run", "TestLockNamesItsHolder")
	c.Env = append(os.Environ(), "PATHKEEPER_LOCK="+path)
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("(pid %d) already manages the multipath maps", os.Getpid())) {
		t.Errorf("%v: %s", err, out)
	}
	if b, _ := os.ReadFile(path); strings.TrimSpace(string(b)) != fmt.Sprint(os.Getpid()) {
		t.Errorf("pid file says %q", b)
	}
}
