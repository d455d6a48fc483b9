// Package quota keeps a driver within the quotas of the platform's APIs. A [Governor] is the
// [iot.Pacer] of one account: share it between all drivers that call for that account.
package quota

import (
	"context"
	"fmt"
	"strings"
	"sync"

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

// A Governor spaces the calls of each API evenly, without bursts. When the platform throttles an API it
// halves that API's pace at once, and lets it grow back step by step: somebody else may use the same quota.
// Of every API that reads, it keeps a reserve for callers with a context from [iot.Urgent]: others get the
// rest, urgent callers all that is free. It is safe for concurrent use.
type Governor struct {
	clock   iot.Clock
	reserve float64

	mu   sync.Mutex
	apis map[string]*api
}

var _ iot.Pacer = (*Governor)(nil)

// An Option changes what a [Governor] does by default.
type Option func(*Governor)

// DefaultReserve is the share of a reading API's limit that is kept for urgent callers.
const DefaultReserve = 0.1

// Reserve sets the share of a reading API's limit that is kept for urgent callers: zero or more, less than one.
func Reserve(share float64) Option { return func(g *Governor) { g.reserve = share } }

// New returns a governor with these limits on a clock; nil is real time. It keeps no reference to limits. A
// negative limit, and a reserve that leaves nothing for others, is [iot.Invalid].
func New(clock iot.Clock, limits Limits, options ...Option) (*Governor, error) {
	if clock == nil {
		clock = iot.SystemClock()
	}
	g := &Governor{clock: clock, reserve: DefaultReserve, apis: make(map[string]*api, len(limits))}
	for _, option := range options {
		option(g)
	}
	if !(g.reserve >= 0 && g.reserve < 1) {
		return nil, invalid("the reserve is %g: zero or more is wanted, and less than one", g.reserve)
	}
	for name, limit := range limits {
		if !(limit >= 0) {
			return nil, invalid("the limit of %s is %g: zero or more is wanted", name, limit)
		}
		if limit > 0 {
			g.apis[name] = newAPI(limit, g.reserveOf(name))
		}
	}
	return g, nil
}

func invalid(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Message: "quota: " + fmt.Sprintf(format, args...)}
}

// reserveOf returns the share of an API's limit that is kept back: none of one that writes, such as
// BatchGrayMigrationDevice, whose whole limit is for moving.
func (g *Governor) reserveOf(name string) float64 {
	if reads(name) {
		return g.reserve
	}
	return 0
}

// reads tells by its name whether an API reads.
func reads(name string) bool {
	for _, verb := range []string{"Query", "List", "Get", "BatchQuery", "BatchGet"} {
		if strings.HasPrefix(name, verb) {
			return true
		}
	}
	return false
}

// Wait returns when the API may be called. The order of waiting callers is kept, but where there is a reserve an urgent
// caller goes before all but the next of the others. If ctx ends first, its error is returned and the turn is
// given back as far as nobody waits behind it.
func (g *Governor) Wait(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a := g.apis[name]
	if a == nil {
		return nil
	}
	if a.ordinary != nil && !iot.IsUrgent(ctx) {
		if err := g.wait(ctx, a, a.ordinary); err != nil {
			return err
		}
	}
	return g.wait(ctx, a, a.all)
}

// wait takes the next turn of a limiter and waits for it.
func (g *Governor) wait(ctx context.Context, a *api, limiter *rate.Limiter) error {
	g.mu.Lock()
	now := g.clock.Now()
	a.grow(now)
	turn := limiter.ReserveN(now, 1)
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
	if a := g.apis[name]; a != nil {
		now := g.clock.Now()
		a.grow(now)
		a.setPace(now, max(a.pace/2, a.limit*lowest))
		a.slower = now
	}
}

// Pace returns how many calls per second an API is allowed now, urgent ones included; zero if it is not limited.
func (g *Governor) Pace(name string) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.apis[name]
	if a == nil {
		return 0
	}
	a.grow(g.clock.Now())
	return a.pace
}
