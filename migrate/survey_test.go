package migrate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

var (
	legacy     = iot.InstanceInfo{Type: iot.PublicLegacy, Region: "cn-shanghai"}
	enterprise = iot.InstanceInfo{ID: "iot-060a0001", Type: iot.EnterpriseStandard, Region: "cn-shanghai"}
)

// survey makes a survey of which everything is declared, with a quota that suffices.
func survey(products ...migrate.SurveyProduct) *migrate.Survey {
	s := &migrate.Survey{
		Account: "1098765432109876", Source: legacy, Target: enterprise, Products: products,
		Declared: migrate.Declared{TargetOnlineQuota: 1_000_000, Products: map[string]migrate.DeclaredProduct{}},
	}
	for _, p := range products {
		s.Declared.Products[p.Product.Key] = migrate.DeclaredProduct{Auth: iot.AuthPerDevice}
	}
	return s
}

// product makes a product of n offline devices.
func product(key string, node iot.NodeType, n int) migrate.SurveyProduct {
	p := migrate.SurveyProduct{Product: iot.Product{
		Key: key, Name: "product " + key, NodeType: node, Auth: iot.AuthSecret,
		DataFormat: iot.Custom, Network: iot.WiFi, Devices: n,
	}}
	for i := range n {
		p.Devices = append(p.Devices, iot.Device{ID: dev(key, i), Status: iot.Offline})
	}
	return p
}

func dev(key string, i int) iot.DeviceID {
	return iot.DeviceID{ProductKey: key, DeviceName: deviceName(i)}
}

// bind makes the devices of sub with numbers from to to-1 sub-devices of a gateway.
func bind(s *migrate.Survey, gateway iot.DeviceID, sub string, from, to int) {
	g := migrate.SurveyGateway{ID: gateway}
	for i := from; i < to; i++ {
		g.Subs = append(g.Subs, dev(sub, i))
	}
	s.Gateways = append(s.Gateways, g)
}

// town is a survey with a gateway lane and two direct ones.
func town() *migrate.Survey {
	s := survey(
		product("a1Gateway01", iot.Gateway, 4),
		product("a1Sensor001", iot.SubDevice, 12),
		product("a1Valve0001", iot.SubDevice, 3),
		product("a1Meter0001", iot.Direct, 30),
		product("a1Lamp00001", iot.Direct, 5),
	)
	bind(s, dev("a1Gateway01", 0), "a1Sensor001", 0, 9)
	bind(s, dev("a1Gateway01", 1), "a1Sensor001", 9, 12)
	bind(s, dev("a1Gateway01", 2), "a1Valve0001", 0, 3)
	s.Rules = []iot.Rule{
		{ID: "1000", Name: "to_table", ProductKey: "a1Meter0001", Topic: "/+/user/update", Running: true, Actions: []string{"OTS"}},
		{ID: "1001", Name: "alarms", ProductKey: "a1Meter0001", Topic: "/+/user/alarm", Actions: []string{"FC"}},
	}
	s.Products[4].Subscriptions = []iot.Subscription{
		{ProductKey: "a1Lamp00001", Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP"}, Events: []iot.Event{iot.DeviceData}},
	}
	return s
}

// shuffle changes the order of everything whose order means nothing.
func shuffle(s *migrate.Survey, rnd *rand.Rand) {
	mix(rnd, s.Products)
	mix(rnd, s.Gateways)
	mix(rnd, s.Rules)
	for i := range s.Products {
		p := &s.Products[i]
		mix(rnd, p.Devices)
		mix(rnd, p.Distributed)
		mix(rnd, p.TargetDevices)
	}
	for i := range s.Gateways {
		mix(rnd, s.Gateways[i].Subs)
	}
	mix(rnd, s.Declared.NoReconnect)
	mix(rnd, s.Declared.Labelled)
}

func mix[T any](rnd *rand.Rand, items []T) {
	rnd.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
}

// A shelf is a view of a survey in memory: its registry, topology and forwarding.
type shelf struct {
	iot.StateReader
	iot.ModelReader
	at       string // the name of the instance in errors
	products []migrate.SurveyProduct
	gateways []migrate.SurveyGateway
	rules    []iot.Rule
	broken   string         // what cannot be read
	busy     map[string]int // how often it is throttled first
	reading  func(what string)
}

// viewsOf returns views of the two instances that a survey was made of.
func viewsOf(s *migrate.Survey) (source, target iot.View) {
	old := &shelf{at: "source", products: s.Products, gateways: s.Gateways, rules: s.Rules}
	young := &shelf{at: "target"}
	for _, p := range s.Products {
		if !p.AtTarget {
			continue
		}
		there := migrate.SurveyProduct{Product: p.Product}
		for _, id := range p.TargetDevices {
			there.Devices = append(there.Devices, iot.Device{ID: id, Status: iot.Online})
		}
		young.products = append(young.products, there)
	}
	return old.view(s.Source), young.view(s.Target)
}

type nothing struct{}

func (nothing) States(context.Context, string, []string) ([]iot.DeviceState, error) { return nil, nil }
func (nothing) ThingModel(context.Context, string) (json.RawMessage, error)         { return nil, iot.NotFound }

func (s *shelf) view(info iot.InstanceInfo) iot.View {
	return iot.View{
		Info: info, Registry: s, StateReader: nothing{}, TopologyReader: s, ForwardingReader: s, ModelReader: nothing{},
		ModelVersionReader: struct{ iot.ModelVersionReader }{}, HistoryReader: struct{ iot.HistoryReader }{},
	}
}

func (s *shelf) fault(ctx context.Context, what string) error {
	what = s.at + " " + what
	if s.reading != nil {
		s.reading(what)
	}
	if s.busy[what] > 0 {
		s.busy[what]--
		return &iot.Error{Kind: iot.Throttled, Op: "Query", Message: "slower"}
	}
	if what == s.broken {
		return &iot.Error{Kind: iot.Denied, Op: "Query", Message: "not yours"}
	}
	return ctx.Err()
}

// stream yields copies of items, so that every text is the reader's own, as it is from a real driver.
func stream[T any](ctx context.Context, s *shelf, what string, items []T, own func(T) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err := s.fault(ctx, what); err != nil {
			yield(zero, err)
			return
		}
		for _, item := range items {
			if !yield(own(item), nil) {
				return
			}
		}
	}
}

func same[T any](v T) T { return v }

func ownID(id iot.DeviceID) iot.DeviceID {
	return iot.DeviceID{ProductKey: strings.Clone(id.ProductKey), DeviceName: strings.Clone(id.DeviceName)}
}

func ownDevice(d iot.Device) iot.Device { return iot.Device{ID: ownID(d.ID), Status: d.Status} }

func (s *shelf) Products(ctx context.Context) iter.Seq2[iot.Product, error] {
	var all []iot.Product
	for _, p := range s.products {
		all = append(all, p.Product)
	}
	return stream(ctx, s, "products", all, same)
}

func (s *shelf) find(key string) *migrate.SurveyProduct {
	for i := range s.products {
		if s.products[i].Product.Key == key {
			return &s.products[i]
		}
	}
	return nil
}

func (s *shelf) Product(ctx context.Context, key string) (iot.Product, error) {
	if err := s.fault(ctx, "product"); err != nil {
		return iot.Product{}, err
	}
	if p := s.find(key); p != nil {
		return p.Product, nil
	}
	return iot.Product{}, &iot.Error{Kind: iot.NotFound}
}

func (s *shelf) Devices(ctx context.Context, key string) iter.Seq2[iot.Device, error] {
	return stream(ctx, s, "devices", s.find(key).Devices, ownDevice)
}

func (s *shelf) Distributed(ctx context.Context, key string) iter.Seq2[iot.DeviceID, error] {
	return stream(ctx, s, "distributed", s.find(key).Distributed, ownID)
}

func (s *shelf) Children(ctx context.Context, gateway iot.DeviceID) iter.Seq2[iot.DeviceID, error] {
	var subs []iot.DeviceID
	if i, ok := slices.BinarySearchFunc(s.gateways, gateway, func(g migrate.SurveyGateway, id iot.DeviceID) int {
		return g.ID.Compare(id)
	}); ok {
		subs = s.gateways[i].Subs
	}
	return stream(ctx, s, "children", subs, ownID)
}

func (s *shelf) GatewayOf(context.Context, iot.DeviceID) (iot.DeviceID, error) {
	return iot.DeviceID{}, iot.NotFound
}

func (s *shelf) Rules(ctx context.Context) iter.Seq2[iot.Rule, error] {
	return stream(ctx, s, "rules", s.rules, same)
}

func (s *shelf) Subscriptions(ctx context.Context, key string) ([]iot.Subscription, error) {
	return slices.Clone(s.find(key).Subscriptions), s.fault(ctx, "subscriptions")
}

func (s *shelf) Groups(context.Context) iter.Seq2[iot.ConsumerGroup, error] {
	return func(func(iot.ConsumerGroup, error) bool) {}
}

func (s *shelf) GroupStatus(context.Context, string) (iot.GroupStatus, error) {
	return iot.GroupStatus{}, iot.NotFound
}

// A survey of instances that answer in any order, and page some devices twice, is the same.
func TestTakeSurvey(t *testing.T) {
	want := town()
	want.Products[3].AtTarget = true
	want.Products[3].TargetDevices = []iot.DeviceID{dev("a1Meter0001", 98), dev("a1Meter0001", 99)}
	want.Products[3].Distributed = []iot.DeviceID{dev("a1Meter0001", 3), dev("a1Meter0001", 7)}
	slices.SortFunc(want.Products, func(a, b migrate.SurveyProduct) int { return strings.Compare(a.Product.Key, b.Product.Key) })
	slices.SortFunc(want.Rules, func(a, b iot.Rule) int { return strings.Compare(a.Name, b.Name) })
	for seed := range uint64(5) {
		mixed := clone(t, want)
		for i := range mixed.Products {
			p := &mixed.Products[i]
			p.Devices = append(p.Devices, p.Devices[0])
		}
		shuffle(mixed, rand.New(rand.NewPCG(seed, 0)))
		slices.SortFunc(mixed.Gateways, func(a, b migrate.SurveyGateway) int { return a.ID.Compare(b.ID) })
		source, target := viewsOf(mixed)
		got, err := migrate.TakeSurvey(t.Context(), source, target, want.Account, want.Declared)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: -want +got\n%s", seed, diff)
		}
		if got.Devices() != 54 {
			t.Errorf("%d devices", got.Devices())
		}
	}
}

// clone copies a survey by way of JSON, which all of it can take.
func clone(t *testing.T, s *migrate.Survey) *migrate.Survey {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	c := new(migrate.Survey)
	if err := json.Unmarshal(text, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// An error says what was being read, once, and keeps its kind.
func TestTakeSurveyErrors(t *testing.T) {
	s := town()
	s.Products[0].AtTarget = true
	for _, test := range []struct{ broken, want string }{
		{"source products", "survey: read products of public instance: Query: not yours"},
		{"source devices", "survey: read devices of product a1Gateway01 at public instance: Query: not yours"},
		{"source distributed", "survey: read distributed devices of product a1Gateway01: Query: not yours"},
		{"source subscriptions", "survey: read subscriptions of product a1Gateway01: Query: not yours"},
		{"source children", "survey: read sub-devices of gateway a1Gateway01/"},
		{"source rules", "survey: read rules of public instance: Query: not yours"},
		{"target product", "survey: read product a1Gateway01 of iot-060a0001: Query: not yours"},
		{"target devices", "survey: read devices of product a1Gateway01 at iot-060a0001: Query: not yours"},
	} {
		source, target := viewsOf(s)
		source.Registry.(*shelf).broken = test.broken
		target.Registry.(*shelf).broken = test.broken
		got, err := migrate.TakeSurvey(t.Context(), source, target, s.Account, s.Declared)
		if got != nil || iot.KindOf(err) != iot.Denied || !strings.HasPrefix(fmt.Sprint(err), test.want) {
			t.Errorf("%s: survey %v, error %v, want %s", test.broken, got != nil, err, test.want)
		}
	}
}

// Throttling ends a survey only if it goes on for half a minute.
func TestTakeSurveyThrottled(t *testing.T) {
	for times, ok := range map[int]bool{1: true, 5: true, 6: false} {
		synctest.Test(t, func(t *testing.T) {
			s := town()
			source, target := viewsOf(s)
			source.Registry.(*shelf).busy = map[string]int{"source devices": times}
			start := time.Now()
			_, err := migrate.TakeSurvey(t.Context(), source, target, s.Account, s.Declared)
			if (err == nil) != ok || !ok && !errors.Is(err, iot.Throttled) {
				t.Errorf("throttled %d times: error %v", times, err)
			}
			if took := time.Since(start); took != time.Second<<min(times, 5)-time.Second {
				t.Errorf("throttled %d times: it took %v", times, took)
			}
		})
	}
}

// A survey obeys its context at every point.
func TestTakeSurveyCancelled(t *testing.T) {
	s := town()
	s.Products[0].AtTarget = true
	for _, at := range []string{
		"source products", "source devices", "source distributed", "source subscriptions",
		"source children", "source rules", "target product", "target devices",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		source, target := viewsOf(s)
		stop := func(what string) {
			if what == at {
				cancel()
			}
		}
		source.Registry.(*shelf).reading, target.Registry.(*shelf).reading = stop, stop
		got, err := migrate.TakeSurvey(ctx, source, target, s.Account, s.Declared)
		if got != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at %s: survey %v, error %v", at, got != nil, err)
		}
		cancel()
	}
}

func TestTakeSurveyRefuses(t *testing.T) {
	good := town()
	for _, test := range []struct {
		name   string
		change func(source, target *iot.View, s *migrate.Survey)
		want   string
	}{
		{"half a view", func(source, _ *iot.View, _ *migrate.Survey) { source.Registry = nil }, "survey: platform: View.Registry is nil"},
		{"no account", func(_, _ *iot.View, s *migrate.Survey) { s.Account = "" }, "survey: account: it is missing"},
		{"no target", func(_, target *iot.View, _ *migrate.Survey) { target.Info.ID = "" },
			`survey: target: instance "" cannot be the target of public instance`},
		{"declaration of nothing", func(_, _ *iot.View, s *migrate.Survey) {
			s.Declared.Products = map[string]migrate.DeclaredProduct{"a1Nothing01": {}}
		}, `survey: declared.products["a1Nothing01"]: public instance has no such product`},
		{"declaration against the registry", func(_, _ *iot.View, s *migrate.Survey) {
			s.Declared.Products = map[string]migrate.DeclaredProduct{"a1Lamp00001": {Auth: iot.AuthX509}}
		}, `survey: declared.products["a1Lamp00001"].auth: "x509" is declared, but public instance shows "secret"`},
	} {
		s := clone(t, good)
		source, target := viewsOf(s)
		test.change(&source, &target, s)
		_, err := migrate.TakeSurvey(t.Context(), source, target, s.Account, s.Declared)
		if iot.KindOf(err) != iot.Invalid || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
	}
}
