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
func TestTrackers(t *testing.T) {
	for name, args := range map[string][]string{"memory": nil, "wire": {"-wire", "-noquota"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := tutorial.Run(t.Context(), "scenario3", args, migrateTrackers, &stdout, &stderr)
			if code != 0 || stderr.Len() > 0 {
				t.Errorf("exit code %d: %s", code, stderr.String())
			}
			for _, want := range []string{
				"by strategy preregistered (scenario 3)",
				"The server reads the consumer groups of iot-060a0001 from now on.", "Somebody plugs in a1Tracker01/tracker-new-1",
				"300 devices: 300 moved, 172 proven, 0 failed, 0 returned", "asleep: 128 devices", "subscription ",
				"New device a1Tracker01/tracker-new-1 is online at iot-060a0001.",
			} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("stdout lacks %q:\n%s", want, stdout.String())
				}
			}
		})
	}
}
