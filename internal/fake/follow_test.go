package fake_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// follow lets a goroutine of the test follow the clock, and returns what ends it.
func (b *bench) follow() (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- b.Follow(ctx) }()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			b.Errorf("Follow returned %v", err)
		}
	}
}

func TestFollowLetsAFullMigrationEndSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, meters(200, nil), func(o *fake.Options, _ *fake.Quirks) { o.Clock = iot.SystemClock() })
		task := b.ready(meter, "m-0001")
		time.Sleep(time.Minute) // the bubble's time: nothing is due any more
		s := b.attach(meter, "m-0200")
		defer b.follow()()
		synctest.Wait()
		if err := b.Console().Full(t.Context(), task); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := s.Next(t.Context())
		if kick, ok := errors.AsType[*fake.KickedError](err); !ok || kick.Code != 521 || time.Since(began) != 3*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestFollowLeavesAVirtualClockAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, meters(200, nil), nil)
		task := b.ready(meter, "m-0001")
		s := b.attach(meter, "m-0200")
		stop := b.follow()
		if err := b.Console().Full(t.Context(), task); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // the bubble's time
		if !b.clock.Now().Equal(start) {
			t.Errorf("the clock was moved to %v", b.clock.Now())
		}
		if err := b.clock.WaitUntil(t.Context(), start.Add(3*time.Second)); err != nil {
			t.Fatal(err)
		}
		if code := ended(t, s); code != 521 {
			t.Errorf("ended with code %d although its time has come", code)
		}
		if err := b.Follow(t.Context()); !errors.Is(err, iot.Conflict) {
			t.Errorf("a second one: %v", err)
		}
		stop()
		b.follow()()
	})
}

// While the hook decides about an event, time stands still: Follow must wait, not spin.
func TestFollowWaitsForTheHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var slow bool
		b := newBench(t, meters(2, nil), func(o *fake.Options, _ *fake.Quirks) {
			o.Clock = iot.SystemClock()
			o.Hook = func(op fake.Op) fake.Fault {
				if slow && op.Name == fake.Connect {
					<-gate
				}
				return fake.Fault{}
			}
		})
		b.ready(meter, "m-0001")
		b.move(meter, "m-0002")
		slow = true
		asked := make(chan struct{})
		time.Sleep(10 * time.Second) // the bubble's time
		go func() {
			b.Truth(id(meter, "m-0001")) // lets the device connect
			close(asked)
		}()
		synctest.Wait()
		defer b.follow()()
		synctest.Wait() // would not return if Follow was spinning
		close(gate)
		<-asked
		synctest.Wait()
		for _, name := range names("m", 2) {
			if got := b.truth(meter, name).Status; got != iot.Online {
				t.Errorf("%s is %s", name, got)
			}
		}
	})
}

func TestAwaitDoesNotMoveTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := fake.NewVirtualClock(start)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() { done <- clock.Await(ctx, start.Add(time.Hour)) }()
		go func() { done <- clock.Await(ctx, start.Add(2*time.Hour)) }()
		clock.Advance(time.Hour - 1)
		synctest.Wait()
		if len(done) > 0 {
			t.Error("too early")
		}
		clock.Advance(1)
		if err := <-done; err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
		if err := clock.Await(t.Context(), start); err != nil || !clock.Now().Equal(start.Add(time.Hour)) {
			t.Errorf("a time that is past: %v, at %v", err, clock.Now())
		}
	})
}

func TestWatchedConsumerIsNeverIdle(t *testing.T) {
	b := newBench(t, trackers(1), nil)
	watched, silent := must(b.Consume("", "DEFAULT_GROUP", "watched")), must(b.Consume("", "DEFAULT_GROUP", "silent"))
	watched.Watched()
	b.clock.Advance(7 * 24 * time.Hour)
	if got := must(b.platform(nil).Source.GroupStatus(t.Context(), "DEFAULT_GROUP")).Clients; got != 1 {
		t.Errorf("%d clients, want the watched one", got)
	}
	if _, err := watched.Receive(1); err != nil {
		t.Errorf("the watched one: %v", err)
	}
	if err := silent.Alive(); !errors.Is(err, fake.ErrDisconnected) {
		t.Errorf("the silent one: %v", err)
	}
	watched.Close()
	watched.Watched()
	if err := watched.Alive(); !errors.Is(err, fake.ErrDisconnected) {
		t.Errorf("after its end: %v", err)
	}
}
