package load_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A ledger has two sides: what callers were told of their commands, and what really became of these. A command carries its number.
type ledger struct {
	mu       sync.Mutex
	commands []command
}

// A command is one line of the ledger.
type command struct {
	way    way
	device iot.DeviceID

	ended bool // the caller was told
	err   error
	tries int // of the caller: again after what says that nothing has happened
	took  time.Duration

	taken    int // by the platform
	received int // by the device
}

// open begins a line, and returns the command's payload.
func (l *ledger) open(w way, id iot.DeviceID) (number int, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commands = append(l.commands, command{way: w, device: id})
	number = len(l.commands)
	return number, fmt.Appendf(nil, `{"Token":%d}`, number)
}

// told notes what the caller of a command was told.
func (l *ledger) told(number, tries int, took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.commands[number-1]
	c.ended, c.err, c.tries, c.took = true, err, tries, took
}

// step is the platform's side. What carries no number is a command of the campaign's own.
func (l *ledger) step(s migratetest.CommandStep) {
	var payload struct{ Token int }
	if json.Unmarshal(s.Payload, &payload) != nil || payload.Token == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.commands[payload.Token-1]
	switch {
	case s.Device != c.device || s.API != c.way.api:
		c.taken += 1000 // to another device, or by another API: that is never right
	case s.Received:
		c.received++
	default:
		c.taken++
	}
}

// all returns the lines so far.
func (l *ledger) all() []command {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.commands)
}

// wrong says what is wrong about a command; empty if nothing is.
func (c command) wrong() string {
	unknown := iot.KindOf(c.err) == iot.UnknownOutcome
	switch {
	case !c.ended:
		return "its caller was told nothing"
	case c.taken > 1 || c.received > 1:
		return "delivered more than once"
	case c.err != nil && !unknown && c.taken+c.received > 0:
		return "reported as refused, and it was delivered"
	case c.err != nil && !unknown && !again(c.err):
		return "reported as hopeless, and there is such a device"
	case c.err == nil && c.taken != 1:
		return "reported delivered, and the platform did not take it"
	case c.err == nil && c.way.answered && c.received != 1:
		return "reported delivered, and the device did not get it"
	}
	return ""
}

// again reports whether an error says that the same command may work later.
func again(err error) bool {
	switch iot.KindOf(err) {
	case iot.Throttled, iot.Transient, iot.NotConnected:
		return true
	}
	return false
}

// check compares both sides.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	const most = 10
	wrong := 0
	for i, c := range l.all() {
		if what := c.wrong(); what != "" {
			if wrong++; wrong <= most {
				t.Errorf("command %d, %s to %s: %s: taken %d times, received %d times, %d tries, error %v", i+1, c.way.name, c.device, what,
					c.taken, c.received, c.tries, c.err)
			}
		}
	}
	if wrong > most {
		t.Errorf("%d commands are wrong", wrong)
	}
}
