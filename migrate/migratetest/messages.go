package migratetest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/verify"
)

// Sink returns where the messages of the target arrive: what its rules forward to the customer's tables and,
// once [Cloud.Serve] lets a server read the target, what that server has read.
func (c *Cloud) Sink() verify.Sink {
	rules := c.cloud.Sink(c.platform.Target.Info.ID)
	return verify.SinkFunc(func(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
		return func(yield func(iot.Message, error) bool) {
			for _, id := range ids {
				if err := ctx.Err(); err != nil {
					yield(iot.Message{}, err)
					return
				}
				for _, m := range rules.Forwarded(id) {
					if !yield(m.Message, nil) {
						return
					}
				}
			}
			c.server.latest(ctx, ids)(yield)
		}
	})
}

// TargetReceiver consumes from consumer groups of the target.
func (c *Cloud) TargetReceiver() iot.Receiver { return c.cloud.Receiver(c.platform.Target.Info.ID) }

// SourceReceiver consumes from consumer groups of the source.
func (c *Cloud) SourceReceiver() iot.Receiver { return c.cloud.Receiver("") }

// Serve lets the servers of the fleet's owner read all AMQP consumer groups of an instance from now on, those
// that come later included; the empty ID is the public instance. They read whenever somebody looks at a
// group or at [Cloud.Sink]. Without it nobody reads: backlogs grow.
func (c *Cloud) Serve(instanceID string) { c.server.serve(instanceID) }

// A server reads consumer groups. It starts no goroutine: it has read when somebody looks.
type server struct {
	cloud  *fake.Cloud
	target string

	mu     sync.Mutex
	serves []string
}

func (s *server) serve(instanceID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.serves, instanceID) {
		s.serves = append(s.serves, instanceID)
	}
}

// read lets the server read all groups that there are now, and returns its readers of the target's.
func (s *server) read() ([]*fake.Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*fake.Reader
	for _, instance := range s.serves {
		for _, group := range s.cloud.GroupIDs(instance) {
			r, err := s.cloud.Read(instance, group)
			if err != nil {
				return nil, fmt.Errorf("server of group %s: %w", group, err)
			}
			if instance == s.target {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

// latest yields what the server has read of the devices from groups of the target.
func (s *server) latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		readers, err := s.read()
		if err != nil {
			yield(iot.Message{}, err)
			return
		}
		for _, r := range readers {
			for _, id := range ids {
				if err := ctx.Err(); err != nil {
					yield(iot.Message{}, err)
					return
				}
				for _, m := range r.Newest(id) {
					if !yield(m, nil) {
						return
					}
				}
			}
		}
	}
}
