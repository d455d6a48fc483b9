package fake

import (
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// DeviceSecret returns the secret with which a device signs in, and false if there is no such device on any instance.
func (c *Cloud) DeviceSecret(id iot.DeviceID) (secret iot.Secret, ok bool) {
	c.look(func() {
		if d := c.device(id); d != nil {
			secret, ok = d.secret, true
		}
	})
	return secret, ok
}

// ProductSecret returns the secret with which the devices of a product register themselves, and false if there
// is no such product, or if it has none.
func (c *Cloud) ProductSecret(productKey string) (secret iot.Secret, ok bool) {
	c.look(func() {
		if p := c.products[productKey]; p != nil {
			secret, ok = p.secret, p.secret != iot.Secret{}
		}
	})
	return secret, ok
}

// DynamicRegister gives a device of a product that is registered by the product's certificate a new secret. The caller
// has checked the signature. It may be asked again and again until the device has connected once; the newest secret counts.
//
// Its errors carry the platform's codes: [iot.NotFound] with 6250 for an unknown product and 6100 for a name that was not
// registered before, [iot.Denied] with 6288 for a product without dynamic registration, [iot.Conflict] with 6289 for
// a device that has connected before, and with 522 for a disabled one.
func (c *Cloud) DynamicRegister(id iot.DeviceID) (iot.Secret, error) {
	var secret iot.Secret
	var err error
	c.look(func() { secret, err = c.dynamicRegister(id) })
	return secret, err
}

func (c *Cloud) dynamicRegister(id iot.DeviceID) (iot.Secret, error) {
	fail := func(kind iot.Kind, code, message string) (iot.Secret, error) {
		return iot.Secret{}, &iot.Error{
			Kind: kind, Op: "DynamicRegister", Code: code, Message: fmt.Sprintf("device %s: %s", id, message),
		}
	}
	p, d := c.products[id.ProductKey], c.device(id)
	switch {
	case p == nil:
		return fail(iot.NotFound, "6250", "there is no such product")
	case p.auth != iot.AuthPerProductPreregistered:
		return fail(iot.Denied, "6288", "its product has no dynamic registration")
	case d == nil:
		return fail(iot.NotFound, "6100", "the name was not registered before")
	case d.disabled:
		return fail(iot.Conflict, "522", "it is disabled")
	case d.activated:
		return fail(iot.Conflict, "6289", "it has been activated")
	}
	d.secret = iot.NewSecret(fmt.Sprintf("%016x%016x", mix(d.seed, c.newID()), mix(d.seed, c.newID())))
	return d.secret, nil
}
