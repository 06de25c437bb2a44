package mutate

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// source is one package, parsed and with its types.
type source struct {
	dir   string // of the tree: "mpath"
	name  string // of the package
	fset  *token.FileSet
	files []*sourceFile
	info  *types.Info
	pkg   *types.Package
}

type sourceFile struct {
	path string // absolute
	src  []byte
	ast  *ast.File
}

// loadSource reads the product's files of a folder, tests apart, and works out
// their types. The Go tool tells where the compiled imports are.
func loadSource(root, dir string) (*source, error) {
	s := &source{dir: dir, fset: token.NewFileSet(), info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}}
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var trees []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(s.fset, name, src, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, &sourceFile{path: name, src: src, ast: f})
		trees = append(trees, f)
	}
	if len(trees) == 0 {
		return nil, fmt.Errorf("no Go files in %s", filepath.Join(root, dir))
	}
	s.name = trees[0].Name.Name
	exports, err := exportData(root, dir)
	if err != nil {
		return nil, err
	}
	conf := types.Config{Importer: importer.ForCompiler(s.fset, "gc", func(p string) (io.ReadCloser, error) {
		if exports[p] == "" {
			return nil, fmt.Errorf("%s: the Go tool has no compiled form of it", p)
		}
		return os.Open(exports[p])
	})}
	s.pkg, err = conf.Check("pathkeeper/"+dir, s.fset, trees, s.info)
	return s, err
}

// exportData gives the compiled form of every package that a folder imports.
func exportData(root, dir string) (map[string]string, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "./"+dir)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("go list -export ./%s: %w", dir, err), errors.New(stderr.String()))
	}
	list := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if p, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			list[p] = file
		}
	}
	return list, nil
}
