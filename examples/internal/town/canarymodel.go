package town

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

// A model is what a canary of a product has to know of it.
type model struct {
	product    iot.Product
	topic      string // below a device: where it reports, if not by the thing model
	Properties []struct {
		Identifier string
		DataType   struct {
			Type  string
			Specs json.RawMessage
		}
	}
	Services []struct{ Identifier string }
}

// modelOf reads a product once.
func modelOf(ctx context.Context, source iot.View, known map[string]*model, key string) (*model, error) {
	if m := known[key]; m != nil {
		return m, nil
	}
	p, err := source.Product(ctx, key)
	if err != nil {
		return nil, err
	}
	m := &model{product: p, topic: "user/update"}
	for rule, err := range source.Rules(ctx) {
		if err != nil {
			return nil, err
		}
		if path, ok := strings.CutPrefix(rule.Topic, "/+/user/"); ok && rule.ProductKey == key && rule.Running && path != "#" {
			m.topic = "user/" + path
		}
	}
	if p.DataFormat == iot.Alink {
		text, err := source.ThingModel(ctx, key)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, m); err != nil {
			return nil, fmt.Errorf("thing model of %s: %w", key, err)
		}
	}
	known[key] = m
	return m, nil
}

// canBeCanary reports whether a device with so many sub-devices can prove something as a canary of this product.
func (m *model) canBeCanary(subs int) bool {
	if m.product.Auth != iot.AuthSecret {
		return false
	}
	switch m.product.NodeType {
	case iot.SubDevice:
		return false
	case iot.Gateway:
		if subs == 0 || subs > maxSubDevices {
			return false
		}
	}
	return m.product.DataFormat != iot.Alink || m.nonceProperty() != ""
}

// behaviour lets a canary of a product with a thing model post a property and answer the services; others report where
// a rule forwards it, and answer nothing but RRPC.
func (m *model) behaviour() aliyun.CanaryBehaviour {
	if m.product.DataFormat != iot.Alink {
		return aliyun.CanaryBehaviour{Report: func(nonce string) (string, []byte) {
			return m.topic, fmt.Appendf(nil, `{"iotferry":%s}`, nonce)
		}}
	}
	b := aliyun.CanaryBehaviour{Services: map[string]aliyun.CanaryService{}}
	for _, s := range m.Services {
		b.Services[s.Identifier] = nil
	}
	property := m.nonceProperty()
	b.Report = aliyun.PropertyReport(func(nonce string) json.RawMessage {
		if property == "" {
			return nil // a sub-device's post is not looked for: an empty one will do
		}
		return json.RawMessage(fmt.Sprintf(`{%q:%s}`, property, nonce))
	})
	return b
}

// nonceProperty returns a number among the properties that can be every nonce, or nothing.
func (m *model) nonceProperty() string {
	const largest = 16777215
	for _, p := range m.Properties {
		switch p.DataType.Type {
		case "int", "float", "double":
		default:
			continue
		}
		var limits struct{ Min, Max string }
		if json.Unmarshal(p.DataType.Specs, &limits) != nil {
			continue
		}
		low, errLow := strconv.ParseFloat(limits.Min, 64)
		high, errHigh := strconv.ParseFloat(limits.Max, 64)
		if errLow == nil && errHigh == nil && low <= 0 && high >= largest {
			return p.Identifier
		}
	}
	return ""
}
