package iotferry_test

import (
	"fmt"
	"go/ast"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const maxFunctionLines = 80

// functionRules: no init, no function that cannot be seen at once, no panic for users.
func functionRules(files []goFile) []string {
	var out []string
	for _, f := range files {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if fn.Name.Name == "init" && fn.Recv == nil {
				out = append(out, f.at(fn, "init runs before anybody asked for it"))
			}
			if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > maxFunctionLines && !f.isTest() {
				out = append(out, f.at(fn, "function %s has %d lines, %d are allowed", fn.Name.Name, n, maxFunctionLines))
			}
		}
	}
	return out
}

func TestFunctions(t *testing.T) { keeps(t, functionRules) }

func TestFunctionRulesBite(t *testing.T) {
	lines := func(n int) string { return "package p\n\nfunc f() {" + strings.Repeat("\n", n-1) + "}\n" }
	bites(t, functionRules, []breach{
		{"init", map[string]string{"x.go": "package p\n\nfunc init() {}\n"}, "x.go:3: init"},
		{"init of a test", map[string]string{"x_test.go": "package p\n\nfunc init() {}\n"}, "init"},
		{"a method called init", map[string]string{"x.go": "package p\n\ntype t int\n\nfunc (t) init() {}\n"}, ""},
		{"just short enough", map[string]string{"x.go": lines(maxFunctionLines)}, ""},
		{"too long", map[string]string{"x.go": lines(maxFunctionLines + 1)}, "has 81 lines"},
		{"a long test", map[string]string{"x_test.go": lines(200)}, ""},
	})
}

// documentRules: every package and every exported name has a comment.
func documentRules(files []goFile) []string {
	var out []string
	documented := map[string]bool{}
	for _, f := range files {
		if f.isTest() {
			continue
		}
		documented[f.dir()] = documented[f.dir()] || f.ast.Doc != nil
		for _, d := range f.ast.Decls {
			for _, name := range undocumented(d) {
				out = append(out, f.at(name, "%s has no comment", name.Name))
			}
		}
	}
	for dir, ok := range documented {
		if !ok {
			out = append(out, fmt.Sprintf("%s: the package has no comment", dir))
		}
	}
	slices.Sort(out)
	return out
}

// undocumented returns the exported names that a declaration leaves without a comment.
func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var out []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					out = append(out, s.Name)
				}
			case *ast.ValueSpec:
				if d.Doc == nil && s.Doc == nil && s.Comment == nil {
					out = append(out, slices.DeleteFunc(slices.Clone(s.Names), func(n *ast.Ident) bool { return !n.IsExported() })...)
				}
			}
		}
		return out
	}
	return nil
}

// exportedReceiver reports whether users can see a method's type; it is true for functions.
func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	id := root(fn.Recv.List[0].Type)
	return id != nil && id.IsExported()
}

func TestDocumented(t *testing.T) { keeps(t, documentRules) }

func TestDocumentRulesBite(t *testing.T) {
	src := func(code string) map[string]string {
		return map[string]string{"p/x.go": "// Package p has a comment.\npackage p\n\n" + code + "\n"}
	}
	bites(t, documentRules, []breach{
		{"all documented", src("// F does.\nfunc F() {}\n\n// The kinds.\nconst (\n\tA = 1\n)\n\n// T is.\ntype T int\n\n// M does.\nfunc (*T) M() {}"), ""},
		{"not exported", src("func f() {}\n\ntype t int\n\nfunc (t) String() string { return \"\" }\n\nvar x = 1"), ""},
		{"a comment beside", src("const A = 1 // is one"), ""},
		{"function", src("func F() {}"), "p/x.go:4: F has no comment"},
		{"method", src("// T is.\ntype T int\n\nfunc (t *T) M() {}"), "M has no comment"},
		{"method of a generic type", src("// T is.\ntype T[E any] struct{}\n\nfunc (t *T[E]) M() {}"), "M has no comment"},
		{"type", src("type T int"), "T has no comment"},
		{"constant", src("const A, b = 1, 2"), "A has no comment"},
		{"variable", src("var ErrX = errors.New(\"x\")"), "ErrX has no comment"},
		{"package", map[string]string{"p/x.go": "package p\n"}, "p: the package has no comment"},
		{"a package's other file", map[string]string{"p/x.go": "package p\n", "p/doc.go": "// Package p is.\npackage p\n"}, ""},
	})
}

// testRules: a test neither sleeps in real time nor skips.
func testRules(files []goFile) []string {
	var out []string
	for _, f := range files {
		inBubble := f.imports("testing/synctest") // there a sleep takes no time
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := selector(call.Fun)
			switch x, method, _ := strings.Cut(name, "."); {
			case name == "time.Sleep" && !inBubble:
				out = append(out, f.at(call, "time.Sleep: use a virtual clock or testing/synctest"))
			case slices.Contains([]string{"t", "b", "f", "tb"}, x) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, method):
				out = append(out, f.at(call, "%s: a test that does not run proves nothing", name))
			}
			return true
		})
	}
	return out
}

func TestTests(t *testing.T) { keeps(t, testRules) }

func TestTestRulesBite(t *testing.T) {
	src := func(imported, code string) map[string]string {
		return map[string]string{"x_test.go": fmt.Sprintf("package p\n\nimport %q\n\nfunc f() { %s }\n", imported, code)}
	}
	bites(t, testRules, []breach{
		{"sleep", src("time", "time.Sleep(1)"), "x_test.go:5: time.Sleep"},
		{"sleep in code", map[string]string{"x.go": "package p\n\nfunc f() { time.Sleep(1) }\n"}, "time.Sleep"},
		{"sleep in a bubble", src("testing/synctest", "time.Sleep(1)"), ""},
		{"skip", src("testing", `t.Skip("later")`), "t.Skip"},
		{"skip a benchmark", src("testing", `b.SkipNow()`), "b.SkipNow"},
		{"another Skip", src("testing", `list.Skip(3)`), ""},
	})
}

// forbidden are texts that have no place in any file, in two halves so that this file does not hold them.
var forbidden = [...][2]string{
	{"TO", "DO"}, {"FIX", "ME"}, {"/wo", "rk/"}, {"../sha", "red"},
}

// wordRules reads every text file of a tree.
func wordRules(tree fs.FS) ([]string, error) {
	var out []string
	err := walkTree(tree, func(name string) error {
		text, err := fs.ReadFile(tree, name)
		if err != nil || !utf8.Valid(text) || path.Base(name) == "LICENSE" {
			return err
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			for _, halves := range forbidden {
				if word := halves[0] + halves[1]; strings.Contains(line, word) {
					out = append(out, fmt.Sprintf("%s:%d: %q does not belong here", name, n, word))
				}
			}
		}
		return nil
	})
	return out, err
}

func TestWords(t *testing.T) { keepsInTree(t, wordRules) }

func TestWordRulesBite(t *testing.T) {
	for _, halves := range forbidden {
		word := halves[0] + halves[1]
		for _, name := range []string{"README.md", "docs/x.md", "x.go", ".ci/run", "p/testdata/x.json"} {
			got, err := wordRules(mapTree(map[string]string{name: "fine\nsee " + word + "x\n", "fine.md": "Do it\n"}))
			if err != nil {
				t.Fatal(err)
			}
			expectComplaint(t, got, fmt.Sprintf("%s:2: %q", name, word))
		}
	}
}
