package load_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A way is one of those to send a command. Success of one that is answered means that the device has got it; success of the others that
// the platform has taken it: what an instance keeps for a device that is offline is lost if the device moves before it is back.
type way struct {
	name, api string
	answered  bool
	send      func(context.Context, iot.Commander, iot.DeviceID, []byte) error
}

// ways returns how devices of a product can be commanded: those with a thing model also by that.
func ways(product string) []way {
	invoke := func(service string) func(context.Context, iot.Commander, iot.DeviceID, []byte) error {
		return func(ctx context.Context, to iot.Commander, id iot.DeviceID, payload []byte) error {
			_, err := to.Invoke(ctx, id, service, payload)
			return err
		}
	}
	all := []way{
		{"Pub", "Pub", false, func(ctx context.Context, to iot.Commander, id iot.DeviceID, payload []byte) error {
			_, err := to.Publish(ctx, "/"+id.String()+"/user/get", payload)
			return err
		}},
		{"RRpc", "RRpc", true, func(ctx context.Context, to iot.Commander, id iot.DeviceID, payload []byte) error {
			_, err := to.Call(ctx, id, payload, 5*time.Second)
			return err
		}},
	}
	if product != migratetest.DirectProduct {
		return all
	}
	return append(all,
		way{"synchronous service", "InvokeThingService", true, invoke("Check")},
		way{"asynchronous service", "InvokeThingService", false, invoke("Calibrate")},
		way{"SetDeviceProperty", "SetDeviceProperty", false, func(ctx context.Context, to iot.Commander, id iot.DeviceID, payload []byte) error {
			_, err := to.SetProperties(ctx, id, payload)
			return err
		}},
	)
}

// A backend sends commands, so many at once at most, and tries again as docs/backends.md says: after errors that say that nothing
// has happened.
type backend struct {
	devices iot.Commander
	ledger  *ledger
}

const (
	tries  = 4 // of one command
	pause  = 250 * time.Millisecond
	atOnce = 128
)

// run begins commands at a rate until ctx ends, and returns when the last one has ended. A slow one delays no other, as long as not
// too many are slow.
func (b *backend) run(ctx context.Context, perSecond int, ids []iot.DeviceID, fate *rand.Rand) {
	var sending errgroup.Group
	sending.SetLimit(atOnce)
	defer func() { _ = sending.Wait() }() // the ledger has the errors
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		id := ids[fate.IntN(len(ids))]
		all := ways(id.ProductKey)
		way := all[fate.IntN(len(all))]
		sending.Go(func() error {
			b.send(context.WithoutCancel(ctx), way, id)
			return nil
		})
	}
}

// send sends one command, and notes what it was told.
func (b *backend) send(ctx context.Context, w way, id iot.DeviceID) {
	number, payload := b.ledger.open(w, id)
	began := time.Now()
	for try := 1; ; try++ {
		err := w.send(ctx, b.devices, id, payload)
		if again(err) && try < tries {
			<-time.After(time.Duration(try) * pause)
			continue
		}
		b.ledger.told(number, try, time.Since(began), err)
		return
	}
}

// A counter counts the calls of one instance.
type counter struct {
	iot.Commander
	calls, elsewhere atomic.Int64 // all, and those that the instance refused because it does not have the device
}

func (c *counter) count(err error) {
	c.calls.Add(1)
	if iot.KindOf(err) == iot.NotFound {
		c.elsewhere.Add(1)
	}
}

func (c *counter) Publish(ctx context.Context, topic string, payload []byte) (string, error) {
	id, err := c.Commander.Publish(ctx, topic, payload)
	c.count(err)
	return id, err
}

func (c *counter) Call(ctx context.Context, id iot.DeviceID, payload []byte, timeout time.Duration) ([]byte, error) {
	answer, err := c.Commander.Call(ctx, id, payload, timeout)
	c.count(err)
	return answer, err
}

func (c *counter) Invoke(ctx context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	reply, err := c.Commander.Invoke(ctx, id, service, args)
	c.count(err)
	return reply, err
}

func (c *counter) SetProperties(ctx context.Context, id iot.DeviceID, items json.RawMessage) (string, error) {
	message, err := c.Commander.SetProperties(ctx, id, items)
	c.count(err)
	return message, err
}
