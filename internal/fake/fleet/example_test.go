package fleet_test

import (
	"fmt"
	"strings"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/internal/fake/fleet"
)

func ExampleRead() {
	f, err := fleet.Read(fleets.Demo())
	if err != nil {
		fmt.Println(err)
		return
	}
	target, _ := f.Target()
	fmt.Println(len(f.Products), "products,", len(f.Devices), "devices, target", target.ID)

	_, err = fleet.Read(strings.NewReader(`{"version": 1, "account": {"uid": 1098}}`))
	fmt.Println(err)
	// Output:
	// 11 products, 505 devices, target iot-060a0001
	// account.uid: a number where text is wanted
}
