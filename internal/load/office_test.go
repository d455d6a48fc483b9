package load_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// An office is all that runs beside the campaign: the backend that sends, the follower and the subscriber that tell it of
// moves, the person who decides, and somebody who cuts consumers off.
type office struct {
	*voyage
	ids            []iot.DeviceID
	router         *route.Router
	follower       *route.Follower
	source, target counter
	backend        *backend
	uplink         *uplink
	stream         *aliyun.Stream

	noMore  context.CancelFunc // commands begin, and consumers are left alone
	sending sync.WaitGroup
	part    context.CancelFunc // the follower stops
	follows sync.WaitGroup
	stop    context.CancelFunc
	all     sync.WaitGroup
}

func newOffice(v *voyage) *office {
	v.Helper()
	o := &office{voyage: v, ids: slices.Collect(v.cloud.Devices())}
	p := v.client.Platform()
	o.source.Commander, o.target.Commander = p.Source, p.Target
	table, err := route.NewTable(p.Target.Info.ID)
	if err != nil {
		v.Fatal(err)
	}
	if o.router, err = route.New(route.Config{Table: table, Source: p.Source, Target: p.Target, Clock: v.clock}); err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() {
		if err := o.router.Close(); err != nil {
			v.Error(err)
		}
	})
	client, err := o.router.Client(&o.source, &o.target)
	if err != nil {
		v.Fatal(err)
	}
	o.backend = &backend{devices: client, ledger: v.ledger}
	o.follower, o.uplink = v.follower(table), newUplink(o.router, newContinuity(v.world, o.ids))
	if o.stream, err = v.client.Messages(aliyun.StreamConfig{
		SourceGroup: group, TargetGroup: group, Connections: 2, Handlers: 16,
	}); err != nil {
		v.Fatal(err)
	}
	return o
}

// open begins all of it.
func (o *office) open(ctx context.Context) {
	ctx, o.stop = context.WithCancel(ctx)
	business, noMore := context.WithCancel(ctx)
	o.noMore = noMore
	o.sending.Go(func() { o.backend.run(business, *rate, o.ids, rand.New(rand.NewPCG(*seed, 1))) })
	following, part := context.WithCancel(ctx)
	o.part = part
	o.follows.Go(func() {
		if err := o.follower.Run(following, followEvery); err != nil {
			o.Errorf("follow: %v", err)
		}
	})
	o.all.Go(func() {
		if err := o.stream.Run(ctx, o.uplink.handle); err != nil {
			o.Errorf("uplink: %v", err)
		}
	})
	o.all.Go(func() { o.person(ctx) })
	o.all.Go(func() { o.drop(business) })
}

// quiet ends new commands and the follower, and returns when the last command has ended.
func (o *office) quiet() {
	o.noMore()
	o.part()
	o.sending.Wait()
	o.follows.Wait()
}

// close ends all that open began. Closing again does nothing.
func (o *office) close() {
	o.quiet()
	o.stop()
	o.all.Wait()
}

// drop cuts off all consumers now and then.
func (o *office) drop(ctx context.Context) {
	const every = 1500 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.wire.DropConsumers()
		case <-ctx.Done():
			return
		}
	}
}
