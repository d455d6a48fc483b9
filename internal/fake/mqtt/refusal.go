package mqtt

import (
	"errors"
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// The CONNACK codes that refuse. The platform documents 2, 3 and 4 in its own sense.
const (
	refusedVersion   byte = 1 // not MQTT 3.1 or 3.1.1
	refusedParameter byte = 2 // a parameter is bad or missing, or the connection has not the security that it needs
	refusedServer    byte = 3 // the server's fault, or too many attempts: try again later
	refusedLogin     byte = 4 // authentication
)

// A refusal is why a client may not connect. It holds no secrets.
type refusal struct {
	code   byte // CONNACK
	reason string
	err    error // the cause; may be nil
}

func (r *refusal) Error() string {
	if r.err != nil {
		return fmt.Sprintf("%s: %v (CONNACK %d)", r.reason, r.err, r.code)
	}
	return fmt.Sprintf("%s (CONNACK %d)", r.reason, r.code)
}

func (r *refusal) Unwrap() error { return r.err }

func badParameter(reason string) error { return &refusal{code: refusedParameter, reason: reason} }

func badLogin(reason string) error { return &refusal{code: refusedLogin, reason: reason} }

// refusedBy is the refusal for an error of the platform: its own faults can be tried again, all others are
// about the device.
func refusedBy(err error, reason string) error {
	code := refusedServer
	for _, kind := range [...]iot.Kind{iot.NotFound, iot.Denied, iot.Conflict} {
		if errors.Is(err, kind) {
			code = refusedLogin
		}
	}
	return &refusal{code: code, reason: reason, err: err}
}
