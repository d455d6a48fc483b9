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
func TestMeters(t *testing.T) {
	for name, args := range map[string][]string{"memory": nil, "wire": {"-wire", "-noquota"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := tutorial.Run(t.Context(), "scenario1", args, migrateMeters, &stdout, &stderr)
			if code != 0 || stderr.Len() > 0 {
				t.Errorf("exit code %d: %s", code, stderr.String())
			}
			for _, want := range []string{
				"by strategy direct (scenario 1)",
				"first-gray: Move about 10 devices", "confirm-gray: approve", "rest: wave 1 starts", "check: Look at all moved devices",
				"500 devices: 500 moved, 348 proven, 0 failed, 0 returned", "asleep: 152 devices", "pub ",
			} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("stdout lacks %q:\n%s", want, stdout.String())
				}
			}
		})
	}
}
