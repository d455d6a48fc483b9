package aliyun_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

// A server reads both instances while its fleet is on the way from the one to the other.
func ExampleClient_Messages() {
	platform, stop, err := startUplink(3) // a simulated account: leave this out
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = stop() }()
	platform.clock.Advance(time.Minute) // each device has reported once

	client, err := aliyun.Open(platform.config())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	stream, err := client.Messages(aliyun.StreamConfig{SourceGroup: "DEFAULT_GROUP", TargetGroup: "DEFAULT_GROUP", Handlers: 4})
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background()) // a real server: signal.NotifyContext
	defer cancel()
	var stored atomic.Int64
	err = stream.Run(ctx, func(_ context.Context, m iot.Message) error {
		if stored.Add(1) == 6 {
			cancel()
		}
		return nil // stored: it does not come again
	})
	if err != nil {
		log.Fatal(err)
	}
	stats := stream.Stats()
	fmt.Println("from the source:", stats.Source.Handled)
	fmt.Println("from the target:", stats.Target.Handled)
	// Output:
	// from the source: 3
	// from the target: 3
}
