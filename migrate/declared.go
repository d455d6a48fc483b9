package migrate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// Declared is what no API shows, and only the owner of the fleet knows. The zero value declares nothing:
// what is left open becomes a [CodeUndeclared] warning, never a silent yes. It holds no secrets.
type Declared struct {
	// Products says what the platform does not show of the source's products, by product key. A
	// product that is not there at all is undeclared, one with a zero [DeclaredProduct] has nothing special.
	Products map[string]DeclaredProduct `json:"products,omitempty"`
	// NoReconnect lists devices whose firmware does not reconnect by itself. Devices that the source
	// does not have (any more) are ignored, here and in Labelled.
	NoReconnect []iot.DeviceID `json:"noReconnect,omitempty"`
	// Labelled lists devices that have labels. An API shows them (QueryDeviceProp), but at one call per device.
	Labelled []iot.DeviceID `json:"labelled,omitempty"`
	// Followers are sub-devices whose gateway has moved without them, where the source does not show any more which gateway that was. Pairs
	// of which the sub-device is not at the source, or the gateway not at the target, are ignored.
	Followers []topology.Relation `json:"followers,omitempty"`
	// TargetOnlineQuota is how many devices may be online at the target at once. 0 is unknown.
	TargetOnlineQuota int `json:"targetOnlineQuota,omitempty"`
	// ID2Listed says that support has put the account on the list of those who may migrate ID² devices.
	ID2Listed bool `json:"id2Listed,omitempty"`
	// MaxProductDevices is the most devices that a product may have. 0 is the documented 500,000; support
	// can raise it.
	MaxProductDevices int `json:"maxProductDevices,omitempty"`
	// MaxSubDevices is the most sub-devices that a gateway may have. 0 is [topology.DefaultMaxSubDevices].
	MaxSubDevices int `json:"maxSubDevices,omitempty"`
}

// A DeclaredProduct completes one product.
type DeclaredProduct struct {
	// Auth tells apart the three ways that the platform shows as [iot.AuthSecret]. Empty declares nothing.
	Auth iot.Auth `json:"auth,omitempty"`
	// Network replaces what the platform shows, which knows neither LoRaWAN nor NB-IoT. Empty declares nothing.
	Network iot.Network `json:"network,omitempty"`
	// Features are the uses that keep the product from being migrated. None declares that there is none.
	Features []iot.Feature `json:"features,omitempty"`
}

const defaultMaxProductDevices = 500_000 // usage notes of instance migration

// Check returns an [iot.Invalid] error that names the first place that is wrong.
func (d Declared) Check() error {
	for _, key := range slices.Sorted(maps.Keys(d.Products)) {
		place := fmt.Sprintf("declared.products[%q]", key)
		if err := iot.CheckProductKey(key); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		if err := d.Products[key].check(place); err != nil {
			return err
		}
	}
	if err := checkDevices("declared.noReconnect", d.NoReconnect); err != nil {
		return err
	}
	if err := checkDevices("declared.labelled", d.Labelled); err != nil {
		return err
	}
	for i, r := range d.Followers {
		if err := cmp.Or(r.Sub.Check(), r.Gateway.Check()); err != nil {
			return fmt.Errorf("declared.followers[%d]: %w", i, err)
		}
	}
	for _, f := range []struct {
		name  string
		value int
	}{
		{"targetOnlineQuota", d.TargetOnlineQuota},
		{"maxProductDevices", d.MaxProductDevices},
		{"maxSubDevices", d.MaxSubDevices},
	} {
		if f.value < 0 {
			return refuse("declared.%s: %d is negative", f.name, f.value)
		}
	}
	return nil
}

func (p DeclaredProduct) check(place string) error {
	switch p.Auth {
	case "", iot.AuthSecret, iot.AuthPerDevice, iot.AuthPerProductPreregistered, iot.AuthPerProductFree, iot.AuthID2, iot.AuthX509:
	default:
		return refuse("%s.auth: %q is no way of authentication", place, p.Auth)
	}
	switch p.Network {
	case "", iot.WiFi, iot.Cellular, iot.Ethernet, iot.LoRaWAN, iot.NBIoT, iot.OtherNet:
	default:
		return refuse("%s.network: %q is no network", place, p.Network)
	}
	for i, f := range p.Features {
		switch f {
		case iot.Authorized, iot.DataService, iot.Video, iot.Edge, iot.Living:
		default:
			return refuse("%s.features[%d]: %q is no feature", place, i, f)
		}
	}
	return nil
}

// checkDevices returns an error that names the first device of the list that is none.
func checkDevices(place string, ids []iot.DeviceID) error {
	for i, id := range ids {
		if err := id.Check(); err != nil {
			return fmt.Errorf("%s[%d]: %w", place, i, err)
		}
	}
	return nil
}

func usesSecrets(a iot.Auth) bool { return a != iot.AuthID2 && a != iot.AuthX509 }

// refuse makes an error of kind [iot.Invalid].
func refuse(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Message: fmt.Sprintf(format, args...)}
}
