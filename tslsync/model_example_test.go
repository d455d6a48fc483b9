package tslsync_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/iotferry/iotferry/tslsync"
)

// Two instances publish a model of the same product. The order of the properties makes no difference, a tighter limit does.
func ExampleDiff() {
	source, err := tslsync.Parse(json.RawMessage(`{
		"profile": {"productKey": "a1Meter0001"},
		"properties": [
			{"identifier": "Power", "accessMode": "r", "dataType": {"type": "float", "specs": {"max": "1000"}}},
			{"identifier": "Relay", "accessMode": "rw", "dataType": {"type": "bool", "specs": {"0": "open", "1": "closed"}}}
		]}`))
	if err != nil {
		log.Fatal(err)
	}
	target, err := tslsync.Parse(json.RawMessage(`{
		"profile": {"productKey": "a1Meter0001"},
		"properties": [
			{"identifier": "Relay", "accessMode": "r", "dataType": {"type": "bool", "specs": {"0": "open", "1": "closed"}}},
			{"identifier": "Power", "accessMode": "r", "dataType": {"type": "float", "specs": {"max": 500.0}}}
		]}`))
	if err != nil {
		log.Fatal(err)
	}
	changes := tslsync.Diff(source, target)
	for _, c := range changes {
		fmt.Printf("%s: %s to %s breaks %s: %s\n", c.Path, c.From, c.To, c.Breaks, c.Why)
	}
	fmt.Println("in all:", tslsync.Broken(changes))
	// Output:
	// properties.Power.max: 1000 to 500 breaks device: values that were allowed may be refused
	// properties.Relay.access: rw to r breaks caller: callers cannot set it any more
	// in all: device and caller
}

func ExampleEqualValue() {
	level := tslsync.DataType{Kind: tslsync.Int}
	fmt.Println(tslsync.EqualValue(level, json.RawMessage(`"1"`), json.RawMessage(`1.0`)))
	// Output: true
}

func ExampleIndex() {
	m, err := tslsync.Parse(json.RawMessage(`{"functionBlocks": [{"functionBlockId": "engine", "properties": [
		{"identifier": "Speed", "accessMode": "r", "dataType": {"type": "int"}}]}]}`))
	if err != nil {
		log.Fatal(err)
	}
	speed, ok := tslsync.NewIndex(m).Property("engine:Speed")
	fmt.Println(speed.Kind, ok)
	// Output: int true
}
