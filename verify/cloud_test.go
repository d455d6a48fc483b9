package verify_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

// A fleetCase moves devices of a fleet in the platform in memory, as an operator would.
type fleetCase struct {
	file     string
	products []string // sub-devices first, the gateway last
	devices  []string // of each product
}

func (c fleetCase) move(t *testing.T) (*migratetest.Cloud, *migratetest.Clock, *migrate.Subject) {
	t.Helper()
	file, err := fleets.Open(c.file)
	if err != nil {
		t.Fatal(err)
	}
	clock := migratetest.NewClock(moved.Add(-time.Hour))
	cloud, err := migratetest.Open(file, migratetest.Options{Clock: clock, NoQuotas: true})
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	return cloud, clock, c.subject(t, cloud, clock)
}

// subject moves the devices now.
func (c fleetCase) subject(t *testing.T, cloud *migratetest.Cloud, clock *migratetest.Clock) *migrate.Subject {
	t.Helper()
	p := cloud.Platform()
	s := &migrate.Subject{Campaign: "test", Stage: "first-gray", Now: clock.Now(), Source: p.Source, Target: p.Target}
	survey, err := cloud.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range c.products {
		product := migrate.Product{Key: key}
		for _, shown := range survey.Products {
			if shown.Product.Key == key {
				product.NodeType, product.Subscriptions = shown.Product.NodeType, shown.Subscriptions
			}
		}
		for _, r := range survey.Rules {
			if r.ProductKey == key {
				product.Rules = append(product.Rules, r)
			}
		}
		s.Lane.Products = append(s.Lane.Products, product)
	}
	for _, kind := range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray} {
		task := migrate.ConsoleTask{Kind: kind, Target: p.Target.Info}
		for i, key := range c.products {
			listed := migrate.ConsoleProduct{ProductKey: key}
			if kind == migrate.ConsoleGray {
				listed.DeviceNames = []string{c.devices[i]}
			}
			task.Products = append(task.Products, listed)
		}
		if err := cloud.Operator().Perform(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
	var all []iot.DeviceID
	for i, key := range c.products {
		all = append(all, dev(key, c.devices[i]))
	}
	for i, id := range all {
		d := migrate.SubjectDevice{ID: id, Node: s.Lane.Products[i].NodeType, Family: all, Moved: s.Now}
		if d.Node == iot.SubDevice {
			d.Gateway = all[len(all)-1]
		}
		s.Devices = append(s.Devices, d)
	}
	return s
}

// In the platform in memory nothing passes at once, and everything passes when devices are back.
func TestOnThePlatformInMemory(t *testing.T) {
	selfTest := choose(verify.Invocation{Service: "SelfTest", Args: json.RawMessage(`{"Depth":0}`)})
	tests := []struct {
		name      string
		fleet     fleetCase
		verifiers func(*migratetest.Cloud) []migrate.Verifier
	}{
		{"direct", fleetCase{"s1-direct.json", []string{"a1Meter0001"}, []string{"meter-0001"}},
			func(c *migratetest.Cloud) []migrate.Verifier {
				return []migrate.Verifier{
					verify.Online(verify.OnlineConfig{}), verify.Reporting(verify.ReportingConfig{Sink: c.Sink()}), verify.Pub(verify.PubConfig{}),
				}
			}},
		{"tsl", fleetCase{"s4-tsl.json", []string{"a1Storage01"}, []string{"cabinet-0001"}},
			func(c *migratetest.Cloud) []migrate.Verifier {
				return []migrate.Verifier{
					verify.Reporting(verify.ReportingConfig{Sink: c.Sink(), Counts: verify.IsAlinkPost}),
					verify.Service(verify.ServiceConfig{Choose: selfTest}),
				}
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud, clock, s := tt.fleet.move(t)
			for _, v := range tt.verifiers(cloud) {
				s.Now = clock.Now()
				if found, _ := lookAll(t.Context(), v, s); slices.Contains(verdicts(found), migrate.Pass) {
					t.Errorf("%s passes just after the move: %v", v.Name(), found)
				}
			}
			clock.Advance(3 * time.Minute)
			s.Now = clock.Now()
			for _, v := range append(tt.verifiers(cloud), verify.Absent(), verify.Topology(), verify.Forwarding()) {
				for _, f := range look(t, v, s) {
					if f.Verdict != migrate.Pass {
						t.Errorf("%s: %s: %s", v.Name(), f.Verdict, f.Evidence.Seen)
					}
				}
			}
		})
	}
}

// A sub-device whose gateway stayed behind cannot come online, whatever else holds.
func TestSplitFamilyOnThePlatformInMemory(t *testing.T) {
	cloud, clock, s := fleetCase{"s2-gateway.json", []string{"a1Climate01"}, []string{"climate-0001"}}.move(t)
	gateway, err := s.Target.GatewayOf(t.Context(), s.Devices[0].ID)
	if !errors.Is(err, iot.NotFound) {
		t.Fatalf("the target shows the gateway %s: %v", gateway, err)
	}
	clock.Advance(time.Hour)
	s.Now = clock.Now()
	s.Devices[0].Gateway = dev("a1Gateway01", "gw-001")
	verifiers := map[string]migrate.Verifier{
		"online": verify.Online(verify.OnlineConfig{}), "topology": verify.Topology(),
		"reporting": verify.Reporting(verify.ReportingConfig{Sink: cloud.Sink()}), "pub": verify.Pub(verify.PubConfig{}),
	}
	for _, name := range slices.Sorted(maps.Keys(verifiers)) {
		if f := one(t, verifiers[name], s); f.Verdict != migrate.Inconclusive {
			t.Errorf("%s: %s: %s", name, f.Verdict, f.Evidence.Seen)
		}
	}
}
