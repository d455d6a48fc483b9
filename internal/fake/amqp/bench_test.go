package amqp_test

import (
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/internal/fake/amqp"
)

// BenchmarkServe measures how many messages of a backlog one client of go-amqp gets over loopback, when it accepts
// each of them and when they come settled.
func BenchmarkServe(b *testing.B) {
	settled := goamqp.SenderSettleModeSettled
	b.Run("accepted", func(b *testing.B) {
		benchmarkServe(b, &goamqp.ReceiverOptions{Credit: 1000})
	})
	b.Run("settled", func(b *testing.B) {
		benchmarkServe(b, &goamqp.ReceiverOptions{Credit: 1000, RequestedSenderSettleMode: &settled})
	})
}

func benchmarkServe(b *testing.B, o *goamqp.ReceiverOptions) {
	const trackers, minutes = 2000, 50
	x := newBench(b, trackers, func(c *amqp.Config) { c.Logger = nil })
	ctx := b.Context()
	c, err := goamqp.Dial(ctx, "amqp://"+x.listen(), options())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	r := x.attach(c, o)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if n%(trackers*minutes/2) == 0 { // there is always enough
			x.clock.Advance(minutes * time.Minute)
		}
		n++
		m, err := r.Receive(ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.AcceptMessage(ctx, m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msgs/s")
}
