package load_test

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// checkEnd checks that there was a campaign with a rollback in the middle: all devices have moved once, and one wave is back.
func (v *voyage) checkEnd(report *migrate.Report) {
	v.Helper()
	moved, returned := 0, 0
	for id := range v.cloud.Devices() {
		owner, _ := v.cloud.Owner(id)
		back := v.cloud.ReturnedTimes(id)
		if v.cloud.MovedTimes(id) != 1 || (owner == "") != (back == 1) {
			v.Errorf("%s is at %q, moved %d times, returned %d times", id, owner, v.cloud.MovedTimes(id), back)
		}
		moved, returned = moved+1, returned+back
	}
	if returned == 0 || returned == moved {
		v.Errorf("%d of %d devices were returned", returned, moved)
	}
	for _, l := range report.Lanes {
		if !l.Finished || l.Proven+l.Returned != l.Devices {
			v.Errorf("lane %s: %+v", l.Lane, l)
		}
	}
}

// settle ends all but the commands under way, and proves that everything is where the router says.
func (o *office) settle(ctx context.Context) {
	o.Helper()
	o.faults.off.Store(true)
	if err := o.follower.CatchUp(ctx); err != nil {
		o.Fatal(err)
	}
	elsewhere := o.source.elsewhere.Load() + o.target.elsewhere.Load()
	var last errgroup.Group
	last.SetLimit(32)
	for _, id := range o.ids {
		last.Go(func() error {
			o.backend.send(ctx, ways(id.ProductKey)[0], id)
			return nil
		})
	}
	if err := last.Wait(); err != nil {
		o.Fatal(err)
	}
	if n := o.source.elsewhere.Load() + o.target.elsewhere.Load() - elsewhere; n != 0 {
		o.Errorf("in the end %d of %d commands went to the wrong instance first", n, len(o.ids))
	}
	all := o.ledger.all()
	for _, c := range all[len(all)-len(o.ids):] {
		if c.err != nil || c.received != 1 {
			o.Errorf("in the end: %s received %d times, error %v", c.device, c.received, c.err)
		}
	}
}

// hear proves that the subscriber hears every device that has moved, at the target.
func (o *office) hear(ctx context.Context) {
	o.Helper()
	var moved []iot.DeviceID
	for _, id := range o.ids {
		if owner, _ := o.cloud.Owner(id); owner != "" {
			moved = append(moved, id)
		}
	}
	o.hasty.Advance(2 * time.Minute) // each of them reports once more, and what a consumer that was cut off had comes again
	const rounds = 200
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range rounds {
		if o.uplink.silent(moved) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	o.Errorf("%d of %d devices were not heard at the target", o.uplink.silent(moved), len(moved))
}

// print shows the figures.
func (o *office) print(took, virtual time.Duration) {
	o.Helper()
	all := o.ledger.all()
	all = all[:len(all)-len(o.ids)]
	kinds, delivered, again, received, lost := map[iot.Kind]int{}, 0, 0, 0, 0
	times := make([]time.Duration, len(all))
	for i, c := range all {
		times[i] = c.took
		again += c.tries - 1
		kind := iot.KindOf(c.err)
		switch {
		case c.err == nil:
			delivered++
			if c.received == 0 && c.way.name == "Pub" {
				lost++ // an instance had kept it, until its device moved
			}
		case kind == iot.UnknownOutcome && c.taken == 1:
			received++
			fallthrough
		default:
			kinds[kind]++
		}
	}
	slices.SortFunc(times, cmp.Compare)
	source, target, notices := o.uplink.counts()
	o.Logf("%d devices, %v of the campaign in %v", len(o.ids), virtual.Round(time.Second), took.Round(time.Millisecond))
	o.Logf("%d commands, %.0f/s: %d delivered, failed %v; %d of the unknown ones were delivered; %d tries more; %d kept messages lost", len(all), float64(len(all))/took.Seconds(),
		delivered, kinds, received, again, lost)
	o.Logf("calls: %d at the source, %d at the target; %d sent on to the other instance", o.source.calls.Load(), o.target.calls.Load(),
		o.source.elsewhere.Load()+o.target.elsewhere.Load())
	o.Logf("latency: p50 %v, p95 %v, max %v", times[len(times)/2], times[len(times)*95/100], times[len(times)-1])
	streams := o.stream.Stats()
	o.Logf("uplink: %d messages from the source, %d from the target, %d tell of moves; consumers were cut off %d times", source, target, notices,
		streams.Source.Lost+streams.Target.Lost)
	if kinds[iot.UnknownOutcome] == 0 || received == 0 || len(all) < int(took.Seconds()*float64(*rate)/4) {
		o.Error("that was no load")
	}
}
