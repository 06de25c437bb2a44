package daemon

import (
	"bufio"
	"fmt"
	"io"
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

// asStarter is the test program as another process of the host; what it is comes by
// the environment. It says what it got, and keeps that until its input ends.
func asStarter(role, path string) {
	switch role {
	case "holder": // locks as multipathd does: without the guard
		if f, err := openOwn(path, 0o644); err != nil {
			fmt.Println("said:", err)
		} else if _, err = tryLock(f); err != nil {
			fmt.Println("said:", err)
		} else {
			fmt.Println("got it")
			defer f.Close()
		}
	case "starter": // to whom every holder is a dead one
		if f, _, err := (pidLock{path: path, open: openOwn, dying: func(int) bool { return true }}).take(); err != nil {
			fmt.Println("said:", err)
		} else {
			fmt.Println("got it")
			defer f.Close()
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// another starts such a process and gives its first words.
func another(t *testing.T, role, path string) string {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "TestOtherStarter")
	c.Env = append(os.Environ(), "PATHKEEPER_STARTER="+role, "PATHKEEPER_LOCK="+path)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = c.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func TestOtherStarter(*testing.T) {
	if role := os.Getenv("PATHKEEPER_STARTER"); role != "" {
		asStarter(role, os.Getenv("PATHKEEPER_LOCK"))
	}
}

// TestTwoStartsOneManager: while one start looks at a dead manager's file, another one
// comes. One of them is the manager.
func TestTwoStartsOneManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if said := another(t, "holder", path); said != "got it" {
		t.Fatal(said)
	}
	second := ""
	l := pidLock{path: path, open: openOwn, dying: func(int) bool {
		if second == "" {
			second = another(t, "starter", path)
		}
		return true
	}}
	f, dead, err := l.take()
	if err != nil || dead == 0 {
		t.Fatalf("dead %d, %v; the other: %s", dead, err, second)
	}
	defer UnlockManager(f)
	if !isAt(path, f) || !strings.Contains(second, "another manager of this host starts just now") {
		t.Errorf("our file bears the name: %v; the other: %s", isAt(path, f), second)
	}
}

// TestPutsAsideOnlyTheDead: somebody who knows no guard has put the dead one's file
// aside first, and manages.
func TestPutsAsideOnlyTheDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if said := another(t, "holder", path); said != "got it" {
		t.Fatal(said)
	}
	looks := 0
	l := pidLock{path: path, open: openOwn, dying: func(int) bool {
		if looks++; looks > 1 {
			return false
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if said := another(t, "holder", path); said != "got it" {
			t.Fatal(said)
		}
		return true
	}}
	if _, _, err := l.take(); err == nil || !strings.Contains(err.Error(), "already manages") {
		t.Errorf("beside a living manager: %v", err)
	}
}

// TestLockOfARemovedFile: between opening and locking the file loses its name. A lock
// on it keeps nobody out, and does not count.
func TestLockOfARemovedFile(t *testing.T) {
	for _, often := range []int{1, lockTries} {
		path := filepath.Join(t.TempDir(), "pid")
		left := often
		l := pidLock{path: path, dying: func(int) bool { return false }, open: func(at string, mode os.FileMode) (*os.File, error) {
			f, err := openOwn(at, mode)
			if err == nil && at == path && left > 0 {
				left--
				err = os.Remove(at)
			}
			return f, err
		}}
		f, _, err := l.take()
		if often == lockTries {
			if err == nil || !strings.Contains(err.Error(), "replaced it") {
				t.Errorf("replaced for ever: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer UnlockManager(f)
		if !isAt(path, f) {
			t.Error("the lock is on a file without the name")
		}
		if said := another(t, "holder", path); !strings.Contains(said, fmt.Sprintf("pid %d", os.Getpid())) {
			t.Errorf("beside us: %s", said)
		}
	}
}

// TestUnlockLeavesOthersFile: who was put aside does not remove the next one's file.
func TestUnlockLeavesOthersFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	f, err := LockManager(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	UnlockManager(f)
	if b, err := os.ReadFile(path); err != nil || string(b) != "7\n" {
		t.Errorf("%q %v", b, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if f, err = LockManager(path); err != nil {
		t.Fatal(err)
	}
	UnlockManager(f)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("our own: %v", err)
	}
}
