package load_test

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route/dual"
)

// newContinuity measures the reports of all devices.
func newContinuity(w *world, ids []iot.DeviceID) *dual.Continuity {
	w.Helper()
	c, err := dual.New(dual.Config{To: w.client.Platform().Target.Info.ID, Devices: ids, Counts: reports})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// reports tells the reports of devices from their answers to commands and from what the platform says of them.
func reports(m iot.Message) bool {
	if strings.HasSuffix(m.Topic, "/thing/event/property/post") {
		return !bytes.Contains(m.Payload, []byte(`"Token"`)) // what a command has set is reported, too
	}
	return strings.HasSuffix(m.Topic, "/user/update") && !bytes.HasPrefix(m.Payload, []byte(`{"ack"`))
}

// checkContinuity compares the report on all devices with what the platform in memory knows. What a consumer had when it was cut off comes
// again, so it waits for a while.
func (o *office) checkContinuity(ctx context.Context) {
	o.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var wrong []string
	for range 200 {
		if wrong = o.untrue(); len(wrong) == 0 {
			r := o.uplink.continuity.Report()
			if r.Measured == 0 || r.Max <= 0 {
				o.Errorf("nothing was measured: %v", r)
			}
			o.Logf("continuity: %v", r)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	o.Errorf("the report on continuity is not true of %d devices: %s", len(wrong), strings.Join(wrong[:min(3, len(wrong))], "; "))
}

// untrue names the devices of which the report says something else than what is so. One that was returned has not come over.
func (o *office) untrue() []string {
	var wrong []string
	for _, id := range o.ids {
		last, first := o.cloud.Crossing(id)
		if first.Before(last) {
			first = time.Time{}
		}
		if last.Before(began) {
			last = time.Time{} // before there was a subscriber
		}
		got, _ := o.uplink.continuity.Device(id)
		if !sameMilli(got.LastFrom, last) || !sameMilli(got.FirstTo, first) {
			wrong = append(wrong, id.String()+" "+got.LastFrom.String()+" to "+got.FirstTo.String()+", true is "+last.String()+" to "+first.String())
		}
	}
	return wrong
}

// sameMilli compares times as messages have them.
func sameMilli(a, b time.Time) bool {
	return a.Truncate(time.Millisecond).Equal(b.Truncate(time.Millisecond))
}
