// Package house holds the rules of the tree as tests: who may import whom, what
// a pure package must not touch, where unsafe lives. ARCHITECTURE.md draws it.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "pathkeeper"

// allowed says which of our packages a package may import, and why. A package
// that is not listed here does not exist.
var allowed = map[string]struct {
	may []string
	why string
}{
	"scsi":           {nil, "a leaf: bytes in, facts out"},
	"dmmap/table":    {nil, "a leaf: text in, values out"},
	"plainfile":      {nil, "a leaf"},
	"sysfs":          {[]string{"plainfile"}, "attributes are files that are read with few calls"},
	"uevent":         {nil, "a leaf"},
	"blockio":        {nil, "a leaf"},
	"contract":       {[]string{"dmmap", "dmmap/table", "scsi", "sysfs", "blockio"}, "sequences of port calls and what they tell: the ports' declarations, neither side's implementation"},
	"initramfs":      {nil, "a leaf: images in, differences out"},
	"roff":           {nil, "a leaf: manual pages from texts"},
	"scenario":       {nil, "a leaf: scripts that lab and sim both read"},
	"dmmap":          {[]string{"dmmap/table"}, "calls speak of tables and names"},
	"dmmap/dmioctl":  {[]string{"dmmap"}, "the real port"},
	"scsi/sgio":      {[]string{"scsi"}, "the real port"},
	"partition":      {[]string{"dmmap/table"}, "tables of disks become tables of maps"},
	"policy/ere":     {nil, "a leaf: expressions"},
	"policy":         {[]string{"scsi", "policy/ere"}, "decides on identities by expressions"},
	"configs":        {[]string{"policy", "policy/ere", "scsi", "plainfile"}, "files become policy's settings"},
	"lint":           {[]string{"policy", "policy/ere", "configs", "scsi"}, "looks at what configs read, by policy's own expressions and table"},
	"pathcheck":      {[]string{"scsi", "policy/ere"}, "checkers speak SCSI; weightedpath values names by expressions"},
	"mpath":          {[]string{"policy", "pathcheck", "scsi", "dmmap/table", "partition"}, "the core: decisions, verdicts, identities and tables"},
	"statefile":      {[]string{"scsi", "dmmap/table", "plainfile"}, "files name LUNs and maps"},
	"rules":          {[]string{"policy", "scsi"}, "properties are decisions told to udev"},
	"names":          {[]string{"mpath", "policy", "scsi"}, "lists of names are made from snapshots and what decisions go by"},
	"engine":         {[]string{"mpath", "policy", "pathcheck", "statefile", "scsi", "dmmap", "dmmap/table", "sysfs", "uevent", "blockio"}, "actions become requests: it knows the ports' declarations"},
	"show":           {[]string{"mpath", "policy", "pathcheck", "scsi", "dmmap/table"}, "prints snapshots"},
	"why":            {[]string{"show", "mpath", "policy", "pathcheck", "scsi", "dmmap/table"}, "explains snapshots by deciding again"},
	"record":         {[]string{"mpath", "pathcheck", "dmmap/table"}, "writes and replays what the core is told and asks for"},
	"server":         {[]string{"show", "mpath", "configs", "policy"}, "answers with what show prints, of the rules in force too"},
	"daemon":         {[]string{"engine", "server", "mpath", "policy", "configs", "scsi", "scsi/sgio", "dmmap", "dmmap/dmioctl", "dmmap/table", "sysfs", "uevent", "blockio", "statefile", "record", "show"}, "the shell: the real ports around the core"},
	"sim":            {[]string{"engine", "mpath", "policy", "configs", "pathcheck", "scsi", "dmmap", "dmmap/table", "sysfs", "uevent", "blockio", "statefile", "show", "scenario", "record"}, "the simulated kernel below engine, the story told with show, its runs recorded like the daemon's"},
	"sim/storm":      {[]string{"sim", "engine", "mpath", "policy", "configs", "scsi", "pathcheck", "dmmap/table"}, "blows through sim's hosts and holds them against the laws"},
	"cmd/pathkeeper": {[]string{"*"}, "anything but lab"},
	"lab":            {[]string{"*"}, "the lab may use everything; nothing uses the lab"},
}

// pure packages have no I/O, no clock, no threads and no chance.
var pure = []string{"mpath", "engine", "policy", "policy/ere", "scsi", "dmmap", "dmmap/table", "pathcheck", "show", "why", "lint", "names", "partition", "roff"}

var impure = []string{"os", "net", "syscall", "log", "math/rand", "math/rand/v2", "unsafe", "context", "sync", "sync/atomic", "time", "golang.org/x/sys/unix", "log/slog", "os/exec"}

// unsafeIn are the places where unsafe may live in the product; the lab's guest
// agent has its own.
var unsafeIn = []string{"dmmap/dmioctl", "scsi/sgio", "blockio"}

var badNames = []string{"util", "utils", "common", "types", "helpers", "pkg"}

type file struct {
	dir, name string
	test      bool
	ast       *ast.File
	lines     int
}

func parseTree(t *testing.T) []file {
	t.Helper()
	var out []file
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != "." || d.Name() == "testdata" || p == "build") {
			return filepath.SkipDir
		}
		if filepath.Ext(p) != ".go" {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		out = append(out, file{dir: path.Dir(filepath.ToSlash(p)), name: d.Name(), test: strings.HasSuffix(p, "_test.go"), ast: f, lines: strings.Count(string(src), "\n")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func imports(f *ast.File) []string {
	var out []string
	for _, i := range f.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		out = append(out, p)
	}
	return out
}

// owner is the entry of allowed that a folder belongs to.
func owner(dir string) string {
	for d := dir; d != "."; d = path.Dir(d) {
		if _, ok := allowed[d]; ok {
			return d
		}
	}
	return ""
}

func TestImportsRunOneWay(t *testing.T) {
	for _, f := range parseTree(t) {
		if f.dir == "." || f.test {
			continue
		}
		own := owner(f.dir)
		if own == "" {
			t.Errorf("%s/%s: the folder is not in the table of house_test.go: say what it may import, and why", f.dir, f.name)
			continue
		}
		rule := allowed[own]
		for _, p := range imports(f.ast) {
			ours, ok := strings.CutPrefix(p, module+"/")
			if !ok || owner(ours) == own {
				continue
			}
			switch {
			case owner(ours) == "lab":
				t.Errorf("%s/%s imports %s: nothing but the lab uses the lab", f.dir, f.name, p)
			case slices.Contains(rule.may, "*"):
			case !slices.Contains(rule.may, ours):
				t.Errorf("%s/%s imports %s: %s may import %v (%s)", f.dir, f.name, p, own, rule.may, rule.why)
			}
		}
	}
}

func TestPurePackages(t *testing.T) {
	for _, f := range parseTree(t) {
		if !slices.Contains(pure, f.dir) || f.test {
			continue
		}
		for _, p := range imports(f.ast) {
			if slices.Contains(impure, p) {
				t.Errorf("%s/%s imports %s: %s is pure", f.dir, f.name, p, f.dir)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s/%s starts a goroutine: %s is pure", f.dir, f.name, f.dir)
			case *ast.ChanType:
				t.Errorf("%s/%s has a channel: %s is pure", f.dir, f.name, f.dir)
			}
			return true
		})
	}
}

func TestUnsafeStaysHome(t *testing.T) {
	for _, f := range parseTree(t) {
		if slices.Contains(imports(f.ast), "unsafe") && !slices.Contains(unsafeIn, f.dir) && !f.test && owner(f.dir) != "lab" {
			t.Errorf("%s/%s imports unsafe: it lives in %v alone", f.dir, f.name, unsafeIn)
		}
	}
}

func TestNoInitNoCatchAllNames(t *testing.T) {
	for _, f := range parseTree(t) {
		if slices.Contains(badNames, path.Base(f.dir)) {
			t.Errorf("%s: a package is named after what it does", f.dir)
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s/%s has an init function", f.dir, f.name)
			}
		}
	}
}

// maxLines is what a person can hold in the head, with some mercy.
const maxLines = 650

func TestFilesStaySmall(t *testing.T) {
	for _, f := range parseTree(t) {
		if f.lines > maxLines && !f.test && !strings.HasSuffix(f.name, "_rows.go") {
			t.Errorf("%s/%s has %d lines, over %d: split it by subject", f.dir, f.name, f.lines, maxLines)
		}
	}
}

// TestArchitectureNamesEveryFolder keeps the map of the tree complete.
func TestArchitectureNamesEveryFolder(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for dir := range allowed {
		if !strings.Contains(string(text), "`"+dir+"/`") && !strings.Contains(string(text), "`"+dir+"`") {
			t.Errorf("ARCHITECTURE.md does not mention `%s/`", dir)
		}
	}
}
