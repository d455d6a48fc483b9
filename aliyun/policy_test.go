package aliyun_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/quota"
)

// The policy in docs/operations.md allows what the adapter calls, and nothing else.
func TestPolicyIsWhatIsCalled(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	var allowed []string
	for _, m := range regexp.MustCompile(`"iot:([A-Za-z]+)"`).FindAllStringSubmatch(string(text), -1) {
		allowed = append(allowed, m[1])
	}
	slices.Sort(allowed)
	if diff := cmp.Diff(called(t), allowed); diff != "" {
		t.Errorf("the policy differs from what is called (-called +allowed):\n%s", diff)
	}
}

// called returns the APIs whose names stand in the adapter's source.
func called(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	var names []string
	for name := range quota.Documented() {
		if strings.Contains(source.String(), `"`+name+`"`) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
