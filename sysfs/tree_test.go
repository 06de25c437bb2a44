package sysfs

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// plant builds testdata/name.tree below a temporary directory; its README has
// the format.
func plant(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".tree"))
	if err != nil {
		t.Fatal(err)
	}
	root, names := filepath.Join(t.TempDir(), "sys"), []string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		line = strings.NewReplacer(names...).Replace(line)
		if len(line) > 1 && line[1] == '=' {
			names = append(names, "$"+line[:1], line[2:])
			continue
		}
		at, content := line, []byte(nil)
		if p, target, ok := strings.Cut(line, " -> "); ok {
			link(t, target, filepath.Join(root, p))
			continue
		} else if p, text, ok := strings.Cut(line, " = "); ok {
			at, content = p, []byte(text+"\n")
		} else if p, digits, ok := strings.Cut(line, " hex "); ok {
			if content, err = hex.DecodeString(strings.ReplaceAll(digits, " ", "")); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			at = p
		} else {
			mkdir(t, filepath.Join(root, at))
			continue
		}
		at = filepath.Join(root, at)
		mkdir(t, filepath.Dir(at))
		if err := os.WriteFile(at, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, at string) {
	t.Helper()
	mkdir(t, filepath.Dir(at))
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Root {
	t.Helper()
	r, err := OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// plain hides Root's Sub, as a simulated tree has none.
type plain struct{ Tree }

// vanishing loses a disk's attributes after a number of reads.
type vanishing struct {
	Tree
	left *int
	err  error
}

func (v vanishing) ReadAttr(path string, max int) ([]byte, error) {
	if *v.left--; *v.left < 0 {
		return nil, v.err
	}
	return v.Tree.ReadAttr(path, max)
}
