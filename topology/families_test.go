package topology_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

const (
	gw1, gw2     = "a1Gatewy001/gw-1", "a1Gatewy001/gw-2"
	sub1, sub2   = "a1Sensor001/sub-1", "a1Sensor001/sub-2"
	meter, ghost = "a1Meter0001/meter-1", "a1Meter0001/ghost"
)

// members are two gateways, two sub-devices and a direct device.
func members(t *testing.T) []topology.Member {
	return []topology.Member{
		{ID: id(t, sub2), Node: iot.SubDevice},
		{ID: id(t, gw2), Node: iot.Gateway},
		{ID: id(t, meter), Node: iot.Direct},
		{ID: id(t, sub1), Node: iot.SubDevice},
		{ID: id(t, gw1), Node: iot.Gateway},
	}
}

// relations parses pairs of a gateway and a sub-device.
func relations(t *testing.T, pairs ...string) []topology.Relation {
	var all []topology.Relation
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, topology.Relation{Gateway: id(t, pairs[i]), Sub: id(t, pairs[i+1])})
	}
	return all
}

func TestFamilies(t *testing.T) {
	got, err := topology.Families(seq(members(t)), seq(relations(t, gw2, sub2, gw2, sub1, gw2, sub2)), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []topology.Family{
		{Gateway: id(t, gw1), Devices: []iot.DeviceID{id(t, gw1)}},
		{Gateway: id(t, gw2), Devices: []iot.DeviceID{id(t, sub1), id(t, sub2), id(t, gw2)}},
		{Devices: []iot.DeviceID{id(t, meter)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFamiliesOfNothing(t *testing.T) {
	got, err := topology.Families(seq[topology.Member](nil), seq[topology.Relation](nil), 0)
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = topology.Families(seq[topology.Member](nil), seq(relations(t, gw1, sub1)), 0)
	if !errors.Is(err, topology.UnknownDevice) {
		t.Errorf("a relation without devices: got %v", err)
	}
}

func TestFamiliesRefuses(t *testing.T) {
	gateway1, gateway2, child1, child2 := id(t, gw1), id(t, gw2), id(t, sub1), id(t, sub2)
	direct, unknown := id(t, meter), id(t, ghost)
	for _, tt := range []struct {
		name      string
		more      []topology.Member
		relations []string
		limit     int
		want      topology.Error
	}{
		{"duplicate direct device", []topology.Member{{ID: direct, Node: iot.Direct}}, nil, 0,
			topology.Error{Reason: topology.DuplicateDevice, Device: direct}},
		{"duplicate with another node type", []topology.Member{{ID: child1, Node: iot.Direct}}, nil, 0,
			topology.Error{Reason: topology.DuplicateDevice, Device: child1}},
		{"no node type", []topology.Member{{ID: unknown}}, nil, 0,
			topology.Error{Reason: topology.UnknownNodeType, Device: unknown}},
		{"unknown gateway", nil, []string{ghost, sub1}, 0,
			topology.Error{Reason: topology.UnknownDevice, Device: unknown}},
		{"unknown sub-device", nil, []string{gw1, ghost}, 0,
			topology.Error{Reason: topology.UnknownDevice, Device: unknown, Gateway: gateway1}},
		{"unknown product", nil, []string{gw1, "a1Unknown01/sub-1"}, 0,
			topology.Error{Reason: topology.UnknownDevice, Device: id(t, "a1Unknown01/sub-1"), Gateway: gateway1}},
		{"direct device as gateway", nil, []string{meter, sub1}, 0,
			topology.Error{Reason: topology.NotGateway, Device: child1, Gateway: direct}},
		{"sub-device as gateway", nil, []string{sub2, sub1}, 0,
			topology.Error{Reason: topology.NotGateway, Device: child1, Gateway: child2}},
		{"direct device as sub-device", nil, []string{gw1, meter}, 0,
			topology.Error{Reason: topology.NotSubDevice, Device: direct, Gateway: gateway1}},
		{"gateway below a gateway", nil, []string{gw1, gw2}, 0,
			topology.Error{Reason: topology.NestedGateway, Device: gateway2, Gateway: gateway1}},
		{"gateway below itself", nil, []string{gw1, gw1}, 0,
			topology.Error{Reason: topology.NestedGateway, Device: gateway1, Gateway: gateway1}},
		{"sub-device below itself", nil, []string{sub1, sub1}, 0,
			topology.Error{Reason: topology.NestedGateway, Device: child1, Gateway: child1}},
		{"two gateways", nil, []string{gw1, sub1, gw2, sub1}, 0,
			topology.Error{Reason: topology.TwoGateways, Device: child1, Gateway: gateway2, Other: gateway1}},
		{"over the limit", nil, []string{gw1, sub1, gw1, sub2}, 1,
			topology.Error{Reason: topology.TooManyChildren, Device: child2, Gateway: gateway1, Limit: 1}},
		{"no gateway", nil, []string{gw1, sub1}, 0,
			topology.Error{Reason: topology.NoGateway, Device: child2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := append(members(t), tt.more...)
			_, err := topology.Families(seq(all), seq(relations(t, tt.relations...)), tt.limit)
			got, ok := errors.AsType[*topology.Error](err)
			if !ok {
				t.Fatalf("got error %v, want %v", err, &tt.want)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
			if !errors.Is(err, tt.want.Reason) || !errors.Is(err, iot.Invalid) || iot.KindOf(err) != iot.Invalid {
				t.Errorf("%v is neither %v nor invalid", err, tt.want.Reason)
			}
			if !strings.Contains(err.Error(), tt.want.Device.String()) {
				t.Errorf("%q does not name %v", err, tt.want.Device)
			}
		})
	}
}

func TestFamiliesDefaultLimit(t *testing.T) {
	for _, tt := range []struct{ limit, subs int }{{0, 1500}, {0, 1501}, {-1, 1501}, {2000, 2000}, {2000, 2001}} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			subs := make([]string, tt.subs)
			for i := range subs {
				subs[i] = subProducts[0]
			}
			all, rels := streams(rand.New(rand.NewPCG(1, 1)), []topology.Family{family(1, subs...)})
			_, err := topology.Families(seq(all), seq(rels), tt.limit)
			if want := tt.subs%10 == 1; errors.Is(err, topology.TooManyChildren) != want || err != nil != want {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestFamiliesPassesStreamErrorsOn(t *testing.T) {
	cause := errors.New("line is dead")
	brokenDevices := func(yield func(topology.Member, error) bool) {
		if yield(topology.Member{}, cause) {
			t.Error("devices are read on after an error")
		}
	}
	brokenRelations := func(yield func(topology.Relation, error) bool) {
		if yield(relations(t, gw1, sub1)[0], nil) && yield(topology.Relation{}, cause) {
			t.Error("relations are read on after an error")
		}
	}
	noRelations := func(func(topology.Relation, error) bool) { t.Error("relations are read after an error") }

	_, err := topology.Families(brokenDevices, noRelations, 0)
	if want := "topology: read devices: line is dead"; !errors.Is(err, cause) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = topology.Families(seq(members(t)), brokenRelations, 0)
	if want := "topology: read relations: line is dead"; !errors.Is(err, cause) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A fault that was read before the stream broke is the first fault, and it ends the reading soon.
func TestFamiliesReportsTheFirstFault(t *testing.T) {
	fault := relations(t, gw1, gw2)[0]
	broken := func(yield func(topology.Relation, error) bool) {
		_ = yield(fault, nil) && yield(topology.Relation{}, errors.New("line is dead"))
	}
	_, err := topology.Families(seq(members(t)), broken, 0)
	if !errors.Is(err, topology.NestedGateway) {
		t.Errorf("got %v", err)
	}
	read := 0
	endless := func(yield func(topology.Relation, error) bool) {
		for yield(fault, nil) {
			read++
		}
	}
	_, err = topology.Families(seq(members(t)), endless, 0)
	if !errors.Is(err, topology.NestedGateway) || read > 1000 {
		t.Errorf("got %v after %d relations", err, read)
	}
}

// Taken apart and shuffled, families come back as they were: each device once, in order.
func TestFamiliesOfAnyOrder(t *testing.T) {
	forSeeds(t, 50, func(t *testing.T, rnd *rand.Rand) {
		want := randomFleet(rnd)
		all, rels := streams(rnd, want)
		got, err := topology.Families(seq(all), seq(append(rels, rels...)), 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// So many devices that some of them look alike to the table.
func TestFamiliesOfManyDevices(t *testing.T) {
	want := mixedFleet(300_000)
	all, rels := streams(rand.New(rand.NewPCG(5, 6)), want)
	got, err := topology.Families(seq(all), seq(rels), 0)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, got) {
		t.Error("the families are not those that were taken apart")
	}
}

// The devices of all families share an array; appending to one family must not write into the next.
func TestFamiliesDoNotOverlap(t *testing.T) {
	got, err := topology.Families(seq(members(t)), seq(relations(t, gw2, sub2, gw2, sub1)), 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(got[0].Devices, id(t, ghost))
	if got[1].Devices[0] != id(t, sub1) {
		t.Errorf("appending to the first family changed the second: %v", got[1])
	}
}

func TestZeroFamily(t *testing.T) {
	var f topology.Family
	if !f.ID().IsZero() || f.Len() != 0 {
		t.Errorf("got ID %v and length %d", f.ID(), f.Len())
	}
}

func ExampleFamilies() {
	gateway := iot.DeviceID{ProductKey: "a1Gatewy001", DeviceName: "gw-1"}
	sensor := iot.DeviceID{ProductKey: "a1Sensor001", DeviceName: "sensor-1"}
	devices := []topology.Member{
		{ID: sensor, Node: iot.SubDevice},
		{ID: gateway, Node: iot.Gateway},
		{ID: iot.DeviceID{ProductKey: "a1Meter0001", DeviceName: "meter-1"}, Node: iot.Direct},
	}
	relations := []topology.Relation{{Gateway: gateway, Sub: sensor}}
	families, err := topology.Families(seq(devices), seq(relations), topology.DefaultMaxSubDevices)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range families {
		fmt.Println(f.ID(), f.Devices)
	}

	_, err = topology.Families(seq(devices), seq[topology.Relation](nil), 0)
	fmt.Println(err)
	// Output:
	// a1Gatewy001/gw-1 [a1Sensor001/sensor-1 a1Gatewy001/gw-1]
	// a1Meter0001/meter-1 [a1Meter0001/meter-1]
	// topology: device "a1Sensor001/sensor-1": it is a sub-device without a gateway: add it to one, or leave it out
}
