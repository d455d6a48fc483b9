package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
)

// A Duration is a [time.Duration] that JSON has as a text such as "1m30s".
type Duration time.Duration

// MarshalText writes the duration as package time does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration such as 90s or 168h", text)
	}
	*d = Duration(v)
	return nil
}

// check returns what is wrong with a rule.
func (r *Rule) check() error {
	switch {
	case !slices.Contains([]fake.OpKind{"", fake.APIOp, fake.ConsoleOp, fake.DeviceOp}, r.Kind):
		return fmt.Errorf("kind: %q is none of api, console and device", r.Kind)
	case r.After < 0 || r.Every < 0 || r.Count < 0:
		return errors.New("after, every and count: a number is negative")
	case r.Delay < 0:
		return errors.New("delay: it is negative")
	case r.Refuse == nil && !r.Lost && r.Delay == 0 && len(r.Lie) == 0 && len(r.Drop) == 0:
		return errors.New("it does nothing: give refuse, lost, delay, lie or drop")
	case len(r.Lie) > 0 && !slices.Contains(lying[:], r.Name):
		return fmt.Errorf("lie: name has to be one of %q", lying)
	case len(r.Drop) > 0 && !slices.Contains(dropping[:], r.Name):
		return fmt.Errorf("drop: name has to be one of %q", dropping)
	case r.Refuse != nil:
		return r.Refuse.check()
	}
	return nil
}

func (r *Refusal) check() error {
	switch {
	case r.Status != 0 && r.Status != 200 && (r.Status < 400 || r.Status > 599):
		return fmt.Errorf("refuse.status: %d is neither 200 nor 400 to 599", r.Status)
	case r.Code == "":
		return errors.New("refuse.code: it is missing")
	}
	return nil
}

// lying are the operations that ask [fake.Fault].Lie.
var lying = [...]string{
	"BatchGrayMigrationDevice", "Pub", "SetDeviceProperty", "InvokeThingService", "Gray", "Rollback", "Connect",
}

// dropping are the operations whose answers [Drop] knows.
var dropping = [...]string{
	"BatchGrayMigrationDevice", "BatchGetDeviceState", "BatchQueryDeviceDetail", "QueryDevice", "QueryDeviceByStatus",
	"GetThingTopo", "Gray", "Rollback",
}

// Drop returns a [fake.Fault].Alter that leaves the devices of which gone reports true out of an answer that lists
// devices. Other answers stay as they are.
func Drop(gone func(deviceName string) bool) func(response any) {
	return func(response any) {
		switch r := response.(type) {
		case *[]fake.MigrationResult:
			*r = without(*r, func(d fake.MigrationResult) bool { return gone(d.DeviceName) })
		case *fake.BatchGrayMigrationDeviceResponse:
			r.Details = without(r.Details, func(d fake.MigrationResult) bool { return gone(d.DeviceName) })
		case *fake.BatchGetDeviceStateResponse:
			r.DeviceStatus = without(r.DeviceStatus, func(d fake.DeviceStatus) bool { return gone(d.DeviceName) })
		case *fake.BatchQueryDeviceDetailResponse:
			r.Data = without(r.Data, func(d fake.DeviceDetail) bool { return gone(d.DeviceName) })
		case *fake.QueryDeviceResponse:
			r.DeviceInfo = without(r.DeviceInfo, func(d fake.DeviceInfo) bool { return gone(d.DeviceName) })
		case *fake.QueryDeviceByStatusResponse:
			r.SimpleDeviceInfo = without(r.SimpleDeviceInfo, func(d fake.DeviceInfo) bool { return gone(d.DeviceName) })
		case *fake.GetThingTopoResponse:
			r.DeviceInfo = without(r.DeviceInfo, func(d fake.TopoDevice) bool { return gone(d.DeviceName) })
		}
	}
}

// without returns a new list: an answer's own may be the platform's.
func without[T any](list []T, gone func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), gone)
}
