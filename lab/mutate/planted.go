package mutate

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Files of this package, from the top of the tree.
const (
	PlantedFile   = "lab/mutate/testdata/planted.txt"
	ExplainedFile = "lab/mutate/testdata/explained.txt"
)

// Bug is a bug that a person wrote down.
type Bug struct {
	Name string
	// User says what goes wrong for a user.
	User string
	// Pkg is the folder whose file has the text; which file is found, so that the
	// bug survives a file's being split.
	Pkg string
	// Tests are the packages whose tests must catch it, each with the tests to
	// run: "sim", or "sim:TestStorm|TestFailback".
	Tests []string
	// Have stands once in one file of Pkg, and is replaced by Want.
	Have, Want string
}

// ReadPlanted reads the file of bugs. A bug is
//
//	== name
//	user: what a user suffers
//	in: mpath
//	caught by: sim mpath:TestX
//	- a line of the text that is replaced
//	+ a line of what replaces it
func ReadPlanted(path string) ([]Bug, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []Bug
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			list = append(list, Bug{Name: name})
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("%s:%d: a line before the first bug", path, n)
		}
		if !list[len(list)-1].take(line) {
			return nil, fmt.Errorf("%s:%d: want user:, in:, caught by:, - or +: %s", path, n, line)
		}
	}
	for _, b := range list {
		if b.User == "" || b.Pkg == "" || len(b.Tests) == 0 || b.Have == "" || b.Have == b.Want {
			return nil, fmt.Errorf("%s: %s: something is missing: it needs user, in, caught by, and a - that differs from its +", path, b.Name)
		}
	}
	return list, nil
}

func (b *Bug) take(line string) bool {
	for mark, into := range map[string]*string{"-": &b.Have, "+": &b.Want} {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			if *into != "" {
				*into += "\n"
			}
			*into += strings.TrimPrefix(rest, " ")
			return true
		}
	}
	head, rest, ok := strings.Cut(line, ": ")
	switch {
	case !ok:
		return false
	case head == "user":
		b.User = rest
	case head == "in":
		b.Pkg = rest
	case head == "caught by":
		b.Tests = strings.Fields(rest)
	default:
		return false
	}
	return true
}

// Apply gives the file that has the bug's text, and its content with the bug.
func (b Bug) Apply(root string) (path string, text []byte, err error) {
	names, err := filepath.Glob(filepath.Join(root, b.Pkg, "*.go"))
	if err != nil {
		return "", nil, err
	}
	var src []byte
	times := 0
	slices.Sort(names)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		have, err := os.ReadFile(name)
		if err != nil {
			return "", nil, err
		}
		if n := strings.Count(string(have), b.Have); n > 0 {
			times += n
			path, src = name, have
		}
	}
	if times != 1 {
		return "", nil, fmt.Errorf("planted bug %q: its text stands %d times in %s, want once: give it the text that stands there now", b.Name, times, b.Pkg)
	}
	text = []byte(strings.Replace(string(src), b.Have, b.Want, 1))
	if _, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution); err != nil {
		return "", nil, fmt.Errorf("planted bug %q: %w", b.Name, err)
	}
	return path, text, nil
}

// Catch is what the tests of one package made of a bug.
type Catch struct {
	Caught bool
	By     string
}

var stepCount = regexp.MustCompile(`(?m)\bstep (\d+)`)

// Plant compiles the bug into the tests of each package that must catch it, and
// runs them. Only a test that fails is a catch: code that does not compile is not.
func (b Bug) Plant(root, dir string) []Catch {
	var out []Catch
	path, text, err := b.Apply(root)
	if err != nil {
		return []Catch{{By: err.Error()}}
	}
	o := newOverlay(dir)
	if err := o.put(path, text); err != nil {
		return []Catch{{By: err.Error()}}
	}
	for _, t := range b.Tests {
		pkg, only, _ := strings.Cut(t, ":")
		binary := filepath.Join(dir, "planted.test")
		if err := o.compile(root, pkg, binary); err != nil {
			out = append(out, Catch{By: err.Error()})
			continue
		}
		var tests []string
		if only != "" {
			tests = strings.Split(only, "|")
		}
		r := runTests(root, pkg, binary, tests)
		switch m := stepCount.FindStringSubmatch(r.Output); {
		case !r.Failed:
			r.By = "by no test of " + t
		case m != nil:
			r.By += ", after " + m[1] + " steps"
		}
		out = append(out, Catch{Caught: r.Failed && !r.Hung, By: r.By})
	}
	return out
}
