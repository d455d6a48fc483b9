package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/quota"
)

// began is when the platform begins.
var began = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// A world is the platform on sockets and the adapter on them.
type world struct {
	*testing.T
	faults *faults
	ledger *ledger
	clock  realClock
	hasty  *migratetest.HastyClock // of the runner alone: its waits are cut short
	cloud  *migratetest.Cloud
	wire   *migratetest.Wire
	client *aliyun.Client
}

// A realClock shows the time of the campaign to those who live in real time: what they wait for is not cut short, and they do not
// hold up the waits that are.
type realClock struct{ *migratetest.HastyClock }

// WaitUntil implements [iot.Clock].
func (c realClock) WaitUntil(ctx context.Context, t time.Time) error { return c.Await(ctx, t) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, faults: newFaults(*seed), ledger: &ledger{}}
	w.hasty = migratetest.NewHastyClock(began, *perWait)
	w.clock = realClock{w.hasty}
	var err error
	w.cloud, err = migratetest.Open(bytes.NewReader(fleet(t, *devices)), migratetest.Options{
		Clock: w.clock, NoQuotas: true, Fault: w.faults.fault, Command: w.ledger.step,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.wire, err = w.cloud.Listen(t.Context(), migratetest.WireOptions{}); err != nil {
		t.Fatal(err)
	}
	pacer, err := quota.New(w.hasty, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.client, err = aliyun.Open(aliyun.Config{
		Region: w.wire.Region, Account: w.wire.Account, Target: w.wire.Target,
		Credentials: aliyun.Static(w.wire.AccessKeyID, w.wire.AccessKeySecret),
		Endpoints: aliyun.Endpoints{
			OpenAPI: w.wire.OpenAPITLS, SourceAMQP: w.wire.AMQPTLS, TargetAMQP: w.wire.AMQPTLS, SourceMQTT: w.wire.MQTTTLS,
		},
		RootCAs: w.wire.RootCAs, Pacer: pacer,
	})
	if err != nil {
		t.Fatal(errors.Join(err, w.wire.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(w.client.Close(), w.wire.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// fleet returns a fleet of two lanes: direct devices with a thing model, and families of a gateway with 20 sub-devices. All of
// them are online and report, to a rule and to a consumer group.
func fleet(t *testing.T, n int) []byte {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(migratetest.Generate(migratetest.GenerateOptions{
		Direct: n * 6 / 10, Gateways: max(1, n*4/10/21), SubDevices: 20,
	}), &file); err != nil {
		t.Fatal(err)
	}
	for _, p := range file["products"].([]any) {
		product := p.(map[string]any)
		product["forwarding"] = append(product["forwarding"].([]any), map[string]any{
			"type": "amqp", "consumerGroup": group, "events": []string{"device-data", "status"},
		})
		if product["productKey"] == migratetest.DirectProduct {
			product["tsl"] = json.RawMessage(model)
		}
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const group = "DEFAULT_GROUP" // of both instances

const model = `{
 "schema": "https://iotx-tsl.oss-ap-southeast-1.aliyuncs.com/schema.json",
 "profile": {"version": "1.0", "productKey": "` + migratetest.DirectProduct + `"},
 "properties": [{"identifier": "Token", "name": "Token", "accessMode": "rw", "required": false,
  "dataType": {"type": "int", "specs": {"min": "0", "max": "100000000", "step": "1"}}}],
 "events": [],
 "services": [
  {"identifier": "Check", "name": "Check", "callType": "sync", "outputData": [],
   "inputData": [{"identifier": "Token", "dataType": {"type": "int", "specs": {"min": "0", "max": "100000000", "step": "1"}}}]},
  {"identifier": "Calibrate", "name": "Calibrate", "callType": "async", "outputData": [],
   "inputData": [{"identifier": "Token", "dataType": {"type": "int", "specs": {"min": "0", "max": "100000000", "step": "1"}}}]}
 ]
}`

// faults let things go wrong, until they are switched off.
type faults struct {
	off  atomic.Bool
	seed uint64
	n    atomic.Uint64
}

func newFaults(seed uint64) *faults { return &faults{seed: seed} }

// fault is about every call that commands or moves a device.
func (f *faults) fault(op migratetest.Op) migratetest.Fault {
	var out migratetest.Fault
	if f.off.Load() {
		return out
	}
	slow := false
	switch op.Name {
	case "InvokeThingService", "SetDeviceProperty":
		slow = true
	case "Pub", "RRpc", "BatchGrayMigrationDevice": // the campaign calls them as well, and waits for the slowest of many
	default:
		return out
	}
	switch f.roll(100) {
	case 0, 1, 2:
		out.Lost = true
	case 3:
		out.Refuse = fmt.Errorf("over the quota: %w", iot.Throttled)
	case 4:
		out.Refuse = fmt.Errorf("SystemException: %w", iot.Transient)
	case 5, 6, 7:
		if slow {
			out.Delay = time.Duration(1+f.roll(400)) * time.Millisecond
		}
	}
	return out
}

// roll returns a number below n.
func (f *faults) roll(n uint64) uint64 {
	x := (f.seed + f.n.Add(1)) * 0x9e3779b97f4a7c15
	x = (x ^ x>>29) * 0xbf58476d1ce4e5b9
	return (x ^ x>>32) % n
}
