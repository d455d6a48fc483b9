package fake_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// TestFirmware checks on which topics devices report, for forwardings as in fleet files.
func TestFirmware(t *testing.T) {
	tests := map[string]struct {
		forwarding []fleet.Forwarding
		want       map[string]int // reports in an hour
	}{
		"nothing":         {nil, map[string]int{"/user/update": 60}},
		"one rule":        {[]fleet.Forwarding{rule("/+/user/update", "OTS")}, map[string]int{"/user/update": 60}},
		"another topic":   {[]fleet.Forwarding{rule("/+/user/state", "ONS")}, map[string]int{"/user/state": 60}},
		"two topics":      {[]fleet.Forwarding{rule("/+/user/state", "ONS"), rule("/+/user/alarm", "FC")}, map[string]int{"/user/state": 60, "/user/alarm": 6}},
		"update is first": {[]fleet.Forwarding{rule("/+/user/alarm", "FC"), rule("/+/user/update", "FC")}, map[string]int{"/user/update": 60, "/user/alarm": 6}},
		"all topics":      {[]fleet.Forwarding{rule("/+/user/#", "FC")}, map[string]int{"/user/update": 60}},
		"wildcard":        {[]fleet.Forwarding{rule("/+/user/+", "FC"), rule("/+/user/alarm", "FC")}, map[string]int{"/user/update": 60, "/user/alarm": 6}},
		"also AMQP":       {[]fleet.Forwarding{rule("/+/user/alarm", "FC"), amqp(alarms, iot.DeviceData)}, map[string]int{"/user/update": 60, "/user/alarm": 6}},
	}
	for name, test := range tests {
		f := trackers(1)
		f.Products[0].Forwarding = test.forwarding
		b := newBench(t, f, nil)
		s := fake.SubscribeRelation{ProductKey: tracker, Type: "AMQP", ConsumerGroupIds: []string{"DEFAULT_GROUP"}, DeviceDataFlag: true}
		if b.CreateSubscribeRelation(t.Context(), s) != nil {
			must(0, b.UpdateSubscribeRelation(t.Context(), s))
		}
		b.clock.Advance(time.Hour)
		got := map[string]int{}
		for _, m := range b.drain("", "DEFAULT_GROUP") {
			got[strings.TrimPrefix(m.Topic, "/a1Tracker01/t-0001")]++
			if !json.Valid(m.Payload) {
				t.Errorf("%s: payload %q", name, m.Payload)
			}
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]func(*fleet.Fleet, *fake.Quirks){
		"no legacy instance": func(f *fleet.Fleet, _ *fake.Quirks) { f.Instances = f.Instances[1:] },
		"no report period":   func(_ *fleet.Fleet, q *fake.Quirks) { q.ReportEvery = 0 },
		"bounds that cross":  func(_ *fleet.Fleet, q *fake.Quirks) { q.ReconnectMax = 0 },
		"product twice":      func(f *fleet.Fleet, _ *fake.Quirks) { f.Products = append(f.Products, f.Products[0]) },
		"device twice":       func(f *fleet.Fleet, _ *fake.Quirks) { f.Devices = append(f.Devices, f.Devices[0]) },
		"unknown group":      func(f *fleet.Fleet, _ *fake.Quirks) { f.Products[0].Forwarding[0].ConsumerGroup = "x" },
		"unknown gateway":    func(f *fleet.Fleet, _ *fake.Quirks) { f.Devices[0].Gateway = id(gateway, "gw-0001") },
		"bad thing model":    func(f *fleet.Fleet, _ *fake.Quirks) { f.Products[0].TSL = json.RawMessage(`[]`) },
	}
	for name, change := range tests {
		f, q := trackers(2), fake.DefaultQuirks()
		change(f, q)
		if c, err := fake.New(f, fake.Options{Quirks: q}); iot.KindOf(err) != iot.Invalid || c != nil {
			t.Errorf("%s: %v, %v", name, c != nil, err)
		}
	}
}

// TestFleetFiles seeds a platform from every fleet file and compares what its APIs show with the file.
func TestFleetFiles(t *testing.T) {
	files := must(filepath.Glob("../../fleets/*.json"))
	read := 0
	for _, name := range files {
		if strings.HasSuffix(name, ".expected.json") {
			continue
		}
		read++
		t.Run(filepath.Base(name), func(t *testing.T) {
			file := must(os.Open(name))
			defer file.Close()
			f := must(fleet.Read(file))
			b := newBench(t, f, func(o *fake.Options, _ *fake.Quirks) { o.Quotas = fake.NoQuotas })
			source := b.platform(nil).Source
			got := map[iot.DeviceID]iot.Status{}
			for p, err := range source.Products(t.Context()) {
				for d, err := range source.Devices(t.Context(), must(p, err).Key) {
					got[must(d, err).ID] = d.Status
				}
			}
			for _, d := range f.Devices {
				if got[d.ID] != d.Status {
					t.Errorf("%s is %q, the file says %q", d.ID, got[d.ID], d.Status)
				}
				if gw, err := source.GatewayOf(t.Context(), d.ID); gw != d.Gateway || err == nil && gw.IsZero() {
					t.Errorf("%s has the gateway %s, %v; the file says %s", d.ID, gw, err, d.Gateway)
				}
			}
			if len(got) != len(f.Devices) {
				t.Errorf("%d devices, the file has %d", len(got), len(f.Devices))
			}
		})
	}
	if read == 0 {
		t.Error("no fleet files were found")
	}
}
