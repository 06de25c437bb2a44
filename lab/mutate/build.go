package mutate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// overlay is a set of changed files that the Go tool compiles instead of the
// tree's, kept in a directory of its own.
type overlay struct {
	dir  string
	list map[string]string // absolute path in the tree -> changed file
}

func newOverlay(dir string) *overlay { return &overlay{dir: dir, list: map[string]string{}} }

// put changes a file, or adds one.
func (o *overlay) put(path string, text []byte) error {
	to := filepath.Join(o.dir, fmt.Sprintf("%d-%s", len(o.list), filepath.Base(path)))
	if old, ok := o.list[path]; ok {
		to = old
	}
	o.list[path] = to
	return os.WriteFile(to, text, 0o600)
}

// errCompile is a changed file that does not compile.
var errCompile = errors.New("it does not compile")

// compile makes the test binary of a package over the overlay.
func (o *overlay) compile(root, pkg, out string) error {
	b, err := json.Marshal(map[string]any{"Replace": o.list})
	if err != nil {
		return err
	}
	file := filepath.Join(o.dir, "overlay.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return err
	}
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", file, "-o", out, "./"+pkg)
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: tests of %s: %w\n%s", errCompile, pkg, err, said)
	}
	return nil
}

// Snapshot copies the tree's files, as git knows them, into a directory: tests read
// their data while others may work on the tree.
func Snapshot(root, dir string) error {
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("listing the files of %s: %w", root, err)
	}
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Build is the product's packages with every mutant in them, as test binaries.
type Build struct {
	Mutants []Mutant
	Skipped []string          // keys of those that do not compile
	Tests   map[string]string // package -> its test binary
	root    string
	dir     string
}

// Make compiles every mutant of some packages into the test binaries of others.
// What a rule makes of the code does not always compile; such mutants are left
// out, found by the line that the compiler complains of.
func Make(root, dir string, pkgs, tests []string) (*Build, error) {
	skip := map[string]bool{}
	for range maxCompiles {
		b := &Build{Tests: map[string]string{}, root: root, dir: dir}
		o := newOverlay(dir)
		for _, p := range pkgs {
			s, err := loadSource(root, p)
			if err != nil {
				return nil, err
			}
			found, texts := find(s, len(b.Mutants)+1, skip)
			b.Mutants = append(b.Mutants, found...)
			for path, text := range texts {
				if err := o.put(path, text); err != nil {
					return nil, err
				}
			}
			if err := o.put(filepath.Join(root, p, "mutants_switch.go"), switchFile(s.name)); err != nil {
				return nil, err
			}
		}
		err := b.compile(o, tests)
		if err == nil {
			for k := range skip {
				b.Skipped = append(b.Skipped, k)
			}
			return b, nil
		}
		if !b.blame(err, skip) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the mutants do not compile, after %d times leaving some out", maxCompiles)
}

// maxCompiles bounds how often mutants that do not compile are left out.
const maxCompiles = 20

func (b *Build) compile(o *overlay, tests []string) error {
	for _, p := range tests {
		b.Tests[p] = filepath.Join(b.dir, strings.ReplaceAll(p, "/", "-")+".test")
		if err := o.compile(b.root, p, b.Tests[p]); err != nil {
			return err
		}
	}
	return nil
}

var complaint = regexp.MustCompile(`(?m)([a-z_]+\.go):(\d+):\d+: `)

// blame finds the mutants on the lines that the compiler complains of; false: none.
func (b *Build) blame(err error, skip map[string]bool) bool {
	n := len(skip)
	for _, c := range complaint.FindAllStringSubmatch(err.Error(), -1) {
		line, _ := strconv.Atoi(c[2])
		for _, m := range b.Mutants {
			if strings.HasSuffix(c[1], m.File) && m.Line == line {
				skip[m.Key()] = true
			}
		}
	}
	return len(skip) > n
}
