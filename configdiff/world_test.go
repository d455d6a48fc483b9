package configdiff_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A world is a platform with a configuration of every kind, before or after the move of all its devices.
type world struct {
	cloud    *migratetest.Cloud
	platform iot.Platform
	clock    *migratetest.Clock
	kept     []configdiff.DeviceConfig
}

// noPace lets every call through at once.
type noPace struct{}

func (noPace) Wait(ctx context.Context, _ string) error { return ctx.Err() }
func (noPace) Throttled(string)                         {}

const devices = 24 // of the direct product

func newWorld(t testing.TB, overSockets bool) *world {
	t.Helper()
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	cloud, err := migratetest.Open(bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{
		Direct: devices, PreRegistered: 3, ThingModel: 3, Gateways: 1, SubDevices: 2,
	})), migratetest.Options{Clock: clock, NoQuotas: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := cloud.SetupSource(sourceSetup()); err != nil {
		t.Fatal(err)
	}
	w := &world{cloud: cloud, platform: cloud.Platform(), clock: clock}
	if overSockets {
		w.platform = w.dial(t)
	}
	return w
}

// dial returns the platform as the adapter of the real one sees it.
func (w *world) dial(t testing.TB) iot.Platform {
	t.Helper()
	wire, err := w.cloud.Listen(t.Context(), migratetest.WireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := aliyun.Open(aliyun.Config{
		Region: wire.Region, Account: wire.Account, Target: wire.Target, RootCAs: wire.RootCAs, Pacer: noPace{},
		Credentials: aliyun.Static(wire.AccessKeyID, wire.AccessKeySecret),
		Endpoints:   aliyun.Endpoints{OpenAPI: wire.OpenAPITLS, SourceAMQP: wire.AMQPTLS, TargetAMQP: wire.AMQPTLS, SourceMQTT: wire.MQTTTLS},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := wire.Close(); err != nil {
			t.Error(err)
		}
	})
	return client.Platform()
}

func direct(n int) iot.DeviceID {
	return iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: fmt.Sprintf("direct-%04d", n)}
}

// sourceSetup is what the owner made beside the products.
func sourceSetup() migratetest.Setup {
	s := migratetest.Setup{
		Groups: []iot.ConsumerGroup{{ID: "DEFAULT_GROUP", Name: "default"}, {ID: "alarms0001", Name: "alarms"}, {ID: "idle000001", Name: "idle"}},
		Subscriptions: []iot.Subscription{
			{ProductKey: migratetest.PreRegisteredProduct, Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP", "alarms0001"}, Events: []iot.Event{iot.DeviceData, iot.StatusChange}},
			{ProductKey: migratetest.DirectProduct, Type: iot.AMQP, Groups: []string{"alarms0001"}, Events: []iot.Event{iot.DeviceData, iot.Lifecycle}},
		},
		Scripts: map[string]string{migratetest.DirectProduct: "JavaScript", migratetest.GatewayProduct: "PHP_72"},
		Labels:  map[iot.DeviceID]map[string]string{}, Shadows: map[iot.DeviceID]json.RawMessage{}, Members: map[string][]iot.DeviceID{},
		DeviceGroups: []iot.DeviceGroup{{ID: "site0001", Name: "site_1", Description: "<one>"}, {ID: "floor001", Name: "floor_1", Parent: "site0001"}, {ID: "other001", Name: "other_1"}},
		Jobs:         []iot.Job{{ID: "j1", Name: "Reboot", Type: "CUSTOM_JOB", Status: "IN_PROGRESS"}, {ID: "j2", Name: "Old", Type: "CUSTOM_JOB", Status: "COMPLETED"}},
		Scenes:       []iot.Scene{{ID: "s1", Name: "Lights", Running: true}, {ID: "s2", Name: "Doors"}},
		OTAJobs: []iot.OTAJob{
			{ID: "o1", ProductKey: migratetest.DirectProduct, FirmwareID: "f1", Firmware: "Meter", Version: "2.0", Type: "UPGRADE_FIRMWARE", Status: "IN_PROGRESS"},
			{ID: "o2", ProductKey: migratetest.DirectProduct, FirmwareID: "f0", Firmware: "Meter", Version: "1.9", Type: "UPGRADE_FIRMWARE", Status: "CANCELED"},
		},
	}
	s.OTATasks = map[string][]iot.OTATask{"o1": {{Device: direct(0), Status: "SUCCEEDED"}, {Device: direct(1), Status: "QUEUED"}, {Device: direct(2), Status: "CONFIRM"}, {Device: direct(3), Status: "IN_PROGRESS"}}}
	for n := range 6 {
		s.Rules = append(s.Rules, iot.RuleDetail{
			Rule:     iot.Rule{Name: fmt.Sprintf("to_table_%d", n), ProductKey: migratetest.DirectProduct, Topic: fmt.Sprintf("/+/user/update%d", n), Running: true},
			DataType: "JSON", Select: "*", Where: "a > 1",
			Outputs: []iot.RuleAction{
				{Type: "OTS", Configuration: json.RawMessage(`{"tableName":"t","n":1}`)},
				{Type: "AMQP", Configuration: json.RawMessage(`{"groupId":"alarms0001"}`), OnError: true},
			},
		})
		s.Parsers = append(s.Parsers, iot.Parser{
			Name: fmt.Sprintf("parser_%d", n), Running: true, Script: "a()", Draft: "b()",
			Sources:      []iot.ParserSource{{Topic: "/+/user/update", Scope: "BASIC", ProductKey: migratetest.DirectProduct, DeviceName: "+"}},
			Destinations: []iot.ParserOutput{{Name: "out", Type: "AMQP", Configuration: json.RawMessage(`{"groupId":"alarms0001"}`)}},
		})
	}
	for n := range devices {
		s.Labels[direct(n)] = map[string]string{"site": "hangzhou", "owner": fmt.Sprint(n)}
		s.Shadows[direct(n)] = json.RawMessage(`{"state":{"desired":{"on":true,"n":5},"reported":{"on":false}},"version":7}`)
		s.Members["site0001"] = append(s.Members["site0001"], direct(n))
	}
	s.Members["floor001"] = s.Members["site0001"][:5]
	return s
}

// keep is Options.Keep of the world.
func (w *world) keep(d configdiff.DeviceConfig) error {
	w.kept = append(w.kept, d)
	return nil
}

func (w *world) keptSeq() iter.Seq2[configdiff.DeviceConfig, error] {
	return func(yield func(configdiff.DeviceConfig, error) bool) {
		for _, d := range w.kept {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// move keeps what devices have and moves all of them.
func (w *world) move(t testing.TB) {
	t.Helper()
	_, err := configdiff.Before(t.Context(), w.platform.Source.View, w.platform.Target.View, configdiff.Options{Keep: w.keep, Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	task := migrate.ConsoleTask{Target: w.platform.Target.Info}
	for _, key := range []string{
		migratetest.SubProduct, migratetest.OtherSubProduct, migratetest.GatewayProduct, migratetest.DirectProduct, migratetest.PreRegisteredProduct,
	} {
		product := migrate.ConsoleProduct{ProductKey: key}
		for d, err := range w.platform.Source.Devices(t.Context(), key) {
			if err != nil {
				t.Fatal(err)
			}
			product.DeviceNames = append(product.DeviceNames, d.ID.DeviceName)
		}
		task.Products = append(task.Products, product)
	}
	w.perform(t, task)
	battery := migrate.ConsoleProduct{ProductKey: migratetest.ThingModelProduct, DeviceNames: []string{"battery-0000", "battery-0001", "battery-0002"}}
	w.perform(t, migrate.ConsoleTask{Target: w.platform.Target.Info, Products: []migrate.ConsoleProduct{battery}})
}

func (w *world) perform(t testing.TB, task migrate.ConsoleTask) {
	t.Helper()
	for _, kind := range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray, migrate.ConsoleConfirm} {
		task.Kind = kind
		if err := w.cloud.Operator().Perform(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.Advance(time.Minute)
}

// carried gives the target by hand what does not come along.
func (w *world) carried(t testing.TB) {
	t.Helper()
	s := sourceSetup()
	for i := range s.DeviceGroups { // the target gives out IDs of its own
		s.DeviceGroups[i].ID = "new" + s.DeviceGroups[i].ID
		if s.DeviceGroups[i].Parent != "" {
			s.DeviceGroups[i].Parent = "new" + s.DeviceGroups[i].Parent
		}
	}
	members := map[string][]iot.DeviceID{}
	for id, list := range s.Members {
		members["new"+id] = list
	}
	s.Jobs[0].ID, s.OTAJobs[0].ID = "j9", "o9"
	s.Jobs[0].Status = "COMPLETED" // it has run meanwhile
	err := w.cloud.SetupTarget(migratetest.Setup{
		DeviceGroups: s.DeviceGroups, Members: members, Labels: s.Labels, Jobs: s.Jobs, Scenes: s.Scenes, OTAJobs: s.OTAJobs,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// after compares, and returns the differences that are worth more than a note of a new ID, one line each and devices by themselves.
func (w *world) after(t testing.TB, o configdiff.Options) (*configdiff.Report, []string) {
	t.Helper()
	o.Kept, o.Examples, o.Clock = w.keptSeq(), 1000, w.clock
	report, err := configdiff.After(t.Context(), w.platform.Source.View, w.platform.Target.View, o)
	if err != nil {
		t.Fatal(err)
	}
	return report, lines(report)
}

func lines(r *configdiff.Report) []string {
	var out []string
	for _, d := range r.Differences {
		if d.Change == configdiff.NewID {
			continue
		}
		line := fmt.Sprintf("%s %s %s%s", d.Kind, d.Change, d.Product, d.Name)
		for _, id := range d.Devices {
			if d.Kind != configdiff.Update {
				out = append(out, line+" "+id.DeviceName)
			}
		}
		if d.Count == 0 || d.Kind == configdiff.Update {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}
