package mutate

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
)

// finder walks one file and notes every mutation, with the edit that compiles it
// in.
type finder struct {
	src    *source
	file   *sourceFile
	edits  edits
	next   int
	found  []Mutant
	counts map[string]int
	skip   map[string]bool // keys that do not compile
	fn     string
}

// find gives the mutants of a package, numbered from first, and the text of its
// files with all of them compiled in, by absolute path.
func find(s *source, first int, skip map[string]bool) ([]Mutant, map[string][]byte) {
	var all []Mutant
	texts := map[string][]byte{}
	counts := map[string]int{}
	for _, file := range s.files {
		f := &finder{src: s, file: file, next: first + len(all), counts: counts, skip: skip}
		for _, d := range file.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				f.fn = funcName(fn)
				f.block(fn.Body)
			}
		}
		all = append(all, f.found...)
		texts[file.path] = f.edits.apply(file.src)
	}
	return all, texts
}

func funcName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	return "(" + types.ExprString(fn.Recv.List[0].Type) + ")." + fn.Name.Name
}

func (f *finder) pos(p token.Pos) int { return f.src.fset.Position(p).Offset }

func (f *finder) text(n ast.Node) []byte { return f.file.src[f.pos(n.Pos()):f.pos(n.End())] }

// mutant notes one; 0: it is left out, since it does not compile.
func (f *finder) mutant(op Op, n ast.Node) int {
	m := Mutant{Pkg: f.src.dir, Func: f.fn, Op: op, Text: oneLine(f.text(n)), File: filepath.Base(f.file.path), Line: f.src.fset.Position(n.Pos()).Line}
	f.counts[m.Key()]++
	m.N = f.counts[m.Key()]
	if f.skip[m.Key()] {
		return 0
	}
	m.ID = f.next
	f.next++
	f.found = append(f.found, m)
	return m.ID
}

// wrap puts text around a node, and what is found in between inside of it.
func (f *finder) wrap(n ast.Node, before, after string, inside func()) {
	f.edits.begin(f.pos(n.Pos()), before)
	inside()
	f.edits.end(f.pos(n.End()), after)
}

// words says whether a call only makes words for people: those are not mutated.
func words(call *ast.CallExpr) bool {
	name := ""
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		name = fun.Name
	case *ast.SelectorExpr:
		name = fun.Sel.Name
	}
	return slices.Contains([]string{"note", "notes", "warn", "bad", "Sprintf", "Errorf", "describe"}, name)
}

// wordFields are fields that hold words for people.
var wordFields = []string{"Reason", "Detail", "Why", "Bad", "Message"}

func (f *finder) block(b *ast.BlockStmt) { f.stmts(b.List) }

func (f *finder) stmts(list []ast.Stmt) {
	for _, s := range list {
		f.stmt(s)
	}
}

// stmt takes a statement that stands in a list: it can be left out.
func (f *finder) stmt(s ast.Stmt) {
	removable := false
	switch s := s.(type) {
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		if ok && words(call) {
			return
		}
		removable = ok
	case *ast.IncDecStmt:
		removable = true
	case *ast.AssignStmt:
		removable = s.Tok != token.DEFINE && !slices.ContainsFunc(s.Lhs, func(e ast.Expr) bool { return isIdent(e, "_") })
	}
	if !removable {
		f.simple(s)
		return
	}
	id := f.mutant(OpRemove, s)
	if id == 0 {
		f.simple(s)
		return
	}
	f.wrap(s, fmt.Sprintf("if !mutOn(%d) { ", id), " }", func() { f.simple(s) })
}

func isIdent(e ast.Expr, name string) bool {
	i, ok := e.(*ast.Ident)
	return ok && i.Name == name
}

// simple goes through a statement's parts.
func (f *finder) simple(s ast.Stmt) {
	switch s := s.(type) {
	case nil:
	case *ast.BlockStmt:
		f.block(s)
	case *ast.LabeledStmt:
		f.simple(s.Stmt)
	case *ast.IfStmt:
		f.simple(s.Init)
		f.cond(s.Cond, OpIfTrue, OpIfFalse)
		f.block(s.Body)
		f.simple(s.Else)
	case *ast.ForStmt:
		f.simple(s.Init)
		if s.Cond != nil {
			f.cond(s.Cond, OpIfFalse)
		}
		f.simple(s.Post)
		f.block(s.Body)
	case *ast.RangeStmt:
		f.expr(s.X)
		f.block(s.Body)
	case *ast.SwitchStmt:
		f.simple(s.Init)
		if s.Tag != nil {
			f.expr(s.Tag)
		}
		f.cases(s.Body, s.Tag == nil)
	case *ast.TypeSwitchStmt:
		f.simple(s.Init)
		for _, c := range s.Body.List {
			f.stmts(c.(*ast.CaseClause).Body)
		}
	case *ast.ExprStmt:
		f.expr(s.X)
	case *ast.AssignStmt:
		for _, e := range s.Lhs {
			if s.Tok != token.DEFINE {
				f.expr(e)
			}
		}
		f.values(s.Rhs, len(s.Lhs) == len(s.Rhs))
	case *ast.ReturnStmt:
		f.values(s.Results, true)
	case *ast.DeferStmt:
		f.expr(s.Call)
	case *ast.DeclStmt:
		f.declaration(s)
	}
}

func (f *finder) declaration(s *ast.DeclStmt) {
	d, ok := s.Decl.(*ast.GenDecl)
	if !ok || d.Tok != token.VAR {
		return
	}
	for _, sp := range d.Specs {
		if v, ok := sp.(*ast.ValueSpec); ok {
			f.values(v.Values, len(v.Names) == len(v.Values))
		}
	}
}

func (f *finder) cases(b *ast.BlockStmt, bare bool) {
	for _, s := range b.List {
		c := s.(*ast.CaseClause)
		for _, e := range c.List {
			if bare {
				f.cond(e, OpIfFalse)
			} else {
				f.expr(e)
			}
		}
		f.stmts(c.Body)
	}
}

// cond takes a whole condition.
func (f *finder) cond(e ast.Expr, ops ...Op) {
	before, after := "", ""
	for _, op := range ops {
		id := f.mutant(op, e)
		switch {
		case id == 0:
		case op == OpIfTrue:
			before += fmt.Sprintf("mutOn(%d) || ", id)
		default:
			before += fmt.Sprintf("!mutOn(%d) && ", id)
		}
	}
	if before != "" {
		before, after = before+"(", ")"
	}
	f.wrap(e, before, after, func() { f.logic(e) })
}

// logic takes an expression whose own value needs no negation any more.
func (f *finder) logic(e ast.Expr) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		f.logic(x.X)
		return
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			f.logic(x.X)
			return
		}
	case *ast.BinaryExpr:
		if x.Op == token.LAND || x.Op == token.LOR {
			f.operand(x.Op, x.X)
			f.operand(x.Op, x.Y)
			return
		}
	}
	f.expr(e)
}

// operand takes one side of && or ||; a chain of the same operator is one list.
func (f *finder) operand(op token.Token, e ast.Expr) {
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == op {
		f.logic(e)
		return
	}
	id := f.mutant(OpDrop, e)
	before, after := "", ""
	switch {
	case id == 0:
	case op == token.LAND:
		before, after = fmt.Sprintf("(mutOn(%d) || ", id), ")"
	default:
		before, after = fmt.Sprintf("(!mutOn(%d) && ", id), ")"
	}
	f.wrap(e, before, after, func() { f.logic(e) })
}

// values takes expressions whose value goes somewhere: bools are negated.
func (f *finder) values(list []ast.Expr, single bool) {
	for _, e := range list {
		if single && f.isBool(e) {
			if id := f.mutant(OpNegate, e); id != 0 {
				f.wrap(e, fmt.Sprintf("(mutOn(%d) != (", id), "))", func() { f.logic(e) })
				continue
			}
		}
		f.expr(e)
	}
}

func (f *finder) isBool(e ast.Expr) bool {
	t := f.src.info.TypeOf(e)
	return t != nil && (types.Identical(t, types.Typ[types.Bool]) || types.Identical(t, types.Typ[types.UntypedBool]))
}

// expr takes any expression.
func (f *finder) expr(e ast.Expr) {
	if f.number(e) {
		return
	}
	switch x := e.(type) {
	case *ast.ParenExpr:
		f.expr(x.X)
	case *ast.UnaryExpr:
		f.expr(x.X)
	case *ast.StarExpr:
		f.expr(x.X)
	case *ast.SelectorExpr:
		f.expr(x.X)
	case *ast.IndexExpr:
		f.expr(x.X)
		if tv := f.src.info.Types[x.Index]; tv.IsValue() {
			f.expr(x.Index)
		}
	case *ast.SliceExpr:
		f.expr(x.X)
		for _, i := range []ast.Expr{x.Low, x.High, x.Max} {
			if i != nil {
				f.expr(i)
			}
		}
	case *ast.TypeAssertExpr:
		f.expr(x.X)
	case *ast.KeyValueExpr:
		f.expr(x.Value)
	case *ast.FuncLit:
		f.block(x.Body)
	case *ast.CompositeLit:
		f.composite(x)
	case *ast.CallExpr:
		f.call(x)
	case *ast.BinaryExpr:
		f.binary(x)
	}
}

func (f *finder) composite(x *ast.CompositeLit) {
	for _, el := range x.Elts {
		if kv, ok := el.(*ast.KeyValueExpr); ok {
			if k, ok := kv.Key.(*ast.Ident); !ok || !slices.Contains(wordFields, k.Name) {
				f.values([]ast.Expr{kv.Value}, true)
			}
			continue
		}
		f.values([]ast.Expr{el}, true)
	}
}

func (f *finder) call(x *ast.CallExpr) {
	if words(x) || f.src.info.Types[x.Fun].IsType() && !f.isNumeric(x) {
		return
	}
	if i, ok := x.Fun.(*ast.Ident); ok && (i.Name == "min" || i.Name == "max") && f.src.info.Types[x.Fun].IsBuiltin() {
		if id := f.mutant(OpMinMax, x); id != 0 {
			f.edits.replace(f.pos(x.Fun.Pos()), f.pos(x.Lparen)+1, fmt.Sprintf("mut%s(%d, ", strings.ToUpper(i.Name[:1])+i.Name[1:], id))
			for _, a := range x.Args {
				f.expr(a)
			}
			return
		}
	}
	if _, plain := x.Fun.(*ast.Ident); !plain && !f.src.info.Types[x.Fun].IsType() {
		f.expr(x.Fun)
	}
	for _, a := range x.Args {
		if tv := f.src.info.Types[a]; tv.IsType() {
			continue
		}
		f.values([]ast.Expr{a}, true)
	}
}

var (
	boundaries = map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}
	arithmetic = map[token.Token]string{token.ADD: "mutAdd", token.SUB: "mutSub", token.MUL: "mutMul", token.QUO: "mutQuo"}
)

func (f *finder) binary(x *ast.BinaryExpr) {
	both := func() { f.expr(x.X); f.expr(x.Y) }
	switch x.Op {
	case token.LAND, token.LOR:
		f.logic(x)
		return
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		if id := f.mutant(OpBoundary, x); id != 0 {
			raw := fmt.Sprintf("%s %s %s", f.text(x.X), boundaries[x.Op], f.text(x.Y))
			f.wrap(x, fmt.Sprintf("(mutOn(%d) && %s || !mutOn(%d) && ", id, raw, id), ")", both)
			return
		}
	case token.ADD, token.SUB, token.MUL, token.QUO:
		if f.isNumeric(x) {
			if id := f.mutant(OpArith, x); id != 0 {
				f.wrap(x, fmt.Sprintf("%s(%d, ", arithmetic[x.Op], id), ")", func() {
					f.expr(x.X)
					f.edits.replace(f.pos(x.OpPos), f.pos(x.OpPos)+len(x.Op.String()), ",")
					f.expr(x.Y)
				})
				return
			}
		}
	}
	both()
}

func (f *finder) isNumeric(e ast.Expr) bool {
	t := f.src.info.TypeOf(e)
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsNumeric != 0
}

// number takes a constant number: the whole of a constant expression.
func (f *finder) number(e ast.Expr) bool {
	tv := f.src.info.Types[e]
	if tv.Value == nil {
		return false
	}
	if tv.Value.Kind() != constant.Int || !f.isNumeric(e) {
		return true // other constants are left alone
	}
	typ, ok := f.typeName(tv.Type)
	if !ok {
		return true
	}
	op, fun := OpNext, "mutNext"
	if n, ok := tv.Type.(*types.Named); ok {
		none := constant.Sign(tv.Value) == 0
		switch n.Obj().Name() {
		case "Span":
			if none {
				return true // twice nothing is nothing
			}
			op, fun = OpTwice, "mutTwice"
		case "Instant":
			if none { // a nanosecond after the boot is as good as never
				op, fun = OpNever, "mutNever"
			}
		}
	}
	if id := f.mutant(op, e); id != 0 {
		f.edits.begin(f.pos(e.Pos()), fmt.Sprintf("%s(%d, %s(", fun, id, typ))
		f.edits.end(f.pos(e.End()), "))")
	}
	return true
}

// typeName writes a type as this file can.
func (f *finder) typeName(t types.Type) (string, bool) {
	switch t := t.(type) {
	case *types.Basic:
		if t.Info()&types.IsUntyped != 0 {
			return "", false
		}
		return t.Name(), true
	case *types.Named:
		if t.Obj().Pkg() == f.src.pkg {
			return t.Obj().Name(), true
		}
		for _, i := range f.file.ast.Imports {
			if strings.Trim(i.Path.Value, `"`) == t.Obj().Pkg().Path() && i.Name == nil {
				return t.Obj().Pkg().Name() + "." + t.Obj().Name(), true
			}
		}
	}
	return "", false
}
