// Package quota keeps a driver within the quotas of the platform's APIs. A [Governor] is the
// [iot.Pacer] of one account: share it between all drivers that call for that account.
package quota

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/iotferry/iotferry/iot"
)

// Limits are calls per second and account, by the name of the API. An API that is missing, or whose limit is
// zero, is not limited.
type Limits map[string]float64

// Documented returns the limits that the platform documents, per account. Some of them date from 2020
// or 2024: check them against your console, and change the copy that you get.
func Documented() Limits {
	return Limits{
		"BatchGrayMigrationDevice": 5,

		"QueryProductList":       50,
		"QueryProduct":           50,
		"QueryDevice":            50,
		"QueryDeviceByStatus":    50,
		"QueryDeviceBySQL":       10,
		"BatchQueryDeviceDetail": 5,
		"BatchGetDeviceState":    50,
		"GetDeviceStatus":        500,
		"QueryDeviceDetail":      50,
		"QueryDeviceStatistics":  50,
		"RegisterDevice":         30,
		"ListDistributedDevice":  5,

		"GetThingTopo":          500,
		"GetGatewayBySubDevice": 50,

		"Pub":                1600,
		"RRpc":               100, // 1,000 per account, but 100 per client address
		"InvokeThingService": 500,
		"SetDeviceProperty":  500,

		"QueryThingModelPublished": 10,

		"ListRule":                 20,
		"ListRuleActions":          50,
		"CreateConsumerGroup":      5,
		"QueryConsumerGroupList":   5,
		"QueryConsumerGroupStatus": 5,
		"CreateSubscribeRelation":  5,
		"UpdateSubscribeRelation":  5,
		"QuerySubscribeRelation":   5,
		"QueryDeviceProp":          50,
	}
}

const (
	// lowest is the share of its limit that an API keeps, however often it is throttled.
	lowest = 1.0 / 64
	// step is the share of its limit by which a throttled API speeds up again, every regrow.
	step   = 1.0 / 8
	regrow = 10 * time.Second
)

// A Governor spaces the calls of each API evenly, without bursts. When the platform throttles an API it
// halves that API's pace at once, and lets it grow back step by step: somebody else may use the same quota.
// It is safe for concurrent use.
type Governor struct {
	clock iot.Clock

	mu   sync.Mutex
	apis map[string]*api
}

// api is the pace of one API.
type api struct {
	limit   float64 // calls per second when nobody throttles
	limiter *rate.Limiter
	slower  time.Time // when it was last made slower, or let grow a step
}

var _ iot.Pacer = (*Governor)(nil)

// New returns a governor with these limits on a clock; nil is real time. It keeps no reference to limits. A
// negative limit is [iot.Invalid].
func New(clock iot.Clock, limits Limits) (*Governor, error) {
	if clock == nil {
		clock = iot.SystemClock()
	}
	g := &Governor{clock: clock, apis: make(map[string]*api, len(limits))}
	for name, limit := range limits {
		if limit < 0 {
			return nil, &iot.Error{Kind: iot.Invalid, Message: fmt.Sprintf("quota: the limit of %s is %g: zero or more is wanted", name, limit)}
		}
		if limit > 0 {
			g.apis[name] = &api{limit: limit, limiter: rate.NewLimiter(rate.Limit(limit), 1)}
		}
	}
	return g, nil
}

// Wait returns when the API may be called. The order of waiting callers is kept. If ctx ends first, its
// error is returned and the turn is given back as far as nobody waits behind it.
func (g *Governor) Wait(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	a, now := g.apis[name], g.clock.Now()
	if a == nil {
		g.mu.Unlock()
		return nil
	}
	a.grow(now)
	turn := a.limiter.ReserveN(now, 1)
	g.mu.Unlock()
	delay := turn.DelayFrom(now)
	if delay <= 0 {
		return nil
	}
	if err := g.clock.WaitUntil(ctx, now.Add(delay)); err != nil {
		turn.CancelAt(g.clock.Now())
		return err
	}
	return nil
}

// Throttled halves the pace of an API at once.
func (g *Governor) Throttled(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, now := g.apis[name], g.clock.Now()
	if a == nil {
		return
	}
	a.grow(now)
	a.limiter.SetLimitAt(now, max(a.limiter.Limit()/2, rate.Limit(a.limit*lowest)))
	a.slower = now
}

// Pace returns how many calls per second an API is allowed now; zero if it is not limited.
func (g *Governor) Pace(name string) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.apis[name]
	if a == nil {
		return 0
	}
	a.grow(g.clock.Now())
	return float64(a.limiter.Limit())
}

// grow takes the steps back to the limit that are due.
func (a *api) grow(now time.Time) {
	full := rate.Limit(a.limit)
	for a.limiter.Limit() < full && !now.Before(a.slower.Add(regrow)) {
		a.slower = a.slower.Add(regrow)
		a.limiter.SetLimitAt(now, min(full, a.limiter.Limit()+full*step))
	}
}
