package load_test

import (
	"flag"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	devices = flag.Int("devices", 300, "about how many devices the fleet has")
	rate    = flag.Int("commands", 200, "commands that are sent in a second")
	perWait = flag.Duration("wait", 8*time.Millisecond, "real time that a wait of the campaign takes at most")
	seed    = flag.Uint64("seed", 1, "of commands and faults")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
