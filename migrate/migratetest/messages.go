package migratetest

import (
	"context"
	"fmt"
	"iter"
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

	mu      sync.Mutex
	serves  []string
	inboxes []*inbox
}

// An inbox is what the server has read from one group.
type inbox struct {
	instance, group string
	box             *verify.Inbox
}

func (s *server) serve(instanceID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.serves {
		if known == instanceID {
			return
		}
	}
	s.serves = append(s.serves, instanceID)
}

// open returns the inboxes of all groups that are read now.
func (s *server) open() ([]*inbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, instance := range s.serves {
		for _, group := range s.cloud.GroupIDs(instance) {
			if err := s.connect(instance, group); err != nil {
				return nil, err
			}
		}
	}
	return append([]*inbox(nil), s.inboxes...), nil
}

func (s *server) connect(instance, group string) error {
	for _, b := range s.inboxes {
		if b.instance == instance && b.group == group {
			return nil
		}
	}
	box, err := verify.NewInbox(verify.InboxConfig{Receiver: s.cloud.Receiver(instance), Group: verify.GroupID(group)})
	if err != nil {
		return fmt.Errorf("server of group %s: %w", group, err)
	}
	s.inboxes = append(s.inboxes, &inbox{instance: instance, group: group, box: box})
	return nil
}

// latest reads all groups, and yields what those of the target have brought of the devices.
func (s *server) latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		inboxes, err := s.open()
		if err != nil {
			yield(iot.Message{}, err)
			return
		}
		for _, b := range inboxes {
			asked := ids
			if b.instance != s.target {
				asked = nil
			}
			for m, err := range b.box.Latest(ctx, asked) {
				if !yield(m, err) || err != nil {
					return
				}
			}
		}
	}
}

// read lets the server read all that waits.
func (s *server) read() {
	for _, err := range s.latest(context.Background(), nil) {
		if err != nil {
			return // it will read the next time
		}
	}
}
