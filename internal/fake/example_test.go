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
