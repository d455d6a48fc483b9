package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/tslsync"
	"github.com/iotferry/iotferry/verify"
)

// A table of the caller's own, into which rules of the target write, is a sink by one function.
func ExampleReporting() {
	table := map[iot.DeviceID]time.Time{ // when the newest row of each device was generated
		dev(meters, "meter-0001"): moved.Add(5 * time.Second),
		dev(meters, "meter-0002"): moved.Add(-time.Hour),
	}
	sink := verify.SinkFunc(func(_ context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
		return func(yield func(iot.Message, error) bool) {
			for _, id := range ids {
				generated, ok := table[id]
				if !ok {
					continue
				}
				m := iot.Message{Topic: "/" + id.String() + "/user/update", Generated: generated, Instance: "iot-060a0001"}
				if !yield(m, nil) {
					return
				}
			}
		}
	})
	v := verify.Reporting(verify.ReportingConfig{Sink: sink})
	s := subject(newSite(""), newSite("iot-060a0001"), many(0)...)
	for _, name := range []string{"meter-0001", "meter-0002", "meter-0003"} {
		s.Devices = append(s.Devices, migrate.SubjectDevice{ID: dev(meters, name), Node: iot.Direct, Moved: moved})
	}
	for f, err := range v.Verify(context.Background(), s) {
		fmt.Println(f.Device.DeviceName, f.Verdict, err)
	}
	// Output:
	// meter-0001 pass <nil>
	// meter-0002 inconclusive <nil>
	// meter-0003 inconclusive <nil>
}

// An inbox reads a consumer group of its own.
func ExampleNewInbox() {
	group := &queue{waiting: []iot.Message{message(meter, now, "iot-060a0001")}}
	box, err := verify.NewInbox(verify.InboxConfig{Receiver: group, Group: verify.GroupID("verify-group")})
	if err != nil {
		fmt.Println(err)
		return
	}
	for m, err := range box.Latest(context.Background(), []iot.DeviceID{meter}) {
		fmt.Println(m.Topic, err)
	}
	// Output: /a1Meter0001/meter-0001/user/update <nil>
}

// Devices that acknowledge on a topic of their own prove that Pub reaches them.
func ExamplePub() {
	v := verify.Pub(verify.PubConfig{
		Acks: shelf{},
		Payload: func(d migrate.SubjectDevice) []byte {
			return fmt.Appendf(nil, `{"ping":"%s %d"}`, d.ID.DeviceName, d.Moved.Unix())
		},
		Acknowledges: func(m iot.Message, sent verify.Sent) bool {
			return m.Topic == "/"+sent.Device.String()+"/user/pong" && string(m.Payload) == string(sent.Payload)
		},
	})
	fmt.Println(v.Name())
	// Output: pub
}

// Which services may be called is the caller's decision.
func ExampleService() {
	v := verify.Service(verify.ServiceConfig{
		Choose: func(productKey string, _ json.RawMessage) ([]verify.Invocation, error) {
			return []verify.Invocation{{Service: "SelfTest", Args: json.RawMessage(`{"Depth":0}`)}}, nil
		},
	})
	s := subject(newSite(""), answering("SelfTest"), meter)
	for f := range v.Verify(context.Background(), s) {
		fmt.Println(f.Verdict, f.Evidence.Seen)
	}
	// Output: pass service SelfTest answered the call
}

// A sample is visible by its name.
func ExampleSampled() {
	fmt.Println(verify.Sampled(verify.Pub(verify.PubConfig{}), 10, 2026).Name())
	// Output: pub-10-percent
}

func ExampleOnline() {
	target := newSite("iot-060a0001").online(meter, moved.Add(3*time.Second))
	for f := range verify.Online(verify.OnlineConfig{}).Verify(context.Background(), subject(newSite(""), target, meter)) {
		fmt.Println(f.Verdict, f.Evidence.Source)
		fmt.Println(f.Evidence.Seen)
	}
	// Output:
	// pass BatchGetDeviceState at iot-060a0001
	// the device is online since 2026-03-01T12:00:03.000Z
}

// What it takes to compare the history of a lane is known before.
func ExampleSynchronisedConfig_Forecast() {
	c := verify.SynchronisedConfig{Share: 0.5, Workload: tslsync.Workload{Properties: []float64{24, 24, 24}, Events: []float64{1}}}
	for _, devices := range []int{5_000, 500_000} {
		f, err := c.Forecast(devices)
		fmt.Printf("%d devices: all in %s, a sample of %d in %s; all are compared: %t; %v\n",
			devices, f.All.Round(time.Minute), f.Drawn, f.Sample.Round(time.Second), f.Whole, err)
	}
	// Output:
	// 5000 devices: all in 1h13m0s, a sample of 290 in 4m15s; all are compared: true; <nil>
	// 500000 devices: all in 122h13m0s, a sample of 298 in 4m22s; all are compared: false; <nil>
}
