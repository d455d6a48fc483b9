package route_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// commands are all ways to send a text to a device.
func commands(c iot.Commander) map[string]func(context.Context, iot.DeviceID, string) (string, error) {
	return map[string]func(context.Context, iot.DeviceID, string) (string, error){
		"Publish": func(ctx context.Context, id iot.DeviceID, text string) (string, error) {
			return c.Publish(ctx, "/"+id.String()+"/user/get", []byte(text))
		},
		"Call": func(ctx context.Context, id iot.DeviceID, text string) (string, error) {
			answer, err := c.Call(ctx, id, []byte(text), time.Second)
			return string(answer), err
		},
		"Invoke": func(ctx context.Context, id iot.DeviceID, text string) (string, error) {
			reply, err := c.Invoke(ctx, id, text, nil)
			return reply.MessageID, err
		},
		"SetProperties": func(ctx context.Context, id iot.DeviceID, text string) (string, error) {
			return c.SetProperties(ctx, id, []byte(text))
		},
	}
}

// Every command reaches the device where it is, also where the table is stale, and the table learns it.
func TestCommandsFindTheDevice(t *testing.T) {
	id := device("meter-0001")
	for _, known := range []route.Place{route.Source, route.Target} {
		for _, at := range []route.Place{route.Source, route.Target} {
			p := newPlatform()
			p.put(id, at)
			for name := range commands(nil) {
				r := newRouter(t, p)
				learn(t, r.Table(), route.Fact{Device: id, Place: known, At: begin})
				what := fmt.Sprintf("%s, at the %v, known at the %v", name, at, known)
				for range 2 {
					answer, err := commands(newClient(t, r, p))[name](t.Context(), id, what)
					if err != nil || answer != "message of "+at.String() {
						t.Errorf("%s: answer %q, error %v", what, answer, err)
					}
				}
				if p.delivered[what] != 2 {
					t.Errorf("%s: %d of 2 were delivered", what, p.delivered[what])
				}
				expectPlace(t, what, r.Table().Lookup(id), at)
			}
			if n := len(p.looks()); n != 0 {
				t.Errorf("%d looks", n)
			}
		}
	}
}

// Only "not found" sends a command to the other instance. After everything else it is the caller's.
func TestNothingElseIsSentAgain(t *testing.T) {
	id := device("meter-0001")
	for _, kind := range []iot.Kind{
		iot.Unclassified, iot.Conflict, iot.Denied, iot.Throttled, iot.Transient, iot.Invalid, iot.NotConnected, iot.UnknownOutcome,
	} {
		for name := range commands(nil) {
			for _, late := range []bool{false, true} {
				p := newPlatform()
				p.put(id, route.Source, route.Target) // whoever is asked takes it
				calls := 0
				fault := &iot.Error{Kind: kind, Code: "iot.test"}
				p.fault = func(route.Place, iot.DeviceID) (before, after error) {
					if calls++; late {
						return nil, fault
					}
					return fault, nil
				}
				_, err := commands(newClient(t, newRouter(t, p), p))[name](t.Context(), id, "x")
				if !errors.Is(err, fault) || calls != 1 || p.delivered["x"] > 1 {
					t.Errorf("%s, %s: error %v after %d calls", name, kind, err, calls)
				}
			}
		}
	}
}

// The answer of the second call is the answer, whatever it is.
func TestOtherInstanceHasTheLastWord(t *testing.T) {
	id := device("meter-0001")
	for _, kind := range []iot.Kind{iot.Throttled, iot.NotConnected, iot.UnknownOutcome} {
		p := newPlatform()
		p.put(id, route.Target)
		p.fault = func(place route.Place, _ iot.DeviceID) (before, after error) {
			if place == route.Target {
				return nil, kind
			}
			return nil, nil
		}
		r := newRouter(t, p)
		_, err := newClient(t, r, p).Publish(t.Context(), "/"+id.String()+"/user/get", []byte("x"))
		expectKind(t, "the second call", err, kind)
		if p.delivered["x"] != 1 {
			t.Errorf("delivered %d times", p.delivered["x"])
		}
		expectPlace(t, "what was learned", r.Table().Lookup(id), route.Source)
	}
}

// What a call or a look has shown counts, also against what somebody has told whose clock is ahead; and what that one tells later counts again.
func TestClockThatIsAhead(t *testing.T) {
	for _, told := range []route.Place{route.Target, route.Unsure} {
		p := newPlatform()
		r := newRouter(t, p)
		id := device("meter-0001")
		p.put(id, route.Source)
		ahead := time.Now().Add(time.Hour)
		learn(t, r.Table(), route.Fact{Device: id, Place: told, At: ahead})
		if _, err := newClient(t, r, p).Call(t.Context(), id, []byte("x"), time.Second); err != nil {
			t.Error(err)
		}
		expectPlace(t, "told to be "+told.String(), r.Table().Lookup(id), route.Source)
		learn(t, r.Table(), route.Fact{Device: id, Place: route.Target, At: ahead.Add(time.Second)})
		expectPlace(t, "told later", r.Table().Lookup(id), route.Target)
	}
}

func TestNobodyHasIt(t *testing.T) {
	p := newPlatform()
	_, err := newClient(t, newRouter(t, p), p).Publish(t.Context(), "/"+device("meter-0001").String()+"/user/get", []byte("x"))
	expectKind(t, "a device that does not exist", err, iot.NotFound)
	p.fault = func(place route.Place, _ iot.DeviceID) (before, after error) {
		return &iot.Error{Kind: iot.NotFound, Code: "iot.test." + place.String()}, nil
	}
	_, err = newClient(t, newRouter(t, p), p).Publish(t.Context(), "/"+device("meter-0001").String()+"/user/get", []byte("x"))
	expectKind(t, "what neither instance has", err, iot.NotFound)
	for _, code := range []string{"iot.test.source", "iot.test.target"} { // one of them may be about something else than the device
		if !strings.Contains(err.Error(), code) {
			t.Errorf("%s is not in %q", code, err)
		}
	}
	r := newRouter(t, p)
	p.fault = func(route.Place, iot.DeviceID) (before, after error) {
		learn(t, r.Table(), route.Fact{Device: device("meter-0001"), Place: route.Target, At: begin})
		return nil, nil
	}
	_, err = newClient(t, r, p).Publish(t.Context(), "/"+device("meter-0001").String()+"/user/get", []byte("x"))
	expectKind(t, "a device that moves during the call", err, iot.Transient)
	_, err = newClient(t, newRouter(t, p), p).Publish(t.Context(), "/broadcast/a1Meter0001/x", []byte("x"))
	expectKind(t, "a topic without a device", err, iot.Invalid)
	if _, err := newRouter(t, p).Client(nil, instance{p, route.Target}); iot.KindOf(err) != iot.Invalid {
		t.Errorf("no commander: error %v", err)
	}
}

// A device in the middle of its move is waited for, within bounds.
func TestMiddleOfAMove(t *testing.T) {
	const late = 3 * time.Second
	for name, test := range map[string]struct {
		patience, timeout time.Duration
		arrives           bool
		want              iot.Kind // Unclassified for none
		took              time.Duration
	}{
		"arrives":               {0, 0, true, iot.Unclassified, late},
		"does not":              {0, 0, false, iot.Transient, 5 * time.Second},
		"no patience":           {-1, 0, true, iot.Transient, 0},
		"the caller's patience": {time.Hour, time.Second, true, iot.Transient, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform()
				r := newRouter(t, p, func(c *route.Config) { c.Patience = test.patience })
				id := device("meter-0001")
				learn(t, r.Table(), moving(id))
				ctx := t.Context()
				if test.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.timeout)
					defer cancel()
				}
				if test.arrives {
					arrival := time.AfterFunc(late, func() { p.put(id, route.Target) })
					defer arrival.Stop()
				}
				began := time.Now()
				_, err := newClient(t, r, p).Call(ctx, id, []byte("x"), time.Second)
				took := time.Since(began)
				if test.want == iot.Unclassified && err != nil {
					t.Error(err)
				} else if test.want != iot.Unclassified {
					expectKind(t, name, err, test.want)
				}
				if took < test.took || took > test.took+time.Second {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				if n := p.delivered["x"]; (n == 1) != (err == nil) || n > 1 {
					t.Errorf("delivered %d times, error %v", n, err)
				}
			})
		})
	}
}

// When nobody can look, commands still find their device.
func TestCommandsWithoutLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.slow(time.Hour)
		r := newRouter(t, p)
		for i, at := range []route.Place{route.Source, route.Target} {
			id := device(fmt.Sprintf("meter-%d", i))
			p.put(id, at)
			learn(t, r.Table(), moving(id))
			if _, err := newClient(t, r, p).Call(t.Context(), id, []byte(id.DeviceName), time.Second); err != nil || p.delivered[id.DeviceName] != 1 {
				t.Errorf("%v: error %v, delivered %d times", at, err, p.delivered[id.DeviceName])
			}
			expectPlace(t, "the journal has the last word", r.Table().Lookup(id), route.Moving)
		}
	})
}

// Devices move back and forth while commands are sent to them, answers are lost and messages come late: every command is
// delivered at most once, and one that is reported delivered was.
func TestCommandsWhileDevicesMove(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { storm(t, rand.New(rand.NewPCG(seed, 9))) })
	}
}

func storm(t *testing.T, r *rand.Rand) {
	const devices, senders, each = 12, 6, 60
	p := newPlatform()
	p.slow(20 * time.Millisecond)
	router := newRouter(t, p, func(c *route.Config) { c.Returned = []string{"BACK"} })
	client := newClient(t, router, p)
	fate := rand.New(rand.NewPCG(r.Uint64(), 1))
	p.fault = func(route.Place, iot.DeviceID) (before, after error) { // called under the platform's lock
		switch fate.IntN(12) {
		case 0:
			return nil, iot.UnknownOutcome
		case 1:
			return iot.UnknownOutcome, nil
		case 2:
			return iot.Throttled, nil
		}
		return nil, nil
	}
	ids := make([]iot.DeviceID, devices)
	for i := range ids {
		ids[i] = device(fmt.Sprintf("meter-%d", i))
		p.put(ids[i], route.Source)
	}
	var all sync.WaitGroup
	done := make(chan struct{})
	mover := rand.New(rand.NewPCG(r.Uint64(), 2))
	all.Go(func() { shuffle(t, mover, p, router, ids, done) })
	type result struct {
		text string
		err  error
	}
	results := make(chan result, senders*each)
	var sending sync.WaitGroup
	for s := range senders {
		own := rand.New(rand.NewPCG(r.Uint64(), 3))
		sending.Go(func() {
			for n := range each {
				text := fmt.Sprintf("%d/%d", s, n)
				send := commands(client)[[]string{"Publish", "Call", "Invoke", "SetProperties"}[own.IntN(4)]]
				_, err := send(t.Context(), ids[own.IntN(devices)], text)
				results <- result{text, err}
				<-time.After(time.Duration(own.IntN(100)) * time.Millisecond)
			}
		})
	}
	sending.Wait()
	close(done)
	all.Wait()
	close(results)
	fine := 0
	for res := range results {
		n := p.delivered[res.text]
		switch kind := iot.KindOf(res.err); {
		case n > 1:
			t.Errorf("%s was delivered %d times", res.text, n)
		case res.err == nil && n != 1:
			t.Errorf("%s is reported delivered, and was not", res.text)
		case res.err != nil && kind != iot.UnknownOutcome && n != 0:
			t.Errorf("%s was delivered, and its error is %v", res.text, res.err)
		case res.err != nil && kind != iot.UnknownOutcome && kind != iot.Throttled && kind != iot.Transient && kind != iot.NotFound:
			t.Errorf("%s: %v", res.text, res.err)
		case res.err == nil:
			fine++
		}
	}
	if fine < senders*each/2 {
		t.Errorf("%d of %d commands were delivered", fine, senders*each)
	}
	settle(t, p, router, client, ids)
}

// shuffle moves devices and tells of it, or not, or late, or twice.
func shuffle(t *testing.T, r *rand.Rand, p *platform, router *route.Router, ids []iot.DeviceID, done <-chan struct{}) {
	var late []iot.Message
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(r.IntN(60)) * time.Millisecond):
		}
		id := ids[r.IntN(len(ids))]
		to, status := route.Target, "GRAY_EXECUTING"
		if r.IntN(2) == 0 {
			to, status = route.Source, "BACK"
		}
		if r.IntN(3) > 0 {
			learn(t, router.Table(), moving(id))
		}
		if r.IntN(2) == 0 {
			p.put(id)
			<-time.After(time.Duration(r.IntN(200)) * time.Millisecond)
		}
		p.put(id, to)
		late = append(late, notice(status, target, time.Now(), id.DeviceName))
		for r.IntN(3) > 0 {
			router.Notice(late[r.IntN(len(late))])
		}
	}
}

// settle proves that when nothing moves any more, commands go to the right place at once, and the table knows it.
func settle(t *testing.T, p *platform, router *route.Router, client *route.Client, ids []iot.DeviceID) {
	p.fault = nil
	<-time.After(time.Minute)
	for _, id := range ids {
		learn(t, router.Table(), route.Fact{Device: id, Place: route.Unsure, At: time.Now()})
		at := route.Source
		if p.at[id][route.Target] {
			at = route.Target
		}
		<-time.After(time.Minute)
		before := maps.Clone(p.delivered)
		if _, err := client.Call(t.Context(), id, []byte("last "+id.DeviceName), time.Second); err != nil {
			t.Errorf("in the end: %v", err)
		}
		if len(p.delivered) != len(before)+1 {
			t.Error("in the end: not delivered")
		}
		expectPlace(t, "in the end "+id.String(), router.Table().Lookup(id), at)
	}
}
