package aliyun_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

// A canary for a product with a thing model answers one service, and has the setting of properties acknowledged. Run keeps it
// connected; verify.Canary asks it while it runs.
func ExampleNewCanary() {
	canary, err := aliyun.NewCanary(aliyun.CanaryConfig{
		Region:     "cn-shanghai",
		Credential: iot.Credential{ID: iot.DeviceID{ProductKey: "a1Lamp00001", DeviceName: "canary-01"}, Secret: iot.NewSecret("from a safe place")},
		Behaviour: aliyun.CanaryBehaviour{
			Services: map[string]aliyun.CanaryService{
				aliyun.PropertySet: nil,
				"SelfTest": func(context.Context, json.RawMessage) (int, json.RawMessage) {
					return 200, json.RawMessage(`{"Passed":1}`)
				},
			},
			Report: aliyun.PropertyReport(func(nonce string) json.RawMessage { return json.RawMessage(`{"Energy":` + nonce + `}`) }),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	number, _, err := canary.Session()
	fmt.Println(canary.ID(), number, err)
	// Output: a1Lamp00001/canary-01 0 the device is not connected
}

func ExamplePropertyReport() {
	report := aliyun.PropertyReport(func(nonce string) json.RawMessage { return json.RawMessage(`{"Energy":` + nonce + `}`) })
	topic, payload := report("1234567")
	fmt.Println(topic)
	fmt.Println(string(payload))
	// Output:
	// thing/event/property/post
	// {"id":"1234567","version":"1.0","params":{"Energy":1234567},"method":"thing.event.property.post"}
}
