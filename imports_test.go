package iotferry_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/iotferry/iotferry"

// rooms says what the code of each package, its tests apart, may import besides the standard library. Packages of this
// module stand without the module's path; the others are the list of allowed dependencies. A new package needs a row:
// docs/design.md says why the rooms are as they are.
var rooms = map[string][]string{
	".":                        {},
	"iot":                      {},
	"fleets":                   {},
	"quota":                    {"iot"},
	"topology":                 {"iot"},
	"internal/page":            {"iot"},
	"migrate":                  {"iot", "topology", "internal/page", "golang.org/x/sync"},
	"migrate/journal":          {"iot", "migrate", "github.com/gofrs/flock"},
	"verify":                   {"iot", "quota", "topology", "migrate", "tslsync", "golang.org/x/sync"},
	"scenario":                 {"iot", "topology", "migrate", "tslsync", "verify", "configdiff", "carry"},
	"internal/fake":            {"iot", "internal/fake/fleet"},
	"internal/fake/fleet":      {"iot"},
	"internal/fake/openapi":    {"iot", "internal/fake"},
	"internal/fake/mqtt":       {"iot", "internal/fake", "github.com/mochi-mqtt/server/v2"},
	"internal/fake/amqp":       {"iot", "internal/fake", "internal/fake/amqp/frame", "github.com/Azure/go-amqp"},
	"internal/fake/amqp/frame": {},
	"internal/mutation":        {},
	"internal/durable":         {},
	"internal/fake/sim":        {"iot", "internal/fake", "internal/fake/openapi", "internal/fake/mqtt", "internal/fake/amqp"},
	"internal/chaos":           {}, // tests alone
	"cmd/iotsim":               {"iot", "fleets", "internal/fake", "internal/fake/fleet", "internal/fake/sim"},
	"aliyun": {
		"iot", "quota", "aliyun/internal/rpc", "aliyun/internal/subscribe", "github.com/eclipse/paho.mqtt.golang",
	},
	"aliyun/internal/words":     {},
	"aliyun/internal/rpc":       {"iot", "aliyun/internal/words", "github.com/aliyun/alibaba-cloud-sdk-go", "golang.org/x/sync"},
	"tslsync":                   {"iot", "migrate", "golang.org/x/sync"},
	"configdiff":                {"iot", "tslsync", "internal/page"},
	"carry":                     {"iot", "configdiff", "internal/durable", "golang.org/x/sync"},
	"aliyun/internal/subscribe": {"iot", "aliyun/internal/words", "github.com/Azure/go-amqp"},
	"internal/soak":             {},
	"internal/load":             {},
	"route":                     {"iot", "migrate", "internal/durable", "golang.org/x/sync"},
	"route/dual":                {"iot"},
	"migrate/migratetest": {
		"iot", "quota", "topology", "migrate", "migrate/journal", "verify", "internal/fake", "internal/fake/fleet",
		"internal/fake/sim", "github.com/google/go-cmp",
	},
	// All examples. They use what every user of the module can use, and show it to each other.
	"examples": {
		"iot", "quota", "topology", "migrate", "migrate/journal", "migrate/migratetest", "verify", "tslsync", "scenario", "fleets",
		"route", "route/dual", "aliyun", "examples", "github.com/vbauerster/mpb/v8", "golang.org/x/term",
	},
}

// testModules are the dependencies of tests alone. Tests may import every package of this module, but the examples.
var testModules = []string{"github.com/google/go-cmp", "go.uber.org/goleak", "go.uber.org/mock", "golang.org/x/sync"}

// testRooms are the dependencies of the tests of one room alone. What stands in for the platform is tested with what the
// platform's users have.
var testRooms = map[string][]string{
	"internal/fake/openapi": {"github.com/aliyun/alibaba-cloud-sdk-go"},
	"internal/fake/mqtt":    {"github.com/eclipse/paho.mqtt.golang"},
	"aliyun":                {"github.com/Azure/go-amqp"},
	"route":                 {"github.com/aliyun/alibaba-cloud-sdk-go"},
}

// testingRoom is the only package whose code imports package testing.
const testingRoom = "migrate/migratetest"

func importRules(files []goFile) []string {
	var out []string
	for _, f := range files {
		room := roomOf(f.dir())
		allowed, ok := rooms[room]
		if !ok {
			out = append(out, fmt.Sprintf("%s: package %s has no row in rooms", f.path, room))
			continue
		}
		for _, spec := range f.ast.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				out = append(out, f.at(spec, "import: %v", err))
				continue
			}
			if why := refuses(f, room, allowed, name); why != "" {
				out = append(out, f.at(spec, "imports %s: %s", name, why))
			}
		}
	}
	return out
}

// roomOf returns the row of a folder.
func roomOf(dir string) string {
	if strings.HasPrefix(dir, "examples/") {
		return "examples"
	}
	return dir
}

// refuses returns why a file must not import a package; empty if it may.
func refuses(f goFile, room string, allowed []string, name string) string {
	own, isOwn := strings.CutPrefix(name, module+"/")
	first, _, _ := strings.Cut(name, "/")
	switch {
	case isOwn && f.isTest():
		if roomOf(own) == "examples" && room != "examples" {
			return "examples are for people"
		}
	case isOwn:
		if !slices.Contains(allowed, roomOf(own)) {
			return "rooms does not allow it"
		}
	case strings.Contains(first, "."):
		if !contains(allowed, name) && !(f.isTest() && (contains(testModules, name) || contains(testRooms[room], name))) {
			return "it is not on the list of dependencies"
		}
	case first == "testing" && !f.isTest() && room != testingRoom:
		return "only tests and " + testingRoom + " use it"
	}
	return ""
}

// contains reports whether a package is that of one of the modules, or in it.
func contains(modules []string, name string) bool {
	return slices.ContainsFunc(modules, func(m string) bool { return name == m || strings.HasPrefix(name, m+"/") })
}

func TestImports(t *testing.T) { keeps(t, importRules) }

func TestImportRulesBite(t *testing.T) {
	from := func(path, imported string) map[string]string {
		return map[string]string{path: fmt.Sprintf("package p\n\nimport _ %q\n", imported)}
	}
	own := func(path, imported string) map[string]string { return from(path, module+"/"+imported) }
	const forbidden = "rooms does not allow it"
	bites(t, importRules, []breach{
		{"standard library", from("iot/x.go", "encoding/json"), ""},
		{"along the arrows", own("scenario/x.go", "verify"), ""},
		{"iot imports topology", own("iot/x.go", "topology"), forbidden},
		{"topology imports migrate", own("topology/x.go", "migrate"), forbidden},
		{"migrate imports scenario", own("migrate/x.go", "scenario"), forbidden},
		{"migrate imports verify", own("migrate/x.go", "verify"), forbidden},
		{"verify imports scenario", own("verify/x.go", "scenario"), forbidden},
		{"migrate imports its journal", own("migrate/x.go", "migrate/journal"), forbidden},
		{"quota imports migrate", own("quota/x.go", "migrate"), forbidden},
		{"the fake imports migrate", own("internal/fake/x.go", "migrate"), forbidden},
		{"the fleet reader imports the fake", own("internal/fake/fleet/x.go", "internal/fake"), forbidden},
		{"scenario imports the fake", own("scenario/x.go", "internal/fake"), forbidden},
		{"an example imports the fake", own("examples/x/x.go", "internal/fake"), forbidden},
		{"migratetest imports the fake", own("migrate/migratetest/x.go", "internal/fake"), ""},
		{"a test imports the fake", own("verify/x_test.go", "internal/fake"), ""},
		{"an example imports its kin", own("examples/x/x.go", "examples/internal/show"), ""},
		{"code imports an example", own("scenario/x.go", "examples/internal/show"), forbidden},
		{"a test imports an example", own("scenario/x_test.go", "examples/internal/show"), "for people"},
		{"code imports testing", from("verify/x.go", "testing"), "only tests"},
		{"code imports synctest", from("iot/x.go", "testing/synctest"), "only tests"},
		{"migratetest imports testing", from("migrate/migratetest/x.go", "testing"), ""},
		{"the vendor's SDK", from("migrate/x.go", "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"), "not on the list"},
		{"the vendor's SDK in a test", from("migrate/x_test.go", "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"), "not on the list"},
		{"the vendor's SDK against the fake", from("internal/fake/openapi/x_test.go", "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"), ""},
		{"the vendor's SDK behind the router", from("route/x_test.go", "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"), ""},
		{"the vendor's SDK in the router", from("route/x.go", "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"), "not on the list"},
		{"the router imports the adapter", own("route/x.go", "aliyun"), forbidden},
		{"the vendor's SDK in the fake", from("internal/fake/openapi/x.go", "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"), "not on the list"},
		{"iot imports a dependency", from("iot/x.go", "golang.org/x/sync/errgroup"), "not on the list"},
		{"a dependency that is allowed", from("migrate/x.go", "golang.org/x/sync/errgroup"), ""},
		{"one that only looks like it", from("migrate/x.go", "golang.org/x/synchrotron"), "not on the list"},
		{"a test's dependency in code", from("migrate/x.go", "go.uber.org/goleak"), "not on the list"},
		{"a test's dependency", from("migrate/x_test.go", "go.uber.org/goleak"), ""},
		{"a package that nobody knows", from("util/x.go", "fmt"), "no row"},
	})
}

// A row that is never used would allow what nobody decided.
func TestRoomsExist(t *testing.T) {
	keeps(t, func(files []goFile) (out []string) {
		for room := range rooms {
			if !slices.ContainsFunc(files, func(f goFile) bool { return roomOf(f.dir()) == room }) {
				out = append(out, fmt.Sprintf("rooms has a row for %s, which is no package", room))
			}
		}
		return out
	})
}
