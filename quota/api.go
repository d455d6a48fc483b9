package quota

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// lowest is the share of its limit that an API keeps, however often it is throttled.
	lowest = 1.0 / 64
	// step is the share of its limit by which a throttled API speeds up again, every regrow.
	step   = 1.0 / 8
	regrow = 10 * time.Second
)

// api is the pace of one API. Its limiters have no burst: each turn is a step behind the one before.
type api struct {
	limit  float64   // calls per second when nobody throttles
	pace   float64   // calls per second now
	slower time.Time // when it was last made slower, or let grow a step

	all *rate.Limiter
	// ordinary is where callers wait that are not urgent, before they take a turn of all: its pace leaves some of those over. It is
	// nil if nothing is kept back.
	ordinary *rate.Limiter
	share    float64 // of the pace, for ordinary callers
}

func newAPI(limit, reserve float64) *api {
	a := &api{limit: limit, pace: limit, share: 1 - reserve, all: rate.NewLimiter(rate.Limit(limit), 1)}
	if reserve > 0 {
		a.ordinary = rate.NewLimiter(rate.Limit(limit*a.share), 1)
	}
	return a
}

func (a *api) setPace(now time.Time, pace float64) {
	a.pace = pace
	a.all.SetLimitAt(now, rate.Limit(pace))
	if a.ordinary != nil {
		a.ordinary.SetLimitAt(now, rate.Limit(pace*a.share))
	}
}

// grow takes the steps back to the limit that are due.
func (a *api) grow(now time.Time) {
	for a.pace < a.limit && !now.Before(a.slower.Add(regrow)) {
		a.slower = a.slower.Add(regrow)
		a.setPace(now, min(a.limit, a.pace+a.limit*step))
	}
}
