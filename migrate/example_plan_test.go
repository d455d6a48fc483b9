package migrate_test

import (
	"fmt"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// thermometers is a small survey; a real one comes from TakeSurvey.
func thermometers(n int) *migrate.Survey {
	p := migrate.SurveyProduct{Product: iot.Product{
		Key: "a1Thermo001", Name: "Thermometer", NodeType: iot.Direct, Auth: iot.AuthSecret,
		DataFormat: iot.Custom, Network: iot.WiFi,
	}}
	for i := range n {
		id := iot.DeviceID{ProductKey: p.Product.Key, DeviceName: fmt.Sprintf("thermo-%03d", i)}
		p.Devices = append(p.Devices, iot.Device{ID: id, Status: iot.Online})
	}
	return &migrate.Survey{
		Account:  "1098765432109876",
		Source:   iot.InstanceInfo{Type: iot.PublicLegacy, Region: "cn-shanghai"},
		Target:   iot.InstanceInfo{ID: "iot-060a0001", Type: iot.EnterpriseStandard, Region: "cn-shanghai"},
		Products: []migrate.SurveyProduct{p},
		Declared: migrate.Declared{
			Products:          map[string]migrate.DeclaredProduct{p.Product.Key: {Auth: iot.AuthPerDevice}},
			TargetOnlineQuota: 100,
		},
	}
}

// grayThenRest takes every lane.
func grayThenRest() migrate.Strategy {
	match := func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "it takes every lane"} }
	stages := func(migrate.Lane) ([]migrate.Stage, error) {
		return []migrate.Stage{
			{Name: "create", About: "Create the migration tasks.", Console: migrate.ConsoleCreate},
			{Name: "gray", About: "Move a few devices.", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 5}},
			{Name: "confirm", About: "Confirm them.", Console: migrate.ConsoleConfirm, Gate: true},
			{Name: "rest", About: "Move all others.", Move: &migrate.Move{Rest: true}},
		}, nil
	}
	return migrate.NewStrategy("gray-then-rest", match, stages)
}

func ExamplePlanner() {
	planner := migrate.Planner{Strategies: []migrate.Strategy{grayThenRest()}}
	plan, err := planner.Plan(thermometers(85))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, lane := range plan.Lanes {
		fmt.Printf("lane %s: %d devices by %s: %s\n", lane.Lane.ID, lane.Lane.Devices, lane.Strategy, lane.Why)
		for _, stage := range lane.Stages {
			fmt.Printf("  %s\n", stage.About)
			for i, w := range stage.Waves {
				fmt.Printf("    wave %d: %d devices\n", i+1, w.Devices)
			}
		}
		fmt.Printf("  %d calls take %v\n", lane.Forecast.Calls, lane.Forecast.Moving)
	}
	// Output:
	// lane a1Thermo001: 85 devices by gray-then-rest: it takes every lane
	//   Create the migration tasks.
	//   Move a few devices.
	//     wave 1: 5 devices
	//   Confirm them.
	//   Move all others.
	//     wave 1: 10 devices
	//     wave 2: 20 devices
	//     wave 3: 40 devices
	//     wave 4: 10 devices
	//   8 calls take 1.6s
}

func ExampleSurvey_Preflight() {
	s := thermometers(120)
	s.Declared.Products["a1Thermo001"] = migrate.DeclaredProduct{Network: iot.LoRaWAN}
	report, err := s.Preflight()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range report.Issues {
		if i.Severity != migrate.Work {
			fmt.Printf("%s %s (%s): %s %s\n", i.Severity, i.Code, i.Basis, i.Why, i.Remedy)
		}
	}
	// Output:
	// blocker online-quota (declared): The target can hold 100 devices online at once, and that must be more than the 120 devices to migrate. Raise the target's quota to 121 or more, and declare it.
	// warning lorawan (declared): LoRaWAN devices may stop working after the migration, says the platform. Ask support first, and begin with few devices that can be reached.
	// warning undeclared (undeclared): No API shows which kind of secret a product's devices use, nor the features and networks that forbid a migration. Declare the product: its authentication, its network if that is LoRaWAN or NB-IoT, and its features.
}

func ExampleDiff() {
	planner := migrate.Planner{Strategies: []migrate.Strategy{grayThenRest()}}
	before, err := planner.Plan(thermometers(12))
	if err != nil {
		fmt.Println(err)
		return
	}
	planner.Limits.MaxFailedDevices = 1
	after, err := planner.Plan(thermometers(13))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range migrate.Diff(before, after) {
		fmt.Println(line)
	}
	// Output:
	// limits.maxFailedDevices: 0 -> 1
	// lane a1Thermo001: product a1Thermo001.devices: 12 -> 13
	// lane a1Thermo001: family a1Thermo001/thermo-012: new, with 1 devices
	// lane a1Thermo001: stage rest: 1 wave of 7 devices -> 1 wave of 8 devices
}
