package fake_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// BenchmarkCloud30Days makes an account of 500,000 devices, moves them all by the API and looks at it every
// hour for 30 virtual days: 21.6 billion reports that nobody reads.
func BenchmarkCloud30Days(b *testing.B) {
	const devices = 500_000
	list := names("m", devices)
	for b.Loop() {
		f := newFleet()
		f.Instances[1].OnlineQuota = devices + 1
		f.Products = append(f.Products, custom(meter, iot.Direct,
			rule("/+/user/update", "OTS"), amqp("DEFAULT_GROUP", iot.DeviceData, iot.StatusChange)))
		add(f, meter, list, nil)
		c := newBench(b, f, nil)
		c.ready(meter, list[0])
		c.move(meter, list[1:]...)
		for range 30 * 24 {
			c.clock.Advance(time.Hour)
			c.hourly(meter, list)
		}
		c.want(meter, devices)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.Sys)/1e6, "sys-MB")
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
		runtime.KeepAlive(c)
	}
}

// hourly looks at a cloud as a campaign that waits does.
func (b *bench) hourly(key string, list []string) {
	ctx := b.Context()
	must(b.QueryDeviceStatistics(ctx, fake.QueryDeviceStatisticsRequest{IotInstanceId: target, ProductKey: key}))
	must(b.BatchGetDeviceState(ctx, fake.BatchGetDeviceStateRequest{IotInstanceId: target, ProductKey: key, DeviceName: list[:50]}))
	must(b.QueryConsumerGroupStatus(ctx, fake.QueryConsumerGroupStatusRequest{IotInstanceId: target, GroupId: "DEFAULT_GROUP"}))
	for _, name := range list[:50] {
		if _, ok := b.Sink(target).Newest(id(key, name)); !ok {
			b.Fatalf("%s has not reported", name)
		}
	}
}

// want checks that all devices live on the target and are online, each moved once, and that no
// call was throttled.
func (b *bench) want(key string, devices int) {
	b.Helper()
	s := must(b.QueryDeviceStatistics(b.Context(), fake.QueryDeviceStatisticsRequest{IotInstanceId: target, ProductKey: key}))
	if s.DeviceCount != devices || s.OnlineCount != devices {
		b.Fatalf("target: %+v, want %d devices online", s, devices)
	}
	for _, call := range b.Calls() {
		if call.Throttled > 0 {
			b.Fatalf("%s: %d of %d calls throttled", call.Name, call.Throttled, call.Calls)
		}
	}
}
