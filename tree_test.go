package iotferry_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

// The rules of this module that no compiler knows are tests: each is a function from the parsed tree to what it has
// to complain about. Rules are tried on the module itself and, so that they bite, on small trees that break them.

// A goFile is one parsed file.
type goFile struct {
	path string // from the root of the module
	fset *token.FileSet
	ast  *ast.File
}

func (f goFile) dir() string  { return path.Dir(f.path) }
func (f goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f goFile) at(node ast.Node, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", f.path, f.line(node.Pos()), fmt.Sprintf(format, args...))
}

func (f goFile) line(pos token.Pos) int { return f.fset.Position(pos).Line }

func (f goFile) imports(name string) bool {
	for _, spec := range f.ast.Imports {
		if spec.Path.Value == `"`+name+`"` {
			return true
		}
	}
	return false
}

// walkTree calls visit with every file that belongs to the module: not with those of nested modules, nor in hidden
// folders but .ci.
func walkTree(tree fs.FS, visit func(name string) error) error {
	return fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == ".git" && !entry.IsDir() {
			return nil // a linked worktree has a file there, with a path of its machine
		}
		if !entry.IsDir() {
			return visit(name)
		}
		if name == "." || name == ".ci" {
			return nil
		}
		if _, err := fs.Stat(tree, path.Join(name, "go.mod")); err == nil || strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		return nil
	})
}

func parseTree(tree fs.FS) ([]goFile, error) {
	var files []goFile
	fset := token.NewFileSet()
	err := walkTree(tree, func(name string) error {
		if path.Ext(name) != ".go" || strings.Contains(name, "testdata/") {
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, src, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, goFile{path: name, fset: fset, ast: file})
		return nil
	})
	return files, err
}

// A rule returns its complaints about a tree.
type rule func([]goFile) []string

// keeps tests that the module keeps a rule.
func keeps(t *testing.T, r rule) {
	t.Helper()
	files, err := parseTree(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("%d files: this is not the module", len(files))
	}
	for _, complaint := range r(files) {
		t.Error(complaint)
	}
}

// keepsInTree tests that the module keeps a rule that is about more than its Go files.
func keepsInTree(t *testing.T, rule func(fs.FS) ([]string, error)) {
	t.Helper()
	complaints, err := rule(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range complaints {
		t.Error(c)
	}
}

// A breach is a small tree and the complaint that a rule has to make of it; empty for none.
type breach struct {
	name string
	tree map[string]string // source by path
	want string
}

// bites tests that a rule complains once, and about the right thing.
func bites(t *testing.T, r rule, breaches []breach) {
	t.Helper()
	for _, b := range breaches {
		t.Run(b.name, func(t *testing.T) {
			files, err := parseTree(mapTree(b.tree))
			if err != nil {
				t.Fatal(err)
			}
			expectComplaint(t, r(files), b.want)
		})
	}
}

func expectComplaint(t *testing.T, got []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("got %q, want no complaint", got)
	case want != "" && (len(got) != 1 || !strings.Contains(got[0], want)):
		t.Errorf("got %q, want one complaint with %q", got, want)
	}
}

func mapTree(tree map[string]string) fs.FS {
	out := fstest.MapFS{}
	for name, src := range tree {
		out[name] = &fstest.MapFile{Data: []byte(src)}
	}
	return out
}

// selector returns an expression such as a.B in this form; else an empty string.
func selector(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

// root returns the variable that an expression such as a.b[i].c is a part of; nil if there is none.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
