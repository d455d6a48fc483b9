package fake_test

import (
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// A device moves: the console prepares, the API moves, time lets the device come back.
func Example() {
	clock := fake.NewVirtualClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))
	f := newFleet()
	f.Products = []fleet.Product{custom(meter, iot.Direct, rule("/+/user/update", "OTS"))}
	add(f, meter, names("m", 2), nil)
	cloud, err := fake.New(f, fake.Options{Clock: clock})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	task, _ := cloud.Console().CreateTask(ctx, meter, target)
	_, _ = cloud.Console().Gray(ctx, task, []string{"m-0001"})
	_ = cloud.Console().Confirm(ctx, task)

	platform, _ := cloud.Platform(target, nil)
	results, _ := platform.Mover.Move(ctx, meter, []string{"m-0002"})
	fmt.Println("accepted:", results[0].Accepted)
	show := func() {
		t, _ := cloud.Truth(id(meter, "m-0002"))
		fmt.Println(clock.Now().Format("15:04:05"), t.Instance, t.Status)
	}
	show()
	clock.Advance(10 * time.Second)
	show()
	// Output:
	// accepted: true
	// 08:00:00 iot-060a0001 offline
	// 08:00:10 iot-060a0001 online
}

func ExampleVirtualClock() {
	clock := fake.NewVirtualClock(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	_ = clock.WaitUntil(context.Background(), clock.Now().AddDate(0, 0, 30))
	fmt.Println(clock.Now().Format(time.DateOnly))
	// Output: 2026-03-31
}

// A client is a device: what it posts is answered, and what servers send it comes as a downlink.
func ExampleCloud_Attach() {
	f := newFleet()
	f.Products = []fleet.Product{custom(meter, iot.Direct, rule("/+/user/update", "OTS"))}
	add(f, meter, names("m", 1), nil)
	cloud, err := fake.New(f, fake.Options{NoDevices: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := cloud.Attach(id(meter, "m-0001"), fake.PublicDomain, "198.51.100.7")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(0)
	session.Subscribe("/a1Meter0001/m-0001/user/get")
	_ = session.Publish("/a1Meter0001/m-0001/user/update", []byte("warm"), 1)
	m, _ := cloud.Sink("").Newest(id(meter, "m-0001"))
	fmt.Printf("the server got %s\n", m.Payload)

	ctx := context.Background()
	platform, _ := cloud.Platform(target, nil)
	_, _ = platform.Source.Publish(ctx, "/a1Meter0001/m-0001/user/get", []byte("how warm?"))
	d, _ := session.Next(ctx)
	fmt.Printf("the device got %s\n", d.Payload)

	_, _ = cloud.Attach(id(meter, "m-0001"), fake.PublicDomain, "198.51.100.8")
	_, err = session.Next(ctx)
	fmt.Println(err)
	// Output:
	// the server got warm
	// the device got how warm?
	// the platform ended the session with code 427
}
