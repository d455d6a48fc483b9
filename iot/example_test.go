package iot_test

import (
	"errors"
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

func ExampleParseDeviceID() {
	id, err := iot.ParseDeviceID("a1B2c3D4e5F/thermo-001")
	fmt.Println(id.ProductKey, id.DeviceName, err)

	_, err = iot.ParseDeviceID("a1B2c3D4e5F/no")
	fmt.Println(err)
	fmt.Println(errors.Is(err, iot.Invalid))
	// Output:
	// a1B2c3D4e5F thermo-001 <nil>
	// device name "no" has 2 characters, 4 to 32 are allowed
	// true
}

// Decide by what can be done about an error, never by its text.
func ExampleKind() {
	answer := &iot.Error{
		Kind: iot.Throttled, Op: "BatchGrayMigrationDevice", Code: "Throttling.User", Message: "over 5 calls a second",
	}
	err := fmt.Errorf("move wave 3: %w", answer)

	fmt.Println(err)
	fmt.Println(errors.Is(err, iot.Throttled), errors.Is(err, iot.NotFound))
	switch iot.KindOf(err) {
	case iot.Throttled, iot.Transient:
		fmt.Println("nothing happened: the same call may work later")
	case iot.UnknownOutcome:
		fmt.Println("look at both instances before anything else")
	}
	// Output:
	// move wave 3: BatchGrayMigrationDevice: over 5 calls a second (Throttling.User)
	// true false
	// nothing happened: the same call may work later
}
