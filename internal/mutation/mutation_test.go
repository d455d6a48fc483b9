package mutation

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var all = flag.Bool("breaches", false, "break each promise on purpose, and see that its test notices")

const root = "../.."

// elsewhere says why a rule has no breach here.
var elsewhere = map[string]string{
	"F19": "memory is bounded by the figures of the benchmarks",
	"F21": "the customer's own server is not the engine's: package route and the report are tested where they are",
}

// TestTable proves that the table is complete and fits the source, whether its breaches are tried or not.
func TestTable(t *testing.T) {
	broken := map[string]bool{}
	for _, b := range breaches() {
		if _, err := b.apply(root); err != nil {
			t.Errorf("%s: %v", b.what, err)
		}
		dir, test := b.noticed()
		if ok, err := hasTest(root, dir, test); err != nil || !ok {
			t.Errorf("%s: package %s has no test %s: %v", b.what, dir, test, err)
		}
		for _, name := range strings.Fields(b.keeps) {
			broken[name] = true
		}
	}
	for n := 1; n <= 12; n++ {
		if !broken[fmt.Sprint(n)] {
			t.Errorf("promise %d has no breach", n)
		}
	}
	for n := 1; n <= 21; n++ {
		if rule := fmt.Sprintf("F%d", n); broken[rule] == (elsewhere[rule] != "") {
			t.Errorf("rule %s has a breach: %v; tested elsewhere: %q", rule, broken[rule], elsewhere[rule])
		}
	}
}

// TestBreaches breaks the source, one breach at a time and in a copy that the compiler sees instead, and runs the test that has
// to notice. Without breaches, these tests pass.
func TestBreaches(t *testing.T) {
	if !*all {
		return
	}
	sound := map[string][]string{}
	for _, b := range breaches() {
		dir, test := b.noticed()
		sound[dir] = append(sound[dir], test)
		t.Run(strings.ReplaceAll(b.what, " ", "_"), func(t *testing.T) {
			t.Parallel()
			b.check(t)
		})
	}
	for dir, tests := range sound {
		t.Run("sound_"+dir, func(t *testing.T) {
			t.Parallel()
			if out, err := goTest(t.Context(), dir, tests, "-timeout=5m"); err != nil {
				t.Errorf("without any breach: %v\n%s", err, out)
			}
		})
	}
}

func (b breach) check(t *testing.T) {
	p, err := b.apply(root)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := p.write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir, test := b.noticed()
	out, err := goTest(t.Context(), dir, []string{test}, "-timeout=60s", "-overlay="+overlay)
	switch failed := strings.Contains(out, "--- FAIL: "+test); {
	case err == nil:
		t.Errorf("%s does not notice that %s", test, b.what)
	case !failed:
		t.Errorf("%s comes to no verdict when %s: %v\n%s", test, b.what, err, out)
	}
}

// write writes the changed file and the overlay that puts it in the place of the other, and returns the overlay's name.
func (p patch) write(dir string) (string, error) {
	absolute, err := filepath.Abs(p.file)
	if err != nil {
		return "", err
	}
	changed, overlay := filepath.Join(dir, filepath.Base(p.file)), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, p.text, 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {absolute: changed}})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// goTest runs tests of one package and returns what they print.
func goTest(ctx context.Context, dir string, tests []string, flags ...string) (string, error) {
	args := append([]string{"test", "-vet=off", "-count=1", "-run=^(" + strings.Join(tests, "|") + ")$"}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+dir)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}
