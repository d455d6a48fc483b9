package fleet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// FuzzRead holds Read to its promise by other means: what it accepts is JSON, UTF-8 and keeps the rules, looked
// up slowly and separately; what it refuses, it refuses with a place and a message.
func FuzzRead(f *testing.F) {
	f.Add([]byte(base))
	for _, test := range refused {
		f.Add(bytes.Replace([]byte(base), []byte(test.old), []byte(test.new), 1))
	}
	bad := os.DirFS("../../../fleets/bad")
	names, err := fs.Glob(bad, "*.json")
	if err != nil || len(names) == 0 {
		f.Fatalf("found %d files: %v", len(names), err)
	}
	for _, name := range names {
		if text, err := fs.ReadFile(bad, name); err == nil && len(text) < 10_000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := fleet.Read(bytes.NewReader(text))
		if err != nil {
			checkError(t, err)
			return
		}
		if !json.Valid(text) || !utf8.Valid(text) {
			t.Error("accepted a text that is not JSON in UTF-8")
		}
		checkInstances(t, got)
		for _, p := range got.Products {
			checkProduct(t, got, p)
		}
		for i, d := range got.Devices {
			checkDevice(t, got, i, d)
		}
	})
}

func checkError(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*fleet.Error](err)
	if !ok || e.Message == "" || (e.Path == "") != (e.Line > 0) {
		t.Errorf("got error %#v, want one with a place and a message", err)
	}
}

func checkInstances(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	legacy := 0
	for i, instance := range f.Instances {
		isLegacy := instance.Type == iot.PublicLegacy
		if isLegacy {
			legacy++
		}
		if isLegacy != (instance.ID == "") || isLegacy == (instance.OnlineQuota > 0) {
			t.Errorf("accepted instance %+v", instance)
		}
		if slices.ContainsFunc(f.Instances[:i], func(o fleet.Instance) bool { return o.ID == instance.ID }) {
			t.Errorf("accepted instance ID %q twice", instance.ID)
		}
	}
	if legacy != 1 {
		t.Errorf("accepted %d legacy instances", legacy)
	}
	for _, g := range f.ConsumerGroups {
		if g.ID == "" || g.Name == "" || !hasInstance(f, g.Instance) {
			t.Errorf("accepted consumer group %+v", g)
		}
	}
}

func hasInstance(f *fleet.Fleet, id string) bool {
	return slices.ContainsFunc(f.Instances, func(i fleet.Instance) bool { return i.ID == id })
}

var (
	keyForm  = regexp.MustCompile(`^[A-Za-z0-9]{11}$`)
	nameForm = regexp.MustCompile(`^[A-Za-z0-9_@.:-]{4,32}$`)
)

func checkProduct(t *testing.T, f *fleet.Fleet, p fleet.Product) {
	t.Helper()
	n := 0
	for _, other := range f.Products {
		if other.Key == p.Key {
			n++
		}
	}
	needsSecret := p.Auth == iot.AuthPerProductPreregistered || p.Auth == iot.AuthPerProductFree
	if n != 1 || !keyForm.MatchString(p.Key) || p.Name == "" || !hasInstance(f, p.Instance) ||
		needsSecret && p.Secret.Reveal() == "" || p.History != nil && p.TSL == nil {
		t.Errorf("accepted product %+v", p)
	}
	if h := p.History; h != nil && (h.Days < 1 || h.Days > 30 || h.EveryMinutes < 1 || h.EveryMinutes > 1440) {
		t.Errorf("accepted history %+v", h)
	}
	if p.TSL != nil {
		checkModel(t, p)
	}
	for _, w := range p.Forwarding {
		checkForwarding(t, f, p, w)
	}
}

func checkModel(t *testing.T, p fleet.Product) {
	t.Helper()
	var model map[string]json.RawMessage
	var profile map[string]any
	if err := json.Unmarshal(p.TSL, &model); err != nil {
		t.Fatalf("accepted thing model %s: %v", p.TSL, err)
	}
	if err := json.Unmarshal(model["profile"], &profile); err != nil || profile["productKey"] != p.Key {
		t.Errorf("accepted a thing model of %s: %s", p.Key, p.TSL)
	}
}

func checkForwarding(t *testing.T, f *fleet.Fleet, p fleet.Product, w fleet.Forwarding) {
	t.Helper()
	var ok bool
	switch w.Type {
	case fleet.Rule:
		ok = w.Name != "" && w.Topic[0] == '/' && len(w.Actions) > 0 && w.ConsumerGroup+w.Queue == "" && w.Events == nil
	case fleet.AMQP:
		ok = len(w.Events) > 0 && w.Name+w.Topic+w.Queue == "" && w.Actions == nil &&
			slices.ContainsFunc(f.ConsumerGroups, func(g fleet.ConsumerGroup) bool {
				return g.ID == w.ConsumerGroup && g.Instance == p.Instance
			})
	case fleet.MNS:
		ok = w.Queue != "" && len(w.Events) > 0 && w.Name+w.Topic+w.ConsumerGroup == "" && w.Actions == nil
	}
	if !ok {
		t.Errorf("accepted forwarding %+v", w)
	}
}

func checkDevice(t *testing.T, f *fleet.Fleet, i int, d fleet.Device) {
	t.Helper()
	p, ok := productOf(f, d.ID)
	if !ok || !nameForm.MatchString(d.ID.DeviceName) || len(d.Labels) > 100 {
		t.Errorf("accepted device %+v", d)
	}
	if (p.Auth == iot.AuthPerDevice || p.Auth == iot.AuthPerProductPreregistered) && d.Secret.Reveal() == "" {
		t.Errorf("accepted device %v without its secret", d.ID)
	}
	if hasDevice(f.Devices[:i], d.ID) {
		t.Errorf("accepted device %v twice", d.ID)
	}
	if (p.NodeType == iot.SubDevice) != (d.Gateway != iot.DeviceID{}) {
		t.Errorf("accepted gateway %v for a %s device", d.Gateway, p.NodeType)
	}
	if p.NodeType == iot.SubDevice {
		gateway, _ := productOf(f, d.Gateway)
		if !hasDevice(f.Devices, d.Gateway) || gateway.NodeType != iot.Gateway || gateway.Instance != p.Instance {
			t.Errorf("accepted gateway %v of %v", d.Gateway, d.ID)
		}
	}
}

func hasDevice(devices []fleet.Device, id iot.DeviceID) bool {
	return slices.ContainsFunc(devices, func(d fleet.Device) bool { return d.ID == id })
}

func productOf(f *fleet.Fleet, id iot.DeviceID) (fleet.Product, bool) {
	i := slices.IndexFunc(f.Products, func(p fleet.Product) bool { return p.Key == id.ProductKey })
	if i < 0 {
		return fleet.Product{}, false
	}
	return f.Products[i], true
}
