package iotferry_test

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// leakRules: a package that starts goroutines looks in its tests whether they have ended.
func leakRules(files []goFile) []string {
	starts, tested, looks := map[string]string{}, map[string]bool{}, map[string]bool{}
	for _, f := range files {
		switch {
		case f.isTest():
			tested[f.dir()] = true
			looks[f.dir()] = looks[f.dir()] || f.imports("go.uber.org/goleak")
		case starts[f.dir()] == "":
			starts[f.dir()] = firstGo(f)
		}
	}
	var out []string
	for dir, where := range starts {
		if where != "" && tested[dir] && !looks[dir] {
			out = append(out, fmt.Sprintf("%s: a goroutine is started, and no test of the package uses goleak", where))
		}
	}
	slices.Sort(out)
	return out
}

// firstGo returns where a file first starts a goroutine, by a go statement or by the Go method of a group.
func firstGo(f goFile) string {
	where := ""
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if where != "" {
			return false
		}
		switch n := n.(type) {
		case *ast.GoStmt:
			where = f.at(n, "go")
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Go" {
				where = f.at(n, "Go")
			}
		}
		return true
	})
	return strings.TrimSuffix(strings.TrimSuffix(where, ": go"), ": Go")
}

func TestLeaks(t *testing.T) { keeps(t, leakRules) }

func TestLeakRulesBite(t *testing.T) {
	const (
		starts = "package p\n\nfunc f() { go f() }\n"
		groups = "package p\n\nfunc f(g interface{ Go(func()) }) { g.Go(func() {}) }\n"
		plain  = "package p\n"
		looks  = "package p\n\nimport _ \"go.uber.org/goleak\"\n"
	)
	bites(t, leakRules, []breach{
		{"go", map[string]string{"p/x.go": starts, "p/x_test.go": plain}, "p/x.go:3: a goroutine is started"},
		{"a group", map[string]string{"p/x.go": groups, "p/x_test.go": plain}, "p/x.go:3: a goroutine is started"},
		{"looked after", map[string]string{"p/x.go": starts, "p/x_test.go": looks}, ""},
		{"no goroutine", map[string]string{"p/x.go": plain, "p/x_test.go": plain}, ""},
		{"only a test starts one", map[string]string{"p/x.go": plain, "p/x_test.go": starts}, ""},
	})
}
