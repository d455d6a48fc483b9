package carry_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/carry"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// Labels are kept before a device moves, and given to it afterwards.
func Example() {
	ctx := context.Background()
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 2})
	cloud, err := migratetest.Open(bytes.NewReader(fleet), migratetest.Options{Clock: clock, NoQuotas: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	meter := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "direct-0000"}
	if err := cloud.SetupSource(migratetest.Setup{Labels: map[iot.DeviceID]map[string]string{meter: {"site": "hangzhou"}}}); err != nil {
		fmt.Println(err)
		return
	}

	platform, store := cloud.Platform(), &carry.Memory{} // in production: carry.Open
	o := carry.Options{Products: []string{meter.ProductKey}, Name: "spring"}
	if err := carry.Keep(ctx, platform.Source.View, store, o); err != nil {
		fmt.Println(err)
		return
	}

	for _, kind := range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray} {
		task := migrate.ConsoleTask{Kind: kind, Target: platform.Target.Info, Products: []migrate.ConsoleProduct{{ProductKey: meter.ProductKey, DeviceNames: []string{"direct-0000"}}}}
		if err := cloud.Operator().Perform(ctx, task); err != nil {
			fmt.Println(err)
			return
		}
	}

	clock.Advance(time.Minute) // the target shows a device some moments after its move
	if _, err := carry.Carry(ctx, platform.Target, store, o); err != nil {
		fmt.Println(err)
		return
	}
	labels, err := platform.Target.Config.Labels.Labels(ctx, meter)
	fmt.Println(labels, err)
	// Output: map[site:hangzhou] <nil>
}
