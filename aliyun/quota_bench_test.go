package aliyun_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
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

// quotaCalls is how many calls of BatchGrayMigrationDevice the documented quota allows in two minutes.
const (
	quotaTime  = 2 * time.Minute
	quotaCalls = 600
)

// BenchmarkQuota moves devices for two minutes of virtual time, by calls whose answers take a while, under the documented
// quotas. %quota is the share of the documented 5 calls/s that was used, throttled is how many calls the platform refused. A
// caller that makes one call after the other, as a campaign's lane does, cannot use it all where an answer takes longer
// than 200 ms; several callers can. With jitter the time of a call varies by up to that much.
func BenchmarkQuota(b *testing.B) {
	for _, c := range []struct {
		callers         int
		latency, jitter time.Duration
	}{
		{callers: 1, latency: 50 * time.Millisecond},
		{callers: 1, latency: 150 * time.Millisecond},
		{callers: 1, latency: 300 * time.Millisecond},
		{callers: 4, latency: 50 * time.Millisecond},
		{callers: 4, latency: 300 * time.Millisecond},
		{callers: 4, latency: 150 * time.Millisecond, jitter: 20 * time.Millisecond},
	} {
		name := fmt.Sprintf("%d callers, %v", c.callers, c.latency)
		if c.jitter > 0 {
			name += fmt.Sprintf(" and jitter up to %v", c.jitter)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				calls, throttled := moveForTwoMinutes(b, c.callers, c.latency, c.jitter)
				b.ReportMetric(100*float64(calls-throttled)/quotaCalls, "%quota")
				b.ReportMetric(float64(throttled), "throttled")
			}
			b.ReportMetric(0, "ns/op") // time is virtual
		})
	}
}

// moveForTwoMinutes returns how many calls were made and how many of them were throttled, as the platform counts.
func moveForTwoMinutes(b *testing.B, callers int, latency, jitter time.Duration) (calls, throttled int) {
	clock := &lockstep{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	w := newWorld(b, migratetest.Generate(migratetest.GenerateOptions{Direct: 10*quotaCalls + 100}), fake.Options{Clock: clock})
	w.ready(b, migratetest.DirectProduct, "direct-0000")
	governor, err := quota.New(clock, quota.Documented())
	if err != nil {
		b.Fatal(err)
	}
	config := testConfig("http://platform.invalid")
	config.Pacer, config.Transport = governor, slowWay(clock, w.handler, latency, jitter)
	mover := openClient(b, config).Platform().Mover
	clock.callers = callers
	end := clock.Now().Add(quotaTime)
	next := make(chan int, 10*quotaCalls)
	for i := range 10 * quotaCalls / 10 {
		next <- i
	}
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			defer clock.leave()
			for clock.Now().Before(end) {
				first := <-next*10 + 1
				batch := make([]string, 10)
				for i := range batch {
					batch[i] = fmt.Sprintf("direct-%04d", first+i)
				}
				_, _ = mover.Move(b.Context(), migratetest.DirectProduct, batch) // the platform counts
			}
		})
	}
	all.Wait()
	for _, call := range w.Calls() {
		if call.Name == "BatchGrayMigrationDevice" {
			calls, throttled = call.Calls, call.Throttled
		}
	}
	return min(calls, quotaCalls), throttled
}

// slowWay carries requests to a handler. Half of the time of a call passes before the platform has it.
func slowWay(clock *lockstep, handler http.Handler, latency, jitter time.Duration) roundTrip {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	half := func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if jitter == 0 {
			return latency / 2
		}
		return latency/2 + time.Duration(random.Int64N(int64(jitter)))/2
	}
	return func(r *request) (*response, error) {
		if err := clock.WaitUntil(r.Context(), clock.Now().Add(half())); err != nil {
			return nil, err
		}
		answer, err := inProcess{handler}.RoundTrip(r)
		if err == nil {
			err = clock.WaitUntil(r.Context(), clock.Now().Add(half()))
		}
		return answer, err
	}
}
