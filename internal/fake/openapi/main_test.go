package openapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"
	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/internal/fake/openapi"
	"github.com/iotferry/iotferry/iot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	region    = "cn-shanghai"
	target    = "iot-060a0001"
	meter     = "a1Meter0001"
	gateway   = "a1Gateway01"
	climate   = "a1Climate01"
	alarms    = "bS4cX9mLqT2kVw7RyZ8n000100"
	keyID     = "LTAI4TestKey0001"
	keySecret = "Not-A-Real-Secret-0001"
)

// The fake's own clock; clients sign with the real time.
var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

const model = `{
	"properties": [{"identifier": "Setpoint", "dataType": {"type": "float", "specs": {"min": "5", "max": "30"}}}],
	"events": [{"identifier": "Alarm", "name": "Too hot", "type": "alert", "outputData": [{"identifier": "Degrees", "dataType": {"type": "int"}}]}],
	"services": [
		{"identifier": "Ping", "name": "Ping it", "callType": "sync", "outputData": [{"identifier": "ok", "dataType": {"type": "bool"}}]},
		{"identifier": "Reboot", "callType": "async"}
	]
}`

func id(key, name string) iot.DeviceID { return iot.DeviceID{ProductKey: key, DeviceName: name} }

// newFleet is an account with something to tell for every API.
func newFleet() *fleet.Fleet {
	product := func(key string, node iot.NodeType, forwarding ...fleet.Forwarding) fleet.Product {
		return fleet.Product{
			Key: key, Name: "name of " + key, NodeType: node, Auth: iot.AuthPerDevice, Network: iot.WiFi,
			Secret: iot.NewSecret("ps-" + key), DataFormat: iot.Custom, Forwarding: forwarding,
		}
	}
	f := &fleet.Fleet{
		Account: fleet.Account{UID: "1098765432109876", Region: region},
		Instances: []fleet.Instance{
			{Type: iot.PublicLegacy}, {ID: target, Type: iot.EnterpriseStandard, OnlineQuota: 1_000_000},
		},
		ConsumerGroups: []fleet.ConsumerGroup{{ID: alarms, Name: "alarms"}},
		Products: []fleet.Product{
			product(meter, iot.Direct,
				fleet.Forwarding{Type: fleet.Rule, Name: "to_ots", Topic: "/+/user/update", Actions: []string{"OTS", "FC"}},
				fleet.Forwarding{Type: fleet.AMQP, ConsumerGroup: alarms, Events: []iot.Event{iot.DeviceData, iot.StatusChange}},
				fleet.Forwarding{Type: fleet.MNS, Queue: "aliyun-iot-q", Events: []iot.Event{iot.Lifecycle}}),
			product(gateway, iot.Gateway),
			product(climate, iot.SubDevice),
		},
	}
	f.Products[2].DataFormat, f.Products[2].TSL = iot.Alink, json.RawMessage(model)
	add := func(key, name string, status iot.Status, change func(*fleet.Device)) {
		d := fleet.Device{ID: id(key, name), Secret: iot.NewSecret("s-" + name), Status: status, Reconnects: true}
		if change != nil {
			change(&d)
		}
		f.Devices = append(f.Devices, d)
	}
	statuses := []iot.Status{iot.Online, iot.Offline, iot.Unactive, iot.Disabled}
	for i, name := range deviceNames(24) {
		add(meter, name, statuses[i%len(statuses)], func(d *fleet.Device) {
			if i == 0 {
				d.Labels = map[string]string{"floor": "2", "room": `<"A">`}
			}
			d.Distributed = i == 20
		})
	}
	add(gateway, "g-1", iot.Online, nil)
	for _, name := range []string{"c-1", "c-2", "c-3"} {
		add(climate, name, iot.Online, func(d *fleet.Device) { d.Gateway = id(gateway, "g-1") })
	}
	return f
}

func deviceNames(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = "m-" + string(rune('a'+i/10)) + string(rune('0'+i%10)) + "00"
	}
	return list
}

// newCloud returns the platform in memory at its start. Two of them behave the same.
func newCloud(t testing.TB, o fake.Options) (*fake.Cloud, *fake.VirtualClock) {
	t.Helper()
	clock := fake.NewVirtualClock(start)
	o.Clock = clock
	c, err := fake.New(newFleet(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c, clock
}

// serve puts the OpenAPI of a cloud on a loopback socket and returns its address.
func serve(t testing.TB, c *fake.Cloud, clock iot.Clock) string {
	t.Helper()
	h, err := openapi.New(c, openapi.Config{
		AccessKeyID: keyID, AccessKeySecret: iot.NewSecret(keySecret), Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// dial returns the vendor's client, unchanged, whose connections end with the test.
func dial(t testing.TB, address, secret string) *vendor.Client {
	t.Helper()
	c, err := vendor.NewClientWithAccessKey(region, keyID, secret)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	c.SetTransport(transport)
	c.Domain = address
	return c
}
