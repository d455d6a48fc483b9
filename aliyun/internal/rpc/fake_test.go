package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/internal/fake/openapi"
	"github.com/iotferry/iotferry/iot"
)

const meter = "a1Meter0001"

// platform serves the platform in memory, with a fault if there is one, and returns its address.
func platform(t testing.TB, fault func(fake.Op) fake.Fault) string {
	t.Helper()
	f := &fleet.Fleet{
		Account:   fleet.Account{UID: "1098765432109876", Region: region},
		Instances: []fleet.Instance{{Type: iot.PublicLegacy}, {ID: "iot-060a0001", Type: iot.EnterpriseStandard, OnlineQuota: 100}},
		Products:  []fleet.Product{{Key: meter, Name: "meter", NodeType: iot.Direct, Auth: iot.AuthPerDevice, Network: iot.WiFi, DataFormat: iot.Custom}},
	}
	for i := range 3 {
		f.Devices = append(f.Devices, fleet.Device{
			ID:     iot.DeviceID{ProductKey: meter, DeviceName: fmt.Sprintf("m-000%d", i)},
			Secret: iot.NewSecret("Real"), Status: iot.Offline,
		})
	}
	cloud, err := fake.New(f, fake.Options{Hook: fault, Quotas: fake.NoQuotas})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := openapi.New(cloud, openapi.Config{AccessKeyID: keyID, AccessKeySecret: iot.NewSecret(keySecret)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

type states struct {
	DeviceStatusList struct {
		DeviceStatus []struct{ DeviceName, Status string }
	}
}

func statesOf(names ...string) rpc.Call {
	call := rpc.Call{API: "BatchGetDeviceState", Query: rpc.Params{"ProductKey": meter}}
	call.Query.Repeat("DeviceName", names)
	return call
}

func register(name string) rpc.Call {
	return rpc.Call{API: "RegisterDevice", Writes: true, Query: rpc.Params{"ProductKey": meter, "DeviceName": name}}
}

// The platform takes the signature, and lists and answers go through.
func TestCallsOfThePlatform(t *testing.T) {
	c := open(t, rpc.Config{Endpoint: platform(t, nil)})
	var got states
	if err := c.Do(t.Context(), statesOf("m-0000", "m-0002", "nobody"), &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range got.DeviceStatusList.DeviceStatus {
		names = append(names, d.DeviceName+" "+d.Status)
	}
	if want := []string{"m-0000 OFFLINE", "m-0002 OFFLINE"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	var made struct {
		Data struct{ DeviceName, DeviceSecret string }
	}
	if err := c.Do(t.Context(), register("新 device+/"), &made); err == nil {
		t.Error("a name that is not allowed was registered")
	} else {
		expectError(t, err, "RegisterDevice", iot.Invalid)
	}
	if err := c.Do(t.Context(), register("m-new-1"), &made); err != nil || made.Data.DeviceName != "m-new-1" || made.Data.DeviceSecret == "" {
		t.Errorf("got %v, want a new device with a secret", err)
	}
	expectError(t, c.Do(t.Context(), register("m-new-1"), nil), "RegisterDevice", iot.Conflict)
}

func TestAWrongKeyIsDenied(t *testing.T) {
	url := platform(t, nil)
	for name, key := range map[string]rpc.Credential{
		"secret": {AccessKeyID: keyID, AccessKeySecret: iot.NewSecret("Real")},
		"ID":     {AccessKeyID: "LTAI4Another", AccessKeySecret: iot.NewSecret(keySecret)},
	} {
		c := open(t, rpc.Config{Endpoint: url, Credentials: rpc.Static(key)})
		if e := expectError(t, c.Do(t.Context(), register("m-new-1"), nil), "RegisterDevice", iot.Denied); e.Code == "" {
			t.Errorf("wrong %s: the platform's code is missing", name)
		}
	}
}

// The fault hook of the platform: what is told of the effect is true.
func TestFaultsOfThePlatform(t *testing.T) {
	tests := map[string]struct {
		fault     fake.Fault
		want      iot.Kind
		effect    bool
		throttled int
	}{
		"none":                  {fake.Fault{}, iot.Unclassified, true, 0},
		"lost after the effect": {fake.Fault{Lost: true}, iot.UnknownOutcome, true, 0},
		"lost before it":        {fake.Fault{Err: &fake.LostError{Op: "RegisterDevice"}}, iot.UnknownOutcome, false, 0},
		"throttled":             {fake.Fault{Err: &fake.APIError{HTTPStatus: 400, Code: "Throttling.User"}}, iot.Throttled, false, 1},
		"gateway error":         {fake.Fault{Err: &fake.APIError{HTTPStatus: 503, Code: "ServiceUnavailable"}}, iot.UnknownOutcome, false, 0},
		"system exception":      {fake.Fault{Err: &fake.APIError{HTTPStatus: 200, Code: "iot.system.SystemException"}}, iot.UnknownOutcome, false, 0},
		"no permission":         {fake.Fault{Err: &fake.APIError{HTTPStatus: 403, Code: "Forbidden.RAM"}}, iot.Denied, false, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := &pacer{}
			c := open(t, rpc.Config{Pacer: p, Endpoint: platform(t, func(op fake.Op) fake.Fault {
				if op.Name == "RegisterDevice" {
					return test.fault
				}
				return fake.Fault{}
			})})
			err := c.Do(t.Context(), register("m-new-1"), nil)
			if (err == nil) != (test.want == iot.Unclassified) || err != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			told := 0
			for _, what := range p.told {
				if what == "throttled RegisterDevice" {
					told++
				}
			}
			if told != test.throttled {
				t.Errorf("the pacer was told %d times, want %d", told, test.throttled)
			}
			var got states
			if err := c.Do(t.Context(), statesOf("m-new-1"), &got); err != nil {
				t.Fatal(err)
			}
			if there := len(got.DeviceStatusList.DeviceStatus) == 1; there != test.effect {
				t.Errorf("the device is there: %t, want %t", there, test.effect)
			}
		})
	}
}

func ExampleCaller_Do() {
	c, err := rpc.New(rpc.Config{
		Endpoint: "https://iot.cn-shanghai.aliyuncs.com", Region: region, Credentials: rpc.Static(credential),
		Transport: answering(200, `{"Success":true,"DeviceStatusList":{"DeviceStatus":[{"DeviceName":"m-0001","Timestamp":"1772352000000"}]}}`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	call := rpc.Call{API: "BatchGetDeviceState", Query: rpc.Params{"ProductKey": meter}}
	call.Query.Repeat("DeviceName", []string{"m-0001", "m-0002"})
	var answer struct {
		DeviceStatusList struct {
			DeviceStatus []struct {
				DeviceName string
				Timestamp  int64
			}
		}
	}
	if err := c.Do(context.Background(), call, &answer); err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range answer.DeviceStatusList.DeviceStatus {
		fmt.Println(d.DeviceName, d.Timestamp)
	}
	// Output: m-0001 1772352000000
}
