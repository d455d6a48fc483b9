package quota

import (
	"context"
	"math"
	"time"
)

const (
	// lowest is the share of its pace that an API keeps, however often it is throttled.
	lowest = 1.0 / 64
	// step is the share of its pace by which a throttled API speeds up again, every regrow.
	step   = 1.0 / 8
	regrow = 10 * time.Second
	// window is the time over which the platform counts calls: so long it sees calls of before a halving.
	window = time.Second
)

// api is the pace of one API.
type api struct {
	full  float64       // calls per second when nobody throttles
	pace  float64       // calls per second now
	grown time.Time     // when it was last made slower, or let grow a step
	late  time.Duration // how late a call may be without pushing those behind it

	halved time.Time // zero if it never was
	fresh  bool      // a call was let through since then

	all *lane
	// ordinary is where callers wait that are not urgent, before they wait in all: its pace leaves some turns of those over. It
	// is nil if nothing is kept back.
	ordinary *lane
}

func newAPI(limit, margin, reserve float64) *api {
	full := limit * (1 - margin)
	slack := margin / (1 - margin) * float64(window) // by which as many calls as a window may hold take longer than it
	a := &api{full: full, pace: full, late: time.Duration(slack / 4), all: newLane(1)}
	if reserve > 0 {
		a.ordinary = newLane(1 - reserve)
	}
	return a
}

// grow takes the steps back to the full pace that are due.
func (a *api) grow(now time.Time) {
	for a.pace < a.full && !now.Before(a.grown.Add(regrow)) {
		a.grown = a.grown.Add(regrow)
		a.pace = min(a.full, a.pace+a.full*step)
	}
}

// halve makes the API slower, unless the refusal tells nothing new: it is of a call, or for calls, of before the last halving.
func (a *api) halve(now time.Time) {
	if !a.halved.IsZero() && (!a.fresh || now.Before(a.halved.Add(window))) {
		return
	}
	a.pace = max(a.pace/2, a.full*lowest)
	a.grown, a.halved, a.fresh = now, now, false
}

// let lets the first caller of a lane through if it is its turn, else it returns when to ask again.
func (a *api) let(l *lane, now time.Time) (again time.Time, ok bool) {
	a.grow(now)
	turn := l.turn(now, a.pace)
	if turn.After(now) {
		if next := a.grown.Add(regrow); a.pace < a.full && next.Before(turn) {
			return next, false
		}
		return turn, false
	}
	l.last = now.Add(-a.late)
	if turn.After(l.last) {
		l.last = turn
	}
	a.fresh = a.fresh || l == a.all
	return now, true
}

// A lane is a queue of callers. Only the first of them has a turn, which it takes from the pace of the moment: nobody has one
// that was given at another pace.
type lane struct {
	share float64 // of the API's pace
	// seat holds the first caller. Those who wait to send are served in the order in which they came, and none overtakes them.
	seat chan struct{}
	last time.Time // what the next turn is counted from: when the last caller went, or a little earlier if it was late
}

func newLane(share float64) *lane { return &lane{share: share, seat: make(chan struct{}, 1)} }

// enter waits to be the first of the lane. Whoever is has to leave it.
func (l *lane) enter(ctx context.Context) error {
	select {
	case l.seat <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lane) leave() { <-l.seat }

// turn returns when the first caller may go.
func (l *lane) turn(now time.Time, pace float64) time.Time {
	if l.last.IsZero() {
		return now
	}
	if l.last.After(now) { // the clock was put back
		l.last = now
	}
	return l.last.Add(time.Duration(math.Ceil(float64(time.Second) / (pace * l.share))))
}
