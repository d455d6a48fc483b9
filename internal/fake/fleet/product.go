package fleet

import (
	"encoding/json"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

func (w *walker) products(dst *[]Product) reader {
	var p Product
	var modelKey string // the product key that the thing model names
	members := []member{
		{"productKey", false, w.checked(&p.Key, iot.CheckProductKey)},
		{"name", false, w.text(&p.Name)},
		{"instance", false, w.anyText(&p.Instance)},
		{"nodeType", false, word(w, &p.NodeType, iot.Direct, iot.Gateway, iot.SubDevice)},
		{"auth", false, word(w, &p.Auth, iot.AuthPerDevice, iot.AuthPerProductPreregistered,
			iot.AuthPerProductFree, iot.AuthID2, iot.AuthX509)},
		{"productSecret", true, w.secret(&p.Secret)},
		{"dataFormat", false, word(w, &p.DataFormat, iot.Custom, iot.Alink)},
		{"network", false, word(w, &p.Network, iot.WiFi, iot.Cellular, iot.Ethernet, iot.LoRaWAN, iot.NBIoT, iot.OtherNet)},
		{"features", true, w.features(&p.Features)},
		{"tsl", true, w.model(&p.TSL, &modelKey)},
		{"forwarding", true, w.forwardings(&p.Forwarding)},
		{"history", true, w.history(&p.History)},
	}
	return rows(w, dst, &p, Product{}, members, func() error { return w.product(p, modelKey) })
}

// product checks the fields of a product against each other.
func (w *walker) product(p Product, modelKey string) error {
	perProduct := p.Auth == iot.AuthPerProductPreregistered || p.Auth == iot.AuthPerProductFree
	switch {
	case perProduct && p.Secret == iot.Secret{}:
		return w.faultIn([]string{"productSecret"}, "missing: add the field, as the product's auth is %s", p.Auth)
	case p.TSL == nil && p.History != nil:
		return w.faultIn([]string{"history"}, "history needs a tsl: add one to the product, or remove its history")
	case p.TSL != nil && modelKey == "":
		return w.missing("tsl", "profile", "productKey")
	case p.TSL != nil && modelKey != p.Key:
		return w.faultIn([]string{"tsl", "profile", "productKey"},
			"%q is not the key of its product: it must be %s", clip(modelKey), p.Key)
	}
	return nil
}

func (w *walker) features(dst *[]iot.Feature) reader {
	var feature iot.Feature
	read := word(w, &feature, iot.Authorized, iot.DataService, iot.Video, iot.Edge, iot.Living)
	return func() error {
		return w.array(func() error {
			if err := read(); err != nil {
				return err
			}
			if slices.Contains(*dst, feature) {
				return w.fault("%s stands twice: remove one of them", feature)
			}
			*dst = append(*dst, feature)
			return nil
		})
	}
}

func (w *walker) history(dst **History) reader {
	return func() error {
		h := new(History)
		*dst = h
		return w.object([]member{
			{"seed", false, w.seed(&h.Seed)},
			{"days", false, w.number(&h.Days, 1, 30)},
			{"everyMinutes", false, w.number(&h.EveryMinutes, 1, 1440)},
		})
	}
}

// model reads null or a thing model, which is kept as it is written, and the product key in it. What else
// stands in the model is the platform's: only the kinds of its parts are looked at. A part that is left out is
// taken as empty.
func (w *walker) model(dst *json.RawMessage, key *string) reader {
	return func() error {
		*key = ""
		stop := w.record()
		token, err := w.token()
		switch {
		case err != nil:
			return err
		case token == nil:
			stop()
			return nil
		case token != json.Delim('{'):
			return w.wrongType(token, "an object or null")
		}
		if err := w.freeFields(w.modelPart(key)); err != nil {
			return err
		}
		*dst = stop()
		return nil
	}
}

func (w *walker) modelPart(key *string) func(name string) error {
	var schema string
	return func(name string) error {
		switch name {
		case "schema":
			return w.anyText(&schema)()
		case "profile":
			return w.profile(key)
		case "properties", "events", "services":
			return w.array(w.anything)
		default:
			return w.anything()
		}
	}
}

func (w *walker) profile(key *string) error {
	if err := w.open('{', "an object"); err != nil {
		return err
	}
	return w.freeFields(func(name string) error {
		if name == "productKey" {
			return w.text(key)()
		}
		return w.anything()
	})
}
