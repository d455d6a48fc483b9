package soak_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

var (
	devices = flag.Int("devices", 200, "about how many devices the killed campaign moves")
	kills   = flag.Int("kills", 4, "how often its runner is killed, at least")
	seed    = flag.Uint64("seed", 0, "of the moments of the kills; 0 takes one at random")
)

// A test starts its own binary as a runner, told by this variable what to do.
const asRunner = "SOAK_RUNNER"

func TestMain(m *testing.M) {
	if text := os.Getenv(asRunner); text != "" {
		os.Exit(runnerMain(text))
	}
	flag.Parse()
	var err error
	if workshop, err = os.MkdirTemp("", "soak-*"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := errors.Join(os.RemoveAll(workshop), goleak.Find()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// workshop is the folder where cmd/iotsim is built.
var workshop string

// buildSimulator builds cmd/iotsim once for all tests.
var buildSimulator = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(workshop, "iotsim.exe") // a name that every system runs
	out, err := exec.Command("go", "build", "-o", binary, "github.com/iotferry/iotferry/cmd/iotsim").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build cmd/iotsim: %w: %s", err, out)
	}
	return binary, nil
})
