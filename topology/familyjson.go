package topology

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// familyJSON is the JSON form of a family: either the first field, or the second and perhaps the third.
type familyJSON struct {
	Device     string   `json:"device,omitempty"`
	Gateway    string   `json:"gateway,omitempty"`
	SubDevices []string `json:"subDevices,omitempty"`
}

// MarshalJSON writes {"gateway":"productKey/deviceName","subDevices":["...",...]}, without subDevices if there are none,
// or {"device":"productKey/deviceName"} for a direct device. The error for a family that
// UnmarshalJSON would refuse is [iot.Invalid].
func (f Family) MarshalJSON() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	for _, id := range f.Devices {
		if err := id.Check(); err != nil {
			return nil, fmt.Errorf("family %s: %w", f.ID(), err)
		}
	}
	if f.Gateway.IsZero() {
		return json.Marshal(familyJSON{Device: f.ID().String()})
	}
	form := familyJSON{Gateway: f.Gateway.String(), SubDevices: make([]string, f.Len()-1)}
	for i, id := range f.children() {
		form.SubDevices[i] = id.String()
	}
	return json.Marshal(form)
}

// UnmarshalJSON reads what MarshalJSON writes. It is strict: no unknown fields, no null, every ID one that
// the platform could have given out, sub-devices in order, each once and none of them the gateway. Its errors are
// [iot.Invalid] and name the field. On an error f stays as it is.
func (f *Family) UnmarshalJSON(data []byte) error {
	form, err := decodeFamily(data)
	if err != nil {
		return &iot.Error{Kind: iot.Invalid, Message: "family: not of the form that is written", Err: err}
	}
	family, err := form.family()
	if err != nil {
		return err
	}
	if err := family.check(); err != nil {
		return err
	}
	*f = family
	return nil
}

func decodeFamily(data []byte) (form familyJSON, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&form); err != nil {
		return form, err
	}
	if _, err := d.Token(); err != io.EOF {
		return form, errors.New("more after the family")
	}
	return form, nil
}

func (form familyJSON) family() (Family, error) {
	var f Family
	head, field := form.Device, "device"
	if head == "" {
		head, field = form.Gateway, "gateway"
	}
	switch {
	case head == "":
		return f, invalidFamily("it has neither device nor gateway")
	case field == "device" && (form.Gateway != "" || len(form.SubDevices) > 0):
		return f, invalidFamily("a direct device has neither gateway nor subDevices")
	}
	f.Devices = make([]iot.DeviceID, len(form.SubDevices)+1)
	for i, text := range form.SubDevices {
		id, err := iot.ParseDeviceID(text)
		if err != nil {
			return f, fmt.Errorf("family: subDevices[%d]: %w", i, err)
		}
		f.Devices[i] = id
	}
	id, err := iot.ParseDeviceID(head)
	if err != nil {
		return f, fmt.Errorf("family: %s: %w", field, err)
	}
	f.Devices[len(form.SubDevices)] = id
	if field == "gateway" {
		f.Gateway = id
	}
	return f, nil
}

// check returns an error unless f has the shape that Families gives it.
func (f Family) check() error {
	subs := f.children()
	switch {
	case f.Len() == 0:
		return invalidFamily("it has no devices")
	case f.Gateway.IsZero() && f.Len() > 1:
		return invalidFamily("%d devices need a gateway", f.Len())
	case !f.Gateway.IsZero() && f.Gateway != f.ID():
		return invalidFamily("the last of its devices is not its gateway %q", f.Gateway)
	case slices.Contains(subs, f.Gateway):
		return invalidFamily("gateway %q is its own sub-device", f.Gateway)
	}
	for i := 1; i < len(subs); i++ {
		if subs[i-1].Compare(subs[i]) >= 0 {
			return invalidFamily("subDevices[%d]: %q does not come after %q", i, subs[i], subs[i-1])
		}
	}
	return nil
}

func invalidFamily(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Message: "family: " + fmt.Sprintf(format, args...)}
}
