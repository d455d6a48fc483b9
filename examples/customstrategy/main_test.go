package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/examples/internal/tutorial"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCanary(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := tutorial.Run(t.Context(), "customstrategy", nil, sendCanary, &stdout, &stderr)
	if code != 0 || stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	for _, want := range []string{
		"by strategy canary,", "canary: wave 1 is over: ", "watch: waits 1 h", "rest: wave 1 starts",
		"1968 devices: 1968 moved, 1549 proven, 0 failed, 0 returned", "asleep: 419 devices",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("stdout lacks %q:\n%s", want, stdout.String())
		}
	}
}

// Somebody who copies the strategy should see all of it at once.
func TestStrategyIsShort(t *testing.T) {
	text, err := os.ReadFile("strategy.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(text, []byte("\n")); lines > 40 {
		t.Errorf("strategy.go has %d lines, at most 40 are promised", lines)
	}
}
