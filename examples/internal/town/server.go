package town

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/verify"
)

// A server is the customer's: it reads the consumer groups of the instances that it was told to read, by AMQP. It is a
// [verify.Sink] of what the target's groups brought.
type server struct {
	client *aliyun.Client
	clock  iot.Clock
	ctx    context.Context // ends the streams
	stop   context.CancelFunc
	all    sync.WaitGroup

	mu      sync.Mutex
	serves  []string        // IDs of instances
	reading map[string]bool // instance and group
	listed  time.Time       // when groups were looked for
	newest  map[iot.DeviceID][]iot.Message
	refused error // why a group cannot be read, if so

	looked time.Time    // when somebody asked last
	heard  atomic.Int64 // messages so far
}

const (
	listEvery = 5 * time.Second // new groups are looked for
	keptOfOne = 16              // messages of one device

	longAgo = time.Minute            // of the campaign: it may have leapt over what a server reads in that time
	quiet   = 100 * time.Millisecond // of real time without a message: there are none left
)

func newServer(ctx context.Context, client *aliyun.Client, clock iot.Clock) *server {
	s := &server{client: client, clock: clock, reading: map[string]bool{}, newest: map[iot.DeviceID][]iot.Message{}}
	s.ctx, s.stop = context.WithCancel(ctx)
	return s
}

func (s *server) close() {
	s.stop()
	s.all.Wait()
}

// serve reads the groups of an instance from now on, those that come later included.
func (s *server) serve(instanceID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.serves, instanceID) {
		s.serves = append(s.serves, instanceID)
		s.refused = s.open()
	}
}

// Latest yields what the target's groups have brought of some devices.
func (s *server) Latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		if s.look() {
			s.catchUp(ctx)
		}
		messages, err := s.kept(ids)
		for _, m := range messages {
			if !yield(m, nil) {
				return
			}
		}
		if err != nil {
			yield(iot.Message{}, err)
		}
	}
}

// look opens groups that are new, and reports whether the campaign's clock has leapt since somebody asked last.
func (s *server) look() (leapt bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if now.Sub(s.listed) > listEvery {
		s.refused = s.open()
	}
	leapt = now.Sub(s.looked) > longAgo
	s.looked = now
	return leapt
}

// catchUp waits until the streams have brought what waited: a day's messages that a server would have read as they came.
func (s *server) catchUp(ctx context.Context) {
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	for before := int64(-1); before != s.heard.Load(); {
		before = s.heard.Load()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *server) kept(ids []iot.DeviceID) ([]iot.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []iot.Message
	for _, id := range ids {
		out = append(out, s.newest[id]...)
	}
	return out, s.refused
}

// open starts to read the groups that are not read yet.
func (s *server) open() error {
	p := s.client.Platform()
	for _, at := range []iot.Instance{p.Source, p.Target} {
		if !slices.Contains(s.serves, at.Info.ID) {
			continue
		}
		for g, err := range at.Groups(s.ctx) {
			if err != nil {
				return err
			}
			if err := s.read(at.Info, g.ID); err != nil {
				return err
			}
		}
	}
	s.listed = s.clock.Now()
	return nil
}

func (s *server) read(at iot.InstanceInfo, group string) error {
	key := at.ID + "/" + group
	if s.reading[key] {
		return nil
	}
	config := aliyun.StreamConfig{TargetGroup: group}
	if at.Type == iot.PublicLegacy {
		config = aliyun.StreamConfig{SourceGroup: group}
	}
	stream, err := s.client.Messages(config)
	if err != nil {
		return err
	}
	s.reading[key] = true
	s.all.Go(func() {
		if err := stream.Run(s.ctx, s.keep); err != nil {
			s.fail(err)
		}
	})
	return nil
}

func (s *server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
}

// keep is what the server does with a message. A real one would store it.
func (s *server) keep(_ context.Context, m iot.Message) error {
	s.heard.Add(1)
	id, ok := m.Device()
	if !ok || m.Instance == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest[id] = remember(s.newest[id], m)
	return nil
}

// remember keeps the newest report, and the newest of all else.
func remember(kept []iot.Message, m iot.Message) []iot.Message {
	if report := verify.IsReport(m) || verify.IsAlinkPost(m); report {
		kept = slices.DeleteFunc(kept, func(o iot.Message) bool {
			return o.Topic == m.Topic && !o.Generated.After(m.Generated) && !verify.IsReply(o)
		})
	}
	kept = append(kept, m)
	return kept[max(0, len(kept)-keptOfOne):]
}
