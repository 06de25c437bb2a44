package statefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The daemon makes LUNs known while an operator's `multipath -a` adds another: each
// process has its own Disk, and no line may be lost.
func TestEditLosesNoLine(t *testing.T) {
	root := t.TempDir()
	const writers, each = 3, 12
	var wg sync.WaitGroup
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			d := NewDisk(root)
			d.wait = time.Minute
			for i := range each {
				err := editAnew(d, func(have []byte) ([]byte, error) {
					list, _ := ParseWWIDs(have)
					next, err := list.Add(fmt.Sprintf("3600%d-%d", w, i))
					return next.Bytes(), err
				})
				if err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	text, err := NewDisk(root).Read(WWIDsPath)
	if err != nil {
		t.Fatal(err)
	}
	if list, _ := ParseWWIDs(text); len(list.All()) != writers*each {
		t.Errorf("%d WWIDs of %d are listed", len(list.All()), writers*each)
	}
}

// editAnew edits until nobody else was faster.
func editAnew(d *Disk, change func([]byte) ([]byte, error)) error {
	for {
		if err := Edit(d, WWIDsPath, ModePrivate, change); !errors.Is(err, ErrChanged) {
			return err
		}
	}
}

func TestReplaceOfAChangedFile(t *testing.T) {
	d := NewDisk(t.TempDir())
	if err := d.Replace(WWIDsPath, nil, []byte("/a/\n"), ModePrivate); err != nil {
		t.Fatal(err)
	}
	if err := d.Replace(WWIDsPath, []byte("/b/\n"), []byte("/c/\n"), ModePrivate); !errors.Is(err, ErrChanged) {
		t.Errorf("replacing what is not there any more: %v", err)
	}
	if text, _ := d.Read(WWIDsPath); string(text) != "/a/\n" {
		t.Errorf("the file is %q", text)
	}
	info, err := os.Stat(filepath.Join(d.root, LockPath))
	if err != nil || info.Mode().Perm() != ModePrivate {
		t.Errorf("the lock: %v, %v", info, err)
	}
}

// A process that is stopped while it holds the lock costs a refusal, not a thread for good.
func TestReplaceUnderSomebodysLock(t *testing.T) {
	d := NewDisk(t.TempDir())
	release, err := d.lock()
	if err != nil {
		t.Fatal(err)
	}
	other := NewDisk(d.root)
	other.wait = 0
	err = other.Replace(WWIDsPath, nil, []byte("/a/\n"), ModePrivate)
	if !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "another process holds it") {
		t.Errorf("under a lock: %v", err)
	}
	release()
	if err := other.Replace(WWIDsPath, nil, []byte("/a/\n"), ModePrivate); err != nil {
		t.Error(err)
	}
}

func TestEditRefusals(t *testing.T) {
	d := NewDisk(t.TempDir())
	refused := errors.New("no")
	if err := Edit(d, WWIDsPath, ModePrivate, func([]byte) ([]byte, error) { return []byte("x"), refused }); !errors.Is(err, refused) {
		t.Errorf("a change that refuses: %v", err)
	}
	if err := Edit(d, WWIDsPath, ModePrivate, func(have []byte) ([]byte, error) { return have, nil }); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(d.root, WWIDsPath)); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no change has made a file: %v", err)
	}
	n := 0
	moving := func(have []byte) ([]byte, error) { // somebody writes before each of our writes
		n++
		if err := d.WriteAtomic(WWIDsPath, fmt.Appendf(nil, "/%d/\n", n), ModePrivate); err != nil {
			t.Fatal(err)
		}
		return append(have, 'x'), nil
	}
	if err := Edit(d, WWIDsPath, ModePrivate, moving); !errors.Is(err, ErrChanged) || n != EditTries {
		t.Errorf("a file that moves all the time: %v after %d", err, n)
	}
}
