package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A CanaryDevice is a device of the caller's own that says what it sees. aliyun.Canary is one. Its sessions are its
// connections to the platform, numbered from 1: what it says of a session is true of no other. It must be safe for
// concurrent use, and its errors must hold no secrets.
type CanaryDevice interface {
	// ID names the device.
	ID() iot.DeviceID
	// Session returns the number of the session that is up, and since when it is, by the device's clock. If there
	// is none, err says why.
	Session() (number int, since time.Time, err error)
	// Await waits until a message that match accepts has reached the device in a session; one that is there already
	// counts. Its error is [iot.NotConnected] once that session is over, or the context's.
	Await(ctx context.Context, session int, match func(topic string, payload []byte) bool) error
	// Report lets the device report something that carries nonce, a number from 0 to 16777215, which every numeric type of
	// a thing model can hold, and returns when the platform has accepted it. Its error is [iot.Invalid] if the platform
	// answered that the report is wrong.
	Report(ctx context.Context, nonce string) error
	// SubDevices returns the sub-devices that the platform shows to the device as its own: nil for one that is
	// logged in, else why it is not.
	SubDevices(ctx context.Context) (map[iot.DeviceID]error, error)
}

// A CanaryConfig configures [Canary]. The zero value is ready to use.
type CanaryConfig struct {
	// Sink is where the target forwards reports to. If it is given, the canary's report has to be seen there.
	Sink Sink
	// Forwards tells whether the target forwards what devices of a product report. Of those where it does not, no report is
	// looked for at Sink. Nil means that all is forwarded.
	Forwards func(productKey string) bool
	// Carries tells whether m is the report that carries nonce. Nil looks for a number in the payload, or in a text of it, that
	// equals the nonce. The platform does not forward the ID of a property post: there a property has to hold the nonce.
	Carries func(m iot.Message, nonce string) bool
	// Topic returns the custom topic to publish to. Nil means /{productKey}/{deviceName}/user/get.
	Topic func(iot.DeviceID) string
	// Services are called on each canary, one after the other. The answer to an asynchronous one is the platform's to
	// forward, see [Service]: here it is proven that the call arrives.
	Services []Invocation
	// Choose returns more services to call on the canaries of a product, given its thing model at the target, as
	// [ServiceConfig] says. It is not asked about products that have no thing model, as the lane tells. Nil
	// chooses none.
	Choose func(productKey string, model json.RawMessage) ([]Invocation, error)
	// Properties are set on each canary: a JSON object. Nil sets none.
	Properties json.RawMessage
	// Timeout is how long an answer, or a message on its way, is waited for: 1 to 8 seconds; zero means 5.
	Timeout time.Duration
	// Again is how long a report is looked for at Sink until the canary sends another one; zero means a minute. One
	// look waits for it for Timeout at most.
	Again time.Duration
}

// Canary proves the target from the device's side: canaries, devices of the caller's own in the products that move, say
// themselves what reaches them and what is accepted from them. Its name is "canary".
//
// A canary passes if all of this happened in one and the same session: a message sent by Pub through the target reached it,
// byte for byte; it got an RRPC request through the target and its own answer, with what was asked in it, came
// back; the platform accepted a report of it, which was seen at the sink if there is one; the services that are
// configured were called through the target, arrived and, if synchronous, were answered; properties were set; and, of a
// gateway, every planned sub-device is in the topology that the platform shows to it, and logged in. What reaches a
// device through the target proves that it lives there, whatever the clocks say. Where the canary's clock can be compared with
// the runner's, a session that is older than the move counts for nothing.
//
// A canary fails if a message arrives changed, if an RRPC answer is not its own, or if the platform refuses its report as wrong.
// All else is inconclusive. Each look sends, so give a stage one Canary verifier, with all canaries, after
// [Online]. Devices that are no canary have nothing to prove here: they pass after the canaries, and the evidence says that
// nothing was observed.
func Canary(c CanaryConfig, canaries ...CanaryDevice) migrate.Verifier {
	const name = "canary"
	known := make(map[iot.DeviceID]CanaryDevice, len(canaries))
	for _, device := range canaries {
		if device == nil || known[device.ID()] != nil {
			return broken(name, "a canary is nil, or is there twice")
		}
		known[device.ID()] = device
	}
	switch {
	case len(canaries) == 0:
		return broken(name, "there is no canary: nothing would be observed")
	case c.Timeout != 0 && (c.Timeout < time.Second || c.Timeout > 8*time.Second):
		return broken(name, "CanaryConfig.Timeout is %v: RRPC allows 1 to 8 seconds", c.Timeout)
	}
	v := &canary{CanaryConfig: c.withDefaults(), devices: known, memory: newMemory()}
	return migrate.NewVerifier(name, func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) { v.look(ctx, s, yield) }
	})
}

func (c CanaryConfig) withDefaults() CanaryConfig {
	if c.Carries == nil {
		c.Carries = carries
	}
	if c.Forwards == nil {
		c.Forwards = func(string) bool { return true }
	}
	if c.Topic == nil {
		c.Topic = func(id iot.DeviceID) string { return "/" + id.String() + "/user/get" }
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Again == 0 {
		c.Again = defaultAgain
	}
	return c
}

type canary struct {
	CanaryConfig
	devices map[iot.DeviceID]CanaryDevice
	memory  *memory // of reports that the sink does not show yet
}

// look asks the canaries first: the first finding that passes is what a campaign's report shows as evidence.
func (v *canary) look(ctx context.Context, s *migrate.Subject, yield func(migrate.Finding, error) bool) {
	lead := time.Until(s.Now)
	for _, d := range s.Devices {
		device := v.devices[d.ID]
		if device == nil {
			continue
		}
		f, err := v.judge(ctx, canaryLook{Subject: s, SubjectDevice: d, device: device, lead: lead})
		if err != nil {
			f = migrate.Finding{}
		}
		if !yield(f, err) || err != nil && hopeless(ctx, err) {
			return
		}
	}
	for _, d := range s.Devices {
		if v.devices[d.ID] == nil && !yield(finding(d, migrate.Pass, migrate.NotObserved, s.Now, "no canary"), nil) {
			return
		}
	}
}

// A canaryLook is one look at one canary.
type canaryLook struct {
	*migrate.Subject
	migrate.SubjectDevice
	device  CanaryDevice
	lead    time.Duration // of the runner's clock
	session int
}

// A canaryStep is one proof. It returns what was seen; a verdict other than pass ends the look.
type canaryStep func(context.Context, canaryLook) (migrate.Verdict, string, error)

func (v *canary) judge(ctx context.Context, look canaryLook) (migrate.Finding, error) {
	source := "the canary, asked through " + look.Target.Info.String()
	found := func(verdict migrate.Verdict, seen string) migrate.Finding {
		return finding(look.SubjectDevice, verdict, source, look.Now, seen)
	}
	number, since, err := look.device.Session()
	switch {
	case err != nil:
		return found(migrate.Inconclusive, err.Error()), nil
	case look.comparable() && look.older(since):
		return found(migrate.Inconclusive, fmt.Sprintf("it is connected since %s, before its move at %s", stamp(since), stamp(look.Moved))), nil
	}
	look.session = number
	seen := fmt.Sprintf("connection %d, since %s", number, stamp(since))
	if !look.comparable() {
		seen += " by the canary's clock"
	}
	for _, step := range []canaryStep{v.publish, v.call, v.report, v.invoke, v.set, v.family} {
		if err := ctx.Err(); err != nil {
			return migrate.Finding{}, fmt.Errorf("verify: canary %s: %w", look.ID, err)
		}
		verdict, what, err := step(ctx, look)
		if err != nil {
			return migrate.Finding{}, fmt.Errorf("verify: canary %s: %w", look.ID, err)
		}
		if what != "" {
			seen += "; " + what
		}
		if verdict != migrate.Pass {
			return found(verdict, seen), nil
		}
	}
	if again, _, err := look.device.Session(); err != nil || again != number {
		return found(migrate.Inconclusive, seen+"; but the connection was lost meanwhile"), nil
	}
	v.memory.forget(command{device: look.ID})
	return found(migrate.Pass, seen), nil
}

// comparable reports whether the canary's clock and the runner's show the same. A runner's clock that is not the real one says
// nothing about a session.
func (l canaryLook) comparable() bool { return l.lead.Abs() <= DefaultSkew }

// older reports whether a session is certainly older than the move, by comparable clocks: they were comparable at the
// move as well, as the runner's only ever runs ahead.
func (l canaryLook) older(begun time.Time) bool { return begun.Before(since(l.Moved, 0)) }

// await waits for a message of this look's session. Seen is why there is none, unless nobody could look.
func (v *canary) await(ctx context.Context, look canaryLook, match func(topic string, payload []byte) bool) (seen string, err error) {
	within, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	err = look.device.Await(within, look.session, match)
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, iot.NotConnected):
		return "the connection was lost meanwhile", nil
	case within.Err() != nil:
		return "it has not arrived", nil
	}
	return "", err
}

// nonce returns a number that only this look knows.
func nonce() string { return strconv.FormatUint(uint64(rand.Uint32()), 10) }

func canaryPayload(nonce string) []byte { return fmt.Appendf(nil, `{"iotferry":%q}`, nonce) }

// publish proves that Pub through the target reaches the device.
func (v *canary) publish(ctx context.Context, look canaryLook) (migrate.Verdict, string, error) {
	mark := nonce()
	topic, payload := v.Topic(look.ID), canaryPayload(mark)
	id, err := look.Target.Publish(ctx, topic, payload)
	if seen := pending(err); seen != "" {
		return migrate.Inconclusive, "Pub: " + seen, nil
	}
	if err != nil {
		return "", "", err
	}
	var other string // what arrived instead
	seen, err := v.await(ctx, look, func(t string, p []byte) bool {
		if !bytes.Contains(p, []byte(mark)) || t == topic && bytes.Equal(p, payload) {
			return t == topic && bytes.Equal(p, payload)
		}
		other = t
		return true
	})
	switch {
	case err != nil:
		return "", "", err
	case other != "":
		return migrate.Fail, fmt.Sprintf("message %s of Pub on %s arrived on %s, or changed", id, topic, other), nil
	case seen != "":
		return migrate.Inconclusive, fmt.Sprintf("message %s of Pub was accepted, but %s", id, seen), nil
	}
	return migrate.Pass, fmt.Sprintf("message %s of Pub arrived", id), nil
}

// call proves that RRPC through the target is answered by the device itself.
func (v *canary) call(ctx context.Context, look canaryLook) (migrate.Verdict, string, error) {
	mark := nonce()
	request := canaryPayload(mark)
	answer, err := look.Target.Call(ctx, look.ID, request, v.Timeout)
	if seen := pending(err); seen != "" {
		return migrate.Inconclusive, "RRPC: " + seen, nil
	}
	if err != nil {
		return "", "", err
	}
	if !bytes.Contains(answer, []byte(mark)) {
		return migrate.Fail, "the answer to RRPC does not have in it what was asked: it is not the canary's", nil
	}
	seen, err := v.await(ctx, look, func(topic string, payload []byte) bool {
		return strings.HasPrefix(topic, "/sys/"+look.ID.String()+"/rrpc/request/") && bytes.Equal(payload, request)
	})
	if err != nil {
		return "", "", err
	}
	if seen != "" {
		return migrate.Inconclusive, "RRPC was answered, but not in this connection: " + seen, nil
	}
	return migrate.Pass, "it answered RRPC", nil
}
