package aliyun_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/amqp"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// An uplink is a platform whose source and target have devices that report to DEFAULT_GROUP, behind AMQP on a socket.
type uplink struct {
	cloud    *fake.Cloud
	clock    *fake.VirtualClock
	server   *amqp.Server
	endpoint string // for both instances
}

const defaultGroup = "DEFAULT_GROUP"

// newUplink gives each instance so many devices. Each reports once a minute.
func newUplink(t testing.TB, devices int) *uplink {
	t.Helper()
	u, stop, err := startUplink(devices)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return u
}

func startUplink(devices int) (u *uplink, stop func() error, err error) {
	u = &uplink{clock: fake.NewVirtualClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))}
	if u.cloud, err = fake.New(reportingFleet(devices), fake.Options{Clock: u.clock, Quotas: fake.NoQuotas}); err != nil {
		return nil, nil, err
	}
	u.server, err = amqp.New(u.cloud, amqp.Config{
		AccessKeyID: testKeyID, AccessKeySecret: iot.NewSecret(testSecret), Clock: u.clock, Quotas: fake.NoQuotas, Poll: time.Millisecond,
	})
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	u.endpoint = "amqp://" + listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- u.server.Serve(listener) }()
	return u, func() error { return errors.Join(u.server.Close(), <-served) }, nil
}

func reportingFleet(devices int) *fleet.Fleet {
	f := &fleet.Fleet{
		Account: fleet.Account{UID: testAccount, Region: testRegion},
		Instances: []fleet.Instance{
			{ID: "", Type: iot.PublicLegacy},
			{ID: testTarget, Type: iot.EnterpriseStandard, OnlineQuota: 1_000_000},
		},
	}
	for _, p := range []struct{ key, instance string }{{"a1Source001", ""}, {"a1Target001", testTarget}} {
		f.Products = append(f.Products, fleet.Product{
			Key: p.key, Name: p.key, Instance: p.instance, NodeType: iot.Direct, Auth: iot.AuthPerDevice, DataFormat: iot.Custom, Network: iot.WiFi,
			Forwarding: []fleet.Forwarding{{Type: fleet.AMQP, ConsumerGroup: defaultGroup, Events: []iot.Event{iot.DeviceData}}},
		})
		for i := range devices {
			name := fmt.Sprintf("d-%05d", i)
			f.Devices = append(f.Devices, fleet.Device{
				ID: iot.DeviceID{ProductKey: p.key, DeviceName: name}, Secret: iot.NewSecret("s-" + name), Status: iot.Online, Reconnects: true,
			})
		}
	}
	return f
}

// config returns a configuration that reaches the uplink, and nothing else.
func (u *uplink) config() aliyun.Config {
	config := testConfig("http://127.0.0.1:1")
	config.Endpoints.SourceAMQP, config.Endpoints.TargetAMQP = u.endpoint, u.endpoint
	return config
}

// status is what the platform shows of the group at an instance.
func (u *uplink) status(t testing.TB, instance string) iot.GroupStatus {
	t.Helper()
	platform, err := u.cloud.Platform(testTarget, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := platform.Source
	if instance != "" {
		in = platform.Target
	}
	status, err := in.GroupStatus(t.Context(), defaultGroup)
	if err != nil {
		t.Fatal(err)
	}
	return status
}
