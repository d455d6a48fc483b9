package migratetest

import (
	"errors"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/sim"
	"github.com/iotferry/iotferry/iot"
)

// An Op is an operation that the platform is about to do.
type Op struct {
	Kind       string   // "api", "console" or "device"
	Name       string   // of the API such as BatchGrayMigrationDevice, of the console's act such as Rollback, or Connect
	Instance   string   // ID of the instance; empty for the public one, and for calls that take none
	ProductKey string   // empty if the operation is about none
	Devices    []string // device names, as far as the operation names any; read only
	At         time.Time
}

// A Fault changes how an operation goes. The zero value changes nothing; fields combine.
type Fault struct {
	// Refuse lets the platform refuse the operation, with no effect, as the error's [iot.Kind] says:
	// Throttled, Denied, Transient, NotFound, Invalid, NotConnected. A device that is refused stays
	// offline.
	Refuse error
	// Lost loses the answer after the effect.
	Lost bool
	// Lie lets the platform say that it was done, and do nothing, for devices of which it reports true. A device
	// that connects is then shown online without a session behind it.
	Lie func(deviceName string) bool
	// Drop leaves devices of which it reports true out of an answer that lists devices, after the effect.
	Drop func(deviceName string) bool
	// Delay is how long the answer takes.
	Delay time.Duration
}

// Always is a [Fault.Lie], or a [Fault.Drop], about every device.
func Always(string) bool { return true }

func publicOp(op fake.Op) Op {
	return Op{
		Kind: string(op.Kind), Name: op.Name, Instance: op.Instance,
		ProductKey: op.ProductKey, Devices: op.Devices, At: op.At,
	}
}

func (f Fault) internal() fake.Fault {
	out := fake.Fault{Lie: f.Lie, Lost: f.Lost, Delay: f.Delay}
	if f.Refuse != nil {
		out.Err = refusal(f.Refuse)
	}
	if f.Drop != nil {
		out.Alter = sim.Drop(f.Drop)
	}
	return out
}

// refusal finds the platform's own words for a kind of error.
func refusal(err error) error {
	if _, ok := errors.AsType[*fake.APIError](err); ok {
		return err
	}
	answer := &fake.APIError{HTTPStatus: 200, Message: err.Error()}
	switch iot.KindOf(err) {
	case iot.Throttled:
		answer.HTTPStatus, answer.Code = 400, "Throttling.User"
	case iot.Denied:
		answer.Code = "iot.common.RamActionPermissionDeny"
	case iot.Transient:
		answer.Code = "iot.system.SystemException"
	case iot.NotFound:
		answer.Code = "iot.device.NotExistedDevice"
	case iot.NotConnected:
		answer.Code = "iot.messagebroker.OFFLINE"
	default:
		answer.Code = "iot.common.InvalidPageParams"
	}
	return answer
}
