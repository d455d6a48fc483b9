package route_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// moving is a fact that makes a device be on its way from now on.
func moving(id iot.DeviceID) route.Fact {
	return route.Fact{Device: id, Place: route.Moving, At: time.Now()}
}

func where(t testing.TB, r *route.Router, id iot.DeviceID) route.Place {
	t.Helper()
	p, err := r.Where(t.Context(), id)
	if err != nil {
		t.Errorf("where is %s: %v", id, err)
	}
	return p
}

// slow lets every read take a time.
func (p *platform) slow(d time.Duration) {
	p.wait = func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// However many ask about a device, one look answers them; and devices that are asked about meanwhile share the next.
func TestLooksAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.slow(time.Second)
		r := newRouter(t, p)
		const devices, askers = 120, 5
		var all sync.WaitGroup
		for i := range devices {
			id := device(fmt.Sprintf("meter-%d", i))
			p.put(id, route.Source+route.Place(i%2))
			learn(t, r.Table(), moving(id))
			for range askers {
				all.Go(func() { expectPlace(t, id.String(), where(t, r, id), route.Source+route.Place(i%2)) })
			}
		}
		all.Wait()
		asked := map[string]int{}
		for _, look := range p.looks() {
			if len(look.names) > iot.MaxStates {
				t.Errorf("a look at %d devices", len(look.names))
			}
			for _, name := range look.names {
				asked[name]++
			}
		}
		if n := len(p.looks()); n > 4 {
			t.Errorf("%d looks at %d devices, want 4 at most", n, devices)
		}
		if len(asked) != devices {
			t.Errorf("%d devices were looked at", len(asked))
		}
		for name, n := range asked {
			if n != 1 {
				t.Errorf("%d looks at %s", n, name)
			}
		}
	})
}

// There are never two looks within the time that is set, whatever product they are about.
func TestLooksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		r := newRouter(t, p, func(c *route.Config) { c.LookEvery = time.Second })
		var all sync.WaitGroup
		for i := range 20 {
			id := iot.DeviceID{ProductKey: fmt.Sprintf("a1Product%02d", i), DeviceName: "device-1"}
			p.put(id, route.Target)
			learn(t, r.Table(), moving(id))
			all.Go(func() { expectPlace(t, id.String(), where(t, r, id), route.Target) })
		}
		all.Wait()
		looks := p.looks()
		if len(looks) != 20 {
			t.Errorf("%d looks", len(looks))
		}
		for i := range len(looks) - 1 {
			if d := looks[i+1].at.Sub(looks[i].at); d < time.Second {
				t.Errorf("%v between two looks", d)
			}
		}
	})
}

// While a device is on its way an answer counts for a short time, later for longer.
func TestAnswersAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		r := newRouter(t, p)
		id := device("meter-1")
		p.put(id, route.Source)
		learn(t, r.Table(), moving(id))
		for _, step := range []struct {
			wait  time.Duration
			at    route.Place
			want  route.Place
			looks int
		}{
			{0, route.Source, route.Source, 1},
			{time.Second, route.Target, route.Source, 1},
			{1100 * time.Millisecond, route.Target, route.Target, 2},
			{time.Hour, route.Target, route.Target, 3},
			{59 * time.Second, route.Target, route.Target, 3},
			{2 * time.Second, route.Target, route.Target, 4},
		} {
			<-time.After(step.wait)
			p.put(id, step.at)
			expectPlace(t, fmt.Sprint("after ", step.wait), where(t, r, id), step.want)
			if n := len(p.looks()); n != step.looks {
				t.Errorf("after %v: %d looks, want %d", step.wait, n, step.looks)
			}
		}
		expectPlace(t, "the table", r.Table().Lookup(id), route.Moving)
	})
}

// Where nothing moves a device, one look decides for good. One on both instances or on none stays in doubt.
func TestLookDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			at   []route.Place
			want route.Place
		}{
			"at the source": {[]route.Place{route.Source}, route.Source},
			"at the target": {[]route.Place{route.Target}, route.Target},
			"on both":       {[]route.Place{route.Source, route.Target}, route.Unsure},
			"on none":       {nil, route.Unsure},
		} {
			p := newPlatform()
			r := newRouter(t, p)
			id := device("meter-1")
			p.put(id, test.at...)
			learn(t, r.Table(), route.Fact{Device: id, Place: route.Unsure, At: time.Now().Add(-time.Second)})
			expectPlace(t, name, where(t, r, id), test.want)
			expectPlace(t, name+", in the table", r.Table().Lookup(id), test.want)
			<-time.After(time.Minute)
			p.put(id, route.Source)
			if test.want == route.Unsure {
				expectPlace(t, name+", a minute later", where(t, r, id), route.Source)
			}
		}
	})
}

// Who does not wait any more leaves; the look goes on for the others.
func TestLookOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.slow(2 * time.Second)
		r := newRouter(t, p)
		id := device("meter-1")
		p.put(id, route.Target)
		learn(t, r.Table(), moving(id))
		var all sync.WaitGroup
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			_, err := r.Where(ctx, id)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("error %v after %v", err, time.Since(began))
			}
		})
		synctest.Wait()
		all.Go(func() { expectPlace(t, "the other", where(t, r, id), route.Target) })
		all.Wait()
		if n := len(p.looks()); n != 1 {
			t.Errorf("%d looks", n)
		}
	})
}

// An error is for all who wait, and is not remembered.
func TestLookFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.wait = func(ctx context.Context) error { <-ctx.Done(); return iot.Throttled }
		r := newRouter(t, p, func(c *route.Config) { c.LookTimeout = 3 * time.Second })
		id := device("meter-1")
		p.put(id, route.Target)
		learn(t, r.Table(), moving(id))
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				_, err := r.Where(t.Context(), id)
				expectKind(t, "a look that hangs", err, iot.Throttled)
			})
		}
		all.Wait()
		p.wait = nil
		expectPlace(t, "the next", where(t, r, id), route.Target)
		_, err := r.Where(t.Context(), iot.DeviceID{ProductKey: meter, DeviceName: "x"})
		if err != nil {
			t.Errorf("a name that cannot be is where the rest is: %v", err)
		}
		learn(t, r.Table(), route.Fact{Device: iot.DeviceID{ProductKey: meter}, Place: route.Unsure, At: time.Now()})
		_, err = r.Where(t.Context(), iot.DeviceID{ProductKey: meter, DeviceName: "x"})
		expectKind(t, "a name that cannot be", err, iot.Invalid)
	})
}

// Close ends a look that hangs, and there is none after it.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.slow(time.Hour)
		r := newRouter(t, p, func(c *route.Config) { c.LookTimeout = time.Hour })
		id := device("meter-1")
		learn(t, r.Table(), moving(id))
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := r.Where(t.Context(), id); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
		synctest.Wait()
		began := time.Now()
		if err := r.Close(); err != nil || time.Since(began) != 0 {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
		all.Wait()
		if _, err := r.Where(t.Context(), id); err == nil || len(p.looks()) != 1 {
			t.Errorf("after Close: error %v, %d looks", err, len(p.looks()))
		}
	})
}

func TestNewRefuses(t *testing.T) {
	p := newPlatform()
	good := route.Config{Table: newTable(t), Source: instance{p, route.Source}, Target: instance{p, route.Target}}
	for name, change := range map[string]func(*route.Config){
		"no table":  func(c *route.Config) { c.Table = nil },
		"no source": func(c *route.Config) { c.Source = nil },
		"no target": func(c *route.Config) { c.Target = nil },
		"haste":     func(c *route.Config) { c.LookEvery = -1 },
	} {
		c := good
		change(&c)
		if _, err := route.New(c); iot.KindOf(err) != iot.Invalid {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
