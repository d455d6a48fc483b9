package route_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// A console moves a whole product, for hours, and the backend commands more of its devices than can be looked at: no command waits for long,
// and each finds its device.
func TestCommandsWhileAllDevicesMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.slow(50 * time.Millisecond)
		r := newRouter(t, p)
		client := newClient(t, r, p)
		const perSecond, seconds = 1000, 10
		var slowest atomic.Int64
		var all sync.WaitGroup
		for i := range perSecond * seconds {
			id := device(fmt.Sprintf("meter-%d", i))
			p.put(id, route.Source+route.Place(i%2))
			learn(t, r.Table(), moving(id))
			all.Go(func() {
				<-time.After(time.Duration(i) * time.Second / perSecond)
				began := time.Now()
				if _, err := client.Call(t.Context(), id, []byte(id.DeviceName), time.Second); err != nil {
					t.Errorf("%s: %v", id, err)
				}
				took := int64(time.Since(began))
				for was := slowest.Load(); took > was && !slowest.CompareAndSwap(was, took); was = slowest.Load() {
				}
			})
		}
		all.Wait()
		if took := time.Duration(slowest.Load()); took > 1200*time.Millisecond {
			t.Errorf("a command took %v", took)
		}
		for name, n := range p.delivered {
			if n != 1 {
				t.Errorf("%s: delivered %d times", name, n)
			}
		}
		if n := len(p.looks()); n < 4*seconds || n > 5*seconds+8 {
			t.Errorf("%d looks in %d s", n, seconds)
		}
	})
}

// Devices that nobody waits for any more keep no others from being looked at for long.
func TestLooksGoOnWhenCallersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.slow(time.Second)
		r := newRouter(t, p)
		ended, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		for i := range 10 * iot.MaxStates {
			id := device(fmt.Sprintf("meter-%d", i))
			learn(t, r.Table(), moving(id))
			all.Go(func() {
				if _, err := r.Where(ended, id); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("where is %s: error %v", id, err)
				}
			})
		}
		all.Wait()
		other := device("meter-other")
		p.put(other, route.Target)
		learn(t, r.Table(), moving(other))
		for range 20 {
			if _, err := newClient(t, r, p).Call(t.Context(), other, []byte("x"), time.Second); err != nil {
				t.Error(err)
			}
			<-time.After(5 * time.Second)
		}
		looks := p.looks()
		if last := looks[len(looks)-1]; !slices.Equal(last.names, []string{other.DeviceName}) {
			t.Errorf("%d looks, the last one at %v", len(looks), last.names)
		}
	})
}
