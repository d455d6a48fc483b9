package route

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/iotferry/iotferry/iot"
)

// A Config of a [Router]. Table, Source and Target are needed; all else has a default that is right for a backend.
type Config struct {
	Table *Table
	// Source and Target read where devices are (BatchGetDeviceState): the View of each instance is one. They obey their contexts, as Close
	// waits for them.
	Source, Target iot.StateReader
	// Clock is nil for real time. A simulation whose runner has a clock of its own gives the same one to the router, as times
	// of the journal are compared with times of looks.
	Clock iot.Clock
	// LookEvery is the least time between two looks; each is one read of up to 50 devices at each instance. Zero is 200 ms: 10 reads a
	// second at most, a fifth of the quota that all of the account's readers have in common.
	LookEvery time.Duration
	// LookTimeout bounds one look. Zero is 10 s.
	LookTimeout time.Duration
	// Remember is for how long the answer of a look counts while a device is on its way. Zero is 2 s. One that is on its way for
	// longer is asked about less: the answer counts for a tenth of that time, up to a minute.
	Remember time.Duration
	// Patience is for how long a call waits for a look, and for a device that is on both instances or on none, in the middle of its move.
	// Zero is 5 s; negative is for one look, and not for longer than LookEvery.
	Patience time.Duration
	// Moved and Returned are the statuses of instance-migration messages that say that devices are at the target, or back at the
	// source. Nil Moved is GRAY_EXECUTING and ALL_EXECUTING. What a rollback is called is not documented: after any other status, a look decides.
	Moved, Returned []string
}

// A Router says where devices are, and looks where the table is not sure. It is safe for concurrent use. It starts a goroutine for each
// look, so Close it when it is not needed any more. Make one with [New].
type Router struct {
	config  Config
	base    context.Context // of looks: it ends with Close
	cancel  context.CancelFunc
	flights singleflight.Group // of looks, by product

	mu      sync.Mutex
	closed  bool
	looks   sync.WaitGroup
	next    time.Time                 // when the next look may begin
	waiting map[string][]string       // names by product: who is to be looked at, the one that has waited longest first
	wanted  map[iot.DeviceID]struct{} // they, and who is looked at now
	seen    memory
}

// The defaults of a Config, and what has none.
const (
	lookEvery   = 200 * time.Millisecond
	lookTimeout = 10 * time.Second
	remember    = 2 * time.Second
	rememberMax = time.Minute
	patience    = 5 * time.Second
	between     = 500 * time.Millisecond // how long it counts that a device is on both instances or on none
	crowd       = 4                      // looks: a call does not wait for more of them, and goes where the device was last
)

// New returns a router. It reads nothing. Its errors name the field that is wrong.
func New(c Config) (*Router, error) {
	switch {
	case c.Table == nil:
		return nil, invalid("route: Config.Table is nil: make one with NewTable")
	case c.Source == nil || c.Target == nil:
		return nil, invalid("route: Config.Source or Config.Target is nil: both instances have to be read")
	case c.LookEvery < 0 || c.LookTimeout < 0 || c.Remember < 0:
		return nil, invalid("route: Config.LookEvery, LookTimeout and Remember cannot be negative")
	}
	if c.Clock == nil {
		c.Clock = iot.SystemClock()
	}
	c.LookEvery = or(c.LookEvery, lookEvery)
	c.LookTimeout = or(c.LookTimeout, lookTimeout)
	c.Remember = or(c.Remember, remember)
	c.Patience = or(c.Patience, patience)
	if c.Moved == nil {
		c.Moved = []string{"GRAY_EXECUTING", "ALL_EXECUTING"}
	}
	r := &Router{config: c, waiting: map[string][]string{}, wanted: map[iot.DeviceID]struct{}{}, seen: memory{}}
	r.base, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

func or(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return d
}

// Table returns the table of the router.
func (r *Router) Table() *Table { return r.config.Table }

// Close ends looks that are under way and waits for them. From now on Where fails if it needs one, and calls go where the device was
// last. It always returns nil.
func (r *Router) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.looks.Wait()
	return nil
}

// Notice learns from an instance-migration message, and reports whether m is one. Call it with every message of the consumer group that
// the source's rule forwards them to. Messages may be late, in any order and come twice. A status that is not in Config, another target
// instance, or a message without a time leaves the devices [Unsure].
func (r *Router) Notice(m iot.Message) bool {
	n, ok := m.Notice()
	if !ok {
		return false
	}
	place := Unsure
	switch {
	case m.Generated.IsZero():
		m.Generated = r.config.Clock.Now()
	case slices.Contains(r.config.Returned, n.Status):
		place = Source
	case n.Target == r.config.Table.target && slices.Contains(r.config.Moved, n.Status):
		place = Target
	}
	for _, id := range n.Devices {
		if id.Check() == nil { // without a name it would be the rest of the product
			_ = r.config.Table.Learn(Fact{Device: id, Place: place, At: m.Generated}) // a time that cannot be says nothing
		}
	}
	return true
}

// found notes that a call proved where a device is: the one instance did not have it, the other one took the call.
func (r *Router) found(id iot.DeviceID, at Place, began time.Time) {
	r.mu.Lock()
	r.seen.keep(id, at, began, began.Add(r.config.Remember))
	r.mu.Unlock()
	if r.config.Table.state(id).place == Moving {
		return // the journal tells how the move ends
	}
	r.learn(id, at, began)
}

// learn keeps what was seen at a time. It counts also against what was told of the future, as then somebody's clock is wrong.
func (r *Router) learn(id iot.DeviceID, p Place, at time.Time) {
	if told := r.config.Table.state(id).since; told.After(r.config.Clock.Now()) {
		at = told.Add(1)
	}
	_ = r.config.Table.Learn(Fact{Device: id, Place: p, At: at}) // an ID that cannot be is not kept
}

// choose returns the instance to call first. It waits for a device that is in the middle of its move until a time.
func (r *Router) choose(ctx context.Context, id iot.DeviceID, until time.Time) (Place, error) {
	if p := r.config.Table.Lookup(id); p.Known() {
		return p, nil
	}
	for {
		p, err := r.lookSoon(ctx, id, until)
		switch {
		case ctx.Err() != nil:
			return Unsure, &iot.Error{Kind: iot.Transient, Message: "not sent to " + id.String(), Err: ctx.Err()}
		case err != nil:
			// Nobody could look. Where it was last is worth a try: an instance that does not have it says so.
			return r.config.Table.state(id).last, nil
		case p.Known():
			return p, nil
		}
		now := r.config.Clock.Now()
		if !now.Before(until) {
			return Unsure, inMove(id)
		}
		if err := r.config.Clock.WaitUntil(ctx, now.Add(between)); err != nil {
			return Unsure, &iot.Error{Kind: iot.Transient, Message: "not sent to " + id.String(), Err: err}
		}
	}
}

// patience returns until when a call that begins now waits.
func (r *Router) patience() time.Time { return r.config.Clock.Now().Add(max(r.config.Patience, 0)) }

// lookSoon is Where for a caller that has something better to do than to wait for a turn that is far off.
func (r *Router) lookSoon(ctx context.Context, id iot.DeviceID, until time.Time) (Place, error) {
	ctx, cancel := context.WithTimeout(ctx, max(until.Sub(r.config.Clock.Now()), r.config.LookEvery))
	defer cancel()
	return r.where(ctx, id, crowd)
}

func inMove(id iot.DeviceID) error {
	return &iot.Error{Kind: iot.Transient, Message: id.String() + " is in the middle of its move: nothing was sent, try again"}
}

func closed() error { return invalid("route: the router is closed") }
