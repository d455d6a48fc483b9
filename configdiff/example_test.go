package configdiff_test

import (
	"fmt"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
)

// A migrated rule is the same rule under another ID; what an MNS queue got goes to a consumer group.
func ExampleCompare() {
	source := &configdiff.Config{
		Products: []string{"a1Meter0001"},
		Rules:    []iot.RuleDetail{{Rule: iot.Rule{ID: "100001", Name: "to_table", ProductKey: "a1Meter0001"}}},
		Subscriptions: []iot.Subscription{
			{ProductKey: "a1Meter0001", Type: iot.MNS, Queue: "iot-meter", Events: []iot.Event{iot.DeviceData}},
		},
	}
	target := &configdiff.Config{
		Products: []string{"a1Meter0001"},
		Rules:    []iot.RuleDetail{{Rule: iot.Rule{ID: "200001", Name: "to_table", ProductKey: "a1Meter0001"}}},
		Groups:   []iot.ConsumerGroup{{ID: "g-7", Name: "meters"}},
		Subscriptions: []iot.Subscription{
			{ProductKey: "a1Meter0001", Type: iot.AMQP, Groups: []string{"g-7"}, Events: []iot.Event{iot.DeviceData}},
		},
	}
	for _, d := range configdiff.Compare(configdiff.AfterMove, source, target) {
		fmt.Println(d.Severity, d.Change, d.Why)
	}
	// Output:
	// note new-id rule "to_table" exists at the target under a new ID.
	// note extra product a1Meter0001 has an AMQP subscription at the target alone.
	// work unsupported product a1Meter0001 is subscribed by MNS queue "iot-meter", and MNS has no equivalent at the target: use AMQP group "meters" (g-7).
}
