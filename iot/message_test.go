package iot_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
)

var lamp = iot.DeviceID{ProductKey: "a1B2c3D4e5F", DeviceName: "lamp-001"}

func TestMessageDevice(t *testing.T) {
	for _, topic := range []string{
		"/as/mqtt/status/a1B2c3D4e5F/lamp-001",
		"/a1B2c3D4e5F/lamp-001/thing/event/property/post",
		"/a1B2c3D4e5F/lamp-001/thing/event/overheated/post",
		"/a1B2c3D4e5F/lamp-001/thing/property/batch/post",
		"/a1B2c3D4e5F/lamp-001/thing/event/batch/post",
		"/a1B2c3D4e5F/lamp-001/thing/event/property/history/post",
		"/a1B2c3D4e5F/lamp-001/thing/event/overheated/history/post",
		"/a1B2c3D4e5F/lamp-001/thing/downlink/reply/message",
		"/a1B2c3D4e5F/lamp-001/thing/lifecycle",
		"/a1B2c3D4e5F/lamp-001/thing/topo/lifecycle",
		"/a1B2c3D4e5F/lamp-001/thing/list/found",
		"/a1B2c3D4e5F/lamp-001/ota/upgrade",
		"/a1B2c3D4e5F/lamp-001/ota/version/post",
		"/a1B2c3D4e5F/lamp-001/thing/deviceinfo/update",
		"/a1B2c3D4e5F/lamp-001/user/update",
		"/a1B2c3D4e5F/lamp-001/user/ota/job/status", // a custom topic, whatever it is called
		"/sys/a1B2c3D4e5F/lamp-001/thing/event/property/post",
		"/sys/a1B2c3D4e5F/lamp-001/rrpc/request/123",
		"/a1B2c3D4e5F/lamp-001",
	} {
		if got, ok := (iot.Message{Topic: topic}).Device(); !ok || got != lamp {
			t.Errorf("%s: got %v, %t, want %v", topic, got, ok, lamp)
		}
	}
}

func TestMessageDeviceNone(t *testing.T) {
	for _, topic := range []string{
		"",
		"/",
		"///",
		"lamp-001",
		"a1B2c3D4e5F/lamp-001/user/update", // no leading slash
		"/a1B2c3D4e5F",
		"/a1B2c3D4e5F/",
		"/a1B2c3D4e5F//user/update",
		"//lamp-001/user/update",
		"/a1B2c3D4e5F/+/user/update",
		"/a1B2c3D4e5F/lam/user/update", // too short for a name
		"/a1B2c3D4e5Fx/lamp-001/user/update",
		"/sys",
		"/sys/a1B2c3D4e5F",
		"/sysa1B2c3D4e5F/lamp-001",
		"/as/mqtt/status",
		"/as/mqtt/statusa1B2c3D4e5F/lamp-001",
		"/as/mqtt/other/a1B2c3D4e5F/lamp-001",
		"/a1B2c3D4e5F/package-0001/job-0001/ota/job/status", // of a package, not of a device
		"/broadcast/a1B2c3D4e5F/lamp-001",
		"/a1B2c3D4e5F/lamp\x00001/user/update",
		"/a1B2c3D4e5F/lamp\xff01/user/update",
	} {
		if got, ok := (iot.Message{Topic: topic}).Device(); ok {
			t.Errorf("%q: got %v, want none", topic, got)
		}
	}
}

func FuzzMessageDevice(f *testing.F) {
	for _, seed := range []string{
		"/as/mqtt/status/a1B2c3D4e5F/lamp-001", "/a1B2c3D4e5F/lamp-001/user/update", "/sys/a1B2c3D4e5F/lamp-001/x",
		"/as/mqtt/status/sys/a1B2c3D4e5F/lamp-001", "/a1B2c3D4e5F/package-0001/job-0001/ota/job/status", "////", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		id, ok := iot.Message{Topic: topic}.Device()
		if !ok {
			return
		}
		if err := id.Check(); err != nil {
			t.Errorf("%q names a device that cannot be: %v", topic, err)
		}
		// The same device speaks on a custom topic of its own.
		if again, ok := (iot.Message{Topic: "/" + id.String() + "/user/update"}).Device(); !ok || again != id {
			t.Errorf("%q: %v does not come back, but %v, %t", topic, id, again, ok)
		}
	})
}

func TestMessageNotice(t *testing.T) {
	for name, test := range map[string]struct {
		payload string
		want    iot.MigrationNotice
	}{
		"as documented": {
			`{"status":"GRAY_EXECUTING","targetInstance":"iot-060a0001","successDevices":[{"productKey":"a1B2c3D4e5F","deviceName":"lamp-001"}]}`,
			iot.MigrationNotice{Status: "GRAY_EXECUTING", Target: "iot-060a0001", Devices: []iot.DeviceID{lamp}},
		},
		"fields nobody documented": {
			`{"targetInstance":"iot-060a0001","x":{"y":[1]},"successDevices":[{"productKey":"a1B2c3D4e5F","deviceName":"lamp-001","iotId":"z"}],"failedDevices":[]}`,
			iot.MigrationNotice{Target: "iot-060a0001", Devices: []iot.DeviceID{lamp}},
		},
		"a status nobody documented": {
			`{"status":"ROLLBACK","targetInstance":"","successDevices":[]}`,
			iot.MigrationNotice{Status: "ROLLBACK", Devices: []iot.DeviceID{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := iot.Message{Payload: []byte(test.payload)}.Notice()
			if diff := cmp.Diff(test.want, got); !ok || diff != "" {
				t.Errorf("%t (-want +got):\n%s", ok, diff)
			}
		})
	}
}

func TestMessageNoticeNone(t *testing.T) {
	for _, payload := range []string{
		"",
		"null",
		"[]",
		"17",
		"{}",
		"\xff\xfe",
		`{"status":"GRAY_EXECUTING"}`,
		`{"targetInstance":"iot-060a0001"}`,
		`{"successDevices":[]}`,
		`{"targetInstance":null,"successDevices":[]}`,
		`{"targetInstance":"iot-060a0001","successDevices":null}`,
		`{"targetInstance":7,"successDevices":[]}`,
		`{"targetInstance":"iot-060a0001","successDevices":"lamp-001"}`,
		`{"targetInstance":"iot-060a0001","successDevices":[]`,
		`{"temperature":{"value":21}}`,
	} {
		if got, ok := (iot.Message{Payload: []byte(payload)}).Notice(); ok {
			t.Errorf("%q: got %+v, want none", payload, got)
		}
	}
}

// What devices say is theirs, whatever it looks like.
func TestMessageNoticeOfDevice(t *testing.T) {
	m := iot.Message{Payload: []byte(`{"status":"GRAY_EXECUTING","targetInstance":"iot-060a0001","successDevices":[]}`)}
	for topic, want := range map[string]bool{
		"": true, "/instance/migration": true, "/a1B2c3D4e5F/migration/user": true,
		"/a1B2c3D4e5F/lamp-001/user/update": false, "/a1B2c3D4e5F/lamp-001/user/instance/migration": false,
	} {
		m.Topic = topic
		if _, ok := m.Notice(); ok != want {
			t.Errorf("%q: %t, want %t", topic, ok, want)
		}
	}
}

func FuzzMessageNotice(f *testing.F) {
	f.Add([]byte(`{"status":"GRAY_EXECUTING","targetInstance":"iot-060a0001","successDevices":[{"productKey":"a","deviceName":"b"}]}`))
	f.Add([]byte(`{"targetInstance":"","successDevices":[]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		notice, ok := iot.Message{Payload: payload}.Notice()
		if ok == (notice.Devices == nil) {
			t.Errorf("%q: %t, with devices %v", payload, ok, notice.Devices)
		}
	})
}
