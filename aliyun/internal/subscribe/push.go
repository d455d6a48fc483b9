package subscribe

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/iotferry/iotferry/iot"
)

// A StreamConfig says how a [Stream] consumes.
type StreamConfig struct {
	// Connections is how many connections each group is consumed with. Zero is 1.
	Connections int
	// Handlers is how many messages are handled at once. Zero is 1: then messages are handled in the order in which they came.
	Handlers int
}

// A Group is a consumer group and the client that reaches it.
type Group struct {
	Client *Client
	ID     string
}

// A Stream pushes the messages of some groups into one handler. It is safe for concurrent use.
type Stream struct {
	config  StreamConfig
	readers []*reader
	running atomic.Bool
}

// NewStream returns a stream of groups. Its error is [iot.Invalid].
func NewStream(config StreamConfig, groups ...Group) (*Stream, error) {
	config.Connections, config.Handlers = or(config.Connections, 1), or(config.Handlers, 1)
	if config.Connections < 0 || config.Handlers < 0 {
		return nil, invalid("connections and handlers must not be negative")
	}
	if len(groups) == 0 {
		return nil, invalid("there is no group to consume")
	}
	s := &Stream{config: config}
	for _, g := range groups {
		if err := checkGroup(g.ID); err != nil {
			return nil, err
		}
		s.readers = append(s.readers, newReader(g))
	}
	return s, nil
}

// A Handler handles a message. Nil accepts it; with any error it comes again.
type Handler func(context.Context, iot.Message) error

// Run consumes until ctx is done, then returns nil. It connects again whenever a connection is lost.
//
// It returns an error if a group cannot be consumed until somebody changes something ([iot.Denied], [iot.NotFound],
// [iot.Invalid]) and has not been consumed for longer than 20 s in one piece before; afterwards it tries again every
// minute. It is [iot.Conflict] if the stream is running already.
//
// It returns when the last handler has: the handlers' context ends with ctx. What they handled then is still accepted.
func (s *Stream) Run(ctx context.Context, handle Handler) error {
	if !s.running.CompareAndSwap(false, true) {
		return &iot.Error{Kind: iot.Conflict, Op: op, Message: "the stream is running already"}
	}
	defer s.running.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &work{handle: handle, slots: make(chan struct{}, s.config.Handlers)}
	var readers sync.WaitGroup
	var failure firstError
	for _, r := range s.readers {
		for range s.config.Connections {
			readers.Go(func() {
				if err := r.run(ctx, w); err != nil {
					failure.set(err)
					cancel()
				}
			})
		}
	}
	readers.Wait()
	w.handlers.Wait()
	return failure.err
}

// A work is what the readers of one Run share. A message is handled by the goroutine that took it from its connection, and so
// costs no switch to another. Each connection has as many goroutines as there are slots; the slots bound how many of all
// handle at once.
type work struct {
	handle   Handler
	slots    chan struct{}
	handlers sync.WaitGroup
}

// Stats returns what has happened in each group, in the order in which they were given to NewStream.
func (s *Stream) Stats() []Stats {
	var all []Stats
	for _, r := range s.readers {
		all = append(all, r.stats())
	}
	return all
}

// A firstError keeps the first of the errors it gets. Read it when nobody sets it any more.
type firstError struct {
	once sync.Once
	err  error
}

func (f *firstError) set(err error) { f.once.Do(func() { f.err = err }) }
