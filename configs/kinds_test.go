package configs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"

	"pathkeeper/lint"
)

// What the reader can say is explained: a kind that is added to configs needs a
// rule here.
func TestEveryKindIsExplained(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Kind" || len(spec.Values) != 1 {
				return true
			}
			value, ok := spec.Values[0].(*ast.BasicLit)
			if !ok {
				return true
			}
			id, _ := strconv.Unquote(value.Value)
			kinds++
			if r, ok := lint.Lookup(id); !ok || !r.Parser {
				t.Errorf("configs says %q, and lint/parser.go does not explain it", id)
			}
			return true
		})
	}
	if kinds < 30 {
		t.Errorf("only %d kinds seen", kinds)
	}
}
