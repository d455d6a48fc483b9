package subscribe_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/amqp"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

const (
	target   = "iot-060a0001"
	group    = "DEFAULT_GROUP"
	audit    = "bS4cX9mLqT2kVw7RyZ8n000100" // gets what group gets, and nobody consumes it: its backlog counts all
	keyID    = "LTAI-test"
	endpoint = "amqp://broker:5672"
)

var secret = iot.NewSecret("access-key-secret")

// A bench is the platform in memory with its AMQP front on a network in memory. Time is the bubble's.
type bench struct {
	testing.TB
	cloud   *fake.Cloud
	server  *amqp.Server
	network *network
	logins  atomic.Int64               // credentials that were asked for
	secret  atomic.Pointer[iot.Secret] // what clients sign with
}

// bubble runs a test in virtual time on a platform whose source and target have so many devices, each of which reports once
// a minute.
func bubble(t *testing.T, devices int, test func(t *testing.T, b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, devices)
		test(t, b)
		b.close()
	})
}

func newBench(t *testing.T, devices int) *bench {
	t.Helper()
	cloud, err := fake.New(newFleet(devices), fake.Options{Quotas: fake.NoQuotas})
	if err != nil {
		t.Fatal(err)
	}
	server, err := amqp.New(cloud, amqp.Config{
		AccessKeyID: keyID, AccessKeySecret: secret, Quotas: fake.NoQuotas, Poll: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{TB: t, cloud: cloud, server: server, network: newNetwork()}
	b.secret.Store(&secret)
	go func() {
		if err := server.Serve(b.network); err != nil {
			t.Error(err)
		}
	}()
	return b
}

// close checks that clients have left nothing open.
func (b *bench) close() {
	if open := b.network.open.Load(); open != 0 {
		b.Errorf("%d connections were not closed", open)
	}
	if err := b.server.Close(); err != nil {
		b.Error(err)
	}
}

func newFleet(devices int) *fleet.Fleet {
	f := &fleet.Fleet{
		Account: fleet.Account{UID: "1098765432109876", Region: "cn-shanghai"},
		Instances: []fleet.Instance{
			{ID: "", Type: iot.PublicLegacy},
			{ID: target, Type: iot.EnterpriseStandard, OnlineQuota: 1_000_000},
		},
		ConsumerGroups: []fleet.ConsumerGroup{{ID: audit, Name: "audit"}},
	}
	toGroup := fleet.Forwarding{Type: fleet.AMQP, ConsumerGroup: group, Events: []iot.Event{iot.DeviceData}}
	toAudit := toGroup
	toAudit.ConsumerGroup = audit
	addProduct(f, "a1Source001", "", devices, toGroup, toAudit)
	addProduct(f, "a1Target001", target, devices, toGroup)
	return f
}

func addProduct(f *fleet.Fleet, key, instance string, devices int, forwarding ...fleet.Forwarding) {
	f.Products = append(f.Products, fleet.Product{
		Key: key, Name: key, Instance: instance, NodeType: iot.Direct, Auth: iot.AuthPerDevice, DataFormat: iot.Custom, Network: iot.WiFi,
		Forwarding: forwarding,
	})
	for i := range devices {
		name := fmt.Sprintf("d-%05d", i)
		f.Devices = append(f.Devices, fleet.Device{
			ID: iot.DeviceID{ProductKey: key, DeviceName: name}, Secret: iot.NewSecret("s-" + name), Status: iot.Online, Reconnects: true,
		})
	}
}

// client returns a client of an instance. Change may alter its configuration.
func (b *bench) client(instance string, change func(*subscribe.Config)) *subscribe.Client {
	b.Helper()
	config := subscribe.Config{
		Endpoint: endpoint, Instance: instance, PlainText: true, Dial: b.network.Dial,
		Credentials: func(context.Context) (subscribe.Credential, error) {
			b.logins.Add(1)
			return subscribe.Credential{AccessKeyID: keyID, AccessKeySecret: *b.secret.Load()}, nil
		},
	}
	if change != nil {
		change(&config)
	}
	c, err := subscribe.New(config)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// total is how many messages there have been at the source.
func (b *bench) total() int { return b.show("", audit).Backlog }

// status is what the platform shows of the group at an instance.
func (b *bench) status(instance string) iot.GroupStatus { return b.show(instance, group) }

// awaitDrained waits for a moment at which nothing waits at the source: there is always a report that has just come.
func (b *bench) awaitDrained() {
	b.Helper()
	for range 100 {
		if b.status("").Backlog == 0 {
			return
		}
		wait(50 * time.Millisecond)
	}
	b.Errorf("backlog %d", b.status("").Backlog)
}

func (b *bench) show(instance, id string) iot.GroupStatus {
	b.Helper()
	platform, err := b.cloud.Platform(target, nil)
	if err != nil {
		b.Fatal(err)
	}
	in := platform.Source
	if instance != "" {
		in = platform.Target
	}
	status, err := in.GroupStatus(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	return status
}

// An inbox is a handler that counts how often each message was handled.
type inbox struct {
	mu    sync.Mutex
	times map[string]int
	order []iot.Message
}

func newInbox() *inbox { return &inbox{times: make(map[string]int)} }

func (i *inbox) handle(_ context.Context, m iot.Message) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.times[m.Instance+"/"+m.ID]++
	i.order = append(i.order, m)
	return nil
}

// expect checks that so many messages were handled, each once.
func (i *inbox) expect(t *testing.T, want int) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.times) != want {
		t.Errorf("%d messages were handled, want %d", len(i.times), want)
	}
	for id, times := range i.times {
		if times != 1 {
			t.Errorf("message %s was handled %d times", id, times)
		}
	}
}

// A run is a stream that runs in the background.
type run struct {
	*subscribe.Stream
	cancel context.CancelFunc
	done   chan error
}

// start runs a stream until stop.
func start(t *testing.T, config subscribe.StreamConfig, handle subscribe.Handler, groups ...subscribe.Group) *run {
	t.Helper()
	stream, err := subscribe.NewStream(config, groups...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{stream, cancel, make(chan error, 1)}
	go func() { r.done <- stream.Run(ctx, handle) }()
	return r
}

// stop ends the stream and returns what Run has returned.
func (r *run) stop() error {
	r.cancel()
	err := <-r.done
	synctest.Wait() // the server sees it too
	return err
}

// pass lets time pass in the bubble.
func pass(d time.Duration) { time.Sleep(d) }

// wait lets time pass in the bubble, and then all goroutines do what is due. One goroutine at a time may wait.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
