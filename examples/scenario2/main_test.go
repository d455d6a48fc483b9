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
func TestHalls(t *testing.T) {
	for name, args := range map[string][]string{"memory": nil, "wire": {"-wire", "-noquota"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := tutorial.Run(t.Context(), "scenario2", args, migrateHalls, &stdout, &stderr)
			if code != 0 || stderr.Len() > 0 {
				t.Errorf("exit code %d: %s", code, stderr.String())
			}
			for _, want := range []string{
				"by strategy gateway (scenario 2)", "A family will be split for",
				"sub-devices prove themselves first, then their gateway",
				"1968 devices: 1968 moved, 1549 proven, 0 failed, 0 returned", "asleep: 419 devices", "topology ",
				"All 1928 sub-devices are below the gateways that they had before.",
			} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("stdout lacks %q:\n%s", want, stdout.String())
				}
			}
		})
	}
}
