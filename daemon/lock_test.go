package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDying takes only a killed manager for dead, and only with all its threads.
func TestDying(t *testing.T) {
	status := func(name, state, pending, shared string) string {
		return fmt.Sprintf("Name:\t%s\nUmask:\t0022\nState:\t%s\nSigQ:\t0/1\nSigPnd:\t%s\nShdPnd:\t%s\n", name, state, pending, shared)
	}
	const none, kill = "0000000000000000", "0000000000000100"
	for _, c := range []struct {
		what    string
		threads []string // the leader first
		want    bool
	}{
		{"alive", []string{status("pathkeeper", "S (sleeping)", none, none)}, false},
		{"zombie leader", []string{status("multipathd", "Z (zombie)", none, none)}, true},
		{"zombie leader, a thread hangs", []string{status("multipathd", "Z (zombie)", none, none), status("pathkeeper", "D (disk sleep)", kill, none)}, true},
		{"zombie leader, a thread lives", []string{status("multipathd", "Z (zombie)", none, none), status("pathkeeper", "S (sleeping)", none, none)}, false},
		{"killed, in the kernel", []string{status("pathkeeper", "D (disk sleep)", none, kill)}, true},
		{"killed, thread's own", []string{status("multipathd", "D (disk sleep)", kill, none)}, true},
		{"only hanging", []string{status("multipathd", "D (disk sleep)", none, none)}, false},
		{"asked to stop", []string{status("multipathd", "D (disk sleep)", none, "0000000000004000")}, false},
		{"stopped", []string{status("multipathd", "T (stopped)", none, none)}, false},
		{"another program", []string{status("postgres", "Z (zombie)", none, none)}, false},
		{"nonsense", []string{"Name pathkeeper\x00State: Z"}, false},
	} {
		dir := t.TempDir()
		for i, text := range c.threads {
			task := filepath.Join(dir, "7", "task", fmt.Sprint(7+i))
			if err := os.MkdirAll(task, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(task, "status"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "7", "status"), []byte(c.threads[0]), 0o644); err != nil {
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
