// Package quota keeps a driver within the quotas of the platform's APIs. A [Governor] is the
// [iot.Pacer] of one account: share it between all drivers that call for that account.
package quota

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

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
		"ListThingModelVersion":    10,

		"QueryDevicePropertiesData": 10,
		"QueryDevicePropertyData":   50,
		"QueryDeviceEventData":      50,
		"QueryDeviceServiceData":    50,

		"ListRule":                 20,
		"ListRuleActions":          50,
		"CreateConsumerGroup":      5,
		"QueryConsumerGroupList":   5,
		"QueryConsumerGroupStatus": 5,
		"CreateSubscribeRelation":  5,
		"UpdateSubscribeRelation":  5,
		"QuerySubscribeRelation":   5,

		"GetRule":                      50,
		"ListDataSourceItem":           10,
		"GetThingScript":               10,
		"QueryDeviceProp":              50,
		"SaveDeviceProp":               50,
		"GetDeviceShadow":              500,
		"QueryDeviceGroupList":         100,
		"QueryDeviceGroupByDevice":     50,
		"QueryDeviceListByDeviceGroup": 5,
		"CreateDeviceGroup":            500,
		"BatchAddDeviceGroupRelations": 500,
		"ListOTAFirmware":              10,
		"ListOTAJobByFirmware":         10,
		"ListOTATaskByJob":             10,

		// Their limits are not documented.
		"ListParser":            0,
		"GetParser":             0,
		"ListParserDestination": 0,
		"ListJob":               0,
		"QuerySceneRule":        0,
	}
}

// A Governor spaces the calls of each API evenly, without bursts, a margin below the limit. A call that it lets through late, as
// its caller woke late, pushes those behind it.
//
// When the platform throttles an API, the governor halves that API's pace at once, for those who wait already as well, and lets
// it grow back by an eighth every ten seconds: somebody else may use the same quota.
//
// Of every API that reads, it keeps a reserve for callers with a context from [iot.Urgent]: others get the
// rest, urgent callers all that is free. It is safe for concurrent use.
type Governor struct {
	clock   iot.Clock
	reserve float64
	margin  float64

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

// DefaultMargin is the share of each limit that is left unused. It is the least that keeps calls within their limit when one can
// take 20 ms longer to the platform than another, and still uses 98 % of it.
const DefaultMargin = 0.02

// Margin sets the share of each limit that is left unused: zero or more, less than one. Calls that are sent in time reach the
// platform closer together when they take more or less time on their way, and the platform counts those of any second. With a
// margin m, no second holds more than the limit as long as a call takes at most m/(1-m) seconds longer than another: 20 ms
// with 0.02, whatever the limit. A quarter of that is used up only where callers come or wake late. More needs a larger margin; none
// is for a clock and a way to the platform that are exact.
func Margin(share float64) Option { return func(g *Governor) { g.margin = share } }

// New returns a governor with these limits on a clock; nil is real time. It keeps no reference to limits. A
// negative limit, and a reserve or a margin that leaves nothing, is [iot.Invalid].
func New(clock iot.Clock, limits Limits, options ...Option) (*Governor, error) {
	if clock == nil {
		clock = iot.SystemClock()
	}
	g := &Governor{clock: clock, reserve: DefaultReserve, margin: DefaultMargin, apis: make(map[string]*api, len(limits))}
	for _, option := range options {
		option(g)
	}
	if !(g.reserve >= 0 && g.reserve < 1) {
		return nil, invalid("the reserve is %g: zero or more is wanted, and less than one", g.reserve)
	}
	if !(g.margin >= 0 && g.margin < 1) {
		return nil, invalid("the margin is %g: zero or more is wanted, and less than one", g.margin)
	}
	for name, limit := range limits {
		if !(limit >= 0) {
			return nil, invalid("the limit of %s is %g: zero or more is wanted", name, limit)
		}
		if limit > 0 {
			g.apis[name] = newAPI(limit, g.margin, g.reserveOf(name))
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
// caller goes before all but the next of the others. If ctx ends first, its error is returned and the turn is the
// next caller's.
func (g *Governor) Wait(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a := g.apis[name]
	if a == nil {
		return nil
	}
	if a.ordinary != nil && !iot.IsUrgent(ctx) {
		if err := g.pass(ctx, a, a.ordinary); err != nil {
			return err
		}
	}
	return g.pass(ctx, a, a.all)
}

// pass waits for a turn of a lane.
func (g *Governor) pass(ctx context.Context, a *api, l *lane) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	for {
		again, ok := g.let(a, l)
		if ok {
			return nil
		}
		if err := g.clock.WaitUntil(ctx, again); err != nil {
			return err
		}
	}
}

func (g *Governor) let(a *api, l *lane) (again time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return a.let(l, g.clock.Now())
}

// Throttled halves the pace of an API at once. A burst of refusals counts as one: those within a second of a halving, and
// those before another call was let through, are of calls that were sent before it or were counted together with such.
func (g *Governor) Throttled(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.apis[name]; a != nil {
		now := g.clock.Now()
		a.grow(now)
		a.halve(now)
	}
}

// Pace returns how many calls per second an API is allowed now, urgent ones included, which is its limit less the margin if
// nobody throttles; zero if it is not limited.
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
