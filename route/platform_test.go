package route_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// A platform is two instances and the devices that they have.
type platform struct {
	mu        sync.Mutex
	at        map[iot.DeviceID]map[route.Place]bool
	delivered map[string]int // by payload
	reads     []read
	wait      func(context.Context) error // in every read; may be nil
	fault     func(place route.Place, id iot.DeviceID) (before, after error)
}

// A read is one of a look.
type read struct {
	place route.Place
	names []string
	at    time.Time
}

func newPlatform() *platform {
	return &platform{at: map[iot.DeviceID]map[route.Place]bool{}, delivered: map[string]int{}}
}

// put lets a device be at these instances, and at no others.
func (p *platform) put(id iot.DeviceID, places ...route.Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at[id] = map[route.Place]bool{}
	for _, place := range places {
		p.at[id][place] = true
	}
}

// looks counts the reads at the source: one for each look that got so far.
func (p *platform) looks() (out []read) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.reads {
		if r.place == route.Source {
			out = append(out, r)
		}
	}
	return out
}

// An instance is one of the two, as a reader and as a commander.
type instance struct {
	*platform
	place route.Place
}

func (i instance) States(ctx context.Context, productKey string, names []string) ([]iot.DeviceState, error) {
	i.mu.Lock()
	i.reads = append(i.reads, read{i.place, names, time.Now()})
	wait := i.wait
	i.mu.Unlock()
	if wait != nil {
		if err := wait(ctx); err != nil {
			return nil, err
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []iot.DeviceState
	for _, name := range names {
		if id := (iot.DeviceID{ProductKey: productKey, DeviceName: name}); i.at[id][i.place] {
			out = append(out, iot.DeviceState{ID: id, Status: iot.Online})
		}
	}
	return out, nil
}

func (i instance) deliver(id iot.DeviceID, payload string) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var before, after error
	if i.fault != nil {
		before, after = i.fault(i.place, id)
	}
	switch {
	case before != nil:
		return "", before
	case !i.at[id][i.place]:
		return "", &iot.Error{Kind: iot.NotFound, Code: "iot.device.NotExistedDevice"}
	}
	i.delivered[payload]++
	return "message of " + i.place.String(), after
}

func (i instance) Publish(_ context.Context, topic string, payload []byte) (string, error) {
	id, _ := iot.Message{Topic: topic}.Device()
	return i.deliver(id, string(payload))
}

func (i instance) Call(_ context.Context, id iot.DeviceID, payload []byte, _ time.Duration) ([]byte, error) {
	answer, err := i.deliver(id, string(payload))
	return []byte(answer), err
}

func (i instance) Invoke(_ context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	answer, err := i.deliver(id, service+string(args))
	return iot.ServiceReply{MessageID: answer}, err
}

func (i instance) SetProperties(_ context.Context, id iot.DeviceID, items json.RawMessage) (string, error) {
	return i.deliver(id, string(items))
}

// newRouter returns a router that ends with the test.
func newRouter(t testing.TB, p *platform, change ...func(*route.Config)) *route.Router {
	t.Helper()
	c := route.Config{Table: newTable(t), Source: instance{p, route.Source}, Target: instance{p, route.Target}}
	for _, f := range change {
		f(&c)
	}
	r, err := route.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func newClient(t testing.TB, r *route.Router, p *platform) *route.Client {
	t.Helper()
	c, err := r.Client(instance{p, route.Source}, instance{p, route.Target})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func expectKind(t testing.TB, what string, err error, want iot.Kind) {
	t.Helper()
	if err == nil || iot.KindOf(err) != want {
		t.Errorf("%s: error %v of kind %q, want %q", what, err, iot.KindOf(err), want)
	}
}
