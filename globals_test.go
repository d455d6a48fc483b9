package iotferry_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// stateRules: a package-level variable is an error, a table, or another value that nothing changes.
func stateRules(files []goFile) []string {
	var out []string
	type place struct{ dir, name string }
	specs := map[place]*ast.ValueSpec{}
	for _, f := range files {
		if f.isTest() {
			continue
		}
		eachSpec(f, token.VAR, func(decl *ast.GenDecl, spec ast.Spec) {
			v := spec.(*ast.ValueSpec)
			for _, name := range v.Names {
				if why := mayChange(decl, v, name); why != "" {
					out = append(out, f.at(name, "package variable %s %s", name.Name, why))
				}
				specs[place{f.dir(), name.Name}] = v
			}
		})
	}
	for _, f := range files {
		for _, id := range written(f.ast) {
			v, ok := specs[place{f.dir(), id.Name}]
			if ok && id.Name != "_" && (id.Obj == nil || id.Obj.Decl == v) { // else it is a local variable of that name
				out = append(out, f.at(id, "package variable %s is changed here", id.Name))
			}
		}
	}
	return out
}

func eachSpec(f goFile, kind token.Token, visit func(*ast.GenDecl, ast.Spec)) {
	for _, d := range f.ast.Decls {
		if decl, ok := d.(*ast.GenDecl); ok && decl.Tok == kind {
			for _, spec := range decl.Specs {
				visit(decl, spec)
			}
		}
	}
}

// mayChange returns what is wrong with a variable by its looks; empty if nothing is.
func mayChange(decl *ast.GenDecl, v *ast.ValueSpec, name *ast.Ident) string {
	isError := len(v.Values) == 1 && constantCall(v.Values[0], "errors.New")
	switch {
	case name.Name == "_" || !name.IsExported() && embeds(decl):
		return ""
	case len(v.Values) != 1:
		return "has no value of its own: it can only be global state"
	case name.IsExported() && !isError:
		return "is exported, and no error: everybody could change it"
	case isError, isTable(v.Values[0]), constantCall(v.Values[0], "time.Date", "time.FixedZone", "regexp.MustCompile", "strings.NewReplacer"):
		return ""
	}
	return "is neither an error nor a table"
}

func embeds(decl *ast.GenDecl) bool {
	return decl.Doc != nil && slices.ContainsFunc(decl.Doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// isTable reports whether e is a literal of an array, a slice or a map.
func isTable(e ast.Expr) bool {
	literal, ok := e.(*ast.CompositeLit)
	if !ok {
		return false
	}
	switch literal.Type.(type) {
	case *ast.ArrayType, *ast.MapType:
		return true
	}
	return false
}

func constantCall(e ast.Expr, names ...string) bool {
	call, ok := e.(*ast.CallExpr)
	return ok && slices.Contains(names, selector(call.Fun))
}

// written returns the variables that a file assigns to, in whole or in part, or takes the address of.
func written(file *ast.File) []*ast.Ident {
	var out []*ast.Ident
	add := func(exprs ...ast.Expr) {
		for _, e := range exprs {
			if id := root(e); id != nil {
				out = append(out, id)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				add(n.Lhs...)
			}
		case *ast.IncDecStmt:
			add(n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				add(n.X)
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, fn.Name) {
				add(n.Args[0])
			}
		}
		return true
	})
	return out
}

func TestNoGlobalState(t *testing.T) { keeps(t, stateRules) }

func TestStateRulesBite(t *testing.T) {
	src := func(code string) map[string]string { return map[string]string{"x.go": "package p\n\n" + code + "\n"} }
	bites(t, stateRules, []breach{
		{"an error", src(`var ErrX = errors.New("x")`), ""},
		{"a table", src(`var names = [...]string{"a"}`), ""},
		{"a time", src(`var begin = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)`), ""},
		{"an interface is kept", src(`var _ io.Reader = (*T)(nil)`), ""},
		{"an embedded file", src("//go:embed a.json\nvar demo []byte"), ""},
		{"no value", src(`var count int`), "global state"},
		{"a lock", src(`var mu sync.Mutex`), "global state"},
		{"a number", src(`var limit = 5`), "neither"},
		{"a struct", src(`var config = Config{}`), "neither"},
		{"a function", src(`var now = time.Now`), "neither"},
		{"a cache", src(`var cache = make(map[string]int)`), "neither"},
		{"an exported table", src(`var Names = []string{"a"}`), "everybody"},
		{"assigned", src("var names = []string{\"a\"}\n\nfunc f() { names = nil }"), "x.go:5: package variable names is changed"},
		{"assigned in part", src("var ages = map[string]int{}\n\nfunc f() { ages[\"x\"]++ }"), "changed"},
		{"deleted from", src("var ages = map[string]int{}\n\nfunc f() { delete(ages, \"x\") }"), "changed"},
		{"its address", src("var names = [...]string{\"a\"}\n\nfunc f() *string { return &names[0] }"), "changed"},
		{"an error is replaced", src("var ErrX = errors.New(\"x\")\n\nfunc f() { ErrX = nil }"), "changed"},
		{"from another file", map[string]string{
			"p/a.go": "package p\n\nvar names = []string{\"a\"}\n", "p/b.go": "package p\n\nfunc f() { names[0] = \"\" }\n",
		}, "p/b.go:3"},
		{"by a test", map[string]string{
			"p/a.go": "package p\n\nvar names = []string{\"a\"}\n", "p/b_test.go": "package p\n\nfunc f() { names = nil }\n",
		}, "changed"},
		{"a local variable of that name", src("var names = []string{\"a\"}\n\nfunc f() { var names []string; names = nil; _ = names }"), ""},
		{"in another package", map[string]string{
			"p/a.go": "package p\n\nvar names = []string{\"a\"}\n", "q/b.go": "package q\n\nfunc f() { names = nil }\n",
		}, ""},
	})
}
