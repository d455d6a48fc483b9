package migratetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A place is where in its work a process dies, or its context ends.
type place int

const (
	nowhere     place = iota
	beforeEntry       // before entries are appended
	afterEntry        // they are durable, and nobody was told
	beforeWrite       // before the platform does what it was asked for
	afterWrite        // it is done, and the answer is lost
)

var placeNames = [...]string{"nowhere", "before append", "after append", "before write", "after write"}

func (p place) String() string { return placeNames[p] }

// A moment is the n-th time, from 1, that a process comes to a place.
type moment struct {
	place  place
	n      int
	gentle bool // the process lives on: only its context ends
}

func (m moment) String() string { return fmt.Sprintf("%s %d", m.place, m.n) }

var errCrashed = errors.New("the process is dead")

// A crash kills a process at a moment: from then on no call of it has an effect, until the next process
// begins. The zero value never does.
type crash struct {
	mu      sync.Mutex
	at      moment
	entries int
	writes  int
	struck  bool
	dead    bool
	kill    context.CancelFunc
}

// arm sets the moment for processes that begin from now on.
func (c *crash) arm(m moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.struck, c.entries, c.writes = m, false, 0, 0
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

// counts returns how often a process came to each place.
func (c *crash) counts() (entries, writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries, c.writes
}

// strike ends the process if the moment has come. The lock is held.
func (c *crash) strike(p place, n int) bool {
	if c.struck || c.at.place != p || c.at.n != n {
		return false
	}
	c.struck, c.dead = true, !c.at.gentle
	c.kill()
	return true
}

// op decides what becomes of an operation on the platform.
func (c *crash) op(op Op) Fault {
	if op.Kind == "device" {
		return Fault{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return Fault{Refuse: &iot.Error{Kind: iot.Transient, Message: errCrashed.Error()}}
	}
	if !op.Writes() {
		return Fault{}
	}
	c.writes++
	switch {
	case c.strike(beforeWrite, c.writes) && c.dead:
		return Fault{Refuse: &iot.Error{Kind: iot.Transient, Message: errCrashed.Error()}}
	case c.strike(afterWrite, c.writes) && c.dead:
		return Fault{Lost: true}
	}
	return Fault{}
}

// entry begins an append. It fails if the process dies before it.
func (c *crash) entry() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries++
	if c.dead || c.strike(beforeEntry, c.entries) && c.dead {
		return errCrashed
	}
	return nil
}

// written ends an append.
func (c *crash) written() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.strike(afterEntry, c.entries) && c.dead {
		return errCrashed
	}
	return nil
}

// alive fails if the process is dead.
func (c *crash) alive() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return errCrashed
	}
	return nil
}

// A worldJournal is the journal as a process sees it that may die.
type worldJournal struct {
	migrate.Journal
	crash  *crash
	record *record
}

func (j *worldJournal) Append(ctx context.Context, campaign string, after int64, entries ...migrate.Entry) error {
	if err := j.crash.entry(); err != nil {
		return err
	}
	if err := j.Journal.Append(ctx, campaign, after, entries...); err != nil {
		return err
	}
	j.record.entries(entries)
	return j.crash.written()
}

func (j *worldJournal) Entries(ctx context.Context, campaign string, after int64) iter.Seq2[migrate.Entry, error] {
	return func(yield func(migrate.Entry, error) bool) {
		if err := j.crash.alive(); err != nil {
			yield(migrate.Entry{}, err)
			return
		}
		j.Journal.Entries(ctx, campaign, after)(yield)
	}
}
