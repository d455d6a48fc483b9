package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/examples/internal/tutorial"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// In memory and over sockets, the story ends in the same way.
func TestCabinets(t *testing.T) {
	for name, args := range map[string][]string{"memory": nil, "wire": {"-wire", "-noquota"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := tutorial.Run(t.Context(), "scenario4", args, migrateCabinets, &stdout, &stderr)
			if code != 0 || stderr.Len() > 0 {
				t.Errorf("exit code %d: %s", code, stderr.String())
			}
			for _, want := range []string{
				"by strategy tsl (scenario 4)",
				"data-sync: waits 14 d", "service SelfTest answered the call", "service ClearAlarms answered call",
				"200 devices: 200 moved, 153 proven, 0 failed, 0 returned", "asleep: 47 devices",
				"14 days of the campaign took",
			} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("stdout lacks %q:\n%s", want, stdout.String())
				}
			}
		})
	}
}
