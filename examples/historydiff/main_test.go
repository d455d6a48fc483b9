package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/tslsync"
)

// ask runs the example and returns its exit code and what it printed.
func ask(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, wrong bytes.Buffer
	code = run(t.Context(), args, &out, &wrong)
	return code, out.String(), wrong.String()
}

func TestTable(t *testing.T) {
	code, stdout, stderr := ask(t, "-devices", "1")
	if code != 1 || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{
		"Thing model of a1Storage01, version ", ": no difference.\n",
		"DEVICE        REPORT    IDENTIFIER",
		"property  Tariff            2026-03-04 10:00  50     10       0      0          0",
		"event     Fault             2026-03-06 11:00  0      6        0      0          0",
		"1 device compared in", "182 missing at the target, 0 different, 0 extra. 1 of them differ.", // 11 properties * 10 rows, 3 events * 4 h * 6 rows
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("stdout lacks %q:\n%s", want, stdout)
		}
	}
}

func TestJSONLines(t *testing.T) {
	code, stdout, stderr := ask(t, "-devices", "1", "-json")
	if code != 1 || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var sum tslsync.Difference
	var missing int64
	for i, line := range lines {
		var hour tslsync.Hour
		into := any(&hour)
		if i == len(lines)-1 {
			into = &sum
		}
		if err := json.Unmarshal([]byte(line), into); err != nil {
			t.Fatalf("line %d: %v: %s", i+1, err, line)
		}
		missing += hour.Missing
	}
	if len(lines) != 11+3*4+1 || missing != sum.Missing || missing != 182 || sum.Devices != 1 || sum.Differing != 1 {
		t.Errorf("%d lines, %d rows missing, in all %+v", len(lines), missing, sum)
	}
}

func TestNoDifference(t *testing.T) {
	code, stdout, stderr := ask(t, "-devices", "1", "-gaps=false")
	if code != 0 || stderr != "" || !strings.Contains(stdout, " 0 missing at the target, 0 different, 0 extra. 0 of them differ.") {
		t.Errorf("exit code %d: %s%s", code, stderr, stdout)
	}
	if strings.Contains(stdout, "DEVICE") {
		t.Errorf("a table without lines:\n%s", stdout)
	}
}

func TestBadInput(t *testing.T) {
	direct, err := filepath.Abs("../../fleets/s1-direct.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"-nonsense", "-h lists the flags"},
		{"argument", "unexpected argument"},
		{"-devices=0", "1 or more can be compared"},
		{"-fleet=" + filepath.Join(t.TempDir(), "none.json"), "none.json"},
		{"-fleet=" + direct, "no direct devices with a thing model"},
	} {
		if code, _, stderr := ask(t, tt.args); code != 2 || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d: %q, want %q", tt.args, code, stderr, tt.want)
		}
	}
	if code, stdout, _ := ask(t, "-h"); code != 0 || !strings.Contains(stdout, "-json") {
		t.Errorf("-h: exit code %d: %s", code, stdout)
	}
}

// The file of the embedded fleet gives the same as the embedded one.
func TestFleetFile(t *testing.T) {
	const name = "../../fleets/s4-tsl.json"
	if _, err := os.Stat(name); err != nil {
		t.Fatal(err)
	}
	_, embedded, _ := ask(t, "-devices", "1", "-json")
	if _, read, _ := ask(t, "-devices", "1", "-json", "-fleet", name); read != embedded {
		t.Errorf("another result:\n%s", read)
	}
}
