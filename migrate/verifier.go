package migrate

import (
	"context"
	"iter"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Verifier judges moved devices by what it observes, never by what the mover said. It looks once and
// does not wait: the runner asks again about devices whose verdict was inconclusive, until the
// stage's deadline. Implementations are safe for concurrent use.
type Verifier interface {
	// Name identifies the verifier in plans and journals, in kebab-case. It is unique in a stage.
	Name() string
	// Verify yields at most one finding per device of the subject; a device without one is
	// inconclusive. An error means that the verifier could not look. It is not the device's failure, and
	// the verifier may go on after it.
	Verify(context.Context, *Subject) iter.Seq2[Finding, error]
}

// OnlineVerifier is the name of the verifier that proves a device online since its move. Passing it takes a
// device to [DeviceOnline]. The verifier of that name should come first in a stage.
const OnlineVerifier = "online"

// NotObserved is the source of the evidence of a device that a verifier passes because it has nothing to prove there. Reports prefer
// evidence of something that was seen.
const NotObserved = "not observed"

// A Subject is what a verifier is asked about.
type Subject struct {
	Campaign string
	Lane     Lane
	Stage    string
	Source   iot.Instance
	Target   iot.Instance
	Now      time.Time
	Devices  []SubjectDevice
}

// A SubjectDevice is one device that was moved.
type SubjectDevice struct {
	ID      iot.DeviceID
	Node    iot.NodeType
	Gateway iot.DeviceID // of a sub-device, as planned; zero for all others. It may have moved before: see LanePlan.Followers
	// Family is the whole family, the gateway last: as planned, with the sub-devices that have joined it before its wave. It is shared: do not write to it.
	Family []iot.DeviceID
	// Moved is a time, by the runner's clock, when the device was not yet at the target: when the call with it
	// was begun, or, if the console moved it, the latest time from which that is known. It is zero for a
	// device that somebody else had moved before its wave.
	Moved time.Time
}

// A Verdict is what was observed of a device.
type Verdict string

// The verdicts. A device that stays inconclusive until its deadline counts as failed.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail" // sticky: looking again never turns it into a pass by itself
	Inconclusive Verdict = "inconclusive"
)

// A Finding is a verdict on one device with the evidence for it.
type Finding struct {
	Device   iot.DeviceID
	Verdict  Verdict
	Evidence Evidence
}

// Evidence is what was seen, where and when.
type Evidence struct {
	Source string    `json:"source"` // where it was seen, such as "BatchGetDeviceState at iot-060a0001"
	At     time.Time `json:"at"`     // when it was seen or happened, UTC
	Seen   string    `json:"seen"`   // what was seen, in words; no secrets
}

// NewVerifier makes a verifier of a function.
func NewVerifier(name string, verify func(context.Context, *Subject) iter.Seq2[Finding, error]) Verifier {
	return verifier{name: name, verify: verify}
}

type verifier struct {
	name   string
	verify func(context.Context, *Subject) iter.Seq2[Finding, error]
}

func (v verifier) Name() string { return v.name }
func (v verifier) Verify(ctx context.Context, s *Subject) iter.Seq2[Finding, error] {
	return v.verify(ctx, s)
}
