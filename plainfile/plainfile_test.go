package plainfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Both readers give what the os package gives, and nothing of what is too long.
func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	for _, size := range []int{0, 1, firstRead - 1, firstRead, firstRead + 1, 70_000} {
		want := strings.Repeat("xyz\n", size/4+1)[:size]
		if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		for what, read := range map[string]func(string, int) ([]byte, error){"Read": Read, "ReadRegular": ReadRegular} {
			for _, max := range []int{size, size + 1, 1 << 20} {
				if b, err := read(name, max); err != nil || string(b) != want {
					t.Errorf("%s of %d bytes, at most %d: %d bytes, %v", what, size, max, len(b), err)
				}
			}
			if size == 0 {
				continue
			}
			if b, err := read(name, size-1); !errors.Is(err, ErrTooLong) || b != nil {
				t.Errorf("%s of %d bytes, one less allowed: %d bytes, %v", what, size, len(b), err)
			}
		}
	}
}

// What the kernel writes while it is read comes whole.
func TestReadProc(t *testing.T) {
	for _, name := range []string{"/proc/self/mountinfo", "/proc/kallsyms"} {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Read(name, 64<<20); err != nil || string(got) != string(want) {
			t.Errorf("%s: %d bytes, want %d; %v", name, len(got), len(want), err)
		}
	}
}

func TestNotThereAndNotAFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, fifo, "/dev/null"} {
		if _, err := ReadRegular(name, 100); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, read := range []func(string) error{
		func(n string) error { _, err := Read(n, 100); return err },
		func(n string) error { _, err := ReadRegular(n, 100); return err },
		func(n string) error { _, err := List(n); return err },
	} {
		err := read(filepath.Join(dir, "none"))
		var in *fs.PathError
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &in) || !strings.Contains(err.Error(), dir+"/none") {
			t.Errorf("a missing file: %v", err)
		}
	}
	if _, err := List(fifo); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a FIFO is listed: %v", err)
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 700 { // more than one buffer
		name := strings.Repeat(string(rune('a'+i%26)), 1+i/26)
		want = append(want, name)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	got, err := List(dir)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d names, want %d; %v", len(got), len(want), err)
	}
	for i, e := range got {
		if e.Name != want[i] || !e.Regular(dir) {
			t.Errorf("%+v, want %s", e, want[i])
		}
	}
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	// A file system that does not tell types has them looked at.
	for name, want := range map[string]bool{"a": true, "link": false, "none": false} {
		if got := (Entry{Name: name}).Regular(dir); got != want {
			t.Errorf("%s is a regular file: %v", name, got)
		}
	}
	if got, err := List(dir); err != nil || !slices.Contains(got, Entry{Name: "link", Type: unix.DT_LNK}) {
		t.Errorf("no link in the list: %v", err)
	}
}
