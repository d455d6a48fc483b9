package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const fleetDir = "../../fleets"

// An output is what the program left behind.
type output struct {
	code           int
	stdout, stderr string
}

func runWith(t *testing.T, p program, stdin string, args ...string) output {
	t.Helper()
	return runUntil(t.Context(), p, stdin, args...)
}

func runUntil(ctx context.Context, p program, stdin string, args ...string) output {
	var stdout, stderr bytes.Buffer
	p.stdin, p.stdout, p.stderr = strings.NewReader(stdin), &stdout, &stderr
	code := p.run(ctx, args)
	return output{code, stdout.String(), stderr.String()}
}

func (o output) wants(t *testing.T, code int, stdout ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d\n%s%s", o.code, code, o.stdout, o.stderr)
	}
	for _, text := range stdout {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("stdout lacks %q:\n%s", text, o.stdout)
		}
	}
}

// The demo shows everything that it promises, proves everything and tells no secret.
func TestDemo(t *testing.T) {
	out := runWith(t, program{}, "")
	out.wants(t, exitProven,
		"Blocked:", "product a1Siren0001 (Siren): mns-only", "family a1GwGate001/gate-001: family-blocked", "why: ", "do:  ",
		"Warnings:", "new-amqp-client",
		"PLAN ", "Lane a1Climate01 by strategy gateway (scenario 2)", "Lane a1Meter0001 by strategy direct (scenario 1)",
		"Lane a1Storage01 by strategy tsl (scenario 4)", "Lane a1Tracker01 by strategy preregistered (scenario 3)", "predicted: 26 calls in 5.2 s; a family is split for",
		"The demo approves every gate and performs every console task itself",
		"data-sync: waits 7 d", "virtual time",
		"REPORT of campaign quickstart: proven after 7 d",
		"144 devices: 144 moved, 128 proven, 0 failed, 0 returned", "asleep: 16 devices",
		"180 devices: 180 moved, 153 proven", "60 devices: 60 moved, 52 proven", "90 devices: 90 moved, 69 proven",
		"service ClearAlarms answered call", "service SelfTest answered the call",
		"Calls used: 59 of BatchGrayMigrationDevice; the plan predicted 59.",
		"Topology unchanged: 132 sub-devices below their gateways at the source before, 132 at the target after.",
		"Everything eligible is proven.",
	)
	if out.stderr != "" {
		t.Errorf("stderr: %s", out.stderr)
	}
	noSecrets(t, "demo.json", out)
}

func noSecrets(t *testing.T, fleet string, out output) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fleetDir, fleet))
	if err != nil {
		t.Fatal(err)
	}
	secrets := regexp.MustCompile(`"(?:deviceSecret|productSecret|accessKeySecret)":\s*"([^"]+)"`).FindAllSubmatch(text, -1)
	if len(secrets) < 100 {
		t.Fatalf("found %d secrets only", len(secrets))
	}
	for _, s := range secrets {
		if strings.Contains(out.stdout+out.stderr, string(s[1])) {
			t.Errorf("secret %s is shown", s[1])
		}
	}
}

func TestScenarioFleets(t *testing.T) {
	for _, name := range []string{"s1-direct.json", "s2-gateway.json", "s3-preregistered.json", "s4-tsl.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := runWith(t, program{}, "", "-json", "-fleet", filepath.Join(fleetDir, name))
			out.wants(t, exitProven)
			r := decode[result](t, out.stdout)
			if !r.Proven || r.Report.Outcome != migrate.OutcomeProven || len(r.Report.Lanes) != 1 || len(r.Topology.Changes) > 0 {
				t.Errorf("result %+v", r)
			}
			noSecrets(t, name, out)
		})
	}
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	in := json.NewDecoder(strings.NewReader(text))
	in.DisallowUnknownFields()
	var value T
	if err := in.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

// With -preflight -json the output is the file beside the fleet file, but for its words about itself.
func TestPreflightJSON(t *testing.T) {
	for _, name := range []string{"demo", "mixed"} {
		out := runWith(t, program{}, "", "-preflight", "-json", "-fleet", filepath.Join(fleetDir, name+".json"))
		out.wants(t, exitProven)
		text, err := os.ReadFile(filepath.Join(fleetDir, name+".expected.json"))
		if err != nil {
			t.Fatal(err)
		}
		want := decode[struct {
			About string `json:"about"`
			preflight
		}](t, string(text)).preflight
		got := decode[preflight](t, out.stdout)
		if diff := gocmp.Diff(sorted(want), sorted(got)); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func sorted(p preflight) preflight {
	slices.SortFunc(p.Lanes, func(a, b laneLine) int { return slices.Compare(a.Products, b.Products) })
	for _, list := range [][]issueLine{p.Blocked, p.Warnings} {
		slices.SortFunc(list, func(a, b issueLine) int {
			return cmp.Compare(a.ProductKey+a.Family+a.Instance, b.ProductKey+b.Family+b.Instance)
		})
		for _, i := range list {
			slices.Sort(i.Reasons)
		}
	}
	return p
}

// -preflight alone stops after the preflight, also for a fleet that may not start.
func TestPreflight(t *testing.T) {
	out := runWith(t, program{}, "", "-preflight", "-fleet", filepath.Join(fleetDir, "mixed.json"))
	out.wants(t, exitProven, "instance iot-060a0001: online-quota")
	if strings.Contains(out.stdout, "PLAN") || out.stderr != "" {
		t.Errorf("more than the preflight: %s%s", out.stdout, out.stderr)
	}
}

// oneError checks that there is one line on stderr, and that it holds the texts.
func (o output) oneError(t *testing.T, texts ...string) {
	t.Helper()
	if o.code != exitBad || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("exit code %d, stderr %q", o.code, o.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("stderr %q lacks %q", o.stderr, text)
		}
	}
}

// A target that is too small is an error that names the place in the fleet file.
func TestTargetTooSmall(t *testing.T) {
	for _, args := range [][]string{{}, {"-json"}, {"-ask"}} {
		out := runWith(t, program{}, "", append(args, "-fleet", filepath.Join(fleetDir, "mixed.json"))...)
		out.oneError(t, "instances[1].onlineQuota", "iot-060a0001", "online-quota")
	}
}

// Every bad file is refused by an error that names the place that EXPECTED.md tells.
func TestBadFleets(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(fleetDir, "bad", "EXPECTED.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (?:`([^`]+)`|(\\(text\\)))").FindAllStringSubmatch(string(text), -1)
	files, err := filepath.Glob(filepath.Join(fleetDir, "bad", "*[nt]")) // json and txt
	if err != nil || len(rows) != len(files) || len(rows) == 0 {
		t.Fatalf("%d rows, %d files, %v", len(rows), len(files), err)
	}
	for _, row := range rows {
		place := row[2]
		if row[3] != "" {
			place = "line "
		}
		for _, args := range [][]string{{}, {"-preflight", "-json"}} {
			out := runWith(t, program{}, "", append(args, "-fleet", filepath.Join(fleetDir, "bad", row[1]))...)
			out.oneError(t, place)
			if out.stdout != "" {
				t.Errorf("%s: stdout %q", row[1], out.stdout)
			}
		}
	}
}

func TestBadArguments(t *testing.T) {
	for want, args := range map[string][]string{
		"-colour":      {"-colour"},
		`"demo.json"`:  {"demo.json"},
		"nowhere.json": {"-fleet", "nowhere.json"},
		"-fleet":       {"-fleet"},
		"-json":        {"-json=perhaps"},
	} {
		runWith(t, program{}, "", args...).oneError(t, want)
	}
	runWith(t, program{}, "", "-h").wants(t, exitProven, "-preflight")
}

// With -ask nothing passes a gate without a yes.
func TestAsk(t *testing.T) {
	fleet := filepath.Join(fleetDir, "s1-direct.json")
	yes := runWith(t, program{}, "perhaps\nyes\nY\n", "-ask", "-fleet", fleet)
	yes.wants(t, exitProven, "Gate confirm-gray of lane a1Meter0001", "Gate rest of lane", "Approve? [yes/no] Approve? [yes/no]", "approve, says you")

	no := runWith(t, program{}, "yes\nno\n", "-ask", "-fleet", fleet)
	no.wants(t, exitUnproven, "rest: refuse, says you", "halted in stage rest (refused)", "500 devices: 60 moved", "NOT everything")

	end := runWith(t, program{}, "", "-ask", "-fleet", fleet)
	end.wants(t, exitUnproven, "nobody answers: the input has ended", "500 devices: 10 moved")

	apart := runWith(t, program{}, "yes\nyes\n", "-ask", "-json", "-fleet", fleet)
	apart.wants(t, exitProven)
	if r := decode[result](t, apart.stdout); !r.Proven || !strings.Contains(apart.stderr, "Approve?") {
		t.Errorf("stderr %s", apart.stderr)
	}
}

// An interrupted program says so and leaves nothing behind.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	early := program{fault: func(op migratetest.Op) migratetest.Fault {
		if op.Name == "BatchGrayMigrationDevice" {
			cancel()
		}
		return migratetest.Fault{}
	}}
	out := runUntil(ctx, early, "", "-fleet", filepath.Join(fleetDir, "s1-direct.json"))
	out.wants(t, exitUnproven, "REPORT of campaign quickstart: running")
	if out.stderr != "quickstart: interrupted\n" {
		t.Errorf("stderr %q", out.stderr)
	}
	out = runUntil(ctx, program{}, "")
	out.wants(t, exitUnproven)
	if out.stdout != "" || out.stderr != "quickstart: interrupted\n" {
		t.Errorf("cancelled before the start: %q %q", out.stdout, out.stderr)
	}
}

// Somebody at a gate who presses ctrl-C is not asked any more.
func TestInterruptAtGate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stdin, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	defer hold.Close()
	var stdout, stderr bytes.Buffer
	asked := watchFor("Approve?", cancel)
	code := program{stdin: stdin, stdout: asked(&stdout), stderr: &stderr}.run(ctx, []string{"-ask", "-fleet", filepath.Join(fleetDir, "s1-direct.json")})
	if code != exitUnproven || stderr.String() != "quickstart: interrupted\n" {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// watchFor calls then when a text is written.
func watchFor(text string, then func()) func(*bytes.Buffer) writerFunc {
	return func(w *bytes.Buffer) writerFunc {
		return func(b []byte) (int, error) {
			if strings.Contains(string(b), text) {
				then()
			}
			return w.Write(b)
		}
	}
}

// A platform that answers DEVICE_SUCCEEDED and does nothing is not believed.
func TestLyingPlatform(t *testing.T) {
	liar := program{fault: func(op migratetest.Op) migratetest.Fault {
		if op.Name == "BatchGrayMigrationDevice" {
			return migratetest.Fault{Lie: migratetest.Always}
		}
		return migratetest.Fault{}
	}}
	out := runWith(t, liar, "", "-json", "-fleet", filepath.Join(fleetDir, "s1-direct.json"))
	out.wants(t, exitUnproven)
	r := decode[result](t, out.stdout)
	l := r.Report.Lanes[0]
	if r.Proven || r.Report.Outcome != migrate.OutcomeStopped || l.Moved != 10 || l.Proven > 10 || l.Failed == 0 {
		t.Errorf("lane %+v", l)
	}
}

// What an owner wrote into a name cannot reach the terminal as it is.
func TestHostileNames(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(fleetDir, "s1-direct.json"))
	if err != nil {
		t.Fatal(err)
	}
	hostile := bytes.ReplaceAll(text, []byte("Water meter"), []byte(`Water\u001b[2Jmeter\u0007\u202e\nPLAN`))
	path := filepath.Join(t.TempDir(), "fleet\x1b[31m.json")
	if err := os.WriteFile(path, hostile, 0o600); err != nil {
		t.Fatal(err)
	}
	out := runWith(t, program{}, "", "-fleet", path)
	out.wants(t, exitProven, `Water\x1b[2Jmeter\a\u202e\nPLAN`)
	missing := runWith(t, program{}, "", "-fleet", path+"x")
	if strings.ContainsAny(out.stdout+missing.stderr, "\x1b\a\u202e") {
		t.Error("control characters are printed")
	}
}
