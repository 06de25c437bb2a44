package sim

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/statefile"
)

// Files is the world's statefile.Port: files in memory, and of /proc and
// /run/udev what the world can tell.
type Files struct {
	w     *World
	files []file // by path
	udev  []file // udev's database, by path
	// ReadOnly lists directories that are mounted read-only.
	ReadOnly []string
	hung     []string
	writes   int
}

type file struct {
	path string
	data string
}

// Hang makes writes below a directory hang until Release.
func (f *Files) Hang(dir string) { f.hung = append(f.hung, dir) }

// Release lets the writes go on that Hang held up.
func (f *Files) Release() { f.hung = nil }

// Put writes a file as an administrator would.
func (f *Files) Put(p, data string) { put(&f.files, p, data) }

// Text is a file's content, "" if there is none.
func (f *Files) Text(p string) string {
	b, _ := f.Read(p)
	return string(b)
}

func put(list *[]file, p, data string) {
	i, ok := slices.BinarySearchFunc(*list, p, func(f file, p string) int { return strings.Compare(f.path, p) })
	if ok {
		(*list)[i].data = data
		return
	}
	*list = slices.Insert(*list, i, file{p, data})
}

func remove(list *[]file, p string) {
	*list = slices.DeleteFunc(*list, func(f file) bool { return f.path == p })
}

// udevRecord is a file of udev's database, "" if there is none.
func (f *Files) udevRecord(p string) string {
	s, _ := find(f.udev, p)
	return s
}

func find(list []file, p string) (string, bool) {
	i, ok := slices.BinarySearchFunc(list, p, func(f file, p string) int { return strings.Compare(f.path, p) })
	if !ok {
		return "", false
	}
	return list[i].data, true
}

// Read implements statefile.Port.
func (f *Files) Read(p string) ([]byte, error) {
	f.w.cost(10*mpath.Millisecond/1000, 100*mpath.Millisecond/1000)
	switch p {
	case "/proc/self/mountinfo":
		return []byte(f.w.mountinfo()), nil
	case "/proc/swaps":
		return []byte(f.w.swapInfo()), nil
	}
	if s, ok := find(f.udev, p); ok {
		return []byte(s), nil
	}
	s, ok := find(f.files, p)
	if !ok {
		return nil, fmt.Errorf("read %s: %w", p, fs.ErrNotExist)
	}
	return []byte(s), nil
}

// WriteAtomic implements statefile.Port.
func (f *Files) WriteAtomic(p string, data []byte, _ uint32) error {
	f.w.cost(mpath.Millisecond, 20*mpath.Millisecond)
	below := func(dir string) bool { return strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/") }
	if slices.ContainsFunc(f.hung, below) {
		f.w.took = Forever
		return nil
	}
	if slices.ContainsFunc(f.ReadOnly, below) {
		return fmt.Errorf("write %s: %w", p, statefile.ErrReadOnly)
	}
	f.writes++
	put(&f.files, p, string(data))
	return nil
}

// Replace implements statefile.Port.
func (f *Files) Replace(p string, was, data []byte, mode uint32) error {
	if have, _ := find(f.files, p); have != string(was) {
		f.w.cost(100*mpath.Millisecond/1000, mpath.Millisecond)
		return fmt.Errorf("write %s: %w", p, statefile.ErrChanged)
	}
	return f.WriteAtomic(p, data, mode)
}

// Remove implements statefile.Port.
func (f *Files) Remove(p string) error {
	f.w.cost(100*mpath.Millisecond/1000, mpath.Millisecond)
	remove(&f.files, p)
	return nil
}

// List implements statefile.Port.
func (f *Files) List(dir string) ([]string, error) {
	var out []string
	for _, x := range f.files {
		if path.Dir(x.path) == dir {
			out = append(out, path.Base(x.path))
		}
	}
	return out, nil
}

func (w *World) mountinfo() string {
	b := "21 1 0:20 / /proc rw,nosuid - proc proc rw\n"
	for i, m := range w.mounts {
		major, minor, ok := w.numbers(m.name)
		if !ok {
			continue
		}
		b += fmt.Sprintf("%d 1 %d:%d / %s rw,relatime - ext4 /dev/%s rw\n", 30+i, major, minor, m.point, m.name)
	}
	return b
}

func (w *World) swapInfo() string {
	b := "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	for _, s := range w.swaps {
		b += fmt.Sprintf("/dev/%s                               partition\t1048572\t\t0\t\t-2\n", s)
	}
	return b
}
