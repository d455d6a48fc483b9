package migrate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

const (
	meter   = "a1Meter0001"
	gateway = "a1Gateway01"
	sensor  = "a1Sensor001"
	camera  = "a1Camera001"
)

// each returns an issue in short: severity, code, subject, and how many devices it lists.
func each(issues []migrate.Issue) []string {
	var short []string
	for _, i := range issues {
		subject := i.Instance + i.ProductKey
		if i.Family != nil {
			subject += i.Family.String()
		}
		text := string(i.Severity) + " " + string(i.Code) + " " + subject
		for _, id := range i.Devices {
			text += " " + id.DeviceName[len(id.DeviceName)-1:]
		}
		short = append(short, text)
	}
	return short
}

func declare(s *migrate.Survey, key string, change func(*migrate.DeclaredProduct)) {
	d := s.Declared.Products[key]
	change(&d)
	s.Declared.Products[key] = d
}

func auth(a iot.Auth) func(*migrate.Survey) {
	return func(s *migrate.Survey) {
		s.Products[0].Product.Auth = a
		declare(s, s.Products[0].Product.Key, func(d *migrate.DeclaredProduct) { d.Auth = a })
	}
}

func secret(a iot.Auth) func(*migrate.Survey) {
	return func(s *migrate.Survey) { declare(s, meter, func(d *migrate.DeclaredProduct) { d.Auth = a }) }
}

func network(n iot.Network) func(*migrate.Survey) {
	return func(s *migrate.Survey) { declare(s, meter, func(d *migrate.DeclaredProduct) { d.Network = n }) }
}

func features(f ...iot.Feature) func(*migrate.Survey) {
	return func(s *migrate.Survey) { declare(s, meter, func(d *migrate.DeclaredProduct) { d.Features = f }) }
}

func subscriptions(types ...iot.SubscriptionType) func(*migrate.Survey) {
	return func(s *migrate.Survey) {
		for _, t := range types {
			s.Products[0].Subscriptions = append(s.Products[0].Subscriptions, iot.Subscription{ProductKey: meter, Type: t})
		}
	}
}

func status(st iot.Status, numbers ...int) func(*migrate.Survey) {
	return func(s *migrate.Survey) {
		for _, n := range numbers {
			s.Products[0].Devices[n].Status = st
		}
	}
}

func alink(s *migrate.Survey) { s.Products[0].Product.DataFormat = iot.Alink }

func all(changes ...func(*migrate.Survey)) func(*migrate.Survey) {
	return func(s *migrate.Survey) {
		for _, change := range changes {
			change(s)
		}
	}
}

// Every code about a product with direct devices, and what keeps it from being one.
func TestPreflightProducts(t *testing.T) {
	mnsRule := func(s *migrate.Survey) {
		s.Rules = []iot.Rule{{ID: "1", ProductKey: meter, Topic: "/+/user/update", Actions: []string{"MNS"}}}
	}
	for _, test := range []struct {
		name   string
		change func(*migrate.Survey)
		want   []string
	}{
		{"nothing special", func(*migrate.Survey) {}, nil},
		{"no forwarding", subscriptions(), nil},
		{"a rule to MNS is no subscription", mnsRule, nil},

		{"authorized", features(iot.Authorized), []string{"blocker authorized a1Meter0001"}},
		{"data service", features(iot.DataService), []string{"blocker data-service a1Meter0001"}},
		{"video", features(iot.Video), []string{"blocker video a1Meter0001"}},
		{"edge", features(iot.Edge), []string{"blocker edge a1Meter0001"}},
		{"living", features(iot.Living), []string{"blocker living a1Meter0001"}},
		{"three at once", all(features(iot.Edge, iot.Authorized), network(iot.NBIoT)),
			[]string{"blocker authorized a1Meter0001", "blocker edge a1Meter0001", "blocker nbiot a1Meter0001"}},
		{"NB-IoT", network(iot.NBIoT), []string{"blocker nbiot a1Meter0001"}},
		{"ID2", auth(iot.AuthID2), []string{"blocker id2-needs-whitelist a1Meter0001"}},
		{"ID2 for those on the list", all(auth(iot.AuthID2), func(s *migrate.Survey) { s.Declared.ID2Listed = true }), nil},
		{"no registration", secret(iot.AuthPerProductFree), []string{"blocker preregistration-free a1Meter0001"}},
		{"MNS only", subscriptions(iot.MNS), []string{"blocker mns-only a1Meter0001"}},
		{"MNS only, rules do not help", all(subscriptions(iot.MNS), mnsRule), []string{"blocker mns-only a1Meter0001"}},
		{"too many devices", func(s *migrate.Survey) { s.Declared.MaxProductDevices = 4 }, []string{"blocker product-size a1Meter0001"}},
		{"as many devices as can be", func(s *migrate.Survey) { s.Declared.MaxProductDevices = 5 }, nil},
		{"no warnings about what does not move",
			all(features(iot.Video), subscriptions(iot.AMQP), status(iot.Disabled, 1), network(iot.LoRaWAN)),
			[]string{"blocker video a1Meter0001"}},

		{"MNS also", subscriptions(iot.MNS, iot.AMQP), []string{"warning mns-also a1Meter0001", "warning new-amqp-client a1Meter0001"}},
		{"AMQP", subscriptions(iot.AMQP), []string{"warning new-amqp-client a1Meter0001"}},
		{"LoRaWAN", network(iot.LoRaWAN), []string{"warning lorawan a1Meter0001"}},
		{"X.509", auth(iot.AuthX509), []string{"warning x509-unlisted a1Meter0001"}},
		{"disabled", status(iot.Disabled, 3, 1), []string{"warning disabled a1Meter0001 1 3"}},
		{"unactive", status(iot.Unactive, 2), []string{"warning unactive a1Meter0001 2"}},
		{"no reconnect", func(s *migrate.Survey) { s.Declared.NoReconnect = []iot.DeviceID{dev(meter, 4), dev(meter, 77)} },
			[]string{"warning no-reconnect a1Meter0001 4"}},
		{"labels", func(s *migrate.Survey) { s.Declared.Labelled = []iot.DeviceID{dev(meter, 2), dev(meter, 0)} },
			[]string{"warning labels-not-moved a1Meter0001 0 2"}},
		{"Alink", alink, nil},
		{"pre-registered", secret(iot.AuthPerProductPreregistered), nil},
		{"Alink and pre-registered", all(alink, secret(iot.AuthPerProductPreregistered)), []string{"warning atypical a1Meter0001"}},
		{"no devices", func(s *migrate.Survey) { s.Products[0].Devices = nil }, []string{"warning no-devices a1Meter0001"}},
		{"no devices, but blocked", all(features(iot.Video), func(s *migrate.Survey) { s.Products[0].Devices = nil }),
			[]string{"blocker video a1Meter0001"}},
		{"kind of secret not declared", secret(""), []string{"warning undeclared a1Meter0001"}},
		{"product not declared", func(s *migrate.Survey) { delete(s.Declared.Products, meter) }, []string{"warning undeclared a1Meter0001"}},
		{"X.509, but nothing declared", func(s *migrate.Survey) {
			s.Products[0].Product.Auth = iot.AuthX509
			delete(s.Declared.Products, meter)
		}, []string{"warning undeclared a1Meter0001", "warning x509-unlisted a1Meter0001"}},

		{"distributed", func(s *migrate.Survey) { s.Products[0].Distributed = []iot.DeviceID{dev(meter, 1)} },
			[]string{"blocker distributed a1Meter0001/device-0000001 1"}},
		{"distributed of a blocked product", all(features(iot.Living), func(s *migrate.Survey) {
			s.Products[0].Distributed = []iot.DeviceID{dev(meter, 1)}
		}), []string{"blocker living a1Meter0001"}},
		{"a disabled device that is distributed", all(status(iot.Disabled, 1), func(s *migrate.Survey) {
			s.Products[0].Distributed = []iot.DeviceID{dev(meter, 1)}
		}), []string{"blocker distributed a1Meter0001/device-0000001 1"}},
		{"on both instances", func(s *migrate.Survey) {
			s.Products[0].AtTarget = true
			s.Products[0].TargetDevices = []iot.DeviceID{dev(meter, 90), dev(meter, 3), dev(meter, 80)}
		}, []string{"blocker two-owners a1Meter0001/device-0000003 3"}},
		{"partly migrated", func(s *migrate.Survey) {
			s.Products[0].AtTarget = true
			s.Products[0].TargetDevices = []iot.DeviceID{dev(meter, 90)}
		}, nil},

		{"quota of just as many", func(s *migrate.Survey) { s.Declared.TargetOnlineQuota = 5 }, []string{"blocker online-quota iot-060a0001"}},
		{"quota of one more", func(s *migrate.Survey) { s.Declared.TargetOnlineQuota = 6 }, nil},
		{"quota is not about what is blocked", all(features(iot.Video), func(s *migrate.Survey) { s.Declared.TargetOnlineQuota = 1 }),
			[]string{"blocker video a1Meter0001"}},
		{"quota not declared", func(s *migrate.Survey) { s.Declared.TargetOnlineQuota = 0 }, []string{"warning undeclared iot-060a0001"}},
	} {
		s := survey(product(meter, iot.Direct, 5))
		test.change(s)
		checkIssues(t, test.name, s, test.want)
	}
}

// checkIssues also holds that every issue explains itself.
func checkIssues(t *testing.T, name string, s *migrate.Survey, want []string) {
	t.Helper()
	report, err := s.Preflight()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	issues := report.Issues
	for _, i := range issues {
		if i.Basis == "" {
			t.Errorf("%s: it is not said how %s is known", name, i.Code)
		}
	}
	first := slices.IndexFunc(issues, func(i migrate.Issue) bool { return i.Severity == migrate.Work })
	if first >= 0 {
		issues = issues[:first] // the work is the same for all: see TestPreflightWork
	}
	if diff := cmp.Diff(want, each(issues)); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
	for _, i := range issues {
		if !strings.HasSuffix(i.Why, ".") || !strings.HasSuffix(i.Remedy, ".") {
			t.Errorf("%s: %s has no sentences: %q, %q", name, i.Code, i.Why, i.Remedy)
		}
	}
}

// The documented limit, at its edge.
func TestPreflightProductSize(t *testing.T) {
	t.Parallel()
	s := survey(product(meter, iot.Direct, 500_001))
	checkIssues(t, "500,001", s, []string{"blocker product-size a1Meter0001"})
	s.Products[0].Devices = s.Products[0].Devices[1:]
	checkIssues(t, "500,000", s, nil)
}

// Every code about families of gateways.
func TestPreflightFamilies(t *testing.T) {
	const (
		first  = " a1Gateway01/device-0000000"
		second = " a1Gateway01/device-0000001"
	)
	for _, test := range []struct {
		name   string
		change func(*migrate.Survey)
		want   []string
	}{
		{"nothing special", func(*migrate.Survey) {}, nil},
		{"sub-device product blocked", func(s *migrate.Survey) {
			declare(s, camera, func(d *migrate.DeclaredProduct) { d.Features = []iot.Feature{iot.Video} })
		}, []string{"blocker video a1Camera001", "blocker family-blocked" + first + " 0 1"}},
		{"gateway product blocked", func(s *migrate.Survey) {
			declare(s, gateway, func(d *migrate.DeclaredProduct) { d.Network = iot.NBIoT })
		}, []string{"blocker nbiot a1Gateway01", "blocker family-blocked" + first + " 0", "blocker family-blocked" + second + " 1"}},
		{"distributed sub-device", func(s *migrate.Survey) {
			s.Products[1].Distributed = []iot.DeviceID{dev(sensor, 3)}
		}, []string{"blocker distributed" + second + " 3"}},
		{"distributed and blocked", func(s *migrate.Survey) {
			declare(s, camera, func(d *migrate.DeclaredProduct) { d.Features = []iot.Feature{iot.Video} })
			s.Products[0].Distributed = []iot.DeviceID{dev(gateway, 0)}
		}, []string{"blocker video a1Camera001", "blocker distributed" + first + " 0", "blocker family-blocked" + first + " 0 1"}},
		{"disabled in a family that stays", func(s *migrate.Survey) {
			s.Products[1].Distributed = []iot.DeviceID{dev(sensor, 3)}
			s.Products[0].Devices[1].Status = iot.Disabled
			s.Products[1].Devices[4].Status = iot.Disabled
			s.Products[1].Devices[0].Status = iot.Disabled
		}, []string{"blocker distributed" + second + " 3", "warning disabled a1Sensor001 0"}},
		{"sub-device without a gateway", func(s *migrate.Survey) {
			s.Gateways[1].Subs = s.Gateways[1].Subs[:1]
			s.Products[1].Devices[4].Status = iot.Unactive
		}, []string{"blocker no-gateway a1Sensor001/device-0000004"}},
		{"sub-device of a blocked product without a gateway", func(s *migrate.Survey) {
			declare(s, camera, func(d *migrate.DeclaredProduct) { d.Features = []iot.Feature{iot.Video} })
			s.Gateways[0].Subs = s.Gateways[0].Subs[:3]
		}, []string{"blocker video a1Camera001"}},
		{"Alink sub-devices", func(s *migrate.Survey) { s.Products[1].Product.DataFormat = iot.Alink },
			[]string{"warning atypical a1Sensor001"}},
		{"pre-registered gateways", func(s *migrate.Survey) {
			declare(s, gateway, func(d *migrate.DeclaredProduct) { d.Auth = iot.AuthPerProductPreregistered })
		}, []string{"warning atypical a1Gateway01"}},
	} {
		s := survey(product(gateway, iot.Gateway, 2), product(sensor, iot.SubDevice, 5), product(camera, iot.SubDevice, 2))
		bind(s, dev(gateway, 0), sensor, 0, 3)
		s.Gateways[0].Subs = append(s.Gateways[0].Subs, dev(camera, 0), dev(camera, 1))
		bind(s, dev(gateway, 1), sensor, 3, 5)
		test.change(s)
		checkIssues(t, test.name, s, test.want)
	}
}

// A topology that is no fleet has no issues but an error, whose reason is that of package topology.
func TestPreflightRefusesTopologies(t *testing.T) {
	for reason, change := range map[topology.Reason]func(*migrate.Survey){
		topology.TwoGateways:   func(s *migrate.Survey) { bind(s, dev(gateway, 1), sensor, 0, 1) },
		topology.UnknownDevice: func(s *migrate.Survey) { bind(s, dev(gateway, 1), sensor, 9, 10) },
		topology.NotSubDevice:  func(s *migrate.Survey) { bind(s, dev(gateway, 1), meter, 0, 1) },
		topology.NestedGateway: func(s *migrate.Survey) { bind(s, dev(gateway, 1), gateway, 0, 1) },
		topology.DuplicateDevice: func(s *migrate.Survey) {
			s.Products[2].Devices = append(s.Products[2].Devices, s.Products[2].Devices[0])
		},
		topology.TooManyChildren: func(s *migrate.Survey) { s.Declared.MaxSubDevices = 2 },
	} {
		s := refusable()
		change(s)
		issues, err := s.Preflight()
		if issues != nil || !errors.Is(err, reason) || iot.KindOf(err) != iot.Invalid {
			t.Errorf("%v: issues %v, error %v", reason, issues, err)
		}
	}
}

func refusable() *migrate.Survey {
	s := survey(product(gateway, iot.Gateway, 2), product(sensor, iot.SubDevice, 3), product(meter, iot.Direct, 1))
	bind(s, dev(gateway, 0), sensor, 0, 3)
	return s
}

// A survey with a slip is refused, and the place of the slip is named.
func TestPreflightRefuses(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(*migrate.Survey)
	}{
		{"account: it is missing", func(s *migrate.Survey) { s.Account = "" }},
		{`products[3]: product "a1Gateway01" is there twice`, func(s *migrate.Survey) { s.Products = append(s.Products, s.Products[0]) }},
		{`products[1]: product key "no" is not 11 characters`, func(s *migrate.Survey) { s.Products[1].Product.Key = "no" }},
		{`products[1]: devices[2]: device name "a/b/c"`, func(s *migrate.Survey) { s.Products[1].Devices[2].ID.DeviceName = "a/b/c" }},
		{`products[1]: devices[2]: device "a1Meter0001/device-0000002" is of another product`,
			func(s *migrate.Survey) { s.Products[1].Devices[2].ID.ProductKey = meter }},
		{"declared.targetOnlineQuota: -1 is negative", func(s *migrate.Survey) { s.Declared.TargetOnlineQuota = -1 }},
		{`declared.products["a1Nothing01"]: public instance has no such product`, func(s *migrate.Survey) {
			s.Declared.Products["a1Nothing01"] = migrate.DeclaredProduct{}
		}},
	} {
		s := refusable()
		test.change(s)
		issues, err := s.Preflight()
		if issues != nil || iot.KindOf(err) != iot.Invalid || !strings.HasPrefix(err.Error(), "preflight: "+test.want) {
			t.Errorf("issues %v, error %v, want %s", issues, err, test.want)
		}
	}
}

func TestDeclaredCheck(t *testing.T) {
	good := migrate.Declared{
		Products:    map[string]migrate.DeclaredProduct{meter: {Auth: iot.AuthPerDevice, Network: iot.LoRaWAN, Features: []iot.Feature{iot.Edge}}, sensor: {}},
		NoReconnect: []iot.DeviceID{dev(meter, 1)}, Labelled: []iot.DeviceID{dev(meter, 2)}, TargetOnlineQuota: 7,
	}
	for _, d := range []migrate.Declared{{}, good} {
		if err := d.Check(); err != nil {
			t.Error(err)
		}
	}
	one := func(p migrate.DeclaredProduct) migrate.Declared {
		return migrate.Declared{Products: map[string]migrate.DeclaredProduct{meter: p}}
	}
	bad := dev("short", 1)
	for _, test := range []struct {
		declared migrate.Declared
		want     string
	}{
		{migrate.Declared{Products: map[string]migrate.DeclaredProduct{"x": {}}}, `declared.products["x"]: product key "x" is not 11`},
		{one(migrate.DeclaredProduct{Auth: "password"}), `declared.products["a1Meter0001"].auth: "password" is no way of authentication`},
		{one(migrate.DeclaredProduct{Network: "5g"}), `declared.products["a1Meter0001"].network: "5g" is no network`},
		{one(migrate.DeclaredProduct{Features: []iot.Feature{iot.Video, "audio"}}), `declared.products["a1Meter0001"].features[1]: "audio" is no feature`},
		{migrate.Declared{NoReconnect: []iot.DeviceID{dev(meter, 1), bad}}, `declared.noReconnect[1]: product key "short"`},
		{migrate.Declared{Labelled: []iot.DeviceID{bad}}, `declared.labelled[0]: product key "short"`},
		{migrate.Declared{MaxSubDevices: -2}, `declared.maxSubDevices: -2 is negative`},
		{migrate.Declared{MaxProductDevices: -2}, `declared.maxProductDevices: -2 is negative`},
	} {
		err := test.declared.Check()
		if iot.KindOf(err) != iot.Invalid || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
}

// Blockers come first, and the order does not depend on that of the survey.
func TestPreflightOrder(t *testing.T) {
	s := survey(product(meter, iot.Direct, 2), product(camera, iot.Direct, 2))
	subscriptions(iot.AMQP)(s)
	declare(s, camera, func(d *migrate.DeclaredProduct) { d.Features = []iot.Feature{iot.Video} })
	s.Products[0].Distributed = []iot.DeviceID{dev(meter, 0)}
	s.Declared.TargetOnlineQuota = 1
	want := []string{
		"blocker online-quota iot-060a0001", "blocker video a1Camera001",
		"blocker distributed a1Meter0001/device-0000000 0", "warning new-amqp-client a1Meter0001",
	}
	checkIssues(t, "as it is", s, want)
	slices.Reverse(s.Products)
	checkIssues(t, "in reverse", s, want)
}
