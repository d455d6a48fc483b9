package verify

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// Sent is a message or a call that a verifier sent to a device, and that the device may still answer.
type Sent struct {
	Device    iot.DeviceID
	MessageID string // as the platform gave it
	Payload   []byte
	At        time.Time // by the runner's clock
}

// The defaults of verifiers that send something to devices.
const (
	defaultConcurrency = 16              // far below the 500 (InvokeThingService) and 1,000 (RRpc) calls a second of the account
	defaultTimeout     = 5 * time.Second // RRpc allows 1 to 8
	defaultAgain       = time.Minute
)

// A memory keeps what devices have not answered yet: at most one entry per device and service.
type memory struct {
	mu   sync.Mutex
	open map[command]attempt
}

// A command is what was sent: a call of a service, or a message if service is empty.
type command struct {
	device  iot.DeviceID
	service string
}

// An attempt is what is known about a command.
type attempt struct {
	sent     Sent
	answered string // how the device answered; empty as long as it did not
}

func newMemory() *memory { return &memory{open: make(map[command]attempt)} }

// get returns the attempt that was made since the device's move, if there is one.
func (m *memory) get(c command, moved time.Time) (attempt, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.open[c]
	return a, ok && !a.sent.At.Before(moved)
}

func (m *memory) put(c command, a attempt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[c] = a
}

func (m *memory) forget(c command) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.open, c)
}

// pending explains an error that says nothing against a device: it may come back, or be visible soon, or
// have done what it was told. It returns nothing for all other errors: these say that nobody could look.
func pending(err error) string {
	switch {
	case errors.Is(err, iot.NotConnected):
		return "the device is not connected"
	case errors.Is(err, iot.NotFound):
		return "the instance does not know the device"
	case errors.Is(err, iot.UnknownOutcome):
		return "no answer came in time"
	}
	return ""
}

// A commandLook is what a command to one device came to: a finding, or an error if it could not be sent.
type commandLook struct {
	finding migrate.Finding
	err     error
}

// open returns the finding on a device that may still pass.
func open(d migrate.SubjectDevice, s *migrate.Subject, source, format string, args ...any) migrate.Finding {
	return finding(d, migrate.Inconclusive, source, s.Now, fmt.Sprintf(format, args...))
}

func finding(d migrate.SubjectDevice, v migrate.Verdict, source string, at time.Time, seen string) migrate.Finding {
	return migrate.Finding{Device: d.ID, Verdict: v, Evidence: migrate.Evidence{Source: source, At: at, Seen: seen}}
}
