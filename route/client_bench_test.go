package route_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// noPace lets every call through at once.
type noPace struct{}

func (noPace) Wait(ctx context.Context, _ string) error { return ctx.Err() }
func (noPace) Throttled(string)                         {}

// Calls over a socket, in turns: one directly to the instance, one through a client. The figure compares the medians.
func BenchmarkClient(b *testing.B) {
	s := newSite(b, func(fake.Op) fake.Fault { return fake.Fault{} })
	adapter, err := aliyun.Open(aliyun.Config{
		Region: "cn-shanghai", Account: "1098765432109876", Target: target, PlainText: true, Pacer: noPace{},
		Credentials: aliyun.Static(keyID, iot.NewSecret(keySecret)),
		Endpoints: aliyun.Endpoints{
			OpenAPI: "http://" + s.client.Domain, SourceAMQP: "amqp://127.0.0.1:1", TargetAMQP: "amqp://127.0.0.1:1", SourceMQTT: "tcp://127.0.0.1:1",
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer adapter.Close()
	platform := adapter.Platform()
	routed, err := s.router.Client(platform.Source, platform.Target)
	if err != nil {
		b.Fatal(err)
	}
	s.knows(s.there, route.Target)
	call := func(to iot.Commander) time.Duration {
		began := time.Now()
		if _, err := to.SetProperties(b.Context(), s.there, []byte(`{"Charge":21}`)); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	var direct, through []time.Duration
	for b.Loop() {
		direct = append(direct, call(platform.Target))
		through = append(through, call(routed))
	}
	slices.Sort(direct)
	slices.Sort(through)
	b.ReportMetric(float64(through[len(through)/2])/float64(direct[len(direct)/2]), "x-direct")
}
