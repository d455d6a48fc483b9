package mutation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A breach is a small change of the source that breaks a promise.
type breach struct {
	keeps string // the promises and rules that it breaks, such as "2 F6"
	what  string // it does wrong
	dir   string // of the package that is changed
	old   string // stands exactly once in the package's files, its tests apart
	new   string
	tests string // the directory of the test that has to notice, if it is not dir; then its name
}

// noticed returns the package and the name of the test that has to notice.
func (b breach) noticed() (dir, test string) {
	if dir, test, ok := strings.Cut(b.tests, " "); ok {
		return dir, test
	}
	return b.dir, b.tests
}

// A patch is one file as a breach changes it.
type patch struct {
	file string // absolute
	text []byte
}

// apply finds the text of a breach in the module at root. A text that is not there exactly once is an error, so that the table
// cannot rot.
func (b breach) apply(root string) (patch, error) {
	files, err := filepath.Glob(filepath.Join(root, b.dir, "*.go"))
	if err != nil {
		return patch{}, err
	}
	var p patch
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return patch{}, err
		}
		if n := strings.Count(string(text), b.old); n > 0 {
			found += n
			p = patch{file: file, text: []byte(strings.Replace(string(text), b.old, b.new, 1))}
		}
	}
	if found != 1 {
		return patch{}, fmt.Errorf("in %s the text stands %d times, and has to stand once: %q", b.dir, found, b.old)
	}
	return p, nil
}

// hasTest reports whether a package has a test of that name.
func hasTest(root, dir, test string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		if strings.Contains(string(text), "\nfunc "+test+"(t *testing.T)") {
			return true, nil
		}
	}
	return false, err
}
