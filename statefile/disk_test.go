package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// faulty fails at the n-th call. With crash everything after it fails too: the
// process is gone, and nothing is cleaned up.
type faulty struct {
	realSystem
	at, calls int
	crash     bool
	errno     syscall.Errno
	log       []string
}

func (f *faulty) step(name string) error {
	f.calls++
	f.log = append(f.log, name)
	if f.calls == f.at || f.crash && f.calls > f.at {
		return &fs.PathError{Op: name, Path: "x", Err: f.errno}
	}
	return nil
}

func (f *faulty) mkdir(path string, mode os.FileMode) error {
	if err := f.step("mkdir"); err != nil {
		return err
	}
	return f.realSystem.mkdir(path, mode)
}

func (f *faulty) create(path string, mode os.FileMode) (tempFile, error) {
	if err := f.step("create"); err != nil {
		return nil, err
	}
	file, err := f.realSystem.create(path, mode)
	return &faultyFile{file, f}, err
}

func (f *faulty) rename(from, to string) error {
	if err := f.step("rename"); err != nil {
		return err
	}
	return f.realSystem.rename(from, to)
}

func (f *faulty) remove(path string) error {
	if err := f.step("remove"); err != nil {
		return err
	}
	return f.realSystem.remove(path)
}

func (f *faulty) syncDir(path string) error {
	if err := f.step("syncDir"); err != nil {
		return err
	}
	return f.realSystem.syncDir(path)
}

type faultyFile struct {
	tempFile
	f *faulty
}

// Write fails half way.
func (w *faultyFile) Write(p []byte) (int, error) {
	if err := w.f.step("write"); err != nil {
		n, _ := w.tempFile.Write(p[:len(p)/2])
		return n, err
	}
	return w.tempFile.Write(p)
}

func (w *faultyFile) Chmod(mode os.FileMode) error {
	if err := w.f.step("chmod"); err != nil {
		return err
	}
	return w.tempFile.Chmod(mode)
}

func (w *faultyFile) MakeLike(path string) error {
	if err := w.f.step("like"); err != nil {
		return err
	}
	return w.tempFile.MakeLike(path)
}

func (w *faultyFile) Sync() error {
	if err := w.f.step("sync"); err != nil {
		return err
	}
	return w.tempFile.Sync()
}

func (w *faultyFile) Close() error {
	err := w.f.step("close")
	return errors.Join(err, w.tempFile.Close())
}

// Whatever step of a write fails, and whether or not the process survives it,
// the file is the old or the new one, an error says so, and the next write works.
func TestWriteNeverTears(t *testing.T) {
	const old, next = "mpatha 3600a\n", "mpatha 3600a\nmpathb 3600b\n"
	for _, existing := range []bool{true, false} {
		for _, crash := range []bool{false, true} {
			for at := 1; ; at++ {
				root := t.TempDir()
				d := NewDisk(root)
				if existing {
					if err := d.WriteAtomic(BindingsPath, []byte(old), ModePrivate); err != nil {
						t.Fatal(err)
					}
				}
				f := &faulty{at: at, crash: crash, errno: syscall.ENOSPC}
				d.sys = f
				err := d.WriteAtomic(BindingsPath, []byte(next), ModePrivate)
				if f.calls < at {
					if err != nil {
						t.Fatalf("no fault, but %v", err)
					}
					want := "create chmod write sync close rename syncDir"
					if got := strings.Join(f.log, " "); !strings.HasSuffix(got, want) {
						t.Errorf("steps %s, want %s at the end", got, want)
					}
					break
				}
				name := fmt.Sprintf("existing %v, crash %v, at %d (%s)", existing, crash, at, f.log[at-1])
				if !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("%s: error %v", name, err)
				}
				data, readErr := os.ReadFile(filepath.Join(root, BindingsPath))
				renamed := f.log[at-1] == "syncDir" && strings.Contains(err.Error(), "in place")
				switch {
				case renamed && string(data) == next:
				case existing && string(data) == old:
				case !existing && errors.Is(readErr, fs.ErrNotExist):
				default:
					t.Errorf("%s: the file is %q, %v", name, data, readErr)
				}
				d.sys = realSystem{}
				if err := d.WriteAtomic(BindingsPath, []byte(next), ModePrivate); err != nil {
					t.Errorf("%s: the next write: %v", name, err)
				}
				entries, _ := os.ReadDir(filepath.Join(root, "etc/multipath"))
				if len(entries) != 1 {
					t.Errorf("%s: left over: %v", name, entries)
				}
			}
		}
	}
}

func TestWriteModes(t *testing.T) {
	root := t.TempDir()
	d := NewDisk(root)
	for _, c := range []struct {
		path      string
		mode      uint32
		dir, file os.FileMode
	}{
		{BindingsPath, ModePrivate, 0o700, 0o600},
		{DeadlinesPath, ModePublic, 0o755, 0o644},
	} {
		if err := d.WriteAtomic(c.path, []byte("x"), c.mode); err != nil {
			t.Fatal(err)
		}
		file, err := os.Stat(filepath.Join(root, c.path))
		if err != nil || file.Mode() != c.file {
			t.Errorf("%s: %v, %v", c.path, file.Mode(), err)
		}
		dir, err := os.Stat(filepath.Dir(filepath.Join(root, c.path)))
		if err != nil || dir.Mode().Perm() != c.dir {
			t.Errorf("directory of %s: %v, %v", c.path, dir.Mode(), err)
		}
	}
}

func TestSymlinksAreRefused(t *testing.T) {
	root := t.TempDir()
	elsewhere := filepath.Join(t.TempDir(), "target")
	if err := os.MkdirAll(filepath.Join(root, "etc/multipath"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(root, BindingsPath)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/tmp", filepath.Join(root, "run")); err != nil {
		t.Fatal(err)
	}
	d := NewDisk(root)
	if err := d.WriteAtomic(BindingsPath, []byte("x"), ModePrivate); !errors.Is(err, ErrSymlink) {
		t.Errorf("link as file: %v", err)
	}
	if err := d.WriteAtomic(DeadlinesPath, []byte("x"), ModePublic); !errors.Is(err, ErrSymlink) {
		t.Errorf("link as directory: %v", err)
	}
	if _, err := os.Stat(elsewhere); !errors.Is(err, fs.ErrNotExist) {
		t.Error("written through the link")
	}
}

func TestReadOnlyFileSystem(t *testing.T) {
	d := NewDisk(t.TempDir())
	if err := d.WriteAtomic(BindingsPath, nil, ModePrivate); err != nil {
		t.Fatal(err)
	}
	d.sys = &faulty{at: 1, crash: true, errno: syscall.EROFS}
	err := d.WriteAtomic(BindingsPath, []byte("x"), ModePrivate)
	if !errors.Is(err, ErrReadOnly) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("error %v", err)
	}
}

func TestReadListRemove(t *testing.T) {
	root := t.TempDir()
	d := NewDisk(root)
	if _, err := d.Read(WWIDsPath); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if names, err := d.List(FailedDir); err != nil || names != nil {
		t.Errorf("missing directory: %v, %v", names, err)
	}
	if err := d.Remove(WWIDsPath); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	wwids := []string{"3600a", "1LIO_a/../b%", ".."}
	for _, wwid := range wwids {
		if err := d.WriteAtomic(FailedDir+"/"+FailedName(wwid), nil, ModePrivate); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, FailedDir, tempName("3600b", 1, 7)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := d.List(FailedDir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range names {
		got = append(got, FailedWWID(n))
	}
	if diff := cmp.Diff([]string{"..", "1LIO_a/../b%", "3600a"}, got); diff != "" {
		t.Error(diff)
	}
	if err := d.Remove(FailedDir + "/3600a"); err != nil {
		t.Error(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read("/fifo"); !errors.Is(err, ErrNotRegular) {
		t.Errorf("fifo: %v", err)
	}
	if err := os.Truncate(filepath.Join(root, FailedDir, FailedName("..")), maxFileBytes+1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(FailedDir + "/" + FailedName("..")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large file: %v", err)
	}
}

func TestManyWritersLeaveOneWholeFile(t *testing.T) {
	d := NewDisk(t.TempDir())
	var all sync.WaitGroup
	for i := range 20 {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := d.WriteAtomic(WWIDsPath, []byte(strings.Repeat(fmt.Sprint(i%10), 1000)), ModePrivate); err != nil {
				t.Error(err)
			}
		}()
	}
	all.Wait()
	data, err := d.Read(WWIDsPath)
	if err != nil || len(data) != 1000 || strings.Count(string(data), string(data[:1])) != 1000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
