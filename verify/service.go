package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// An Invocation is a call of a service of the thing model.
type Invocation struct {
	Service string          // its identifier
	Args    json.RawMessage // a JSON object; nil for none
	Async   bool            // the answer comes as a message
}

// A ServiceConfig configures [Service].
type ServiceConfig struct {
	// Choose returns the services to call on the devices of a product, given its thing model at the
	// target. It is required: what a device may be asked to do is its owner's decision. See
	// [ServicesWithoutInput]. A product without a chosen service has nothing to prove here.
	Choose func(productKey string, model json.RawMessage) ([]Invocation, error)
	// Replies is where devices' answers to asynchronous services arrive. It is required for these.
	Replies Sink
	// WithoutInstanceID calls without the target's instance ID, as a server does that was not changed. The
	// platform allows it after a ticket was granted; else the device is not known.
	WithoutInstanceID bool
	// Again is how long the answer of an asynchronous service is waited for until the service is called another
	// time; zero means a minute.
	Again time.Duration
	// Concurrency is how many devices are called at the same time; zero means 16.
	Concurrency int
}

// Service proves that a server can call the services of the device's thing model through the target
// (InvokeThingService): every chosen service is called, and the device answers. A synchronous one answers the call;
// of an asynchronous one the reply with the call's message ID is seen, forwarded by the target.
//
// Its name is "service", or "service-without-instance-id". A service that answered is not called again until the
// device has passed. A device fails if it answers with an error code. The codes 429 (too many requests), 9200
// (not activated) and 9201 (offline) are the platform's and may pass: they are inconclusive, as is no
// answer. Let [Online] come first in the stage.
func Service(c ServiceConfig) migrate.Verifier {
	name := withoutID("service", c.WithoutInstanceID)
	switch {
	case c.Choose == nil:
		return broken(name, "ServiceConfig.Choose is nil: it has to say which services may be called")
	case c.Concurrency < 0:
		return broken(name, "ServiceConfig.Concurrency is negative")
	}
	if c.Again == 0 {
		c.Again = defaultAgain
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	v := &service{ServiceConfig: c, memory: newMemory()}
	return migrate.NewVerifier(name, func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) { v.look(ctx, s, yield) }
	})
}

type service struct {
	ServiceConfig
	memory *memory
}

func (v *service) look(ctx context.Context, s *migrate.Subject, yield func(migrate.Finding, error) bool) {
	for devices := range slices.Chunk(s.Devices, maxLatest) {
		chosen, err := v.choose(ctx, s, devices)
		if err != nil && (!yield(migrate.Finding{}, err) || hopeless(ctx, err)) {
			return
		}
		known := slices.DeleteFunc(slices.Clone(devices), func(d migrate.SubjectDevice) bool {
			_, ok := chosen[d.ID.ProductKey]
			return !ok
		})
		if !v.lookAt(ctx, s, known, chosen, yield) {
			return
		}
	}
}

// lookAt reads the answers that have come, makes the calls that are due, and judges each device. It returns false when the look
// is over. Answers are read first: a sink may have to subscribe before an answer is sent, and one that came since the last
// look counts before its call is made again.
func (v *service) lookAt(ctx context.Context, s *migrate.Subject, devices []migrate.SubjectDevice,
	chosen map[string][]Invocation, yield func(migrate.Finding, error) bool) bool {
	isAsync := func(d migrate.SubjectDevice) bool {
		return slices.ContainsFunc(chosen[d.ID.ProductKey], func(i Invocation) bool { return i.Async })
	}
	replies, err := v.replies(ctx, slices.DeleteFunc(slices.Clone(devices), func(d migrate.SubjectDevice) bool { return !isAsync(d) }))
	if err != nil {
		if !yield(migrate.Finding{}, err) || hopeless(ctx, err) {
			return false
		}
		devices = slices.DeleteFunc(slices.Clone(devices), isAsync) // their answers cannot be seen
	}
	one := func(d migrate.SubjectDevice) called {
		return v.call(ctx, s, d, chosen[d.ID.ProductKey], replies[d.ID])
	}
	calls := make([]called, 0, len(devices))
	for got := range inOrder(v.Concurrency, devices, one) {
		if got.err != nil && (!yield(migrate.Finding{}, got.err) || hopeless(ctx, got.err)) {
			return false
		}
		calls = append(calls, got)
	}
	for i, d := range devices {
		if calls[i].err == nil && !yield(v.judge(s, d, chosen[d.ID.ProductKey], calls[i], replies[d.ID]), nil) {
			return false
		}
	}
	return true
}

// choose returns the services of each product among the devices whose thing model could be read.
func (v *service) choose(ctx context.Context, s *migrate.Subject, devices []migrate.SubjectDevice) (map[string][]Invocation, error) {
	chosen := make(map[string][]Invocation)
	failed := make(map[string]bool)
	var first error
	for _, d := range devices {
		product := d.ID.ProductKey
		if _, done := chosen[product]; done || failed[product] {
			continue
		}
		services, err := v.chooseFor(ctx, s, product)
		if err != nil {
			failed[product] = true
			if first == nil {
				first = err
			}
			continue
		}
		chosen[product] = services
	}
	return chosen, first
}

func (v *service) chooseFor(ctx context.Context, s *migrate.Subject, product string) ([]Invocation, error) {
	model, err := s.Target.ThingModel(ctx, product)
	if err != nil {
		return nil, fmt.Errorf("verify: read the thing model of %s at %s: %w", product, s.Target.Info, err)
	}
	services, err := v.Choose(product, model)
	if err != nil {
		return nil, fmt.Errorf("verify: choose services of %s: %w", product, err)
	}
	for _, service := range services {
		if service.Async && v.Replies == nil {
			return nil, &iot.Error{Kind: iot.Invalid, Op: "verify service", Message: fmt.Sprintf(
				"service %q of %s is asynchronous: ServiceConfig.Replies is needed to see its answer", service.Service, product)}
		}
	}
	return services, nil
}

// called is what the calls to one device came to.
type called struct {
	seen string // why not all services could be called; empty if they could
	err  error
}

// call calls those services of a device that did not answer yet, one after the other.
func (v *service) call(
	ctx context.Context, s *migrate.Subject, d migrate.SubjectDevice, services []Invocation, replies []iot.Message,
) called {
	var got called
	for _, service := range services {
		key := command{d.ID, service.Service}
		a, made := v.memory.get(key, d.Moved)
		_, replied := findReply(replies, s.Target.Info.ID, a.sent.MessageID)
		if made && (a.answered != "" || replied || s.Now.Sub(a.sent.At) < v.Again) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return called{err: fmt.Errorf("verify: call services: %w", err)}
		}
		a, seen, err := v.invoke(ctx, s, d, service)
		if err != nil {
			return called{err: err}
		}
		if seen != "" {
			got.seen = seen
			return got
		}
		v.memory.put(key, a)
	}
	return got
}

// invoke calls one service. It returns what was seen instead, if the device can still answer another time.
func (v *service) invoke(ctx context.Context, s *migrate.Subject, d migrate.SubjectDevice, service Invocation) (attempt, string, error) {
	through := s.Target
	if v.WithoutInstanceID {
		through = s.Source
	}
	args := service.Args
	if args == nil {
		args = json.RawMessage("{}") // the platform wants an object even where there is nothing to say
	}
	reply, err := through.Invoke(ctx, d.ID, service.Service, args)
	if seen := pending(err); seen != "" {
		return attempt{}, fmt.Sprintf("service %s: %s", service.Service, seen), nil
	}
	if err != nil {
		return attempt{}, "", fmt.Errorf("verify: call service %s of %s: %w", service.Service, d.ID, err)
	}
	a := attempt{sent: Sent{Device: d.ID, MessageID: reply.MessageID, Payload: service.Args, At: s.Now}}
	switch {
	case service.Async:
	case reply.Result == nil:
		return attempt{}, fmt.Sprintf("service %s: the call came back without an answer: is the service asynchronous?", service.Service), nil
	default:
		a.answered = fmt.Sprintf("service %s answered the call", service.Service)
	}
	return a, "", nil
}

func (v *service) replies(ctx context.Context, waiting []migrate.SubjectDevice) (map[iot.DeviceID][]iot.Message, error) {
	if len(waiting) == 0 {
		return nil, nil
	}
	return latest(ctx, v.Replies, waiting)
}

// judge takes the replies in and finds the verdict on a device.
func (v *service) judge(s *migrate.Subject, d migrate.SubjectDevice, services []Invocation, got called, messages []iot.Message) migrate.Finding {
	source := v.source(s)
	if len(services) == 0 {
		return finding(d, migrate.Pass, source, s.Now, "no service of the product was chosen: none was called")
	}
	seen := ""
	for _, service := range services {
		key := command{d.ID, service.Service}
		a, made := v.memory.get(key, d.Moved)
		if !made {
			return open(d, s, source, "%s", got.seen)
		}
		if a.answered == "" {
			r, ok := findReply(messages, s.Target.Info.ID, a.sent.MessageID)
			switch {
			case !ok:
				return open(d, s, source, "service %s: the reply to call %s is not there yet", service.Service, a.sent.MessageID)
			case r.passing():
				v.memory.forget(key)
				return open(d, s, source, "service %s: code %s", service.Service, r.Code)
			case r.Code != "200":
				return finding(d, migrate.Fail, source, s.Now, fmt.Sprintf("service %s: the device answered with code %s", service.Service, r.Code))
			}
			a.answered = fmt.Sprintf("service %s answered call %s by a message", service.Service, a.sent.MessageID)
			v.memory.put(key, a)
		}
		seen = join(seen, a.answered)
	}
	for _, service := range services {
		v.memory.forget(command{d.ID, service.Service})
	}
	return finding(d, migrate.Pass, source, s.Now, seen)
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func (v *service) source(s *migrate.Subject) string {
	if v.WithoutInstanceID {
		return "InvokeThingService without an instance ID"
	}
	return api("InvokeThingService", s.Target.View)
}
