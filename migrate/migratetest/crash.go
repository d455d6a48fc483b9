package migratetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/iotferry/iotferry/iot"
)

// A place is where in its work a process dies, or its context ends.
type place int

const (
	nowhere     place = iota
	beforeEntry       // before entries are appended
	tornEntry         // in the middle of their bytes
	afterEntry        // they are durable, and nobody was told
	beforeWrite       // before the platform does what it was asked for
	afterWrite        // it is done, and the answer is lost
	beforeRead        // before the platform answers a call that only reads
	afterRead         // it has answered, and nobody heard it
	amidTask          // the operator has done the first half of a console task
	afterTask         // the operator has done all of it, and nobody was told
	lateTask          // the operator does it when the process has died, before the next one begins
	places
)

var placeNames = [...]string{
	"nowhere", "before append", "in append", "after append", "before write", "after write", "before read", "after read",
	"amid console task", "after console task", "before late console task",
}

func (p place) String() string { return placeNames[p] }

// An occasion is what a process does that has places in it where it can die.
type occasion int

const (
	never occasion = iota
	anEntry
	aWrite
	aRead
	aTask
	occasions
)

func (p place) occasion() occasion {
	switch p {
	case beforeEntry, tornEntry, afterEntry:
		return anEntry
	case beforeWrite, afterWrite:
		return aWrite
	case beforeRead, afterRead:
		return aRead
	case amidTask, afterTask, lateTask:
		return aTask
	}
	return never
}

// A moment is the n-th time, from 1, that a process comes to a place.
type moment struct {
	place  place
	n      int
	gentle bool // the process lives on: only its context ends
}

func (m moment) String() string { return fmt.Sprintf("%s %d", m.place, m.n) }

var errCrashed = errors.New("the process is dead")

// counts tells how often a process came to each occasion.
type counts [occasions]int

// A crash kills a process at a moment: from then on no call of it has an effect, until the next process
// begins. The zero value never does.
type crash struct {
	mu     sync.Mutex
	at     moment
	counts counts
	struck bool
	dead   bool
	kill   context.CancelFunc
}

// arm sets the moment for processes that begin from now on.
func (c *crash) arm(m moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.struck, c.counts = m, false, counts{}
}

func (c *crash) begin(kill context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kill = kill
}

// end forgets the dead process. The moment does not come again.
func (c *crash) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead, c.at = false, moment{}
}

// came reports whether the moment has come.
func (c *crash) came() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.struck
}

// counted returns how often a process came to each occasion since the moment was set.
func (c *crash) counted() counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// enter counts an occasion and returns its number. It fails if the process is dead, or dies at its first place.
func (c *crash) enter(first place) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := first.occasion()
	c.counts[o]++
	c.strike(first, c.counts[o])
	return c.counts[o], c.death()
}

// pass fails if the process is dead, or dies at a later place of its n-th occasion.
func (c *crash) pass(p place, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.strike(p, n)
	return c.death()
}

// strike ends the process if the moment has come. The lock is held.
func (c *crash) strike(p place, n int) {
	if !c.struck && c.at.place == p && c.at.n == n {
		c.struck, c.dead = true, !c.at.gentle
		c.kill()
	}
}

// is reports whether the moment is a place of the n-th occasion.
func (c *crash) is(p place, n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.struck && c.at.place == p && c.at.n == n
}

// alive fails if the process is dead.
func (c *crash) alive() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.death()
}

// death is what every call of a dead process comes to. The lock is held.
func (c *crash) death() error {
	if c.dead {
		return errCrashed
	}
	return nil
}

// op decides what becomes of an operation on the platform.
func (c *crash) op(op Op) Fault {
	if op.Kind == "device" {
		return Fault{}
	}
	before, after := beforeRead, afterRead
	if op.Writes() {
		before, after = beforeWrite, afterWrite
	}
	n, err := c.enter(before)
	if err != nil {
		return Fault{Refuse: &iot.Error{Kind: iot.Transient, Message: err.Error()}}
	}
	return Fault{Lost: c.pass(after, n) != nil}
}
