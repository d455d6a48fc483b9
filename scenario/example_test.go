package scenario_test

import (
	"fmt"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
)

func list(s migrate.Strategy, l migrate.Lane) {
	stages, err := s.Stages(l)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, stage := range stages {
		fmt.Println(stage.Name + parts(stage))
	}
}

func ExampleDirect() {
	list(scenario.Direct(scenario.Options{}), directLane())
	// Output:
	// create-task: console create-task
	// first-gray: console gray-batch, move 10
	// confirm-gray: gate, console confirm-gray
	// gray-waves: move 100
	// rest: gate, move the rest
	// check
}

func ExampleGateway() {
	list(scenario.Gateway(scenario.Options{FirstGray: 50, GrayShare: 0.25}), gatewayLane())
	// Output:
	// create-task: console create-task
	// first-gray: console gray-batch, move 50
	// confirm-gray: gate, console confirm-gray
	// gray-waves: move 1000
	// rest: gate, move the rest
	// check
}

func ExamplePreRegistered() {
	list(scenario.PreRegistered(scenario.Options{}), preregisteredLane())
	// Output:
	// create-task: console create-task
	// first-gray: console gray-batch, move 10
	// subscription: own code
	// update-subscriber: gate
	// prove-gray
	// confirm-gray: gate, console confirm-gray
	// new-device: gate
	// gray-waves: move 100
	// rest: gate, move the rest
	// check
}

func ExampleTSL() {
	list(scenario.TSL(scenario.Options{Full: true}), tslLane())
	// Output:
	// create-task: console create-task
	// first-gray: console gray-batch, move 10
	// confirm-gray: gate, console confirm-gray
	// gray-waves: move 100
	// data-sync: console data-sync, wait 7 to 30 days
	// rest: gate, console full, move the rest
	// check
}

func ExampleAll() {
	for _, s := range scenario.All(scenario.Options{}) {
		m := s.Match(tslLane())
		fmt.Printf("%d %s: %v\n", scenario.Number(s.Name()), s.Name(), m.Fits)
	}
	// Output:
	// 2 gateway: false
	// 3 preregistered: false
	// 4 tsl: true
	// 1 direct: false
}
