package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A PubConfig configures [Pub]. The zero value is ready to use, where devices answer RRPC.
type PubConfig struct {
	// WithoutInstanceID publishes without the target's instance ID, as a server does that was not changed.
	// The platform allows it after a ticket was granted; else the device is not known.
	WithoutInstanceID bool
	// Topic returns the custom topic to publish to. Nil means /{productKey}/{deviceName}/user/get.
	Topic func(iot.DeviceID) string
	// Payload returns what is sent, also as the RRPC request. A device in the field gets it: it must be harmless
	// there. Nil sends {"iotferry":"verify"}, which is harmless to what ignores unknown members.
	Payload func(migrate.SubjectDevice) []byte
	// Acks is where devices acknowledge what they got. Nil asks each device by RRPC instead, once its message was
	// accepted.
	Acks Sink
	// Acknowledges tells whether m acknowledges what was sent. It is required with Acks. A device does not learn
	// the message ID: put something of your own into the payload.
	Acknowledges func(m iot.Message, sent Sent) bool
	// Timeout is how long a device has to answer RRPC: 1 to 8 seconds; zero means 5.
	Timeout time.Duration
	// Again is how long an acknowledgement is waited for until another message is sent; zero means a minute.
	Again time.Duration
	// Concurrency is how many devices are sent to at the same time; zero means 16.
	Concurrency int
}

// Pub proves that a server reaches the device through the target by Pub: it publishes a message, and the
// device answers. Acceptance is no proof: the platform accepts messages for devices that are not there. The
// proof is an acknowledgement seen at [PubConfig.Acks], or else an answer to RRPC: the device was
// reachable after its message was accepted.
//
// Its name is "pub", or "pub-without-instance-id". A look sends at most one message to a device. Pub never
// fails a device: one that is not connected or does not answer in time is inconclusive. Let [Online] come
// first in the stage.
func Pub(c PubConfig) migrate.Verifier {
	name := withoutID("pub", c.WithoutInstanceID)
	switch {
	case c.Acks != nil && c.Acknowledges == nil:
		return broken(name, "PubConfig.Acknowledges is nil: with Acks it has to tell what acknowledges a message")
	case c.Timeout != 0 && (c.Timeout < time.Second || c.Timeout > 8*time.Second):
		return broken(name, "PubConfig.Timeout is %v: RRPC allows 1 to 8 seconds", c.Timeout)
	case c.Concurrency < 0:
		return broken(name, "PubConfig.Concurrency is negative")
	}
	p := &pub{PubConfig: c.withDefaults(), memory: newMemory()}
	return migrate.NewVerifier(name, func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) { p.look(ctx, s, yield) }
	})
}

// withoutID names the variant of a verifier that calls without the target's instance ID.
func withoutID(name string, without bool) string {
	if without {
		return name + "-without-instance-id"
	}
	return name
}

func (c PubConfig) withDefaults() PubConfig {
	if c.Topic == nil {
		c.Topic = func(id iot.DeviceID) string { return "/" + id.String() + "/user/get" }
	}
	if c.Payload == nil {
		c.Payload = func(migrate.SubjectDevice) []byte { return []byte(`{"iotferry":"verify"}`) }
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Again == 0 {
		c.Again = defaultAgain
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	return c
}

type pub struct {
	PubConfig
	memory *memory
}

func (p *pub) look(ctx context.Context, s *migrate.Subject, yield func(migrate.Finding, error) bool) {
	send := p.echo
	if p.Acks != nil {
		send = p.publishOnce
	}
	for devices := range slices.Chunk(s.Devices, maxLatest) {
		var sent []migrate.SubjectDevice // those whose acknowledgement is due
		one := func(d migrate.SubjectDevice) commandLook { return send(ctx, s, d) }
		i := -1
		for got := range inOrder(p.Concurrency, devices, one) {
			i++
			switch {
			case got.err != nil:
				if !yield(migrate.Finding{}, got.err) || hopeless(ctx, got.err) {
					return
				}
			case got.finding.Verdict == "":
				sent = append(sent, devices[i])
			default:
				if !yield(got.finding, nil) {
					return
				}
			}
		}
		if len(sent) > 0 && !p.acknowledged(ctx, s, sent).yield(yield) {
			return
		}
	}
}

// publish sends one message. Its finding is that of a device which cannot get it now; without a finding
// and an error, the platform took the message.
func (p *pub) publish(ctx context.Context, s *migrate.Subject, d migrate.SubjectDevice) (Sent, commandLook) {
	through := s.Target
	if p.WithoutInstanceID {
		through = s.Source
	}
	if err := ctx.Err(); err != nil {
		return Sent{}, commandLook{err: fmt.Errorf("verify: publish: %w", err)}
	}
	payload := p.Payload(d)
	id, err := through.Publish(ctx, p.Topic(d.ID), payload)
	if seen := pending(err); seen != "" {
		return Sent{}, commandLook{finding: open(d, s, p.source(s), "%s", seen)}
	}
	if err != nil {
		return Sent{}, commandLook{err: fmt.Errorf("verify: publish to %s: %w", d.ID, err)}
	}
	return Sent{Device: d.ID, MessageID: id, Payload: payload, At: s.Now}, commandLook{}
}

// echo publishes and then asks the device for an answer.
func (p *pub) echo(ctx context.Context, s *migrate.Subject, d migrate.SubjectDevice) commandLook {
	sent, got := p.publish(ctx, s, d)
	if got.err != nil || got.finding.Verdict != "" {
		return got
	}
	_, err := s.Target.Call(ctx, d.ID, sent.Payload, p.Timeout)
	source := p.source(s) + ", then " + api("RRpc", s.Target.View)
	if seen := pending(err); seen != "" {
		return commandLook{finding: open(d, s, source, "message %s was accepted, but %s", sent.MessageID, seen)}
	}
	if err != nil {
		return commandLook{err: fmt.Errorf("verify: call %s: %w", d.ID, err)}
	}
	seen := fmt.Sprintf("message %s was accepted, and the device answered after it", sent.MessageID)
	return commandLook{finding: finding(d, migrate.Pass, source, s.Now, seen)}
}

// publishOnce publishes, unless an acknowledgement is still due.
func (p *pub) publishOnce(ctx context.Context, s *migrate.Subject, d migrate.SubjectDevice) commandLook {
	key := command{device: d.ID}
	if a, ok := p.memory.get(key, d.Moved); ok && s.Now.Sub(a.sent.At) < p.Again {
		return commandLook{}
	}
	sent, got := p.publish(ctx, s, d)
	if got.err == nil && got.finding.Verdict == "" {
		p.memory.put(key, attempt{sent: sent})
	}
	return got
}

// acknowledged looks for the acknowledgements of the devices that were sent to.
func (p *pub) acknowledged(ctx context.Context, s *migrate.Subject, devices []migrate.SubjectDevice) judged {
	messages, err := latest(ctx, p.Acks, devices)
	got := judged{err: err}
	for _, d := range devices {
		f := p.acknowledgedBy(s, d, messages[d.ID])
		if err == nil || f.Verdict == migrate.Pass {
			got.findings = append(got.findings, f)
		}
	}
	return got
}

func (p *pub) acknowledgedBy(s *migrate.Subject, d migrate.SubjectDevice, messages []iot.Message) migrate.Finding {
	key := command{device: d.ID}
	a, _ := p.memory.get(key, d.Moved)
	for _, m := range messages {
		if m.Instance == s.Target.Info.ID && p.Acknowledges(m, a.sent) {
			p.memory.forget(key)
			seen := fmt.Sprintf("message %s was acknowledged on %s", a.sent.MessageID, m.Topic)
			return finding(d, migrate.Pass, p.source(s)+", then "+sinkOf(s), m.Generated, seen)
		}
	}
	return open(d, s, sinkOf(s), "message %s was accepted, but is not acknowledged yet", a.sent.MessageID)
}

func (p *pub) source(s *migrate.Subject) string {
	if p.WithoutInstanceID {
		return "Pub without an instance ID"
	}
	return api("Pub", s.Target.View)
}
