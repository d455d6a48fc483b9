package configdiff_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"runtime"
	"testing"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
)

// A crowd is an instance with many devices, which costs nothing to ask: what is measured is the comparison.
type crowd struct {
	iot.Registry
	iot.ForwardingReader
	iot.ModelReader
	devices int
}

func (c *crowd) view(id string) iot.View {
	return iot.View{
		Info: iot.InstanceInfo{ID: id}, Registry: c, ForwardingReader: c, ModelReader: c, Config: iot.ConfigReaders{Labels: c},
	}
}

func (c *crowd) Product(context.Context, string) (iot.Product, error) {
	return iot.Product{Key: "a1Meter0001", Devices: c.devices}, nil
}

func (c *crowd) Devices(context.Context, string) iter.Seq2[iot.Device, error] {
	return func(yield func(iot.Device, error) bool) {
		for n := range c.devices {
			if !yield(iot.Device{ID: iot.DeviceID{ProductKey: "a1Meter0001", DeviceName: fmt.Sprintf("meter-%07d", n)}}, nil) {
				return
			}
		}
	}
}

func (c *crowd) Labels(context.Context, iot.DeviceID) (map[string]string, error) {
	return map[string]string{"site": "hangzhou", "owner": "somebody"}, nil
}

func (c *crowd) Rules(context.Context) iter.Seq2[iot.Rule, error] {
	return func(func(iot.Rule, error) bool) {}
}

func (c *crowd) Groups(context.Context) iter.Seq2[iot.ConsumerGroup, error] {
	return func(func(iot.ConsumerGroup, error) bool) {}
}

func (c *crowd) Subscriptions(context.Context, string) ([]iot.Subscription, error) { return nil, nil }

func (c *crowd) ThingModel(context.Context, string) (json.RawMessage, error) {
	return nil, iot.NotFound
}

// BenchmarkBefore200k reads the labels of 200,000 devices. Whatever their number, a few of them are in memory.
func BenchmarkBefore200k(b *testing.B) {
	c := &crowd{devices: 200_000}
	for b.Loop() {
		live := func() float64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return float64(m.HeapAlloc) / 1024
		}
		start, peak, n := live(), 0.0, 0
		o := configdiff.Options{Products: []string{"a1Meter0001"}, Keep: func(configdiff.DeviceConfig) error {
			if n++; n%(c.devices/5) == 0 {
				peak = max(peak, live()-start)
			}
			return nil
		}}
		r, err := configdiff.Before(b.Context(), c.view(""), c.view("iot-060a0001"), o)
		if err != nil || r.Coverage[0].Read != c.devices {
			b.Fatal(err)
		}
		b.ReportMetric(peak, "peak-KB")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.devices), "ns/device")
}
