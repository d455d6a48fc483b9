package aliyun_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/quota"
)

// A lockstep is a clock for several callers: it goes on, to the next time that somebody waits for, when all of them wait.
type lockstep struct {
	mu      sync.Mutex
	now     time.Time
	callers int
	waiting []appointment
}

type appointment struct {
	at   time.Time
	come chan struct{}
}

func (l *lockstep) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *lockstep) WaitUntil(ctx context.Context, t time.Time) error {
	l.mu.Lock()
	if !t.After(l.now) {
		l.mu.Unlock()
		return ctx.Err()
	}
	come := make(chan struct{})
	l.waiting = append(l.waiting, appointment{t, come})
	l.goOn()
	l.mu.Unlock()
	<-come
	return ctx.Err()
}

// leave is called by a caller that does not wait any more.
func (l *lockstep) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.callers--
	l.goOn()
}

func (l *lockstep) goOn() {
	if len(l.waiting) < l.callers || l.callers == 0 {
		return
	}
	slices.SortStableFunc(l.waiting, func(a, b appointment) int { return a.at.Compare(b.at) })
	l.now = l.waiting[0].at
	for len(l.waiting) > 0 && !l.waiting[0].at.After(l.now) {
		close(l.waiting[0].come)
		l.waiting = l.waiting[1:]
	}
}

// A queue lets one caller at a time ask a pacer, in order, so that the clock knows who cannot wait by it.
type queue struct {
	iot.Pacer
	clock   *lockstep
	asked   bool
	waiting []chan struct{}
}

func (q *queue) Wait(ctx context.Context, api string) error {
	q.enter()
	defer q.leave()
	return q.Pacer.Wait(ctx, api)
}

func (q *queue) enter() {
	q.clock.mu.Lock()
	if !q.asked {
		q.asked = true
		q.clock.mu.Unlock()
		return
	}
	come := make(chan struct{})
	q.waiting = append(q.waiting, come)
	q.clock.callers--
	q.clock.goOn()
	q.clock.mu.Unlock()
	<-come
}

func (q *queue) leave() {
	q.clock.mu.Lock()
	defer q.clock.mu.Unlock()
	if q.asked = len(q.waiting) > 0; q.asked {
		q.clock.callers++
		close(q.waiting[0])
		q.waiting = q.waiting[1:]
	}
}

// quotaCalls is how many calls of BatchGrayMigrationDevice the documented quota allows in two minutes.
const (
	quotaTime  = 2 * time.Minute
	quotaCalls = 600
)

// A quotaCase says how devices are moved for two minutes of virtual time.
type quotaCase struct {
	callers         int
	latency, jitter time.Duration // of an answer; jitter is how much longer one can take than another
}

func (c quotaCase) String() string {
	out := fmt.Sprintf("%d callers, %v", c.callers, c.latency)
	if c.jitter > 0 {
		out += fmt.Sprintf(" to %v", c.latency+c.jitter)
	}
	return out
}

// BenchmarkQuota moves devices by several callers with the default governor. %quota is the share of the documented 5 calls/s
// that was used, throttled is how many calls the platform refused. Where calls take more or less time on their way, they arrive
// closer together than they were sent: the governor's margin keeps them within the quota.
func BenchmarkQuota(b *testing.B) {
	for _, callers := range []int{2, 4, 16} {
		for _, latency := range []time.Duration{50, 150, 300} {
			for _, jitter := range []time.Duration{0, 5, 20} {
				c := quotaCase{callers: callers, latency: latency * time.Millisecond, jitter: jitter * time.Millisecond}
				b.Run(c.String(), func(b *testing.B) { c.run(b, "%quota") })
			}
		}
	}
}

// BenchmarkOneCaller does the same by one call after the other, as a lane of a campaign does: it cannot use the quota up where
// an answer takes longer than 200 ms.
func BenchmarkOneCaller(b *testing.B) {
	for _, latency := range []time.Duration{50, 150, 300} {
		c := quotaCase{callers: 1, latency: latency * time.Millisecond}
		b.Run(c.String(), func(b *testing.B) { c.run(b, "%used") })
	}
}

func (c quotaCase) run(b *testing.B, metric string) {
	for b.Loop() {
		calls, throttled := c.move(b)
		b.ReportMetric(100*float64(calls-throttled)/quotaCalls, metric)
		b.ReportMetric(float64(throttled), "throttled")
	}
	b.ReportMetric(0, "ns/op") // time is virtual
}

// move returns how many calls reached the platform in the time and how many in all it throttled.
func (c quotaCase) move(b *testing.B) (calls, throttled int) {
	clock := &lockstep{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	w := newWorld(b, migratetest.Generate(migratetest.GenerateOptions{Direct: 10*quotaCalls + 100}), fake.Options{Clock: clock})
	w.ready(b, migratetest.DirectProduct, "direct-0000")
	governor, err := quota.New(clock, quota.Documented())
	if err != nil {
		b.Fatal(err)
	}
	end := clock.Now().Add(quotaTime)
	var inTime atomic.Int64
	config := testConfig("http://platform.invalid")
	config.Pacer, config.Transport = &queue{Pacer: governor, clock: clock}, c.slowWay(clock, func(r *request) (*response, error) {
		if clock.Now().Before(end) {
			inTime.Add(1)
		}
		return inProcess{w.handler}.RoundTrip(r)
	})
	mover := openClient(b, config).Platform().Mover
	clock.callers = c.callers
	var next atomic.Int64
	var all sync.WaitGroup
	for range c.callers {
		all.Go(func() {
			defer clock.leave()
			for clock.Now().Before(end) {
				last := next.Add(10)
				batch := make([]string, 10)
				for i := range batch {
					batch[i] = fmt.Sprintf("direct-%04d", last-int64(i))
				}
				_, _ = mover.Move(b.Context(), migratetest.DirectProduct, batch) // the platform counts
			}
		})
	}
	all.Wait()
	for _, call := range w.Calls() {
		if call.Name == "BatchGrayMigrationDevice" {
			throttled = call.Throttled
			if call.Failed > 0 {
				b.Fatalf("%d calls failed", call.Failed)
			}
		}
	}
	return int(inTime.Load()), throttled
}

// slowWay carries requests to a platform. Half of the latency passes before the platform has a call, and all of the jitter: that
// is the worst for a quota.
func (c quotaCase) slowWay(clock *lockstep, platform roundTrip) roundTrip {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	late := func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(random.Int64N(int64(c.jitter) + 1))
	}
	return func(r *request) (*response, error) {
		if err := clock.WaitUntil(r.Context(), clock.Now().Add(c.latency/2+late())); err != nil {
			return nil, err
		}
		answer, err := platform(r)
		if err == nil {
			err = clock.WaitUntil(r.Context(), clock.Now().Add(c.latency/2))
		}
		return answer, err
	}
}
